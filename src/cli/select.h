/* SPDX-License-Identifier: MIT */
/* cli/select.h
 * Which processes are meant.
 *
 *     17            the id
 *     hello         the name; where several have it, the one that has not ended
 *     he            the beginning of one name only
 *     'web-*'       all whose names match (glob(7))
 *     @last         the one that was started last
 *     -l app=web    all with this label
 *
 * Names and globs stand for processes in the states that the command has to do with: `creche terminate web` means the web
 * that runs. A name that could mean several is refused, EXIT_USAGE, with those it could mean.
 */
#ifndef CRECHE_CLI_SELECT_H
#define CRECHE_CLI_SELECT_H

#include <jansson.h>

#include "cli/cli.h"
#include "cli/options.h"

enum { SELECT_OWN_MAX = 48 };

/** -l */
extern const struct option_group options_select;

/** All processes of the list with @query ("", or "&state=..."), newest first, at most @max (0: all). */
int select_list(struct cli *c, const char *query, size_t max, json_t **out, struct fail *f);

/** The query "&parent=..." of those that are ours: for a process its children; for the operator those without a parent. */
int select_own(struct cli *c, char query[SELECT_OWN_MAX], struct fail *f);

/** An array of what the operands and -l of @a stand for, each once, as objects of the API. None at all is a failure. */
int select_all(struct cli *c, const struct args *a, json_t **out, struct fail *f);

/** The one that @word stands for. @states: "", or "&state=...". */
int select_one(struct cli *c, const char *word, const char *states, json_t **out, struct fail *f);

typedef int select_act(struct cli *c, const struct args *a, const json_t *process, struct fail *f);

/** Do @one with each that is selected, and then @after (NULL: nothing) with each that it was done with. What fails is
 * told, and the others are done all the same. Returns the status: 0, or that of the first failure. */
int select_each(struct cli *c, const struct args *a, select_act *one, select_act *after, struct fail *f);

/** "hello (17)" */
void select_name(const json_t *process, struct strbuf *out);

/** The list's query of labels for each -l into @out. */
void select_labels(const struct args *a, struct strbuf *out);

#endif
