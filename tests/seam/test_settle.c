/* SPDX-License-Identifier: MIT */
/* tests/seam/test_settle.c: what has happened by now is recorded before it is told. */
#include "rig.h"

static void post(const struct seam_call *call, void *arg)
{
        (void)call;
        sem_post(arg);
}

TEST(settling_is_over_when_each_exit_seen_before_is_recorded)
{
        struct rig_gate gate;
        struct rig r;
        struct wait w;
        sem_t seen;
        int64_t ids[3];

        rig_begin(&r);
        sem_init(&seen, 0, 0);
        for (int i = 0; i < 3; i++)
                ids[i] = rig_start(&r, "read x; exit 3");
        rig_gate_shut(r.registry->store, &gate);
        seam_after("waitid_look", post, &seen);
        for (int i = 0; i < 3; i++) {
                rig_release(&r, ids[i]);
                wait_sem(&seen);
        }
        wait_init(&w);
        CHECK_INT(registry_settle(r.registry, &w.ticket), 1);
        CHECK(!is_done(&w));
        rig_gate_open(&gate);
        CHECK_INT(wait_for_ticket(&w, 1), ERR_NONE);
        CHECK_INT(rig_select("SELECT count(*) FROM process WHERE exitcode = 3"), 3);
        rig_end(&r);
}

TEST(settling_sees_deaths_that_the_reaper_has_not_seen_yet)
{
        struct rig r;
        struct wait w;

        rig_begin(&r);
        for (int round = 0; round < 30; round++) {
                int64_t id = rig_start(&r, "read x; exit 3");

                rig_release(&r, id);
                rig_await_death(&r, id);
                wait_init(&w);
                CHECK_INT(wait_for_ticket(&w, registry_settle(r.registry, &w.ticket)), ERR_NONE);
                CHECK_INT(rig_select("SELECT count(*) FROM process WHERE state <> 'stopped'"), 0);
        }
        rig_end(&r);
}

TEST(with_nothing_to_see_settling_is_immediate)
{
        struct rig r;
        struct wait w;
        int64_t id;

        rig_begin(&r);
        id = rig_start(&r, "read x");
        wait_init(&w);
        CHECK_INT(wait_for_ticket(&w, registry_settle(r.registry, &w.ticket)), ERR_NONE);
        CHECK_INT(rig_select("SELECT count(*) FROM process WHERE state = 'started'"), 1);
        rig_release(&r, id);
        rig_end(&r);
}

/* The reaper is held back in the hook of a call. */
struct hold {
        sem_t entered, go;
        int left;
};

static void hold(const struct seam_call *call, void *arg)
{
        struct hold *h = arg;

        (void)call;
        if (h->left-- != 1)
                return;
        sem_post(&h->entered);
        wait_sem(&h->go);
}

static void hold_init(struct hold *h)
{
        sem_init(&h->entered, 0, 0);
        sem_init(&h->go, 0, 0);
        h->left = 1;
}

TEST(settling_that_is_asked_for_while_the_reaper_works_waits_for_what_it_has_yet_to_see)
{
        struct hold h;
        struct rig r;
        struct wait w;
        int64_t first, second;

        rig_begin(&r);
        hold_init(&h);
        first = rig_start(&r, "read x; exit 3");
        second = rig_start(&r, "read x; exit 4");
        seam_before("waitid_look", hold, &h);
        rig_release(&r, first); /* the reaper sees it, and is held before it looks */
        wait_sem(&h.entered);
        rig_release(&r, second);
        rig_await_death(&r, second);
        wait_init(&w);
        CHECK_INT(registry_settle(r.registry, &w.ticket), 1);
        h.left = 1; /* and again, before it looks at the second */
        sem_post(&h.go);
        wait_sem(&h.entered);
        rig_flush(&r); /* the first is recorded, the second is not */
        CHECK_INT(rig_select("SELECT count(*) FROM process WHERE exitcode = 4"), 0);
        CHECK(!is_done(&w));
        sem_post(&h.go);
        CHECK_INT(wait_for_ticket(&w, 1), ERR_NONE);
        CHECK_INT(rig_select("SELECT count(*) FROM process WHERE exitcode = 4"), 1);
        rig_end(&r);
}

TEST(an_interrupted_epoll_does_not_count_as_having_seen_everything)
{
        struct rig_gate gate;
        struct hold h;
        struct rig r;
        struct wait w;
        sem_t seen;
        int64_t id;

        rig_begin(&r);
        hold_init(&h);
        sem_init(&seen, 0, 0);
        id = rig_start(&r, "read x; exit 3");
        rig_gate_shut(r.registry->store, &gate);
        seam_before("epoll_wait", hold, &h);
        reaper_wake(r.registry);
        wait_sem(&h.entered);
        rig_release(&r, id);
        rig_await_death(&r, id);
        wait_init(&w);
        CHECK_INT(registry_settle(r.registry, &w.ticket), 1);
        seam_fail("epoll_wait", 1, EINTR);
        seam_after("waitid_look", post, &seen);
        sem_post(&h.go);
        wait_sem(&seen); /* the call after the one that was interrupted has seen it */
        CHECK(!is_done(&w));
        rig_gate_open(&gate);
        CHECK_INT(wait_for_ticket(&w, 1), ERR_NONE);
        CHECK_INT(rig_select("SELECT exitcode FROM process"), 3);
        rig_end(&r);
}

int main(int argc, char **argv)
{
        return !strcmp(argv[0], FORKSERVER_NAME) ? forkserver_main(argc, argv)
                                                 : test_run("settle", argc, argv);
}
