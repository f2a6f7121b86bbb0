/* SPDX-License-Identifier: MIT */
/* base/beneath.h
 * The files of the state directory: found below a directory that was opened once, and never through a link.
 *
 * What lies in the place of one of them (a symbolic or a hard link, a FIFO, somebody else's file) was planted, or
 * restored wrongly; it is refused with its name, neither followed nor written to.
 *
 * Threads: any.
 */
#ifndef CRECHE_BASE_BENEATH_H
#define CRECHE_BASE_BENEATH_H

#include <sys/stat.h>
#include <sys/types.h>

#include "base/err.h"

/** Open the directory @path, which must be ours and no link, and close it to all others (0700). ERR_INVALID,
 * ERR_INTERNAL. */
int beneath_root(const char *path, struct err *e);

/** As openat(), but below @dir and without following a link, for a regular file, without ever waiting for the other
 * end of a FIFO; O_CLOEXEC. -1 with errno: ELOOP: a symbolic link; ENOTSUP: no regular file. */
int beneath_open(int dir, const char *path, int flags, mode_t mode);

/** The same for a file that nobody else has a hand in. EMLINK: it has another name; EPERM: another owner. */
int beneath_open_own(int dir, const char *path, int flags, mode_t mode);

/** The same for a directory; beneath_make() makes it if it is not there. */
int beneath_folder(int dir, const char *path);
int beneath_make(int dir, const char *path);

/** What @path stands for, of regular files; -1 as above. */
int beneath_look(int dir, const char *path, struct stat *st);

/** Whether what @path stands for may be opened by others (SQLite), without opening it. 0 with @st; -1
 * as of beneath_open_own(). */
int beneath_check(int dir, const char *path, struct stat *st);

/** A small file as with fd_read_file(), opened as with beneath_open_own(). */
ssize_t beneath_read(int dir, const char *path, char *buf, size_t size);

/** Raise errno as it was left by one of these for @path: what is in the way, or what "@doing" failed with. Always
 * returns -1. ERR_INVALID for what was planted, else ERR_FULL or ERR_INTERNAL. */
int beneath_fail(struct err *e, const char *doing, const char *path);

#endif
