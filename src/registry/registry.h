/* SPDX-License-Identifier: MIT */
/* registry/registry.h
 * The registry: start, join, terminate, kill, close, active_children, with the semantics of CPython's
 * multiprocessing.Process, durable.
 *
 * Who waits holds a ticket. A function that takes a ticket returns
 *     0   done: the ticket holds the result; ->done is not called;
 *     1   pending: ->done will be called exactly once, from any thread, with no lock held (or never, if
 *         registry_cancel() returns true). It may be called before the function has returned;
 *    -1   failed: the ticket's err is set; ->done is not called.
 * A pending operation that fails sets err.kind != ERR_NONE before ->done.
 *
 * Rules of visibility: what a caller may not see does not exist (ERR_NOT_FOUND).
 *
 * Threads: all functions from any thread, but registry_open() and registry_shut().
 */
#ifndef CRECHE_REGISTRY_REGISTRY_H
#define CRECHE_REGISTRY_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/histogram.h"
#include "base/list.h"
#include "base/timers.h"
#include "model/caller.h"
#include "model/event.h"
#include "model/filter.h"
#include "model/process.h"
#include "model/spec.h"

struct registry;
struct child;
struct ticket;

/* Called with each process that is to be shown; @p is valid during the call only, and a lock may be held:
 * copy what you need, block on nothing. */
typedef void (*process_show_fn)(const struct process *p, void *arg);

/* One wait of a ticket for one process. The registry's own. */
struct waiter {
        struct list link; /* in child->waiters */
        struct ticket *ticket;
        struct child *child; /* a reference; NULL: not waiting */
        struct child
                *seen;  /* a reference to what there is to show, in no table any more; NULL: look for it */
        size_t index;   /* which of the ids of a join of many */
        bool for_start; /* until its start is over, not until its end */
        bool joins;     /* the end counts as joined */
};

struct ticket {
        void (*done)(struct ticket *t); /* set by the owner before it is handed in */

        /* The result. */
        struct err err;
        int64_t id;     /* the process that it is about */
        bool replayed;  /* registry_create(): the Idempotency-Key named a process that existed */
        bool replaced;  /* registry_target_put(): there was one of that name */
        bool delivered; /* registry_signal(): the signal was sent */
        bool ended;     /* registry_wait(), _join(): it has ended, in time */
        bool *ready;    /* registry_join_many(): which of the ids have ended; freed by ticket_done() */

        /* The registry's own. */
        struct registry *registry;
        struct waiter one, *many;
        size_t many_n, many_left;
        bool many_any;
        int64_t *joined; /* of many: the processes that have been joined by this */
        size_t joined_n;
        size_t seen_bytes; /* of many: of the records that are kept to be shown */
        struct timer timer;
        struct list link; /* in the list of those to be finished, or of settlers */
        int64_t since_us; /* a join or a wait waits since; 0: it does not */
        bool waiting;     /* under the registry's lock: neither finished nor cancelled */
};

/** Prepare @t (any content) for a call. */
void ticket_init(struct ticket *t, void (*done)(struct ticket *t));
/** Release what @t holds. It must not be pending. */
void ticket_done(struct ticket *t);

/* An Idempotency-Key: the caller's key, and a fingerprint of the request that goes with it. */
struct idempotency {
        const char *key; /* up to 255 bytes */
        unsigned char fingerprint[32];
};

/**
 * Process(...) and, when @spec->start, .start().
 *
 * @spec is taken, whatever is returned. @body: the request as JSON, kept while the process is `initial` so
 * that it can be started later; NULL when @spec->start. @idem may be NULL.
 *
 * With @spec->target, argv was made from that target; a caller who is limited to some must be allowed that one, else
 * ERR_FORBIDDEN.
 *
 * Done when the process runs its program or has failed to: ERR_EXEC_FAILED is a recorded process (t->id) in
 * state `failed`. ERR_DAEMON_NO_CHILDREN, ERR_INVALID (user, group, identity), ERR_TRY_AGAIN (the kernel's
 * limits; no process is left behind), ERR_FULL, ERR_STOPPING, ERR_IDEMPOTENCY_MISMATCH, ERR_UNAVAILABLE.
 */
int registry_create(struct registry *r, const struct caller *who, struct spec *spec, const char *body,
                    const struct idempotency *idem, struct ticket *t);

/** The repeat of a request that cannot be made any more, because its target is another one by now: done with the process
 * that @idem names, as registry_create() would; one that never ran, and a new key, is told @refusal. */
int registry_repeat(struct registry *r, const struct caller *who, const struct idempotency *idem,
                    const struct err *refusal, struct ticket *t);

