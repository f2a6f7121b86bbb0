/* SPDX-License-Identifier: MIT */
/* cli/connect.h
 * Which daemon we speak to, and as whom; and what to tell when there is none.
 *
 * An option goes before a variable, a variable before the default; a socket before an address. A child of Creche finds
 * CRECHE_SOCKET, CRECHE_URL and, as its token, CRECHE_AUTHKEY in its environment.
 */
#ifndef CRECHE_CLI_CONNECT_H
#define CRECHE_CLI_CONNECT_H

#include <limits.h>
#include <stdbool.h>

#include "cli/options.h"

struct connection {
        char socket[PATH_MAX]; /* "": by TCP */
        const char *url;       /* without a '/' at its end; NULL: the socket */
        const char *token;     /* NULL: who may open the socket is known by that */
        const char *token_in;  /* what a shell would write for it */
        bool is_default;       /* nobody has said which socket */
        char url_buf[512], token_buf[128];
};

/** Decide. @before: options that stood before the command. */
int connect_decide(struct connection *c, const struct args *before, const struct args *a, struct fail *f);

/** Say why nobody answers: @errnum, of connect(). Always returns -1. */
int connect_refuse(const struct connection *c, int errnum, const char *curl_says, struct fail *f);

#endif
