/* SPDX-License-Identifier: MIT */
/* tests/seam/test_disk.c: the database on a disk that is full, or broken. */
#include "rig.h"

#include "base/procfs.h"
#include "store/ballast.h"

static void post(const struct seam_call *call, void *arg)
{
        (void)call;
        sem_post(arg);
}

static enum err_kind create(struct rig *r)
{
        struct wait w;

        wait_init(&w);
        return wait_for_ticket(&w, registry_create(r->registry, &rig_operator, rig_spec("read x; exit 7"),
                                                   NULL, NULL, &w.ticket));
}

TEST(a_start_on_a_full_disk_is_refused_and_runs_nothing)
{
        struct rig r;

        rig_begin(&r);
        seam_fail("wal_write", 0, ENOSPC);
        CHECK_INT(create(&r), ERR_FULL);
        CHECK_INT(create(&r), ERR_FULL);
        CHECK_INT(seam_count("clone3"), 0);
        seam_reset();
        CHECK_INT(rig_select("SELECT count(*) FROM process"), 0);
        CHECK_INT(create(&r), ERR_NONE);
        CHECK_INT(r.fatal, 0);
        rig_end(&r);
}

TEST(an_exit_on_a_full_disk_stays_a_zombie_until_it_can_be_recorded)
{
        struct procfs_stat st = {0};
        struct rig r;
        sem_t tried;
        int64_t id;
        pid_t pid;

        rig_begin(&r);
        sem_init(&tried, 0, 0);
        id = rig_start(&r, "read x; exit 7");
        pid = rig_pid(&r, id);
        seam_fail("wal_write", 0, ENOSPC);
        seam_before("wal_write", post, &tried);
        rig_release(&r, id);
        wait_sem(&tried);
        wait_sem(&tried); /* it tries again */
        CHECK_INT(seam_count("waitid_reap"), 0);
        CHECK_INT(procfs_stat(pid, &st), 0);
        CHECK_INT(st.state, 'Z');
        seam_reset();
        rig_join(&r, id);
        CHECK_INT(rig_select("SELECT exitcode FROM process"), 7);
        CHECK_INT(r.fatal, 0);
        rig_end(&r);
}

/* A store with a counter of fatal calls. */
static struct store *open_store(_Atomic int *fatal)
{
        const struct store_config c = {.dir = test_dir_fd(),
                                       .path = test_path("registry.db"),
                                       .boot = &rig_boot,
                                       .fatal = rig_fatal,
                                       .fatal_arg = (void *)fatal};
        struct store *s = NULL;
        struct err e = {0};

        seam_reset();
        MUST(store_open(&c, &s, &e));
        return s;
}

static void end_store(struct store *s)
{
        seam_reset();
        store_close(s);
}

/* The disk is full until the ballast is given back, and stays too full for taking it again. */
static void fill_disk(void)
{
        seam_fail("wal_write", 1, ENOSPC);
        seam_fail("fallocate", 0, ENOSPC);
}

TEST(an_exit_on_a_full_disk_is_recorded_with_the_room_of_the_ballast)
{
        struct rig r;
        int64_t id;

        rig_begin(&r);
        id = rig_start(&r, "read x; exit 7");
        CHECK(ballast_is_held(test_dir_fd()));
        fill_disk();
        rig_release(&r, id);
        rig_join(&r, id);
        CHECK(!ballast_is_held(test_dir_fd()));
        CHECK_INT(create(&r), ERR_FULL);
        CHECK_INT(rig_select("SELECT count(*) FROM process WHERE exitcode = 7"), 1);
        CHECK_INT(rig_select("SELECT count(*) FROM process"), 1);
        seam_reset();
        CHECK_INT(create(&r), ERR_NONE);
        CHECK(ballast_is_held(test_dir_fd()));
        CHECK_INT(r.fatal, 0);
        rig_end(&r);
}

