/* SPDX-License-Identifier: MIT */
#include "cli/commands.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STATUS_FAILED = 1, STATUS_USAGE = 2 };

/* Become creched, which lies beside us. */
static int cmd_serve(int argc, char **argv)
{
        char path[PATH_MAX];
        ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - sizeof("creched"));

        (void)argc;
        if (n > 0) {
                path[n] = '\0';
                strcpy(strrchr(path, '/') + 1, "creched");
                argv[0] = path;
                execv(path, argv);
        }
        fprintf(stderr, "creche: cannot execute creched: %s\n", strerror(errno));
        return STATUS_FAILED;
}

static const struct command {
        const char *name, *arguments, *help;
        int (*run)(int argc, char **argv);
} commands[] = {
        {"serve", "[OPTION]...", "run the daemon in the foreground (the options of creched)", cmd_serve},
};

static void print_help(FILE *out)
{
        fprintf(out, "usage: creche COMMAND [ARGUMENT]...\n\n");
        for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
                fprintf(out, "  %s %-14s %s\n", commands[i].name, commands[i].arguments, commands[i].help);
}

int cli_main(int argc, char **argv)
{
        if (argc > 1 && (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "help"))) {
                print_help(stdout);
                return EXIT_SUCCESS;
        }
        for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
                if (!strcmp(argv[1], commands[i].name))
                        return commands[i].run(argc - 1, argv + 1);
        if (argc > 1)
                fprintf(stderr, "creche: '%s' is no command\n\n", argv[1]);
        print_help(stderr);
        return STATUS_USAGE;
}
