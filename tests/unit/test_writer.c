/* SPDX-License-Identifier: MIT */
/* tests/unit/test_writer.c: group commit, isolation, and what a query costs. */
#include "store_rig.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/strbuf.h"

static int count_commit(void *arg)
{
        ++*(int *)arg;
        return 0; /* go on */
}

static int hook_run(struct db *db, void *arg, struct err *e)
{
        (void)e;
        sqlite3_commit_hook(db->sqlite, arg ? count_commit : NULL, arg);
        return 0;
}

TEST(jobs_that_arrive_during_a_commit_share_the_next_one)
{
        enum { N = 200 };
        static struct rig_job jobs[N];
        static struct process rows[N];
        struct store *s = rig_open();
        struct rig_gate gate;
        int commits = 0;

        rig_write(s, hook_run, &commits);
        commits = 0;
        rig_gate_shut(s, &gate);
        for (int i = 0; i < N; i++) {
                rows[i] = rig_process(i + 1, PROCESS_STARTING);
                rig_submit(s, &jobs[i], rig_insert_run, &rows[i]);
        }
        rig_gate_open(&gate);
        for (int i = 0; i < N; i++)
                CHECK_INT(rig_wait(&jobs[i]), ERR_NONE);
        CHECK_INT(commits, 2); /* the gate's, and one for all of them */
        rig_write(s, hook_run, NULL);
        CHECK_INT(rig_select("SELECT count(*) FROM process"), N);
        store_close(s);
}

TEST(one_bad_job_spoils_no_neighbour)
{
        enum { N = 60 };
        static struct rig_job jobs[N];
        static struct process rows[N];
        struct store *s = rig_open();
        struct rig_gate gate;

        rig_gate_shut(s, &gate);
        for (int i = 0; i < N; i++) {
                rows[i] = rig_process(i % 3 == 2 ? i : i + 1, PROCESS_STARTING); /* an id that is taken */
                rig_submit(s, &jobs[i], rig_insert_run, &rows[i]);
        }
        rig_gate_open(&gate);
        for (int i = 0; i < N; i++)
                CHECK_INT(rig_wait(&jobs[i]) == ERR_NONE, i % 3 != 2);
        CHECK_INT(rig_select("SELECT count(*) FROM process"), N / 3 * 2);
        CHECK_INT(rig_select("SELECT count(*) FROM event"), N / 3 * 2);
        CHECK_INT(rig_select("SELECT n FROM tally WHERE state = 'starting'"), N / 3 * 2);
        store_close(s);
}

/* What a job of a transaction met. */
struct halfway {
        struct rig_job job;
        struct process row;
        bool fails;
        int runs, entered;
};

static int halfway_run(struct db *db, void *arg, struct err *e)
{
        struct halfway *h = arg;

        h->runs++;
        if (rig_insert_run(db, &h->row, e) < 0)
                return -1;
        return h->fails ? err_set(e, ERR_INVALID, 0, "when its row is written") : 0;
}

static void halfway_enter(struct store_job *job)
{
        container_of(container_of(job, struct rig_job, job), struct halfway, job)->entered++;
}

/* Jobs that are submitted while the writer is held: the third fails when it has written its row. */
static void run_halfway(struct store *s, struct halfway *all, int n)
{
        struct rig_gate gate;

        rig_gate_shut(s, &gate);
        for (int i = 0; i < n; i++) {
                all[i] = (struct halfway){.row = rig_process(i + 1, PROCESS_STARTING), .fails = i == 2};
                rig_job_init(&all[i].job, halfway_run, &all[i])->job.enter = halfway_enter;
                store_submit(s, &all[i].job.job);
        }
        rig_gate_open(&gate);
}

TEST(a_job_that_fails_halfway_is_taken_back_alone)
{
        enum { N = 9 };
        static struct halfway all[N];
        struct store *s = rig_open();

        run_halfway(s, all, N);
        for (int i = 0; i < N; i++)
                CHECK_INT(rig_wait(&all[i].job), i == 2 ? ERR_INVALID : ERR_NONE);
        CHECK_INT(rig_select("SELECT count(*) FROM process"), N - 1);
        CHECK_INT(rig_select("SELECT count(*) FROM process WHERE id = 3"), 0);
        CHECK_INT(rig_select("SELECT count(*) FROM event"), N - 1);
        CHECK_INT(rig_select("SELECT n FROM tally WHERE state = 'starting'"), N - 1);
        store_close(s);
}