/* One of many that are created together. */
struct creation {
        struct spec *spec; /* taken; NULL: it has been refused, refusal says why */
        const char *body;  /* as for registry_create() */
        struct err refusal;
        bool may_repeat; /* refused, but under a key it is told what it once made: see registry_repeat() */

        /* The result, as that of registry_create(): of this one. */
        struct ticket ticket;

        /* The registry's own. */
        struct batch_op *within;
        struct start_op *op;
};

struct batch {
        struct creation *items; /* the owner's, until the ticket is done */
        size_t n;
        bool all; /* all of them or none */

        /* The result. */
        bool none;      /* with @all: none is there; items[refused].ticket.err says why */
        size_t refused; /* the first that was */
};

/**
 * registry_create() of each of @b, in this order, in one commit unless others were at the writer before.
 *
 * With @b->all, one that is refused, now or in the transaction, refuses all: no row is there. Once their rows are durable
 * there is no way back: one that cannot be cloned then, for want of memory or because the server stops, stays, as
 * `failed` (ERR_EXEC_FAILED). Without, each goes its own way.
 *
 * @idem: of the whole; a repeat finds the same processes. Done when each is; the ticket itself has no err: each item has.
 * Returns -1 only for want of memory.
 */
int registry_create_many(struct registry *r, const struct caller *who, struct batch *b,
                         const struct idempotency *idem, struct ticket *t);

/** The request that created the `initial` process @id, as malloc()ed JSON in @body. ERR_NOT_FOUND;
 * ERR_ALREADY_STARTED ("cannot start a process twice", or @again's text when not NULL); ERR_CLOSED;
 * ERR_NEEDS_REPEAT. */
int registry_request(struct registry *r, const struct caller *who, int64_t id, const char *again, char **body,
                     struct err *e);

/** .start() of the `initial` process @id. @spec (taken) is its request, from registry_request(). As
 * registry_create(), and ERR_CLOSED, ERR_ALREADY_STARTED, ERR_NOT_CREATOR, in CPython's order. Its target is what it was
 * created from. */
int registry_start(struct registry *r, const struct caller *who, int64_t id, struct spec *spec,
                   struct ticket *t);

/** Give @id a new name; with @spec (taken) and @body (both or neither) also a new request: `initial` only,
 * else ERR_ALREADY_STARTED "process has already started". @name NULL: as it is. ERR_NOT_FOUND; ERR_INVALID: a new request
 * for one that was made from a target; ERR_FORBIDDEN: the caller is limited to others. */
int registry_update(struct registry *r, const struct caller *who, int64_t id, const char *name,
                    struct spec *spec, const char *body, struct ticket *t);

/** Wait until @id has ended or @timeout_us passed (0: is its end known by now? < 0: for ever). t->ended.
 * A process that is not running yet (initial) is waited for as well. ERR_NOT_FOUND, ERR_STOPPING. */
int registry_wait(struct registry *r, const struct caller *who, int64_t id, int64_t timeout_us,
                  struct ticket *t);

/** .join(): as registry_wait(), for the parent of @id, and the process counts as joined. ERR_CLOSED,
 * ERR_NOT_PARENT, ERR_NOT_STARTED. */
int registry_join(struct registry *r, const struct caller *who, int64_t id, int64_t timeout_us,
                  struct ticket *t);

/** connection.wait(): until any (or all) of the @n processes @ids have ended. t->ready[i]. Those whose parent
 * the caller is count as joined when they are ready. ERR_NOT_FOUND; ERR_NOT_STARTED when one is `initial`,
 * ERR_CLOSED when one is closed. */
int registry_join_many(struct registry *r, const struct caller *who, const int64_t *ids, size_t n, bool any,
                       int64_t timeout_us, struct ticket *t);

/** Give up a pending wait. True: it will not be done, and @t is the owner's again. False: ->done has been
 * or is being called. */
bool registry_cancel(struct registry *r, struct ticket *t);

/** Done when each exit that has happened by now is recorded: what lists and active_children ask first. */
int registry_settle(struct registry *r, struct ticket *t);

/** Send @signo: terminate, kill, interrupt, signal; @verb says which in requested_by. @tree: to all in
 * its control group, though it has ended itself; where it has none, to its process group. terminate and
 * interrupt wake who is stopped. t->delivered false: there was nobody. ERR_NOT_FOUND, ERR_NOT_STARTED,
 * ERR_CLOSED. */
int registry_signal(struct registry *r, const struct caller *who, int64_t id, int signo, const char *verb,
                    bool tree, struct ticket *t);

/** .close(). ERR_NOT_FOUND; ERR_STILL_RUNNING. Closing again does nothing. */
int registry_close(struct registry *r, const struct caller *who, int64_t id, struct ticket *t);

