/* SPDX-License-Identifier: MIT */
/* transport/idle.h
 * Connections, and how long each may take for what it does. libmicrohttpd starts its time-out again with each
 * byte; here the whole has a deadline, so that nobody holds a connection by sending slowly.
 *
 * Threads: all functions from any, but idle_read() from the connection's own.
 */
#ifndef CRECHE_TRANSPORT_IDLE_H
#define CRECHE_TRANSPORT_IDLE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/list.h"
#include "transport/watch.h"
#include "transport/wire.h"

struct tally_entry;

/* What a connection is waited for, which has a deadline. */
enum idle_phase {
        IDLE_QUIET, /* kept open between two requests */
        IDLE_HEAD,
        IDLE_BODY,
        IDLE_ANSWER, /* its answer to be read: no deadline, but it makes room */
        IDLE_STREAM, /* some more of a body that is streamed */
        IDLE_PHASES,
};

/* All connections that are waited for, by phase, the one that came into it first in front. */
struct idle {
        pthread_mutex_t lock;
        struct list connections[IDLE_PHASES];
        int64_t max_us[IDLE_PHASES];
        int timer_fd;   /* -1: none */
        int64_t due_us; /* what it is set to; INT64_MAX: it is not */
};

struct connection {
        struct idle *idle;
        struct list link;
        int fd;
        bool is_unix;
        struct ucred client;   /* on the unix socket: as it was when it connected */
        enum idle_phase phase; /* the last */
        int64_t since_us;      /* or when it was accepted */
        struct tls *tls;       /* NULL: plain */
        struct wire wire;
        struct watch watch;
        unsigned begun;           /* requests */
        struct tally_entry *peer; /* may be NULL */
};

void idle_init(struct idle *i, const struct limits *limits);
/** From now on @timer_fd, a timerfd of CLOCK_MONOTONIC, expires when there is something to sweep, and never while nobody
 * is waited for. The caller's; before the first connection, and until there is none any more. */
void idle_set_timer(struct idle *i, int timer_fd);
void idle_done(struct idle *i);

/** A connection was accepted; it is waited for from idle_enter() or idle_begin() on. NULL: out of memory. */
struct connection *idle_accepted(struct idle *i, int fd, bool is_unix, const struct limits *limits);
/** It is about to be closed; frees @c. */
void idle_closed(struct connection *c);

/** As recv() from the connection. */
ssize_t idle_read(struct connection *c, void *out, size_t n);

/** It is waited for nothing: its request is here. */
void idle_leave(struct connection *c);
/** It is waited for its first head. The time for that has begun when it was accepted: TLS has had some of it. */
void idle_begin(struct connection *c);
/** What it sends and gets is encrypted from now on. Takes @t. */
void idle_encrypt(struct connection *c, struct tls *t);
/** The time for @phase begins. */
void idle_enter(struct connection *c, enum idle_phase phase);

/** Cut off whose time is over: libmicrohttpd reads the end, after what wire_verdict() has to say. */
void idle_sweep(struct idle *i);
/** Make room: cut off at most @n of one listener that are quiet or bring a head for @us or longer, or bring a body or
 * read an answer for some seconds; in this order, the oldest of each first. */
void idle_evict(struct idle *i, bool is_unix, int64_t us, unsigned n);
#endif
