/* SPDX-License-Identifier: MIT */
/* What is over goes when it is old enough, or too many: a thread, if anything is to go at all. It sleeps until the
 * oldest is due, and then asks the writer for one small transaction after the other, so that others get theirs in
 * between; what takes longer, the removal of logs, it does itself. */
#include <errno.h>

#include "base/clock.h"
#include "base/killpoint.h"
#include "base/log.h"
#include "registry/internal.h"
#include "store/retention.h"

enum {
        AT_ONCE = 64,            /* processes in one transaction: some two milliseconds of the writer's */
        FINISHED_EVENTS = 2048,  /* more than one transaction of the writer's can tell */
        FOREVER_S = 365 * 86400, /* no deadline is further away */
};

#define PAUSE_US     (CLOCK_US_PER_S / 50) /* between two of them */
#define TRY_LATER_US (60 * CLOCK_US_PER_S)

/* One transaction. */
struct sweep {
        struct store_job job;
        struct registry *registry;
        struct retention_now now;
        int64_t ids[AT_ONCE];
        size_t n;
        int64_t events;
        int64_t wait_us; /* when nothing was due */
        struct err err;
};

/* Events first: those that tell of this very transaction have to be there when it is durable. */
static int sweep_run(struct store_job *job, struct db *db, struct err *e)
{
        static const struct actor creche = {.who = "creche"};
        struct sweep *s = container_of(job, struct sweep, job);
        const struct retention *keep = &s->registry->config.keep;

        if (retention_prune_events(db, keep, &s->now, &s->events, e) < 0 ||
            retention_due(db, keep, &s->now, s->ids, AT_ONCE, &s->n, e) < 0)
                return -1;
        for (size_t i = 0; i < s->n; i++)
                if (control_delete(db, &creche, s->ids[i], "retention", e) < 0)
                        return -1;
        return s->n || s->events ? 0 : retention_wait(db, keep, &s->now, &s->wait_us, e);
}

static void sweep_done(struct store_job *job, const struct err *e)
{
        struct sweep *s = container_of(job, struct sweep, job);
        struct sweeper *sw = &s->registry->sweeper;

        if (e)
                s->err = *e;
        pthread_mutex_lock(&sw->lock);
        sw->written = true;
        pthread_cond_signal(&sw->wake);
        pthread_mutex_unlock(&sw->lock);
}

static void await_written(struct sweeper *sw)
{
        pthread_mutex_lock(&sw->lock);
        while (!sw->written)
                pthread_cond_wait(&sw->wake, &sw->lock);
        sw->written = false;
        pthread_mutex_unlock(&sw->lock);
}

/* Look again in @wait_us, or sooner when it was told so meanwhile. */
static void look_in(struct sweeper *sw, int64_t wait_us)
{
        int64_t due = wait_us == INT64_MAX ? INT64_MAX : clock_mono_us() + wait_us;

        pthread_mutex_lock(&sw->lock);
        if (due < sw->due_us) {
                sw->due_us = due;
                pthread_cond_signal(&sw->wake);
        }
        pthread_mutex_unlock(&sw->lock);
}

static void finish(struct sweep *s)
{
        struct registry *r = s->registry;

        for (size_t i = 0; i < s->n; i++) {
                KILLPOINT("retention.recorded");
                control_deleted(r, s->ids[i]);
                KILLPOINT("retention.logs_removed");
        }
        counter_add(&r->stats.retired, s->n);
        counter_add(&r->stats.retired_events, (uint64_t)s->events);
        look_in(&r->sweeper, s->n || s->events ? PAUSE_US : s->wait_us);
}

static void sweep(struct registry *r)
{
        struct sweep s = {.job = {.run = sweep_run, .done = sweep_done}, .registry = r};

        s.now = retention_clock_look(&r->sweeper.clock, clock_now_us(), clock_boot_us());
        store_submit(r->store, &s.job);
        await_written(&r->sweeper);
        if (s.err.kind == ERR_NONE) {
                finish(&s);
                return;
        }
        log_warn("retention.failed", "error=%s", log_quote(s.err.msg));
        look_in(&r->sweeper, TRY_LATER_US);
}

/* Under the lock. */
static void sleep_until_due(struct sweeper *sw)
{
        int64_t now = clock_mono_us(), far = now + FOREVER_S * CLOCK_US_PER_S;
        int64_t at = sw->due_us < far ? sw->due_us : far;
        struct timespec ts = {.tv_sec = at / CLOCK_US_PER_S, .tv_nsec = at % CLOCK_US_PER_S * 1000};

        if (sw->due_us == INT64_MAX)
                pthread_cond_wait(&sw->wake, &sw->lock);
        else
                pthread_cond_timedwait(&sw->wake, &sw->lock, &ts);
}

/* False: it is over. */
static bool await_due(struct sweeper *sw)
{
        bool ends;

        pthread_mutex_lock(&sw->lock);
        while (!sw->ends && clock_mono_us() < sw->due_us)
                sleep_until_due(sw);
        sw->due_us = INT64_MAX;
        ends = sw->ends;
        pthread_mutex_unlock(&sw->lock);
        return !ends;
}

static void *sweeper_main(void *arg)
{
        struct registry *r = arg;

        pthread_setname_np(pthread_self(), "creche-sweeper");
        while (await_due(&r->sweeper))
                sweep(r);
        return NULL;
}

void retention_changed(void *arg)
{
        struct registry *r = arg;
        struct sweeper *sw = &r->sweeper;

        if (__atomic_load_n(&sw->runs, __ATOMIC_ACQUIRE))
                look_in(sw, retention_least_us(&r->config.keep));
}

static void finish_one(int64_t id, void *arg)
{
        const struct registry *r = arg;

        logs_remove(r->config.logs, id);
}

/* A row goes before its logs, so that nobody reads less than there was; whoever is killed in between leaves them. */
static int finish_last(struct registry *r, struct err *e)
{
        return r->config.logs ? store_deleted_last(r->store, FINISHED_EVENTS, finish_one, r, e) : 0;
}

static int start_thread(struct registry *r, struct err *e)
{
        struct sweeper *sw = &r->sweeper;
        pthread_condattr_t attr;
        int rc;

        pthread_mutex_init(&sw->lock, NULL);
        pthread_condattr_init(&attr);
        pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        pthread_cond_init(&sw->wake, &attr);
        pthread_condattr_destroy(&attr);
        retention_clock_begin(&sw->clock, clock_now_us(), clock_boot_us());
        rc = pthread_create(&sw->thread, NULL, sweeper_main, r);
        if (rc)
                return err_set(e, ERR_INTERNAL, rc, "starting the thread of retention");
        __atomic_store_n(&sw->runs, true, __ATOMIC_RELEASE);
        return 0;
}

int retention_begin(struct registry *r, struct err *e)
{
        if (finish_last(r, e) < 0)
                return -1;
        return retention_is_set(&r->config.keep) ? start_thread(r, e) : 0;
}

void retention_end(struct registry *r)
{
        struct sweeper *sw = &r->sweeper;

        if (!__atomic_load_n(&sw->runs, __ATOMIC_ACQUIRE))
                return;
        pthread_mutex_lock(&sw->lock);
        sw->ends = true;
        pthread_cond_signal(&sw->wake);
        pthread_mutex_unlock(&sw->lock);
        pthread_join(sw->thread, NULL);
}
