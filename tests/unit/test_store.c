/* SPDX-License-Identifier: MIT */
/* tests/unit/test_store.c: what is on the disk: opening, transitions, counters, keys, lists. */
#include "store_rig.h"

#include "base/cleanup.h"

/* Changes the database behind the store's back, as an operator with the sqlite3 shell would. */
static void meddle(const char *sql)
{
        sqlite3 *db;

        CHECK_INT(sqlite3_open(test_path("registry.db"), &db), SQLITE_OK);
        if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
                fail_msg("%s: %s", sql, sqlite3_errmsg(db));
        sqlite3_close(db);
}

TEST(a_database_is_made_migrated_and_opened_again_as_itself)
{
        struct store *s = rig_open();
        struct process p = rig_process(7, PROCESS_STARTING);
        char instance[64];

        snprintf(instance, sizeof(instance), "%s", store_instance(s));
        CHECK_INT(strlen(instance), 36);
        CHECK_INT(store_last_id(s), 0);
        rig_insert(s, &p);
        store_close(s);
        CHECK_INT(access(test_path("registry.db-wal"), F_OK), -1);
        CHECK_INT(rig_select("PRAGMA user_version"), sql_migrations_count);

        s = rig_open();
        CHECK_STR(store_instance(s), instance);
        CHECK_INT(store_last_id(s), 7);
        store_close(s);
        CHECK_INT(rig_select("SELECT count(*) FROM boot"), 1);
}

TEST(an_id_is_never_given_again_though_its_row_is_gone)
{
        struct store *s = rig_open();
        struct process p = rig_process(9, PROCESS_INITIAL);

        rig_insert(s, &p);
        store_close(s);
        meddle("DELETE FROM process");
        s = rig_open();
        CHECK_INT(store_last_id(s), 9);
        store_close(s);
}

/* Opening must be refused with @kind and leave each byte of the file as it was. */
static void check_refused(enum err_kind kind)
{
        size_t n, m;
        CLEANUP(freep) char *before = malloc(1 << 20);
        struct store *s = NULL;
        const struct store_config c = {.dir = test_dir_fd(),
                                       .path = test_path("registry.db"),
                                       .boot = &rig_boot,
                                       .fatal = rig_fatal};
        struct stat st;
        struct err e;

        CHECK_INT(stat(test_path("registry.db"), &st), 0);
        n = (size_t)st.st_size;
        memcpy(before, test_read(test_path("registry.db")), n);
        CHECK_FAILS(store_open(&c, &s, &e), kind);
        CHECK_NULL(s);
        CHECK_INT(stat(test_path("registry.db"), &st), 0);
        m = (size_t)st.st_size;
        CHECK_INT(m, n);
        assert_memory_equal(test_read(test_path("registry.db")), before, n);
}

TEST(a_newer_database_is_refused_untouched)
{
        store_close(rig_open());
        meddle("PRAGMA user_version = 9999");
        check_refused(ERR_INVALID);
}

TEST(a_newer_database_in_another_journal_mode_is_refused_untouched)
{
        store_close(rig_open());
        meddle("PRAGMA journal_mode = DELETE; PRAGMA user_version = 9999");
        check_refused(ERR_INVALID);
}

TEST(the_database_of_another_program_is_refused_untouched)
{
        meddle("CREATE TABLE t (x); PRAGMA application_id = 42; PRAGMA user_version = 1");
        check_refused(ERR_INVALID);
}

TEST(the_database_of_a_program_that_counts_no_versions_is_refused_untouched)
{
        meddle("CREATE TABLE t (x)");
        check_refused(ERR_INVALID);
}

TEST(a_file_that_is_no_database_is_refused_untouched)
{
        char text[5000];

        memset(text, '#', sizeof(text));
        test_write(test_path("registry.db"), 0600, text, sizeof(text));
        check_refused(ERR_INVALID);
}

