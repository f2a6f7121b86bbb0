/* SPDX-License-Identifier: MIT */
/* start/bootstrap.h
 * The child between clone and exec: the one bootstrap of all start methods.
 *
 * It may share its memory with a running, multi-threaded daemon. So: system calls without glibc's help, no
 * allocation, no locks, and the first act is to unshare the table of files.
 */
#ifndef CRECHE_START_BOOTSTRAP_H
#define CRECHE_START_BOOTSTRAP_H

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

struct bootstrap {
        const struct launch *launch; /* relocated */
        struct journal_slot *slot;   /* a failure is reported there: stage, errnum */
        int stdin_fd;                /* > 2, becomes fd 0; -1: /dev/null */
        int cgroup_fd;               /* the group that it is born in; -1: the parent's */
        int out_fd, err_fd;          /* > 2, its logs, opened; 0: by their paths */
        uint64_t ignored;            /* bootstrap_ignored() */
};

/** The signals that this process ignores, SIGHUP being 1 << 0: exec keeps that, and a program wants to know nothing of it.
 * Whoever starts others asks once, and ignores the same ones from then on. */
uint64_t bootstrap_ignored(void);

/** Become the program of the launch. @arg: struct bootstrap. Does not return: exec, or exit(127). */
void bootstrap_run(void *arg) __attribute__((noreturn));

const char *bootstrap_stage_name(enum bootstrap_stage stage);

#endif
