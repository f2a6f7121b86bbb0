/* SPDX-License-Identifier: MIT */
/* base/sys.h
 * The system-call seam: every call whose failure we must survive goes through here, so that tests can
 * make it fail. Each function is the system call of its name: same arguments, same return, errno set.
 *
 * Threads: any. Not for the child between clone and exec: see start/bootstrap.h.
 */
#ifndef CRECHE_BASE_SYS_H
#define CRECHE_BASE_SYS_H

#include <linux/openat2.h>
#include <linux/sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/types.h>

ssize_t sys_read(int fd, void *buf, size_t n);
ssize_t sys_write(int fd, const void *buf, size_t n);
int sys_fdatasync(int fd);
int sys_openat(int dirfd, const char *path, int flags, mode_t mode);
int sys_openat2(int dirfd, const char *path, struct open_how *how);
int sys_fallocate(int fd, int mode, off_t offset, off_t len);

int sys_pidfd_open(pid_t pid, unsigned flags);
int sys_pidfd_send_signal(int pidfd, int signo, unsigned flags);
/* How the process of @pidfd ended, as wait() would have said, into @status: Linux 6.15 knows that once its parent has
 * reaped it, whoever that was. Returns 0, 1: nobody has reaped it yet; -1: this kernel does not tell. */
int sys_pidfd_exit_status(int pidfd, int *status);
/* waitid() with the rusage that glibc's leaves out; @ru may be NULL. */
int sys_waitid(int idtype, id_t id, siginfo_t *si, int options, struct rusage *ru);

int sys_epoll_ctl(int epfd, int op, int fd, struct epoll_event *ev);
int sys_epoll_wait(int epfd, struct epoll_event *evs, int max, int timeout_ms);

/* clone3() whose child runs @fn(@arg), which does not return, on the stack in @args (none: a copy of ours). */
pid_t sys_clone3(struct clone_args *args, void (*fn)(void *), void *arg);

#endif
