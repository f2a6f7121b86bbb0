/* SPDX-License-Identifier: MIT */
/* store/store.h
 * The database of a registry: one file, SQLite in WAL mode, synchronous=FULL.
 *
 * One writer thread owns the only connection that writes, and shares an fsync among all who wait for one.
 * Readers come from a pool, see only what is committed, and never checkpoint.
 *
 * Threads: store_open() and store_close() from main, before and after all others; the rest from any.
 */
#ifndef CRECHE_STORE_STORE_H
#define CRECHE_STORE_STORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "model/caller.h"
#include "base/histogram.h"
#include "model/event.h"
#include "model/filter.h"
#include "model/process.h"

struct db;
struct store;

/* This boot of this machine and this pid namespace. */
struct boot {
        char boot_id[40];
        int64_t pid_ns;
};

/* Something to be written. The owner keeps it until ->done, which is called on the writer's thread. */
struct store_job {
        struct list link;
        /* Within the transaction. -1 with @e set: what it wrote is taken back, and it alone fails. It may be called again
         * then, when what others wrote had to be given up with it: so it changes nothing but the database, and what it
         * sets for ->enter and ->done anew each time. */
        int (*run)(struct store_job *job, struct db *db, struct err *e);
        /* All is written, and the commit is next: what others must find as soon as they can read it. ->done is called
         * whatever comes of the commit. NULL: nothing. */
        void (*enter)(struct store_job *job);
        /* @e NULL: it is durable. Otherwise nothing of it is. */
        void (*done)(struct store_job *job, const struct err *e);
        bool grows; /* it can wait for room: refused on a full disk, where the ends of what runs go first */
        bool patient; /* nobody waits for it: for some milliseconds it has no commit of its own, but that of another */
        struct err *err; /* the writer's own */
};

struct store_config {
        int dir;                 /* the folder of the database, where the ballast is, too; borrowed */
        const char *path;        /* made when it is missing */
        bool must_exist;         /* ... unless this: an earlier daemon has had it open */
        const struct boot *boot; /* borrowed during the call */
        /* Called on the writer's thread when the outcome of a COMMIT is unknown (I/O error), after its jobs have
         * been refused with ERR_UNAVAILABLE; nothing is written any more. */
        void (*fatal)(void *arg);
        void *fatal_arg;
        /* Called on the writer's thread after each commit in which something happened to a process: a state was
         * entered, it was deleted, or one that has ended was joined. Must be quick. NULL: nobody. */
        void (*changed)(void *arg);
        void *changed_arg;
};

/** Open the database, bring it up to date, and start the writer. On a full disk it opens with the room of the
 * ballast. ERR_INVALID: newer than this program, or not ours. ERR_UNAVAILABLE: it is missing, cannot be read or
 * written, or is damaged. In both cases not a byte of it was changed. ERR_FULL. ERR_TRY_AGAIN: it is locked. */
int store_open(const struct store_config *c, struct store **out, struct err *e);

/** The registry cannot be opened: what store_close() does is to leave the database file as it is. */
void store_forsake(struct store *s);

/** Write what is queued, end the writer, checkpoint, close. @s may be NULL. */
void store_close(struct store *s);

void store_submit(struct store *s, struct store_job *job);

/** The same for the list of many, by their ->link: they come to the writer together, and share a commit unless others
 * were before them. @jobs is empty then. */
void store_submit_all(struct store *s, struct list *jobs);

/** Somebody waits after all for what was submitted patiently. */
void store_hurry(struct store *s);

/** Take a consistent snapshot of the database as it is now, while the writer goes on. Blocks for as long as that
 * takes; not from two threads at once. Returns a file that has no name any more, open for reading, or -1: ERR_FULL
 * (too little room, or the disk became full meanwhile), ERR_STOPPING once *@stop is true, ERR_UNAVAILABLE. */
int store_backup(struct store *s, const atomic_bool *stop, struct err *e);

/* What is wrong with it now, and goes away by itself or when somebody mends it. */
enum store_trouble {
        STORE_FULL = 1, /* the disk is full: jobs that grow are refused */
        STORE_GONE = 2, /* its files were removed or replaced: all jobs are refused */
        STORE_HELD = 4, /* another program reads so long that the write-ahead log cannot begin anew */
};

/** Which of them there are: a set of enum store_trouble. */
unsigned store_troubles(struct store *s);

/* What the writer has done since it was started. */
struct store_stats {
        struct histogram jobs;      /* of a batch; histogram_count */
        struct histogram commit_us; /* histogram_time */
        counter failed;             /* batches of which nothing is durable */
};

/** Lives as long as @s does. */
const struct store_stats *store_stats(struct store *s);

/** The instance name of the database. Never changes. */
const char *store_instance(struct store *s);

/** The highest id ever given, as it was when the store was opened. */
int64_t store_last_id(struct store *s);

/* Reading. What is shown is valid during the call of @show only. */
typedef void (*store_show_fn)(const struct process *p, void *arg);

/** Show process @id. 0, 1: there is none, -1. */
int store_get(struct store *s, int64_t id, store_show_fn show, void *arg, struct err *e);

/** Show up to @f->limit + 1 processes that match, of those that @who may see: one more than the limit says
 * that there are more. A filter for started or starting ones shows both: the row of a process that has
 * just been started may lag behind. -1 on failure. */
int store_list(struct store *s, const struct caller *who, const struct process_filter *f, store_show_fn show,
               void *arg, struct err *e);

typedef void (*store_event_fn)(const struct event *ev, void *arg);

/** Show up to @f->limit events (0: none, @page only says what there is) of those that @who may see. A page may
 * be shorter than the limit, or empty, although there are more: it looks at a bounded number of events. All of it
 * and @page are of one moment. -1 on failure. */
int store_events(struct store *s, const struct caller *who, const struct event_filter *f,
                 struct event_page *page, store_event_fn show, void *arg, struct err *e);

/** Call @watcher(@arg) on the writer's thread after each commit that tells of events, when they can be read. One
 * at a time, and it must be quick. NULL: nobody; on return the last call is over. */
void store_watch(struct store *s, void (*watcher)(void *), void *arg);

/* A row that was open when the daemon ended. */
struct open_row {
        const struct process *process;
        bool same_boot; /* its pid belongs to this boot and pid namespace */
        bool has_key;   /* it was requested with an Idempotency-Key */
};

/** Show all rows in state started, then those in state starting, each in the order of their ids: what is known of a
 * process comes before what has to be guessed. */
int store_open_rows(struct store *s, const struct boot *boot,
                    void (*show)(const struct open_row *row, void *arg), void *arg, struct err *e);

/** The stored request of @id, malloc()ed, in @request: NULL when it has none. 0, 1: no such process, -1. */
int store_request(struct store *s, int64_t id, enum process_state *state, char **request, struct err *e);

int store_counts(struct store *s, int64_t counts[PROCESS_STATE_COUNT], struct err *e);

#endif
