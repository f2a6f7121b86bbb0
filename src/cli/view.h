/* SPDX-License-Identifier: MIT */
/* cli/view.h
 * Lists of objects of the API, as tables, CSV and JSON.
 *
 * JSON is the objects as the API gave them. The cells of tables are for people (ages, escaped, cut to the terminal); those
 * of CSV are the members themselves.
 */
#ifndef CRECHE_CLI_VIEW_H
#define CRECHE_CLI_VIEW_H

#include <jansson.h>

#include "cli/cli.h"
#include "cli/options.h"

enum column_flags {
        COLUMN_RIGHT = 1,
        COLUMN_SHRINKS = 2, /* cut off first where the terminal is narrow */
        COLUMN_WIDE = 4,    /* in -o wide only */
        COLUMN_ASKED = 8,   /* where --columns names it only */
};

struct column {
        const char *name;   /* for --columns and --sort */
        const char *member; /* of the object: what is sorted by, and what CSV has */
        unsigned flags;
        /* For people; NULL: the member as it is. */
        void (*text)(const json_t *row, struct strbuf *out);
        enum color (*color)(const json_t *row);
};

#define COLUMN(n, m, f, ...)                                                                                 \
        {                                                                                                    \
                .name = n, .member = m, .flags = f, __VA_ARGS__                                              \
        }

struct view {
        const char *list;       /* the member of the API's list that the rows are in */
        const char *id, *title; /* members: what -q prints, and -o name */
        const struct column *columns;
        size_t columns_n;
};

/** -o, --columns, --sort, --no-header, -q. */
extern const struct option_group options_output;

/** Print the array @rows, which may be sorted. */
int view_list(const struct cli *c, const struct args *a, const struct view *view, json_t *rows,
              struct fail *f);

/** Whether -o wants objects, each as it is. */
bool view_wants_json(const struct args *a);

/** Check -o, --columns and --sort before anything is asked. */
int view_check(const struct args *a, const struct view *view, struct fail *f);

/** Print an object as the API gave it, on a line. */
int view_object(const json_t *object, struct fail *f);

extern const struct view view_processes, view_tokens, view_events, view_targets, view_settings;

/** How a process is or how it ended, in a few words: "up 3 minutes", "killed by SIGTERM, 2 hours ago". */
void view_status(const json_t *process, struct strbuf *out);

/** The words of argv, as for a shell. */
void view_command(const json_t *process, struct strbuf *out);

#endif
