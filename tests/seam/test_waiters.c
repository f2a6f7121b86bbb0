/* SPDX-License-Identifier: MIT */
/* tests/seam/test_waiters.c: joins; waits for what has not begun; giving up. */
#include "http/codec.h"
#include "rig.h"

static int join(struct rig *r, int64_t id, int64_t timeout_us, struct wait *w)
{
        wait_init(w);
        return registry_join(r->registry, &rig_operator, id, timeout_us, &w->ticket);
}

TEST(a_join_ends_with_the_process_and_again_at_once)
{
        struct rig r;
        struct wait w;
        int64_t id;

        rig_begin(&r);
        id = rig_start(&r, "read x; exit 3");
        CHECK_INT(join(&r, id, 0, &w), 0);
        wait_for_ticket(&w, 0);
        CHECK(!w.ticket.ended);
        CHECK_INT(join(&r, id, 1000, &w), 1);
        CHECK_INT(wait_for_ticket(&w, 1), ERR_NONE);
        CHECK(!w.ticket.ended);
        CHECK_INT(join(&r, id, -1, &w), 1);
        rig_release(&r, id);
        CHECK_INT(wait_for_ticket(&w, 1), ERR_NONE);
        CHECK(w.ticket.ended);
        CHECK_INT(rig_select("SELECT joined_at = stopped_at FROM process"), 1);
        CHECK_INT(wait_for_ticket(&w, join(&r, id, -1, &w)), ERR_NONE);
        CHECK(w.ticket.ended);
        rig_end(&r);
}

TEST(a_poll_sees_a_death_that_is_not_recorded_yet)
{
        struct rig_gate gate;
        struct rig r;
        struct wait w;
        int64_t id;

        rig_begin(&r);
        id = rig_start(&r, "read x; exit 3");
        rig_gate_shut(r.registry->store, &gate);
        rig_release(&r, id);
        rig_await_death(&r, id);
        CHECK_INT(join(&r, id, 0, &w), 1);
        rig_gate_open(&gate);
        CHECK_INT(wait_for_ticket(&w, 1), ERR_NONE);
        CHECK(w.ticket.ended);
        rig_end(&r);
}

TEST(joining_what_has_ended_already_records_that_it_was_joined)
{
        struct rig r;
        struct wait w;
        int64_t id;

        rig_begin(&r);
        id = rig_start(&r, "read x");
        wait_init(&w);
        CHECK_INT(registry_wait(r.registry, &rig_operator, id, -1, &w.ticket), 1);
        rig_release(&r, id);
        CHECK_INT(wait_for_ticket(&w, 1), ERR_NONE);
        CHECK_INT(rig_select("SELECT count(*) FROM process WHERE joined_at IS NULL AND state = 'stopped'"),
                  1);
        CHECK_INT(wait_for_ticket(&w, join(&r, id, -1, &w)), ERR_NONE);
        CHECK_INT(rig_select("SELECT count(*) FROM process WHERE joined_at IS NULL"), 0);
        rig_end(&r);
}

static void write_record(const struct process *p, void *arg)
{
        codec_process(arg, p, p->log_bytes);
}

/* What @w has waited for is shown without a look at the database, and yet as the row says it. */
static void check_shown(struct rig *r, struct wait *w, int64_t id, bool kept)
{
        CLEANUP(strbuf_done) struct strbuf waited = {0};
        CLEANUP(strbuf_done) struct strbuf row = {0};
        struct err e = {0};

        CHECK_INT(w->ticket.one.seen != NULL, kept);
        CHECK_INT(registry_show_waited(r->registry, &rig_operator, &w->ticket, 0, id, write_record, &waited,
                                       &e),
                  0);
        CHECK_INT(registry_show(r->registry, &rig_operator, id, write_record, &row, &e), 0);
        CHECK_STR(strbuf_text(&waited), strbuf_text(&row));
        ticket_done(&w->ticket);
}

static enum err_kind wait_and_keep(struct wait *w, int rc)
{
        w->keeps = true;
        return wait_for_ticket(w, rc);
}

