/* SPDX-License-Identifier: MIT */
#include "http/idle.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"

void idle_init(struct idle *i)
{
        pthread_mutex_init(&i->lock, NULL);
        list_init(&i->connections);
}

void idle_done(struct idle *i)
{
        pthread_mutex_destroy(&i->lock);
}

struct connection *idle_accepted(struct idle *i, int fd)
{
        struct connection *c = malloc(sizeof(*c));

        if (!c)
                return NULL;
        list_init(&c->link);
        c->fd = fd;
        idle_enter(i, c);
        return c;
}

void idle_closed(struct idle *i, struct connection *c)
{
        idle_leave(i, c);
        free(c);
}

void idle_leave(struct idle *i, struct connection *c)
{
        if (!c)
                return;
        pthread_mutex_lock(&i->lock);
        list_remove(&c->link);
        pthread_mutex_unlock(&i->lock);
}

void idle_enter(struct idle *i, struct connection *c)
{
        if (!c)
                return;
        pthread_mutex_lock(&i->lock);
        list_remove(&c->link);
        c->since_us = clock_mono_us();
        list_append(&i->connections, &c->link);
        pthread_mutex_unlock(&i->lock);
}

void idle_sweep(struct idle *i, int64_t us)
{
        int64_t before = clock_mono_us() - us;

        pthread_mutex_lock(&i->lock);
        while (!list_empty(&i->connections)) {
                struct connection *c = container_of(i->connections.next, struct connection, link);

                if (c->since_us > before)
                        break;
                /* It stays open, and its number with it, until idle_closed(), which needs the lock. */
                list_remove(&c->link);
                shutdown(c->fd, SHUT_RDWR);
        }
        pthread_mutex_unlock(&i->lock);
}
