/* SPDX-License-Identifier: MIT */
/* start/forkserver.h
 * The forkserver: a small single-threaded process that forks on request, so that children have a clean
 * parent. It is started at its first use, and again when it has died.
 *
 * Two socketpairs lead to it: one for requests, answered one by one, and one for the zombie protocol of
 * base/zombie.h, which it speaks as creche-init does, about its own children. When it dies, its children
 * move to creche-init: nothing is lost.
 *
 * Threads: forkserver_start() from any; the others from main.
 */
#ifndef CRECHE_START_FORKSERVER_H
#define CRECHE_START_FORKSERVER_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "start/journal.h"
#include "start/launch.h"
#include "start/start.h"

struct forkserver;

/* A forkserver has been started: its pid (our child, to be reaped by who gets this), a pidfd and the socket
 * of the zombie protocol, both the receiver's. Generations count from 1. */
struct forkserver_peer {
        uint32_t generation;
        pid_t pid;
        int pidfd;
        int zombie_fd;
};

/** @exe: what to execute, a program that calls forkserver_main() when its argv[0] is FORKSERVER_NAME.
 * @born is called in forkserver_start(), before the first request goes out. */
struct forkserver *forkserver_new(const char *exe, struct journal *j,
                                  void (*born)(const struct forkserver_peer *peer, void *arg), void *arg);
/** Tell it to end. Its children, if any, move to creche-init. */
void forkserver_free(struct forkserver *fs);

/** As starter_start(). */
int forkserver_start(struct forkserver *fs, struct launch *l, struct journal_slot *slot,
                     struct start_files files, struct start_result *r, struct err *e);

#define FORKSERVER_NAME "creche-forkserver"

/** The process itself. Returns its exit status when the daemon has closed the request socket. */
int forkserver_main(void);

/* The wire between the two. One packet each way; both ends are one build. */
enum { FORKSERVER_START_FD = 3, FORKSERVER_ZOMBIE_FD = 4, FORKSERVER_JOURNAL_FD = 5 };

/* With one to three files: the launch (a memfd), the child's stdin, its group. */
struct forkserver_request {
        uint32_t slot; /* number in the journal */
        uint16_t has_stdin, has_cgroup;
        uint64_t size; /* of the launch */
};

/* With the child's pidfd when pid > 0. */
struct forkserver_reply {
        pid_t pid; /* -1: no child, @errnum says why */
        int32_t errnum;
};

#endif
