/* SPDX-License-Identifier: MIT */
/* transport/linger.h
 * Connections that are closed while their client still sends.
 *
 * A socket that is closed with unread bytes in it resets the connection, and the client may lose the answer
 * that says why. Here such sockets are read, and nothing is kept, until the client has seen the end, for a few
 * seconds at most. One thread, one epoll set.
 *
 * Threads: linger_begin() and linger_end() from main, linger_keep() from any.
 */
#ifndef CRECHE_TRANSPORT_LINGER_H
#define CRECHE_TRANSPORT_LINGER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/list.h"

struct lingering {
        pthread_mutex_t lock;
        pthread_t thread;
        int epoll_fd, wake_fd; /* wake_fd: an eventfd: somebody has come, or it is the end */
        atomic_bool running;
        struct list sockets; /* the oldest in front */
        size_t n;
};

/** ERR_INTERNAL. linger_end() is due in any case. */
int linger_begin(struct lingering *l, struct err *e);
void linger_end(struct lingering *l);

/** Say the end to the client and keep his connection for a while. @fd stays the caller's. @deaf: it has been shut
 * down for reading, so that nothing tells when the client has left. Not kept when there are too many. */
void linger_keep(struct lingering *l, int fd, bool deaf);

#endif
