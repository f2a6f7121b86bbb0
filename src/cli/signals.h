/* SPDX-License-Identifier: MIT */
/* cli/signals.h
 * Signals as people write them.
 */
#ifndef CRECHE_CLI_SIGNALS_H
#define CRECHE_CLI_SIGNALS_H

#include "cli/fail.h"

enum { SIGNAL_NAME_MAX = 24 };

/** The API's name of "SIGTERM", "TERM", "term" or "15" into @out. */
int signals_parse(const char *text, char out[SIGNAL_NAME_MAX], struct fail *f);

/** The API's name of @signo. */
void signals_name(int signo, char out[SIGNAL_NAME_MAX]);

#endif
