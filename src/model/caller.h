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

#include "base/err.h"
#include "model/process.h"
#include "model/target.h"
#include "model/token.h"

enum scope {
        SCOPE_READ = 1,
        SCOPE_START = 2,
        SCOPE_SIGNAL = 4,
        SCOPE_LOGS = 8,
        SCOPE_DELETE = 16,
        SCOPE_ADMIN = 32,
        SCOPE_ALL = 63,
};

enum {
        CALLER_SUBTREE_MAX = 512,
        CALLER_NAME_MAX = 256,
        CALLER_WHO_MAX = 128,
        CALLER_ADDRESS_MAX = 64,
        SCOPES_TEXT_MAX = 64
};

/* Who did something, for the audit trail: what is left of a caller when the request is over. */
struct actor {
        char who[CALLER_WHO_MAX];
        bool has_peer; /* uid, and pid if it is in our pid namespace: of the peer on the unix socket */
        int64_t uid, pid;
        char address[CALLER_ADDRESS_MAX]; /* of the peer on TCP; "" */
};

struct caller {
        int64_t process;                /* its id; 0: an operator */
        bool daemonic;                  /* a process that may start none */
        unsigned scopes;                /* enum scope */
        char targets[TARGETS_TEXT_MAX]; /* "a b": it may start these only; "": anything */
        int64_t token;                  /* the id of the token that was minted; 0: another credential */
        unsigned char token_hash[TOKEN_HASH_BYTES];
        int64_t expires_us;                /* of that token; 0: never */
        char identity[CALLER_SUBTREE_MAX]; /* of the process; "" for an operator */
        char subtree
                [CALLER_SUBTREE_MAX]; /* what the lineage of its descendants begins with; "" for an operator */
        char user[CALLER_NAME_MAX], group[CALLER_NAME_MAX]; /* as whom a process runs; "": as the daemon */
        char who[CALLER_WHO_MAX]; /* for requested_by and logs: "uid 0", "token 3 (ci)", "process 17" */
        bool has_peer;            /* as in struct actor */
        int64_t uid, pid;
        char address[CALLER_ADDRESS_MAX];
};

/** @c as an actor. */
struct actor caller_actor(const struct caller *c);

/** Whether @c may see and act on @p. */
bool caller_sees(const struct caller *c, const struct process *p);

/** Whether @c may run what was made from @target (NULL: from an argv). 0, or -1: ERR_FORBIDDEN. */
int caller_may_run(const struct caller *c, const char *target, struct err *e);

/** Whether @c is the parent of @p: the process that created it, or an operator for a top-level one. */
bool caller_is_parent(const struct caller *c, const struct process *p);

/** "signal" for SCOPE_SIGNAL. */
const char *scope_name(enum scope s);
/** 0 when @name is no scope. */
unsigned scope_parse(const char *name);
/** "read signal" for SCOPE_READ | SCOPE_SIGNAL, into @out[SCOPES_TEXT_MAX]; returns @out. */
const char *scopes_text(unsigned scopes, char *out);
/** The set of such a text; words that are no scopes are passed over. */
unsigned scopes_parse(const char *text);

#endif
