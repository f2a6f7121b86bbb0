/* SPDX-License-Identifier: MIT */
/* tests/store_rig.h
 * A store in the folder of the test, and jobs for its writer that a test waits for.
 */
#ifndef CRECHE_TESTS_STORE_RIG_H
#define CRECHE_TESTS_STORE_RIG_H

#include <semaphore.h>

#include "base/list.h"
#include "store/db.h"
#include "store/records.h"
#include "store/store.h"
#include "test.h"

static const struct boot rig_boot = {.boot_id = "00000000-1111-2222-3333-444444444444", .pid_ns = 4026531836};

static inline void rig_fatal(void *arg)
{
        if (arg)
                ++*(_Atomic int *)arg;
}

static inline struct store *rig_open(void)
{
        const struct store_config c = {.dir = test_dir_fd(),
                                       .path = test_path("registry.db"),
                                       .boot = &rig_boot,
                                       .fatal = rig_fatal};
        struct store *s = NULL;
        struct err e = {0};

        MUST(store_open(&c, &s, &e));
        return s;
}

/* A job that calls a function in the writer's transaction. */
struct rig_job {
        struct store_job job;
        int (*fn)(struct db *db, void *arg, struct err *e);
        void *arg;
        sem_t done;
        struct err err;
};

static inline int rig_job_run(struct store_job *job, struct db *db, struct err *e)
{
        struct rig_job *j = container_of(job, struct rig_job, job);

        return j->fn(db, j->arg, e);
}

static inline void rig_job_done(struct store_job *job, const struct err *e)
{
        struct rig_job *j = container_of(job, struct rig_job, job);

        if (e)
                j->err = *e;
        sem_post(&j->done);
}

static inline int rig_insert_run(struct db *db, void *arg, struct err *e);

static inline struct rig_job *rig_job_init(struct rig_job *j,
                                           int (*fn)(struct db *db, void *arg, struct err *e), void *arg)
{
        *j = (struct rig_job){.job = {.run = rig_job_run, .done = rig_job_done}, .fn = fn, .arg = arg};
        j->job.grows = fn == rig_insert_run;
        sem_init(&j->done, 0, 0);
        return j;
}

static inline void rig_submit(struct store *s, struct rig_job *j,
                              int (*fn)(struct db *db, void *arg, struct err *e), void *arg)
{
        store_submit(s, &rig_job_init(j, fn, arg)->job);
}

/* Waits for @j: which kind of error it ended with, ERR_NONE when it is durable. */
static inline enum err_kind rig_wait(struct rig_job *j)
{
        while (sem_wait(&j->done) < 0)
                ;
        return j->err.kind;
}

/* Calls @fn in a transaction of the writer; it must become durable. */
static inline void rig_write(struct store *s, int (*fn)(struct db *db, void *arg, struct err *e), void *arg)
{
        struct rig_job j;

        rig_submit(s, &j, fn, arg);
        if (rig_wait(&j) != ERR_NONE)
                fail_msg("a job failed: %s", j.err.msg);
}

/* Holds the writer within a transaction until it is opened. */
struct rig_gate {
        struct rig_job job;
        sem_t entered, opened;
};

static inline int rig_gate_run(struct db *db, void *arg, struct err *e)
{
        struct rig_gate *g = arg;

        (void)db;
        (void)e;
        sem_post(&g->entered);
        while (sem_wait(&g->opened) < 0)
                ;
        return 0;
}

static inline void rig_gate_shut(struct store *s, struct rig_gate *g)
{
        sem_init(&g->entered, 0, 0);
        sem_init(&g->opened, 0, 0);
        rig_submit(s, &g->job, rig_gate_run, g);
        while (sem_wait(&g->entered) < 0)
                ;
}

static inline void rig_gate_open(struct rig_gate *g)
{
        sem_post(&g->opened);
        if (rig_wait(&g->job) != ERR_NONE)
                fail_msg("the gate's own transaction failed: %s", g->job.err.msg);
}

