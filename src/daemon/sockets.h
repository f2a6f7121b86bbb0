/* SPDX-License-Identifier: MIT */
/* daemon/sockets.h
 * The files that outlive creched: the lock of the state directory and the listening sockets. The first stage
 * opens them, creche-init keeps them, each creched inherits them (the LISTEN_FDS protocol).
 */
#ifndef CRECHE_DAEMON_SOCKETS_H
#define CRECHE_DAEMON_SOCKETS_H

#include <stddef.h>

#include "base/err.h"
#include "daemon/config.h"
#include "start/account.h"

struct sockets {
        int lock, unix_fd;
        int tcp_fd; /* -1: none */
};

/** Make the state directory and that of the socket, as far as they are missing, for @owner (NULL: for us). ERR_INTERNAL. */
int sockets_make_dirs(const struct config *c, const struct account *owner, struct err *e);

/** Lock the state directory. ERR_TRY_AGAIN: another creched has it. ERR_INVALID, ERR_INTERNAL. */
int sockets_lock(const struct config *c, int *lock, struct err *e);

/** Listen on the unix socket. ERR_TRY_AGAIN: it is in use. ERR_INVALID, ERR_INTERNAL. */
int sockets_open(const struct config *c, struct sockets *s, struct err *e);

/** Listen on TCP, if that is wanted. An address that cannot be had is told and survived. ERR_INVALID: it may not be had:
 * see sockets_check_plain(). */
int sockets_open_tcp(const struct config *c, struct sockets *s, struct err *e);

/** Whether what comes by the TCP socket may be plain, if it is: other machines do not reach it, or it is meant.
 * ERR_INVALID. */
int sockets_check_plain(const struct config *c, const struct sockets *s, struct err *e);

/** Put them where creche-init keeps them: 3 and up, with LISTEN_FDS, LISTEN_FDNAMES and LISTEN_PID. */
int sockets_hand_over(struct sockets *s, struct err *e);

/** Take what creche-init has handed over, and forget the variables. ERR_INVALID. */
int sockets_inherit(struct sockets *s, struct err *e);

/** "HOST:PORT" that @fd listens on into @out. */
int sockets_address(int fd, char *out, size_t size);

#endif
