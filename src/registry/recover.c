/* SPDX-License-Identifier: MIT */
/* What the last daemon left: rows that say starting or started. Each is compared with the spawn journal and
 * with the processes that there are; before anybody is served, each row is either that of a process we
 * watch, or has an end. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/killpoint.h"
#include "base/log.h"
#include "base/procfs.h"
#include "base/sys.h"
#include "registry/internal.h"

enum { MOVING_TRIES = 2000, ALONE_MAX = 256 /* for fewer no thread is worth its while */ };

struct recovery {
        struct registry *registry;
        struct err err;
        size_t adopted, ended, unstarted;
        /* Of rows that say started, not looked at yet: each is in no table. */
        struct child **found;
        size_t found_n, found_room;
        size_t first, step; /* which of them to look at */
};

static void no_memory(struct recovery *rec)
{
        err_set(&rec->err, ERR_UNAVAILABLE, 0, "out of memory");
}

struct unstarted_op {
        struct store_job job;
        int64_t id;
};

static int unstarted_run(struct store_job *job, struct db *db, struct err *e)
{
        static const struct actor creche = {.who = "creche"};
        int64_t id = container_of(job, struct unstarted_op, job)->id;
        int rc = record_unstarted(db, id, e);

        if (rc == 0)
                rc = audit_process(db, &creche, "start", id, NULL, AUDIT_UNDONE, e);
        return rc < 0 ? -1 : 0;
}

static void unstarted_done(struct store_job *job, const struct err *e)
{
        struct unstarted_op *op = container_of(job, struct unstarted_op, job);

        if (e)
                log_error("recover.failed", "id=%" PRId64 " error=%s", op->id, log_quote(e->msg));
        free(op);
}

/* It never ran, and under its Idempotency-Key its client will ask again: that request shall start it. */
static void leave_to_client(struct recovery *rec, int64_t id)
{
        struct unstarted_op *op = malloc(sizeof(*op));

        if (!op) {
                no_memory(rec);
                return;
        }
        *op = (struct unstarted_op){.job = {.run = unstarted_run, .done = unstarted_done}, .id = id};
        rec->unstarted++;
        KILLPOINT("recover.unstarted");
        store_submit(rec->registry->store, &op->job);
}

/* A child for the row @p, in no table. */
static struct child *child_of_row(struct recovery *rec, const struct process *p)
{
        struct child *c = child_new(rec->registry);

        if (!c || process_copy_packed(&c->rec, p) < 0) {
                child_unref(c);
                no_memory(rec);
                return NULL;
        }
        c->peer = PEER_NOBODY;
        c->durable = true;
        return c;
}

static void enter(struct child *c)
{
        struct registry *r = c->registry;

        pthread_mutex_lock(&r->lock);
        table_insert(r, c);
        r->on_parent_death_n += c->rec.on_parent_death != 0;
        pthread_mutex_unlock(&r->lock);
}

static void see(struct child *c)
{
        pthread_mutex_lock(&c->registry->lock);
        exit_seen(c);
        c->told = true;
        pthread_mutex_unlock(&c->registry->lock);
}

static void lose(struct recovery *rec, struct child *c, const char *why)
{
        enter(c);
        rec->ended++;
        see(c);
        KILLPOINT("recover.lost");
        exit_lost(c, why);
}

static void declare_lost(struct recovery *rec, const struct process *p, const char *why)
{
        CLEANUP(child_unrefp) struct child *c = child_of_row(rec, p);

        if (c)
                lose(rec, c, why);
}

static void declare_failed(struct recovery *rec, const struct process *p)
{
        CLEANUP(child_unrefp) struct child *c = child_of_row(rec, p);

        if (!c)
                return;
        enter(c);
        rec->ended++;
        see(c);
        KILLPOINT("recover.failed");
        exit_failed(c, STAGE_NONE, 0);
}

static int64_t ticks_to_us(uint64_t ticks)
{
        return (int64_t)(ticks * (uint64_t)CLOCK_US_PER_S / (uint64_t)sysconf(_SC_CLK_TCK));
}

