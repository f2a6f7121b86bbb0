/* SPDX-License-Identifier: MIT */
/* tests/unit/test_clock.c: times as text. */
#include "test.h"

#include <time.h>

#include "base/clock.h"

static int64_t parsed(const char *s)
{
        int64_t us = 12345;

        if (clock_parse(s, &us) < 0)
                fail_msg("'%s' was refused", s);
        return us;
}

TEST(a_time_is_written_in_utc_with_microseconds)
{
        char text[CLOCK_TEXT_MAX];

        CHECK_STR(clock_text(0, text), "1970-01-01T00:00:00.000000Z");
        CHECK_STR(clock_text(INT64_C(1700000000000001), text), "2023-11-14T22:13:20.000001Z");
        CHECK_STR(clock_text(INT64_C(951782399999999), text), "2000-02-28T23:59:59.999999Z");
        CHECK_STR(clock_text(INT64_C(253402300799999999), text), "9999-12-31T23:59:59.999999Z");
        CHECK_STR(clock_text(-1, text), "1969-12-31T23:59:59.999999Z");
}

TEST(each_day_of_four_thousand_years_is_written_as_libc_does)
{
        char text[CLOCK_TEXT_MAX], expected[CLOCK_TEXT_MAX];

        for (time_t s = INT64_C(-30610224000); s < INT64_C(95617584000); s += 86400 - 7) {
                struct tm tm;

                strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S.000000Z", gmtime_r(&s, &tm));
                CHECK_STR(clock_text((int64_t)s * CLOCK_US_PER_S, text), expected);
        }
}

TEST(every_form_of_rfc_3339_is_read)
{
        CHECK_INT(parsed("1970-01-01T00:00:00Z"), 0);
        CHECK_INT(parsed("1970-01-01t00:00:01z"), 1000000);
        CHECK_INT(parsed("1970-01-01 00:00:01Z"), 1000000);
        CHECK_INT(parsed("1970-01-01T00:00:00.5Z"), 500000);
        CHECK_INT(parsed("1970-01-01T00:00:00.000001Z"), 1);
        CHECK_INT(parsed("1970-01-01T00:00:00.1234567890Z"), 123456);
        CHECK_INT(parsed("1970-01-01T01:00:00+01:00"), 0);
        CHECK_INT(parsed("1969-12-31T18:30:00-05:30"), 0);
        CHECK_INT(parsed("1970-01-01T00:00:00-00:00"), 0);
        CHECK_INT(parsed("2016-12-31T23:59:60Z"), parsed("2017-01-01T00:00:00Z"));
        CHECK_INT(parsed("2024-02-29T00:00:00Z"), INT64_C(1709164800000000));
        CHECK_INT(parsed("1969-12-31T23:59:59.999999Z"), -1);
}

/* A database may hold anything. */
TEST(a_time_beyond_all_years_has_a_text_as_well)
{
        char text[CLOCK_TEXT_MAX];

        CHECK_STR(clock_text(INT64_MIN, text) + 17, "05.224192Z");
        CHECK_STR(clock_text(INT64_MAX, text) + 17, "54.775807Z");
}

TEST(what_is_no_time_is_refused)
{
        static const char *const wrong[] = {
                "",
                "now",
                "2026",
                "2026-01-01",
                "2026-01-01T00:00:00",
                "2026-01-01T00:00Z",
                "2026-01-01T00:00:00Zx",
                "2026-01-01T00:00:00 Z",
                "2026-01-01X00:00:00Z",
                "2026-00-01T00:00:00Z",
                "2026-13-01T00:00:00Z",
                "2026-01-00T00:00:00Z",
                "2026-01-32T00:00:00Z",
                "2026-02-29T00:00:00Z",
                "2026-04-31T00:00:00Z",
                "2026-01-01T24:00:00Z",
                "2026-01-01T00:60:00Z",
                "2026-01-01T00:00:61Z",
                "26-01-01T00:00:00Z",
                "2026-1-01T00:00:00Z",
                "2026-+1-01T00:00:00Z",
                "2026- 1-01T00:00:00Z",
                "+026-01-01T00:00:00Z",
                " 026-01-01T00:00:00Z",
                "2026-01-01T-1:00:00Z",
                "2026-01-01T00:00:00.Z",
                "2026-01-01T00:00:00,5Z",
                "2026-01-01T00:00:00+1:00",
                "2026-01-01T00:00:00+0100",
                "2026-01-01T00:00:00+24:00",
                "2026-01-01T00:00:00+01:60",
                "2026-01-01T00:00:00+ 1:00",
                "2026-01-01T00:00:00+01: 0",
                "2026-01-01T00:00:00+01:00x",
                "2026-01-01T00:00:00+-1:00",
        };

        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
                int64_t us = 12345;

                if (clock_parse(wrong[i], &us) != -1)
                        fail_msg("'%s' was taken for a time", wrong[i]);
                CHECK_INT(us, 12345);
        }
}

TEST(a_time_that_was_written_is_read_back)
{
        char text[CLOCK_TEXT_MAX];
        uint64_t seed = 7;

        for (int i = 0; i < 2000; i++) {
                int64_t us = ((int64_t)test_random(&seed) << 32 | test_random(&seed)) %
                             INT64_C(253402300800000000);

                if (i % 4 == 0)
                        us = -us / 8;
                CHECK_INT(parsed(clock_text(us, text)), us);
        }
}

TEST(the_clocks_do_not_run_backwards)
{
        int64_t mono = clock_mono_us(), boot = clock_boot_us();

        for (int i = 0; i < 1000; i++) {
                int64_t next = clock_mono_us();

                CHECK(next >= mono);
                mono = next;
        }
        CHECK(clock_boot_us() >= boot);
        CHECK(clock_now_us() > INT64_C(1700000000000000));
}

TEST_MAIN("clock")
