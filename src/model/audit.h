/* SPDX-License-Identifier: MIT */
/* model/audit.h
 * The audit trail: who did what, to which process or token, from where.
 *
 * It tells of changes that a caller made, in the transaction of the change itself. A start, and a signal that asks for
 * an end, are told before they happen, `asked`: what came of them is in the record of the process; a start that never
 * was gets a second entry, `undone`. Other signals, and the opening of a standard input, wait for no commit: they are
 * told in the next one. What was refused, and what changed nothing, is not in it.
 */
#ifndef CRECHE_MODEL_AUDIT_H
#define CRECHE_MODEL_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "model/caller.h"
#include "model/filter.h"

#define AUDIT_DONE   "done"
#define AUDIT_ASKED  "asked"
#define AUDIT_UNDONE "undone"

/* An entry. Strings are borrowed; NULL: there is none. */
struct audit {
        int64_t id, at_us;
        const char *who;
        bool has_peer; /* uid and pid: of the peer on the unix socket */
        int64_t uid, pid;
        const char *address; /* of the peer on TCP */
        const char *verb;
        int64_t process, token; /* 0: not about one */
        const char *detail, *outcome;
};

/* Which entries a list shall show. */
struct audit_filter {
        struct page page;
        int64_t since_us, until_us; /* since <= at < until; 0: open */
        int64_t process;            /* 0: any */
        const char *who;            /* exactly; NULL: any */
};

/** An entry that says who @a is. Its strings are @a's. */
static inline struct audit audit_by(const struct actor *a)
{
        return (struct audit){.who = a->who,
                              .has_peer = a->has_peer,
                              .uid = a->uid,
                              .pid = a->pid,
                              .address = *a->address ? a->address : NULL};
}

#endif
