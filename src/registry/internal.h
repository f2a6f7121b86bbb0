/* SPDX-License-Identifier: MIT */
/* registry/internal.h
 * What the files of registry/ share. See registry.h for what the folder is for.
 *
 *   children.c   the table of active children
 *   waiters.c    tickets that wait: joins, any/all
 *   settle.c     tickets that wait for all exits that have happened to be recorded
 *   create.c     create and start: from a request to a row
 *   batch.c      many of them in one transaction
 *   starters.c   the threads that clone
 *   outcome.c    what came of it: it runs, it failed, it never was
 *   exits.c      the one terminal transition: seen, recorded, told, reaped (in this order)
 *   reaper.c     the thread that sees: epoll over pidfds, peers and timers
 *   peers.c      creche-init and the forkservers, parents of children that are not ours
 *   control.c    signals, close, delete, rename
 *   stdin.c      the standard input
 *   views.c      show, list, active_children
 *   recover.c    what the last daemon left
 *   anew.c       what a daemon finds that has executed itself anew
 *   tokens.c     tokens that are minted; token_table.c: those that may be used
 *   targets.c    named targets
 *   audit.c      the audit trail
 *   backup.c     snapshots of the database
 *   retention.c  what is over goes, when it is old enough
 *   registry.c   open, shut, authkeys
 *
 * One lock, registry->lock, guards the table, the records in it, the waiters, the timers and the outbox. It
 * is never held across a commit or a system call that can block, and no callback of a ticket is made
 * under it: tickets that are done are collected in a list and finished after it is released.
 */
#ifndef CRECHE_REGISTRY_INTERNAL_H
#define CRECHE_REGISTRY_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/zombie.h"
#include "registry/lifecycle.h"
#include "registry/registry.h"
#include "registry/token_table.h"
#include "start/account.h"
#include "start/forkserver.h"
#include "start/journal.h"
#include "start/leaves.h"
#include "start/start.h"
#include "store/audit.h"
#include "store/records.h"
#include "store/store.h"

enum {
        BUCKETS = 16384, /* of the tables by id and by pid */
        STARTERS = 2,    /* two scale almost linearly on two cores; each blocks until its child has exec'ed */
        SECRET_BYTES = 32,
        AUDIT_DETAIL_MAX = 32,
        FORKSERVERS_MAX = 8, /* alive or dying at the same time */
};

/* Who is the parent of a child in the kernel's eyes: whom its exit status is to be asked of. */
enum { PEER_SELF = 0, PEER_INIT = 1, PEER_NOBODY = 2, PEER_FORKSERVER = 3 /* + its generation */ };

/* A dead child whose end cannot be recorded (a full disk) must not hold back those who only ask. */
#define SETTLE_MAX_US (2 * CLOCK_US_PER_S)

/* What could not be written is tried again after this. */
#define RETRY_US CLOCK_US_PER_S

/* What an epoll event is about. */
enum source_kind { SOURCE_CHILD, SOURCE_PEER, SOURCE_WAKE, SOURCE_LEAVES, SOURCE_STRAY };

struct source {
        enum source_kind kind;
};

/* A process that is being started, runs, or has ended without this being recorded yet; and, while somebody
 * waits for it, one that is only created. Counted: the table, each waiter, each job holds a reference. */
struct child {
        struct source source;
        atomic_int refs;
        struct registry *registry;
        struct process rec; /* owns its strings; after exit_seen, what record_ended() writes is left alone */
        struct child *id_next, *pid_next; /* in the tables */
        struct list all;                  /* in the order of their ids, nearly */
        int pidfd;                        /* -1: none */
        uint32_t peer;
        bool in_table, in_pids;
        bool durable; /* its row is; until then the table knows it so that nobody takes it for one that has ended */
        bool watched;          /* its pidfd is in the reaper's epoll */
        bool exit_seen;        /* it is dead; its end is asked for or being recorded */
        bool unwritten;        /* its end could not be written yet; it is counted */
        bool undone;           /* it never existed, which is still to be recorded */
        bool unreaped;         /* a parent that is not ours leaves it as a zombie */
        bool told;             /* its parent has told how it ended, or cannot any more */
        bool kept_stdin;       /* creche-init holds a duplicate */
        bool started_with_end; /* the writer's: its start is recorded with its end */
        bool ended_before; /* the row had an end already, which may not be the one in rec to the microsecond */
        unsigned epoch;    /* of settling, when exit_seen */
        int stdin_fd;      /* -1: none */
        struct journal_slot *slot;     /* until its start is recorded */
        struct journal_slot *unexeced; /* of an adopted one that had not exec'ed; never changes */
        char *stdin_by;                /* who opened it last */
        struct list waiters;
        struct timer timer; /* timeout, then grace; or the next try to record its end */
        struct store_job started, ended;
        struct process *end; /* while its end is being recorded: a copy of rec, whose strings are rec's */
        struct list reap;    /* in registry->reap */
};

