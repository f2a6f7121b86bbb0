/* SPDX-License-Identifier: MIT */
/* transport/watch.h
 * How libmicrohttpd is told what its sockets are ready for.
 *
 * libmicrohttpd 0.9.75 takes a socket out of its epoll set when it suspends the connection and puts it back when it has
 * resumed it, is woken by room for an answer that it has sent long ago, reads once more to learn that there is nothing to
 * read, and does not look for clients that leave a suspended request. Here a socket stays in the set from its first moment to
 * its last: what comes for a connection that is suspended is remembered, and said when libmicrohttpd puts it back;
 * room is watched for only when there has been none; what has been read dry is not read before there is more; and the end
 * of what a client sends is seen at any time. So a request, suspended or not, costs no call of epoll_ctl().
 *
 * All that rests upon one thing: the set is edge-triggered, and libmicrohttpd takes for granted that a resumed connection is
 * ready for everything.
 *
 * Threads: the connection's own.
 */
#ifndef CRECHE_TRANSPORT_WATCH_H
#define CRECHE_TRANSPORT_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

struct connection;

struct watch {
        bool begun;      /* libmicrohttpd has got the connection: from then on its calls come here */
        int epoll_fd;    /* -1: it is in no set yet */
        void *handle;    /* by which libmicrohttpd knows it */
        bool is_in;      /* the set, as libmicrohttpd believes */
        bool asleep;     /* suspended, and perhaps resumed: what comes must not be told */
        uint32_t missed; /* what has come since */
        bool full;       /* the last answer did not go out at once */
        bool left;       /* the client sends no more */
        void (*on_left)(void *arg); /* NULL: it is enough to have noted it */
        void *arg;
};

/** libmicrohttpd serves @c from now on. */
void watch_begin(struct connection *c);
/** It is about to close it. */
void watch_end(struct connection *c);

/** As epoll_ctl() of libmicrohttpd for the socket of @c. */
int watch_ctl(struct connection *c, int epoll_fd, int op, const struct epoll_event *ev);
/** An event of the set, made into what libmicrohttpd expects. False: it is none of its business. */
bool watch_event(struct epoll_event *ev);

/** Less has been sent than there was: say when there is room. errno stays as it is. */
void watch_full(struct connection *c);

/** It has been suspended. @on_left is called when the client leaves (NULL: it is noted), between two calls of
 * libmicrohttpd's handler. Returns whether he has left already; then it is not called. */
bool watch_sleep(struct connection *c, void (*on_left)(void *arg), void *arg);
/** libmicrohttpd goes on with it, which it cannot have done without reading. */
void watch_wake(struct connection *c);

#endif
