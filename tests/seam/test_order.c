/* SPDX-License-Identifier: MIT */
/* tests/seam/test_order.c: what comes before what, and what is left when a system call fails. */
#include "rig.h"

#include <sys/socket.h>

#include "base/procfs.h"

/* What a hook saw in the database. */
struct sight {
        const char *sql;
        int64_t seen;
        int n;
        sem_t called;
};

static void look(const struct seam_call *call, void *arg)
{
        struct sight *s = arg;

        (void)call;
        s->seen = rig_select(s->sql);
        s->n++;
        sem_post(&s->called);
}

static struct sight sight_of(const char *sql)
{
        struct sight s = {.sql = sql, .seen = INT64_MIN};

        sem_init(&s.called, 0, 0);
        return s;
}

static void post(const struct seam_call *call, void *arg)
{
        (void)call;
        sem_post(arg);
}

/* Terminates @id; whether the signal was delivered. */
static bool terminate(struct rig *r, int64_t id, int signo)
{
        struct wait w;

        wait_init(&w);
        CHECK_INT(wait_for_ticket(&w, registry_signal(r->registry, &rig_operator, id, signo, "terminate",
                                                      false, &w.ticket)),
                  ERR_NONE);
        return w.ticket.delivered;
}

TEST(terminate_records_who_asked_before_it_signals)
{
        struct rig r;
        int64_t id;

        rig_begin(&r);
        id = rig_start(&r, "read x");
        seam_watch("commit pidfd_send_signal");
        seam_fail("pidfd_send_signal", 1, ESRCH);
        CHECK(!terminate(&r, id, SIGTERM));
        CHECK_STR(seam_log(), "commit pidfd_send_signal");
        rig_end(&r);
}

/* What holds the writer up. */
struct hold {
        sem_t held, go_on;
};

static void hold(const struct seam_call *call, void *arg)
{
        struct hold *h = arg;

        (void)call;
        sem_post(&h->held);
        wait_sem(&h->go_on);
}

TEST(a_writer_that_stands_still_gives_no_sign_of_life)
{
        atomic_bool answered = false;
        struct hold h;
        struct wait w;
        struct rig r;

        rig_begin(&r);
        sem_init(&h.held, 0, 0);
        sem_init(&h.go_on, 0, 0);
        wait_init(&w);
        seam_before("commit", hold, &h);
        CHECK_INT(registry_create(r.registry, &rig_operator, rig_spec("read x"), NULL, NULL, &w.ticket), 1);
        wait_sem(&h.held);
        CHECK_INT(registry_probe(r.registry, &answered), 0);
        CHECK(!answered);
        seam_before("commit", NULL, NULL);
        sem_post(&h.go_on);
        CHECK_INT(wait_for_ticket(&w, 1), ERR_NONE);
        rig_flush(&r);
        CHECK(answered);
        rig_end(&r);
}

TEST(who_asked_can_be_read_by_all_when_the_signal_goes_out)
{
        struct sight s = sight_of("SELECT requested_by = 'terminate by uid 0' FROM process");
        struct rig r;
        int64_t id;

        rig_begin(&r);
        id = rig_start(&r, "read x");
        seam_before("pidfd_send_signal", look, &s);
        CHECK(terminate(&r, id, SIGTERM));
        CHECK_INT(s.seen, 1);
        rig_join(&r, id);
        CHECK_INT(rig_select("SELECT exitcode FROM process"), -SIGTERM);
        CHECK_INT(rig_select("SELECT requested_by = 'terminate by uid 0' FROM process"), 1);
        rig_end(&r);
}

TEST(a_signal_that_asks_for_no_end_waits_for_no_commit)
{
        struct rig_gate gate;
        struct rig r;
        int64_t id;

        rig_begin(&r);
        id = rig_start(&r, "read x");
        rig_gate_shut(r.registry->store, &gate);
        seam_watch("commit pidfd_send_signal");
        CHECK(terminate(&r, id, SIGCONT));
        CHECK_STR(seam_log(), "pidfd_send_signal");
        rig_gate_open(&gate);
        rig_end(&r);
}