/* The socket to a parent that speaks the zombie protocol. */
struct peer {
        struct source source;
        uint32_t number; /* PEER_INIT, or PEER_FORKSERVER + generation; 0: this place is free */
        int fd;
        pid_t pid; /* a forkserver's: our child */
        int pidfd; /* the same */
        bool full; /* waiting for room to send */
};

/* The thread that takes a backup, and for whom. Under the lock, but for stop. */
struct backup {
        struct registry *registry;
        struct ticket *ticket;
        int *fd; /* where the file goes */
        pthread_t thread;
        bool runs;        /* the thread is there to be joined */
        bool taken;       /* it is being taken, or its file is still there */
        atomic_bool stop; /* it shall end */
};

/* The thread that lets go what is over. Under its own lock, which is never held while another is taken. */
struct sweeper {
        pthread_mutex_t lock;
        pthread_cond_t wake;
        pthread_t thread;
        bool runs, ends;
        int64_t due_us; /* clock_mono_us(): when it looks next; INT64_MAX: when it is told to */
        bool written;   /* the transaction that it waits for is over */
        struct retention_clock clock;
};

struct registry {
        struct registry_config config;
        struct store *store;
        struct journal *journal;
        struct forkserver *forkserver;
        struct leaves *leaves;  /* NULL: there are none */
        struct account account; /* the daemon's own */
        struct boot boot;
        struct token_table tokens; /* a lock of its own */
        _Atomic int64_t next_id;
        pid_t init_pid;
        struct registry_stats stats;
        struct backup backup;
        struct sweeper sweeper;

        pthread_mutex_t lock;
        struct child *by_id[BUCKETS], *by_pid[BUCKETS];
        struct list all;
        size_t all_n;
        struct timers timers;
        bool stopping, shut;
        size_t on_parent_death_n; /* children that want to know */
        size_t unwritten;         /* children of which this is true */
        bool seek_orphans;        /* the reaper's: one of those may stand before them */
        int all_signo; /* what registry_signal_all() sent last, and whether to daemonic ones only */
        bool all_daemonic;
        _Atomic size_t starts_outside; /* starts that were let in and are not in the table yet */
        int ended_fd;

        /* Settling: exits seen but not recorded, in two epochs, and who waits for them. */
        unsigned epoch;
        size_t unrecorded[2];
        struct list settlers[2], settlers_new, settlers_heard;

        /* The reaper's. */
        pthread_t reaper;
        bool reaper_runs;
        int epfd, wakefd;
        struct source wake_source, leaves_source;
        _Atomic int64_t sleeping_until; /* the deadline that the reaper sleeps towards */
        struct list reap;               /* under the lock: recorded, to be reaped */
        struct list outbox;             /* for peers */
        struct list strays;             /* see anew.c */
        struct peer init, forkservers[FORKSERVERS_MAX];

        /* The starters'. */
        struct bootstrap_parent parent; /* never changes */
        pthread_t starters[STARTERS];
        struct starter starter[STARTERS];
        int starters_n;
        pthread_mutex_t queue_lock;
        pthread_cond_t queue_wake;
        struct list queue;
        bool queue_ends;
};

/* children.c */
struct child *child_new(struct registry *r);
struct child *child_ref(struct child *c);
void child_unref(struct child *c);
void child_unrefp(struct child **c);
/* All of these under the lock. */
/* Send @signo to @c, which has a pidfd; one that asks for the end wakes it, if it is stopped, to hear it. */
bool child_signal(struct child *c, int signo);
/* Is @c dead, recorded or not? Asks the kernel. */
bool child_is_dead(struct child *c);
struct child *table_find(struct registry *r, int64_t id);
struct child *table_find_pid(struct registry *r, pid_t pid);
void table_insert(struct registry *r, struct child *c);
void table_insert_pid(struct registry *r, struct child *c);
void table_remove(struct registry *r, struct child *c);
/* References to all children for which @wants (NULL: all) says so; @n set; NULL: none or out of memory. */
struct child **table_snapshot(struct registry *r, bool (*wants)(const struct child *c, const void *arg),
                              const void *arg, size_t *n);

