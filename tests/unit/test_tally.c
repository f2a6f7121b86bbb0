/* SPDX-License-Identifier: MIT */
/* tests/unit/test_tally.c: how often each of many is there. */
#include "transport/tally.h"
#include "test.h"

TEST(each_is_counted_by_itself_up_to_the_limit)
{
        struct tally t;
        struct tally_entry *a, *b;

        tally_init(&t);
        a = tally_enter(&t, "a", 2);
        b = tally_enter(&t, "b", 2);
        CHECK(a && b && a != b);
        CHECK(tally_enter(&t, "a", 2) == a);
        CHECK_NULL(tally_enter(&t, "a", 2));
        tally_leave(&t, a);
        CHECK(tally_enter(&t, "a", 2) == a);
        tally_leave(&t, a);
        tally_leave(&t, a);
        tally_leave(&t, b);
        tally_leave(&t, NULL);
        tally_done(&t);
}

TEST(a_limit_of_nothing_lets_nobody_in)
{
        struct tally t;

        tally_init(&t);
        CHECK_NULL(tally_enter(&t, "a", 0));
        tally_done(&t);
}

TEST_MAIN("tally")
