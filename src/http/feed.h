/* SPDX-License-Identifier: MIT */
/* http/feed.h
 * Who follows the events: one thread, which sleeps for good while nobody does.
 *
 * The writer says once for each commit that there are new events; the thread wakes the streams, not more often
 * than FEED_NAP_MS lets it, and all of them every FEED_BEAT_S for a sign of life. A stream keeps its place in the
 * table of events and reads on from there; nothing is queued for anybody, however slow he is.
 *
 * A stream joins before it looks for the first time: what is committed later wakes it.
 *
 * Threads: feed_open(), feed_close() and feed_done() from main, the others from any.
 */
#ifndef CRECHE_HTTP_FEED_H
#define CRECHE_HTTP_FEED_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/list.h"

enum { FEED_BEAT_S = 15, FEED_NAP_MS = 20, FEED_STREAMS_MAX = 256 /* of one caller */ };

struct registry;
struct request;

struct feed {
        struct registry *registry; /* NULL: there is nothing to follow */
        pthread_mutex_t lock;      /* guards the streams, and is held while they are woken */
        struct list streams;
        _Atomic size_t streams_n;
        pthread_t thread;
        int wake_fd; /* an eventfd */
        atomic_bool ends;
        bool running;
};

/* The link of a request that follows. It is the request's own, and leaves before that is freed. */
struct feed_stream {
        struct list link;
        struct request *request;
};

/** Start the thread. @registry may be NULL. ERR_INTERNAL. */
int feed_open(struct feed *f, struct registry *registry, struct err *e);
/** End the thread: nobody is woken any more. Streams can still leave. */
void feed_close(struct feed *f);
/** The last stream has left. */
void feed_done(struct feed *f);

/** @s->request follows from now on: REQUEST_MORE and REQUEST_BEAT. ERR_TOO_MANY: its caller has FEED_STREAMS_MAX. */
int feed_join(struct feed *f, struct feed_stream *s, struct err *e);
void feed_leave(struct feed *f, struct feed_stream *s);

#endif