/* waiters.c */
/* Under the lock: @c has started or failed to, or has ended. Tickets that are done go to @done. */
void waiters_started(struct child *c, struct list *done);
void waiters_ended(struct child *c, struct list *done);
/* Under the lock: who waits for @c, or only for its start, is told @e. */
void waiters_refuse(struct child *c, bool starts_only, const struct err *e, struct list *done);
/* Under the lock: who waited for @from waits for @to. @from stays referenced by the caller. */
void waiters_move(struct child *from, struct child *to);
/* Without the lock: call their ->done. */
void tickets_finish(struct list *done);
/* Under the lock: @t waits for the start of @c to be over. */
void ticket_await_start(struct ticket *t, struct child *c);
/* Under the lock: set a timer and see that the reaper wakes for it. */
int registry_set_timer(struct registry *r, struct timer *timer, int64_t at_us);
/* Under the lock: @t begins to wait, for at most @timeout_us (< 0: for ever); it is done, and goes to @done. */
void ticket_attach(struct registry *r, struct ticket *t, int64_t timeout_us);
void ticket_complete(struct ticket *t, struct list *done);

/* settle.c */
/* Under the lock. */
void settle_seen(struct registry *r, struct child *c);
/** Under the lock: somebody waits for what has been seen. */
bool settle_is_awaited(const struct registry *r);
void settle_recorded(struct registry *r, struct child *c, struct list *done);
/* Under the lock, by the reaper: before it looks for what there is to see, and when it has seen all of that.
 * True: somebody waits for this. */
bool settle_heard(struct registry *r);
void settle_drained(struct registry *r, struct list *done);

/* views.c */
/* The record of @id, visible to @who: a copy from the table or the database. */
struct process *registry_find(struct registry *r, const struct caller *who, int64_t id, struct err *e);

/* create.c / starters.c */
/* As whom @s shall run, and with which privileges, if @who may say so; @s is told what it inherits. */
int registry_resolve_account(struct registry *r, const struct caller *who, struct spec *s, struct account *a,
                             struct err *e);

/* A start on its way from the request to the process. */
struct start_op {
        struct store_job job;
        struct list link; /* in the starters' queue */
        struct registry *registry;
        struct child *child;
        struct spec *spec;
        struct account account;
        struct actor actor;
        struct ticket *ticket;
        char *request; /* JSON: of a created process */
        char *key;     /* Idempotency-Key; NULL: none */
        int64_t id;    /* of the row that it makes, if it makes one */
        unsigned char fingerprint[32];
        struct record_key existing; /* what the key names already; id 0: nothing */
        bool claimed;               /* ... and we start it */
        bool repeats_only;          /* what the key names is told, and nothing started ... */
        struct err refusal;         /* ... but who asks for something new is told this */
        char parent_identity[CALLER_SUBTREE_MAX];
        bool was_initial;   /* it was created before, and stays if it cannot be cloned */
        bool stays;         /* if it cannot be cloned its row says so, instead of being taken back */
        bool counted;       /* in registry->starts_outside */
        struct timer timer; /* the next try to undo it */
        struct journal_slot *slot;
        int64_t begun_us; /* clock_mono_us() */
        struct err err;
};

int starters_begin(struct registry *r, struct err *e);
void starters_end(struct registry *r);
void starters_queue(struct registry *r, struct start_op *op);
/* What registry_create() and registry_repeat() ask for, as far as it can be told without the database: the ->job is to be
 * submitted. NULL: t->err says why not. @spec is taken. */
struct start_op *start_op_create(struct registry *r, const struct caller *who, struct spec *spec,
                                 const char *body, const struct idempotency *idem, struct ticket *t);
struct start_op *start_op_repeat(struct registry *r, const struct caller *who, const struct idempotency *idem,
                                 const struct err *refusal, struct ticket *t);
/* The operation is over: @op and what it holds go; its ticket, if it was not told yet, is told @e (NULL: done). */
void start_op_free(struct start_op *op);
void start_op_finish(struct start_op *op, const struct err *e);
/* There will be no process after all. A created one stays what it was, and who waits for its end goes on. */
void start_op_leave_table(struct start_op *op, const struct err *e);
/* By a starter: the child exists; or it never did. @op is taken. */
void start_op_started(struct start_op *op, const struct start_result *res);
void start_op_undo(struct start_op *op, const struct err *e);
/* Under the lock: @c wants a signal when its parent dies; has it? */
void child_notice_orphaned(struct child *c);
/* While the registry stops, whoever waits for the last process looks again. */
void table_left(struct registry *r);
/* Record that @c runs. */
void child_record_start(struct child *c);
/* Arm the timeout of a child that runs. Under the lock. */
void child_arm_timeout(struct child *c, int64_t ran_us);

