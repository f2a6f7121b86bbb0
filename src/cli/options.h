/* SPDX-License-Identifier: MIT */
/* cli/options.h
 * What stands behind a command: options, declared in tables, and operands.
 *
 * From the same tables come parsing, help and completion. Options are asked for by their long names; to ask for one
 * that the command does not declare is a mistake of ours.
 */
#ifndef CRECHE_CLI_OPTIONS_H
#define CRECHE_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/fail.h"
#include "settings/setting.h"

/* What a value or an operand can be completed to. */
enum completes {
        COMPLETES_NOTHING,
        COMPLETES_PROCESS,
        COMPLETES_FILE,
        COMPLETES_PROGRAM,
        COMPLETES_COMMAND,
        COMPLETES_TOKEN,
        COMPLETES_TARGET,
        COMPLETES_WORDS, /* those of ->value, "a|b|c" */
};

struct option_spec {
        const char *name;  /* NULL ends a table */
        char letter;       /* 0: none */
        const char *value; /* what its value is called; NULL: it has none */
        const char *help;
        enum completes completes;
        /* For the options of a start: the member of the request, and how to write it; see cli/spec.h. */
        const char *member;
        int kind;
        const struct setting *setting; /* NULL: it is none */
};

/* A row of such a table; what more there is goes by its name. */
#define OPTION(n, l, v, h, ...)                                                                              \
        {                                                                                                    \
                .name = n, .letter = l, .value = v, .help = h, __VA_ARGS__                                   \
        }

struct option_group {
        const char *title;
        const struct option_spec *options;
};

struct command;

struct given {
        const struct option_spec *option;
        const char *value;
};

struct args {
        const struct command *command;
        struct given *given;
        size_t given_n;
        char **operands; /* borrowed from argv */
        int operands_n;
        const char *format; /* of lists, where -o does not say it; NULL: a table */
};

/** The options that every command takes; after options_begin(). */
extern const struct option_group options_global;
void options_begin(void);

/** Parse what follows the name of @command, argv[0] being that; @command NULL: the options before any command. Returns
 * 0, or -1. args_done() in either case. */
int args_parse(struct args *a, const struct command *command, int argc, char **argv, struct fail *f);
void args_done(struct args *a);

bool args_has(const struct args *a, const char *name);

/** Whether the command declares the option. */
bool args_takes(const struct args *a, const char *name);

/** The value that was given last; NULL: none. */
const char *args_get(const struct args *a, const char *name);

/** The next value of an option that may be repeated, from *@at on, which starts as 0; NULL: no more. */
const char *args_next(const struct args *a, const char *name, size_t *at);

/** A whole number between @min and @max into @out, which stays as it is without the option. */
int args_number(const struct args *a, const char *name, long long min, long long max, long long *out,
                struct fail *f);

/** Seconds into @out, as with text_seconds(). */
int args_seconds(const struct args *a, const char *name, double *out, struct fail *f);

#endif
