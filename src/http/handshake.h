/* SPDX-License-Identifier: MIT */
/* http/handshake.h
 * Connections by TLS before libmicrohttpd gets them: while they shake hands.
 *
 * One thread and one epoll set for all of them, so that the arithmetic of a handshake keeps no request waiting. They
 * count as connections and as connections of their peer, and have the time of the head of a request (idle.h), which
 * goes on when they are done. Nothing is spent on TLS before the first byte has come. Who speaks HTTP is told in HTTP
 * that this is the wrong scheme.
 *
 * Threads: handshakes_begin() and handshakes_end() from main, handshakes_take() from the acceptor.
 */
#ifndef CRECHE_HTTP_HANDSHAKE_H
#define CRECHE_HTTP_HANDSHAKE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/list.h"

struct connection;
struct listener;

struct handshakes {
        struct listener *listener;
        pthread_mutex_t lock;
        pthread_t thread;
        int epoll_fd, wake_fd; /* wake_fd: an eventfd: it is the end */
        bool running;
        struct list all; /* under ->lock */
};

/** Begin to take connections of @l. ERR_INTERNAL. handshakes_end() is due in any case. */
int handshakes_begin(struct handshakes *s, struct listener *l, struct err *e);

/** Drop those who are not done. The acceptor has ended. */
void handshakes_end(struct handshakes *s);

/** Take @c, on @fd, from @from: it goes to accept_hand_over(), or is dropped. */
void handshakes_take(struct handshakes *s, int fd, struct connection *c, const struct sockaddr *from,
                     socklen_t n);

#endif
