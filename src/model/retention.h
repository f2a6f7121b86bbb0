/* SPDX-License-Identifier: MIT */
/* model/retention.h
 * For how long the registry keeps what is over, and which of its clocks may say that the time has come.
 *
 * The ages of rows are told by the wall clock, which somebody may set. So an age counts as passed when
 *   - the wall clock says so;
 *   - the wall clock has gone evenly, under the eyes of this creched, for that age, or for RETENTION_STEADY_US if
 *     that is less: whoever sees that the time is wrong has that long to set it right;
 *   - of what was started since this boot: the clock of the boot, which nobody can set, says so too.
 */
#ifndef CRECHE_MODEL_RETENTION_H
#define CRECHE_MODEL_RETENTION_H

#include <stdbool.h>
#include <stdint.h>

/* An hour. */
#define RETENTION_STEADY_US INT64_C(3600000000)
/* The clock was set, and did not just drift, when it is off by more. */
#define RETENTION_STEP_US INT64_C(60000000)
/* Whatever the counts say: so long, who has joined a process has to read its output. */
#define RETENTION_BREATH_US INT64_C(10000000)

/* Ages in microseconds, since a process was joined, or else has ended, or else, of one that never ran, was created.
 * 0, of each: for ever, all. */
struct retention {
        int64_t ended_us;     /* of processes that have ended and were joined, and of closed ones */
        int64_t ended_count;  /* how many of these there may be */
        int64_t dangling_us;  /* of those that have ended and that nobody has joined or closed */
        int64_t events_us;    /* of events */
        int64_t events_count; /* how many of them, the newest */
};

/** Whether anything goes at all. */
bool retention_is_set(const struct retention *r);
/** The least of the ages, RETENTION_BREATH_US where there is a count: what happens now matters no sooner. INT64_MAX:
 * never. */
int64_t retention_least_us(const struct retention *r);

/* The clocks at one moment. */
struct retention_now {
        int64_t wall_us, boot_us; /* clock_now_us(), clock_boot_us() */
        int64_t steady_us;        /* for how long the first has gone evenly */
};

/* What is known of the wall clock. */
struct retention_clock {
        int64_t offset_us; /* wall clock less clock of the boot */
        int64_t since_us;  /* by the latter: since when that is so */
};

/** Begin to look at the clocks, which show @wall_us and @boot_us. */
void retention_clock_begin(struct retention_clock *c, int64_t wall_us, int64_t boot_us);
/** Look again. */
struct retention_now retention_clock_look(struct retention_clock *c, int64_t wall_us, int64_t boot_us);

/** How long until the wall clock is believed to say that @age_us has passed: 0, it is. */
int64_t retention_doubt_us(const struct retention_now *now, int64_t age_us);

#endif
