/* SPDX-License-Identifier: MIT */
/* base/socket.h
 * Packets with files (SCM_RIGHTS) over AF_UNIX SOCK_SEQPACKET.
 *
 * Threads: any.
 */
#ifndef CRECHE_BASE_SOCKET_H
#define CRECHE_BASE_SOCKET_H

#include <stddef.h>
#include <sys/types.h>

enum { SOCKET_FDS_MAX = 5 };

/** Send @n bytes and @fds_n files, which stay the caller's. @flags of sendmsg(). 0, or -1 with errno set. */
int socket_send(int fd, const void *buf, size_t n, const int *fds, size_t fds_n, int flags);

/** Receive one packet of at most @n bytes; files (close-on-exec, the caller's) into @fds[SOCKET_FDS_MAX],
 * -1 where there is none; the kernel closes what is more. Returns the length, 0 at the end (or for an
 * empty packet, which may bring files all the same), -1 with errno set. */
ssize_t socket_recv(int fd, void *buf, size_t n, int fds[SOCKET_FDS_MAX], int flags);

/** Close those of @fds that are there. */
void socket_close_files(int fds[SOCKET_FDS_MAX]);

#endif
