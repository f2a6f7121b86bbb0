/* SPDX-License-Identifier: MIT */
/* daemon/tls.h
 * The certificate that TCP is served with.
 *
 * It is read twice: by the first stage, to say at once what is wrong with it, and by each creched, while it still has
 * the rights that it was started with. So an upgrade (SIGHUP to creche-init) takes what has been renewed. A creched that
 * comes after others, and finds files that cannot be used, serves the unix socket alone: children go on, and clients by
 * TCP wait at the socket until somebody has mended that and sends SIGHUP.
 *
 * Threads: main.
 */
#ifndef CRECHE_DAEMON_TLS_H
#define CRECHE_DAEMON_TLS_H

#include "base/err.h"
#include "daemon/config.h"
#include "transport/certificate.h"

/** What is wrong with the files that @c names, if there are any. ERR_INVALID, also for a certificate that is not valid
 * now; ERR_INTERNAL. */
int tls_check(const struct config *c, struct err *e);

/** Load them. *out is NULL when there are none. As tls_check(), but that a time that is over, or has not come, is only
 * warned of: no client that looks is deceived. */
int tls_load(const struct config *c, struct certificate **out, struct err *e);

#endif
