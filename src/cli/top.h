/* SPDX-License-Identifier: MIT */
/* cli/top.h
 * What `top` shows, and how it looks.
 */
#ifndef CRECHE_CLI_TOP_H
#define CRECHE_CLI_TOP_H

#include "cli/output.h"
#include "cli/rows.h"
#include "cli/screen.h"

enum top_mode { TOP_LOOKS, TOP_FILTERS, TOP_ASKS };

struct top_look {
        struct rows rows;
        enum row_sort sort;
        bool reverse;
        char filter[64];
        enum top_mode mode;
        int64_t chosen;        /* the id under the bar; 0: whatever comes first */
        size_t first;          /* of those shown, in the first line */
        bool loading, waiting; /* not all are there yet; the daemon does not answer */
        struct strbuf message; /* what came of the last key; "" */
};

/** Move the bar by so many rows, as far as there are any. */
void top_move(struct top_look *l, int64_t by);

/** The place of the bar among those shown. */
size_t top_place(const struct top_look *l);

/** All of it as text, a line for each process. */
void top_print(struct top_look *l, struct strbuf *out);

/** As much of it as the screen has room for. */
void top_draw(struct top_look *l, const struct screen *s, const struct output *colors, struct strbuf *out);

#endif
