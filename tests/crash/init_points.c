/* SPDX-License-Identifier: MIT */
/* The kill points of creche-init: before and after each of its system calls that changes anything, which the
 * linker turns over to here. Its own 300 lines do not know. */
#include <signal.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/killpoint.h"
#include "base/zombie.h"

pid_t __real_fork(void);
int __real_execve(const char *path, char *const argv[], char *const envp[]);
int __real_kill(pid_t pid, int signo);
int __real_sigtimedwait(const sigset_t *set, siginfo_t *si, const struct timespec *timeout);
int __real_waitid(idtype_t type, id_t id, siginfo_t *si, int options);
long __real_syscall(long number, ...);
ssize_t __real_sendmsg(int fd, const struct msghdr *msg, int flags);
ssize_t __real_recvmsg(int fd, struct msghdr *msg, int flags);

pid_t __wrap_fork(void);
int __wrap_execve(const char *path, char *const argv[], char *const envp[]);
int __wrap_kill(pid_t pid, int signo);
int __wrap_sigtimedwait(const sigset_t *set, siginfo_t *si, const struct timespec *timeout);
int __wrap_waitid(idtype_t type, id_t id, siginfo_t *si, int options);
long __wrap_syscall(long number, ...);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *msg, int flags);

pid_t __wrap_fork(void)
{
        pid_t pid;

        KILLPOINT("init.fork");
        pid = __real_fork();
        if (pid > 0)
                KILLPOINT("init.forked");
        return pid;
}

int __wrap_execve(const char *path, char *const argv[], char *const envp[])
{
        KILLPOINT("init.exec");
        return __real_execve(path, argv, envp);
}

int __wrap_kill(pid_t pid, int signo)
{
        int rc;

        KILLPOINT("init.pass_signal");
        rc = __real_kill(pid, signo);
        KILLPOINT("init.passed_signal");
        return rc;
}

int __wrap_sigtimedwait(const sigset_t *set, siginfo_t *si, const struct timespec *timeout)
{
        KILLPOINT("init.backoff");
        return __real_sigtimedwait(set, si, timeout);
}

/* Only creched's own end is waited for without WNOHANG. */
int __wrap_waitid(idtype_t type, id_t id, siginfo_t *si, int options)
{
        int rc;

        if (options & WNOHANG)
                KILLPOINT("init.reap");
        else
                KILLPOINT("init.bury");
        rc = __real_waitid(type, id, si, options);
        if (options & WNOHANG)
                KILLPOINT("init.reaped");
        else
                KILLPOINT("init.buried");
        return rc;
}

/* waitid with a struct rusage, which the C library does not offer. */
long __wrap_syscall(long number, ...)
{
        long arg[5], rc;
        va_list ap;

        va_start(ap, number);
        for (int i = 0; i < 5; i++)
                arg[i] = va_arg(ap, long);
        va_end(ap);
        KILLPOINT("init.peek");
        rc = __real_syscall(number, arg[0], arg[1], arg[2], arg[3], arg[4]);
        KILLPOINT("init.peeked");
        return rc;
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags)
{
        bool kept = ((const struct zombie_msg *)msg->msg_iov->iov_base)->op == ZOMBIE_KEPT;
        ssize_t n;

        if (kept)
                KILLPOINT("init.give_kept");
        else
                KILLPOINT("init.tell");
        n = __real_sendmsg(fd, msg, flags);
        if (kept)
                KILLPOINT("init.gave_kept");
        else
                KILLPOINT("init.told");
        return n;
}

ssize_t __wrap_recvmsg(int fd, struct msghdr *msg, int flags)
{
        ssize_t n = __real_recvmsg(fd, msg, flags);

        if (n > 0)
                KILLPOINT("init.received");
        return n;
}
