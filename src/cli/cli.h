/* SPDX-License-Identifier: MIT */
/* cli/cli.h
 * The command line: one run of it.
 *
 * Data goes to stdout, what is said to stderr. One thread.
 */
#ifndef CRECHE_CLI_CLI_H
#define CRECHE_CLI_CLI_H

#include "cli/client.h"
#include "cli/output.h"

struct cli {
        struct client client;
        struct output out;
};

/** Do what @argv says. Returns the exit status. */
int cli_main(int argc, char **argv);

#endif
