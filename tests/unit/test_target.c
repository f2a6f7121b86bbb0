/* SPDX-License-Identifier: MIT */
/* tests/unit/test_target.c: templates, patterns, and lists of names of targets. */
#include "model/pattern.h"
#include "model/target.h"
#include "test.h"

/* ------------------------------------------------------------------------------------------ templates */

/* "text|<placeholder>|..." of an argument; "wrong" when it is. */
static const char *pieces(const char *arg)
{
        static char out[256];
        struct piece p;
        struct err e;
        size_t n = 0;
        int rc;

        *out = '\0';
        while ((rc = template_next(&arg, &p, &e)) > 0)
                n += (size_t)snprintf(out + n, sizeof(out) - n, p.is_placeholder ? "%s<%.*s>" : "%s%.*s",
                                      n ? "|" : "", (int)p.n, p.text);
        if (rc == 0)
                return out;
        CHECK_INT(e.kind, ERR_INVALID);
        return "wrong";
}

TEST(an_argument_of_a_template_is_text_and_placeholders)
{
        CHECK_STR(pieces(""), "");
        CHECK_STR(pieces("--plain"), "--plain");
        CHECK_STR(pieces("{a}"), "<a>");
        CHECK_STR(pieces("--width={width}px"), "--width=|<width>|px");
        CHECK_STR(pieces("{a}{b}"), "<a>|<b>");
}

TEST(two_braces_are_one)
{
        CHECK_STR(pieces("{{"), "{");
        CHECK_STR(pieces("a}}b"), "a|}|b");
        CHECK_STR(pieces("{{a}}"), "{|a|}");
        CHECK_STR(pieces("{{{a}}}"), "{|<a>|}");
        CHECK_STR(pieces("{{{{"), "{|{");
}

TEST(a_brace_alone_is_refused)
{
        static const char *const wrong[] = {"{",   "}",  "a{",     "a}",   "{a",
                                            "a}b", "{}", "{a{b}}", "{{a}", "{a}}"};

        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
                if (strcmp(pieces(wrong[i]), "wrong") != 0)
                        fail_msg("'%s' was taken as '%s'", wrong[i], pieces(wrong[i]));
}

TEST(a_name_has_its_characters_and_its_length)
{
        char longest[TARGET_NAME_MAX + 2];

        memset(longest, 'a', sizeof(longest));
        longest[TARGET_NAME_MAX] = '\0';
        CHECK(target_name_is_valid("7zip-1.x_y") && target_name_is_valid(longest));
        CHECK(placeholder_name_is_valid("_a1") && placeholder_name_is_valid(longest));
        CHECK(!target_name_is_valid("") && !target_name_is_valid(".a") && !target_name_is_valid("a b"));
        CHECK(!placeholder_name_is_valid("") && !placeholder_name_is_valid("1a") &&
              !placeholder_name_is_valid("a-b") && !placeholder_name_is_valid("\303\244"));
        longest[TARGET_NAME_MAX] = 'a';
        longest[TARGET_NAME_MAX + 1] = '\0';
        CHECK(!target_name_is_valid(longest) && !placeholder_name_is_valid(longest));
}

TEST(a_list_has_whole_names_only)
{
        CHECK(targets_have("resize", "resize") && targets_have("a resize b", "resize"));
        CHECK(targets_have("a b", "a") && targets_have("a b", "b"));
        CHECK(!targets_have("", "a") && !targets_have("resize", "res") && !targets_have("res", "resize"));
        CHECK(!targets_have("a b", "a b") && !targets_have("a b", ""));
}

TEST(two_lists_have_in_common_what_is_in_both)
{
        char out[TARGETS_TEXT_MAX];

        targets_intersect("a b c", "c d a", out);
        CHECK_STR(out, "a c");
        targets_intersect("a b", "a b", out);
        CHECK_STR(out, "a b");
        targets_intersect("a b", "ab", out);
        CHECK_STR(out, "");
        targets_intersect("", "a", out);
        CHECK_STR(out, "");
}

/* ------------------------------------------------------------------------------------------- patterns */

