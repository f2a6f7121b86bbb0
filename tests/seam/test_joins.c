/* SPDX-License-Identifier: MIT */
/* tests/seam/test_joins.c: joins of many, of which any or all must have ended. */
#include "rig.h"

#include <dirent.h>

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
        rig_start_readers(&r, ids, 3);
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
        rig_start_readers(&r, ids, 3);
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
        rig_start_readers(&r, ids, 2);
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

/* How many descriptors of processes are open. */
static int pidfds(void)
{
        DIR *dir = opendir("/proc/self/fd");
        struct dirent *entry;
        int n = 0;

        while ((entry = readdir(dir))) {
                char target[64] = "";

                n += readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1) > 0 &&
                     strstr(target, "[pidfd]");
        }
        closedir(dir);
        return n;
}

TEST(those_that_have_ended_while_a_join_of_all_waits_hold_no_files)
{
        enum { N = 20 };
        int64_t ids[N + 1];
        struct rig r;
        struct wait w;
        int before;

        rig_begin(&r);
        ids[N] = rig_start(&r, "read x");
        before = pidfds();
        rig_start_readers(&r, ids, N);
        CHECK_INT(join_many(&r, ids, N + 1, false, -1, &w), 1);
        for (int i = 0; i < N; i++)
                rig_release(&r, ids[i]);
        for (int left = 2000; left && pidfds() > before; left--)
                usleep(10000);
        CHECK_INT(pidfds(), before);
        CHECK(!is_done(&w));
        rig_release(&r, ids[N]);
        CHECK_INT(wait_for_ticket(&w, 1), ERR_NONE);
        ticket_done(&w.ticket);
        rig_end(&r);
}

/* The id of one that ends with 3, and whose record is so long. */
static int64_t start_recorded_at_length(struct rig *r, size_t n)
{
        struct spec *spec = rig_spec("exit 3");
        struct wait w;

        free(spec->argv_json);
        spec->argv_json = calloc(n + 1, 1);
        memset(spec->argv_json, ' ', n);
        memcpy(spec->argv_json, "[]", 2);
        wait_init(&w);
        CHECK_INT(
                wait_for_ticket(&w, registry_create(r->registry, &rig_operator, spec, NULL, NULL, &w.ticket)),
                ERR_NONE);
        return w.ticket.id;
}

TEST(a_join_of_many_keeps_small_records_to_show_and_none_that_are_large)
{
        int64_t ids[3];
        struct rig r;
        struct wait w;

        rig_begin(&r);
        ids[0] = start_recorded_at_length(&r, 2);
        ids[1] = start_recorded_at_length(&r, 100000);
        ids[2] = rig_start(&r, "read x");
        for (int i = 0; i < 2; i++)
                rig_join(&r, ids[i]);
        CHECK_INT(join_many(&r, ids, 3, false, -1, &w), 1);
        CHECK(w.ticket.many[0].seen != NULL);
        CHECK_NULL(w.ticket.many[1].seen);
        rig_release(&r, ids[2]);
        CHECK_INT(wait_for_ticket(&w, 1), ERR_NONE);
        ticket_done(&w.ticket);
        rig_end(&r);
}

TEST(a_join_of_many_can_be_cancelled)
{
        struct rig r;
        struct wait w;
        int64_t ids[2];

        rig_begin(&r);
        rig_start_readers(&r, ids, 2);
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