/* A process as a request makes it; its strings are literals. */
static inline struct process rig_process(int64_t id, enum process_state state)
{
        return (struct process){.id = id,
                                .name = (char *)"Process-1",
                                .identity = (char *)"1",
                                .lineage = (char *)"",
                                .state = state,
                                .argv_json = (char *)"[\"true\"]",
                                .cwd = (char *)"/",
                                .env_json = (char *)"[]",
                                .labels_json = (char *)"{}",
                                .created_us = 1000 * id,
                                .grace_us = 5000000};
}

static inline int rig_insert_run(struct db *db, void *arg, struct err *e)
{
        const struct record_extras none = {
                .request = ((struct process *)arg)->state == PROCESS_INITIAL ? "{}" : NULL};

        return record_insert(db, arg, &none, e);
}

static inline void rig_insert(struct store *s, const struct process *p)
{
        rig_write(s, rig_insert_run, (void *)p);
}

static inline int rig_ended_run(struct db *db, void *arg, struct err *e)
{
        return record_ended(db, arg, e);
}

/* The end of @p with the exit code 7. */
static inline struct process stopped(struct process p)
{
        p.state = PROCESS_STOPPED;
        p.stopped_us = p.created_us + 5;
        p.exit = (struct process_exit){.reason = EXIT_EXITED, .exitcode = 7, .oom = -1};
        return p;
}

struct move {
        int64_t id;
        enum process_state to;
        int outcome;
};

static inline int move_run(struct db *db, void *arg, struct err *e)
{
        struct move *m = arg;
        struct process p = rig_process(m->id, m->to);
        enum process_state was;

        p.pid = 42;
        switch (m->to) {
        case PROCESS_INITIAL: m->outcome = record_unstarted(db, m->id, e); break;
        case PROCESS_STARTING: m->outcome = record_claim(db, &p, e); break;
        case PROCESS_STARTED: m->outcome = record_started(db, &p, e); break;
        case PROCESS_STOPPED:
                p = stopped(p);
                m->outcome = record_ended(db, &p, e);
                break;
        case PROCESS_FAILED:
                p.exit = (struct process_exit){
                        .reason = EXIT_EXEC_FAILED, .errnum = ENOENT, .stage = "exec", .oom = -1};
                m->outcome = record_ended(db, &p, e);
                break;
        case PROCESS_LOST:
                p.exit = (struct process_exit){.reason = EXIT_LOST, .detail = "x", .oom = -1};
                m->outcome = record_ended(db, &p, e);
                break;
        case PROCESS_CLOSED: m->outcome = record_close(db, m->id, &was, e); break;
        case PROCESS_STATE_COUNT: break;
        }
        return m->outcome < 0 ? -1 : 0;
}

struct keyed {
        int64_t id, parent;
        struct record_extras x;
        unsigned char fingerprint[32];
        struct record_key found;
        int rc;
};

static inline int insert_keyed_run(struct db *db, void *arg, struct err *e)
{
        struct keyed *k = arg;
        struct process p = rig_process(k->id, k->x.request ? PROCESS_INITIAL : PROCESS_STARTING);

        p.parent = k->parent;
        k->x.fingerprint = k->fingerprint;
        return record_insert(db, &p, &k->x, e);
}

static inline int exec_run(struct db *db, void *arg, struct err *e)
{
        return sqlite3_exec(db->sqlite, arg, NULL, NULL, NULL) == SQLITE_OK ? 0 : db_err(db, e, "exec");
}

/* The one integer that @sql selects in the database of the test, through a connection of its own. */
static inline int64_t rig_select(const char *sql)
{
        sqlite3_stmt *s;
        sqlite3 *db;
        int64_t v = INT64_MIN;

        if (sqlite3_open_v2(test_path("registry.db"), &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
                fail_msg("%s", sqlite3_errmsg(db));
        sqlite3_busy_timeout(db, 10000);
        if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
                fail_msg("%s: %s", sql, sqlite3_errmsg(db));
        if (sqlite3_step(s) == SQLITE_ROW && sqlite3_column_type(s, 0) != SQLITE_NULL)
                v = sqlite3_column_int64(s, 0);
        sqlite3_finalize(s);
        sqlite3_close(db);
        return v;
}

#endif
