/* SPDX-License-Identifier: MIT */
/* tests/unit/test_number.c: what is a whole number. */
#include "test.h"

#include "base/number.h"

static void check_number(const char *text, int64_t min, int64_t max, int64_t want)
{
        int64_t v = 42;

        if (number_parse(text, min, max, &v) < 0)
                fail_msg("'%s' was refused", text);
        CHECK_INT(v, want);
}

static void check_none(const char *text, int64_t min, int64_t max)
{
        int64_t v = 42;

        if (number_parse(text, min, max, &v) == 0)
                fail_msg("'%s' was taken for %" PRId64, text, v);
        CHECK_INT(v, 42);
}

TEST(digits_are_a_number_in_base_ten)
{
        check_number("0", 0, 10, 0);
        check_number("7", 0, 10, 7);
        check_number("010", 0, 10, 10);
}

TEST(what_is_no_number_as_a_whole_is_refused)
{
        static const char *const wrong[] = {"",    " 5",  "5 ",  "+5",  "5x", "x",   "0x5", "1.5",
                                            "1e1", "5\n", "--5", "- 5", "-",  "-+5", "-x"};

        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
                check_none(wrong[i], 0, 100);
                check_none(wrong[i], -100, 100);
        }
}

TEST(both_bounds_are_within)
{
        check_number("1", 1, 9, 1);
        check_number("9", 1, 9, 9);
        check_none("0", 1, 9);
        check_none("10", 1, 9);
}

TEST(a_minus_is_read_where_numbers_below_zero_are)
{
        check_number("-5", -9, 9, -5);
        check_number("-0", -9, 9, 0);
        check_none("-10", -9, 9);
        check_none("-0", 0, 9);
        check_none("-5", 0, 9);
}

TEST(the_last_numbers_of_64_bits_are_read_and_those_beyond_refused)
{
        check_number("9223372036854775807", INT64_MIN, INT64_MAX, INT64_MAX);
        check_number("-9223372036854775808", INT64_MIN, INT64_MAX, INT64_MIN);
        check_none("9223372036854775808", INT64_MIN, INT64_MAX);
        check_none("-9223372036854775809", INT64_MIN, INT64_MAX);
        check_none("99999999999999999999", INT64_MIN, INT64_MAX);
}

TEST_MAIN("number")
