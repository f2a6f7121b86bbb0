/* SPDX-License-Identifier: MIT */
/* start/policy.h
 * The policy of privilege separation: as whom the privileged forkserver may start processes for a daemon that gave
 * its own rights up. A JSON file that root alone can change; the forkserver enforces it, the daemon reads the same
 * file to say early what would be refused.
 *
 *     {"users": ["www-data", 1001],     as whom processes may run; required
 *      "groups": ["video"],             groups that may be named beside the user's own
 *      "executables": ["/usr/bin/env"], what they may execute: none is given: anything
 *      "raise_limits": false,           nice and rlimits beyond what the user could have by itself
 *      "root": false}                   uid 0 and gid 0, though they be listed
 *
 * The daemon's own user and group are always allowed. Names are resolved when the file is read.
 *
 * Threads: policy_read() before there are any; the others from any.
 */
#ifndef CRECHE_START_POLICY_H
#define CRECHE_START_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "start/account.h"

enum { POLICY_IDS_MAX = 256, POLICY_BYTES_MAX = 65536 };

struct policy {
        uid_t own_uid; /* the daemon's */
        gid_t own_gid;
        uid_t users[POLICY_IDS_MAX];
        gid_t groups[POLICY_IDS_MAX];
        size_t users_n, groups_n;
        char **executables; /* NULL-terminated absolute paths; NULL: anything */
        bool raise_limits, root;
};

/** Open the file @path for policy_read(). ERR_NOT_FOUND: there is none. ERR_INVALID: somebody but root could change
 * it, or put another in its place. ERR_INTERNAL. */
int policy_open(const char *path, struct err *e);

/** Fill @p, whose own_uid and own_gid the caller sets after it, from the file @fd. ERR_INVALID: it is not root's
 * alone, or no policy. Released with policy_done(). */
int policy_read(int fd, struct policy *p, struct err *e);
void policy_done(struct policy *p);

/** Whether a process may run as @a, which account_resolve() has filled, groups included. 0, or -1: ERR_POLICY. */
int policy_check(const struct policy *p, const struct account *a, struct err *e);

/** Whether a process whose real user is @uid may be signalled. */
bool policy_may_signal(const struct policy *p, uid_t uid);

bool policy_may_execute(const struct policy *p, const char *path);

#endif