TEST(a_database_that_must_exist_is_not_made)
{
        const struct store_config c = {.dir = test_dir_fd(),
                                       .path = test_path("registry.db"),
                                       .must_exist = true,
                                       .boot = &rig_boot,
                                       .fatal = rig_fatal};
        struct store *s = NULL;
        struct err e;

        CHECK_FAILS(store_open(&c, &s, &e), ERR_UNAVAILABLE);
        CHECK(access(c.path, F_OK) < 0);
        test_write(c.path, 0600, "", 0);
        CHECK_FAILS(store_open(&c, &s, &e), ERR_UNAVAILABLE);
        CHECK_STR(test_read(c.path), "");
}

TEST(nothing_is_written_while_a_file_of_the_database_is_not_where_it_was)
{
        static const char *const names[] = {"registry.db", "registry.db-wal", "registry.db-shm"};
        struct store *s = rig_open();
        struct process p = rig_process(1, PROCESS_STARTING);
        struct rig_job j;

        for (size_t i = 0; i < 3; i++, p.id++) {
                char aside[300];

                snprintf(aside, sizeof(aside), "%s", test_path("aside"));
                CHECK_INT(rename(test_path(names[i]), aside), 0);
                rig_submit(s, &j, rig_insert_run, &p);
                CHECK_INT(rig_wait(&j), ERR_UNAVAILABLE);
                CHECK_INT(store_troubles(s), STORE_GONE);
                CHECK_INT(rename(aside, test_path(names[i])), 0);
                CHECK_INT(store_troubles(s), 0);
                rig_insert(s, &p);
        }
        CHECK_INT(rig_select("SELECT count(*) FROM process"), 3);
        store_close(s);
}

TEST(a_migration_that_was_interrupted_is_made_again_from_its_beginning)
{
        store_close(rig_open());
        unlink(test_path("registry.db"));
        meddle("PRAGMA journal_mode = WAL; BEGIN; CREATE TABLE main_process (x); ROLLBACK");
        store_close(rig_open());
        CHECK_INT(rig_select("SELECT count(*) FROM main_process"), 1);
}

static int ended_twice_run(struct db *db, void *arg, struct err *e)
{
        struct process again = *(struct process *)arg;

        again.exit.exitcode = 8;
        CHECK_INT(record_ended(db, arg, e), 0);
        return record_ended(db, &again, e) == 1 ? 0 : -1;
}

static int ended_again_run(struct db *db, void *arg, struct err *e)
{
        return record_ended(db, arg, e) == 1 ? 0 : -1;
}

TEST(a_process_ends_once_and_its_event_is_in_the_same_transaction)
{
        struct store *s = rig_open();
        struct process p = rig_process(1, PROCESS_STARTING), end = stopped(p);

        rig_insert(s, &p);
        rig_write(s, ended_twice_run, &end);
        end.exit.exitcode = 9;
        rig_write(s, ended_again_run, &end);
        end.state = PROCESS_LOST;
        end.exit = (struct process_exit){.reason = EXIT_LOST, .oom = -1, .detail = "late"};
        rig_write(s, ended_again_run, &end);
        CHECK_INT(rig_select("SELECT exitcode FROM process WHERE state = 'stopped'"), 7);
        CHECK_INT(rig_select("SELECT count(*) FROM event WHERE process = 1 AND type IN ('stopped', 'failed', "
                             "'lost')"),
                  1);
        CHECK_INT(rig_select("SELECT n FROM tally WHERE state = 'stopped'"), 1);
        store_close(s);
}

static int end_then_fail_run(struct db *db, void *arg, struct err *e)
{
        CHECK_INT(record_ended(db, arg, e), 0);
        return err_set(e, ERR_TRY_AGAIN, 0, "and now it fails");
}

