/* SPDX-License-Identifier: MIT */
/* base/killpoint.h
 * Where a test makes us die. KILLPOINT("exit.committed") sends SIGKILL to the process that passes it when it is
 * told to by CRECHE_KILLPOINT, in builds with KILLPOINTS=1; in all others it is nothing at all.
 *
 * CRECHE_KILLPOINT=NAME[:N]   each process dies when it passes NAME for the N-th time (first: 1).
 * CRECHE_KILLPOINT=@PATH      the file is struct killpoint[KILLPOINTS], shared by all processes and by the test,
 *                             which arms them as often as it likes: who passes @name as the @left-th dies.
 *
 * The names of a step are those of the event log where there is one; "-ed" is after the system call or the
 * commit that the name without it stands before. Threads: any; also between vfork and exec.
 */
#ifndef CRECHE_BASE_KILLPOINT_H
#define CRECHE_BASE_KILLPOINT_H

#include <stddef.h>
#include <stdint.h>

enum { KILLPOINTS = 2 }; /* armed at the same time: one that makes others go where the second is */

struct killpoint {
        int32_t left;   /* <= 0: not armed */
        uint32_t fired; /* how many have died of it */
        char name[56];
};

#ifdef CRECHE_KILLPOINTS
void killpoint(const char *name);
/* What the environment of a program of ours needs, which is empty otherwise. */
char *const *killpoint_environ(void);
#define KILLPOINT(name) killpoint(name)
#else
#define KILLPOINT(name) ((void)0)
static inline char *const *killpoint_environ(void)
{
        static char *const none[] = {NULL};

        return none;
}
#endif

#endif