/* How long ago a process began, by the clock that its start was stamped with: no jump of the wall clock
 * shortens its timeout. */
static int64_t ran_us(const struct process *p)
{
        int64_t us = clock_boot_us() - ticks_to_us(p->start_ticks);

        return us < 0 ? 0 : us;
}

/* Whom the exit status of a child of @ppid is to be asked of. Ours it is when we have executed ourselves anew. */
static uint32_t parent_of(const struct registry *r, pid_t ppid)
{
        if (ppid == getpid())
                return PEER_SELF;
        return r->init_pid && ppid == r->init_pid ? PEER_INIT : PEER_NOBODY;
}

/* Of too few files or too little memory we know nothing of the process. */
static void cannot_say(struct recovery *rec, const struct process *p)
{
        err_set(&rec->err, ERR_TRY_AGAIN, errno, "looking at process %" PRId64, p->id);
}

/* The process @pidfd is @c. A zombie is adopted as well: its parent is asked how it ended. */
static void adopt(struct recovery *rec, struct child *c, int *pidfd, const struct procfs_stat *st,
                  const struct journal_slot *slot)
{
        struct registry *r = rec->registry;
        bool unrecorded = c->rec.state == PROCESS_STARTING;

        enter(c);
        rec->adopted++;
        KILLPOINT("recover.adopt");
        c->pidfd = TAKE_FD(*pidfd);
        c->peer = parent_of(r, st->ppid);
        c->rec.start_ticks = st->start_ticks;
        c->rec.state = PROCESS_STARTED;
        if (!c->rec.started_us)
                c->rec.started_us = clock_now_us() - ran_us(&c->rec);
        if (slot && st->never_execed)
                c->unexeced = journal_keep(r->journal, slot);
        else if (slot)
                c->slot = journal_keep(r->journal, slot); /* until its start is durable */
        pthread_mutex_lock(&r->lock);
        table_insert_pid(r, c);
        child_arm_timeout(c, ran_us(&c->rec));
        pthread_mutex_unlock(&r->lock);
        if (unrecorded)
                child_record_start(c);
        if (c->rec.out == OUTPUT_LOG || c->rec.err == OUTPUT_LOG)
                logs_watch(r->config.logs, c->rec.id);
        reaper_watch(c);
        KILLPOINT("recover.adopted");
}

/* A forkserver that dies with its daemon closes its files a moment before its children move. */
static bool is_moving(const struct recovery *rec, const struct procfs_stat *st)
{
        struct procfs_stat parent;

        if (!rec->registry->init_pid || st->ppid == rec->registry->init_pid ||
            procfs_stat(st->ppid, &parent) != 0)
                return false;
        return procfs_is_named(st->ppid, FORKSERVER_NAME);
}

/* 0, 1: there is no such process, its number may be a thread's; -1. */
static int hold(pid_t pid, int *pidfd)
{
        *pidfd = pid > 0 ? sys_pidfd_open(pid, 0) : -1;
        if (*pidfd >= 0)
                return 0;
        return pid <= 0 || errno == ESRCH || errno == EINVAL || errno == ENOENT ? 1 : -1;
}

/* Held first and looked at then: who has the number and the start time of the row when it is looked at has had the
 * number ever since, and is who is held. Returns 0, 1: there is no such process; -1: nobody can say, and the recovery
 * fails. */
static int look_at(struct recovery *rec, const struct process *p, int *pidfd, struct procfs_stat *st)
{
        const struct timespec nap = {.tv_nsec = 1000 * 1000};
        int rc = hold(p->pid, pidfd);

        if (rc == 0)
                rc = procfs_stat(p->pid, st);
        for (int i = 0; i < MOVING_TRIES && rc == 0 && is_moving(rec, st); i++) {
                nanosleep(&nap, NULL);
                rc = procfs_stat(p->pid, st);
        }
        if (rc < 0)
                cannot_say(rec, p);
        return rc;
}

static bool has_owner(struct registry *r, pid_t pid)
{
        bool has;

        pthread_mutex_lock(&r->lock);
        has = table_find_pid(r, pid) != NULL;
        pthread_mutex_unlock(&r->lock);
        return has;
}

