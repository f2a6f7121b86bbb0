/* SPDX-License-Identifier: MIT */
#include "cli/output.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static size_t terminal_width(void)
{
        const char *columns = getenv("COLUMNS");
        struct winsize size = {0};
        long n = columns ? strtol(columns, NULL, 10) : 0;

        if (n > 0)
                return (size_t)n;
        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col)
                return size.ws_col;
        return 80;
}

void output_begin(struct output *o, const char *color)
{
        const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

        o->is_terminal = isatty(STDOUT_FILENO);
        o->width = o->is_terminal ? terminal_width() : 0;
        o->colored = o->is_terminal && !(no_color && *no_color) && !(term && !strcmp(term, "dumb"));
        if (strcmp(color, "auto") != 0)
                o->colored = !strcmp(color, "always");
}

const char *output_color(const struct output *o, enum color c)
{
        static const char *const sequences[] = {"\033[0m",  "\033[31m", "\033[32m", "\033[33m",
                                                "\033[34m", "\033[35m", "\033[36m", "\033[2m"};

        return o->colored ? sequences[c] : "";
}

int output_all(int fd, const char *bytes, size_t n)
{
        struct pollfd room = {.fd = fd, .events = POLLOUT};

        while (n) {
                ssize_t w = write(fd, bytes, n);

                if (w < 0 && errno == EAGAIN)
                        poll(&room, 1, -1);
                else if (w < 0 && errno != EINTR)
                        return -1;
                bytes += w > 0 ? w : 0;
                n -= w > 0 ? (size_t)w : 0;
        }
        return 0;
}

int output_write(const char *bytes, size_t n, struct fail *f)
{
        if (output_all(STDOUT_FILENO, bytes, n) == 0)
                return 0;
        fail_set(f, ERR_INTERNAL, errno, "writing to stdout");
        return fail_hint(f, "what was asked for is done; look where stdout goes to");
}

int output_str(const struct strbuf *b, struct fail *f)
{
        if (strbuf_failed(b))
                return fail_set(f, ERR_INTERNAL, ENOMEM, "writing");
        return b->len ? output_write(b->s, b->len, f) : 0;
}

int output_line(struct fail *f, const char *fmt, ...)
{
        struct strbuf b = {0};
        char *text = NULL;
        va_list ap;
        int n, rc;

        va_start(ap, fmt);
        n = vasprintf(&text, fmt, ap);
        va_end(ap);
        if (n < 0)
                return fail_set(f, ERR_INTERNAL, ENOMEM, "writing");
        strbuf_add(&b, text, (size_t)n);
        strbuf_char(&b, '\n');
        rc = output_str(&b, f);
        strbuf_done(&b);
        free(text);
        return rc;
}

bool output_reader_left(const struct fail *f)
{
        return f->err.errnum == EPIPE;
}
