/* SPDX-License-Identifier: MIT */
#include "cli/screen.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/output.h"

enum { ROWS = 24, COLUMNS = 80, ESCAPE_MS = 25 };

/* Another screen, without a cursor; and back. */
#define TAKE      "\033[?1049h\033[?25l"
#define GIVE_BACK "\033[0m\033[?25h\033[?1049l"

static void put(const char *bytes, size_t n)
{
        output_all(STDOUT_FILENO, bytes, n);
}

void screen_measure(struct screen *s)
{
        struct winsize size = {0};

        ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
        s->rows = size.ws_row ? size.ws_row : ROWS;
        s->columns = size.ws_col ? size.ws_col : COLUMNS;
}

/* Signals are still made of Ctrl-C and its like; what is typed is neither echoed nor kept for a line. */
int screen_take(struct screen *s, struct fail *f)
{
        struct termios raw;

        if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &s->before) < 0)
                return fail_usage(f, "there is no terminal");
        raw = s->before;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        raw.c_iflag &= ~(tcflag_t)(ICRNL | IXON);
        raw.c_cc[VMIN] = 0;
        raw.c_cc[VTIME] = 0;
        if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw) < 0)
                return fail_set(f, ERR_INTERNAL, errno, "taking the terminal");
        s->taken = true;
        put(TAKE, strlen(TAKE));
        screen_measure(s);
        return 0;
}

void screen_give_back(struct screen *s)
{
        if (!s->taken)
                return;
        s->taken = false;
        put(GIVE_BACK, strlen(GIVE_BACK));
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &s->before);
}

/* Over what is there, so that nothing flickers; the rest of each line, and of the screen, is made empty. */
void screen_show(struct screen *s, const struct strbuf *frame)
{
        struct strbuf b = {0};
        const char *line = strbuf_text(frame);

        strbuf_str(&b, "\033[H");
        for (int i = 0; i < s->rows && *line; i++) {
                size_t n = strcspn(line, "\n");

                strbuf_str(&b, i ? "\r\n" : "");
                strbuf_add(&b, line, n);
                strbuf_str(&b, "\033[K");
                line += n + (line[n] == '\n');
        }
        strbuf_str(&b, "\033[J");
        put(strbuf_text(&b), b.len);
        strbuf_done(&b);
}

/* ------------------------------------------------------------------------------------------------ keys */

static const struct {
        const char *bytes;
        int key;
} sequences[] = {
        {"[A", KEY_UP},       {"OA", KEY_UP},         {"[B", KEY_DOWN}, {"OB", KEY_DOWN},
        {"[5~", KEY_PAGE_UP}, {"[6~", KEY_PAGE_DOWN}, {"[H", KEY_HOME}, {"OH", KEY_HOME},
        {"[1~", KEY_HOME},    {"[F", KEY_END},        {"OF", KEY_END},  {"[4~", KEY_END},
};

static void fill(struct screen *s, int timeout_ms)
{
        struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
        ssize_t n;

        if (s->typed_n == sizeof(s->typed) || poll(&p, 1, timeout_ms) <= 0)
                return;
        n = read(STDIN_FILENO, s->typed + s->typed_n, sizeof(s->typed) - s->typed_n);
        if (n > 0)
                s->typed_n += (size_t)n;
        else if (p.revents & (POLLHUP | POLLERR) || (n < 0 && errno != EAGAIN && errno != EINTR))
                s->gone = true;
}

static void drop(struct screen *s, size_t n)
{
        s->typed_n -= n;
        memmove(s->typed, s->typed + n, s->typed_n);
}

/* A key that sends several bytes, of which the first is an escape; alone that is a key, too. */
static int escape(struct screen *s)
{
        size_t n = 1;

        if (s->typed_n < 3)
                fill(s, ESCAPE_MS);
        if (s->typed_n == 1 || (s->typed[1] != '[' && s->typed[1] != 'O')) {
                drop(s, 1);
                return KEY_ESCAPE;
        }
        for (size_t i = 0; i < sizeof(sequences) / sizeof(sequences[0]); i++) {
                size_t len = strlen(sequences[i].bytes);

                if (s->typed_n > len && !memcmp(s->typed + 1, sequences[i].bytes, len)) {
                        drop(s, len + 1);
                        return sequences[i].key;
                }
        }
        /* One that means nothing to us ends with a letter or a '~'. */
        for (n = 2; n < s->typed_n && (s->typed[n] < '@' || s->typed[n] > '~'); n++)
                ;
        drop(s, n < s->typed_n ? n + 1 : n);
        return KEY_OTHER;
}

int screen_key(struct screen *s)
{
        int key;

        if (!s->typed_n)
                fill(s, 0);
        if (!s->typed_n)
                return s->gone ? KEY_GONE : KEY_NONE;
        if (s->typed[0] == KEY_ESCAPE)
                return escape(s);
        key = (unsigned char)s->typed[0];
        drop(s, 1);
        return key == '\n' ? KEY_ENTER : key == '\b' ? KEY_ERASE : key ? key : KEY_OTHER;
}
