/* SPDX-License-Identifier: MIT */
#include "transport/idle.h"

#include <stdlib.h>
#include <sys/socket.h>

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
                                      [IDLE_STREAM] = limits->stream_us}};
        pthread_mutex_init(&i->lock, NULL);
        for (int p = 0; p < IDLE_PHASES; p++)
                list_init(&i->connections[p]);
}

void idle_done(struct idle *i)
{
        pthread_mutex_destroy(&i->lock);
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

void idle_closed(struct connection *c)
{
        idle_leave(c);
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
        list_append(before->next, &c->link);
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
        list_append(&c->idle->connections[phase], &c->link);
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

void idle_sweep(struct idle *i)
{
        int64_t now = clock_mono_us();

        pthread_mutex_lock(&i->lock);
        for (int p = 0; p < IDLE_PHASES; p++)
                while (!list_empty(&i->connections[p])) {
                        struct connection *c = container_of(i->connections[p].next, struct connection, link);

                        if (now - c->since_us < i->max_us[p])
                                break;
                        cut_off(c);
                }
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

int idle_tick_ms(const struct idle *i)
{
        int64_t tick = TICK_MS_MAX;

        for (int p = 0; p < IDLE_PHASES; p++)
                if (i->max_us[p] / 8000 < tick)
                        tick = i->max_us[p] / 8000;
        return tick < TICK_MS_MIN ? TICK_MS_MIN : (int)tick;
}
