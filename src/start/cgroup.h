/* SPDX-License-Identifier: MIT */
/* start/cgroup.h
 * Control groups, version 2: where ours are, and what can be done to one.
 *
 * A group is named by its directory.
 *
 * Threads: any.
 */
#ifndef CRECHE_START_CGROUP_H
#define CRECHE_START_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/** The directory, below the mount that @line of /proc/self/mountinfo tells of, of the group that @membership
 * (the text of /proc/self/cgroup) says. 0; -1: that is no cgroup2 mount, or the group is not below it. */
int cgroup_directory(const char *line, const char *membership, char *out, size_t size);

/** Where groups of ours may be made: our own group, or the one above it when that was delegated to us
 * (systemd's Delegate=yes with DelegateSubgroup=). 0; 1: it is the one above, in which nobody is; -1: there is
 * no cgroup2 here. */
int cgroup_base(char *out, size_t size);

/** Whether @controllers ("cpu memory pids") of the file @name of group @fd has @controller. */
bool cgroup_lists(int fd, const char *name, const char *controller);

/** Try to let the groups in @fd have the controller "memory". Whether they do. */
bool cgroup_share_memory(int fd);

/** Whether a process, which may be no zombie, is in @name below @fd or beneath. */
bool cgroup_is_populated(int fd, const char *name);

enum cgroup_state {
        CGROUP_EMPTY,
        CGROUP_POPULATED,
        CGROUP_UNUSABLE, /* frozen, or gone */
};

/** How the group is whose file cgroup.events is open as @events. */
enum cgroup_state cgroup_state(int events);

/** Whether the group @fd, which is empty, is as it was made: no group in it, no limit, nobody killed. */
bool cgroup_is_untouched(int fd, bool memory);

/** How many processes of @name below @fd the OOM killer has killed; -1: not known. */
long cgroup_oom_kills(int fd, const char *name);

/** Remove @name below @fd and the groups in it, as far as they are empty. 0; -1: something is left. */
int cgroup_remove(int fd, const char *name);

/** Whether a process can be cloned into the group @fd, and lives. The kernel kills it when cgroup.kill was used on
 * @fd, or on our own group, before: it compares what it has counted in the one with what it has in the other. */
bool cgroup_takes_clones(int fd);

/** Send @signo to each process in @name below @fd and beneath, but to @except (0: none). One that shall end or
 * stop them is sent to those too that are forked meanwhile. Whether it reached anybody. */
bool cgroup_signal(int fd, const char *name, int signo, pid_t except);

#endif
