/* SPDX-License-Identifier: MIT */
#include "cli/view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/json.h"
#include "cli/text.h"

enum { COLUMNS_MAX = 32, GAP = 2, SHRUNK_MIN = 8, DUMP = JSON_COMPACT | JSON_REAL_PRECISION(15) };

static const struct option_spec output_options[] = {
        OPTION("output", 'o', "table|wide|json|jsonl|csv|name", "how; JSON is the API's own",
               .completes = COMPLETES_WORDS),
        OPTION("columns", 0, "NAME,...", "which columns, in this order"),
        OPTION("sort", 0, "[-]NAME", "by this column; with a '-' from the greatest down"),
        OPTION("no-header", 0, NULL, "no line with the names of the columns"),
        OPTION("quiet", 'q', NULL, "ids only"),
        {0},
};

const struct option_group options_output = {"Output", output_options};

/* What is printed. */
struct selection {
        const struct column *columns[COLUMNS_MAX];
        size_t n;
};

static const char *format_of(const struct args *a)
{
        return args_get(a, "output") ?: a->format ?: "table";
}

bool view_wants_json(const struct args *a)
{
        return !strncmp(format_of(a), "json", 4);
}

static const struct column *column_find(const struct view *v, const char *name, size_t n, struct fail *f)
{
        struct strbuf names = {0};

        for (size_t i = 0; i < v->columns_n; i++)
                if (strlen(v->columns[i].name) == n && !strncmp(v->columns[i].name, name, n))
                        return &v->columns[i];
        for (size_t i = 0; i < v->columns_n; i++)
                strbuf_printf(&names, "%s%s", i ? " " : "", v->columns[i].name);
        fail_usage(f, "there is no column '%.*s'", (int)n, name);
        fail_hint(f, "there are: %s", strbuf_text(&names));
        strbuf_done(&names);
        return NULL;
}

static int select_named(struct selection *s, const struct view *v, const char *names, struct fail *f)
{
        for (const char *at = names; *at || at == names;) {
                size_t n = strcspn(at, ",");
                const struct column *column = column_find(v, at, n, f);

                if (!column)
                        return -1;
                if (s->n == COLUMNS_MAX)
                        return fail_usage(f, "--columns: too many");
                s->columns[s->n++] = column;
                at += n + (at[n] == ',');
        }
        return 0;
}

static int select_columns(struct selection *s, const struct args *a, const struct view *v, struct fail *f)
{
        bool wide = !strcmp(format_of(a), "wide"), csv = !strcmp(format_of(a), "csv");
        const char *names = args_get(a, "columns");

        *s = (struct selection){0};
        if (names)
                return select_named(s, v, names, f);
        for (size_t i = 0; i < v->columns_n && s->n < COLUMNS_MAX; i++) {
                unsigned flags = v->columns[i].flags;

                if (csv ? v->columns[i].member != NULL
                        : !(flags & COLUMN_ASKED) && (wide || !(flags & COLUMN_WIDE)))
                        s->columns[s->n++] = &v->columns[i];
        }
        return 0;
}

int view_check(const struct args *a, const struct view *view, struct fail *f)
{
        static const char *const formats[] = {"table", "wide", "json", "jsonl", "csv", "name"};
        const char *sort = args_get(a, "sort"), *format = format_of(a);
        struct selection s;
        bool known = false;

        for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
                known = known || !strcmp(format, formats[i]);
        if (!known) {
                fail_usage(f, "-o: '%s' is no form of output", format);
                return fail_hint(f, "there are table, wide, json, jsonl, csv and name");
        }
        sort = sort && *sort == '-' ? sort + 1 : sort;
        if (sort && !column_find(view, sort, strlen(sort), f))
                return -1;
        return select_columns(&s, a, view, f);
}

/* ---------------------------------------------------------------------------------------------- order */

struct ordering {
        const char *member;
        int sign;
};

static int compare_values(const json_t *a, const json_t *b)
{
        double d;

        if (json_is_number(a) && json_is_number(b)) {
                d = json_number_value(a) - json_number_value(b);
                return (d > 0) - (d < 0);
        }
        if (json_is_string(a) && json_is_string(b))
                return strcmp(json_string_value(a), json_string_value(b));
        return json_is_null(a) || !a ? (json_is_null(b) || !b ? 0 : -1) : 1;
}

static int compare_rows(const void *a, const void *b, void *arg)
{
        const struct ordering *o = arg;
        const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
        int order = compare_values(json_object_get(x, o->member), json_object_get(y, o->member));

        return order ? o->sign * order : compare_values(json_object_get(x, "id"), json_object_get(y, "id"));
}

