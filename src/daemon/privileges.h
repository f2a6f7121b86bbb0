/* SPDX-License-Identifier: MIT */
/* daemon/privileges.h
 * Privilege separation: creched, started by root, gives its rights up before it opens the database or hears a
 * client, and keeps a forkserver that has them (start/privileged.h). creche-init stays root, so that each creched
 * begins as root again, reads the policy and starts that forkserver.
 *
 *     first stage   privileges_decide(), then creche-init; state directory, lock and unix socket are made as the user
 *     second stage  privileges_drop(); after it there is no way back
 *
 * Threads: main, before there are others.
 */
#ifndef CRECHE_DAEMON_PRIVILEGES_H
#define CRECHE_DAEMON_PRIVILEGES_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "daemon/config.h"
#include "start/account.h"
#include "start/forkserver.h"
#include "start/policy.h"

struct privileges {
        bool separated;
        bool has_policy;
        struct policy policy;
        struct forkserver_link forkserver;
        char leaves[PATH_MAX]; /* of place_delegate(); "": there can be none */
};

/** As whom to serve: @c->user becomes "none" or a name, for the second stage too, which may not decide otherwise.
 * @a: the account, if it is a name. The policy is read once, to say now what is wrong with it. 0, 1: as we are; -1:
 * ERR_INVALID, ERR_INTERNAL. */
int privileges_decide(struct config *c, struct account *a, struct err *e);

/** Be @a as far as files are concerned, and root again. ERR_INTERNAL; who cannot go back must end. */
int privileges_pretend(const struct account *a, struct err *e);
int privileges_resume(struct err *e);

/** Start the forkserver, then become @c->user for good, verified: ids, groups, no capability, no new ones by exec.
 * Does nothing for "none". @init_fd: of creche-init. Not 0: nothing may be served. */
int privileges_drop(const struct config *c, int init_fd, const char *oom_score_adj, struct privileges *p,
                    struct err *e);

#endif
