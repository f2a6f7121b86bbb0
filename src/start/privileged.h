/* SPDX-License-Identifier: MIT */
/* start/privileged.h
 * What a forkserver does that has rights which its daemon gave up: it takes the daemon for somebody who may lie.
 *
 * A launch is used as the policy allows it: the ids are checked, the groups looked up here, limits set with the
 * rights of the user, logs opened by the daemon. A signal goes to processes that this Creche has started and to who
 * descends from them, and not to those whose real user the policy does not name.
 *
 * Threads: privileged_begin() and privileged_vet() from main; a second one, of privileged_serve_signals(), so that a
 * start that hangs keeps nobody from being killed.
 */
#ifndef CRECHE_START_PRIVILEGED_H
#define CRECHE_START_PRIVILEGED_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "start/bootstrap.h"
#include "start/launch.h"
#include "start/policy.h"

struct privileged {
        struct policy policy;
        struct account own; /* the daemon's, with its groups */
        char oom_score_adj[8];
        pid_t init_pid;
        int init_pidfd;
};

/** Read what forkserver_launch_privileged() has handed over in @argv and the descriptors. ERR_INVALID. */
int privileged_begin(struct privileged *p, int argc, char **argv, struct err *e);

/** Make the sound, private launch @l into what @p allows of it, or refuse it: -1, ERR_POLICY or ERR_INVALID. @b: what
 * it is going to be started with. */
int privileged_vet(const struct privileged *p, struct launch *l, const struct bootstrap *b, struct err *e);

/** Begin to serve the signal socket. @p for ever. ERR_INTERNAL. */
int privileged_serve_signals(const struct privileged *p, struct err *e);

#endif
