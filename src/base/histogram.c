/* SPDX-License-Identifier: MIT */
#include "base/histogram.h"

const struct histogram_scale histogram_time = {{500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000,
                                                500000, 1000000, 2500000, 10000000, 60000000, 600000000}};

const struct histogram_scale histogram_count = {{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024}};

void histogram_add(struct histogram *h, const struct histogram_scale *scale, int64_t value)
{
        int i = 0;

        while (scale->bounds[i] && scale->bounds[i] < value)
                i++;
        counter_add(&h->buckets[i], 1);
        counter_add(&h->sum, value > 0 ? (uint64_t)value : 0);
}
