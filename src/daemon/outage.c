/* SPDX-License-Identifier: MIT */
#include "daemon/outage.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/socket.h"
#include "base/zombie.h"

enum { RETRY_MS = 3000 };

/* The next creched hears it all again. It must be read: creche-init blocks when it cannot say it. */
static bool ignore_message(int fd)
{
        struct zombie_msg msg;
        int fds[SOCKET_FDS_MAX];
        ssize_t n = socket_recv(fd, &msg, sizeof(msg), fds, MSG_DONTWAIT);

        closep(&fds[0]);
        closep(&fds[1]);
        return n > 0;
}

static int take_signal(int fd)
{
        struct signalfd_siginfo si;

        return read(fd, &si, sizeof(si)) == sizeof(si) ? (int)si.ssi_signo : 0;
}

/* The signal that ended the waiting; 0: the time is up. */
static int wait_for_signal(const struct outage *o)
{
        struct pollfd polled[] = {{.fd = o->signals, .events = POLLIN}, {.fd = o->init_fd, .events = POLLIN}};
        int64_t until = clock_mono_us() + RETRY_MS * 1000, left;
        int signo;

        while ((left = until - clock_mono_us()) > 0) {
                poll(polled, 2, (int)(left / 1000) + 1);
                if (polled[0].revents && (signo = take_signal(o->signals)))
                        return signo;
                if (polled[1].revents && !ignore_message(o->init_fd))
                        polled[1].fd = -1;
        }
        return 0;
}

bool outage_wait(struct outage *o)
{
        const struct zombie_msg ready = {.op = ZOMBIE_READY};
        struct err refusal, e;
        struct http *http = NULL;
        int signo;

        err_set(&refusal, ERR_UNAVAILABLE, 0,
                "the state directory cannot be used; nothing is lost, and it is tried again: see the log");
        o->http.refusal = &refusal;
        if (http_start(&o->http, &http, &e) < 0)
                log_error("outage.not_told", "error=%s", log_quote(e.msg));
        notify_say(o->notify, "READY=1\nSTATUS=The state directory cannot be used: see the log");
        /* We live, and so do the children: to end us all would help nobody. */
        notify_progress(o->notify);
        /* From now on creche-init passes signals on. */
        socket_send(o->init_fd, &ready, sizeof(ready), NULL, 0, MSG_DONTWAIT);
        signo = wait_for_signal(o);
        http_stop(http, 0);
        return signo != SIGTERM && signo != SIGINT;
}
