/* SPDX-License-Identifier: MIT */
/* start/forkserver.h
 * The forkserver: a small single-threaded process that forks on request, so that children have a clean
 * parent. It is started at its first use, and again when it has died.
 *
 * Two socketpairs lead to it: one for requests, answered one by one, and one for the zombie protocol of
 * base/zombie.h, which it speaks as creche-init does, about its own children. When it dies, its children
 * move to creche-init: nothing is lost.
 *
 * Privileged, it was started by a daemon that was root and has given that up since. It is the one that may become
 * somebody else then, it believes nothing that comes out of a socket (start/privileged.h), and it delivers the
 * signals that the kernel does not let the daemon send. Nobody can start another one: the daemon ends, to be started
 * as root again.
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
/* A privileged one that runs: what forkserver_launch_privileged() gives. */
struct forkserver_link {
        pid_t pid; /* our child */
        int pidfd;
        int start_fd, zombie_fd, signal_fd;
};

/* What it must know, from whoever is root still. */
struct forkserver_rights {
        const char *user; /* the daemon's, a name of passwd */
        pid_t init_pid;   /* creche-init */
        int policy_fd; /* of policy_open(); -1: there is none, and nobody but the daemon's user is allowed */
        const char *oom_score_adj; /* what children have; "": what it has */
};

/** Start one with the rights that we have. Returns 0 when it is ready; -1: ERR_INTERNAL. Before there are threads. */
int forkserver_launch_privileged(const char *exe, const struct forkserver_rights *rights,
                                 struct forkserver_link *link, struct err *e);

/** From now on @fs is this one, whose descriptors are taken, and never another. @born is called. ERR_TRY_AGAIN:
 * it has died already. */
int forkserver_adopt(struct forkserver *fs, struct forkserver_link *link, struct err *e);

/** Tell it to end. Its children, if any, move to creche-init. */
void forkserver_free(struct forkserver *fs);

/** As starter_start(); ERR_POLICY. */
int forkserver_start(struct forkserver *fs, struct launch *l, struct journal_slot *slot,
                     struct start_files files, struct start_result *r, struct err *e);

#define FORKSERVER_NAME "creche-forkserver"

/** The process itself. Returns its exit status when the daemon has closed the request socket. */
int forkserver_main(int argc, char **argv);

/* The wire between the two. One packet each way; both ends are one build. A privileged one gets the signals where
 * others get the journal, and that over the start socket, in the first packet: whoever is root still has not opened
 * it. */
enum { FORKSERVER_START_FD = 3, FORKSERVER_ZOMBIE_FD = 4, FORKSERVER_JOURNAL_FD = 5 };
enum { FORKSERVER_SIGNAL_FD = 5, FORKSERVER_POLICY_FD = 6 };

/* With the files that it names, in this order, behind the launch (a memfd that nobody can change any more). */
struct forkserver_request {
        uint32_t slot; /* number in the journal */
        uint8_t has_stdin, has_cgroup, has_out, has_err;
        uint64_t size; /* of the launch */
};

/* With the child's pidfd when pid > 0. */
struct forkserver_reply {
        pid_t pid; /* -1: no child, @errnum says why */
        int32_t errnum;
        char refusal[160]; /* of the policy; "": it is none */
};

/* To a privileged one, with a pidfd. The answer is an int32_t: an errno, 0 when it was sent. */
struct forkserver_signal {
        int32_t signo;
        uint32_t group; /* not 0: to the process group that the process leads */
};

#endif
