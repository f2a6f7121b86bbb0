/* SPDX-License-Identifier: MIT */
/* start/ticks.h
 * When a process began, as field 22 of /proc/PID/stat says it, mostly without reading that: the kernel takes the time of
 * the clone by CLOCK_BOOTTIME and counts the ticks that had passed. Who has read this clock before the clone and after it
 * knows that number too, unless a tick was between the two.
 *
 * That is so in Linux. Whether it is so here, where a sandbox may count otherwise, is seen from the first processes and
 * whenever /proc has to be read; and where it is not, /proc is read for each. A process is recognised by this number
 * after a restart, so it is never a guess.
 *
 * Threads: one struct ticks per thread.
 */
#ifndef CRECHE_START_TICKS_H
#define CRECHE_START_TICKS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct ticks {
        unsigned agreed; /* how often /proc was read and said the same */
        bool differs;    /* it once did not */
};

/** The start of @pid, which has not been reaped, cloned between @before_us and @after_us of clock_boot_us(). 0: it was
 * reaped all the same, by somebody outside, and /proc knows it no more. */
uint64_t ticks_of(struct ticks *t, pid_t pid, int64_t before_us, int64_t after_us);

#endif
