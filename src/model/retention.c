/* SPDX-License-Identifier: MIT */
#include "model/retention.h"

#include <stdlib.h>

static int64_t lesser(int64_t a, int64_t b)
{
        return a < b ? a : b;
}

bool retention_is_set(const struct retention *r)
{
        return retention_least_us(r) != INT64_MAX;
}

int64_t retention_least_us(const struct retention *r)
{
        const int64_t ages[] = {r->ended_us, r->dangling_us, r->events_us};
        int64_t least = r->ended_count || r->events_count ? RETENTION_BREATH_US : INT64_MAX;

        for (int i = 0; i < 3; i++)
                if (ages[i])
                        least = lesser(least, ages[i]);
        return least;
}

void retention_clock_begin(struct retention_clock *c, int64_t wall_us, int64_t boot_us)
{
        *c = (struct retention_clock){.offset_us = wall_us - boot_us, .since_us = boot_us};
}

struct retention_now retention_clock_look(struct retention_clock *c, int64_t wall_us, int64_t boot_us)
{
        if (llabs(wall_us - boot_us - c->offset_us) > RETENTION_STEP_US)
                retention_clock_begin(c, wall_us, boot_us);
        return (struct retention_now){
                .wall_us = wall_us, .boot_us = boot_us, .steady_us = boot_us - c->since_us};
}

int64_t retention_doubt_us(const struct retention_now *now, int64_t age_us)
{
        int64_t left = lesser(age_us, RETENTION_STEADY_US) - now->steady_us;

        return left > 0 ? left : 0;
}
