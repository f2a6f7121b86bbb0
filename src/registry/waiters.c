/* SPDX-License-Identifier: MIT */
/* Tickets that wait: for the end of a process, of any or all of many, for a start to be over. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "registry/internal.h"

void ticket_init(struct ticket *t, void (*done)(struct ticket *t))
{
        *t = (struct ticket){.done = done};
        list_init(&t->link);
}

void ticket_done(struct ticket *t)
{
        child_unref(TAKE_PTR(t->one.seen));
        for (size_t i = 0; t->many && i < t->many_n; i++)
                child_unref(t->many[i].seen);
        free(t->ready);
        free(t->many);
        free(t->joined);
        t->ready = NULL;
        t->many = NULL;
        t->joined = NULL;
}

int registry_set_timer(struct registry *r, struct timer *timer, int64_t at_us)
{
        if (timers_set(&r->timers, timer, at_us) < 0)
                return -1;
        if (at_us < r->sleeping_until)
                reaper_wake(r);
        return 0;
}

/* Under the lock. A created process is in the table only as long as somebody waits for it. */
static void waiter_leave(struct waiter *w)
{
        struct child *c = w->child;

        if (!c)
                return;
        list_remove(&w->link);
        w->child = NULL;
        if (c->rec.state == PROCESS_INITIAL && list_empty(&c->waiters))
                table_remove(c->registry, c);
        child_unref(c);
}

static void waiter_enter(struct waiter *w, struct ticket *t, struct child *c)
{
        w->ticket = t;
        w->child = child_ref(c);
        list_append(&c->waiters, &w->link);
        exit_hurry(c);
}

/* Under the lock: @t waits no more. */
static void detach(struct ticket *t)
{
        if (t->since_us) {
                histogram_add(&t->registry->stats.join_us, &histogram_time, clock_mono_us() - t->since_us);
                atomic_fetch_sub(&t->registry->stats.joins_waiting, 1);
                t->since_us = 0;
        }
        t->waiting = false;
        timers_unset(&t->registry->timers, &t->timer);
        waiter_leave(&t->one);
        for (size_t i = 0; i < t->many_n; i++)
                waiter_leave(&t->many[i]);
        list_remove(&t->link);
}

void ticket_complete(struct ticket *t, struct list *done)
{
        detach(t);
        list_append(done, &t->link);
}

/* joined_at of processes that had ended, or were about to, when they were joined. */
struct joined_op {
        struct store_job job;
        struct ticket *ticket;
        int64_t at_us;
};

static int joined_run(struct store_job *job, struct db *db, struct err *e)
{
        struct joined_op *op = container_of(job, struct joined_op, job);
        const struct ticket *t = op->ticket;

        for (size_t i = 0; i < t->joined_n; i++)
                if (record_joined(db, t->joined ? t->joined[i] : t->id, op->at_us, e) < 0)
                        return -1;
        return 0;
}

static void joined_done(struct store_job *job, const struct err *e)
{
        struct joined_op *op = container_of(job, struct joined_op, job);
        struct ticket *t = op->ticket;

        /* The exit code is known and durable: that somebody asked for it is worth a try, not the answer. */
        if (e)
                log_warn("process.join_not_recorded", "error=%s", log_quote(e->msg));
        free(op);
        t->done(t);
}

/* @t has what it waited for. Returns 0, or 1 when the joins are being recorded first. */
static int finish(struct registry *r, struct ticket *t)
{
        struct joined_op *op;

        if (!t->joined_n || t->err.kind != ERR_NONE)
                return 0;
        op = malloc(sizeof(*op));
        if (!op)
                return err_set(&t->err, ERR_UNAVAILABLE, 0, "out of memory");
        *op = (struct joined_op){
                .job = {.run = joined_run, .done = joined_done}, .ticket = t, .at_us = clock_now_us()};
        store_submit(r->store, &op->job);
        return 1;
}

void tickets_finish(struct list *done)
{
        struct list *node;

        while ((node = list_pop(done))) {
                struct ticket *t = container_of(node, struct ticket, link);

                if (finish(t->registry, t) != 1)
                        t->done(t);
        }
}

static void on_timeout(struct timer *timer, void *arg)
{
        ticket_complete(container_of(timer, struct ticket, timer), arg);
}

void ticket_attach(struct registry *r, struct ticket *t, int64_t timeout_us)
{
        t->registry = r;
        t->waiting = true;
        t->timer = (struct timer){.fire = on_timeout};
        if (timeout_us >= 0 && registry_set_timer(r, &t->timer, clock_mono_us() + timeout_us) < 0)
                reaper_wake(r); /* no memory for a deadline: it will wait for the end alone */
}