TEST(what_was_waited_for_is_shown_as_its_row_says_it)
{
        static const char *const scripts[] = {"read x; exit 3", "read x; kill -9 $$", "read x; seq 100000"};
        struct rig r;
        struct wait w;
        int64_t id;

        rig_begin(&r);
        for (int i = 0; i < 3; i++) {
                id = rig_start(&r, scripts[i]);
                wait_init(&w);
                CHECK_INT(registry_wait(r.registry, &rig_operator, id, -1, &w.ticket), 1);
                rig_release(&r, id);
                CHECK_INT(wait_and_keep(&w, 1), ERR_NONE);
                check_shown(&r, &w, id, true);
                CHECK_INT(wait_for_ticket(&w, join(&r, id, -1, &w)), ERR_NONE);
                check_shown(&r, &w, id, false); /* when it was joined stands in the row alone */
                CHECK_INT(join(&r, id, -1, &w), 0);
                check_shown(&r, &w, id, true);
        }
        rig_end(&r);
}

TEST(what_was_joined_in_time_is_shown_as_its_row_says_it)
{
        struct rig r;
        struct wait w;
        int64_t id;

        rig_begin(&r);
        id = rig_start(&r, "read x");
        CHECK_INT(join(&r, id, -1, &w), 1);
        rig_release(&r, id);
        CHECK_INT(wait_and_keep(&w, 1), ERR_NONE);
        check_shown(&r, &w, id, true);
        rig_end(&r);
}

static bool end_is_submitted(struct rig *r, int64_t id)
{
        const struct child *c;
        bool yes;

        pthread_mutex_lock(&r->registry->lock);
        c = table_find(r->registry, id);
        yes = !c || c->end; /* or it is written */
        pthread_mutex_unlock(&r->registry->lock);
        return yes;
}

TEST(what_was_joined_while_its_end_was_written_is_shown_as_its_row_says_it)
{
        struct rig_gate gate;
        struct rig r;
        struct wait w;
        int64_t id;

        rig_begin(&r);
        id = rig_start(&r, "read x");
        rig_gate_shut(r.registry->store, &gate);
        rig_release(&r, id);
        while (!end_is_submitted(&r, id))
                sched_yield();
        CHECK_INT(join(&r, id, -1, &w), 1);
        rig_gate_open(&gate);
        CHECK_INT(wait_and_keep(&w, 1), ERR_NONE);
        check_shown(&r, &w, id, true);
        rig_end(&r);
}

TEST(only_a_parent_joins_and_only_what_was_started)
{
        struct caller child = {.process = 1, .subtree = "1/", .scopes = SCOPE_ALL};
        struct rig r;
        struct wait w;
        int64_t id, created;

        rig_begin(&r);
        id = rig_start(&r, "read x");
        created = rig_create(&r, "true");
        wait_init(&w);
        CHECK_INT(registry_join(r.registry, &child, id, -1, &w.ticket), -1);
        CHECK_INT(w.ticket.err.kind, ERR_NOT_PARENT);
        CHECK_STR(w.ticket.err.msg, "can only join a child process");
        CHECK_INT(registry_join(r.registry, &child, created, -1, &w.ticket), -1);
        CHECK_INT(w.ticket.err.kind, ERR_NOT_FOUND);
        CHECK_INT(join(&r, created, -1, &w), -1);
        CHECK_INT(w.ticket.err.kind, ERR_NOT_STARTED);
        CHECK_STR(w.ticket.err.msg, "can only join a started process");
        CHECK_INT(join(&r, 99, -1, &w), -1);
        CHECK_INT(w.ticket.err.kind, ERR_NOT_FOUND);
        rig_end(&r);
}

