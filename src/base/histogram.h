/* SPDX-License-Identifier: MIT */
/* base/histogram.h
 * What happened how often, counted as it happens: counters, and values sorted into buckets. They begin at 0 with
 * the process and never go back.
 *
 * Threads: any; no lock. A reader may see a value's bucket before its sum.
 */
#ifndef CRECHE_BASE_HISTOGRAM_H
#define CRECHE_BASE_HISTOGRAM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum { HISTOGRAM_BOUNDS_MAX = 16 };

typedef _Atomic uint64_t counter;

static inline void counter_add(counter *c, uint64_t n)
{
        atomic_fetch_add_explicit(c, n, memory_order_relaxed);
}

static inline uint64_t counter_get(const counter *c)
{
        return atomic_load_explicit(c, memory_order_relaxed);
}

/* Upper bounds of buckets, ascending, 0 behind the last; the values are integers of the scale's unit. */
struct histogram_scale {
        int64_t bounds[HISTOGRAM_BOUNDS_MAX + 1];
};

/* From half a millisecond to ten minutes, in microseconds; and counts up to 1024. */
extern const struct histogram_scale histogram_time, histogram_count;

struct histogram {
        counter buckets[HISTOGRAM_BOUNDS_MAX + 1]; /* the last one in use: above all bounds */
        counter sum;
};

/** Count @value (>= 0) into its bucket: the first whose bound is not below it. */
void histogram_add(struct histogram *h, const struct histogram_scale *scale, int64_t value);

#endif
