/* SPDX-License-Identifier: MIT */
/* base/paths.h
 * Where things are when nobody says otherwise: creched and the command line must agree.
 *
 * Threads: before there are others: the environment and passwd are read.
 */
#ifndef CRECHE_BASE_PATHS_H
#define CRECHE_BASE_PATHS_H

#include <limits.h>

/* Of root's creched, or of one that root has started for another user. */
#define PATHS_SYSTEM_SOCKET "/run/creche/creche.sock"
#define PATHS_SYSTEM_STATE  "/var/lib/creche"

/** The unix socket of the effective user: root's, else below $XDG_RUNTIME_DIR or /tmp/creche-UID. */
void paths_socket(char out[PATH_MAX]);

/** His state directory: root's, else below $XDG_STATE_HOME or ~/.local/state; "" when there is no home either. */
void paths_state(char out[PATH_MAX]);

/** His settings: below $XDG_CONFIG_HOME or ~/.config; "" when there is no home. */
void paths_config(char out[PATH_MAX]);

#endif