TEST(who_waits_for_a_created_process_waits_through_its_start_to_its_end)
{
        struct rig r;
        struct wait w[3];
        int64_t id;

        rig_begin(&r);
        id = rig_create(&r, "read x; exit 6");
        for (int i = 0; i < 3; i++) {
                wait_init(&w[i]);
                CHECK_INT(registry_wait(r.registry, &rig_operator, id, -1, &w[i].ticket), 1);
        }
        CHECK(registry_cancel(r.registry, &w[1].ticket));
        CHECK_INT(rig_start_created(&r, id, "read x; exit 6"), ERR_NONE);
        rig_flush(&r);
        CHECK(!is_done(&w[0]));
        rig_release(&r, id);
        CHECK_INT(wait_for_ticket(&w[0], 1), ERR_NONE);
        CHECK_INT(wait_for_ticket(&w[2], 1), ERR_NONE);
        CHECK(w[0].ticket.ended && w[2].ticket.ended);
        CHECK(!is_done(&w[1]));
        rig_end(&r);
}

TEST(who_waits_for_a_created_process_is_told_when_it_is_closed)
{
        struct rig r;
        struct wait w, c;
        int64_t id;

        rig_begin(&r);
        id = rig_create(&r, "true");
        wait_init(&w);
        wait_init(&c);
        CHECK_INT(registry_wait(r.registry, &rig_operator, id, -1, &w.ticket), 1);
        CHECK_INT(wait_for_ticket(&c, registry_close(r.registry, &rig_operator, id, &c.ticket)), ERR_NONE);
        CHECK_INT(wait_for_ticket(&w, 1), ERR_NONE);
        CHECK(w.ticket.ended);
        rig_end(&r);
}

static size_t in_table(struct rig *r)
{
        size_t n;

        pthread_mutex_lock(&r->registry->lock);
        n = r->registry->all_n;
        pthread_mutex_unlock(&r->registry->lock);
        return n;
}

TEST(a_created_process_that_nobody_waits_for_any_more_leaves_no_trace)
{
        struct rig r;
        struct wait w;
        int64_t id;

        rig_begin(&r);
        id = rig_create(&r, "true");
        wait_init(&w);
        CHECK_INT(registry_wait(r.registry, &rig_operator, id, 1000, &w.ticket), 1);
        CHECK_INT(wait_for_ticket(&w, 1), ERR_NONE);
        CHECK(!w.ticket.ended);
        CHECK_INT(in_table(&r), 0);
        rig_end(&r);
}

/* A wait that is begun on the writer's thread right after a commit, before the registry hears of it. */
struct glimpse {
        struct store_job job;
        struct rig *rig;
        struct wait wait, many;
        int64_t id;
        int rc, many_rc;
        enum err_kind signalled;
};

static int glimpse_run(struct store_job *job, struct db *db, struct err *e)
{
        (void)job;
        (void)db;
        (void)e;
        return 0;
}

static void glimpse_done(struct store_job *job, const struct err *e)
{
        struct glimpse *g = container_of(job, struct glimpse, job);

        (void)e;
        g->rc = registry_wait(g->rig->registry, &rig_operator, g->id, -1, &g->wait.ticket);
        g->many_rc =
                registry_join_many(g->rig->registry, &rig_operator, &g->id, 1, true, -1, &g->many.ticket);
}

TEST(a_process_whose_start_is_just_committed_is_not_taken_for_one_that_has_ended)
{
        struct rig_gate gate;
        struct glimpse g = {.job = {.run = glimpse_run, .done = glimpse_done}};
        struct rig r;
        struct wait start;

        rig_begin(&r);
        g.rig = &r;
        g.id = rig_create(&r, "read x");
        wait_init(&g.wait);
        wait_init(&g.many);
        wait_init(&start);
        rig_gate_shut(r.registry->store, &gate);
        store_submit(r.registry->store, &g.job); /* in one transaction with the claim, and before it */
        CHECK_INT(registry_start(r.registry, &rig_operator, g.id, rig_spec("read x"), &start.ticket), 1);
        rig_gate_open(&gate);
        CHECK_INT(wait_for_ticket(&start, 1), ERR_NONE);
        CHECK_INT(g.rc, 1);
        CHECK_INT(g.many_rc, 1);
        rig_release(&r, g.id);
        CHECK_INT(wait_for_ticket(&g.wait, 1), ERR_NONE);
        CHECK_INT(wait_for_ticket(&g.many, 1), ERR_NONE);
        ticket_done(&g.many.ticket);
        rig_end(&r);
}