void waiters_refuse(struct child *c, bool starts_only, const struct err *e, struct list *done)
{
        struct list rest = LIST_INIT(rest), *node;

        while ((node = list_pop(&c->waiters))) {
                struct waiter *w = container_of(node, struct waiter, link);

                if (starts_only && !w->for_start) {
                        list_append(&rest, node);
                        continue;
                }
                w->ticket->err = *e;
                ticket_complete(w->ticket, done);
        }
        list_splice(&c->waiters, &rest);
}

void waiters_move(struct child *from, struct child *to)
{
        struct list *node;

        while ((node = list_pop(&from->waiters))) {
                struct waiter *w = container_of(node, struct waiter, link);

                list_append(&to->waiters, node);
                w->child = child_ref(to);
                child_unref(from);
        }
}

void ticket_await_start(struct ticket *t, struct child *c)
{
        ticket_attach(c->registry, t, -1);
        t->one.for_start = true;
        waiter_enter(&t->one, t, c);
}

static void note_joined(struct ticket *t, int64_t id)
{
        if (t->joined)
                t->joined[t->joined_n] = id;
        t->joined_n++;
}

enum { SEEN_BYTES_MAX = 65536 };

/* Whether the record of what has ended is kept for the answer: of many, as many as take little memory, as the others may
 * be long in coming. The rest is read when it is shown. */
static bool fits(struct ticket *t, const struct process *p)
{
        size_t n = sizeof(struct child) + strlen(p->argv_json) + strlen(p->env_json) + strlen(p->labels_json);

        if (!t->many)
                return true;
        if (n > SEEN_BYTES_MAX - t->seen_bytes)
                return false;
        t->seen_bytes += n;
        return true;
}

/* The end of @c has reached a waiter of its. What is still to be recorded is not shown from here, and the row of a
 * start that failed does not say all that we know. */
static void one_ready(struct waiter *w, struct child *c, struct list *done)
{
        struct ticket *t = w->ticket;

        if (w->joins && !c->rec.joined_us)
                note_joined(t, c->rec.id);
        else if (c->rec.state == PROCESS_STOPPED && !c->ended_before && fits(t, &c->rec))
                w->seen = child_ref(c);
        if (!t->many) {
                t->ended = true;
                ticket_complete(t, done);
                return;
        }
        t->ready[w->index] = true;
        t->many_left--;
        if (t->many_any || t->many_left == 0)
                ticket_complete(t, done);
}

static void start_is_over(struct ticket *t, const struct child *c, struct list *done)
{
        const struct process_exit *x = &c->rec.exit;

        if (c->rec.state == PROCESS_FAILED)
                err_set(&t->err, ERR_EXEC_FAILED, x->errnum, "starting failed at %s",
                        x->stage ? x->stage : "clone");
        ticket_complete(t, done);
}

/* Completing one ticket takes all of its waiters out, so the next node may be gone: begin anew each time. */
static void wake(struct child *c, bool ended, struct list *done)
{
        struct list rest = LIST_INIT(rest), *node;

        while ((node = list_pop(&c->waiters))) {
                struct waiter *w = container_of(node, struct waiter, link);

                if (!ended && !w->for_start) {
                        list_append(&rest, node);
                        continue;
                }
                waiter_leave(w);
                if (w->for_start)
                        start_is_over(w->ticket, c, done);
                else
                        one_ready(w, c, done);
        }
        list_splice(&c->waiters, &rest);
}

void waiters_started(struct child *c, struct list *done)
{
        wake(c, false, done);
}

void waiters_ended(struct child *c, struct list *done)
{
        wake(c, true, done);
}

/* A child that is in no table, of the record *@p, which is taken. NULL: out of memory. */
static struct child *child_of(struct registry *r, struct process *p)
{
        struct child *c = child_new(r);

        if (!c)
                return NULL;
        c->rec = *p;
        c->durable = true;
        *p = (struct process){0};
        return c;
}

/* Under the lock: @t is to wait, for ends. */
static void join_begins(struct ticket *t)
{
        t->since_us = clock_mono_us();
        atomic_fetch_add(&t->registry->stats.joins_waiting, 1);
}

/* Whether a caller who sees @p may wait for it; the lock may be held. NULL: he may. */
typedef int (*may_wait_fn)(const struct process *p, const struct caller *who, struct err *e);