TEST(an_end_that_is_rolled_back_leaves_neither_event_nor_count)
{
        struct store *s = rig_open();
        struct process p = rig_process(1, PROCESS_STARTING), end = stopped(p);
        struct rig_job j;

        rig_insert(s, &p);
        rig_submit(s, &j, end_then_fail_run, &end);
        CHECK_INT(rig_wait(&j), ERR_TRY_AGAIN);
        CHECK_STR(j.err.msg, "and now it fails");
        CHECK_INT(rig_select("SELECT count(*) FROM event"), 1);
        CHECK_INT(rig_select("SELECT count(*) FROM process WHERE state = 'starting'"), 1);
        CHECK_INT(rig_select("SELECT ifnull((SELECT n FROM tally WHERE state = 'stopped'), 0)"), 0);
        store_close(s);
}

/* What brings a new row into @state, step by step. */
static void bring_to(struct store *s, int64_t id, enum process_state state)
{
        bool created_only = state == PROCESS_INITIAL || state == PROCESS_CLOSED;
        struct process p = rig_process(id, created_only ? PROCESS_INITIAL : PROCESS_STARTING);
        struct move m = {.id = id, .to = state};

        rig_insert(s, &p);
        if (p.state == state)
                return;
        rig_write(s, move_run, &m);
        CHECK_INT(m.outcome, 0);
}

TEST(the_doors_to_the_disk_open_where_the_transition_table_says)
{
        struct store *s = rig_open();
        int64_t id = 0;

        for (int from = 0; from < PROCESS_STATE_COUNT; from++)
                for (int to = 0; to < PROCESS_STATE_COUNT; to++) {
                        struct move m = {.id = ++id, .to = (enum process_state)to};
                        char sql[128];

                        bring_to(s, id, (enum process_state)from);
                        rig_write(s, move_run, &m);
                        if ((m.outcome == 0) != process_state_may((enum process_state)from, m.to))
                                fail_msg("%s -> %s: %d", process_state_name((enum process_state)from),
                                         process_state_name(m.to), m.outcome);
                        snprintf(sql, sizeof(sql), "SELECT state = '%s' FROM process WHERE id = %" PRId64,
                                 process_state_name(m.outcome == 0 ? m.to : (enum process_state)from), id);
                        CHECK_INT(rig_select(sql), 1);
                }
        store_close(s);
}

/* The table tally against what it counts. */
static void check_tally(struct store *s)
{
        int64_t counts[PROCESS_STATE_COUNT];
        struct err e = {0};
        char sql[128];

        MUST(store_counts(s, counts, &e));
        for (int i = 0; i < PROCESS_STATE_COUNT; i++) {
                snprintf(sql, sizeof(sql), "SELECT count(*) FROM process WHERE state = '%s'",
                         process_state_name((enum process_state)i));
                CHECK_INT(counts[i], rig_select(sql));
        }
        CHECK_INT(rig_select("SELECT n FROM tally WHERE state = 'joined'"),
                  rig_select("SELECT count(*) FROM process WHERE joined_at AND state IN "
                             "('stopped','failed','lost')"));
}

struct step {
        uint32_t dice;
        int64_t id;
        bool fails;
};

static int step_run(struct db *db, void *arg, struct err *e)
{
        struct step *st = arg;
        struct move m = {.id = st->id, .to = (enum process_state)(st->dice % PROCESS_STATE_COUNT)};
        enum process_state was;
        int rc;

        if (st->dice % 11 == 0)
                rc = record_delete(db, st->id, &was, e);
        else if (st->dice % 13 == 0)
                rc = record_discard(db, st->id, e);
        else if (st->dice % 5 == 0)
                rc = record_joined(db, st->id, 1, e);
        else
                rc = move_run(db, &m, e);
        if (rc < 0 && e->kind == ERR_NOT_FOUND)
                rc = 0;
        return st->fails ? err_set(e, ERR_TRY_AGAIN, 0, "on purpose") : rc < 0 ? -1 : 0;
}