TEST(a_signal_to_a_process_that_is_gone_is_not_delivered_and_no_error)
{
        struct rig r;
        int64_t id;

        rig_begin(&r);
        id = rig_start(&r, "read x");
        seam_fail("pidfd_send_signal", 0, ESRCH);
        CHECK(!terminate(&r, id, SIGCONT));
        CHECK(!terminate(&r, id, SIGKILL));
        seam_reset();
        rig_release(&r, id);
        rig_join(&r, id);
        CHECK(!terminate(&r, id, SIGKILL));
        rig_end(&r);
}

TEST(nothing_runs_before_its_row_is_durable)
{
        struct sight s = sight_of("SELECT count(*) FROM process WHERE state = 'starting'");
        struct rig r;

        rig_begin(&r);
        seam_watch("commit clone3");
        seam_before("clone3", look, &s);
        rig_start(&r, "read x");
        CHECK_INT(s.seen, 1);
        assert_memory_equal(seam_log(), "commit clone3", 13);
        rig_end(&r);
}

TEST(nobody_reaps_before_the_exit_code_is_durable)
{
        struct sight s = sight_of("SELECT exitcode FROM process WHERE state = 'stopped'");
        struct rig r;
        int64_t id;

        rig_begin(&r);
        id = rig_start(&r, "read x; exit 7");
        seam_watch("waitid_look commit waitid_reap");
        seam_before("waitid_reap", look, &s);
        rig_release(&r, id);
        wait_sem(&s.called);
        CHECK_INT(s.seen, 7);
        CHECK_STR(seam_log(), "waitid_look commit waitid_reap");
        rig_end(&r);
}

struct shut {
        struct rig *rig;
        struct rig_gate gate;
};

static void shut(const struct seam_call *call, void *arg)
{
        struct shut *s = arg;

        (void)call;
        rig_gate_shut(s->rig->registry->store, &s->gate);
}

static bool end_is_known(struct rig *r, int64_t id)
{
        struct registry *registry = r->registry;
        bool known;

        pthread_mutex_lock(&registry->lock);
        known = table_find(registry, id)->end;
        pthread_mutex_unlock(&registry->lock);
        return known;
}

TEST(a_process_that_ends_before_its_start_is_written_is_written_once_and_tells_both)
{
        struct rig r;
        struct wait w;
        struct shut s = {.rig = &r};

        rig_begin(&r);
        wait_init(&w);
        seam_before("clone3", shut, &s);
        CHECK_INT(wait_for_ticket(&w, registry_create(r.registry, &rig_operator, rig_spec("exit 3"), NULL,
                                                      NULL, &w.ticket)),
                  ERR_NONE);
        while (!end_is_known(&r, w.ticket.id))
                usleep(1000);
        CHECK(journal_find(r.registry->journal, w.ticket.id));
        rig_gate_open(&s.gate);
        rig_join(&r, w.ticket.id);
        CHECK_INT(rig_select("SELECT count(*) FROM process WHERE state = 'stopped' AND exitcode = 3 AND "
                             "started_at BETWEEN created_at AND stopped_at AND pid IS NOT NULL"),
                  1);
        CHECK_INT(rig_select("SELECT group_concat(type) = 'starting,started,stopped' FROM event"), 1);
        CHECK_INT(rig_select("SELECT count(*) FROM event WHERE type <> 'stopped' AND exitcode IS NOT NULL"),
                  0);
        CHECK_INT(rig_select("SELECT sum(n) FROM tally WHERE state IN ('starting', 'started')"), 0);
        rig_end(&r);
}

