/* SPDX-License-Identifier: MIT */
/* tests/unit/test_text.c: the growing string, UTF-8, JSON text, and values of log lines. */
#include "test.h"

#include <jansson.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/strbuf.h"

TEST(a_strbuf_is_empty_at_first_and_holds_what_was_appended)
{
        CLEANUP(strbuf_done) struct strbuf b = {0};

        CHECK_STR(strbuf_text(&b), "");
        strbuf_str(&b, "a");
        strbuf_char(&b, 'b');
        strbuf_add(&b, "c\0d", 3);
        strbuf_printf(&b, "%d-%s", 5, "e");
        CHECK_INT(b.len, 8);
        assert_memory_equal(b.s, "abc\0d5-e", 9);
        CHECK(!strbuf_failed(&b));
}

TEST(appending_nothing_leaves_an_empty_text)
{
        CLEANUP(strbuf_done) struct strbuf b = {0};
        char *s;

        strbuf_str(&b, "");
        CHECK_STR(strbuf_text(&b), "");
        CHECK_INT(b.len, 0);
        strbuf_reserve(&b, 100);
        CHECK_STR(strbuf_text(&b), "");
        s = strbuf_steal(&b);
        CHECK_STR(s, "");
        free(s);
}

TEST(a_strbuf_grows_by_any_step_and_stays_terminated)
{
        CLEANUP(strbuf_done) struct strbuf b = {0};
        uint64_t seed = 1;
        size_t len = 0;

        for (int i = 0; i < 300; i++) {
                size_t n = test_random(&seed) % 600;

                memset(strbuf_reserve(&b, n), 'a' + i % 26, n);
                strbuf_commit(&b, n);
                len += n;
                CHECK_INT(b.len, len);
                CHECK_INT(b.s[len], '\0');
        }
        CHECK_INT(strlen(b.s), len);
}

TEST(integers_are_written_in_full)
{
        CLEANUP(strbuf_done) struct strbuf b = {0};

        strbuf_int(&b, INT64_MIN);
        strbuf_char(&b, ' ');
        strbuf_int(&b, -1);
        strbuf_char(&b, ' ');
        strbuf_int(&b, 0);
        strbuf_char(&b, ' ');
        strbuf_int(&b, INT64_MAX);
        CHECK_STR(strbuf_text(&b), "-9223372036854775808 -1 0 9223372036854775807");
}

TEST(a_strbuf_is_reset_and_stolen)
{
        struct strbuf b = {0};
        char *s;

        strbuf_str(&b, "old");
        strbuf_reset(&b);
        CHECK_STR(strbuf_text(&b), "");
        strbuf_str(&b, "new");
        s = strbuf_steal(&b);
        CHECK_STR(s, "new");
        free(s);
        CHECK_STR(strbuf_text(&b), "");
        s = strbuf_steal(&b);
        CHECK_STR(s, "");
        free(s);
}

TEST(a_strbuf_that_failed_takes_nothing_more_and_gives_nothing)
{
        struct strbuf b = {.failed = true};

        strbuf_str(&b, "x");
        strbuf_printf(&b, "%d", 1);
        strbuf_json_str(&b, "\n");
        CHECK_NULL(strbuf_reserve(&b, 1));
        CHECK_NULL(strbuf_steal(&b));
        CHECK(!strbuf_failed(&b));
}