static bool is_like(const char *value, const char *pattern)
{
        regex_t regex;
        struct err e;
        int rc;

        if (pattern_compile(pattern, &regex, &e) < 0)
                fail_msg("'%s' %s", pattern, e.msg);
        rc = pattern_matches(&regex, value, &e);
        regfree(&regex);
        return rc == 1;
}

TEST(a_pattern_is_of_the_whole_value)
{
        CHECK(is_like("12", "[0-9]+") && !is_like("12x", "[0-9]+") && !is_like("x12", "[0-9]+"));
        CHECK(!is_like("12\n", "[0-9]+") && !is_like("12\nx", "[0-9]+"));
        CHECK(is_like("a", "a|b") && is_like("b", "a|b") && !is_like("ab", "a|b") && !is_like("ba", "a|b"));
        CHECK(is_like("", "") && !is_like("a", "") && is_like("12", "^[0-9]+$"));
}

TEST(a_pattern_is_about_bytes)
{
        CHECK(is_like("\303\244", "..") && !is_like("\303\244", ".") && is_like("a\nb", "a.b"));
        CHECK(!is_like("\303\244", "[[:alpha:]]+") && !is_like("A", "[a-z]"));
}

TEST(each_part_of_the_syntax_is_taken)
{
        CHECK(is_like("a)", "a\\)") && is_like("{", "\\{") && is_like("]", "[]]") && is_like("a", "[^]]"));
        CHECK(is_like("[", "[[]") && is_like("-x", "[[:punct:]][[:alpha:]]") && is_like("-", "[[.-.]]"));
        CHECK(is_like("aaa", "a{3}") && is_like("aaaa", "a{3,}") && is_like("a", "a{0,1}") &&
              is_like("", "a{0}"));
        CHECK(is_like("ab.cd", "[a-z]{1,63}(\\.[a-z]{1,63}){0,3}") && is_like("\\", "[\\]") &&
              is_like("(", "[(]"));
}

TEST(what_is_no_pattern_is_refused)
{
        static const char *const wrong[] = {"(",        ")",   "a)|(b", "a)|b(c)", "[",      "[[:alpha:]",
                                            "[[:no:]]", "a{",  "a{1",   "a{,1}",   "a{2,1}", "a{x}",
                                            "*a",       "a|*", "+",     "{1}",     "\\",     "\\d",
                                            "(a)\\1",   "\\w", "[b-a]", "[a",      "(a))(b"};
        regex_t regex;
        struct err e;

        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
                if (pattern_compile(wrong[i], &regex, &e) != -1 || e.kind != ERR_INVALID)
                        fail_msg("'%s' was taken", wrong[i]);
}

TEST(a_pattern_that_would_be_large_when_it_is_written_out_is_refused)
{
        static const char *const large[] = {
                "a{513}",    "((a{9}){9}){9}",          "(((((((((a+)+)+)+)+)+)+)+)+)+",
                "a{99}{99}", "a{99999999999999999999}", "((a|b){100}c){3,6}"};
        char text[PATTERN_MAX + 2];
        regex_t regex;
        struct err e;

        for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++)
                if (pattern_compile(large[i], &regex, &e) != -1)
                        fail_msg("'%s' was taken", large[i]);
        memset(text, 'a', sizeof(text));
        text[PATTERN_MAX + 1] = '\0';
        CHECK_FAILS(pattern_compile(text, &regex, &e), ERR_INVALID);
        memset(text, '(', PATTERN_MAX / 2);
        memset(text + PATTERN_MAX / 2, ')', PATTERN_MAX / 2);
        text[PATTERN_MAX] = '\0';
        CHECK_FAILS(pattern_compile(text, &regex, &e), ERR_INVALID);
}

/* The alarm of the test is the limit: an expression that is gone through in all ways would take years. */
TEST(the_worst_pattern_is_through_with_the_longest_value)
{
        static const char *const slow[] = {"(a*)*b", "(a|aa)*b", "((a?){15}){15}b", ".*a.{200}b"};
        char value[PATTERN_VALUE_MAX + 1];

        memset(value, 'a', sizeof(value));
        value[PATTERN_VALUE_MAX] = '\0';
        for (size_t i = 0; i < sizeof(slow) / sizeof(slow[0]); i++)
                CHECK(!is_like(value, slow[i]));
}

TEST_MAIN("target")