TEST(nobody_is_told_an_exit_code_before_it_is_durable)
{
        struct rig r;
        struct wait w;
        struct rig_gate gate;
        sem_t seen;
        int64_t id;

        rig_begin(&r);
        sem_init(&seen, 0, 0);
        id = rig_start(&r, "read x; exit 7");
        wait_init(&w);
        CHECK_INT(registry_join(r.registry, &rig_operator, id, -1, &w.ticket), 1);
        rig_gate_shut(r.registry->store, &gate);
        seam_after("waitid_look", post, &seen);
        rig_release(&r, id);
        wait_sem(&seen);
        CHECK_INT(sem_trywait(&w.done), -1);
        CHECK_INT(rig_select("SELECT count(*) FROM process WHERE state = 'started'"), 1);
        rig_gate_open(&gate);
        CHECK_INT(wait_for_ticket(&w, 1), ERR_NONE);
        CHECK_INT(rig_select("SELECT exitcode FROM process"), 7);
        CHECK_INT(rig_select("SELECT joined_at = stopped_at FROM process"), 1);
        rig_end(&r);
}

TEST(an_exec_failure_is_recorded_before_its_zombie_is_reaped_and_its_errno_is_told)
{
        struct sight s =
                sight_of("SELECT count(*) FROM process WHERE state = 'failed' AND exit_errno = 'ENOENT' "
                         "AND exit_stage = 'exec' AND exit_reason = 'exec_failed' AND exitcode IS NULL");
        struct spec *spec = rig_spec("");
        struct rig r;
        struct wait w;

        rig_begin(&r);
        free(spec->argv[0]);
        spec->argv[0] = strdup("/no/such/program");
        wait_init(&w);
        seam_watch("commit clone3 waitid_reap");
        seam_before("waitid_reap", look, &s);
        CHECK_INT(
                wait_for_ticket(&w, registry_create(r.registry, &rig_operator, spec, NULL, NULL, &w.ticket)),
                ERR_EXEC_FAILED);
        CHECK_INT(w.ticket.err.errnum, ENOENT);
        CHECK_INT(w.ticket.id, 1);
        wait_sem(&s.called);
        CHECK_INT(s.seen, 1);
        CHECK_STR(seam_log(), "commit clone3 commit waitid_reap");
        rig_end(&r);
}

TEST(a_slot_of_the_journal_is_free_when_its_start_is_recorded)
{
        struct rig r;
        int64_t id;

        rig_begin(&r);
        id = rig_start(&r, "read x");
        CHECK_INT(rig_select("SELECT count(*) FROM process WHERE state = 'started' AND pid IS NOT NULL"), 1);
        CHECK_NULL(journal_find(r.registry->journal, id));
        rig_end(&r);
}

TEST(an_exit_status_that_somebody_else_took_is_lost_and_not_made_up)
{
        struct rig r;
        int64_t id;

        rig_begin(&r);
        id = rig_start(&r, "read x; exit 7");
        seam_fail("waitid_look", 1, ECHILD);
        rig_release(&r, id);
        rig_join(&r, id);
        CHECK_INT(rig_select("SELECT count(*) FROM process WHERE state = 'lost' AND exitcode IS NULL "
                             "AND exit_detail IS NOT NULL"),
                  1);
        rig_end(&r);
}

TEST(a_look_at_a_zombie_that_fails_for_a_while_loses_nothing)
{
        struct rig r;
        int64_t id;

        rig_begin(&r);
        id = rig_start(&r, "read x; exit 7");
        seam_fail("waitid_look", 1, EINTR);
        rig_release(&r, id);
        rig_join(&r, id);
        CHECK_INT(rig_select("SELECT exitcode FROM process"), 7);
        CHECK_INT(seam_count("waitid_look"), 2);
        rig_end(&r);
}

TEST(an_epoll_that_is_interrupted_loses_nothing)
{
        struct rig r;
        int64_t id;

        rig_begin(&r);
        id = rig_start(&r, "read x; exit 7");
        seam_fail("epoll_wait", 1, EINTR);
        rig_release(&r, id);
        rig_join(&r, id);
        CHECK_INT(rig_select("SELECT exitcode FROM process"), 7);
        rig_end(&r);
}

