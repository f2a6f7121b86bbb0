/* SPDX-License-Identifier: MIT */
/* cli/rows.h
 * Processes as `top` shows them: tens of thousands, found by id, in an order, and some of them only.
 */
#ifndef CRECHE_CLI_ROWS_H
#define CRECHE_CLI_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

struct row {
        int64_t id, pid;                /* pid 0: none */
        int rank;                       /* of the state, in the order of row_states */
        int64_t started_us, stopped_us; /* 0: not */
        double cpu_s;                   /* -1: it has not ended: the API tells it then */
        int64_t rss_bytes;              /* the most that it had; -1 as above */
        char *name, *command, *how;     /* escaped; how it ended, "" when it has not */
        bool bad;                       /* it did not end with 0 */
};

enum row_sort { SORT_STATE, SORT_ID, SORT_NAME, SORT_TIME, SORT_CPU, SORT_MEMORY, SORTS };

struct rows {
        struct row *all; /* by id */
        size_t n, room;
        const struct row **shown; /* what the filter lets through, in order; good until the next change */
        size_t shown_n;
        bool changed; /* since rows_order() */
};

enum { ROW_STATES = 7 };

/* Those that run come first. */
extern const char *const row_states[ROW_STATES];
extern const char *const row_sorts[SORTS];

/** Add the process, or put it in the place of what it was. False: out of memory. */
bool rows_put(struct rows *r, const json_t *process);
void rows_drop(struct rows *r, int64_t id);
void rows_clear(struct rows *r);
void rows_done(struct rows *r);

/** NULL: it is not there. Valid until the next change. */
const struct row *rows_find(const struct rows *r, int64_t id);

/** How many are in each state. */
void rows_count(const struct rows *r, size_t counts[ROW_STATES]);

/** Make ->shown: those whose name or command has @filter in it ("": all), by @sort; @reverse: the other way round.
 * False: out of memory. */
bool rows_order(struct rows *r, enum row_sort sort, bool reverse, const char *filter);

/** How long it has run, until it ended or until @now_us; -1: it never did. */
int64_t row_ran_us(const struct row *row, int64_t now_us);

#endif
