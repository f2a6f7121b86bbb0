/* SPDX-License-Identifier: MIT */
/* start/account.h
 * As whom a child shall run: the user, the groups, and what of the environment depends on them.
 *
 * Threads: any. May block (NSS).
 */
#ifndef CRECHE_START_ACCOUNT_H
#define CRECHE_START_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

enum { ACCOUNT_GROUPS_MAX = 64 };

struct account {
        bool switches;     /* the ids differ from what a child has anyway and must be set */
        bool unprivileged; /* limits are set after the ids: the kernel says which it allows */
        uid_t uid;
        gid_t gid;
        gid_t groups[ACCOUNT_GROUPS_MAX];
        uint32_t groups_n;
        char name[64], home[256], shell[128];
};

/** Where its processes begin unless they are told: its home, or / when it has none that is there. */
const char *account_directory(const struct account *a);

/** Resolve @user and @group (names or decimal numbers; NULL: the daemon's own).
 * ERR_INVALID with pointer /user or /group: unknown, or nobody with the rights of root starts our processes. */
int account_resolve(const char *user, const char *group, struct account *a, struct err *e);

/** A privileged forkserver starts our processes, though we are not root. Before there are threads. */
void account_has_privileged_server(void);

/** Resolve one name or decimal number alone: @is_user: a->uid and what passwd has, gid included; a number needs to be
 * in no table. Else a->gid. ERR_INVALID. */
int account_lookup(const char *name, bool is_user, struct account *a, struct err *e);

#endif