TEST(the_tally_is_what_counting_would_give_after_any_operations)
{
        enum { ROWS = 40, STEPS = 1500 };
        struct store *s = rig_open();
        static struct step steps[STEPS];
        static struct rig_job jobs[STEPS];
        uint64_t seed = 5;

        for (int64_t id = 1; id <= ROWS; id++) {
                struct process p = rig_process(id, id % 3 ? PROCESS_STARTING : PROCESS_INITIAL);

                rig_insert(s, &p);
        }
        check_tally(s);
        for (int i = 0; i < STEPS; i++) {
                steps[i] = (struct step){.dice = test_random(&seed) % 10000,
                                         .id = 1 + test_random(&seed) % ROWS,
                                         .fails = test_random(&seed) % 7 == 0};
                rig_submit(s, &jobs[i], step_run, &steps[i]);
        }
        for (int i = 0; i < STEPS; i++) {
                enum err_kind kind = rig_wait(&jobs[i]);

                if (kind != (steps[i].fails ? ERR_TRY_AGAIN : ERR_NONE))
                        fail_msg("step %d: %s", i, jobs[i].err.msg);
        }
        check_tally(s);
        store_close(s);
        s = rig_open();
        check_tally(s);
        store_close(s);
}

/* Identities are numbers that are consumed: one for each that was made, none for one that was not. */
static int next_child_run(struct db *db, void *arg, struct err *e)
{
        return record_next_child(db, 0, arg, e);
}

static int next_child_then_fail_run(struct db *db, void *arg, struct err *e)
{
        CHECK_INT(record_next_child(db, 0, arg, e), 0);
        return err_set(e, ERR_TRY_AGAIN, 0, "on purpose");
}

TEST(the_numbers_of_children_have_no_gap_and_survive)
{
        struct store *s = rig_open();
        struct rig_job j;
        int64_t k = 0;

        rig_write(s, next_child_run, &k);
        CHECK_INT(k, 1);
        rig_submit(s, &j, next_child_then_fail_run, &k);
        CHECK_INT(rig_wait(&j), ERR_TRY_AGAIN);
        rig_write(s, next_child_run, &k);
        CHECK_INT(k, 2);
        store_close(s);
        s = rig_open();
        rig_write(s, next_child_run, &k);
        CHECK_INT(k, 3);
        store_close(s);
}

static int next_of_parent_run(struct db *db, void *arg, struct err *e)
{
        return record_next_child(db, 1, arg, e);
}

TEST(each_parent_counts_its_own_children)
{
        struct store *s = rig_open();
        struct process p = rig_process(1, PROCESS_STARTING);
        struct rig_job j;
        int64_t k = 0;

        rig_submit(s, &j, next_of_parent_run, &k);
        CHECK_INT(rig_wait(&j), ERR_NOT_FOUND);
        rig_insert(s, &p);
        rig_write(s, next_of_parent_run, &k);
        rig_write(s, next_of_parent_run, &k);
        CHECK_INT(k, 2);
        rig_write(s, next_child_run, &k);
        CHECK_INT(k, 1);
        store_close(s);
}

static int by_key_run(struct db *db, void *arg, struct err *e)
{
        struct keyed *k = arg;

        k->x.fingerprint = k->fingerprint;
        k->rc = record_by_key(db, k->parent, &k->x, &k->found, e);
        return k->rc < 0 ? -1 : 0;
}

TEST(a_key_names_one_process_of_one_parent)
{
        struct store *s = rig_open();
        struct keyed first = {.id = 1, .x.idempotency_key = "k", .fingerprint = {1}};
        struct keyed same = first, other_parent = first, other_key = first, twice = first;
        struct rig_job j;

        rig_write(s, insert_keyed_run, &first);
        rig_write(s, by_key_run, &same);
        CHECK_INT(same.rc, 1);
        CHECK_INT(same.found.id, 1);
        CHECK_INT(same.found.state, PROCESS_STARTING);
        CHECK(!same.found.unstarted);
        other_parent.parent = 17;
        rig_write(s, by_key_run, &other_parent);
        CHECK_INT(other_parent.rc, 0);
        other_key.x.idempotency_key = "K";
        rig_write(s, by_key_run, &other_key);
        CHECK_INT(other_key.rc, 0);
        twice.id = 2;
        rig_submit(s, &j, insert_keyed_run, &twice);
        CHECK(rig_wait(&j) != ERR_NONE);
        other_parent.id = 3;
        rig_write(s, insert_keyed_run, &other_parent);
        store_close(s);
}

