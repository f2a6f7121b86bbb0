/* SPDX-License-Identifier: MIT */
/* daemon/serve.h
 * The second stage of creched, under creche-init: recover, serve, stop as multiprocessing does at exit.
 */
#ifndef CRECHE_DAEMON_SERVE_H
#define CRECHE_DAEMON_SERVE_H

#include "daemon/config.h"

/** Returns the exit status. */
int serve(const struct config *c);

#endif
