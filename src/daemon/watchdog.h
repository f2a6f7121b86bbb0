/* SPDX-License-Identifier: MIT */
/* daemon/watchdog.h
 * Signs of life for the service manager while creched serves and stops. Four times in the interval the main loop asks the
 * writer to say something when it has done what is queued, and tells the manager only what was answered: a main loop or
 * a writer that stands still is silent. That a job fails, on a full disk for instance, is an answer.
 *
 * Threads: main.
 */
#ifndef CRECHE_DAEMON_WATCHDOG_H
#define CRECHE_DAEMON_WATCHDOG_H

#include <stdatomic.h>
#include <stdbool.h>

#include "daemon/notify.h"
#include "registry/lifecycle.h"

struct watchdog {
        int fd; /* readable: call watchdog_feed(). -1: nobody wants a sign of life */
        struct notify *notify;
        struct registry *registry;
        bool asked;
        atomic_bool answered; /* set by the writer; until registry_shut() */
};

/** As often as @n says; @n and @r are borrowed. */
void watchdog_begin(struct watchdog *w, struct notify *n, struct registry *r);
/** The time has come. */
void watchdog_feed(struct watchdog *w);
void watchdog_end(struct watchdog *w);

#endif
