/* SPDX-License-Identifier: MIT */
#include "transport/idle.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include "base/clock.h"

enum { TICK_MS_MIN = 20, TICK_MS_MAX = 1000 };

#define QUIET_MAX_US (60 * CLOCK_US_PER_S)

/* Whoever sends a body or reads an answer has something to lose: so long he is left alone in any case. */
#define BUSY_MIN_US (5 * CLOCK_US_PER_S)

void idle_init(struct idle *i, const struct limits *limits)
{
        *i = (struct idle){.max_us = {[IDLE_QUIET] = QUIET_MAX_US,
                                      [IDLE_HEAD] = limits->head_us,
                                      [IDLE_BODY] = limits->body_us,
                                      [IDLE_ANSWER] = INT64_MAX,
                                      [IDLE_STREAM] = limits->stream_us},
                           .timer_fd = -1,
                           .due_us = INT64_MAX};
        pthread_mutex_init(&i->lock, NULL);
        for (int p = 0; p < IDLE_PHASES; p++)
                list_init(&i->connections[p]);
}

void idle_done(struct idle *i)
{
        pthread_mutex_destroy(&i->lock);
}

void idle_set_timer(struct idle *i, int timer_fd)
{
        i->timer_fd = timer_fd;
}

/* Under the lock: look at @us; INT64_MAX: not before somebody is waited for. */
static void look_at(struct idle *i, int64_t us)
{
        struct itimerspec at = {0};

        if (us != INT64_MAX)
                at.it_value = (struct timespec){.tv_sec = us / CLOCK_US_PER_S,
                                                .tv_nsec = us % CLOCK_US_PER_S * 1000};
        i->due_us = us;
        if (i->timer_fd >= 0)
                timerfd_settime(i->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

/* When the time of @c, which is waited for, is over. */
static int64_t end_of(const struct connection *c)
{
        int64_t end;

        return __builtin_add_overflow(c->since_us, c->idle->max_us[c->phase], &end) ? INT64_MAX : end;
}

/* Under the lock: the end that comes first; INT64_MAX: none. */
static int64_t first_end(const struct idle *i)
{
        int64_t first = INT64_MAX;

        for (int p = 0; p < IDLE_PHASES; p++)
                if (!list_empty(&i->connections[p])) {
                        int64_t end = end_of(container_of(i->connections[p].next, struct connection, link));

                        first = end < first ? end : first;
                }
        return first;
}

/* Under the lock: put @c, which is waited for from now on, in front of @before. */
static void insert(struct connection *c, struct list *before)
{
        int64_t end = end_of(c);

        list_append(before, &c->link);
        if (end < c->idle->due_us)
                look_at(c->idle, end);
}

struct connection *idle_accepted(struct idle *i, int fd, bool is_unix, const struct limits *limits)
{
        struct connection *c = calloc(1, sizeof(*c));

        if (!c)
                return NULL;
        c->idle = i;
        c->fd = fd;
        c->is_unix = is_unix;
        c->since_us = clock_mono_us();
        list_init(&c->link);
        wire_init(&c->wire, limits);
        return c;
}

/* The timer is stopped here and not in idle_leave(), where each request comes by. */
void idle_closed(struct connection *c)
{
        struct idle *i = c->idle;

        pthread_mutex_lock(&i->lock);
        list_remove(&c->link);
        if (i->due_us != INT64_MAX && first_end(i) == INT64_MAX)
                look_at(i, INT64_MAX);
        pthread_mutex_unlock(&i->lock);
        wire_done(&c->wire);
        tls_free(c->tls);
        free(c);
}

ssize_t idle_read(struct connection *c, void *out, size_t n)
{
        ssize_t got = wire_read(&c->wire, c->fd, out, n);

        if (c->phase == IDLE_QUIET && !wire_is_between(&c->wire))
                idle_enter(c, IDLE_HEAD);
        return got;
}

void idle_leave(struct connection *c)
{
        pthread_mutex_lock(&c->idle->lock);
        list_remove(&c->link);
        pthread_mutex_unlock(&c->idle->lock);
}

/* Those who shook hands quickly may have come later. */
void idle_begin(struct connection *c)
{
        struct list *before;

        pthread_mutex_lock(&c->idle->lock);
        list_remove(&c->link);
        c->phase = IDLE_HEAD;
        for (before = c->idle->connections[IDLE_HEAD].prev; before != &c->idle->connections[IDLE_HEAD];
             before = before->prev)
                if (container_of(before, struct connection, link)->since_us <= c->since_us)
                        break;
        insert(c, before->next);
        pthread_mutex_unlock(&c->idle->lock);
}

void idle_encrypt(struct connection *c, struct tls *t)
{
        c->tls = c->wire.tls = t;
}

void idle_enter(struct connection *c, enum idle_phase phase)
{
        pthread_mutex_lock(&c->idle->lock);
        list_remove(&c->link);
        c->phase = phase;
        c->since_us = clock_mono_us();
        insert(c, &c->idle->connections[phase]);
        pthread_mutex_unlock(&c->idle->lock);
}

/* It stays open, and its number with it, until idle_closed(), which needs the lock. To be shut down wakes its
 * reader, or its writer. */
static void cut_off(struct connection *c)
{
        list_remove(&c->link);
        wire_hurry(&c->wire);
        shutdown(c->fd, c->phase == IDLE_ANSWER ? SHUT_RDWR : SHUT_RD);
}

/* Those who came at almost the same time are seen to together. */
static int64_t tick_us(const struct idle *i)
{
        int64_t tick = TICK_MS_MAX * INT64_C(1000);

        for (int p = 0; p < IDLE_PHASES; p++)
                if (i->max_us[p] / 8 < tick)
                        tick = i->max_us[p] / 8;
        return tick < TICK_MS_MIN * INT64_C(1000) ? TICK_MS_MIN * INT64_C(1000) : tick;
}

void idle_sweep(struct idle *i)
{
        int64_t now = clock_mono_us(), next;

        pthread_mutex_lock(&i->lock);
        for (int p = 0; p < IDLE_PHASES; p++)
                while (!list_empty(&i->connections[p])) {
                        struct connection *c = container_of(i->connections[p].next, struct connection, link);

                        if (now - c->since_us < i->max_us[p])
                                break;
                        cut_off(c);
                }
        next = first_end(i);
        look_at(i, next < now + tick_us(i) ? now + tick_us(i) : next);
        pthread_mutex_unlock(&i->lock);
}

void idle_evict(struct idle *i, bool is_unix, int64_t us, unsigned n)
{
        int64_t now = clock_mono_us();

        pthread_mutex_lock(&i->lock);
        for (int p = IDLE_QUIET; p <= IDLE_ANSWER; p++)
                list_for_each_safe (pos, &i->connections[p]) {
                        struct connection *c = container_of(pos, struct connection, link);

                        if (!n || now - c->since_us < (p > IDLE_HEAD && us < BUSY_MIN_US ? BUSY_MIN_US : us))
                                break;
                        if (c->is_unix != is_unix)
                                continue;
                        cut_off(c);
                        n--;
                }
        pthread_mutex_unlock(&i->lock);
}
