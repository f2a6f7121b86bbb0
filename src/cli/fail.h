/* SPDX-License-Identifier: MIT */
/* cli/fail.h
 * What went wrong as the user is told it: what, the next step to take, and the status to exit with.
 *
 * A function that can fail takes a struct fail as its last parameter and returns -1 with it set, as with struct err.
 */
#ifndef CRECHE_CLI_FAIL_H
#define CRECHE_CLI_FAIL_H

#include <stddef.h>

#include "base/err.h"

struct fail {
        struct err err;
        int status;     /* of enum exit_status */
        char hint[512]; /* one line; "" only when the message says it all */
};

/** Set @f, with the status and the hint that the kind has in the command line. Always returns -1. */
int fail_set(struct fail *f, enum err_kind kind, int errnum, const char *fmt, ...)
        __attribute__((format(printf, 4, 5)));

/** Wrong words on the command line. Always returns -1. */
int fail_usage(struct fail *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** Say the next step. Always returns -1. */
int fail_hint(struct fail *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** The daemon has refused what @command asked for, and nobody has said the next step better: that its help does. */
void fail_hint_command(struct fail *f, const char *command);

/** Set @f from the answer to a request: a problem document, or what else came with @status. Always returns -1. */
int fail_problem(struct fail *f, long status, const char *body, size_t n);

/** Tell it on stderr. */
void fail_tell(const struct fail *f);

/** Something to say that is no data: a line on stderr. */
void talk(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
