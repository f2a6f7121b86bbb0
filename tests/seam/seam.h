/* SPDX-License-Identifier: MIT */
/* tests/seam/seam.h
 * Between the program and the kernel: every sys_* call of base/sys.h passes through here, and so do the writes
 * and syncs of SQLite (a VFS around its own). A test makes any of them fail, counts them, looks at their order,
 * or steps in between.
 *
 * A call has the name of its function without sys_ (pthread_create() and pthread_cond_signal() are among them), but
 * for
 *     waitid_look   waitid() that leaves the zombie (WNOWAIT)
 *     waitid_reap   waitid() that takes it away
 *     wal_write     SQLite writes to its write-ahead log
 *     commit        SQLite syncs its write-ahead log: what it has written is durable
 *     index_grow    SQLite makes the index of its write-ahead log longer than it is at first
 *
 * Threads: the program's from any; the functions here from the test's.
 */
#ifndef CRECHE_TESTS_SEAM_H
#define CRECHE_TESTS_SEAM_H

#include <stdbool.h>

/* What a hook is told. */
struct seam_call {
        const char *name;
        int fd;      /* the first argument, where it is a file; of waitid_*: the id */
        long result; /* after the call */
};

typedef void (*seam_hook_fn)(const struct seam_call *call, void *arg);

/** No fault, no hook, nothing counted. */
void seam_reset(void);

/** The @nth call (from 1) of @name from now on fails with @errnum, once; @nth 0: each. SQLite takes ENOSPC for a
 * full disk, anything else for an I/O error. */
void seam_fail(const char *name, int nth, int errnum);

/** The @nth call from now on of any of @names ("openat write") fails with @errnum, once. */
void seam_countdown(const char *names, int nth, int errnum);
/** Whether a countdown has come to its end: when not, there are no more calls to fail. */
bool seam_hit(void);

/** Call @fn before (or after) each call of @name, with no lock held; NULL: no more. What it makes fail fails at
 * once; after a call that was made to fail there is none. */
void seam_before(const char *name, seam_hook_fn fn, void *arg);
void seam_after(const char *name, seam_hook_fn fn, void *arg);

/** How often @name was called since the last reset, failures included. */
int seam_count(const char *name);

/** From now on log the calls of @names; a commit that follows a commit is not logged again. */
void seam_watch(const char *names);
/** The log, "commit pidfd_send_signal"; until the next call. */
const char *seam_log(void);

#endif
