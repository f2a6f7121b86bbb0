/* SPDX-License-Identifier: MIT */
/* cli/trace.h
 * What we do, as a curl command that does it: secrets and tokens are not in it.
 */
#ifndef CRECHE_CLI_TRACE_H
#define CRECHE_CLI_TRACE_H

#include "cli/client.h"

/** Print it on stderr. */
void trace(const struct exchange *x);

#endif
