/* SPDX-License-Identifier: MIT */
#include "cli/top.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/text.h"

/* Lines that are no rows: the summary, the names of the columns, the keys. */
enum { HEAD_LINES = 2, FOOT_LINES = 1, NAME_WIDTH = 20, STATE_WIDTH = 18, KIB = 1024 };

static const char keys[] = "q quit  s sort  r reverse  / filter  k terminate  arrows move";

size_t top_place(const struct top_look *l)
{
        for (size_t i = 0; i < l->rows.shown_n; i++)
                if (l->rows.shown[i]->id == l->chosen)
                        return i;
        return 0;
}

void top_move(struct top_look *l, int64_t by)
{
        int64_t n = (int64_t)l->rows.shown_n, at;

        if (!n)
                return;
        at = by > n ? n - 1 : by < -n ? 0 : (int64_t)top_place(l) + by;
        at = at < 0 ? 0 : at >= n ? n - 1 : at;
        l->chosen = l->rows.shown[at]->id;
}

/* --------------------------------------------------------------------------------------------- a row */

static void add_padded(struct strbuf *b, const char *text, size_t width)
{
        size_t has = text_width(text);

        text_cut(b, text, width);
        strbuf_printf(b, "%*s  ", has < width ? (int)(width - has) : 0, "");
}

/* "59s", "3m07s", "2h05m", "12d03h" */
static void add_time(struct strbuf *b, int64_t us)
{
        int64_t s = us / CLOCK_US_PER_S;
        char text[32] = "-";

        if (us >= 0 && s < 60)
                snprintf(text, sizeof(text), "%" PRId64 "s", s);
        else if (us >= 0 && s < 3600)
                snprintf(text, sizeof(text), "%" PRId64 "m%02ds", s / 60, (int)(s % 60));
        else if (us >= 0 && s < 86400)
                snprintf(text, sizeof(text), "%" PRId64 "h%02dm", s / 3600, (int)(s / 60 % 60));
        else if (us >= 0)
                snprintf(text, sizeof(text), "%" PRId64 "d%02dh", s / 86400, (int)(s / 3600 % 24));
        strbuf_printf(b, "%7s  ", text);
}

static void add_usage(struct strbuf *b, const struct row *row)
{
        static const char units[] = "KMGT";
        double size = (double)row->rss_bytes / KIB;
        size_t unit = 0;

        if (row->cpu_s < 0) {
                strbuf_printf(b, "%9s  %7s  ", "-", "-");
                return;
        }
        for (; size >= KIB && units[unit + 1]; unit++)
                size /= KIB;
        strbuf_printf(b, "%8.2fs  %6.1f%c  ", row->cpu_s, size, units[unit]);
}

static void add_row(struct strbuf *b, const struct row *row, int id_width, int64_t now_us)
{
        char pid[24] = "-";

        if (row->pid && !row->stopped_us)
                snprintf(pid, sizeof(pid), "%" PRId64, row->pid);
        strbuf_printf(b, "%*" PRId64 "  ", id_width, row->id);
        add_padded(b, row->name, NAME_WIDTH);
        add_padded(b, *row->how ? row->how : row_states[row->rank], STATE_WIDTH);
        strbuf_printf(b, "%7s  ", pid);
        add_time(b, row_ran_us(row, now_us));
        add_usage(b, row);
        strbuf_str(b, row->command);
}

static void add_titles(struct strbuf *b, int id_width)
{
        strbuf_printf(b, "%*s  %-*s  %-*s  %7s  %7s  %9s  %7s  %s", id_width, "ID", NAME_WIDTH, "NAME",
                      STATE_WIDTH, "STATE", "PID", "TIME", "CPU", "MEMORY", "COMMAND");
}

static int id_width(const struct rows *r)
{
        int64_t most = r->n ? r->all[r->n - 1].id : 0;
        int width = 2;

        while (most >= 100) {
                most /= 10;
                width++;
        }
        return width;
}

/* -------------------------------------------------------------------------------------------- the rest */