TEST(a_key_with_another_request_is_refused)
{
        struct store *s = rig_open();
        struct keyed first = {.id = 1, .x.idempotency_key = "k", .fingerprint = {1}}, other = first;
        struct rig_job j;

        rig_write(s, insert_keyed_run, &first);
        other.fingerprint[31] = 9;
        rig_submit(s, &j, by_key_run, &other);
        CHECK_INT(rig_wait(&j), ERR_IDEMPOTENCY_MISMATCH);
        store_close(s);
}

static int unstarted_run(struct db *db, void *arg, struct err *e)
{
        return record_unstarted(db, *(int64_t *)arg, e);
}

TEST(a_key_tells_a_process_that_never_ran_from_one_that_was_only_created)
{
        struct store *s = rig_open();
        struct keyed created = {.id = 1, .x = {.request = "{}", .idempotency_key = "a"}};
        struct keyed never_ran = {.id = 2, .x.idempotency_key = "b"};
        int64_t id = 2;

        rig_write(s, insert_keyed_run, &created);
        rig_write(s, insert_keyed_run, &never_ran);
        rig_write(s, unstarted_run, &id);
        rig_write(s, by_key_run, &created);
        CHECK_INT(created.found.state, PROCESS_INITIAL);
        CHECK(!created.found.unstarted);
        rig_write(s, by_key_run, &never_ran);
        CHECK_INT(never_ran.found.state, PROCESS_INITIAL);
        CHECK(never_ran.found.unstarted);
        store_close(s);
}

static void copy_process(const struct process *p, void *arg)
{
        *(struct process **)arg = process_copy(p);
}

TEST(a_row_is_read_as_it_was_written)
{
        struct store *s = rig_open();
        CLEANUP(process_freep) struct process *got = NULL;
        struct process p = rig_process(3, PROCESS_STARTING), end;
        struct err e = {0};

        p.name = (char *)"n\xc3\xa9";
        p.parent = 2;
        p.lineage = (char *)"2/";
        p.start_method = START_FORKSERVER;
        p.daemon = true;
        p.labels_json = (char *)"{\"a\":\"b\"}";
        p.out = OUTPUT_NULL;
        p.err = OUTPUT_STDOUT;
        p.timeout_us = 9000001;
        p.on_parent_death = SIGTERM;
        rig_insert(s, &p);
        end = p;
        end.state = PROCESS_STOPPED;
        end.pid = 4242;
        end.start_ticks = UINT64_C(123456789012);
        end.started_us = 4000;
        end.stopped_us = 5000;
        end.joined_us = 6000;
        end.requested_by = (char *)"kill by uid 0";
        end.exit =
                (struct process_exit){.reason = EXIT_SIGNALED, .exitcode = -9, .core_dumped = true, .oom = 1};
        end.has_usage = true;
        end.usage = (struct usage){1000002, 3000004, 5, 6, 7, 8, 9, 10, 11};
        end.log_bytes[STREAM_STDOUT] = INT64_C(1) << 40;
        end.log_bytes[STREAM_STDERR] = 12;
        rig_write(s, rig_ended_run, &end);

        CHECK_INT(store_get(s, 3, copy_process, &got, &e), 0);
        CHECK_STR(got->name, "n\xc3\xa9");
        CHECK_INT(got->parent, 2);
        CHECK_STR(got->lineage, "2/");
        CHECK_INT(got->state, PROCESS_STOPPED);
        CHECK_INT(got->start_method, START_FORKSERVER);
        CHECK(got->daemon);
        CHECK_STR(got->argv_json, "[\"true\"]");
        CHECK_STR(got->labels_json, "{\"a\":\"b\"}");
        CHECK_INT(got->out, OUTPUT_NULL);
        CHECK_INT(got->err, OUTPUT_STDOUT);
        CHECK_INT(got->timeout_us, 9000001);
        CHECK_INT(got->grace_us, 5000000);
        CHECK_INT(got->on_parent_death, SIGTERM);
        CHECK_INT(got->pid, 4242);
        CHECK_INT(got->start_ticks, 123456789012);
        CHECK_INT(got->created_us, 3000);
        CHECK_INT(got->started_us, 4000);
        CHECK_INT(got->stopped_us, 5000);
        CHECK_INT(got->joined_us, 6000);
        CHECK_STR(got->requested_by, "kill by uid 0");
        CHECK_INT(got->exit.reason, EXIT_SIGNALED);
        CHECK_INT(got->exit.exitcode, -9);
        CHECK(got->exit.core_dumped);
        CHECK_INT(got->exit.oom, 1);
        CHECK(got->has_usage);
        assert_memory_equal(&got->usage, &end.usage, sizeof(struct usage));
        CHECK_INT(got->log_bytes[STREAM_STDOUT], INT64_C(1) << 40);
        CHECK_INT(got->log_bytes[STREAM_STDERR], 12);
        CHECK_INT(store_get(s, 4, copy_process, &got, &e), 1);
        store_close(s);
}

