/* SPDX-License-Identifier: MIT */
/* cli/progress.h
 * How far it has got: a line on the terminal of stderr, for what takes longer than half a second. It is gone when it is
 * over; where stderr is no terminal, and with --quiet, there never is one.
 *
 * There is one at a time. Who waits for answers (cli/client.h) and who says something else on stderr (cli/fail.h) sees to
 * it that it is drawn, and out of the way.
 */
#ifndef CRECHE_CLI_PROGRESS_H
#define CRECHE_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

struct args;

/** "@what 0 of @total" from now on; it is of the command that @a is of. @what is borrowed. */
void progress_begin(const struct args *a, const char *what, size_t total);
/** So many by now. */
void progress_set(size_t done);
void progress_end(void);

/** Whether somebody looks at it: then it is worth to ask now and then. */
bool progress_is_on(void);

/** Draw it, if that is due. */
void progress_draw(void);
/** Take it off the terminal until it is drawn again. */
void progress_hide(void);
/** @timeout_ms (< 0: for ever), or until it is to be drawn. */
int progress_nap_ms(int timeout_ms);

#endif
