/* SPDX-License-Identifier: MIT */
/* tests/seam/test_joins.c: joins of many, of which any or all must have ended. */
#include "rig.h"

/* "10" for a ticket whose first id is ready and whose second is not. */
static const char *ready(const struct wait *w, size_t n)
{
        static char text[32];

        for (size_t i = 0; i < n; i++)
                text[i] = w->ticket.ready[i] ? '1' : '0';
        text[n] = '\0';
        return text;
}

TEST(a_join_of_any_ends_with_the_first)
{
        struct rig r;
        struct wait w;
        int64_t ids[3];

        rig_begin(&r);
        for (int i = 0; i < 3; i++)
                ids[i] = rig_start(&r, "read x");
        CHECK_INT(join_many(&r, ids, 3, true, -1, &w), 1);
        rig_release(&r, ids[1]);
        CHECK_INT(wait_for_ticket(&w, 1), ERR_NONE);
        CHECK_STR(ready(&w, 3), "010");
        ticket_done(&w.ticket);
        CHECK_INT(wait_for_ticket(&w, join_many(&r, ids, 3, true, -1, &w)), ERR_NONE); /* at once */
        CHECK_STR(ready(&w, 3), "010");
        ticket_done(&w.ticket);
        CHECK_INT(rig_select("SELECT count(*) FROM process WHERE joined_at IS NOT NULL"), 1);
        rig_end(&r);
}

TEST(a_join_of_all_ends_with_the_last)
{
        struct rig r;
        struct wait w;
        int64_t ids[3];

        rig_begin(&r);
        for (int i = 0; i < 3; i++)
                ids[i] = rig_start(&r, "read x");
        CHECK_INT(join_many(&r, ids, 3, false, -1, &w), 1);
        rig_release(&r, ids[2]);
        rig_join(&r, ids[2]);
        rig_release(&r, ids[0]);
        rig_join(&r, ids[0]);
        CHECK(!is_done(&w));
        rig_release(&r, ids[1]);
        CHECK_INT(wait_for_ticket(&w, 1), ERR_NONE);
        CHECK_STR(ready(&w, 3), "111");
        ticket_done(&w.ticket);
        CHECK_INT(rig_select("SELECT count(*) FROM process WHERE joined_at IS NOT NULL"), 3);
        rig_end(&r);
}

TEST(a_join_of_many_that_times_out_tells_who_has_ended)
{
        struct rig r;
        struct wait w;
        int64_t ids[2];

        rig_begin(&r);
        ids[0] = rig_start(&r, "read x");
        ids[1] = rig_start(&r, "read x");
        rig_release(&r, ids[0]);
        rig_join(&r, ids[0]);
        CHECK_INT(wait_for_ticket(&w, join_many(&r, ids, 2, false, 1000, &w)), ERR_NONE);
        CHECK_STR(ready(&w, 2), "10");
        ticket_done(&w.ticket);
        CHECK_INT(wait_for_ticket(&w, join_many(&r, ids, 2, false, 0, &w)), ERR_NONE);
        CHECK_STR(ready(&w, 2), "10");
        ticket_done(&w.ticket);
        rig_end(&r);
}

TEST(the_same_process_may_be_named_twice_in_a_join)
{
        struct rig r;
        struct wait any, all;
        int64_t ids[4];

        rig_begin(&r);
        ids[0] = ids[1] = ids[3] = rig_start(&r, "read x");
        ids[2] = rig_start(&r, "read x");
        CHECK_INT(join_many(&r, ids, 4, true, -1, &any), 1);
        CHECK_INT(join_many(&r, ids, 4, false, -1, &all), 1);
        rig_release(&r, ids[0]);
        CHECK_INT(wait_for_ticket(&any, 1), ERR_NONE);
        rig_release(&r, ids[2]);
        CHECK_INT(wait_for_ticket(&all, 1), ERR_NONE);
        CHECK_STR(ready(&all, 4), "1111");
        ticket_done(&any.ticket);
        ticket_done(&all.ticket);
        rig_end(&r);
}

TEST(a_join_of_many_with_one_that_cannot_be_waited_for_is_refused_whole)
{
        struct rig r;
        struct wait w;
        int64_t ids[2];

        rig_begin(&r);
        ids[0] = rig_start(&r, "read x");
        ids[1] = 99;
        CHECK_INT(join_many(&r, ids, 2, true, -1, &w), -1);
        CHECK_INT(w.ticket.err.kind, ERR_NOT_FOUND);
        ticket_done(&w.ticket);
        ids[1] = rig_create(&r, "true");
        CHECK_INT(join_many(&r, ids, 2, true, -1, &w), -1);
        CHECK_INT(w.ticket.err.kind, ERR_NOT_STARTED);
        ticket_done(&w.ticket);
        rig_end(&r);
}

TEST(a_join_of_many_can_be_cancelled)
{
        struct rig r;
        struct wait w;
        int64_t ids[2];

        rig_begin(&r);
        ids[0] = rig_start(&r, "read x");
        ids[1] = rig_start(&r, "read x");
        CHECK_INT(join_many(&r, ids, 2, true, 60000000, &w), 1);
        CHECK(registry_cancel(r.registry, &w.ticket));
        CHECK(!registry_cancel(r.registry, &w.ticket));
        ticket_done(&w.ticket);
        rig_release(&r, ids[0]);
        rig_join(&r, ids[0]);
        CHECK(!is_done(&w));
        rig_end(&r);
}

int main(int argc, char **argv)
{
        return !strcmp(argv[0], FORKSERVER_NAME) ? forkserver_main(argc, argv)
                                                 : test_run("joins", argc, argv);
}
