/* SPDX-License-Identifier: MIT */
/* start/leaves.h
 * A control group for each process: the leaf in which it is born, and which none of its descendants leaves by
 * making a session of its own.
 *
 * All leaves of a database are in one directory, creche-INSTANCE. To make a leaf and to remove it costs a third of what
 * a start costs; to use again one that is empty costs nothing. So its name is a number that means nothing, and whose it
 * is is said by its tag (start/tags.h), to the next daemon too; and the files of those that were used last stay open.
 * One on which cgroup.kill may have been used is not used again: see cgroup_takes_clones().
 *
 *     claimed   leaves_claim(): tagged, for a process that is going to be cloned into it, until leaves_cloned()
 *     ended     leaves_ended(): the process is gone; survivors (grandchildren) may be in it
 *     idle      empty again, and as good as new: for the next claim; else it is removed
 *
 * Where there is no cgroup2 that we may write to there are no leaves: a struct leaves pointer is NULL then, which
 * all functions take.
 *
 * Threads: any, but for leaves_open(), leaves_sweep() and leaves_close(): when the others do not run.
 */
#ifndef CRECHE_START_LEAVES_H
#define CRECHE_START_LEAVES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct leaves;

/** The leaves of the database @instance in @state_dir, with those that an earlier daemon left; where place_find() says
 * (@delegated: see there). The daemon before us must be dead, and so must who it was cloning. 0; 1, logged: there can be
 * none; -1: ERR_INVALID: somebody has put something in the place of the file of their tags. */
int leaves_open(int state_dir, const char *instance, const char *delegated, struct leaves **out,
                struct err *e);
/** Those that are empty are removed. */
void leaves_close(struct leaves *l);

/** A leaf for process @id: its directory, open until leaves_cloned(). -1: it goes without. */
int leaves_claim(struct leaves *l, int64_t id);
/** Process @id has been cloned into its leaf, or will not be. */
void leaves_cloned(struct leaves *l, int64_t id);
/** Process @id has ended and is recorded, or was never cloned. Its leaf goes, at once or when the last survivor has.
 * @killed: it ended by SIGKILL. */
void leaves_ended(struct leaves *l, int64_t id, bool killed);
/** After the recovery: the processes of which @is_active says no have ended. */
void leaves_sweep(struct leaves *l, bool (*is_active)(int64_t id, void *arg), void *arg);

/** Readable when a leaf of a process that has ended may have become empty: call leaves_event(). -1: none. */
int leaves_fd(const struct leaves *l);
void leaves_event(struct leaves *l);

/** Whether anybody is in the leaf of @id. */
bool leaves_populated(struct leaves *l, int64_t id);
/** Send @signo to all in the leaf of @id but to @except (0: none). Whether it reached anybody. */
bool leaves_signal(struct leaves *l, int64_t id, int signo, pid_t except);

/** Whether the OOM killer has killed somebody in the leaf of @id: 1, 0; -1: the kernel does not tell. */
int leaves_oom(struct leaves *l, int64_t id);
/** Whether it tells of processes that are started now. */
bool leaves_tell_oom(const struct leaves *l);

#endif