TEST(utf8_is_what_rfc_3629_says)
{
        static const struct {
                const char *bytes;
                bool valid;
                const char *what;
        } table[] = {
                {"", true, "nothing"},
                {"plain", true, "ASCII"},
                {"\x7f", true, "DEL"},
                {"\xc2\x80", true, "the first of two bytes"},
                {"\xdf\xbf", true, "the last of two bytes"},
                {"\xe0\xa0\x80", true, "the first of three bytes"},
                {"\xed\x9f\xbf", true, "the last before the surrogates"},
                {"\xee\x80\x80", true, "the first after the surrogates"},
                {"\xef\xbf\xbf", true, "the last of three bytes"},
                {"\xf0\x90\x80\x80", true, "the first of four bytes"},
                {"\xf4\x8f\xbf\xbf", true, "the last of all"},
                {"a\xc3\xa9z\xe2\x82\xac\xf0\x9f\x92\xa9", true, "a mixture"},
                {"\x80", false, "a lone continuation"},
                {"\xbf", false, "a lone continuation"},
                {"\xc0\x80", false, "an overlong NUL"},
                {"\xc0\xaf", false, "an overlong slash"},
                {"\xc1\xbf", false, "an overlong DEL"},
                {"\xe0\x80\xaf", false, "an overlong slash in three bytes"},
                {"\xe0\x9f\xbf", false, "the last overlong in three bytes"},
                {"\xf0\x80\x80\xaf", false, "an overlong slash in four bytes"},
                {"\xf0\x8f\xbf\xbf", false, "the last overlong in four bytes"},
                {"\xed\xa0\x80", false, "the first surrogate"},
                {"\xed\xbf\xbf", false, "the last surrogate"},
                {"\xed\xa0\xbd\xed\xb8\x80", false, "a pair of surrogates"},
                {"\xf4\x90\x80\x80", false, "beyond U+10FFFF"},
                {"\xf5\x80\x80\x80", false, "beyond U+10FFFF"},
                {"\xff", false, "no byte of UTF-8"},
                {"\xfe", false, "no byte of UTF-8"},
                {"\xc3", false, "truncated after one of two"},
                {"\xe2\x82", false, "truncated after two of three"},
                {"\xf0\x9f\x92", false, "truncated after three of four"},
                {"\xc3z", false, "a sequence that goes on with ASCII"},
                {"\xe2\x82z", false, "a sequence that goes on with ASCII"},
                {"\xf0\x9f\x92\xc3", false, "a sequence that goes on with a beginning"},
                {"ok\xff", false, "a bad end"},
        };

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
                if (utf8_is_valid(table[i].bytes, strlen(table[i].bytes)) != table[i].valid)
                        fail_msg("utf8_is_valid is wrong about %s", table[i].what);
        CHECK(utf8_is_valid("a\0b", 3));
}

/* Exactly the code points, each in its one form: all sequences of up to three bytes against a plain decoder. */
static bool is_valid_slowly(const unsigned char *s, size_t n)
{
        for (size_t i = 0; i < n;) {
                size_t len = s[i] < 0x80       ? 1
                             : s[i] >> 5 == 6  ? 2
                             : s[i] >> 4 == 14 ? 3
                             : s[i] >> 3 == 30 ? 4
                                               : 0;
                uint32_t v = len == 1 ? s[i] : s[i] & (0x7fU >> len);
                static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};

                if (!len || i + len > n)
                        return false;
                for (size_t k = 1; k < len; k++) {
                        if (s[i + k] >> 6 != 2)
                                return false;
                        v = v << 6 | (s[i + k] & 63);
                }
                if (v < least[len] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
                        return false;
                i += len;
        }
        return true;
}

TEST(utf8_agrees_with_a_plain_decoder_on_all_short_strings)
{
        static const unsigned char fourth[] = {0x00, 0x7f, 0x80, 0xbf, 0xc0};

        for (uint32_t v = 0; v < 1U << 24; v += v < 1U << 16 ? 1 : 7) {
                unsigned char s[4] = {(unsigned char)(v >> 16), (unsigned char)(v >> 8), (unsigned char)v,
                                      fourth[v % sizeof(fourth)]};

                for (size_t n = 2; n <= 4; n += 2)
                        if (utf8_is_valid((char *)s, n) != is_valid_slowly(s, n))
                                fail_msg("they differ on %02x %02x %02x %02x", s[0], s[1], s[2], s[3]);
        }
}

static const char *json_of(struct strbuf *b, const char *bytes, size_t n)
{
        strbuf_reset(b);
        strbuf_json_bytes(b, bytes, n);
        return strbuf_text(b);
}

TEST(json_text_is_escaped_where_it_must_be)
{
        CLEANUP(strbuf_done) struct strbuf b = {0};

        CHECK_STR(json_of(&b, "", 0), "\"\"");
        CHECK_STR(json_of(&b, "plain/text", 10), "\"plain/text\"");
        CHECK_STR(json_of(&b, "a\"b\\c", 5), "\"a\\\"b\\\\c\"");
        CHECK_STR(json_of(&b, "\n\t\r\x01\x1f", 5), "\"\\n\\t\\u000d\\u0001\\u001f\"");
        CHECK_STR(json_of(&b, "a\0b", 3), "\"a\\u0000b\"");
        CHECK_STR(json_of(&b, "\xc3\xa9", 2), "\"\xc3\xa9\"");
}

