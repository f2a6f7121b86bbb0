/* SPDX-License-Identifier: MIT */
/* daemon/config.h
 * The settings of creched, as it uses them; see settings/settings.h for where they come from.
 */
#ifndef CRECHE_DAEMON_CONFIG_H
#define CRECHE_DAEMON_CONFIG_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "transport/limits.h"
#include "model/retention.h"
#include "settings/setting.h"

/* The statuses that creched exits with, beside 0. */
enum {
        STATUS_FAILED = 1,
        STATUS_USAGE = 2,
        STATUS_BUSY = 3,     /* another creched has the state directory or the socket */
        STATUS_DATABASE = 4, /* it cannot be opened, is not ours, or is newer than this program */
        STATUS_RESTART = 75, /* creche-init shall start us anew */
};

struct config {
        char state_dir[PATH_MAX];
        char database[PATH_MAX];
        char socket_path[PATH_MAX];
        char listen[SETTING_ADDRESS_MAX]; /* HOST:PORT; "" for none */
        char tls_cert[PATH_MAX];          /* "": TCP is plain */
        char tls_key[PATH_MAX];
        char tls_client_ca[PATH_MAX]; /* "": clients need no certificate */
        bool insecure_http;           /* plain HTTP may be served to other machines */
        int64_t stop_timeout_us;      /* < 0: for ever */
        int64_t log_budget;           /* bytes per stream */
        enum log_level log_level;
        char user[SETTING_NAME_MAX]; /* as whom root serves; "none": as root; "": see privileges_decide() */
        char policy[PATH_MAX];       /* what that user's forkserver may do as others */
        bool policy_given;           /* it must be there */
        struct limits limits;
        struct retention keep;
        char **argv; /* what we were executed with: argv[0] is our path, in the second stage */
};

/** Fill @c. Returns 0; 1: --help or --version was answered on stdout; -1 with @e set, ERR_INVALID.
 *
 * @files: look into the two creche.ini, and put what they say into the environment. They are read once, when Creche is
 * started: a creched that is started anew, or is an upgrade, finds the same settings whatever has become of the files, and
 * cannot be kept from its children by a mistake in them. */
int config_read(int argc, char **argv, bool files, struct config *c, struct err *e);

#endif
