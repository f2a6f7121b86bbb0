/* SPDX-License-Identifier: MIT */
#include "base/timers.h"

#include <stdlib.h>

enum { FIRST_CAP = 64 };

void timers_done(struct timers *t)
{
        free(t->heap);
        *t = (struct timers){0};
}

static void put(struct timers *t, size_t i, struct timer *timer)
{
        t->heap[i] = timer;
        timer->slot = i + 1;
}

static void sift_up(struct timers *t, size_t i, struct timer *timer)
{
        while (i && t->heap[(i - 1) / 2]->at_us > timer->at_us) {
                put(t, i, t->heap[(i - 1) / 2]);
                i = (i - 1) / 2;
        }
        put(t, i, timer);
}

static void sift_down(struct timers *t, size_t i, struct timer *timer)
{
        for (size_t child; (child = 2 * i + 1) < t->n; i = child) {
                if (child + 1 < t->n && t->heap[child + 1]->at_us < t->heap[child]->at_us)
                        child++;
                if (t->heap[child]->at_us >= timer->at_us)
                        break;
                put(t, i, t->heap[child]);
        }
        put(t, i, timer);
}

static int grow(struct timers *t)
{
        size_t cap = t->cap ? t->cap * 2 : FIRST_CAP;
        struct timer **heap = realloc(t->heap, cap * sizeof(*heap));

        if (!heap)
                return -1;
        t->heap = heap;
        t->cap = cap;
        return 0;
}

int timers_set(struct timers *t, struct timer *timer, int64_t at_us)
{
        if (!timer->slot && t->n == t->cap && grow(t) < 0)
                return -1;
        timers_unset(t, timer);
        timer->at_us = at_us;
        t->n++;
        sift_up(t, t->n - 1, timer);
        return timer->slot == 1;
}

void timers_unset(struct timers *t, struct timer *timer)
{
        size_t i = timer->slot - 1;
        struct timer *last;

        if (!timer->slot)
                return;
        timer->slot = 0;
        last = t->heap[--t->n];
        if (last == timer)
                return;
        sift_down(t, i, last);
        sift_up(t, last->slot - 1, last);
}

int64_t timers_next(const struct timers *t)
{
        return t->n ? t->heap[0]->at_us : INT64_MAX;
}

struct timer *timers_expire(struct timers *t, int64_t now_us)
{
        struct timer *timer = t->n ? t->heap[0] : NULL;

        if (!timer || timer->at_us > now_us)
                return NULL;
        timers_unset(t, timer);
        return timer;
}
