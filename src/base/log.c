/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum { LINE_MAX_BYTES = 2048, QUOTE_MAX = 512, QUOTE_SLOTS = 4 };

static enum log_level max_level = LOG_INFO;

static const char *const level_names[] = {"error", "warn", "info", "debug"};

void log_set_level(enum log_level level)
{
        max_level = level;
}

bool log_wants(enum log_level level)
{
        return level <= max_level;
}

/* Whoever reads our stderr may have stopped to: a line that finds no room is dropped, and counted, so that no
 * thread of ours ever waits for it. A line is shorter than PIPE_BUF: where there is room, it goes in whole. */
static void put(const char *line, size_t n)
{
        static atomic_uint dropped;
        struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};
        char note[96];
        unsigned lost;

        if (poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT)) {
                dropped++;
                return;
        }
        lost = atomic_exchange(&dropped, 0);
        if (lost) {
                int len = snprintf(note, sizeof(note), "event=log.dropped level=warn lines=%u\n", lost);

                if (write(STDERR_FILENO, note, (size_t)len) < 0)
                        dropped += lost;
        }
        if (write(STDERR_FILENO, line, n) < 0)
                dropped++;
}

void log_write(enum log_level level, const char *event, const char *fmt, ...)
{
        char line[LINE_MAX_BYTES];
        char at[CLOCK_TEXT_MAX];
        int saved = errno;
        int n;
        va_list ap;

        n = snprintf(line, sizeof(line), "event=%s level=%s at=%s ", event, level_names[level],
                     clock_text(clock_now_us(), at));
        va_start(ap, fmt);
        n += vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
        va_end(ap);
        if (n >= (int)sizeof(line))
                n = sizeof(line) - 1;
        line[n++] = '\n';

        put(line, (size_t)n);
        errno = saved;
}

static int is_plain(const char *s)
{
        if (!*s)
                return 0;
        for (; *s; s++)
                if ((unsigned char)*s <= ' ' || *s == '"' || *s == '=' || *s == '\\' || *s == 0x7f)
                        return 0;
        return 1;
}

const char *log_quote(const char *s)
{
        static _Thread_local char slots[QUOTE_SLOTS][QUOTE_MAX];
        static _Thread_local unsigned next;
        char *out = slots[next++ % QUOTE_SLOTS];
        size_t n = 0;

        if (!s)
                s = "";
        if (is_plain(s)) {
                snprintf(out, QUOTE_MAX, "%s", s);
                return out;
        }
        out[n++] = '"';
        for (; *s && n < QUOTE_MAX - 8; s++) {
                unsigned char c = (unsigned char)*s;

                if (c == '"' || c == '\\')
                        out[n++] = '\\';
                if (c < ' ' || c == 0x7f)
                        n += (size_t)snprintf(out + n, QUOTE_MAX - n, "\\x%02x", c);
                else
                        out[n++] = (char)c;
        }
        out[n++] = '"';
        out[n] = '\0';
        return out;
}
