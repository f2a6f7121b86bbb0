/* SPDX-License-Identifier: MIT */
/* start/deliver.h
 * Signals to processes, also to those of other users: where the kernel does not let us send one, the privileged
 * forkserver does it for us, if there is one and its policy allows it.
 *
 * Threads: any, but for deliver_through(): before there are others.
 */
#ifndef CRECHE_START_DELIVER_H
#define CRECHE_START_DELIVER_H

#include <sys/types.h>

/** The socket to the privileged forkserver, which is taken. */
void deliver_through(int fd);

/** Send @signo to the process of @pidfd. 0, or -1 with errno set as pidfd_send_signal() does. */
int deliver_signal(int pidfd, int signo);

/** Send @signo to the process group that the process of @pidfd leads, whose number is @pid and cannot be anybody
 * else's by now. 0, or -1 with errno set. */
int deliver_to_group(int pidfd, pid_t pid, int signo);

#endif
