/* SPDX-License-Identifier: MIT */
/* model/filter.h
 * Which rows a list shall show, and where a page of it begins.
 */
#ifndef CRECHE_MODEL_FILTER_H
#define CRECHE_MODEL_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FILTER_LABELS_MAX = 16, FILTER_LIMIT_DEFAULT = 100, FILTER_LIMIT_MAX = 1000 };

struct process_filter {
        unsigned states;                             /* bit (1 << enum process_state) each; 0: all */
        const char *name;                            /* exact; NULL: any */
        int daemon;                                  /* 0, 1; -1: any */
        int64_t parent;                              /* an id; 0: top-level only; -1: any */
        int start_method;                            /* enum start_method; -1: any */
        const char *target;                          /* made from it; NULL: any */
        int64_t since_us, until_us;                  /* on created_at, since <= t < until; 0: open */
        const char *q;                               /* substring of name or argv; NULL: any */
        const char *label_keys[FILTER_LABELS_MAX];   /* all must be there */
        const char *label_values[FILTER_LABELS_MAX]; /* with this value; NULL: any value */
        size_t labels_n;
        bool dangling;  /* ended, never joined, not closed */
        bool ascending; /* by id; newest first otherwise */
        int64_t after;  /* the id that the page follows; 0: from the beginning */
        size_t limit;
};

#define PROCESS_FILTER_ALL                                                                                   \
        {                                                                                                    \
                .daemon = -1, .parent = -1, .start_method = -1, .limit = FILTER_LIMIT_DEFAULT                \
        }

/* Which rows of a list by id are wanted. */
struct page {
        bool ascending; /* newest first otherwise */
        int64_t after;  /* the id that the page follows; 0: from the beginning */
        size_t limit;
};

#endif
