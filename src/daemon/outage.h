/* SPDX-License-Identifier: MIT */
/* daemon/outage.h
 * What a creched does that was started again and cannot open the registry, because the disk or the database
 * cannot be used: the children of the one before it live, or are zombies at creche-init, and with the end of
 * creche-init the exit codes would be lost. So it keeps the sockets, says what is wrong to whoever asks, and
 * lets another creched try after a while.
 */
#ifndef CRECHE_DAEMON_OUTAGE_H
#define CRECHE_DAEMON_OUTAGE_H

#include "daemon/notify.h"
#include "http/server.h"

struct outage {
        struct http_config http; /* without a registry */
        int init_fd;             /* the control socket to creche-init */
        struct notify *notify;   /* borrowed */
        int signals;             /* signalfd of SIGTERM, SIGINT, SIGHUP */
};

/** Answer 503 to all until it is time to try again. Returns whether to: false after SIGTERM or SIGINT. */
bool outage_wait(struct outage *o);

#endif