/** close() and forget: the row and its logs, not its events. ERR_NOT_FOUND; ERR_STILL_RUNNING. */
int registry_delete(struct registry *r, const struct caller *who, int64_t id, struct ticket *t);

/** Show @id as it is now. Returns 0, or -1: ERR_NOT_FOUND. */
int registry_show(struct registry *r, const struct caller *who, int64_t id, process_show_fn show, void *arg,
                  struct err *e);

/** The same of @id, which is the @i-th (0) that @t has waited for: as it was when the wait was over, if that is known. */
int registry_show_waited(struct registry *r, const struct caller *who, const struct ticket *t, size_t i,
                         int64_t id, process_show_fn show, void *arg, struct err *e);

/** Show a page of processes in the order of the filter. Returns 1 when there are more, 0 when not. After
 * registry_settle(). */
int registry_list(struct registry *r, const struct caller *who, const struct process_filter *f,
                  process_show_fn show, void *arg, struct err *e);

/** Show the started children of the caller, never grandchildren, oldest first. After registry_settle(). */
int registry_active_children(struct registry *r, const struct caller *who, process_show_fn show, void *arg,
                             struct err *e);

typedef void (*event_show_fn)(const struct event *ev, void *arg);

/** Show a page of events; see store_events(). Each is durable. */
int registry_events(struct registry *r, const struct caller *who, const struct event_filter *f,
                    struct event_page *page, event_show_fn show, void *arg, struct err *e);

/** See store_watch(). */
void registry_watch(struct registry *r, void (*watcher)(void *), void *arg);

/** Take a snapshot of the database into the file *@fd, which is the caller's when the ticket is done; he calls
 * registry_backup_fetched() when he has closed it, if this returned 1. ERR_TOO_MANY: another one has not been
 * fetched yet. ERR_FULL, ERR_STOPPING, ERR_TRY_AGAIN, ERR_UNAVAILABLE. Cannot be cancelled. */
int registry_backup(struct registry *r, int *fd, struct ticket *t);
void registry_backup_fetched(struct registry *r);

/** The caller whose authkey is @token, or to whom it was minted. ERR_UNAUTHENTICATED: it is neither, or its process
 * has ended; ERR_TOKEN_EXPIRED, ERR_TOKEN_REVOKED. */
int registry_authenticate(struct registry *r, const char *token, struct caller *who, struct err *e);

/** Fingerprint of a request body for struct idempotency: keyed, so that it tells nothing of secrets in it. */
void registry_fingerprint(struct registry *r, const void *body, size_t n, unsigned char out[32]);

/** A duplicate of the writing end of @id's standard input, non-blocking, the caller's. ERR_NOT_FOUND,
 * ERR_NOT_STARTED, ERR_STOPPED, ERR_CLOSED, ERR_NO_STDIN; ERR_FORBIDDEN: the caller is limited to other targets. */
int registry_stdin(struct registry *r, const struct caller *who, int64_t id, struct err *e);
/** Close it: the child reads end of file once the duplicates are closed as well. */
int registry_stdin_close(struct registry *r, const struct caller *who, int64_t id, struct err *e);

struct registry_info {
        int64_t counts[PROCESS_STATE_COUNT];
        char instance[40]; /* of the database */
        char boot_id[40];
        int init_pid;         /* 0: creche-init is gone (degraded) */
        size_t active;        /* processes that run or are being started */
        size_t unwritten;     /* processes whose end could not be written yet */
        bool leaves;          /* each process has a control group of its own */
        bool tell_oom;        /* ... which tells whether it was killed for want of memory */
        char user[64];        /* ours; of a number without a name, the number */
        bool separated;       /* we have given up the rights of root, and our forkserver has them */
        bool forkserver_dead; /* ... but it has died: nothing can be started */
        bool disk_full, database_gone, log_held; /* see enum store_trouble */
        bool stopping;
};

int registry_info(struct registry *r, struct registry_info *info, struct err *e);

/* What has happened since the registry was opened. Times are of histogram_time. */
struct registry_stats {
        counter starts[START_METHOD_COUNT]; /* that came to run their program */
        counter ends[EXIT_REASON_COUNT];    /* recorded */
        counter orphans;                    /* zombies of nobody, reaped */
        counter retired;                    /* processes that went when they were old enough, or too many */
        counter retired_events;
        counter output[STREAM_COUNT];  /* bytes, of processes that have ended */
        struct histogram start_us;     /* from the request to the running program */
        struct histogram join_us;      /* joins and waits that had to wait */
        _Atomic int64_t joins_waiting; /* now */
};

/** Both live as long as @r does. */
const struct registry_stats *registry_stats(const struct registry *r);
const struct store_stats *registry_store_stats(const struct registry *r);

#endif