TEST(every_json_text_is_read_back_as_it_was)
{
        CLEANUP(strbuf_done) struct strbuf b = {0};

        for (int c = 0; c < 0x80; c++) {
                const char text[3] = {(char)c, 'x', (char)c};
                json_t *v;

                json_of(&b, text, sizeof(text));
                v = json_loadb(b.s, b.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
                assert_non_null(v);
                CHECK_INT(json_string_length(v), sizeof(text));
                assert_memory_equal(json_string_value(v), text, sizeof(text));
                json_decref(v);
        }
}

TEST(what_is_not_utf8_becomes_base64)
{
        CLEANUP(strbuf_done) struct strbuf b = {0};

        CHECK_STR(json_of(&b, "\xff", 1), "{\"base64\":\"/w==\"}");
        CHECK_STR(json_of(&b, "\xff\xfe", 2), "{\"base64\":\"//4=\"}");
        CHECK_STR(json_of(&b, "\xff\xfe\xfd", 3), "{\"base64\":\"//79\"}");
        CHECK_STR(json_of(&b, "f\0\xff\x10", 4), "{\"base64\":\"ZgD/EA==\"}");
        CHECK_STR(json_of(&b, "foo\xff", 4), "{\"base64\":\"Zm9v/w==\"}");
}

TEST(a_value_in_a_log_line_is_quoted_where_it_must_be)
{
        CHECK_STR(log_quote("plain-value/1"), "plain-value/1");
        CHECK_STR(log_quote(""), "\"\"");
        CHECK_STR(log_quote(NULL), "\"\"");
        CHECK_STR(log_quote("two words"), "\"two words\"");
        CHECK_STR(log_quote("a=b"), "\"a=b\"");
        CHECK_STR(log_quote("say \"hi\\\""), "\"say \\\"hi\\\\\\\"\"");
        CHECK_STR(log_quote("line\nline\x7f"), "\"line\\x0aline\\x7f\"");
        CHECK_STR(log_quote("\xc3\xa9"), "\xc3\xa9");
}

TEST(a_quoted_value_never_grows_beyond_its_place_and_stays_closed)
{
        char text[3000];

        for (int c = 1; c < 256; c++) {
                const char *q;

                memset(text, c, sizeof(text) - 1);
                text[sizeof(text) - 1] = '\0';
                q = log_quote(text);
                CHECK(strlen(q) < 512);
                if (q[0] == '"')
                        CHECK_INT(q[strlen(q) - 1], '"');
                CHECK(!strchr(q, '\n'));
        }
}

TEST(four_quoted_values_hold_at_once)
{
        const char *a = log_quote("a b"), *b = log_quote("b"), *c = log_quote("c"), *d = log_quote("");

        CHECK_STR(a, "\"a b\"");
        CHECK_STR(b, "b");
        CHECK_STR(c, "c");
        CHECK_STR(d, "\"\"");
}

/* What @level writes to stderr of "probe" and a text of @n bytes. */
static const char *logged(enum log_level level, size_t n)
{
        static char text[8192];
        char value[8192];
        int saved = dup(STDERR_FILENO), pair[2];
        ssize_t got;

        memset(value, 'v', n);
        value[n] = '\0';
        if (pipe(pair) < 0)
                fail();
        dup2(pair[1], STDERR_FILENO);
        errno = EBADMSG;
        log_at(level, "probe", "id=%d text=%s", 7, value);
        CHECK_INT(errno, EBADMSG);
        dup2(saved, STDERR_FILENO);
        close(saved);
        close(pair[1]);
        got = read(pair[0], text, sizeof(text) - 1);
        text[got > 0 ? got : 0] = '\0';
        close(pair[0]);
        return text;
}

TEST(a_log_line_is_one_line_with_the_event_first)
{
        const char *line = logged(LOG_WARN, 3);

        assert_memory_equal(line, "event=probe level=warn at=", 26);
        assert_non_null(strstr(line, "Z id=7 text=vvv\n"));
        CHECK_STR(logged(LOG_DEBUG, 3), "");
        line = logged(LOG_ERROR, 5000);
        CHECK_INT(line[strlen(line) - 1], '\n');
        CHECK(strlen(line) <= 2048);
        CHECK(strchr(line, '\n') == line + strlen(line) - 1);
}

static const char *count(int *n)
{
        ++*n;
        return "x";
}

TEST(a_log_line_that_is_not_written_costs_none_of_its_arguments)
{
        int n = 0;

        log_debug("probe", "text=%s", count(&n));
        CHECK_INT(n, 0);
        CHECK(!log_wants(LOG_DEBUG));
        CHECK(log_wants(LOG_INFO));
}

TEST_MAIN("text")
