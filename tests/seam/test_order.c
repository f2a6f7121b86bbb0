/* SPDX-License-Identifier: MIT */
/* tests/seam/test_order.c: what comes before what, and what is left when a system call fails. */
#include "rig.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

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

/* Tries to start a process, which the kernel refuses; nothing may be left of it. */
static void check_start_refused(struct rig *r, enum start_method m, enum err_kind kind)
{
        struct spec *spec = rig_spec("read x");
        struct wait w;

        spec->start_method = m;
        wait_init(&w);
        CHECK_INT(
                wait_for_ticket(&w, registry_create(r->registry, &rig_operator, spec, NULL, NULL, &w.ticket)),
                kind);
        CHECK_INT(rig_select("SELECT count(*) FROM process"), 0);
        CHECK_INT(rig_select("SELECT ifnull(sum(n), 0) FROM tally"), 0);
        CHECK_INT(registry_active(r->registry, NULL, 0), 0);
        for (int64_t id = 1; id < 10; id++)
                CHECK_NULL(journal_find(r->registry->journal, id));
}

TEST(a_start_that_the_kernel_has_no_room_for_leaves_nothing_behind)
{
        static const int errnos[] = {EAGAIN, ENOMEM, EMFILE, ENFILE};
        struct rig r;

        rig_begin(&r);
        for (size_t i = 0; i < sizeof(errnos) / sizeof(errnos[0]); i++) {
                seam_fail("clone3", 1, errnos[i]);
                check_start_refused(&r, START_SPAWN, ERR_TRY_AGAIN);
                seam_fail("clone3", 1, errnos[i]);
                check_start_refused(&r, START_FORK, ERR_TRY_AGAIN);
        }
        rig_start(&r, "read x");
        rig_end(&r);
}

TEST(a_start_that_the_kernel_forbids_is_our_error_and_leaves_nothing_behind)
{
        struct rig r;

        rig_begin(&r);
        seam_fail("clone3", 1, EPERM);
        check_start_refused(&r, START_SPAWN, ERR_INTERNAL);
        rig_start(&r, "read x");
        rig_end(&r);
}

TEST(a_created_process_that_could_not_be_started_stays_created_and_can_be_started_later)
{
        struct rig r;
        enum process_state state;
        char *request = NULL;
        struct err e = {0};
        int64_t id;

        rig_begin(&r);
        id = rig_create(&r, "read x; exit 4");
        seam_fail("clone3", 1, EAGAIN);
        CHECK_INT(rig_start_created(&r, id, "read x; exit 4"), ERR_TRY_AGAIN);
        CHECK_INT(store_request(r.registry->store, id, &state, &request, &e), 0);
        CHECK_INT(state, PROCESS_INITIAL);
        CHECK_STR(request, "{}");
        free(request);
        CHECK_INT(rig_start_created(&r, id, "read x; exit 4"), ERR_NONE);
        CHECK_INT(rig_start_created(&r, id, "read x; exit 4"), ERR_ALREADY_STARTED);
        rig_release(&r, id);
        rig_join(&r, id);
        CHECK_INT(rig_select("SELECT exitcode FROM process"), 4);
        rig_end(&r);
}

static enum err_kind create_with_key(struct rig *r, const char *key, int64_t *id, bool *replayed)
{
        struct idempotency idem = {.key = key};
        struct wait w;
        enum err_kind kind;

        wait_init(&w);
        kind = wait_for_ticket(
                &w, registry_create(r->registry, &rig_operator, rig_spec("read x"), NULL, &idem, &w.ticket));
        *id = w.ticket.id;
        *replayed = w.ticket.replayed;
        return kind;
}

TEST(a_key_whose_start_had_no_room_starts_one_process_when_it_is_repeated)
{
        struct rig r;
        bool replayed;
        int64_t id, again;

        rig_begin(&r);
        seam_fail("clone3", 1, EAGAIN);
        CHECK_INT(create_with_key(&r, "k", &id, &replayed), ERR_TRY_AGAIN);
        CHECK_INT(create_with_key(&r, "k", &id, &replayed), ERR_NONE);
        CHECK(!replayed);
        CHECK_INT(create_with_key(&r, "k", &again, &replayed), ERR_NONE);
        CHECK(replayed);
        CHECK_INT(again, id);
        CHECK_INT(rig_select("SELECT count(*) FROM process"), 1);
        rig_end(&r);
}

TEST(one_key_sent_many_times_at_once_starts_one_process)
{
        enum { N = 40 };
        static struct wait waits[N];
        struct idempotency idem = {.key = "k"};
        struct rig r;

        rig_begin(&r);
        for (int i = 0; i < N; i++) {
                wait_init(&waits[i]);
                CHECK_INT(registry_create(r.registry, &rig_operator, rig_spec("read x"), NULL, &idem,
                                          &waits[i].ticket),
                          1);
        }
        for (int i = 0; i < N; i++) {
                CHECK_INT(wait_for_ticket(&waits[i], 1), ERR_NONE);
                CHECK_INT(waits[i].ticket.id, waits[0].ticket.id);
                CHECK_INT(waits[i].ticket.replayed, i > 0);
        }
        CHECK_INT(seam_count("clone3"), 1);
        CHECK_INT(rig_select("SELECT count(*) FROM process"), 1);
        rig_end(&r);
}

TEST(a_full_journal_refuses_a_start_and_leaves_nothing_behind)
{
        static struct journal_slot *slots[JOURNAL_SLOTS + 1];
        struct rig r;
        int n = 0;

        rig_begin(&r);
        while ((slots[n] = journal_claim(r.registry->journal, 100000 + n, NULL)))
                n++;
        CHECK_INT(n, JOURNAL_SLOTS);
        check_start_refused(&r, START_SPAWN, ERR_TRY_AGAIN);
        for (int i = 0; i < n; i++)
                journal_release(r.registry->journal, slots[i]);
        rig_start(&r, "read x");
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

/* From here on, who calls umask() is killed, as children do before they become their programs. */
static int forbid_umask(void)
{
        struct sock_filter code[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_umask, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

        return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0
                       ? -1
                       : prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

TEST(a_child_that_is_killed_before_it_has_become_its_program_has_failed_to_start)
{
        pid_t pid = fork(); /* a filter stays */
        int status;

        if (pid == 0) {
                struct rig r;
                int64_t id;

                if (forbid_umask() < 0)
                        _exit(1);
                rig_begin(&r);
                id = rig_start(&r, "exit 0");
                rig_join(&r, id);
                CHECK_INT(
                        rig_select("SELECT count(*) FROM process WHERE state = 'failed' AND exitcode IS NULL "
                                   "AND "
                                   "pid IS NULL AND start_ticks IS NULL AND exit_detail LIKE '%before it had "
                                   "become its program%'"),
                        1);
                rig_end(&r);
                _exit(0);
        }
        CHECK_INT(waitpid(pid, &status, 0), pid);
        CHECK_INT(status, 0);
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

TEST(a_disk_too_full_for_the_spawn_journal_is_told_as_full)
{
        struct rig r;
        struct err e;

        rig_prepare(&r);
        seam_fail("fallocate", 0, ENOSPC);
        CHECK_FAILS(registry_open(&r.config, &r.registry, &e), ERR_FULL);
        rig_shut(&r);
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