static void post(const struct seam_call *call, void *arg)
{
        (void)call;
        sem_post(arg);
}

TEST(a_join_that_comes_while_the_exit_is_on_its_way_to_the_disk_counts_as_one)
{
        struct rig_gate gate;
        struct rig r;
        struct wait w, many;
        sem_t seen;
        int64_t ids[3];

        rig_begin(&r);
        sem_init(&seen, 0, 0);
        for (int i = 0; i < 3; i++)
                ids[i] = rig_start(&r, "read x; exit 3");
        rig_gate_shut(r.registry->store, &gate);
        seam_after("waitid_look", post, &seen);
        for (int i = 0; i < 3; i++) { /* when the reaper looks at the last, it is through with the others */
                rig_release(&r, ids[i]);
                wait_sem(&seen);
        }
        CHECK_INT(join(&r, ids[0], -1, &w), 1);
        CHECK_INT(join_many(&r, &ids[1], 1, false, -1, &many), 1);
        rig_gate_open(&gate);
        CHECK_INT(wait_for_ticket(&w, 1), ERR_NONE);
        CHECK_INT(wait_for_ticket(&many, 1), ERR_NONE);
        ticket_done(&many.ticket);
        CHECK_INT(rig_select("SELECT count(*) FROM process WHERE joined_at IS NOT NULL AND exitcode = 3"), 2);
        rig_end(&r);
}

TEST(a_join_that_is_there_when_the_end_is_written_needs_no_commit_of_its_own)
{
        struct rig_gate gate;
        struct rig r;
        struct wait w;
        sem_t seen;
        int64_t id;
        int commits;

        rig_begin(&r);
        sem_init(&seen, 0, 0);
        id = rig_start(&r, "read x; exit 3");
        rig_gate_shut(r.registry->store, &gate);
        seam_after("waitid_look", post, &seen);
        rig_release(&r, id);
        wait_sem(&seen);
        CHECK_INT(join(&r, id, -1, &w), 1);
        commits = seam_count("commit");
        rig_gate_open(&gate);
        CHECK_INT(wait_for_ticket(&w, 1), ERR_NONE);
        CHECK_INT(rig_select("SELECT joined_at = stopped_at FROM process"), 1);
        CHECK_INT(seam_count("commit"), commits + 1);
        rig_end(&r);
}

static bool end_is_patient(struct rig *r, int64_t id)
{
        bool yes;

        while (!end_is_submitted(r, id))
                sched_yield();
        pthread_mutex_lock(&r->registry->lock);
        yes = table_find(r->registry, id)->ended.patient;
        pthread_mutex_unlock(&r->registry->lock);
        return yes;
}

TEST(an_end_lets_a_join_come_first_if_nobody_waits_for_it_yet)
{
        struct rig_gate gate;
        struct rig r;
        struct wait w;
        int64_t ids[2];

        rig_begin(&r);
        rig_start_readers(&r, ids, 2);
        CHECK_INT(join(&r, ids[1], -1, &w), 1);
        rig_gate_shut(r.registry->store, &gate);
        for (int i = 0; i < 2; i++) {
                rig_release(&r, ids[i]);
                CHECK_INT(end_is_patient(&r, ids[i]), i == 0);
        }
        rig_gate_open(&gate);
        CHECK_INT(wait_for_ticket(&w, 1), ERR_NONE);
        rig_end(&r);
}

TEST(who_waits_for_an_end_that_is_patient_waits_for_its_commit_alone)
{
        int64_t least_us = INT64_MAX;
        struct rig r;

        rig_begin(&r);
        for (int i = 0; i < 50; i++) {
                struct wait w;
                int64_t id = rig_start(&r, "read x"), began_us;

                usleep(10000); /* its start is written: nothing else is on its way */
                rig_release(&r, id);
                while (!end_is_submitted(&r, id))
                        sched_yield();
                began_us = clock_mono_us();
                CHECK_INT(wait_for_ticket(&w, join(&r, id, -1, &w)), ERR_NONE);
                began_us = clock_mono_us() - began_us;
                least_us = began_us < least_us ? began_us : least_us;
        }
        CHECK(least_us < 2000);
        rig_end(&r);
}

