/* SPDX-License-Identifier: MIT */
/* cli/target.h
 * Named targets.
 */
#ifndef CRECHE_CLI_TARGET_H
#define CRECHE_CLI_TARGET_H

#include "cli/cli.h"

/** A start failed, as @f says: if that is because there is no target @name (NULL: it had none), say so in @f, and which
 * it was perhaps meant to be. Always returns -1. */
int target_explain(struct cli *c, const char *name, struct fail *f);

#endif
