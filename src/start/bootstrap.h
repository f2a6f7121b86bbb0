/* SPDX-License-Identifier: MIT */
/* start/bootstrap.h
 * The child between clone and exec: the one bootstrap of all start methods.
 *
 * It may share its memory with a running, multi-threaded daemon. So: system calls without glibc's help, no
 * allocation, no locks, and the first act is to unshare the table of files.
 */
#ifndef CRECHE_START_BOOTSTRAP_H
#define CRECHE_START_BOOTSTRAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "start/journal.h"
#include "start/launch.h"

/* A slot of the spawn journal may hold one of these while creched is replaced by a newer one: the numbers stay. */
enum bootstrap_stage {
        STAGE_NONE,
        STAGE_FILES,
        STAGE_SESSION,
        STAGE_SIGNALS,
        STAGE_LIMITS,
        STAGE_STDIN,
        STAGE_STDOUT,
        STAGE_STDERR,
        STAGE_USER,
        STAGE_CWD,
        STAGE_EXEC,
        STAGE_CAPABILITIES,
        STAGE_NO_NEW_PRIVS,
        STAGE_COUNT,
};

/* What whoever starts others knows of itself, once: it changes none of that as long as it starts some.
 *
 * All its children share @null, /dev/null for reading and for writing, close-on-exec here. There is nothing to read or to
 * write in it, so there is no position and no waiting, and no mode of the file that one could change for another; only
 * who locks its /dev/null, with flock(), locks that of all of them.
 *
 * @ignored: signals, SIGHUP being 1 << 0. @has_capabilities: any; @passes_capabilities: any that exec gives to a program:
 * inheritable ones, and ambient ones, which are that, too. */
struct bootstrap_parent {
        int null[2];
        uint64_t ignored;
        bool has_capabilities, passes_capabilities;
};

/** Before there are threads, after capabilities were dropped. ERR_INTERNAL, ERR_TRY_AGAIN: no files. */
int bootstrap_parent_init(struct bootstrap_parent *p, struct err *e);
void bootstrap_parent_done(struct bootstrap_parent *p);

struct bootstrap {
        const struct bootstrap_parent *parent;
        const struct launch *launch; /* relocated */
        struct journal_slot *slot;   /* a failure is reported there: stage, errnum */
        int stdin_fd;                /* > 2, becomes fd 0; -1: /dev/null */
        int cgroup_fd;               /* the group that it is born in; -1: the parent's */
        int out_fd, err_fd;          /* > 2, its logs, opened; 0: by their paths */
};

/** Become the program of the launch. @arg: struct bootstrap. Does not return: exec, or exit(127). */
void bootstrap_run(void *arg) __attribute__((noreturn));

const char *bootstrap_stage_name(enum bootstrap_stage stage);

#endif
