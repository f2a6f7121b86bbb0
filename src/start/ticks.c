/* SPDX-License-Identifier: MIT */
#include "start/ticks.h"

#include <inttypes.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/procfs.h"

enum {
        PROOFS = 8,
        MARGIN_US =
                10, /* what user space reads of the clock, and the kernel at once after it, may be apart */
};

static uint64_t tick_at(int64_t us)
{
        return (uint64_t)us * (uint64_t)sysconf(_SC_CLK_TCK) / (uint64_t)CLOCK_US_PER_S;
}

uint64_t ticks_of(struct ticks *t, pid_t pid, int64_t before_us, int64_t after_us)
{
        uint64_t first = tick_at(before_us - MARGIN_US), last = tick_at(after_us + MARGIN_US);
        struct procfs_stat st;

        if (first == last && t->agreed >= PROOFS && !t->differs)
                return first;
        if (procfs_stat_patiently(pid, &st) != 0)
                return 0;
        if (st.start_ticks >= first && st.start_ticks <= last) {
                t->agreed += last - first <= 1; /* a longer while proves little */
        } else if (!t->differs) {
                t->differs = true;
                log_warn("clock.differs", "pid=%d start=%" PRIu64 " first=%" PRIu64 " last=%" PRIu64, pid,
                         st.start_ticks, first, last);
        }
        return st.start_ticks;
}
