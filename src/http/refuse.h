/* SPDX-License-Identifier: MIT */
/* http/refuse.h
 * An answer to somebody who does not get as far as libmicrohttpd.
 *
 * Threads: any.
 */
#ifndef CRECHE_HTTP_REFUSE_H
#define CRECHE_HTTP_REFUSE_H

#include "base/err.h"

/** Send the problem document of @e on the socket @fd, as much of it as goes without waiting. */
void refuse_at_once(int fd, const struct err *e);

#endif
