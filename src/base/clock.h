/* SPDX-License-Identifier: MIT */
/* base/clock.h
 * Times are int64_t microseconds: of the Unix epoch (_now_us) or of a clock that never jumps (_mono_us).
 *
 * Threads: any.
 */
#ifndef CRECHE_BASE_CLOCK_H
#define CRECHE_BASE_CLOCK_H

#include <stdint.h>

enum { CLOCK_TEXT_MAX = 32 };
#define CLOCK_US_PER_S INT64_C(1000000)

/** Wall clock. */
int64_t clock_now_us(void);

/** Wall clock of something that comes after @earlier_us: that, when the clock has been set back since. */
int64_t clock_after_us(int64_t earlier_us);

/** CLOCK_MONOTONIC, for deadlines. */
int64_t clock_mono_us(void);

/** CLOCK_BOOTTIME: the clock that the kernel stamps the start of a process with. */
int64_t clock_boot_us(void);

/** RFC 3339 UTC with microseconds of @us into @out[CLOCK_TEXT_MAX]; returns @out. */
const char *clock_text(int64_t us, char *out);

/** Parse RFC 3339 with any offset. Returns 0, or -1 when @s is none. */
int clock_parse(const char *s, int64_t *us);

#endif