TEST(what_was_given_up_for_the_sake_of_another_is_run_again_and_entered_once)
{
        enum { N = 9 };
        static struct halfway all[N];
        struct store *s = rig_open();

        run_halfway(s, all, N);
        for (int i = 0; i < N; i++) {
                rig_wait(&all[i].job);
                CHECK_INT(all[i].runs, i <= 2 ? 2 : 1);
                CHECK_INT(all[i].entered, i != 2);
        }
        store_close(s);
}

static int nothing_run(struct db *db, void *arg, struct err *e)
{
        (void)db;
        (void)arg;
        (void)e;
        return 0;
}

enum spur { ALONE, COMPANY, HURRY };

/* How long a patient job takes: with one that is not behind it, or when it is hurried. */
static int64_t patient_us(struct store *s, enum spur spur)
{
        struct rig_job job, other;
        int64_t began_us = clock_mono_us(), took_us;

        rig_job_init(&job, nothing_run, NULL)->job.patient = true;
        store_submit(s, &job.job);
        if (spur == COMPANY)
                rig_submit(s, &other, nothing_run, NULL);
        else if (spur == HURRY)
                store_hurry(s);
        CHECK_INT(rig_wait(&job), ERR_NONE);
        took_us = clock_mono_us() - began_us;
        if (spur == COMPANY)
                rig_wait(&other);
        return took_us;
}

static int64_t least_us(struct store *s, enum spur spur)
{
        int64_t least = INT64_MAX;

        for (int i = 0; i < 500; i++) {
                int64_t us = patient_us(s, spur);

                least = us < least ? us : least;
        }
        return least;
}

TEST(a_patient_job_waits_for_the_commit_of_another_but_not_for_ever)
{
        struct store *s = rig_open();

        for (int i = 0; i < 20; i++)
                CHECK(patient_us(s, ALONE) >= 2000);
        CHECK(least_us(s, COMPANY) < 2000);
        store_close(s);
}

TEST(a_patient_job_for_which_somebody_waits_after_all_is_written_at_once)
{
        struct store *s = rig_open();

        CHECK(least_us(s, HURRY) < 2000);
        store_hurry(s); /* with nothing to hurry */
        CHECK(patient_us(s, ALONE) >= 2000);
        store_close(s);
}

struct order {
        int *next;
        int place;
};

static int order_run(struct db *db, void *arg, struct err *e)
{
        struct order *o = arg;

        (void)db;
        (void)e;
        o->place = (*o->next)++;
        return 0;
}

TEST(jobs_are_done_in_the_order_in_which_they_were_submitted)
{
        enum { N = 3000 }; /* more than a batch */
        static struct rig_job jobs[N];
        static struct order orders[N];
        struct store *s = rig_open();
        int next = 0;

        for (int i = 0; i < N; i++) {
                orders[i] = (struct order){.next = &next};
                rig_submit(s, &jobs[i], order_run, &orders[i]);
        }
        for (int i = 0; i < N; i++) {
                CHECK_INT(rig_wait(&jobs[i]), ERR_NONE);
                CHECK_INT(orders[i].place, i);
        }
        store_close(s);
}

TEST(closing_a_store_writes_what_is_queued)
{
        enum { N = 50 };
        static struct rig_job jobs[N];
        static struct process rows[N];
        struct store *s = rig_open();
        struct rig_gate gate;

        rig_gate_shut(s, &gate);
        for (int i = 0; i < N; i++) {
                rows[i] = rig_process(i + 1, PROCESS_STARTING);
                rig_submit(s, &jobs[i], rig_insert_run, &rows[i]);
        }
        sem_post(&gate.opened);
        store_close(s);
        for (int i = 0; i < N; i++)
                CHECK_INT(rig_wait(&jobs[i]), ERR_NONE);
        CHECK_INT(rig_select("SELECT count(*) FROM process"), N);
}

static void ignore(const struct process *p, void *arg)
{
        (void)p;
        (void)arg;
}

TEST(a_reader_sees_a_change_only_when_it_is_durable)
{
        struct store *s = rig_open();
        struct process p = rig_process(1, PROCESS_STARTING);
        struct rig_job insert;
        struct rig_gate gate, after;
        struct err e = {0};

        rig_gate_shut(s, &gate);
        rig_submit(s, &insert, rig_insert_run, &p);
        rig_submit(s, &after.job, rig_gate_run, &after); /* in the same transaction, after the insert */
        sem_init(&after.entered, 0, 0);
        sem_init(&after.opened, 0, 0);
        rig_gate_open(&gate);
        while (sem_wait(&after.entered) < 0)
                ;
        CHECK_INT(store_get(s, 1, ignore, NULL, &e), 1);
        CHECK_INT(rig_select("SELECT count(*) FROM process"), 0);
        CHECK_INT(sem_trywait(&insert.done), -1);
        rig_gate_open(&after);
        CHECK_INT(rig_wait(&insert), ERR_NONE);
        CHECK_INT(store_get(s, 1, ignore, NULL, &e), 0);
        store_close(s);
}