/* exits.c */
/* Under the lock: from now on @c is dead. False: that was known. */
bool exit_seen(struct child *c);
/** Under the lock: somebody begins to wait for its end, which may be on its way to the disk without haste. */
void exit_hurry(struct child *c);
/* Without the lock, once, of a child that is exit_seen: how it ended. Recorded, then told, then reaped. */
void exit_from_wait(struct child *c, int code, int status, const struct rusage *ru);
void exit_failed(struct child *c, enum bootstrap_stage stage, int errnum);
/* It could not be cloned, and its row stays. */
void exit_never_was(struct child *c, const struct err *why);
/* What the kernel says of one whose parent is not ours, as wait() would have. */
void exit_from_status(struct child *c, int status);
/* One of the two: what its parent says of one that was adopted. */
void exit_from_parent(struct child *c, int code, int status, const struct rusage *ru);
void exit_lost(struct child *c, const char *why); /* a static string */
/* Reap what has been recorded. By the reaper. */
void exits_reap(struct registry *r);

/* reaper.c */
int reaper_begin(struct registry *r, struct err *e);
void reaper_end(struct registry *r);
void reaper_wake(struct registry *r);
/* Watch the pidfd of @c. */
void reaper_watch(struct child *c);
void reaper_unwatch(struct child *c);

/* peers.c */
void peers_init(struct registry *r, int init_fd);
/* Hear what creche-init keeps. After recovery, before the reaper begins. */
void peers_greet(struct registry *r);
void peers_done(struct registry *r);
/* Under the lock. */
bool peer_lives(struct registry *r, uint32_t number);
void peer_post(struct registry *r, uint32_t number, enum zombie_op op, pid_t pid, int64_t id);
/* Without the lock, by the reaper. */
void peers_flush(struct registry *r);
void peer_event(struct registry *r, struct peer *p, uint32_t events);
void peers_find_orphans(struct registry *r);
void peers_forkserver_born(const struct forkserver_peer *fp, void *arg);
/* Under the lock: creche-init holds a duplicate of the stdin @fd of @id from now on, or does not any more, whenever
 * we die. Not 0: it could not be told. A creche-init that is dead holds nothing. */
int peers_keep_stdin(struct registry *r, int64_t id, int fd);
int peers_drop_stdin(struct registry *r, int64_t id);

/* recover.c */
int recover_run(struct registry *r, const struct boot *boot, struct err *e);

/* anew.c */
/* What had been recorded and was not reaped any more is; of other orphans that are ours, the reaper hears the end.
 * After recovery. */
void anew_reap(struct registry *r);
/* By the reaper. */
void anew_stray_ended(struct source *source);
void anew_forget(struct registry *r);

/* tokens.c */
int registry_tokens_load(struct registry *r, struct err *e);
/* The caller of the token @text, which begins like one. ERR_UNAUTHENTICATED, ERR_TOKEN_EXPIRED, ERR_TOKEN_REVOKED. */
int registry_token_use(struct registry *r, const char *text, struct caller *who, struct err *e);

/* audit.c */
/* Within a transaction: @a did @verb to @process. @detail: NULL, or a few words more. */
int audit_process(struct db *db, const struct actor *a, const char *verb, int64_t process, const char *detail,
                  const char *outcome, struct err *e);
/* The same where nothing else is written: nobody waits for it, and who is killed in the next milliseconds has
 * not told it. @verb, @outcome: static strings. */
void audit_note(struct registry *r, const struct actor *a, const char *verb, int64_t process,
                const char *detail, const char *outcome);

/* control.c */
/* Within a transaction: the row of @id goes, by the will of @who, if it is not running: ERR_STILL_RUNNING, ERR_NOT_FOUND.
 * @detail: for the audit trail, or NULL. */
int control_delete(struct db *db, const struct actor *who, int64_t id, const char *detail, struct err *e);
/* That is durable: what else there is of it goes. Under no lock. */
void control_deleted(struct registry *r, int64_t id);

/* retention.c */
/* Begin to remove what is due; what the last daemon was interrupted over is finished first. */
int retention_begin(struct registry *r, struct err *e);
/* Before the store is closed. */
void retention_end(struct registry *r);
/* Something happened that may be due some day: see struct store_config. @arg: the registry. */
void retention_changed(void *arg);

/* backup.c */
/* No backup is being taken any more. */
void backup_end(struct registry *r);

/* registry.c */
void registry_authkey(struct registry *r, const struct process *p, char *out, size_t size);

#endif
