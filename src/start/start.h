/* SPDX-License-Identifier: MIT */
/* start/start.h
 * Start methods: three ways to clone, one bootstrap.
 *
 *   spawn       clone3(CLONE_VM|CLONE_VFORK|CLONE_FILES): nothing of the daemon is copied
 *   fork        clone3(CLONE_VFORK): a copy-on-write copy of the daemon
 *   forkserver  a small process of its own forks on request: see forkserver.h
 *
 * Each returns when the child has exec'ed or has failed to.
 *
 * Threads: one struct starter per thread. All signals must be blocked in that thread.
 */
#ifndef CRECHE_START_START_H
#define CRECHE_START_START_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "model/process.h"
#include "start/bootstrap.h"
#include "start/journal.h"
#include "start/launch.h"
#include "start/ticks.h"

struct forkserver;

struct starter {
        void *stack;                           /* the child's, while it shares our memory */
        struct forkserver *forkserver;         /* borrowed */
        struct journal *journal;               /* borrowed */
        const struct bootstrap_parent *parent; /* borrowed */
        struct ticks ticks;
};

/* A child that exists: running, ended already, or stuck before exec with @stage and @errnum saying why (it
 * is a zombie then, or about to be one). */
struct start_result {
        pid_t pid;
        uint64_t start_ticks; /* of ticks_of() */
        bool never_ran;       /* killed before it had become its program, which @stage does not say */
        int pidfd;            /* the caller's; -1: somebody outside has reaped it already */
        uint32_t forkserver;  /* 0: our own child; else the generation of the forkserver that is its parent */
        enum bootstrap_stage stage;
        int errnum;
};

/* What a start is given beside the launch; all stays the caller's. */
struct start_files {
        int in;       /* > 2, the child's stdin; -1: /dev/null */
        int cgroup;   /* a directory: the group that the child is born in; -1: ours */
        int out, err; /* > 2, its logs, opened for the privileged forkserver; 0: by their paths */
};

int starter_init(struct starter *s, const struct bootstrap_parent *parent, struct forkserver *fs,
                 struct journal *j, struct err *e);
void starter_done(struct starter *s);

/** Start @l (relocated here) as @slot->id by @method. A group that the kernel does not let it into is ignored.
 * Returns 0 with @r filled, or -1: no child ever existed. ERR_TRY_AGAIN (limits, memory), ERR_INTERNAL. */
int starter_start(struct starter *s, enum start_method method, struct launch *l, struct journal_slot *slot,
                  struct start_files files, struct start_result *r, struct err *e);

/** clone3() with @flags beside the two that every method needs; the child runs bootstrap_run(@b) on @stack
 * (NULL: a copy of ours). Returns the pid, with @pidfd set, or -1 with errno set. */
pid_t start_clone(uint64_t flags, void *stack, struct bootstrap *b, int *pidfd);

#endif
