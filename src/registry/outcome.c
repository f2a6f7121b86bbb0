/* SPDX-License-Identifier: MIT */
/* What a starter has to tell of a start: the child runs, it could not become its program, or it never was. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/killpoint.h"
#include "base/log.h"
#include "base/sys.h"
#include "registry/internal.h"
#include "start/deliver.h"

/* The child never existed: the row goes, or becomes again what it was. */
static int undo_run(struct store_job *job, struct db *db, struct err *e)
{
        struct start_op *op = container_of(job, struct start_op, job);
        int64_t id = op->child->rec.id;
        int rc;

        if (op->was_initial || op->claimed)
                rc = record_unstarted(db, id, e);
        else
                rc = record_discard(db, id, e);
        if (rc == 0)
                rc = audit_process(db, &op->actor, "start", id, NULL, AUDIT_UNDONE, e);
        return rc < 0 ? -1 : 0;
}

static void on_undo_again(struct timer *timer, void *done)
{
        struct start_op *op = container_of(timer, struct start_op, timer);

        (void)done;
        store_submit(op->registry->store, &op->job);
}

/* The client is told now; the row must not say `starting` for ever. */
static void undo_later(struct start_op *op)
{
        struct registry *r = op->registry;
        struct ticket *t = TAKE_PTR(op->ticket);
        struct err e = op->err;

        pthread_mutex_lock(&r->lock);
        op->child->undone = true;
        op->timer.fire = on_undo_again;
        registry_set_timer(r, &op->timer, clock_mono_us() + RETRY_US);
        pthread_mutex_unlock(&r->lock);
        if (t) {
                t->err = e;
                t->done(t);
        }
}

static void undo_done(struct store_job *job, const struct err *e)
{
        struct start_op *op = container_of(job, struct start_op, job);

        if (e) {
                log_error("process.undo_failed", "id=%" PRId64 " error=%s", op->child->rec.id,
                          log_quote(e->msg));
                undo_later(op);
                return;
        }
        KILLPOINT("start.undone");
        start_op_leave_table(op, &op->err);
        start_op_finish(op, &op->err);
}

/* Its row says that it never was: others of its batch are there because it was to be. */
static void stay(struct start_op *op, const struct err *e)
{
        CLEANUP(child_unrefp) struct child *c = child_ref(op->child);

        KILLPOINT("batch.stay");
        pthread_mutex_lock(&op->registry->lock);
        c->slot = TAKE_PTR(op->slot);
        exit_seen(c);
        c->told = true;
        ticket_await_start(op->ticket, c);
        pthread_mutex_unlock(&op->registry->lock);
        start_op_free(op);
        exit_never_was(c, e);
}

void start_op_undo(struct start_op *op, const struct err *e)
{
        struct registry *r = op->registry;
        struct child *c = op->child;

        if (op->stays) {
                stay(op, e);
                return;
        }
        op->err = *e;
        KILLPOINT("start.undo");
        pthread_mutex_lock(&r->lock);
        if (c->kept_stdin)
                peer_post(r, PEER_INIT, ZOMBIE_DROP, 0, c->rec.id);
        c->kept_stdin = false;
        pthread_mutex_unlock(&r->lock);
        logs_forget(r->config.logs, c->rec.id);
        leaves_ended(r->leaves, c->rec.id, false);
        if (op->slot)
                journal_release(op->registry->journal, TAKE_PTR(op->slot));
        op->job = (struct store_job){.run = undo_run, .done = undo_done};
        store_submit(op->registry->store, &op->job);
}

/* One that has ended already is written once, with its end, which is right behind. */
static int started_run(struct store_job *job, struct db *db, struct err *e)
{
        struct child *c = container_of(job, struct child, started);

        pthread_mutex_lock(&c->registry->lock);
        c->started_with_end = c->end;
        pthread_mutex_unlock(&c->registry->lock);
        return c->started_with_end || record_started(db, &c->rec, e) >= 0 ? 0 : -1;
}

/* A start that could not be recorded as such is recorded with the exit, which says the pid too; and a daemon
 * that comes after us finds it in the journal: so keep the slot then. */
static void started_done(struct store_job *job, const struct err *e)
{
        struct child *c = container_of(job, struct child, started);
        struct journal_slot *slot = NULL;

        pthread_mutex_lock(&c->registry->lock);
        if (!e && !c->started_with_end)
                slot = TAKE_PTR(c->slot);
        pthread_mutex_unlock(&c->registry->lock);
        KILLPOINT("start.recorded");
        if (slot)
                journal_release(c->registry->journal, slot);
        KILLPOINT("start.slot_released");
        child_unref(c);
}

static void on_grace_over(struct timer *timer, void *done)
{
        struct child *c = container_of(timer, struct child, timer);

        (void)done;
        log_info("process.killed", "id=%" PRId64 " pid=%d reason=timeout", c->rec.id, c->rec.pid);
        deliver_signal(c->pidfd, SIGKILL);
}

