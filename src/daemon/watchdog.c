/* SPDX-License-Identifier: MIT */
#include "daemon/watchdog.h"

#include <errno.h>
#include <stdint.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"

enum { LOOKS = 4 }; /* in the interval of the manager */

static void arm(struct watchdog *w)
{
        int64_t us = w->notify->watchdog_us / LOOKS + 1;
        struct timespec each = {us / CLOCK_US_PER_S, us % CLOCK_US_PER_S * 1000};
        const struct itimerspec when = {each, each};

        w->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
        if (w->fd < 0 || timerfd_settime(w->fd, 0, &when, NULL) < 0)
                log_error("watchdog.failed", "errno=%s", err_errno_name(errno));
}

void watchdog_begin(struct watchdog *w, struct notify *n, struct registry *r)
{
        w->fd = -1;
        w->notify = n;
        w->registry = r;
        w->asked = false;
        if (n->watchdog_us)
                arm(w);
}

void watchdog_feed(struct watchdog *w)
{
        uint64_t times;

        if (read(w->fd, &times, sizeof(times)) != sizeof(times))
                return;
        if (w->asked && !atomic_load(&w->answered))
                return;
        if (w->asked)
                notify_say(w->notify, "WATCHDOG=1");
        atomic_store(&w->answered, false);
        w->asked = registry_probe(w->registry, &w->answered) == 0;
}

void watchdog_end(struct watchdog *w)
{
        closep(&w->fd);
}
