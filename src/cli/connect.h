/* SPDX-License-Identifier: MIT */
/* cli/connect.h
 * Which daemon we speak to, and as whom; and what to tell when there is none.
 *
 * What was said more directly counts (settings/settings.h); of what was said in the same way, a socket before an address.
 * Where nobody says anything to creche, it asks where the settings tell creched to listen. A child of Creche finds
 * CRECHE_SOCKET, CRECHE_URL and, as its token, CRECHE_AUTHKEY in its environment.
 */
#ifndef CRECHE_CLI_CONNECT_H
#define CRECHE_CLI_CONNECT_H

#include <limits.h>
#include <stdbool.h>

#include "cli/fail.h"
#include "settings/settings.h"

struct connection {
        char socket[PATH_MAX]; /* "": by TCP */
        const char *url;       /* without a '/' at its end; NULL: the socket */
        const char *token;     /* NULL: who may open the socket is known by that */
        const char *token_in;  /* what a shell would write for it, between double quotes */
        bool is_default;       /* nobody has said which socket */
        char url_buf[SETTING_URL_MAX + sizeof("http://")], token_buf[SETTING_SECRET_MAX],
                token_in_buf[PATH_MAX + 16];
};

/** Decide by what is set. */
int connect_decide(struct connection *c, const struct settings *s, struct fail *f);

/** Say why nobody answers: @errnum, of connect(). Always returns -1. */
int connect_refuse(const struct connection *c, int errnum, const char *curl_says, struct fail *f);

#endif