struct glance {
        struct rig_job job;
        struct store *store;
        int found;
};

static void glance_done(struct store_job *job, const struct err *e)
{
        struct glance *g = container_of(container_of(job, struct rig_job, job), struct glance, job);
        struct err ignored;

        g->found = store_get(g->store, 1, ignore, NULL, &ignored);
        rig_job_done(job, e);
}

TEST(who_is_told_that_a_change_is_durable_can_read_it_at_once)
{
        struct store *s = rig_open();
        struct process p = rig_process(1, PROCESS_STARTING);
        struct glance g = {.store = s, .found = -1};

        g.job = (struct rig_job){
                .job = {.run = rig_job_run, .done = glance_done}, .fn = rig_insert_run, .arg = &p};
        sem_init(&g.job.done, 0, 0);
        store_submit(s, &g.job.job);
        CHECK_INT(rig_wait(&g.job), ERR_NONE);
        CHECK_INT(g.found, 0);
        store_close(s);
}

TEST(the_database_is_in_wal_mode_and_synced_in_full_and_only_the_writer_checkpoints)
{
        struct db writer, reader;
        struct err e = {0};
        sqlite3_stmt *q;

        store_close(rig_open());
        MUST(db_open(&writer, test_path("registry.db"), false, &e));
        MUST(db_open(&reader, test_path("registry.db"), true, &e));
        sqlite3_prepare_v2(writer.sqlite, "PRAGMA synchronous", -1, &q, NULL);
        CHECK_INT(sqlite3_step(q), SQLITE_ROW);
        CHECK_INT(sqlite3_column_int(q, 0), 2);
        sqlite3_finalize(q);
        sqlite3_prepare_v2(writer.sqlite, "PRAGMA journal_mode", -1, &q, NULL);
        CHECK_INT(sqlite3_step(q), SQLITE_ROW);
        CHECK_STR((const char *)sqlite3_column_text(q, 0), "wal");
        sqlite3_finalize(q);
        for (int i = 0; i < 2; i++) {
                sqlite3_prepare_v2(i ? writer.sqlite : reader.sqlite, "PRAGMA wal_autocheckpoint", -1, &q,
                                   NULL);
                CHECK_INT(sqlite3_step(q), SQLITE_ROW);
                CHECK_INT(sqlite3_column_int(q, 0), 0);
                sqlite3_finalize(q);
        }
        CHECK(sqlite3_exec(reader.sqlite, "DELETE FROM process", NULL, NULL, NULL) != SQLITE_OK);
        CHECK(sqlite3_exec(reader.sqlite, "PRAGMA query_only = OFF; DELETE FROM process", NULL, NULL, NULL) !=
              SQLITE_OK);
        db_close(&reader);
        db_close(&writer);
}

TEST(a_query_that_gives_rows_is_prepared_by_who_asks_it_and_kept)
{
        struct err e = {0};
        sqlite3_stmt *q;
        struct db db;

        store_close(rig_open());
        MUST(db_open(&db, test_path("registry.db"), false, &e));
        MUST(db_prepare(&db, &e));
        CHECK(db.stmts[SQL_COMMIT] != NULL);
        CHECK(db.stmts[SQL_PROCESS_INSERT] != NULL);
        CHECK_NULL(db.stmts[SQL_PROCESS_GET]);
        q = db_stmt(&db, SQL_PROCESS_GET);
        CHECK(q != NULL);
        CHECK(db_stmt(&db, SQL_PROCESS_GET) == q);
        db_close(&db);
}

TEST(a_query_that_cannot_be_prepared_says_why_when_it_is_asked)
{
        struct err e = {0};
        sqlite3_stmt *q;
        struct db db;

        MUST(db_open(&db, test_path("empty.db"), false, &e));
        q = db_stmt(&db, SQL_PROCESS_GET);
        db_bind_int(q, ":id", 1);
        CHECK_INT(db_step(&db, q, &e), -1);
        CHECK_INT(e.kind, ERR_UNAVAILABLE);
        CHECK(strstr(e.msg, "no such table: process"));
        CHECK_INT(db_prepare(&db, &e), -1);
        CHECK(strstr(e.msg, "no such table"));
        db_close(&db);
}

