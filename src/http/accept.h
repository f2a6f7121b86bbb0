/* SPDX-License-Identifier: MIT */
/* http/accept.h
 * Who takes new connections: one thread for all listening sockets, which hands each to one of the threads of
 * libmicrohttpd in turn; by TLS, when they have shaken hands (handshake.h).
 *
 * libmicrohttpd would do it itself, but not when descriptors run out: it either spins or stops listening until
 * one of its own connections is closed, whatever else has become free. Here clients queue at the socket as long
 * as there is no room for them, and some descriptors are always left for the daemon's own work, and some more for
 * those who come by the unix socket. A client that has too many connections is told so, and gets no more.
 *
 * Threads: accept_begin() and accept_end() from main.
 */
#ifndef CRECHE_HTTP_ACCEPT_H
#define CRECHE_HTTP_ACCEPT_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "base/err.h"

struct connection;
struct http;
struct listener;

struct acceptor {
        struct http *http;
        pthread_t thread;
        int stop_fd; /* an eventfd that ends the thread */
        bool running;
};

/** Begin to take connections. ERR_INTERNAL. */
int accept_begin(struct acceptor *a, struct http *h, struct err *e);
/** Take no more: who comes now waits at the socket for the next daemon. May be called twice, or alone. */
void accept_end(struct acceptor *a);

/** Whether a client of @l may make the daemon open one more file: a connection, or what a request is about. From any
 * thread. */
bool accept_has_file(const struct listener *l);

/** Hand @fd, which @c is on, to libmicrohttpd, or drop both. One thread at a time for each listener. */
void accept_hand_over(struct listener *l, int fd, struct connection *c, const struct sockaddr *from,
                      socklen_t n);

/** Release what a connection of @l that is no more has held. @c may be NULL. From any thread. */
void accept_forget(struct listener *l, struct connection *c);

#endif