TEST(a_start_and_an_exit_in_one_transaction_on_a_full_disk_the_exit_is_recorded)
{
        struct rig r;
        struct rig_gate gate;
        struct wait w;
        int64_t id;

        rig_begin(&r);
        id = rig_start(&r, "read x; exit 7");
        rig_gate_shut(r.registry->store, &gate);
        wait_init(&w);
        CHECK_INT(registry_create(r.registry, &rig_operator, rig_spec("exit 0"), NULL, NULL, &w.ticket), 1);
        rig_release(&r, id);
        rig_await_death(&r, id);
        fill_disk();
        rig_gate_open(&gate);
        wait_sem(&w.done);
        CHECK_INT(w.ticket.err.kind, ERR_FULL);
        rig_join(&r, id);
        CHECK_INT(seam_count("clone3"), 1); /* that of the first */
        CHECK_INT(rig_select("SELECT exitcode FROM process"), 7);
        rig_end(&r);
}

TEST(the_ballast_is_taken_again_without_anybody_asking)
{
        _Atomic int fatal = 0;
        struct store *s = open_store(&fatal);
        struct process p = rig_process(1, PROCESS_STARTING);
        const struct timespec nap = {.tv_nsec = 10 * 1000 * 1000};
        struct rig_job j;

        fill_disk();
        rig_submit(s, &j, rig_insert_run, &p);
        CHECK_INT(rig_wait(&j), ERR_FULL);
        CHECK_INT(store_troubles(s), STORE_FULL);
        seam_reset();
        while (store_troubles(s)) /* the test has a time-out */
                nanosleep(&nap, NULL);
        CHECK(ballast_is_held(test_dir_fd()));
        end_store(s);
        CHECK_INT(fatal, 0);
}

TEST(the_write_ahead_log_gets_its_part_of_the_ballast_at_once)
{
        struct stat st;

        seam_reset();
        test_write(test_path("log"), 0600, "x", 1);
        CHECK(ballast_take(test_dir_fd()));
        CHECK(ballast_give(test_dir_fd(), "log"));
        CHECK_INT(stat(test_path("log"), &st), 0);
        CHECK_INT(st.st_size, 1);
        CHECK((long)st.st_blocks * 512 >= BALLAST_LOG_BYTES);
        CHECK(!ballast_give(test_dir_fd(), "log"));
}

TEST(a_ballast_for_which_there_is_no_room_takes_none)
{
        static const int errnos[] = {ENOSPC, EIO};
        struct stat st;

        for (size_t i = 0; i < 2; i++) {
                seam_reset();
                seam_fail("fallocate", 0, errnos[i]);
                CHECK(!ballast_take(test_dir_fd()));
                CHECK(!ballast_is_held(test_dir_fd()));
                CHECK_INT(stat(test_path("ballast"), &st), 0);
                CHECK_INT(st.st_blocks, 0);
        }
        seam_reset();
}

TEST(a_ballast_is_written_where_it_cannot_be_allocated)
{
        seam_reset();
        seam_fail("fallocate", 0, EOPNOTSUPP);
        CHECK(ballast_take(test_dir_fd()));
        CHECK(ballast_is_held(test_dir_fd()));
        seam_fail("write", 3, ENOSPC);
        CHECK(!ballast_take(test_dir_fd()));
        CHECK(!ballast_is_held(test_dir_fd()));
        seam_reset();
}

TEST(a_process_can_be_killed_on_a_full_disk)
{
        struct rig r;
        struct wait w;
        int64_t id;

        rig_begin(&r);
        id = rig_start(&r, "read x");
        seam_fail("wal_write", 0, ENOSPC);
        wait_init(&w);
        CHECK_INT(wait_for_ticket(&w, registry_signal(r.registry, &rig_operator, id, SIGKILL, "kill", false,
                                                      &w.ticket)),
                  ERR_NONE);
        CHECK(w.ticket.delivered);
        rig_await_death(&r, id);
        seam_reset();
        rig_join(&r, id);
        CHECK_INT(rig_select("SELECT requested_by = 'kill by uid 0' FROM process WHERE exitcode = -9"), 1);
        rig_end(&r);
}

