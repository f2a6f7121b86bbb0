/* SPDX-License-Identifier: MIT */
#include "store/writer.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/killpoint.h"
#include "base/log.h"

enum {
        CHECKPOINT_FRAMES = 1000, /* worth a checkpoint when there is nothing else to do */
        CHECKPOINT_FRAMES_MUST =
                2000, /* 8 MB: now, whoever waits; larger ones stall the commits for longer */
        BATCH_MAX = 1024,
};

struct writer {
        struct db *db;
        void (*fatal)(void *);
        void *fatal_arg;
        pthread_t thread;
        pthread_mutex_t lock; /* guards the queue and stopping */
        pthread_cond_t wake;
        struct list queue;
        bool stopping;
        bool dead; /* a commit's outcome is unknown: nothing is written any more */
};

static int run_simple(struct db *db, enum sql_query q, struct err *e)
{
        return db_run(db, db_stmt(db, q), e) < 0 ? -1 : 0;
}

static struct err out_of_memory = {.kind = ERR_UNAVAILABLE, .msg = "out of memory"};

/* Most jobs have no error, and a job lives in every process that runs: so it has room for a pointer only. */
static void keep_error(struct store_job *job, const struct err *e)
{
        job->err = malloc(sizeof(*job->err));
        if (job->err)
                *job->err = *e;
        else
                job->err = &out_of_memory;
}

/* One job in its savepoint. Returns -1 when the whole transaction is gone, 0 otherwise; how the job itself
 * went is in job->err. */
static int run_job(struct db *db, struct store_job *job, struct err *e)
{
        int64_t tally[PROCESS_STATE_COUNT], children = db->main_children;
        struct err own = {0};

        memcpy(tally, db->tally, sizeof(tally));
        if (run_simple(db, SQL_SAVEPOINT, e) < 0)
                return -1;
        if (job->run(job, db, &own) == 0)
                return run_simple(db, SQL_RELEASE, e);

        memcpy(db->tally, tally, sizeof(tally));
        db->main_children = children;
        if (sqlite3_get_autocommit(db->sqlite)) {
                *e = own; /* SQLite gave the whole transaction up, as it does on a full disk */
                return -1;
        }
        keep_error(job, &own);
        if (run_simple(db, SQL_ROLLBACK_TO, e) < 0)
                return -1;
        return run_simple(db, SQL_RELEASE, e);
}

/* The counters that every job moves are written once a transaction. */
static int flush_counters(struct db *db, struct err *e)
{
        sqlite3_stmt *s;

        for (int i = 0; i < PROCESS_STATE_COUNT; i++) {
                if (!db->tally[i])
                        continue;
                s = db_stmt(db, SQL_TALLY_ADD);
                db_bind_text(s, ":state", process_state_name((enum process_state)i));
                db_bind_int(s, ":n", db->tally[i]);
                if (db_run(db, s, e) < 0)
                        return -1;
        }
        if (db->main_children == db->main_children_stored)
                return 0;
        s = db_stmt(db, SQL_MAIN_CHILDREN);
        db_bind_int(s, ":children", db->main_children);
        return db_run(db, s, e) < 0 ? -1 : 0;
}

/* Returns 0 when the batch is durable (single jobs may have failed), -1 when nothing of it is. */
static int commit_batch(struct writer *w, struct list *batch, struct err *e)
{
        struct db *db = w->db;

        if (run_simple(db, SQL_BEGIN, e) < 0)
                return -1;
        KILLPOINT("commit.begun");
        list_for_each (node, batch)
                if (run_job(db, container_of(node, struct store_job, link), e) < 0)
                        return -1;
        KILLPOINT("commit.written");
        if (flush_counters(db, e) < 0)
                return -1;
        KILLPOINT("commit");
        if (run_simple(db, SQL_COMMIT, e) < 0) {
                /* It may or may not be on the disk: only a process that opens the file anew can tell. */
                w->dead = e->kind == ERR_UNAVAILABLE;
                return -1;
        }
        KILLPOINT("committed");
        db->main_children_stored = db->main_children;
        return 0;
}

static void abandon(struct writer *w)
{
        struct err ignored;

        w->db->main_children = w->db->main_children_stored;
        if (!sqlite3_get_autocommit(w->db->sqlite))
                run_simple(w->db, SQL_ROLLBACK, &ignored);
}

