/* SPDX-License-Identifier: MIT */
/* tests/unit/test_target.c: templates, patterns, lists of names of targets, and targets as rows. */
#include "store_rig.h"

#include "base/cleanup.h"
#include "model/caller.h"
#include "model/pattern.h"
#include "store/targets.h"

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

TEST(who_is_limited_to_targets_may_run_what_is_made_from_them_only)
{
        const struct caller free_ = {.who = "uid 0"}, limited = {.who = "token 3 (ci)", .targets = "a b"};
        struct err e = {0};

        CHECK_INT(caller_may_run(&free_, NULL, &e), 0);
        CHECK_INT(caller_may_run(&free_, "c", &e), 0);
        CHECK_INT(caller_may_run(&limited, "b", &e), 0);
        CHECK_FAILS(caller_may_run(&limited, NULL, &e), ERR_FORBIDDEN);
        CHECK_FAILS(caller_may_run(&limited, "c", &e), ERR_FORBIDDEN);
        CHECK_FAILS(caller_may_run(&limited, "", &e), ERR_FORBIDDEN);
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
        static const char *const wrong[] = {"(",
                                            ")",
                                            "a)|(b",
                                            "a)|b(c)",
                                            "[",
                                            "[[:alpha:]",
                                            "[[:no:]]",
                                            "a{",
                                            "a{1",
                                            "a{,1}",
                                            "a{2,1}",
                                            "a{x}",
                                            "*a",
                                            "a|*",
                                            "+",
                                            "{1}",
                                            "\\",
                                            "\\d",
                                            "(a)\\1",
                                            "\\w",
                                            "[b-a]",
                                            "[a",
                                            "(a))(b",
                                            "([)",
                                            "([a",
                                            "a**",
                                            "(a?)+",
                                            "(a|)*",
                                            "(a*b?){2,}",
                                            "(^|$)*",
                                            "((((((.?)+)+)+)+)+)+"};
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
        static const char *const slow[] = {"(a|aa)*b", "((a?){15}){15}b", ".*a.{200}b",
                                           "(((((((.+)+)+)+)+)+)+)+b"};
        char value[PATTERN_VALUE_MAX + 1];

        memset(value, 'a', sizeof(value));
        value[PATTERN_VALUE_MAX] = '\0';
        for (size_t i = 0; i < sizeof(slow) / sizeof(slow[0]); i++)
                CHECK(!is_like(value, slow[i]));
}

/* ----------------------------------------------------------------------------------------------- rows */

struct put {
        const char *name, *definition;
        int rc;
};

static int put_run(struct db *db, void *arg, struct err *e)
{
        struct put *p = arg;

        p->rc = p->definition ? record_target_put(db, p->name, p->definition, 1000, e)
                              : record_target_delete(db, p->name, e);
        return p->rc < 0 ? -1 : 0;
}

static int put(struct store *s, const char *name, const char *definition)
{
        struct put p = {.name = name, .definition = definition};

        rig_write(s, put_run, &p);
        return p.rc;
}

static void take_definition(const struct target *t, void *arg)
{
        *(char **)arg = strdup(t->definition);
}

TEST(a_target_is_read_as_it_was_put_last)
{
        struct store *s = rig_open();
        CLEANUP(freep) char *definition = NULL;
        struct err e = {0};

        CHECK_INT(put(s, "a", "{\"argv\":[\"1\"]}"), 0);
        CHECK_INT(put(s, "b", "{}"), 0);
        CHECK_INT(put(s, "a", "{\"argv\":[\"2\"]}"), 1);
        CHECK_INT(store_target(s, "a", take_definition, &definition, &e), 0);
        CHECK_STR(definition, "{\"argv\":[\"2\"]}");
        CHECK_INT(put(s, "a", NULL), 0);
        CHECK_INT(store_target(s, "a", take_definition, &definition, &e), 1);
        CHECK_INT(rig_select("SELECT count(*) FROM targets WHERE name = 'b'"), 1);
        store_close(s);
}

TEST(processes_and_tokens_of_an_earlier_version_are_limited_to_no_targets)
{
        sqlite3 *db;

        CHECK_INT(sqlite3_open(test_path("registry.db"), &db), SQLITE_OK);
        for (int i = 0; i < 3; i++)
                CHECK_INT(sqlite3_exec(db, sql_migrations[i].text, NULL, NULL, NULL), SQLITE_OK);
        CHECK_INT(sqlite3_exec(db,
                               "PRAGMA user_version = 3;"
                               "INSERT INTO process (id, name, identity, lineage, state, start_method, "
                               "daemon, argv, env,"
                               " labels, stdout, stderr, grace_us, created_at, exitcode, exit_reason)"
                               " VALUES (4, 'old', '1', '', 'stopped', 'spawn', 0, '[]', '[]', '{}', 'log', "
                               "'log', 0, 1,"
                               " 3, 'exited');"
                               "INSERT INTO token (id, name, scopes, hash, created_at, created_by)"
                               " VALUES (5, 'old', 'start', zeroblob(32), 1, 'uid 0')",
                               NULL, NULL, NULL),
                  SQLITE_OK);
        sqlite3_close(db);
        store_close(rig_open());
        CHECK_INT(rig_select("SELECT exitcode FROM processes WHERE id = 4 AND target IS NULL"), 3);
        CHECK_INT(rig_select("SELECT count(*) FROM process WHERE only_targets IS NULL"), 1);
        CHECK_INT(rig_select("SELECT count(*) FROM tokens WHERE id = 5 AND only_targets IS NULL"), 1);
        CHECK_INT(rig_select("SELECT count(*) FROM dangling"), 1);
}

TEST_MAIN("target")