static int sort_rows(const struct args *a, const struct view *v, json_t *rows, struct fail *f)
{
        const char *name = args_get(a, "sort");
        size_t n = json_array_size(rows);
        const struct column *column;
        struct ordering o = {.sign = 1};
        json_t **all;

        if (!name || n < 2)
                return 0;
        if (*name == '-') {
                o.sign = -1;
                name++;
        }
        column = column_find(v, name, strlen(name), f);
        all = calloc(n, sizeof(*all));
        if (!column || !all) {
                free(all);
                return column ? fail_set(f, ERR_INTERNAL, ENOMEM, "sorting") : -1;
        }
        o.member = column->member ?: column->name;
        for (size_t i = 0; i < n; i++)
                all[i] = json_incref(json_array_get(rows, i));
        qsort_r(all, n, sizeof(*all), compare_rows, &o);
        for (size_t i = 0; i < n; i++)
                json_array_set_new(rows, i, all[i]);
        free(all);
        return 0;
}

/* ---------------------------------------------------------------------------------------------- cells */

/* The member itself: text as it is, "" for null, JSON for all else. */
static void add_member(const json_t *v, struct strbuf *out)
{
        char *text;

        if (json_is_string(v)) {
                strbuf_add(out, json_string_value(v), json_string_length(v));
        } else if (v && !json_is_null(v)) {
                text = json_dumps(v, DUMP | JSON_ENCODE_ANY);
                strbuf_str(out, text ?: "");
                free(text);
        }
}

/* A cell for people: "-" where there is nothing. */
static char *cell(const struct column *column, const json_t *row)
{
        struct strbuf raw = {0}, out = {0};

        if (column->text)
                column->text(row, &raw);
        else
                add_member(json_object_get(row, column->member), &raw);
        if (!raw.len)
                strbuf_char(&raw, '-');
        text_escape(&out, strbuf_text(&raw), raw.len, false);
        strbuf_done(&raw);
        return strbuf_steal(&out);
}

struct table {
        const struct output *out;
        const struct selection *s;
        const json_t *rows;
        char **cells; /* row by row */
        size_t rows_n, width[COLUMNS_MAX];
};

static void table_free(struct table *t)
{
        for (size_t i = 0; t->cells && i < t->rows_n * t->s->n; i++)
                free(t->cells[i]);
        free(t->cells);
}

static int table_fill(struct table *t, bool header, struct fail *f)
{
        size_t n = t->s->n;

        t->rows_n = json_array_size(t->rows);
        t->cells = calloc(t->rows_n * n + 1, sizeof(*t->cells));
        if (!t->cells)
                return fail_set(f, ERR_INTERNAL, ENOMEM, "making a table");
        for (size_t k = 0; k < n; k++)
                t->width[k] = header ? strlen(t->s->columns[k]->name) : 0;
        for (size_t i = 0; i < t->rows_n * n; i++) {
                t->cells[i] = cell(t->s->columns[i % n], json_array_get(t->rows, i / n));
                if (!t->cells[i])
                        return fail_set(f, ERR_INTERNAL, ENOMEM, "making a table");
                if (text_width(t->cells[i]) > t->width[i % n])
                        t->width[i % n] = text_width(t->cells[i]);
        }
        return 0;
}

/* Take from the widest of those that may shrink until the rows fit. */
static void table_shrink(struct table *t)
{
        size_t total = 0;

        for (size_t k = 0; k < t->s->n; k++)
                total += t->width[k] + (k ? GAP : 0);
        while (t->out->width && total > t->out->width) {
                size_t *widest = NULL;

                for (size_t k = 0; k < t->s->n; k++)
                        if (t->s->columns[k]->flags & COLUMN_SHRINKS && t->width[k] > SHRUNK_MIN &&
                            (!widest || t->width[k] > *widest))
                                widest = &t->width[k];
                if (!widest)
                        return;
                --*widest;
                total--;
        }
}

static void add_cell(const struct table *t, size_t k, const char *text, const json_t *row, struct strbuf *b)
{
        const struct column *column = t->s->columns[k];
        enum color color = row && column->color ? column->color(row) : COLOR_NONE;
        size_t width = text_width(text);
        int pad = width < t->width[k] ? (int)(t->width[k] - width) : 0;
        bool last = k + 1 == t->s->n;

        if (column->flags & COLUMN_RIGHT)
                strbuf_printf(b, "%*s", pad, "");
        if (color)
                strbuf_str(b, output_color(t->out, color));
        text_cut(b, text, t->width[k]);
        if (color)
                strbuf_str(b, output_color(t->out, COLOR_NONE));
        if (!(column->flags & COLUMN_RIGHT) && !last)
                strbuf_printf(b, "%*s", pad, "");
        strbuf_str(b, last ? "\n" : "  ");
}

static void add_header(const struct table *t, struct strbuf *b)
{
        for (size_t k = 0; k < t->s->n; k++) {
                char title[32];
                size_t n = 0;

                for (const char *p = t->s->columns[k]->name; *p && n + 1 < sizeof(title); p++)
                        title[n++] = *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p;
                title[n] = '\0';
                add_cell(t, k, title, NULL, b);
        }
}

