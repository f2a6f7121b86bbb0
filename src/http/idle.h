/* SPDX-License-Identifier: MIT */
/* http/idle.h
 * Connections on which no request is being served: kept open between two requests, or a head that is still
 * coming in. libmicrohttpd starts its time-out again with each byte; here the whole has a deadline, so that
 * nobody holds a connection by sending slowly.
 *
 * Threads: all functions from any.
 */
#ifndef CRECHE_HTTP_IDLE_H
#define CRECHE_HTTP_IDLE_H

#include <pthread.h>
#include <stdint.h>

#include "base/list.h"

/* All idle connections, the one that became so first in front. */
struct idle {
        pthread_mutex_t lock;
        struct list connections;
};

struct connection {
        struct list link;
        int fd;
        int64_t since_us;
};

void idle_init(struct idle *i);
void idle_done(struct idle *i);

/** A connection was accepted. NULL: out of memory; it is not watched. The others take NULL. */
struct connection *idle_accepted(struct idle *i, int fd);
/** It is about to be closed; frees @c. */
void idle_closed(struct idle *i, struct connection *c);

/** The head of a request is complete. */
void idle_leave(struct idle *i, struct connection *c);
/** The request is through. */
void idle_enter(struct idle *i, struct connection *c);

/** Shut down who has been idle for longer than @us. libmicrohttpd closes them. */
void idle_sweep(struct idle *i, int64_t us);

#endif
