/* SPDX-License-Identifier: MIT */
/* cli/spec.h
 * What can be asked for at a start: an option for each member of the API's request, in one table.
 */
#ifndef CRECHE_CLI_SPEC_H
#define CRECHE_CLI_SPEC_H

#include "cli/cli.h"
#include "cli/options.h"

/* What a start and a named target can say, and what only one of them can. */
extern const struct option_group options_spec, options_start, options_target;

/** Write the request into @body. @c: where it goes to, which decides whether our directory means something there.
 * @start: false: create only. What is in @body may be secret: it is wiped. */
int spec_write(const struct cli *c, const struct args *a, bool start, struct strbuf *body, struct fail *f);

/** Whether our directories mean something to the daemon: it is on this machine, and of the user that we are. */
bool spec_shares_directories(const struct cli *c);
/** Write the beginning of a target, which makes @argv (NULL-terminated) of its values, into @body: "{...", without the
 * brace at its end. */
int spec_write_target(const struct args *a, char **argv, struct strbuf *body, struct fail *f);

/** Whether our own stdin is to be the child's. */
bool spec_feeds_stdin(const struct args *a);

#endif
