/* SPDX-License-Identifier: MIT */
#include "store/writer.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/killpoint.h"
#include "base/log.h"
#include "store/ballast.h"

enum {
        CHECKPOINT_FRAMES = 1000, /* worth a checkpoint when there is nothing else to do */
        CHECKPOINT_FRAMES_MUST =
                2000, /* 8 MB: now, whoever waits; larger ones stall the commits for longer */
        CHECKPOINT_FRAMES_FULL = 250,
        BATCH_MAX = 1024,
        BATCH_MAX_FULL = 64,
        FRAME_BYTES = 4096,
        HELD_FRAMES = 4000, /* 16 MB: as much as never comes together while checkpoints get through */
        LOOK_FOR_ROOM_MS = 1000,
        PATIENCE_US = 2000,
        CROWD = 8,        /* where so many jobs shared a commit, more are on their way ... */
        GATHER_US = 1000, /* ... and are waited for: a commit costs as much as ten jobs */
};

struct writer {
        struct db *db;
        const struct files *files;
        void (*fatal)(void *);
        void *fatal_arg;
        void (*changed)(void *);
        void *changed_arg;
        pthread_mutex_t watch_lock; /* guards the watcher, and is held while it is told */
        void (*watcher)(void *);
        void *watcher_arg;
        struct store_stats stats;
        pthread_t thread;
        pthread_mutex_t lock; /* guards the queue and stopping */
        pthread_cond_t wake;
        bool stopping; /* not beside what is read without the lock: compilers read neighbours along */
        struct list queue;
        bool hurry;            /* in the queue is one that is not patient */
        int64_t patient_until; /* clock_mono_us(), of the first of those that are */
        int last_n;            /* how many were in the last commit */
        bool dead;             /* a commit's outcome is unknown: nothing is written any more */
        bool gone;             /* the files are, and this was told */
        _Atomic bool full;     /* the disk is, and the ballast is given back */
        _Atomic int
                held_frames; /* of a log that a reader keeps from beginning anew, when that was told last */
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

/* What a job that fails leaves as it was, beside the database. */
struct memory {
        int64_t tally[TALLY_COUNT], children;
        size_t events;
};

static struct memory remember(const struct db *db)
{
        struct memory m = {.children = db->main_children, .events = db->events};

