/* SPDX-License-Identifier: MIT */
/* model/caller.h
 * Who asks: an operator, who acts as the main process, or a process of ours with its authkey.
 *
 * An operator is the parent of all top-level processes and sees everything. A process sees and acts on its
 * own subtree only: itself, what it created, and so on down.
 */
#ifndef CRECHE_MODEL_CALLER_H
#define CRECHE_MODEL_CALLER_H

#include <stdbool.h>
#include <stdint.h>

#include "model/process.h"

enum scope {
        SCOPE_READ = 1,
        SCOPE_START = 2,
        SCOPE_SIGNAL = 4,
        SCOPE_LOGS = 8,
        SCOPE_DELETE = 16,
        SCOPE_ADMIN = 32,
        SCOPE_ALL = 63,
};

enum { CALLER_SUBTREE_MAX = 512, CALLER_NAME_MAX = 256 };

struct caller {
        int64_t process;                   /* its id; 0: an operator */
        bool daemonic;                     /* a process that may start none */
        unsigned scopes;                   /* enum scope */
        char identity[CALLER_SUBTREE_MAX]; /* of the process; "" for an operator */
        char subtree
                [CALLER_SUBTREE_MAX]; /* what the lineage of its descendants begins with; "" for an operator */
        char user[CALLER_NAME_MAX], group[CALLER_NAME_MAX]; /* as whom a process runs; "": as the daemon */
        char who[64]; /* for requested_by and logs: "uid 0", "the operator's token", "process 17" */
};

/** Whether @c may see and act on @p. */
bool caller_sees(const struct caller *c, const struct process *p);

/** Whether @c is the parent of @p: the process that created it, or an operator for a top-level one. */
bool caller_is_parent(const struct caller *c, const struct process *p);

#endif
