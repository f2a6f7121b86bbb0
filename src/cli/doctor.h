/* SPDX-License-Identifier: MIT */
/* cli/doctor.h
 * What may keep a daemon from working well, looked at one thing at a time: each is well, worth a warning or broken, and
 * what is not well comes with what mends it.
 */
#ifndef CRECHE_CLI_DOCTOR_H
#define CRECHE_CLI_DOCTOR_H

#include <limits.h>

#include <jansson.h>

#include "cli/cli.h"

enum finding {
        FINDING_OK,
        FINDING_WARNING, /* it works, not as well as it could */
        FINDING_FAILURE,
};

struct doctor {
        struct cli *c;
        json_t *info; /* the daemon's; NULL: none answers */
        pid_t pid;    /* of the daemon; 0: none answers, or not from this machine */
        char state
                [PATH_MAX]; /* its state directory, or the one that it would have; "": not on this machine */
        json_t *checks;     /* as they are printed: {"check", "finding", "detail", "fix"} */
        enum finding worst;
};

/** Add what has been found; the fix comes next, if there is one. */
void doctor_found(struct doctor *d, enum finding finding, const char *check, const char *fmt, ...)
        __attribute__((format(printf, 4, 5)));
/** The next command to run, of what was added last. */
void doctor_fix(struct doctor *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** The name that -o json has for it. */
const char *doctor_finding_name(enum finding finding);

/* doctor_daemon.c */
void doctor_daemon(struct doctor *d);
/** Access, integrity and room of what is in ->state. */
void doctor_state(struct doctor *d);
/* doctor_machine.c */
void doctor_machine(struct doctor *d);

#endif