        memcpy(m.tally, db->tally, sizeof(m.tally));
        return m;
}

static void recall(struct db *db, const struct memory *m)
{
        memcpy(db->tally, m->tally, sizeof(m->tally));
        db->main_children = m->children;
        db->events = m->events;
}

/* One job, @careful: in a savepoint. Those cost SQLite a copy of each page that is written, so a job has none until one
 * of its transaction fails halfway. Returns 0: how it went is in job->err; 1: that is to be done again, carefully;
 * -1: the whole transaction is gone. */
static int run_job(struct writer *w, struct store_job *job, bool careful, struct err *e)
{
        struct db *db = w->db;
        struct memory before = remember(db);
        int64_t changes = sqlite3_total_changes64(db->sqlite);
        struct err own = {0};

        if (w->full && job->grows) {
                err_set(&own, ERR_FULL, 0,
                        "the disk of the database is full, and what is left is for the ends of what runs");
                keep_error(job, &own);
                return 0;
        }
        db->full = w->full;
        if (careful && run_simple(db, SQL_SAVEPOINT, e) < 0)
                return -1;
        if (job->run(job, db, &own) == 0)
                return careful ? run_simple(db, SQL_RELEASE, e) : 0;

        recall(db, &before);
        if (sqlite3_get_autocommit(db->sqlite) || own.kind == ERR_FULL) {
                *e = own; /* SQLite gave the whole transaction up, as it does on a full disk */
                return -1;
        }
        if (!careful && sqlite3_total_changes64(db->sqlite) != changes)
                return 1;
        keep_error(job, &own);
        if (!careful)
                return 0;
        return run_simple(db, SQL_ROLLBACK_TO, e) < 0 ? -1 : run_simple(db, SQL_RELEASE, e);
}

/* Those of the batch that have not failed. */
static void enter(const struct list *batch)
{
        list_for_each (node, batch) {
                struct store_job *job = container_of(node, struct store_job, link);

                if (job->enter && !job->err)
                        job->enter(job);
        }
}

/* The counters that every job moves are written once a transaction. */
static int flush_counters(struct db *db, struct err *e)
{
        sqlite3_stmt *s;

        for (int i = 0; i < TALLY_COUNT; i++) {
                if (!db->tally[i])
                        continue;
                s = db_stmt(db, SQL_TALLY_ADD);
                db_bind_text(s, ":state",
                             i == TALLY_JOINED ? "joined" : process_state_name((enum process_state)i));
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

/* Returns 0 when the batch is durable (single jobs may have failed), -1 when nothing of it is; 1: see run_job(). */
static int commit_batch(struct writer *w, struct list *batch, bool careful, struct err *e)
{
        struct db *db = w->db;
        int64_t jobs = 0, began_us;
        int rc;

        if (run_simple(db, SQL_BEGIN, e) < 0)
                return -1;
        KILLPOINT("commit.begun");
        list_for_each (node, batch) {
                jobs++;
                rc = run_job(w, container_of(node, struct store_job, link), careful, e);
                if (rc)
                        return rc;
        }
        KILLPOINT("commit.written");
        if (flush_counters(db, e) < 0)
                return -1;
        enter(batch);
        KILLPOINT("commit");
        began_us = clock_mono_us();
        if (run_simple(db, SQL_COMMIT, e) < 0) {
                /* It may or may not be on the disk: only a process that opens the file anew can tell. The index
                 * of the log grows after the log was written. */
                if (sqlite3_extended_errcode(db->sqlite) == SQLITE_IOERR_SHMSIZE)
                        e->kind = ERR_UNAVAILABLE;
                w->dead = e->kind == ERR_UNAVAILABLE;
                return -1;
        }
        KILLPOINT("committed");
        histogram_add(&w->stats.commit_us, &histogram_time, clock_mono_us() - began_us);
        histogram_add(&w->stats.jobs, &histogram_count, jobs);
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

static void forget_error(struct store_job *job)
{
        struct err *own = TAKE_PTR(job->err);

        if (own != &out_of_memory)
                free(own);
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

static int try_anew(struct writer *w, struct list *batch, bool careful, struct err *e)
{
        int rc;

        memset(w->db->tally, 0, sizeof(w->db->tally));
        w->db->events = 0;
        rc = commit_batch(w, batch, careful, e);
        if (rc)
                abandon(w);
        return rc;
}

static int try_batch(struct writer *w, struct list *batch, struct err *e)
{
        int rc = try_anew(w, batch, false, e);

        if (rc <= 0)
                return rc;
        list_for_each (node, batch)
                forget_error(container_of(node, struct store_job, link));
        return try_anew(w, batch, true, e);
}

/* The disk is full. Says whether that is news: there is room then that was not there before. */
static bool give_ballast(struct writer *w)
{
        if (w->full)
                return false;
        w->full = true;
        KILLPOINT("ballast.give");
        ballast_give(w->files->dir, w->files->names[FILE_LOG]);
        KILLPOINT("ballast.given");
        log_error("store.full", "detail=%s",
                  log_quote("the disk is full: starts are refused, exits are recorded in the ballast"));
        return true;
}

/* On a disk that was found to be full, until there is room for the ballast again. */
static void take_ballast(struct writer *w)
{
        if (!w->full || !ballast_take(w->files->dir))
                return;
        KILLPOINT("ballast.taken");
        w->full = false;
        log_info("store.has_room", "ballast=%d", BALLAST_BYTES);
}

/* What is written to a file without a name is lost with this process. */
static int check_files(struct writer *w, struct err *e)
{
        int rc = files_check(w->files, e);

        if (rc < 0 && !w->gone)
                log_error("store.gone", "error=%s detail=%s", log_quote(e->msg),
                          log_quote("nothing is recorded until it is back where it was"));
        if (rc == 0 && w->gone)
                log_info("store.back", "database=%s", log_quote(w->files->paths[FILE_DATABASE]));
        w->gone = rc < 0;
        return rc;
}

/* Once more, if there is room then, and without those that can wait. */
static int commit_or_make_room(struct writer *w, struct list *batch, struct err *e)
{
        if (try_batch(w, batch, e) == 0)
                return 0;
        if (e->kind != ERR_FULL || !give_ballast(w))
                return -1;
        list_for_each (node, batch)
                forget_error(container_of(node, struct store_job, link));
        *e = (struct err){0};
        return try_batch(w, batch, e);
}

/* There are new events: say so once for all of a batch. A join tells none. */
static void tell_watchers(struct writer *w)
{
        if (w->changed && (w->db->events || w->db->tally[TALLY_JOINED]))
                w->changed(w->changed_arg);
        if (!w->db->events)
                return;
        pthread_mutex_lock(&w->watch_lock);
        if (w->watcher)
                w->watcher(w->watcher_arg);
        pthread_mutex_unlock(&w->watch_lock);
}

static void write_batch(struct writer *w, struct list *batch)
{
        struct err e = {0};
        bool was_dead = w->dead;

        list_for_each (node, batch)
                container_of(node, struct store_job, link)->err = NULL;
        if (w->dead)
                err_set(&e, ERR_UNAVAILABLE, 0, "the database cannot be written");
        else if (check_files(w, &e) == 0 && commit_or_make_room(w, batch, &e) < 0)
                log_error("store.commit_failed", "error=%s", log_quote(e.msg));
        if (e.kind != ERR_NONE)
                counter_add(&w->stats.failed, 1);
        finish_batch(batch, e.kind == ERR_NONE ? NULL : &e);
        KILLPOINT("commit.told");
        if (e.kind == ERR_NONE)
                tell_watchers(w);
        if (w->dead && !was_dead)
                w->fatal(w->fatal_arg);
}

static void sleep_until(struct writer *w, int64_t us)
{
        struct timespec ts = {.tv_sec = us / CLOCK_US_PER_S, .tv_nsec = us % CLOCK_US_PER_S * 1000};

        pthread_cond_timedwait(&w->wake, &w->lock, &ts);
}

/* Sleeps until there is something to do. While the disk is full, that is to look for room. */
static void sleep_on_queue(struct writer *w)
{
        int64_t look = w->full ? clock_mono_us() + LOOK_FOR_ROOM_MS * 1000 : INT64_MAX;

        while (!w->hurry && !w->stopping) {
                int64_t until = list_empty(&w->queue) || w->patient_until > look ? look : w->patient_until;

                if (until == INT64_MAX)
                        pthread_cond_wait(&w->wake, &w->lock);
                else if (clock_mono_us() < until)
                        sleep_until(w, until);
                else
                        return;
        }
}

/* In a crowd, lets more come. One client alone never waits here. */
static void gather(struct writer *w)
{
        int64_t until = clock_mono_us() + GATHER_US;

        if (w->last_n < CROWD || w->full || list_empty(&w->queue))
                return;
        while (!w->stopping && clock_mono_us() < until)
                sleep_until(w, until);
}

/* Takes what there is to do, at most as much as makes a good batch. False when it is time to end. */
static bool next_batch(struct writer *w, struct list *batch, bool *more)
{
        int max = w->full ? BATCH_MAX_FULL : BATCH_MAX, n;
        bool ends;

        list_init(batch);
        pthread_mutex_lock(&w->lock);
        sleep_on_queue(w);
        gather(w);
        for (n = 0; n < max && !list_empty(&w->queue); n++)
                list_append(batch, list_pop(&w->queue));
        *more = !list_empty(&w->queue);
        w->hurry = *more;
        w->last_n = n;
        ends = w->stopping;
        pthread_mutex_unlock(&w->lock);
        return !list_empty(batch) || !ends;
}

static bool is_idle(struct writer *w)
{
        bool idle;

        pthread_mutex_lock(&w->lock);
        idle = list_empty(&w->queue);
        pthread_mutex_unlock(&w->lock);
        return idle;
}

/* A log of @frames, @done of which are in the database: the rest is what some reader still looks behind. */
static void watch_log(struct writer *w, int frames, int done)
{
        if (frames <= done || frames < HELD_FRAMES) {
                w->held_frames = 0;
        } else if (frames >= 2 * w->held_frames) {
                w->held_frames = frames;
                log_warn("store.log_held", "bytes=%" PRId64 " detail=%s", (int64_t)frames * FRAME_BYTES,
                         log_quote("another program reads the database for so long that its log grows"));
        }
}

static bool wants_checkpoint(struct writer *w)
{
        int frames = w->db->wal_frames;

        if (w->dead || w->gone)
                return false;
        if (w->full)
                return frames >= CHECKPOINT_FRAMES_FULL;
        return frames >= CHECKPOINT_FRAMES_MUST || (frames >= CHECKPOINT_FRAMES && is_idle(w));
}

static void checkpoint(struct writer *w)
{
        int frames = 0, done = 0, rc;

        if (!wants_checkpoint(w))
                return;
        KILLPOINT("checkpoint");
        /* Busy readers make it partial: the next one goes on. A failure here loses nothing: the log stays. */
        rc = sqlite3_wal_checkpoint_v2(w->db->sqlite, NULL, SQLITE_CHECKPOINT_PASSIVE, &frames, &done);
        if (rc == SQLITE_OK)
                watch_log(w, frames, done);
        else if (rc != SQLITE_FULL || !give_ballast(w))
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
                take_ballast(w);
                if (!list_empty(&batch))
                        write_batch(w, &batch);
                if (!more || w->full)
                        checkpoint(w);
        }
        return NULL;
}

int writer_start(struct db *db, const struct files *files, const struct store_config *c, struct writer **out,
                 struct err *e)
{
        struct writer *w = calloc(1, sizeof(*w));
        pthread_condattr_t attr;
        int rc;

        if (!w)
                return err_set(e, ERR_UNAVAILABLE, 0, "out of memory");
        w->db = db;
        w->files = files;
        w->full = !ballast_is_held(files->dir);
        w->fatal = c->fatal;
        w->fatal_arg = c->fatal_arg;
        w->changed = c->changed;
        w->changed_arg = c->changed_arg;
        list_init(&w->queue);
        pthread_mutex_init(&w->lock, NULL);
        pthread_mutex_init(&w->watch_lock, NULL);
        pthread_condattr_init(&attr);
        pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        pthread_cond_init(&w->wake, &attr);
        pthread_condattr_destroy(&attr);
        rc = pthread_create(&w->thread, NULL, writer_main, w);
        if (rc) {
                free(w);
                return err_set(e, ERR_INTERNAL, rc, "starting the writer");
        }
        *out = w;
        return 0;
}

/* Under the lock. Whether the writer sleeps, and longer than is right now. */
static bool append(struct writer *w, struct store_job *job)
{
        bool wake = job->patient ? list_empty(&w->queue) : !w->hurry;

        if (job->patient && wake)
                w->patient_until = clock_mono_us() + PATIENCE_US;
        w->hurry = w->hurry || !job->patient;
        list_append(&w->queue, &job->link);
        return wake;
}

void writer_submit(struct writer *w, struct store_job *job)
{
        bool wake;

        pthread_mutex_lock(&w->lock);
        wake = append(w, job);
        pthread_mutex_unlock(&w->lock);
        if (wake)
                pthread_cond_signal(&w->wake);
}

void writer_submit_all(struct writer *w, struct list *jobs)
{
        struct list *node;

        pthread_mutex_lock(&w->lock);
        while ((node = list_pop(jobs)))
                append(w, container_of(node, struct store_job, link));
        pthread_mutex_unlock(&w->lock);
        pthread_cond_signal(&w->wake);
}

void writer_hurry(struct writer *w)
{
        bool wake;

        pthread_mutex_lock(&w->lock);
        wake = !w->hurry && !list_empty(&w->queue);
        w->hurry = w->hurry || wake;
        pthread_mutex_unlock(&w->lock);
        if (wake)
                pthread_cond_signal(&w->wake);
}

void writer_watch(struct writer *w, void (*watcher)(void *), void *arg)
{
        pthread_mutex_lock(&w->watch_lock);
        w->watcher = watcher;
        w->watcher_arg = arg;
        pthread_mutex_unlock(&w->watch_lock);
}

const struct store_stats *writer_stats(const struct writer *w)
{
        return &w->stats;
}

unsigned writer_troubles(struct writer *w)
{
        return (w->full ? STORE_FULL : 0U) | (w->held_frames ? STORE_HELD : 0U);
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
        pthread_mutex_destroy(&w->watch_lock);
        pthread_cond_destroy(&w->wake);
        free(w);
}