TEST(a_poll_does_not_hang_on_an_exit_that_cannot_be_recorded)
{
        struct rig r;
        struct wait w;
        int64_t id;

        rig_begin(&r);
        id = rig_start(&r, "read x; exit 7");
        seam_fail("wal_write", 0, ENOSPC);
        rig_release(&r, id);
        rig_await_death(&r, id);
        wait_init(&w);
        CHECK_INT(wait_for_ticket(&w, registry_wait(r.registry, &rig_operator, id, 0, &w.ticket)), ERR_NONE);
        CHECK(!w.ticket.ended); /* seen, not durable: not told */
        seam_reset();
        rig_join(&r, id);
        rig_end(&r);
}

static int nothing_run(struct db *db, void *arg, struct err *e)
{
        (void)db;
        (void)arg;
        (void)e;
        return 0;
}

/* What was submitted before has been written, or has failed. */
static void flush_if_it_can(struct rig *r)
{
        struct rig_job j;

        rig_submit(r->registry->store, &j, nothing_run, NULL);
        rig_wait(&j);
}

TEST(each_write_of_a_start_may_fail_and_nothing_is_half_done)
{
        struct rig r;
        int n;

        rig_begin(&r);
        for (n = 1; n < 200; n++) {
                enum err_kind kind;

                seam_countdown("wal_write", n, ENOSPC);
                kind = create(&r);
                flush_if_it_can(&r); /* the record of the start may have been what failed */
                if (kind != ERR_NONE && kind != ERR_FULL)
                        fail_msg("write %d: %s", n, err_info(kind)->code);
                CHECK_INT(rig_select("SELECT (SELECT count(*) FROM process) = (SELECT ifnull(sum(n), 0) FROM "
                                     "tally)"),
                          1);
                if (!seam_hit())
                        break;
                seam_reset();
        }
        CHECK(n > 3 && n < 200);
        rig_end(&r);
}

TEST(a_commit_that_fails_refuses_all_who_wait_for_it_and_is_fatal_once)
{
        enum { N = 20 };
        static struct rig_job jobs[N];
        static struct process rows[N];
        _Atomic int fatal = 0;
        struct store *s = open_store(&fatal);
        struct rig_gate gate;

        rig_gate_shut(s, &gate);
        for (int i = 0; i < N; i++) {
                rows[i] = rig_process(i + 1, PROCESS_STARTING);
                rig_submit(s, &jobs[i], rig_insert_run, &rows[i]);
        }
        rig_gate_open(&gate);
        for (int i = 0; i < N; i++)
                CHECK_INT(rig_wait(&jobs[i]), ERR_NONE);

        rig_gate_shut(s, &gate);
        for (int i = 0; i < N; i++) {
                rows[i].id += 100;
                rig_submit(s, &jobs[i], rig_insert_run, &rows[i]);
        }
        seam_fail("commit", 1, EIO); /* the gate's own has nothing to sync */
        rig_gate_open(&gate);
        for (int i = 0; i < N; i++)
                CHECK_INT(rig_wait(&jobs[i]), ERR_UNAVAILABLE);
        end_store(s);
        CHECK_INT(fatal, 1);
}

TEST(nothing_is_written_after_a_commit_of_unknown_outcome)
{
        _Atomic int fatal = 0;
        struct store *s = open_store(&fatal);
        struct process p = rig_process(1, PROCESS_STARTING);
        struct rig_job j;
        int writes;

        rig_insert(s, &p);
        seam_fail("commit", 1, EIO);
        p.id = 2;
        rig_submit(s, &j, rig_insert_run, &p);
        CHECK_INT(rig_wait(&j), ERR_UNAVAILABLE);
        writes = seam_count("wal_write");
        for (p.id = 3; p.id < 10; p.id++) {
                rig_submit(s, &j, rig_insert_run, &p);
                CHECK_INT(rig_wait(&j), ERR_UNAVAILABLE);
        }
        CHECK_INT(seam_count("wal_write"), writes);
        end_store(s);
        CHECK_INT(fatal, 1);
        CHECK_INT(rig_select("SELECT count(*) FROM process WHERE id > 2"), 0);
}

