/* SPDX-License-Identifier: MIT */
/* model/event.h
 * What happened to a process: a state that it entered, or that it was deleted. Ids grow in the order in which
 * events became durable; nothing is ever put between two that could be read.
 *
 * Threads: any; no state.
 */
#ifndef CRECHE_MODEL_EVENT_H
#define CRECHE_MODEL_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/process.h"

/* An enum process_state, or this. */
enum { EVENT_DELETED = PROCESS_STATE_COUNT, EVENT_TYPE_COUNT };

enum { EVENT_LIMIT_DEFAULT = 100 };

struct event {
        int64_t id, at_us;
        int64_t process, parent; /* parent 0: top-level */
        const char *type, *name; /* the name as it was then */
        bool has_exitcode;
        int exitcode;
        const char *reason; /* of the exit; NULL: none yet */
};

/* Which events to show, and where to begin. */
struct event_filter {
        int64_t process; /* 0: any */
        unsigned types;  /* bit (1 << type) each; 0: all */
        bool descending;
        int64_t since; /* the id that the page follows, in its order; -1: from the beginning */
        size_t limit;
};

/* What a page was taken from, at the moment it was taken. */
struct event_page {
        int64_t oldest; /* that is there; 0: none */
        int64_t last;   /* the newest that ever was */
        int64_t at;     /* up to here all were looked at: the `since` of the next page */
        bool more;      /* there are some behind it */
        bool gap;       /* what followed `since` is gone, or `since` was never given: nothing is shown */
};

/** "stopped", "deleted". */
const char *event_type_name(int type);
/** -1 when @name is none. */
int event_type_parse(const char *name);

#endif
