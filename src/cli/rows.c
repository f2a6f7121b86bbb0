/* SPDX-License-Identifier: MIT */
#include "cli/rows.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/json.h"
#include "cli/text.h"
#include "cli/view.h"

enum { ROOM = 1024 };

const char *const row_states[ROW_STATES] = {"starting", "started", "initial", "failed",
                                            "lost",     "stopped", "closed"};
const char *const row_sorts[SORTS] = {"state", "id", "name", "time", "cpu", "memory"};

static void row_done(struct row *row)
{
        free(row->name);
        free(row->command);
        free(row->how);
}

void rows_clear(struct rows *r)
{
        for (size_t i = 0; i < r->n; i++)
                row_done(&r->all[i]);
        r->n = r->shown_n = 0;
        r->changed = true;
}

void rows_done(struct rows *r)
{
        rows_clear(r);
        free(r->all);
        free(r->shown);
}

/* Where @id is, or would be. */
static size_t place(const struct rows *r, int64_t id)
{
        size_t low = 0, high = r->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (r->all[middle].id < id)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

const struct row *rows_find(const struct rows *r, int64_t id)
{
        size_t at = place(r, id);

        return at < r->n && r->all[at].id == id ? &r->all[at] : NULL;
}

static int64_t time_of(const json_t *process, const char *member)
{
        const char *text = json_text(process, member);
        int64_t us;

        return text && clock_parse(text, &us) == 0 ? us : 0;
}

static char *escaped(const char *text)
{
        struct strbuf b = {0};

        text_escape(&b, text, strlen(text), false);
        return b.len || b.failed ? strbuf_steal(&b) : strdup("");
}

static char *command_of(const json_t *process)
{
        struct strbuf b = {0};
        char *text;

        view_command(process, &b);
        text = escaped(strbuf_text(&b));
        strbuf_done(&b);
        return text;
}

static int rank_of(const char *state)
{
        int rank = 0;

        while (rank < ROW_STATES - 1 && strcmp(row_states[rank], state) != 0)
                rank++;
        return rank;
}

static bool ended_well(const json_t *process)
{
        const json_t *code = json_object_get(process, "exitcode");

        return json_is_integer(code) && !json_integer_value(code);
}

static bool row_make(struct row *row, const json_t *process)
{
        const json_t *usage = json_object_get(process, "rusage");
        bool used = json_is_object(usage);

        *row = (struct row){
                .id = json_number(process, "id"),
                .pid = json_number(process, "pid"),
                .rank = rank_of(json_text(process, "state") ?: ""),
                .started_us = time_of(process, "started_at"),
                .stopped_us = time_of(process, "stopped_at"),
                .cpu_s = used ? json_number_value(json_object_get(usage, "user_s")) +
                                         json_number_value(json_object_get(usage, "system_s"))
                              : -1,
                .rss_bytes = used ? json_number(usage, "maxrss_bytes") : -1,
                .name = escaped(json_text(process, "name") ?: ""),
                .command = command_of(process),
                .bad = json_is_object(json_object_get(process, "exit")) && !ended_well(process),
                .how = escaped(json_text(json_object_get(process, "exit"), "detail") ?: ""),
        };
        if (row->name && row->command && row->how)
                return true;
        row_done(row);
        return false;
}

static bool make_room(struct rows *r)
{
        size_t room = r->room ? 2 * r->room : ROOM;
        struct row *all;

        if (r->n < r->room)
                return true;
        all = reallocarray(r->all, room, sizeof(*all));
        if (!all)
                return false;
        r->all = all;
        r->room = room;
        return true;
}

bool rows_put(struct rows *r, const json_t *process)
{
        size_t at = place(r, json_number(process, "id"));
        struct row row;

        if (!make_room(r) || !row_make(&row, process))
                return false;
        if (at < r->n && r->all[at].id == row.id) {
                row_done(&r->all[at]);
        } else {
                memmove(r->all + at + 1, r->all + at, (r->n - at) * sizeof(*r->all));
                r->n++;
        }
        r->all[at] = row;
        r->changed = true;
        return true;
}

void rows_drop(struct rows *r, int64_t id)
{
        size_t at = place(r, id);

        if (at == r->n || r->all[at].id != id)
                return;
        row_done(&r->all[at]);
        r->n--;
        memmove(r->all + at, r->all + at + 1, (r->n - at) * sizeof(*r->all));
        r->changed = true;
}

void rows_count(const struct rows *r, size_t counts[ROW_STATES])
{
        memset(counts, 0, ROW_STATES * sizeof(*counts));
        for (size_t i = 0; i < r->n; i++)
                counts[r->all[i].rank]++;
}

int64_t row_ran_us(const struct row *row, int64_t now_us)
{
        if (!row->started_us)
                return -1;
        return (row->stopped_us ?: now_us) - row->started_us;
}

/* ----------------------------------------------------------------------------------------------- order */

struct ordering {
        enum row_sort sort;
        int sign;
        int64_t now_us;
};

static int order_of(int64_t a, int64_t b)
{
        return (a > b) - (a < b);
}

/* The greatest first, but for names and states. */
static int compare_by(const struct ordering *o, const struct row *a, const struct row *b)
{
        switch (o->sort) {
        case SORT_STATE: return order_of(a->rank, b->rank);
        case SORT_NAME: return strcmp(a->name, b->name);
        case SORT_TIME: return order_of(row_ran_us(b, o->now_us), row_ran_us(a, o->now_us));
        case SORT_CPU: return (b->cpu_s > a->cpu_s) - (b->cpu_s < a->cpu_s);
        case SORT_MEMORY: return order_of(b->rss_bytes, a->rss_bytes);
        case SORT_ID:
        case SORTS: break;
        }
        return 0;
}

static int compare(const void *x, const void *y, void *arg)
{
        const struct row *a = *(const struct row *const *)x, *b = *(const struct row *const *)y;
        const struct ordering *o = arg;
        int by = compare_by(o, a, b);

        return o->sign * (by ? by : order_of(b->id, a->id));
}

static bool passes(const struct row *row, const char *filter)
{
        return !*filter || strcasestr(row->name, filter) || strcasestr(row->command, filter);
}

bool rows_order(struct rows *r, enum row_sort sort, bool reverse, const char *filter)
{
        struct ordering o = {sort, reverse ? -1 : 1, clock_now_us()};
        const struct row **shown = reallocarray(r->shown, r->n + 1, sizeof(*shown));

        if (!shown)
                return false;
        r->shown = shown;
        r->shown_n = 0;
        for (size_t i = 0; i < r->n; i++)
                if (passes(&r->all[i], filter))
                        r->shown[r->shown_n++] = &r->all[i];
        qsort_r(r->shown, r->shown_n, sizeof(*r->shown), compare, &o);
        r->changed = false;
        return true;
}
