/* SPDX-License-Identifier: MIT */
/* cli/command.h
 * A command, and the table of them all, from which parsing, help and completion come.
 */
#ifndef CRECHE_CLI_COMMAND_H
#define CRECHE_CLI_COMMAND_H

#include "cli/cli.h"
#include "cli/options.h"

enum { OPTION_GROUPS_MAX = 5, OPERANDS_ANY = 1000000 };

enum command_flags {
        COMMAND_ARGV = 1,   /* its operands are a command line: the first of them ends our options */
        COMMAND_STATUS = 2, /* exits as the child does: failures of ours are EXIT_OURS, whatever their kind */
        COMMAND_STAYS = 4,  /* the same with --wait or --follow */
        COMMAND_HIDDEN = 8,
        COMMAND_PASSES = 16,    /* takes its arguments as they are */
        COMMAND_LISTS = 32,     /* without -o it shows a list in the form that is set */
        COMMAND_OFFLINE = 64,   /* asks no daemon, and whatever is set, it works */
        COMMAND_EXAMINES = 128, /* works with settings that are wrong, and says so itself */
};

struct command {
        const char *name;    /* one word or two */
        const char *aliases; /* words; NULL: none */
        const char *arguments;
        const char *summary;
        const char *past;     /* what has happened to those that it was done with; NULL: nothing */
        const char *examples; /* lines */
        const char *text;     /* more to know; NULL: nothing */
        const struct option_group *groups[OPTION_GROUPS_MAX];
        unsigned flags;
        int min, max; /* operands */
        enum completes completes;
        /* Which processes names, globs and labels stand for: "" or "&state=...", for the list. */
        const char *states;
        /* Returns the exit status, or -1 with @f set. */
        int (*run)(struct cli *c, const struct args *a, struct fail *f);
        /* With COMMAND_PASSES. */
        int (*pass)(struct cli *c, int argc, char **argv, struct fail *f);
};

/* The table; a row without a name ends it. */
extern const struct command commands[];

/** The command that @argv begins with, by its name or an alias; *@used: the words that takes, 1 or 2. NULL: none. */
const struct command *command_find(int argc, char *const *argv, int *used);

/** The name that @word was perhaps meant to be; NULL: it is like none. */
const char *command_like(const char *word);

/** The group after @at of the options that @command (NULL: none) takes, the global ones last; NULL: no more. */
const struct option_group *command_group(const struct command *command, size_t at);

#endif