/* Under the lock. Who asked is in the record and goes to the disk with the exit. */
static void on_timeout(struct timer *timer, void *done)
{
        struct child *c = container_of(timer, struct child, timer);

        (void)done;
        log_info("process.terminated", "id=%" PRId64 " pid=%d reason=timeout", c->rec.id, c->rec.pid);
        free(c->rec.requested_by);
        c->rec.requested_by = strdup("timeout");
        child_signal(c, SIGTERM);
        c->timer.fire = on_grace_over;
        registry_set_timer(c->registry, &c->timer, clock_mono_us() + c->rec.grace_us);
}

void child_arm_timeout(struct child *c, int64_t ran_us)
{
        if (!c->rec.timeout_us)
                return;
        c->timer.fire = on_timeout;
        registry_set_timer(c->registry, &c->timer, clock_mono_us() + c->rec.timeout_us - ran_us);
}

/* Under the lock: the child and what the clone told about it. */
static void take_result(struct registry *r, struct child *c, struct start_op *op,
                        const struct start_result *res)
{
        c->pidfd = res->pidfd;
        c->rec.pid = res->pid;
        c->rec.start_ticks = res->start_ticks;
        c->slot = TAKE_PTR(op->slot);
        if (res->forkserver) {
                c->peer = PEER_FORKSERVER + res->forkserver;
                if (!peer_lives(r, c->peer)) /* it has died since: its children have moved */
                        c->peer = peer_lives(r, PEER_INIT) ? PEER_INIT : PEER_NOBODY;
                table_insert_pid(r, c);
        }
}

void child_record_start(struct child *c)
{
        child_ref(c);
        c->started = (struct store_job){.run = started_run, .done = started_done, .patient = true};
        store_submit(c->registry->store, &c->started);
}

/* It exists and will never run a program: its end is a failure to start. */
static void start_failed(struct start_op *op, const struct start_result *res)
{
        CLEANUP(child_unrefp) struct child *c = child_ref(op->child);
        struct pollfd p = {.fd = res->pidfd, .events = POLLIN};

        /* It is on its way out; it can be reaped when it is a zombie. */
        while (p.fd >= 0 && poll(&p, 1, -1) < 0 && errno == EINTR)
                ;
        pthread_mutex_lock(&op->registry->lock);
        exit_seen(c);
        c->told = true;
        ticket_await_start(op->ticket, c);
        pthread_mutex_unlock(&op->registry->lock);
        start_op_free(op);
        exit_failed(c, res->stage, res->errnum);
}

/* It ran; its forkserver and creche-init were killed, and whoever got it then has reaped it. */
static void start_lost(struct child *c)
{
        pthread_mutex_lock(&c->registry->lock);
        exit_seen(c);
        c->told = true;
        c->peer = PEER_NOBODY;
        pthread_mutex_unlock(&c->registry->lock);
        exit_lost(c, "its parent and creche-init were killed while it was being started");
}

/* Under the lock: what was sent to all while this one had no pidfd yet, or its parent's death. */
static void catch_up(struct registry *r, struct child *c)
{
        if (r->all_signo && (c->rec.daemon || !r->all_daemonic))
                child_signal(c, r->all_signo);
        child_notice_orphaned(c);
}

void start_op_started(struct start_op *op, const struct start_result *res)
{
        struct registry *r = op->registry;
        CLEANUP(child_unrefp) struct child *c = child_ref(op->child);
        bool runs = res->stage == STAGE_NONE && !res->never_ran;
        struct list done = LIST_INIT(done);

        pthread_mutex_lock(&r->lock);
        take_result(r, c, op, res);
        if (runs) {
                c->rec.started_us = clock_after_us(c->rec.created_us);
                c->rec.state = PROCESS_STARTED;
                process_pack(&c->rec);
                child_arm_timeout(c, 0);
                waiters_started(c, &done);
                /* Before its exit can be seen, so that the two reach the writer in this order. */
                child_record_start(c);
                catch_up(r, c);
        }
        pthread_mutex_unlock(&r->lock);
        if (!runs) {
                KILLPOINT("start.failed");
                start_failed(op, res);
                return;
        }
        counter_add(&r->stats.starts[c->rec.start_method], 1);
        histogram_add(&r->stats.start_us, &histogram_time, clock_mono_us() - op->begun_us);
        log_debug("process.started", "id=%" PRId64 " pid=%d", c->rec.id, c->rec.pid);
        if (res->pidfd < 0)
                start_lost(c);
        else
                reaper_watch(c);
        KILLPOINT("start.watched");
        tickets_finish(&done);
        start_op_finish(op, NULL);
        KILLPOINT("start.told");
}
