/* SPDX-License-Identifier: MIT */
/* http/park.h
 * Where suspended requests stand: one thread, one epoll set.
 *
 * The thread of the park looks at what libmicrohttpd knows nothing of: a pipe that has room again wakes its request. (A
 * client that leaves is seen by transport/watch.h.) At the end all that still stand here
 * are woken, because libmicrohttpd aborts when it is stopped with a suspended connection.
 *
 * A request enters before it is suspended and leaves before it is resumed; park_left() follows the resuming.
 *
 * Threads: park_open() ... park_done() from main, the others from any.
 */
#ifndef CRECHE_HTTP_PARK_H
#define CRECHE_HTTP_PARK_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "transport/limits.h"
#include "transport/tally.h"

struct idle;
struct request;

struct park {
        pthread_mutex_t lock;
        pthread_cond_t changed;
        pthread_t thread;
        int epoll_fd, stop_fd; /* stop_fd: an eventfd that ends the thread */
        int timer_fd;          /* set by the idle connections */
        bool running;
        struct idle *idle;
        enum {
                PARK_OPEN,
                PARK_CLOSING,
                PARK_CLOSED
        } phase; /* closing: only who waits for a commit may enter */
        /* A slot for each that stands here. Events name slot and turn, never a pointer: one that was read
         * just before its request left finds nobody. */
        struct park_slot *slots;
        size_t slots_n, free_slot; /* free_slot: the first of a list; slots_n: none */
        size_t standing;           /* entered, and not yet resumed */
        /* Those who have been admitted, suspended or just now not. */
        const struct limits *limits;
        int64_t patient;
        struct tally callers;
};

/* What a request holds while it stands here. */
struct parked {
        size_t slot; /* + 1; 0: it stands nowhere */
        int pipe_fd;
};

/** Start the thread, which looks after @idle as well. ERR_INTERNAL. */
int park_open(struct park *p, struct idle *idle, const struct limits *limits, struct err *e);

/** @caller begins to wait: for an exit, for output, for events, for more of a stream. Returns what park_dismiss()
 * takes; NULL with @e set: ERR_TOO_MANY, there are too many of his; ERR_TRY_AGAIN, of all. @modest: he leaves a
 * quarter of the places to operators. */
struct tally_entry *park_admit(struct park *p, const char *caller, bool modest, struct err *e);
/** He waits no more. @place may be NULL. */
void park_dismiss(struct park *p, struct tally_entry *place);

/** Enter: watch @pipe_fd (unless -1) for room. Takes no
 * reference to @r. False: the park is closed, or there is no memory. */
bool park_enter(struct park *p, struct request *r, struct parked *at, int pipe_fd);
/** Leave. Afterwards nobody learns of @r here any more. */
void park_leave(struct park *p, struct parked *at);
/** The connection has been resumed. */
void park_left(struct park *p);

/** Wake with REQUEST_STOP who waits for an exit or for output (@all: everybody), and let no more of them in. */
void park_close(struct park *p, bool all);
/** Wait until nobody stands here. After park_close() of all. */
void park_wait(struct park *p);
/** End the thread and release what @p holds. */
void park_done(struct park *p);

#endif