TEST(a_registry_without_epoll_does_not_open)
{
        struct rig r;
        struct err e;

        rig_prepare(&r);
        seam_fail("epoll_ctl", 1, ENOSPC);
        CHECK_FAILS(registry_open(&r.config, &r.registry, &e), ERR_INTERNAL);
        CHECK_NULL(r.registry);
        e = (struct err){0};
        MUST(registry_open(&r.config, &r.registry, &e));
        rig_end(&r);
}

TEST(a_forkserver_without_a_pidfd_still_serves_and_its_children_are_recorded)
{
        struct spec *spec = rig_spec("read x; exit 3");
        struct rig r;
        struct wait w;

        rig_begin(&r);
        spec->start_method = START_FORKSERVER;
        wait_init(&w);
        seam_fail("pidfd_open", 1, EMFILE);
        CHECK_INT(
                wait_for_ticket(&w, registry_create(r.registry, &rig_operator, spec, NULL, NULL, &w.ticket)),
                ERR_NONE);
        rig_release(&r, w.ticket.id);
        rig_join(&r, w.ticket.id);
        CHECK_INT(rig_select("SELECT exitcode FROM process"), 3);
        rig_end(&r);
}

TEST(a_child_of_the_forkserver_is_recorded_as_any_other)
{
        struct rig r;
        struct wait w;

        rig_begin(&r);
        for (int i = 0; i < 5; i++) {
                struct spec *spec = rig_spec("read x; exit 9");

                spec->start_method = START_FORKSERVER;
                wait_init(&w);
                CHECK_INT(wait_for_ticket(&w, registry_create(r.registry, &rig_operator, spec, NULL, NULL,
                                                              &w.ticket)),
                          ERR_NONE);
                rig_release(&r, w.ticket.id);
                rig_join(&r, w.ticket.id);
        }
        CHECK_INT(rig_select("SELECT count(*) FROM process WHERE exitcode = 9 AND user_us IS NOT NULL"), 5);
        rig_end(&r);
}

TEST(an_end_of_file_is_told_to_creche_init_before_it_is_acknowledged)
{
        struct err e = {0};
        struct zombie_msg msg;
        struct rig r;
        int64_t id;
        int pair[2];

        MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair));
        rig_prepare(&r);
        r.config.init_fd = pair[0];
        CHECK_INT(send(pair[1], &(struct zombie_msg){.op = ZOMBIE_HELLO}, sizeof(msg), 0), sizeof(msg));
        MUST(registry_open(&r.config, &r.registry, &e));
        CHECK_INT(recv(pair[1], &msg, sizeof(msg), 0), sizeof(msg));
        CHECK_INT(msg.op, ZOMBIE_HELLO);
        id = rig_start(&r, "read x");
        CHECK_INT(recv(pair[1], &msg, sizeof(msg), 0), sizeof(msg));
        CHECK_INT(msg.op, ZOMBIE_KEEP);
        /* Nothing but the socket itself may stand between the two: here the outbox is never emptied. */
        pthread_mutex_lock(&r.registry->lock);
        r.registry->init.full = true;
        pthread_mutex_unlock(&r.registry->lock);
        MUST(registry_stdin_close(r.registry, &rig_operator, id, &e));
        CHECK_INT(recv(pair[1], &msg, sizeof(msg), 0), sizeof(msg));
        CHECK_INT(msg.op, ZOMBIE_DROP);
        CHECK_INT(msg.id, id);
        rig_join(&r, id);
        rig_end(&r);
        close(pair[1]);
}

int main(int argc, char **argv)
{
        return !strcmp(argv[0], FORKSERVER_NAME) ? forkserver_main(argc, argv)
                                                 : test_run("order", argc, argv);
}
