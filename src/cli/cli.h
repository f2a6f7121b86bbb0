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
#include "settings/settings.h"

struct cli {
        struct client client;
        struct output out;
        struct settings settings;
        struct err unset; /* why they cannot be read, or only in part; clear: they are */
};

/** Do what @argv says. Returns the exit status. */
int cli_main(int argc, char **argv);

/** Read what is set, but for options. Returns 0, or -1 with @f set. */
int cli_settings(struct cli *c, struct fail *f);

#endif