static void finish_batch(struct list *batch, const struct err *e)
{
        struct list *node;

        while ((node = list_pop(batch))) {
                struct store_job *job = container_of(node, struct store_job, link);
                struct err *own = job->err; /* job->done() may free the job */

                job->done(job, e ? e : own);
                if (own != &out_of_memory)
                        free(own);
        }
}

static void write_batch(struct writer *w, struct list *batch)
{
        struct err e = {0};
        bool was_dead = w->dead;

        list_for_each (node, batch)
                container_of(node, struct store_job, link)->err = NULL;
        memset(w->db->tally, 0, sizeof(w->db->tally));
        if (w->dead)
                err_set(&e, ERR_UNAVAILABLE, 0, "the database cannot be written");
        else if (commit_batch(w, batch, &e) < 0)
                abandon(w);
        if (e.kind != ERR_NONE)
                log_error("store.commit_failed", "error=%s", log_quote(e.msg));
        finish_batch(batch, e.kind == ERR_NONE ? NULL : &e);
        KILLPOINT("commit.told");
        if (w->dead && !was_dead)
                w->fatal(w->fatal_arg);
}

/* Takes up to BATCH_MAX jobs; sleeps while there are none. False when it is time to end. */
static bool next_batch(struct writer *w, struct list *batch, bool *more)
{
        list_init(batch);
        pthread_mutex_lock(&w->lock);
        while (list_empty(&w->queue) && !w->stopping)
                pthread_cond_wait(&w->wake, &w->lock);
        for (int n = 0; n < BATCH_MAX && !list_empty(&w->queue); n++)
                list_append(batch, list_pop(&w->queue));
        *more = !list_empty(&w->queue);
        pthread_mutex_unlock(&w->lock);
        return !list_empty(batch);
}

static bool is_idle(struct writer *w)
{
        bool idle;

        pthread_mutex_lock(&w->lock);
        idle = list_empty(&w->queue);
        pthread_mutex_unlock(&w->lock);
        return idle;
}

static void checkpoint(struct writer *w)
{
        int left = 0, done = 0;

        if (w->dead || w->db->wal_frames < CHECKPOINT_FRAMES)
                return;
        if (w->db->wal_frames < CHECKPOINT_FRAMES_MUST && !is_idle(w))
                return;
        KILLPOINT("checkpoint");
        /* Busy readers make it partial: the next one goes on. A failure here loses nothing: the log stays. */
        if (sqlite3_wal_checkpoint_v2(w->db->sqlite, NULL, SQLITE_CHECKPOINT_PASSIVE, &left, &done) !=
            SQLITE_OK)
                log_warn("store.checkpoint_failed", "error=%s", log_quote(sqlite3_errmsg(w->db->sqlite)));
        KILLPOINT("checkpointed");
        w->db->wal_frames = 0;
}

static void *writer_main(void *arg)
{
        struct writer *w = arg;
        struct list batch;
        bool more;

        pthread_setname_np(pthread_self(), "creche-writer");
        while (next_batch(w, &batch, &more)) {
                write_batch(w, &batch);
                if (!more)
                        checkpoint(w);
        }
        return NULL;
}

int writer_start(struct db *db, void (*fatal)(void *), void *arg, struct writer **out, struct err *e)
{
        struct writer *w = calloc(1, sizeof(*w));
        int rc;

        if (!w)
                return err_set(e, ERR_UNAVAILABLE, 0, "out of memory");
        w->db = db;
        w->fatal = fatal;
        w->fatal_arg = arg;
        list_init(&w->queue);
        pthread_mutex_init(&w->lock, NULL);
        pthread_cond_init(&w->wake, NULL);
        rc = pthread_create(&w->thread, NULL, writer_main, w);
        if (rc) {
                free(w);
                return err_set(e, ERR_INTERNAL, rc, "starting the writer");
        }
        *out = w;
        return 0;
}

void writer_submit(struct writer *w, struct store_job *job)
{
        bool first;

        pthread_mutex_lock(&w->lock);
        first = list_empty(&w->queue);
        list_append(&w->queue, &job->link);
        pthread_mutex_unlock(&w->lock);
        if (first)
                pthread_cond_signal(&w->wake);
}

void writer_stop(struct writer *w)
{
        if (!w)
                return;
        pthread_mutex_lock(&w->lock);
        w->stopping = true;
        pthread_mutex_unlock(&w->lock);
        pthread_cond_signal(&w->wake);
        pthread_join(w->thread, NULL);
        pthread_mutex_destroy(&w->lock);
        pthread_cond_destroy(&w->wake);
        free(w);
}
