/* SPDX-License-Identifier: MIT */
/* What the loader and the yardsticks share: time, and samples of durations. Not for threads to share. */
#ifndef CRECHE_BENCH_H
#define CRECHE_BENCH_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

__attribute__((noreturn)) static inline void die(const char *what)
{
        fprintf(stderr, "%s: %s\n", what, strerror(errno));
        exit(1);
}

static inline double now_s(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/** Durations in seconds; zeroed to begin with. */
struct samples {
        float *s;
        size_t n, size;
};

static inline void samples_add(struct samples *all, double seconds)
{
        if (all->n == all->size) {
                all->size = all->size ? all->size * 2 : 4096;
                all->s = realloc(all->s, all->size * sizeof(*all->s));
                if (!all->s)
                        die("realloc");
        }
        all->s[all->n++] = (float)seconds;
}

static inline void samples_done(struct samples *all)
{
        free(all->s);
        *all = (struct samples){0};
}

/** Move all of @from to @all. */
static inline void samples_take(struct samples *all, struct samples *from)
{
        for (size_t i = 0; i < from->n; i++)
                samples_add(all, (double)from->s[i]);
        samples_done(from);
}

static inline int samples_compare(const void *a, const void *b)
{
        float x = *(const float *)a, y = *(const float *)b;

        return (x > y) - (x < y);
}

/** The quantile @q (0..1) in microseconds; 0 of none. Sorts. */
static inline double samples_us(struct samples *all, double q)
{
        if (!all->n)
                return 0;
        qsort(all->s, all->n, sizeof(*all->s), samples_compare);
        return (double)all->s[(size_t)(q * (double)(all->n - 1))] * 1e6;
}

#endif
