/* SPDX-License-Identifier: MIT */
/* base/fd.h
 * File descriptors: owned by CLEANUP(closep), close-on-exec at birth, read and written whole.
 *
 * Threads: any.
 */
#ifndef CRECHE_BASE_FD_H
#define CRECHE_BASE_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/** The argument of CLEANUP for a file descriptor; -1 is none. */
void closep(int *fd);

/** Whether fewer than @n descriptors are left to this process. Of a limit below 640 it is the same share as of 640, so
 * that who keeps more free than another still does. By the lowest that is free: a hole below is not seen through. */
bool fd_is_short(unsigned n);

/** Write all of @buf. Returns 0, or -1 with errno set. */
int fd_write_all(int fd, const void *buf, size_t n);

/** Make @fd at least @n bytes long, with room for each of them on the disk where the file system can promise that: a full
 * disk is no SIGBUS then for who has it mapped. Returns 0, or -1 with errno set. */
int fd_allocate(int fd, off_t n);

/** Read a small file below @dirfd (or AT_FDCWD) whole into @buf, NUL-terminated.
 * Returns its length, or -1 with errno set; EFBIG: it does not fit into @size - 1 bytes. */
ssize_t fd_read_file(int dirfd, const char *path, char *buf, size_t size);

/** The same of a file that is open. */
ssize_t fd_read_all(int fd, char *buf, size_t size);

/** Create @path below @dirfd with @mode holding @buf, durable, all or nothing: written beside it, synced,
 * renamed, directory synced. Returns 0, or -1 with @e set (ERR_INTERNAL, or ERR_FULL). */
int fd_write_file(int dirfd, const char *path, mode_t mode, const void *buf, size_t n, struct err *e);

#endif
