/* SPDX-License-Identifier: MIT */
/* tests/unit/test_cli_text.c: text of others on our terminal, and numbers as people say them. */
#include "test.h"

#include "base/clock.h"
#include "cli/signals.h"
#include "cli/text.h"

static const char *escaped(const char *s, size_t n, bool lines)
{
        static struct strbuf b;

        strbuf_reset(&b);
        text_begin();
        text_escape(&b, s, n, lines);
        return strbuf_text(&b);
}

#define ESCAPED(s, lines) escaped(s, sizeof(s) - 1, lines)

TEST(what_a_terminal_would_obey_is_shown)
{
        CHECK_STR(ESCAPED("a\x1b[2Jb\r\a\0c\x7f", false), "a\\x1b[2Jb\\r\\a\\x00c\\x7f");
        CHECK_STR(ESCAPED("\xc2\x9b", false), "\\xc2\\x9b");
        CHECK_STR(ESCAPED("a\nb\tc", false), "a\\nb\\tc");
        CHECK_STR(ESCAPED("a\nb\tc", true), "a\nb\tc");
}

TEST(what_turns_the_direction_of_writing_is_shown)
{
        CHECK_STR(ESCAPED("\xe2\x80\xae", false), "\\u202e");
        CHECK_STR(ESCAPED("\xe2\x81\xa6", true), "\\u2066");
}

TEST(what_is_no_utf8_is_shown_byte_by_byte)
{
        CHECK_STR(ESCAPED("\xff\xc3(\xe2\x82", false), "\\xff\\xc3(\\xe2\\x82");
        CHECK_STR(ESCAPED("\xc3\xa4\xe6\x97\xa5", false), "\xc3\xa4\xe6\x97\xa5");
}

static const char *cut(const char *s, size_t width)
{
        static struct strbuf b;

        strbuf_reset(&b);
        text_begin();
        text_cut(&b, s, width);
        return strbuf_text(&b);
}

TEST(a_cut_is_never_wider_than_asked_for)
{
        CHECK_STR(cut("abcde", 5), "abcde");
        CHECK_STR(cut("abcde", 4), "abc\xe2\x80\xa6");
        CHECK_STR(cut("abcde", 1), "\xe2\x80\xa6");
        CHECK_STR(cut("abcde", 0), "");
        /* Two characters of two columns each. */
        CHECK_INT(text_width("\xe6\x97\xa5\xe6\x9c\xac"), 4);
        CHECK_STR(cut("\xe6\x97\xa5\xe6\x9c\xac", 3), "\xe6\x97\xa5\xe2\x80\xa6");
        CHECK_STR(cut("\xe6\x97\xa5\xe6\x9c\xac", 2), "\xe2\x80\xa6");
}

TEST(a_character_that_goes_on_in_the_next_bytes_is_waited_for)
{
        CHECK_INT(text_whole("ab\xe6\x97", 4), 2);
        CHECK_INT(text_whole("ab\xe6", 3), 2);
        CHECK_INT(text_whole("ab\xe6\x97\xa5", 5), 5);
        CHECK_INT(text_whole("\xf0\x9f\x98", 3), 0);
        /* Not the beginning of one: nothing to wait for. */
        CHECK_INT(text_whole("\x97\x97\x97\x97", 4), 4);
        CHECK_INT(text_whole("", 0), 0);
}

static const char *duration(int64_t us)
{
        static struct strbuf b;

        strbuf_reset(&b);
        text_duration(&b, us);
        return strbuf_text(&b);
}

TEST(durations_are_as_people_say_them)
{
        CHECK_STR(duration(-5), "less than a second");
        CHECK_STR(duration(CLOCK_US_PER_S), "1 second");
        CHECK_STR(duration(59 * CLOCK_US_PER_S), "59 seconds");
        CHECK_STR(duration(200 * CLOCK_US_PER_S), "3 minutes");
        CHECK_STR(duration(47 * 3600 * CLOCK_US_PER_S), "47 hours");
        CHECK_STR(duration(10 * 86400 * CLOCK_US_PER_S), "10 days");
        CHECK_STR(duration(INT64_C(40) * 86400 * CLOCK_US_PER_S), "5 weeks");
        CHECK_STR(duration(INT64_C(300) * 86400 * CLOCK_US_PER_S), "9 months");
        CHECK_STR(duration(INT64_C(3000) * 86400 * CLOCK_US_PER_S), "8 years");
}

TEST(seconds_are_read_with_their_units)
{
        assert_true(text_seconds("90") == 90);
        assert_true(text_seconds("1.5") == 1.5);
        assert_true(text_seconds("10s") == 10);
        assert_true(text_seconds("5m") == 300);
        assert_true(text_seconds("2h") == 7200);
        assert_true(text_seconds("1d") == 86400);
        assert_true(text_seconds("") < 0);
        assert_true(text_seconds("-1") < 0);
        assert_true(text_seconds("5x") < 0);
        assert_true(text_seconds("5ms") < 0);
        assert_true(text_seconds("inf") < 0);
        assert_true(text_seconds("1e400") < 0);
        assert_true(text_seconds("1e11") < 0);
}

TEST(a_quoted_word_is_one_word_of_a_shell)
{
        struct strbuf b = {0};

        text_quote(&b, "plain-1.0");
        text_quote(&b, "");
        text_quote(&b, "it's $HOME");
        CHECK_STR(strbuf_text(&b), "plain-1.0'''it'\\''s $HOME'");
        strbuf_done(&b);
}

TEST(a_distance_counts_what_must_be_changed)
{
        CHECK_INT(text_distance("ps", "ps"), 0);
        CHECK_INT(text_distance("ps", "pss"), 1);
        CHECK_INT(text_distance("lgos", "logs"), 1);
        CHECK_INT(text_distance("kill", "kitten"), 4);
        CHECK_INT(text_distance("", "logs"), 4);
}

static const char *signal_of(const char *text)
{
        static char name[SIGNAL_NAME_MAX];
        struct fail f;

        return signals_parse(text, name, &f) == 0 ? name : "none";
}

TEST(signals_are_read_by_name_and_number)
{
        CHECK_STR(signal_of("TERM"), "SIGTERM");
        CHECK_STR(signal_of("sigusr1"), "SIGUSR1");
        CHECK_STR(signal_of("9"), "SIGKILL");
        CHECK_STR(signal_of("34"), "SIGRTMIN+0");
        CHECK_STR(signal_of("RTMIN+3"), "SIGRTMIN+3");
        CHECK_STR(signal_of("0"), "none");
        CHECK_STR(signal_of("65"), "none");
        CHECK_STR(signal_of("9x"), "none");
        CHECK_STR(signal_of("+9"), "none");
        CHECK_STR(signal_of("RTMIN+9x"), "none");
        CHECK_STR(signal_of("RTMIN+31"), "none");
        CHECK_STR(signal_of("TERMINATE"), "none");
        CHECK_STR(signal_of(""), "none");
}

TEST_MAIN("cli_text")