/* Whether it has its number yet, as a zombie at least: what was looked at by number after it was held is it. */
static bool is_held(int pidfd)
{
        return sys_pidfd_send_signal(pidfd, 0, 0) == 0 || errno != ESRCH;
}

/* The daemon died between the row and the record of its pid: the journal tells how far it came. */
static void recover_starting(struct recovery *rec, const struct process *row, bool has_key)
{
        struct registry *r = rec->registry;
        const struct journal_slot *slot = journal_find(r->journal, row->id);
        CLEANUP(child_unrefp) struct child *c = NULL;
        CLEANUP(closep) int pidfd = -1;
        struct process p = *row;
        struct procfs_stat st;
        int rc;

        if (!slot && journal_is_fresh(r->journal)) {
                declare_lost(rec, row, "it was being started, and the spawn journal is gone");
                return;
        }
        if (!slot || !slot->pid) {
                if (has_key)
                        leave_to_client(rec, row->id);
                else
                        declare_failed(rec, row);
                return;
        }
        p.pid = slot->pid;
        rc = look_at(rec, &p, &pidfd, &st);
        if (rc < 0)
                return;
        /* Without its start time only its parent tells a process from a stranger with the same number; and what
         * is another row's, or ourselves, is not this row's whatever a damaged journal says. */
        if (rc > 0 || !is_held(pidfd) || parent_of(r, st.ppid) == PEER_NOBODY || p.pid == getpid() ||
            has_owner(r, p.pid))
                declare_lost(rec, &p, "the daemon and creche-init were killed while it was being started");
        else if ((c = child_of_row(rec, &p)))
                adopt(rec, c, &pidfd, &st, slot);
}

static void recover_started(struct recovery *rec, struct child *c)
{
        const struct journal_slot *slot = NULL;
        CLEANUP(closep) int pidfd = -1;
        struct procfs_stat st;
        int rc = look_at(rec, &c->rec, &pidfd, &st);

        if (rc < 0)
                return;
        if (rc > 0 || st.start_ticks != c->rec.start_ticks) {
                lose(rec, c, "it ended while no process of Creche was there to see it");
                return;
        }
        /* The last daemon had adopted it before it became its program: why it could not is still to be told. */
        if (st.never_execed)
                slot = journal_find(rec->registry->journal, c->rec.id);
        adopt(rec, c, &pidfd, &st, slot);
}

/* From one thread only. */
static void say_progress(struct registry *r)
{
        if (r->config.progress)
                r->config.progress(r->config.fatal_arg);
}

static void *recover_some(void *arg)
{
        struct recovery *rec = arg;

        for (size_t i = rec->first; i < rec->found_n; i += rec->step) {
                if (rec->first == 0)
                        say_progress(rec->registry);
                recover_started(rec, rec->found[i]);
        }
        return NULL;
}

/* Every second of them by a thread of its own, at the same time. */
static void recover_in_two(struct recovery *rec)
{
        struct recovery other = *rec;
        pthread_t thread;

        other.adopted = other.ended = 0;
        other.first = 1;
        other.step = rec->step = 2;
        if (pthread_create(&thread, NULL, recover_some, &other) != 0) {
                rec->step = 1;
                recover_some(rec);
                return;
        }
        recover_some(rec);
        pthread_join(thread, NULL);
        rec->adopted += other.adopted;
        rec->ended += other.ended;
        if (rec->err.kind == ERR_NONE)
                rec->err = other.err;
}

static void forget_found(struct recovery *rec)
{
        while (rec->found_n)
                child_unref(rec->found[--rec->found_n]);
}

/* What is asked of the kernel takes most of the time of a recovery. */
static void recover_found(struct recovery *rec)
{
        rec->first = 0;
        rec->step = 1;
        if (rec->found_n > ALONE_MAX)
                recover_in_two(rec);
        else
                recover_some(rec);
        forget_found(rec);
}