TEST(an_exit_code_cannot_be_made_up)
{
        static const char *const wrong[] = {
                "UPDATE process SET state = 'lost', exit_reason = 'lost', exitcode = 255 WHERE id = 1",
                "UPDATE process SET state = 'failed', exit_reason = 'exec_failed', exitcode = 127 WHERE id = "
                "1",
                "UPDATE process SET state = 'failed', exit_reason = 'start_failed', exitcode = -1 WHERE id = "
                "1",
                "UPDATE process SET state = 'lost', exit_reason = NULL, exitcode = 0 WHERE id = 1",
                "UPDATE process SET exitcode = 0 WHERE id = 1",
                "UPDATE process SET exit_reason = 'exited', exitcode = 0 WHERE id = 1",
                "UPDATE process SET state = 'stopped' WHERE id = 1",
                "UPDATE process SET state = 'stopped', exit_reason = 'exited' WHERE id = 1",
                "UPDATE process SET state = 'stopped', exit_reason = 'lost' WHERE id = 1",
                "UPDATE process SET state = 'stopped', exitcode = 0 WHERE id = 1",
                "UPDATE process SET state = 'stopped', exit_reason = 'exited', exitcode = 256 WHERE id = 1",
                "UPDATE process SET state = 'stopped', exit_reason = 'signaled', exitcode = -65 WHERE id = 1",
                "UPDATE process SET state = 'stopped', exit_reason = 'exited', exitcode = 'x' WHERE id = 1",
                "UPDATE process SET state = 'gone' WHERE id = 1",
                "UPDATE process SET exit_reason = 'vanished' WHERE id = 1",
        };
        struct store *s = rig_open();
        struct process p = rig_process(1, PROCESS_STARTING);
        struct rig_job j;

        rig_insert(s, &p);
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
                rig_submit(s, &j, exec_run, (void *)wrong[i]);
                if (rig_wait(&j) == ERR_NONE)
                        fail_msg("SQLite let it in: %s", wrong[i]);
        }
        CHECK_INT(rig_select("SELECT count(*) FROM process WHERE state = 'starting' AND exitcode IS NULL"),
                  1);
        store_close(s);
}

TEST(a_lost_process_and_a_failed_one_have_no_exit_code_whatever_the_record_says)
{
        struct store *s = rig_open();

        for (int64_t id = 1; id <= 2; id++) {
                struct process p = rig_process(id, PROCESS_STARTING);

                rig_insert(s, &p);
                p.state = id == 1 ? PROCESS_LOST : PROCESS_FAILED;
                p.exit = (struct process_exit){
                        .reason = id == 1 ? EXIT_LOST : EXIT_EXEC_FAILED, .exitcode = 255, .oom = -1};
                rig_write(s, rig_ended_run, &p);
        }
        CHECK_INT(rig_select("SELECT count(*) FROM process WHERE exitcode IS NULL"), 2);
        store_close(s);
}

TEST_MAIN("store")
