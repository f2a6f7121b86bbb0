/* SPDX-License-Identifier: MIT */
/* daemon/notify.h
 * What creched says to the service manager that runs it (systemd's sd_notify protocol, without its library): datagrams
 * of NAME=value lines to the socket in NOTIFY_SOCKET. The main process of the service is creche-init, so the manager
 * has to believe its children, too (NotifyAccess=all); which process is the main one is never touched.
 *
 * The variables stay where they are: creche-init hands them to the next creched, and an upgrade takes them along. No
 * child of ours gets them, since nobody inherits our environment.
 *
 * The watchdog is fed by who proves that creched is alive: see watchdog.h, and notify_progress() while there is nothing
 * to serve yet.
 *
 * Threads: main.
 */
#ifndef CRECHE_DAEMON_NOTIFY_H
#define CRECHE_DAEMON_NOTIFY_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

struct notify {
        int fd; /* -1: nobody wants to know */
        struct sockaddr_un to;
        socklen_t to_len;
        int64_t watchdog_us; /* how often it wants a sign of life; 0: it does not */
        int64_t progress_us; /* when it was told of progress, by the monotonic clock */
};

/** Whom to tell, by NOTIFY_SOCKET: a path, or an abstract name that begins with '@'. WATCHDOG_USEC counts if WATCHDOG_PID
 * is @main_pid, the process that the manager has started. An address that cannot be is logged, and nobody is told. */
void notify_begin(struct notify *n, pid_t main_pid);

/** Say the lines that @fmt makes, of at most 1023 bytes. That nobody takes them within a second is logged, no more. */
void notify_say(struct notify *n, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** We have come a step further with what may take long: more time, and food for the watchdog. Any number of steps is
 * told of once a second. */
void notify_progress(struct notify *n);

/** @n may be one that has not begun, but for being zeroed with an fd of -1. */
void notify_end(struct notify *n);

#endif