/* Under the lock: @t waits for @c. */
static int begin(struct registry *r, struct child *c, int64_t timeout_us, struct ticket *t)
{
        if (r->shut)
                return err_set(&t->err, ERR_STOPPING, 0, "the server stops");
        if (timeout_us == 0 && !child_is_dead(c))
                return 0;
        ticket_attach(r, t, timeout_us == 0 ? SETTLE_MAX_US : timeout_us);
        waiter_enter(&t->one, t, c);
        join_begins(t);
        return 1;
}

/* Wait for @id, which the table has not. */
static int wait_for_row(struct registry *r, const struct caller *who, int64_t id, int64_t timeout_us,
                        may_wait_fn may, struct ticket *t)
{
        CLEANUP(process_freep) struct process *p = registry_find(r, who, id, &t->err);
        struct child *c;
        int rc = 0;

        if (!p || (may && may(p, who, &t->err) < 0))
                return -1;
        t->ended = process_state_is_ended(p->state);
        if (t->ended || timeout_us == 0) {
                t->one.seen = child_of(r, p);
                return 0;
        }
        pthread_mutex_lock(&r->lock);
        c = table_find(r, id);
        if (!c && p->state == PROCESS_INITIAL && (c = child_of(r, p))) {
                /* A created process is in the table only while somebody waits for it. */
                table_insert(r, c);
                child_unref(c);
        }
        if (c)
                rc = begin(r, c, timeout_us, t);
        else
                t->ended = true; /* it has ended in between */
        pthread_mutex_unlock(&r->lock);
        return rc;
}

/* Returns 0: it has ended, or is not waited for; 1: waits; -1. */
static int wait_for(struct registry *r, const struct caller *who, int64_t id, int64_t timeout_us,
                    may_wait_fn may, struct ticket *t)
{
        struct child *c;
        int rc = 0;

        t->id = id;
        pthread_mutex_lock(&r->lock);
        c = table_find(r, id);
        if (c && (!c->durable || !caller_sees(who, &c->rec)))
                c = NULL;
        if (c)
                rc = may && may(&c->rec, who, &t->err) < 0 ? -1 : begin(r, c, timeout_us, t);
        pthread_mutex_unlock(&r->lock);
        return c ? rc : wait_for_row(r, who, id, timeout_us, may, t);
}

int registry_wait(struct registry *r, const struct caller *who, int64_t id, int64_t timeout_us,
                  struct ticket *t)
{
        return wait_for(r, who, id, timeout_us, NULL, t);
}

static int may_join(const struct process *p, const struct caller *who, struct err *e)
{
        if (p->state == PROCESS_CLOSED)
                return err_set(e, ERR_CLOSED, 0, "process object is closed");
        if (!caller_is_parent(who, p))
                return err_set(e, ERR_NOT_PARENT, 0, "can only join a child process");
        if (p->state == PROCESS_INITIAL)
                return err_set(e, ERR_NOT_STARTED, 0, "can only join a started process");
        return caller_may_run(who, p->target, e);
}

/* Whether waiting for @p is a join. Whoever sees it may wait. */
static bool would_join(const struct process *p, const struct caller *who)
{
        struct err ignored = {0};

        return p->state != PROCESS_CLOSED && caller_is_parent(who, p) &&
               caller_may_run(who, p->target, &ignored) == 0;
}

int registry_join(struct registry *r, const struct caller *who, int64_t id, int64_t timeout_us,
                  struct ticket *t)
{
        int rc;

        t->one.joins = true;
        rc = wait_for(r, who, id, timeout_us, may_join, t);
        if (rc != 0 || !t->ended)
                return rc;
        if (!t->one.seen || !t->one.seen->rec.joined_us) {
                child_unref(TAKE_PTR(t->one.seen));
                note_joined(t, id);
        }
        return finish(r, t);
}

/* A look at the @i-th of many. */
struct look {
        struct registry *registry;
        const struct caller *who;
        struct ticket *ticket;
        size_t i;
        int rc;
};

/* The record of what has ended is kept for the answer, unless it is about to change. */
static void look_at(const struct process *p, void *arg)
{
        struct look *l = arg;
        struct ticket *t = l->ticket;
        struct waiter *w = &t->many[l->i];
        CLEANUP(process_freep) struct process *copy = NULL;

        l->rc = 0;
        if (p->state == PROCESS_CLOSED)
                l->rc = err_set(&t->err, ERR_CLOSED, 0, "process object is closed");
        else if (p->state == PROCESS_INITIAL)
                l->rc = err_set(&t->err, ERR_NOT_STARTED, 0, "process %" PRId64 " has not been started",
                                p->id);
        t->ready[l->i] = process_state_is_ended(p->state);
        w->index = l->i;
        w->joins = would_join(p, l->who);
        if (!t->ready[l->i])
                return;
        if (w->joins && !p->joined_us)
                note_joined(t, p->id);
        else if (fits(t, p) && (copy = process_copy(p)))
                w->seen = child_of(l->registry, copy);
}