/* The query plan of @q, a line for each step, without ids. */
static void plan_of(struct db *db, enum sql_query q, struct strbuf *out)
{
        struct strbuf sql = {0};
        sqlite3_stmt *s;

        strbuf_printf(&sql, "EXPLAIN QUERY PLAN %s", sql_queries[q].text);
        if (sqlite3_prepare_v2(db->sqlite, strbuf_text(&sql), -1, &s, NULL) != SQLITE_OK)
                fail_msg("%s: %s", sql_queries[q].name, sqlite3_errmsg(db->sqlite));
        strbuf_reset(out);
        while (sqlite3_step(s) == SQLITE_ROW)
                strbuf_printf(out, "%s\n", (const char *)sqlite3_column_text(s, 3));
        sqlite3_finalize(s);
        strbuf_done(&sql);
}

TEST(every_query_on_processes_goes_through_the_index_that_is_meant_for_it)
{
        static const struct {
                enum sql_query query;
                const char *uses;
        } table[] = {
                {SQL_PROCESS_GET, "USING INTEGER PRIMARY KEY"},
                {SQL_PROCESS_TOLD, "USING INTEGER PRIMARY KEY"},
                {SQL_PROCESS_REQUEST, "USING INTEGER PRIMARY KEY"},
                {SQL_PROCESS_NEXT_CHILD, "USING INTEGER PRIMARY KEY"},
                {SQL_PROCESS_CLAIM, "USING INTEGER PRIMARY KEY"},
                {SQL_PROCESS_STARTED, "USING INTEGER PRIMARY KEY"},
                {SQL_PROCESS_ENDED, "USING INTEGER PRIMARY KEY"},
                {SQL_PROCESS_UNSTARTED, "USING INTEGER PRIMARY KEY"},
                {SQL_PROCESS_DISCARD, "USING INTEGER PRIMARY KEY"},
                {SQL_PROCESS_REQUESTED, "USING INTEGER PRIMARY KEY"},
                {SQL_PROCESS_JOINED, "USING INTEGER PRIMARY KEY"},
                {SQL_PROCESS_RENAME, "USING INTEGER PRIMARY KEY"},
                {SQL_PROCESS_RESPECIFY, "USING INTEGER PRIMARY KEY"},
                {SQL_PROCESS_CLOSE, "USING INTEGER PRIMARY KEY"},
                {SQL_PROCESS_DELETE, "USING INTEGER PRIMARY KEY"},
                {SQL_PROCESS_LIST_DESCENDING, "USING INTEGER PRIMARY KEY"},
                {SQL_PROCESS_LIST_ASCENDING, "USING INTEGER PRIMARY KEY"},
                {SQL_PROCESS_BY_KEY, "USING INDEX process_idempotency"},
                {SQL_PROCESS_LIST_OPEN_DESCENDING, "USING INDEX process_open"},
                {SQL_PROCESS_LIST_OPEN_ASCENDING, "USING INDEX process_open"},
                {SQL_PROCESS_LIST_CHILDREN_DESCENDING, "USING INDEX process_parent"},
                {SQL_PROCESS_LIST_CHILDREN_ASCENDING, "USING INDEX process_parent"},
                {SQL_RETENTION_DUE, "USING INDEX process_over (<expr>=? AND <expr><?)"},
                {SQL_RETENTION_OLDEST, "USING INDEX process_over (<expr>=?)"},
        };
        CLEANUP(strbuf_done) struct strbuf plan = {0};
        struct store *s = rig_open();
        struct err e = {0};
        struct db db;

        MUST(db_open(&db, test_path("registry.db"), true, &e));
        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                plan_of(&db, table[i].query, &plan);
                if (!strstr(strbuf_text(&plan), table[i].uses) ||
                    strstr(strbuf_text(&plan), "SCAN process") || strstr(strbuf_text(&plan), "TEMP B-TREE"))
                        fail_msg("%s:\n%s", sql_queries[table[i].query].name, strbuf_text(&plan));
        }
        plan_of(&db, SQL_PROCESS_OPEN, &plan); /* a scan, but of the open rows only */
        assert_non_null(strstr(strbuf_text(&plan), "USING INDEX process_open"));
        db_close(&db);
        store_close(s);
}

TEST(a_subtree_is_found_by_its_lineage_and_not_by_looking_at_all_rows)
{
        static const enum sql_query queries[] = {SQL_PROCESS_LIST_SUBTREE_DESCENDING,
                                                 SQL_PROCESS_LIST_SUBTREE_ASCENDING};
        CLEANUP(strbuf_done) struct strbuf plan = {0};
        struct store *s = rig_open();
        struct err e = {0};
        struct db db;

        MUST(db_open(&db, test_path("registry.db"), true, &e));
        for (int i = 0; i < 2; i++) {
                plan_of(&db, queries[i], &plan);
                if (!strstr(strbuf_text(&plan), "process_lineage"))
                        fail_msg("%s:\n%s", sql_queries[queries[i]].name, strbuf_text(&plan));
        }
        db_close(&db);
        store_close(s);
}

