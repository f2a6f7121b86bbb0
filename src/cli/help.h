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

/** Whether @word is the first of the two words of some commands, as "token" is. */
bool help_is_family(const char *word);
/** The names of these commands. */
void help_add_family(const char *word, struct strbuf *b);
/** Print what they are for. */
int help_family(const char *word, struct fail *f);

/** The name of the topic number @i of `creche help`; NULL: no more. */
const char *help_topic(size_t i);
void help_add_topic(size_t i, struct strbuf *b);

/* What creche exits with; a row without ->text ends a table. */
struct exit_code {
        int status;
        const char *shown; /* instead of ->status; NULL: that */
        const char *text;
};

/* Ours, and those of the commands that give that of a child, of which help_of_child tells. */
extern const struct exit_code *const help_exit_codes[2];
extern const char help_of_child[];

#endif
