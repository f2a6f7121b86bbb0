/* SPDX-License-Identifier: MIT */
/* base/procfs.h
 * What /proc tells of a process.
 *
 * Threads: any.
 */
#ifndef CRECHE_BASE_PROCFS_H
#define CRECHE_BASE_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct procfs_stat {
        char state; /* 'Z': a zombie */
        pid_t ppid;
        uint64_t start_ticks; /* since boot, in clock ticks */
        bool never_execed;    /* PF_FORKNOEXEC: it has not exec'ed since it was cloned; true of zombies too */
};

/** Read /proc/@pid/stat. Returns 0, 1: there is no such process, -1 with errno set; @st is touched by 0 only. */
int procfs_stat(pid_t pid, struct procfs_stat *st);

/** The same; when files or memory are short, wait until there is one more. */
int procfs_stat_patiently(pid_t pid, struct procfs_stat *st);

/** Our own children (those of the thread that asks, which is all as long as there is one only), in @pids: the
 * caller's to free. Returns how many, -1 when /proc does not tell. */
ssize_t procfs_children(pid_t **pids);

/** Whether the kernel knows the process @pid by @name, of which it keeps 15 bytes. */
bool procfs_is_named(pid_t pid, const char *name);

/** The boot id of this machine into @out[@size]. ERR_INTERNAL. */
int procfs_boot_id(char *out, size_t size, struct err *e);

/** Whether /proc is mounted, and is that of our own pid namespace. */
bool procfs_is_ours(void);

/** The inode of our pid namespace; 0 when /proc does not tell. */
int64_t procfs_pid_ns(void);

#endif