/* How many tables of its own SQLite builds each time that it executes @text. */
static int tables_built(sqlite3 *db, const char *text)
{
        CLEANUP(strbuf_done) struct strbuf explain = {0};
        sqlite3_stmt *stmt;
        int n = 0;

        strbuf_printf(&explain, "EXPLAIN %s", text);
        if (sqlite3_prepare_v2(db, strbuf_text(&explain), -1, &stmt, NULL) != SQLITE_OK)
                fail_msg("%s: %s", text, sqlite3_errmsg(db));
        while (sqlite3_step(stmt) == SQLITE_ROW)
                n += !strcmp((const char *)sqlite3_column_text(stmt, 1), "OpenEphemeral");
        sqlite3_finalize(stmt);
        return n;
}

/* A list of more than two values in a CHECK would be one, for each row that is written. */
TEST(what_each_process_writes_builds_no_tables_of_its_own)
{
        static const enum sql_query hot[] = {SQL_PROCESS_INSERT, SQL_PROCESS_CLAIM, SQL_PROCESS_STARTED,
                                             SQL_PROCESS_ENDED,  SQL_EVENT_INSERT,  SQL_AUDIT_INSERT,
                                             SQL_TALLY_ADD};
        sqlite3 *db;

        store_close(rig_open());
        CHECK_INT(sqlite3_open(test_path("registry.db"), &db), SQLITE_OK);
        for (size_t i = 0; i < sizeof(hot) / sizeof(hot[0]); i++)
                CHECK_INT(tables_built(db, sql_queries[hot[i]].text), 0);
        sqlite3_close(db);
        CHECK_INT(rig_select("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"), 0);
}

TEST(what_a_start_writes_into_holds_open_rows_only)
{
        struct store *s = rig_open();

        /* Whatever the history: each index of the table is partial, and none of them but that of the open rows
         * holds a process of an operator's without an Idempotency-Key. */
        CHECK_INT(rig_select("SELECT count(*) FROM pragma_index_list('process') WHERE NOT partial"), 0);
        CHECK_INT(rig_select("SELECT count(*) FROM pragma_index_list('event')"), 0);
        CHECK_INT(
                rig_select("SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'process' "
                           "AND sql NOT LIKE '%WHERE state IN (''starting'', ''started'')' "
                           "AND sql NOT LIKE '%WHERE parent IS NOT NULL' AND sql NOT LIKE '%WHERE lineage <> "
                           "''''' "
                           "AND sql NOT LIKE '%WHERE idempotency_key IS NOT NULL' "
                           "AND sql NOT LIKE '%WHERE state = ''stopped'' OR state = ''failed'' OR state = "
                           "''lost'' OR "
                           "state = ''closed'''"),
                0);
        store_close(s);
}

TEST(the_cost_of_a_start_does_not_depend_on_the_history)
{
        struct store *s = rig_open();
        struct err e = {0};
        int steps[2];
        struct db db;

        MUST(db_open(&db, test_path("registry.db"), false, &e));
        MUST(db_prepare(&db, &e));
        for (int round = 0; round < 2; round++) {
                struct process p = rig_process(100000 + round, PROCESS_STARTING);
                const struct record_extras none = {0};

                MUST(record_insert(&db, &p, &none, &e));
                MUST(record_started(&db, &p, &e));
                steps[round] =
                        sqlite3_stmt_status(db.stmts[SQL_PROCESS_INSERT], SQLITE_STMTSTATUS_VM_STEP, 1) +
                        sqlite3_stmt_status(db.stmts[SQL_PROCESS_STARTED], SQLITE_STMTSTATUS_VM_STEP, 1);
                if (round == 0)
                        CHECK_INT(sqlite3_exec(
                                          db.sqlite,
                                          "INSERT INTO process (id, name, identity, lineage, state, "
                                          "start_method, "
                                          "daemon, argv, env, labels, stdout, stderr, grace_us, created_at, "
                                          "exitcode, exit_reason) "
                                          "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
                                          "WHERE i < 5000) SELECT i, 'n', i, '', 'stopped', 'spawn', 0, "
                                          "'[]', '[]', "
                                          "'{}', 'log', 'log', 0, 0, 0, 'exited' FROM n",
                                          NULL, NULL, NULL),
                                  SQLITE_OK);
        }
        CHECK(steps[1] <= steps[0] + steps[0] / 10);
        db_close(&db);
        store_close(s);
}

TEST_MAIN("writer")