/* Which of the @n have ended by now, and which can be waited for: the table says so of those that run, the
 * database of the others. */
static int look_at_many(struct registry *r, const struct caller *who, const int64_t *ids, size_t n,
                        struct ticket *t)
{
        for (size_t i = 0; i < n; i++) {
                struct look l = {.registry = r, .who = who, .ticket = t, .i = i};

                if (registry_show(r, who, ids[i], look_at, &l, &t->err) < 0 || l.rc < 0)
                        return -1;
        }
        return 0;
}

/* Under the lock. Those that have left the table since we looked have ended. Returns how many are ready. */
static size_t enter_many(struct registry *r, const int64_t *ids, size_t n, struct ticket *t)
{
        size_t ready = 0;

        for (size_t i = 0; i < n; i++) {
                struct child *c = t->ready[i] ? NULL : table_find(r, ids[i]);

                if (c) {
                        waiter_enter(&t->many[i], t, c);
                } else if (!t->ready[i]) {
                        t->ready[i] = true;
                        if (t->many[i].joins)
                                note_joined(t, ids[i]);
                }
                ready += t->ready[i];
        }
        t->many_left = n - ready;
        return ready;
}

/* "Now" means: as of the deaths that have happened. */
static bool any_is_dead(const struct ticket *t)
{
        for (size_t i = 0; i < t->many_n; i++)
                if (t->many[i].child && child_is_dead(t->many[i].child))
                        return true;
        return false;
}

int registry_join_many(struct registry *r, const struct caller *who, const int64_t *ids, size_t n, bool any,
                       int64_t timeout_us, struct ticket *t)
{
        size_t ready;
        int rc = 1;

        t->many = calloc(n, sizeof(*t->many));
        t->ready = calloc(n, sizeof(*t->ready));
        t->joined = calloc(n, sizeof(*t->joined));
        if (!t->many || !t->ready || !t->joined)
                return err_set(&t->err, ERR_UNAVAILABLE, 0, "out of memory");
        t->many_n = n;
        if (look_at_many(r, who, ids, n, t) < 0)
                return -1;
        t->many_any = any;
        pthread_mutex_lock(&r->lock);
        ticket_attach(r, t, -1);
        ready = enter_many(r, ids, n, t);
        if (ready == n || (any && ready) || (timeout_us == 0 && !any_is_dead(t))) {
                detach(t);
                rc = 0;
        } else if (r->shut) {
                detach(t);
                rc = err_set(&t->err, ERR_STOPPING, 0, "the server stops");
        } else {
                join_begins(t);
                if (timeout_us >= 0)
                        registry_set_timer(r, &t->timer,
                                           clock_mono_us() + (timeout_us == 0 ? SETTLE_MAX_US : timeout_us));
        }
        pthread_mutex_unlock(&r->lock);
        return rc == 0 ? finish(r, t) : rc;
}

bool registry_cancel(struct registry *r, struct ticket *t)
{
        bool cancelled;

        pthread_mutex_lock(&r->lock);
        cancelled = t->waiting;
        if (cancelled)
                detach(t);
        pthread_mutex_unlock(&r->lock);
        return cancelled;
}

void registry_release_waiters(struct registry *r)
{
        struct list done = LIST_INIT(done);

        pthread_mutex_lock(&r->lock);
        r->shut = true;
        atomic_store(&r->backup.stop, true);
        list_for_each_safe (node, &r->all) {
                struct child *c = child_ref(container_of(node, struct child, all));
                struct list *w;

                while (!list_empty(&c->waiters)) {
                        w = c->waiters.next;
                        err_set(&container_of(w, struct waiter, link)->ticket->err, ERR_STOPPING, 0,
                                "the server stops");
                        ticket_complete(container_of(w, struct waiter, link)->ticket, &done);
                }
                child_unref(c);
        }
        list_splice(&r->settlers[0], &r->settlers_new);
        list_splice(&r->settlers[0], &r->settlers_heard);
        list_splice(&r->settlers[0], &r->settlers[1]);
        while (!list_empty(&r->settlers[0]))
                ticket_complete(container_of(r->settlers[0].next, struct ticket, link), &done);
        pthread_mutex_unlock(&r->lock);
        tickets_finish(&done);
}
