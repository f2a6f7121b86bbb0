/* SPDX-License-Identifier: MIT */
/* cli/help.h
 * What the program says of itself, out of its tables.
 */
#ifndef CRECHE_CLI_HELP_H
#define CRECHE_CLI_HELP_H

#include "cli/command.h"

/** All commands. */
void help_overview(struct strbuf *b);

/** Print what there is to know of @command: the examples first. */
int help_command(const struct command *command, struct fail *f);

/** The name of the topic number @i of `creche help`; NULL: no more. */
const char *help_topic(size_t i);

#endif
