/* SPDX-License-Identifier: MIT */
/* start/place.h
 * Where the leaves of a database can be: a directory of the cgroup2 hierarchy, creche-INSTANCE. See start/leaves.h.
 *
 * Threads: before there are others.
 */
#ifndef CRECHE_START_PLACE_H
#define CRECHE_START_PLACE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "start/account.h"

/** Where the leaves of a daemon that is going to be the user @a can be: a directory beneath the one that would be ours,
 * made and given to it by us, who are root. 0; -1: there can be none, or no process can be cloned into it. */
int place_delegate(const struct account *a, char *out, size_t size);

/** The directory of the leaves of @instance, which need not be there: beneath @delegated, of place_delegate(), or where
 * it can be (NULL); but where the last daemon had them, if anybody is still there. Written down in the file "cgroup" of
 * @state_dir, so that those of a daemon that ran in another group are found. NULL: @out is it; else why there is none. */
const char *place_find(int state_dir, const char *instance, const char *delegated, char out[PATH_MAX]);

/** Whether processes can be cloned into groups that we make in @dir: the kernel says no to many a thing, and each process
 * would find out anew. */
bool place_works(int dir);

#endif
