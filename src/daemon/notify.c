/* SPDX-License-Identifier: MIT */
#include "daemon/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/number.h"

enum { LINES_MAX = 1024 };

/* A step that takes longer than this has come to a stop. */
#define STEP_US (60 * CLOCK_US_PER_S)

/* All of @text as a number > 0; 0: it is none. */
static int64_t positive(const char *text)
{
        int64_t v;

        return text && number_parse(text, 1, INT64_MAX, &v) == 0 ? v : 0;
}

static int parse_address(const char *name, struct notify *n)
{
        size_t length = strlen(name);

        if ((*name != '/' && *name != '@') || length < 2 || length >= sizeof(n->to.sun_path))
                return -1;
        n->to.sun_family = AF_UNIX;
        memcpy(n->to.sun_path, name, length);
        /* An abstract name begins with NUL and has none at its end; a path may go without. */
        if (*name == '@')
                n->to.sun_path[0] = '\0';
        n->to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
        return 0;
}

static int open_socket(void)
{
        const struct timeval patience = {.tv_sec = 1};
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (fd >= 0)
                setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
        return fd;
}

void notify_begin(struct notify *n, pid_t main_pid)
{
        const char *name = getenv("NOTIFY_SOCKET");

        *n = (struct notify){.fd = -1};
        if (!name || !*name)
                return;
        if (parse_address(name, n) < 0) {
                log_warn("notify.bad_address", "address=%s", log_quote(name));
                return;
        }
        n->fd = open_socket();
        if (positive(getenv("WATCHDOG_PID")) == main_pid)
                n->watchdog_us = positive(getenv("WATCHDOG_USEC"));
}

void notify_say(struct notify *n, const char *fmt, ...)
{
        char text[LINES_MAX];
        va_list ap;
        int length;

        if (n->fd < 0)
                return;
        va_start(ap, fmt);
        length = vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        if (length >= LINES_MAX)
                length = LINES_MAX - 1;
        if (sendto(n->fd, text, (size_t)length, MSG_NOSIGNAL, (const struct sockaddr *)&n->to, n->to_len) < 0)
                log_warn("notify.failed", "errno=%s", err_errno_name(errno));
}

void notify_progress(struct notify *n)
{
        int64_t now_us = clock_mono_us();

        if (n->progress_us && now_us - n->progress_us < CLOCK_US_PER_S)
                return;
        n->progress_us = now_us;
        notify_say(n, "EXTEND_TIMEOUT_USEC=%" PRId64 "%s", STEP_US, n->watchdog_us ? "\nWATCHDOG=1" : "");
}

void notify_end(struct notify *n)
{
        closep(&n->fd);
}