static int print_table(const struct cli *c, const struct args *a, const struct selection *s,
                       const json_t *rows, struct fail *f)
{
        struct table t = {.out = &c->out, .s = s, .rows = rows};
        bool header = !args_has(a, "no-header");
        struct strbuf b = {0};
        int rc = table_fill(&t, header, f);

        if (rc == 0) {
                table_shrink(&t);
                if (header)
                        add_header(&t, &b);
                for (size_t i = 0; i < t.rows_n * s->n; i++)
                        add_cell(&t, i % s->n, t.cells[i], json_array_get(rows, i / s->n), &b);
                rc = output_str(&b, f);
        }
        strbuf_done(&b);
        table_free(&t);
        return rc;
}

/* ------------------------------------------------------------------------------------------ other forms */

/* RFC 4180, with the line ends of this system. */
static void add_csv(struct strbuf *b, const char *s, size_t n)
{
        if (!memchr(s, ',', n) && !memchr(s, '"', n) && !memchr(s, '\n', n) && !memchr(s, '\r', n)) {
                strbuf_add(b, s, n);
                return;
        }
        strbuf_char(b, '"');
        for (size_t i = 0; i < n; i++) {
                if (s[i] == '"')
                        strbuf_char(b, '"');
                strbuf_char(b, s[i]);
        }
        strbuf_char(b, '"');
}

static void add_csv_row(const struct selection *s, const json_t *row, struct strbuf *b)
{
        for (size_t k = 0; k < s->n; k++) {
                struct strbuf value = {0};

                if (!s->columns[k]->member)
                        s->columns[k]->text(row, &value);
                else
                        add_member(json_object_get(row, s->columns[k]->member), &value);
                if (k)
                        strbuf_char(b, ',');
                add_csv(b, strbuf_text(&value), value.len);
                strbuf_done(&value);
        }
        strbuf_char(b, '\n');
}

static int print_csv(const struct cli *c, const struct args *a, const struct selection *s, const json_t *rows,
                     struct fail *f)
{
        struct strbuf b = {0}, shown = {0};
        int rc;

        for (size_t k = 0; k < s->n && !args_has(a, "no-header"); k++)
                strbuf_printf(&b, "%s%s", s->columns[k]->name, k + 1 < s->n ? "," : "\n");
        for (size_t i = 0; i < json_array_size(rows); i++)
                add_csv_row(s, json_array_get(rows, i), &b);
        if (c->out.is_terminal)
                text_escape(&shown, strbuf_text(&b), b.len, true);
        rc = output_str(c->out.is_terminal ? &shown : &b, f);
        strbuf_done(&shown);
        strbuf_done(&b);
        return rc;
}

int view_object(const json_t *object, struct fail *f)
{
        CLEANUP(freep) char *text = json_dumps(object, DUMP);

        return text ? output_line(f, "%s", text) : fail_set(f, ERR_INTERNAL, ENOMEM, "writing JSON");
}

static int print_json(const struct args *a, const struct view *v, json_t *rows, struct fail *f)
{
        CLEANUP(json_putp) json_t *list = NULL;

        if (!strcmp(format_of(a), "json")) {
                list = json_pack("{s:O, s:n}", v->list, rows, "next");
                return list ? view_object(list, f) : fail_set(f, ERR_INTERNAL, ENOMEM, "writing JSON");
        }
        for (size_t i = 0; i < json_array_size(rows); i++)
                if (view_object(json_array_get(rows, i), f) < 0)
                        return -1;
        return 0;
}

static int print_member(const char *member, const json_t *rows, struct fail *f)
{
        struct strbuf b = {0};
        int rc;

        for (size_t i = 0; i < json_array_size(rows); i++) {
                struct strbuf value = {0};

                add_member(json_object_get(json_array_get(rows, i), member), &value);
                text_escape(&b, strbuf_text(&value), value.len, false);
                strbuf_char(&b, '\n');
                strbuf_done(&value);
        }
        rc = output_str(&b, f);
        strbuf_done(&b);
        return rc;
}

int view_list(const struct cli *c, const struct args *a, const struct view *view, json_t *rows,
              struct fail *f)
{
        struct selection s;

        if (view_check(a, view, f) < 0 || sort_rows(a, view, rows, f) < 0 ||
            select_columns(&s, a, view, f) < 0)
                return -1;
        if (args_has(a, "quiet"))
                return print_member(view->id, rows, f);
        if (view_wants_json(a))
                return print_json(a, view, rows, f);
        if (!strcmp(format_of(a), "name"))
                return print_member(view->title, rows, f);
        if (!strcmp(format_of(a), "csv"))
                return print_csv(c, a, &s, rows, f);
        return print_table(c, a, &s, rows, f);
}
