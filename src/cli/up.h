/* SPDX-License-Identifier: MIT */
/* cli/up.h
 * What shall run, as a file says it: {"project": "shop", "processes": [REQUEST, ...]}, each of them a request of the API
 * with a name, but for two things: null as a value of env or secrets stands for ours, and a cwd of null for the home of
 * the user; without a cwd it is the directory of the file. Or a Procfile: "NAME: COMMAND" for a shell on each line.
 */
#ifndef CRECHE_CLI_UP_H
#define CRECHE_CLI_UP_H

#include <jansson.h>

#include "cli/cli.h"

/* Labels of what `up` has started: whose it is, and a hash of what it was asked to be. */
#define UP_PROJECT "creche.up"
#define UP_SPEC    "creche.up.spec"

struct up_file {
        json_t *entries; /* array of objects */
        char *project;
};

/** Read @path, "-": stdin. @project: NULL: as the file says, or the name of its directory. up_file_done() in any case. */
int up_file_read(struct up_file *u, const struct cli *c, const char *path, const char *project,
                 struct fail *f);
void up_file_done(struct up_file *u);

/** Whether @process is what @entry asks for: in all that can be seen of it, and, where the entry says more than that, by
 * the hash that `up` has left with it. What differs into @differs, names with a ", " between them. */
bool up_is_same(json_t *entry, const json_t *process, struct strbuf *differs);

/** The request that @entry stands for, to start something for @project; values that are ours are filled in. NULL: @f. */
json_t *up_request(const json_t *entry, const char *project, struct fail *f);

#endif