TEST(a_wait_that_was_cancelled_is_never_done_and_one_that_was_not_is_done_once)
{
        enum { ROUNDS = 25, N = 60 };
        static struct wait waits[N];
        struct rig r;
        int cancelled = 0;

        rig_begin(&r);
        for (int round = 0; round < ROUNDS; round++) {
                int64_t id = rig_start(&r, "read x");
                bool was[N];

                for (int i = 0; i < N; i++) {
                        wait_init(&waits[i]);
                        CHECK_INT(registry_wait(r.registry, &rig_operator, id, i % 3 ? -1 : 500 + 50 * i,
                                                &waits[i].ticket),
                                  1);
                }
                rig_release(&r, id);
                for (int i = 0; i < N; i++) {
                        was[i] = registry_cancel(r.registry, &waits[i].ticket);
                        cancelled += was[i];
                        if (i == round * 2)
                                rig_await_death(&r, id);
                }
                rig_join(&r, id);
                for (int i = 0; i < N; i++) {
                        if (!was[i])
                                CHECK_INT(wait_for_ticket(&waits[i], 1), ERR_NONE);
                        CHECK_INT(waits[i].done_n, !was[i]);
                }
        }
        CHECK(cancelled > 0);
        rig_end(&r);
}

TEST(all_who_wait_are_told_when_the_server_stops)
{
        struct rig r;
        struct wait one, many, created;
        int64_t ids[2];

        rig_begin(&r);
        rig_start_readers(&r, ids, 2);
        CHECK_INT(join(&r, ids[0], -1, &one), 1);
        CHECK_INT(join_many(&r, ids, 2, false, 60000000, &many), 1);
        wait_init(&created);
        CHECK_INT(registry_wait(r.registry, &rig_operator, rig_create(&r, "true"), -1, &created.ticket), 1);
        registry_release_waiters(r.registry);
        CHECK_INT(wait_for_ticket(&one, 1), ERR_STOPPING);
        CHECK_INT(wait_for_ticket(&many, 1), ERR_STOPPING);
        CHECK_INT(wait_for_ticket(&created, 1), ERR_STOPPING);
        CHECK_INT(join(&r, ids[0], -1, &one), -1);
        CHECK_INT(one.ticket.err.kind, ERR_STOPPING);
        ticket_done(&many.ticket);
        rig_end(&r);
}

TEST(nothing_is_started_any_more_when_the_server_stops)
{
        struct rig r;
        struct wait w;

        rig_begin(&r);
        registry_stop(r.registry);
        wait_init(&w);
        CHECK_INT(registry_create(r.registry, &rig_operator, rig_spec("true"), NULL, NULL, &w.ticket), -1);
        CHECK_INT(w.ticket.err.kind, ERR_STOPPING);
        rig_end(&r);
}

TEST(closing_a_process_that_is_dead_and_not_recorded_yet_works)
{
        struct rig_gate gate;
        struct rig r;
        struct wait w;
        int64_t id;

        rig_begin(&r);
        id = rig_start(&r, "read x");
        wait_init(&w);
        CHECK_INT(wait_for_ticket(&w, registry_close(r.registry, &rig_operator, id, &w.ticket)),
                  ERR_STILL_RUNNING);
        rig_gate_shut(r.registry->store, &gate);
        rig_release(&r, id);
        rig_await_death(&r, id);
        wait_init(&w);
        CHECK_INT(registry_close(r.registry, &rig_operator, id, &w.ticket), 1);
        rig_gate_open(&gate);
        CHECK_INT(wait_for_ticket(&w, 1), ERR_NONE);
        CHECK_INT(rig_select("SELECT count(*) FROM process WHERE state = 'closed' AND exitcode = 1"), 1);
        rig_end(&r);
}

int main(int argc, char **argv)
{
        return !strcmp(argv[0], FORKSERVER_NAME) ? forkserver_main(argc, argv)
                                                 : test_run("waiters", argc, argv);
}
