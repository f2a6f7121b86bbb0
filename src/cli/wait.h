/* SPDX-License-Identifier: MIT */
/* cli/wait.h
 * Join, however often the daemon is started anew meanwhile; and what we exit with when a child has ended.
 */
#ifndef CRECHE_CLI_WAIT_H
#define CRECHE_CLI_WAIT_H

#include "cli/client.h"

struct wait {
        struct exchange x;
        json_t *ids; /* borrowed */
        bool any;
        int64_t until_us; /* CLOCK_MONOTONIC; -1: for ever */
};

/** Begin to join the processes of the array @ids, at most 1000, all or any; @timeout_s < 0: for ever. */
void wait_begin(struct wait *w, struct client *c, json_t *ids, bool any, double timeout_s);
/** When ->x.done: the API's {"ready": [...], "pending": [...]} into @out. */
int wait_finish(struct wait *w, json_t **out, struct fail *f);
void wait_done(struct wait *w);

/** The exit status that the end of @process stands for: its code, 128 + its signal, EXIT_NO_PROGRAM, ... */
int wait_status(const json_t *process);

/** Say on stderr how @process has ended. */
void wait_tell(const json_t *process);

#endif
