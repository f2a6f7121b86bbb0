/* SPDX-License-Identifier: MIT */
/* base/zombie.h
 * The zombie protocol: how a parent that is not creched hands over the exits of its children.
 *
 * creche-init (and every forkserver) is the parent of processes that creched watches. A zombie is the
 * journal of an exit, so the parent never reaps on its own account: it tells creched what it sees, and
 * reaps when told, after creched has made the exit durable or has found that it knows no such process.
 *
 * One struct zombie_msg is one packet on an AF_UNIX SOCK_SEQPACKET socketpair. Both ends are on
 * the same machine, so the struct is the wire format. creched sends with MSG_DONTWAIT and keeps
 * what did not fit; the parent may therefore block in its own sends. An upgrade in place leaves an older creche-init
 * with a newer creched: a message that one of them does not know is ignored, and none may change its meaning.
 *
 *   parent -> creched   EXIT  @pid is a zombie: @code (CLD_*), @status, @rusage as waitid() gave them.
 *                             May be repeated; the receiver ignores what it has dealt with.
 *                       GONE  @pid is no child of ours: the answer to a PEEK that cannot be answered.
 *                       KEPT  the file that KEEP left for @id (SCM_RIGHTS); all of them answer HELLO.
 *   creched -> parent   PEEK  say EXIT or GONE about @pid; say nothing if it is a living child.
 *                       REAP  reap @pid, which is recorded.
 *                       HELLO say all KEPT, then HELLO; tell of zombies anew.    (creche-init only)
 *                       READY creched serves.                                    (creche-init only)
 *                       KEEP  hold this file (SCM_RIGHTS) for @id until DROP.    (creche-init only)
 *                       DROP  close what is held for @id.                        (creche-init only)
 */
#ifndef CRECHE_BASE_ZOMBIE_H
#define CRECHE_BASE_ZOMBIE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

enum zombie_op {
        ZOMBIE_EXIT = 1,
        ZOMBIE_GONE,
        ZOMBIE_KEPT,
        ZOMBIE_PEEK,
        ZOMBIE_REAP,
        ZOMBIE_READY,
        ZOMBIE_KEEP,
        ZOMBIE_DROP,
        ZOMBIE_HELLO,
};

struct zombie_msg {
        uint32_t op; /* enum zombie_op */
        pid_t pid;
        int32_t code;   /* CLD_EXITED, CLD_KILLED, CLD_DUMPED */
        int32_t status; /* exit status, or the number of the signal */
        int64_t id;     /* KEEP, KEPT, DROP: whose file */
        struct rusage rusage;
};

/** The parent's side of PEEK and REAP. True: @msg is now the answer, to be sent. */
bool zombie_serve(struct zombie_msg *msg);

#endif