static void find(struct recovery *rec, const struct process *p)
{
        struct child *c = child_of_row(rec, p);

        if (c && rec->found_n == rec->found_room) {
                size_t room = rec->found_room ? 2 * rec->found_room : 64;
                struct child **found = reallocarray(rec->found, room, sizeof(struct child *));

                if (!found) {
                        child_unref(c);
                        no_memory(rec);
                        return;
                }
                rec->found = found;
                rec->found_room = room;
        }
        if (c)
                rec->found[rec->found_n++] = c;
}

static void recover_row(const struct open_row *row, void *arg)
{
        struct recovery *rec = arg;
        const struct process *p = row->process;

        KILLPOINT("recover.row");
        say_progress(rec->registry);
        if (!row->same_boot) {
                declare_lost(rec, p, "the machine was restarted, or another one holds its database now");
        } else if (p->state == PROCESS_STARTED) {
                find(rec, p);
        } else {
                recover_found(rec); /* whose number is whose is known before it has to be guessed */
                recover_starting(rec, p, row->has_key);
        }
}

/* Each row that was open. ERR_TRY_AGAIN, when nobody can say what has become of one, and the errors of the store. */
static int recover_all(struct recovery *rec, const struct boot *boot, struct err *e)
{
        int rc = store_open_rows(rec->registry->store, boot, recover_row, rec, e);

        if (rc == 0)
                recover_found(rec);
        forget_found(rec);
        free(rec->found);
        if (rc == 0 && rec->err.kind != ERR_NONE) {
                *e = rec->err;
                rc = -1;
        }
        return rc;
}

/* The last daemon may have died between the end of a parent and the signal to its children. */
static void notice_orphaned(struct registry *r)
{
        pthread_mutex_lock(&r->lock);
        list_for_each (node, &r->all)
                child_notice_orphaned(container_of(node, struct child, all));
        pthread_mutex_unlock(&r->lock);
}

static bool is_active(int64_t id, void *arg)
{
        struct registry *r = arg;
        bool active;

        pthread_mutex_lock(&r->lock);
        active = table_find(r, id) != NULL;
        pthread_mutex_unlock(&r->lock);
        return active;
}

/* What recovery has queued is durable when this has run: the writer takes jobs in order. */
struct barrier {
        struct store_job job;
        pthread_mutex_t lock;
        pthread_cond_t wake;
        bool done;
};

static int barrier_run(struct store_job *job, struct db *db, struct err *e)
{
        (void)job;
        (void)db;
        (void)e;
        return 0;
}

static void barrier_done(struct store_job *job, const struct err *e)
{
        struct barrier *b = container_of(job, struct barrier, job);

        (void)e;
        pthread_mutex_lock(&b->lock);
        b->done = true;
        pthread_cond_signal(&b->wake);
        pthread_mutex_unlock(&b->lock);
}

static void wait_for_writer(struct registry *r)
{
        struct barrier b = {.job = {.run = barrier_run, .done = barrier_done},
                            .lock = PTHREAD_MUTEX_INITIALIZER,
                            .wake = PTHREAD_COND_INITIALIZER};

        store_submit(r->store, &b.job);
        pthread_mutex_lock(&b.lock);
        while (!b.done)
                pthread_cond_wait(&b.wake, &b.lock);
        pthread_mutex_unlock(&b.lock);
}

int recover_run(struct registry *r, const struct boot *boot, struct err *e)
{
        struct recovery rec = {.registry = r};

        if (recover_all(&rec, boot, e) < 0)
                return -1;
        KILLPOINT("recover.concluded");
        /* Whatever was concluded from the journal is durable before the journal is forgotten. */
        wait_for_writer(r);
        KILLPOINT("recover.durable");
        journal_clear(r->journal);
        notice_orphaned(r);
        /* Those who ended while nobody served have nobody else to see to their leaves. */
        leaves_sweep(r->leaves, is_active, r);
        KILLPOINT("recover.done");
        if (rec.adopted + rec.ended + rec.unstarted)
                log_info("recover.done", "adopted=%zu ended=%zu unstarted=%zu", rec.adopted, rec.ended,
                         rec.unstarted);
        return 0;
}