static void add_summary(const struct top_look *l, struct strbuf *b)
{
        size_t counts[ROW_STATES];
        const char *comma = "";

        rows_count(&l->rows, counts);
        strbuf_printf(b, "creche: %zu process%s", l->rows.n, l->rows.n == 1 ? "" : "es");
        strbuf_str(b, l->rows.n ? " (" : "");
        for (int i = 0; i < ROW_STATES; i++)
                if (counts[i]) {
                        strbuf_printf(b, "%s%zu %s", comma, counts[i], row_states[i]);
                        comma = ", ";
                }
        strbuf_str(b, l->rows.n ? ")" : "");
        strbuf_printf(b, ", by %s%s", row_sorts[l->sort], l->reverse ? ", reversed" : "");
        if (*l->filter) {
                strbuf_printf(b, ", %zu with '", l->rows.shown_n);
                text_escape(b, l->filter, strlen(l->filter), false);
                strbuf_char(b, '\'');
        }
        if (l->waiting)
                strbuf_str(b, "; the daemon does not answer yet");
        else if (l->loading)
                strbuf_str(b, "; there are more");
}

static void add_foot(const struct top_look *l, struct strbuf *b)
{
        const struct row *row = rows_find(&l->rows, l->chosen);

        if (l->mode == TOP_FILTERS) {
                strbuf_str(b, "filter: ");
                text_escape(b, l->filter, strlen(l->filter), false);
                strbuf_str(b, "_   (Enter keeps it, Escape drops it)");
        } else if (l->mode == TOP_ASKS && row) {
                strbuf_printf(b, "terminate %s (%" PRId64 ")?  y: yes, anything else: no", row->name,
                              row->id);
        } else {
                strbuf_str(b, l->message.len ? strbuf_text(&l->message) : keys);
        }
}

/* A line of the screen: cut, and its colours do not count. */
static void add_line(struct strbuf *out, struct strbuf *line, const struct screen *s, const char *on,
                     const char *off)
{
        strbuf_str(out, on);
        text_cut(out, strbuf_text(line), (size_t)s->columns);
        strbuf_str(out, *on ? off : "");
        strbuf_char(out, '\n');
        strbuf_reset(line);
}

void top_print(struct top_look *l, struct strbuf *out)
{
        int width = id_width(&l->rows);
        int64_t now_us = clock_now_us();

        add_summary(l, out);
        strbuf_char(out, '\n');
        add_titles(out, width);
        strbuf_char(out, '\n');
        for (size_t i = 0; i < l->rows.shown_n; i++) {
                add_row(out, l->rows.shown[i], width, now_us);
                strbuf_char(out, '\n');
        }
}

/* The bar stays in sight. */
static void scroll(struct top_look *l, size_t room)
{
        size_t at = top_place(l);

        if (at < l->first)
                l->first = at;
        if (at >= l->first + room)
                l->first = at - room + 1;
        if (l->first + room > l->rows.shown_n)
                l->first = l->rows.shown_n > room ? l->rows.shown_n - room : 0;
}

void top_draw(struct top_look *l, const struct screen *s, const struct output *colors, struct strbuf *out)
{
        size_t room = s->rows > HEAD_LINES + FOOT_LINES ? (size_t)(s->rows - HEAD_LINES - FOOT_LINES) : 1;
        const char *off = "\033[0m", *red = output_color(colors, COLOR_RED);
        int width = id_width(&l->rows);
        int64_t now_us = clock_now_us();
        size_t bar = top_place(l);
        struct strbuf line = {0};

        scroll(l, room);
        add_summary(l, &line);
        add_line(out, &line, s, "", off);
        add_titles(&line, width);
        add_line(out, &line, s, "\033[1m", off);
        for (size_t i = l->first; i < l->first + room; i++) {
                const struct row *row = i < l->rows.shown_n ? l->rows.shown[i] : NULL;

                if (row)
                        add_row(&line, row, width, now_us);
                add_line(out, &line, s, !row ? "" : i == bar ? "\033[7m" : row->bad ? red : "", off);
        }
        add_foot(l, &line);
        add_line(out, &line, s, "\033[2m", off);
        strbuf_done(&line);
}
