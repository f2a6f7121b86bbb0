/* SPDX-License-Identifier: MIT */
/* cli/commands.h
 * The command line: one table of commands, from which the help comes as well.
 */
#ifndef CRECHE_CLI_COMMANDS_H
#define CRECHE_CLI_COMMANDS_H

/** Run the command that @argv names. Returns the exit status. */
int cli_main(int argc, char **argv);

#endif
