/* SPDX-License-Identifier: MIT */
#include "cli/text.h"

#include <ctype.h>
#include <inttypes.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/clock.h"

/* A few centuries: what microseconds can be counted of. */
#define SECONDS_MAX 1e10

void text_begin(void)
{
        if (!setlocale(LC_CTYPE, "C.UTF-8"))
                setlocale(LC_CTYPE, "");
}

/* The length of the character at @s, of at most @n bytes, into @out; 0: there is none. */
static size_t character(const char *s, size_t n, wchar_t *out)
{
        mbstate_t state = {0};
        size_t len = mbrtowc(out, s, n, &state);

        if (len == 0)
                return 1;
        return len > n ? 0 : len;
}

/* Marks and overrides of direction: what stands behind them is not read in the order in which it is written. */
static bool is_direction(wchar_t c)
{
        return c == 0x061c || (c >= 0x200e && c <= 0x200f) || (c >= 0x202a && c <= 0x202e) ||
               (c >= 0x2066 && c <= 0x2069);
}

static bool is_obeyed(wchar_t c)
{
        return c < ' ' || (c >= 0x7f && c < 0xa0) || is_direction(c) || c == 0x2028 || c == 0x2029;
}

static void add_escape(struct strbuf *b, const char *s, size_t len, wchar_t c)
{
        static const char named[] = "\a\b\t\n\v\f\r", names[] = "abtnvfr";
        const char *at = len == 1 && *s ? strchr(named, *s) : NULL;

        if (at)
                strbuf_printf(b, "\\%c", names[at - named]);
        else if (len > 1 && c > 0xff)
                strbuf_printf(b, "\\u%04x", (unsigned)c);
        else
                for (size_t i = 0; i < len; i++)
                        strbuf_printf(b, "\\x%02x", (unsigned char)s[i]);
}

void text_escape(struct strbuf *b, const char *s, size_t n, bool lines)
{
        for (size_t i = 0, len; i < n; i += len) {
                wchar_t c = 0;

                len = character(s + i, n - i, &c);
                if (!len) {
                        len = 1;
                        add_escape(b, s + i, 1, 0);
                } else if (is_obeyed(c) && !(lines && (c == L'\n' || c == L'\t'))) {
                        add_escape(b, s + i, len, c);
                } else {
                        strbuf_add(b, s + i, len);
                }
        }
}

/* Of escaped text: there is nothing in it that has no width. */
static size_t width_of(const char *s, size_t *len)
{
        wchar_t c = 0;
        int w;

        *len = character(s, strlen(s), &c);
        if (!*len) {
                *len = 1;
                return 1;
        }
        w = wcwidth(c);
        return w < 0 ? 1 : (size_t)w;
}

size_t text_width(const char *s)
{
        size_t width = 0;

        for (size_t len; *s; s += len)
                width += width_of(s, &len);
        return width;
}

void text_cut(struct strbuf *b, const char *s, size_t width)
{
        size_t used = 0;

        if (text_width(s) <= width) {
                strbuf_str(b, s);
                return;
        }
        for (size_t len, w; *s; s += len) {
                w = width_of(s, &len);
                if (used + w + 1 > width)
                        break;
                strbuf_add(b, s, len);
                used += w;
        }
        if (width)
                strbuf_str(b, "…");
}

size_t text_whole(const char *s, size_t n)
{
        for (size_t back = 1; back <= 3 && back <= n; back++) {
                unsigned char c = (unsigned char)s[n - back];
                size_t needs = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;

                if ((c & 0xc0) == 0x80)
                        continue;
                return needs > back ? n - back : n;
        }
        return n;
}

void text_duration(struct strbuf *b, int64_t us)
{
        static const struct {
                int64_t seconds, until;
                const char *name;
        } units[] = {{1, 60, "second"},
                     {60, 3600, "minute"},
                     {3600, 2 * 86400, "hour"},
                     {86400, 14 * 86400, "day"},
                     {604800, 60 * 86400, "week"},
                     {2629746, 2 * 31556952, "month"},
                     {31556952, INT64_MAX, "year"}};
        int64_t s = us / CLOCK_US_PER_S;
        size_t i = 0;

        if (us < CLOCK_US_PER_S) {
                strbuf_str(b, "less than a second");
                return;
        }
        while (s >= units[i].until)
                i++;
        s /= units[i].seconds;
        strbuf_printf(b, "%" PRId64 " %s%s", s, units[i].name, s == 1 ? "" : "s");
}

double text_seconds(const char *s)
{
        static const char units[] = "smhd";
        static const double seconds[] = {1, 60, 3600, 86400};
        char *end;
        double v = strtod(s, &end);
        const char *unit = *end ? strchr(units, *end) : NULL;

        if (!isdigit((unsigned char)*s) || end == s || (*end && (!unit || end[1])))
                return -1;
        v *= unit ? seconds[unit - units] : 1;
        return v <= SECONDS_MAX ? v : -1;
}

void text_quote(struct strbuf *b, const char *s)
{
        static const char plain[] =
                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=@%+,";

        if (*s && strspn(s, plain) == strlen(s)) {
                strbuf_str(b, s);
                return;
        }
        strbuf_char(b, '\'');
        for (; *s; s++)
                if (*s == '\'')
                        strbuf_str(b, "'\\''");
                else
                        strbuf_char(b, *s);
        strbuf_char(b, '\'');
}

static size_t least(size_t a, size_t b, size_t c)
{
        size_t m = a < b ? a : b;

        return m < c ? m : c;
}

/* Damerau's, with rows for the last two letters of @a. */
size_t text_distance(const char *a, const char *b)
{
        enum { LETTERS = 32 };
        size_t rows[3][LETTERS + 1], n = strlen(a), m = strlen(b);

        if (n > LETTERS || m > LETTERS)
                return LETTERS;
        for (size_t j = 0; j <= m; j++)
                rows[0][j] = j;
        for (size_t i = 1; i <= n; i++) {
                size_t *row = rows[i % 3], *up = rows[(i + 2) % 3], *above = rows[(i + 1) % 3];

                row[0] = i;
                for (size_t j = 1; j <= m; j++) {
                        row[j] = least(up[j] + 1, row[j - 1] + 1, up[j - 1] + (a[i - 1] != b[j - 1]));
                        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                            above[j - 2] + 1 < row[j])
                                row[j] = above[j - 2] + 1;
                }
        }
        return rows[n % 3][m];
}

void text_guess(struct guess *g, const char *said, const char *word)
{
        enum { UNLIKE = 3 };
        size_t distance = text_distance(said, word);

        if (distance < UNLIKE && (!g->word || distance < g->distance))
                *g = (struct guess){word, distance};
}
