/* SPDX-License-Identifier: MIT */
/* http/auth.h
 * Who asks: the token of the request, else the uid behind the unix socket.
 *
 * Threads: any.
 */
#ifndef CRECHE_HTTP_AUTH_H
#define CRECHE_HTTP_AUTH_H

#include <stdbool.h>

#include "base/err.h"
#include "transport/guard.h"
#include "transport/idle.h"
#include "http/server.h"
#include "model/caller.h"

/** Find out who sent @h over @from. @open: the operation is for everybody who can connect by TCP.
 * ERR_UNAUTHENTICATED, ERR_FORBIDDEN. */
int auth_check(const struct http_config *c, const struct connection *from, const struct head *h, bool open,
               struct caller *who, struct err *e);

/** Say in @who where the peer of the TCP socket @fd is. One that is gone already has no address. */
void auth_note_address(int fd, struct caller *who);

/** Whether @who has all of @scopes: ERR_FORBIDDEN. */
int auth_may(const struct caller *who, unsigned scopes, struct err *e);

#endif
