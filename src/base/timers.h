/* SPDX-License-Identifier: MIT */
/* base/timers.h
 * A set of deadlines: a binary heap of intrusive timers, on the clock of clock_mono_us().
 *
 * Nothing fires by itself: the owner asks timers_next() how long to sleep and timers_expire() who is due.
 * No lock of its own.
 */
#ifndef CRECHE_BASE_TIMERS_H
#define CRECHE_BASE_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct timer {
        int64_t at_us;
        void (*fire)(struct timer *timer, void *arg); /* for the owner of the set; not called from here */
        size_t slot;                                  /* place in the heap + 1; 0: not set */
};

struct timers {
        struct timer **heap;
        size_t n, cap;
};

void timers_done(struct timers *t);

/** Set or move @timer. Returns 1 when it is now the earliest of all, 0 when not, -1: out of memory, and
 * @timer is as before. */
int timers_set(struct timers *t, struct timer *timer, int64_t at_us);

/** Unset @timer; nothing happens when it is not set. */
void timers_unset(struct timers *t, struct timer *timer);

/** The earliest deadline, INT64_MAX when there is none. */
int64_t timers_next(const struct timers *t);

/** Take out one timer whose deadline is not after @now_us; NULL when there is none. */
struct timer *timers_expire(struct timers *t, int64_t now_us);

#endif