TEST(a_full_disk_at_the_commit_itself_is_told_as_full_and_is_not_fatal)
{
        _Atomic int fatal = 0;
        struct store *s = open_store(&fatal);
        struct process p = rig_process(1, PROCESS_STARTING);
        struct rig_job j;

        seam_fail("commit", 1, ENOSPC);
        rig_submit(s, &j, rig_insert_run, &p);
        CHECK_INT(rig_wait(&j), ERR_FULL);
        rig_submit(s, &j, rig_insert_run, &p);
        CHECK_INT(rig_wait(&j), ERR_NONE);
        CHECK_INT(rig_select("SELECT n FROM tally WHERE state = 'starting'"), 1);
        end_store(s);
        CHECK_INT(fatal, 0);
}

/* By then the log is written and synced: whoever opens it after a crash finds the transaction. */
TEST(a_commit_for_which_the_index_of_the_log_cannot_grow_is_of_unknown_outcome)
{
        _Atomic int fatal = 0;
        struct store *s = open_store(&fatal);
        enum err_kind kind = ERR_NONE;
        sqlite3 *reader;
        struct rig_job j;
        int n;

        rig_write(s, exec_run, (void *)"CREATE TABLE large (x)");
        /* So that the log cannot begin anew. */
        CHECK_INT(sqlite3_open(test_path("registry.db"), &reader), SQLITE_OK);
        CHECK_INT(sqlite3_exec(reader, "BEGIN; SELECT * FROM tally", NULL, NULL, NULL), SQLITE_OK);
        seam_fail("index_grow", 1, ENOSPC);
        for (n = 0; kind == ERR_NONE && n < 50; n++) {
                rig_submit(s, &j, exec_run, (void *)"INSERT INTO large VALUES (zeroblob(1000000))");
                kind = rig_wait(&j);
        }
        CHECK_INT(kind, ERR_UNAVAILABLE);
        CHECK_INT(seam_count("index_grow"), 1);
        sqlite3_close(reader);
        end_store(s);
        CHECK_INT(fatal, 1);
        s = open_store(&fatal);
        CHECK(rig_select("SELECT count(*) FROM large") >= n - 1);
        end_store(s);
}

TEST(a_statement_for_which_the_index_of_the_log_cannot_grow_is_made_with_the_room_of_the_ballast)
{
        _Atomic int fatal = 0;
        struct store *s = open_store(&fatal);

        seam_fail("index_grow", 1, ENOSPC);
        seam_fail("fallocate", 0, ENOSPC);
        rig_write(s, exec_run,
                  (void *)"CREATE TABLE large (x); INSERT INTO large VALUES (zeroblob(20000000))");
        CHECK(seam_count("index_grow") > 1);
        CHECK_INT(store_troubles(s), STORE_FULL);
        end_store(s);
        CHECK_INT(fatal, 0);
}

TEST(a_registry_whose_commit_fails_calls_for_its_end_and_refuses_what_comes)
{
        struct rig r;

        rig_begin(&r);
        seam_fail("commit", 1, EIO);
        CHECK_INT(create(&r), ERR_UNAVAILABLE);
        wait_sem(&r.fatal_called);
        CHECK_INT(create(&r), ERR_UNAVAILABLE);
        CHECK_INT(seam_count("clone3"), 0);
        CHECK_INT(r.fatal, 1);
        rig_shut(&r);
}

int main(int argc, char **argv)
{
        return !strcmp(argv[0], FORKSERVER_NAME) ? forkserver_main(argc, argv) : test_run("disk", argc, argv);
}
