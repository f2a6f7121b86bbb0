/* SPDX-License-Identifier: MIT */
/* daemon/keys.h
 * The two secrets of a state directory, made at the first start: the operator's token, for people and
 * scripts to read, and what authkeys are made with, for nobody.
 */
#ifndef CRECHE_DAEMON_KEYS_H
#define CRECHE_DAEMON_KEYS_H

#include "base/err.h"

enum { TOKEN_MAX = 256, SECRET_SIZE = 32 };

/** Read or make both. ERR_INVALID: a file is not as we made it. ERR_INTERNAL, ERR_FULL. */
int keys_load(int dir, char token[TOKEN_MAX], unsigned char secret[SECRET_SIZE], struct err *e);

#endif
