/* SPDX-License-Identifier: MIT */
/* Signals on behalf of a daemon that may not send them any more. It names a process by a pidfd, and that it has one
 * says nothing: anybody can have one of anybody. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/procfs.h"
#include "base/socket.h"
#include "base/sys.h"
#include "start/forkserver.h"
#include "start/privileged.h"

enum { DEPTH_MAX = 4096, TRIES = 8, SIGNALS_MAX = 64 };

/* The number behind @key in the file @path of /proc; -1. */
static long long number_in(const char *path, const char *key)
{
        char text[8192];
        const char *line;

        if (fd_read_file(AT_FDCWD, path, text, sizeof(text)) < 0)
                return -1;
        line = strstr(text, key);
        return line ? strtoll(line + strlen(key), NULL, 10) : -1;
}

static pid_t pid_of(int pidfd)
{
        char path[64];

        snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
        return (pid_t)number_in(path, "\nPid:\t");
}

static bool has_ended(int pidfd)
{
        struct pollfd p = {.fd = pidfd, .events = POLLIN};

        return pidfd < 0 || poll(&p, 1, 0) != 0;
}

/* Whether @pid still is the process, and the child of the same parent, that @st was read of: then its parent's number
 * was its parent's in between. */
static bool is_still(pid_t pid, const struct procfs_stat *st)
{
        struct procfs_stat now;

        return procfs_stat(pid, &now) == 0 && now.ppid == st->ppid && now.start_ticks == st->start_ticks;
}

/* Whether there is a way up from @pid to us or to creche-init: 1, 0; -1: it changed while we went, so try again. */
static int climb(const struct privileged *p, pid_t pid)
{
        struct procfs_stat st, parent;

        if (procfs_stat(pid, &st) != 0)
                return 0;
        for (int depth = 0; depth < DEPTH_MAX; depth++) {
                if (st.ppid == getpid() || (st.ppid == p->init_pid && !has_ended(p->init_pidfd)))
                        return is_still(pid, &st) ? 1 : -1;
                if (st.ppid <= 1)
                        return 0;
                if (procfs_stat(st.ppid, &parent) != 0 || !is_still(pid, &st))
                        return -1;
                pid = st.ppid;
                st = parent;
        }
        return 0;
}

/* Creche has started it, or who descends from what Creche has started: creche-init, as subreaper, keeps them all. */
static bool is_ours(const struct privileged *p, pid_t pid)
{
        int rc = -1;

        for (int i = 0; i < TRIES && rc < 0; i++)
                rc = climb(p, pid);
        return rc == 1;
}

struct group_signal {
        uid_t uid;
        pid_t group;
        int signo;
};

/* As the user, for the kernel to decide which of the group it may be sent to. */
static void send_as_user(void *arg)
{
        const struct group_signal *s = arg;
        long rc = syscall(SYS_setresuid, s->uid, s->uid, s->uid);

        if (rc == 0)
                rc = syscall(SYS_kill, -s->group, s->signo);
        for (;;)
                syscall(SYS_exit_group, rc < 0 ? errno : 0);
}

static int send_to_group(pid_t group, int signo, uid_t uid)
{
        struct group_signal s = {.uid = uid, .group = group, .signo = signo};
        struct clone_args args = {.flags = CLONE_VFORK, .exit_signal = SIGCHLD};
        pid_t pid = sys_clone3(&args, send_as_user, &s);
        siginfo_t si = {0};

        if (pid < 0)
                return errno;
        while (sys_waitid(P_PID, (id_t)pid, &si, WEXITED, NULL) < 0 && errno == EINTR)
                ;
        return si.si_code == CLD_EXITED ? si.si_status : EPERM;
}

/* An errno; 0: it was sent. All that is read of the number @pid is of the process of @pidfd, if that lives after it. */
static int serve(const struct privileged *p, int pidfd, const struct forkserver_signal *s)
{
        pid_t pid = pid_of(pidfd);
        char status[64];
        long long uid;
        bool allowed;

        if (pid <= 0 || s->signo < 1 || s->signo > SIGNALS_MAX)
                return EINVAL;
        snprintf(status, sizeof(status), "/proc/%d/status", pid);
        uid = number_in(status, "\nUid:\t");
        allowed = uid >= 0 && uid < UINT32_MAX && policy_may_signal(&p->policy, (uid_t)uid) &&
                  pid != getpid() && is_ours(p, pid) && (!s->group || getpgid(pid) == pid);
        if (has_ended(pidfd))
                return ESRCH;
        if (!allowed) {
                log_warn("policy.signal_refused", "pid=%d uid=%lld signo=%d", pid, uid, s->signo);
                return EPERM;
        }
        if (s->group)
                return send_to_group(pid, s->signo, (uid_t)uid);
        return sys_pidfd_send_signal(pidfd, s->signo, 0) < 0 ? errno : 0;
}

static void *signals_main(void *arg)
{
        const struct privileged *p = arg;

        for (;;) {
                struct forkserver_signal s;
                int fds[SOCKET_FDS_MAX];
                ssize_t got = socket_recv(FORKSERVER_SIGNAL_FD, &s, sizeof(s), fds, 0);
                int32_t answer = EINVAL;

                if (got <= 0)
                        return NULL;
                if (got == sizeof(s) && fds[0] >= 0)
                        answer = serve(p, fds[0], &s);
                socket_close_files(fds);
                if (socket_send(FORKSERVER_SIGNAL_FD, &answer, sizeof(answer), NULL, 0, 0) < 0)
                        return NULL;
        }
}

int privileged_serve_signals(const struct privileged *p, struct err *e)
{
        pthread_t thread;
        int rc = pthread_create(&thread, NULL, signals_main, (void *)p);

        if (rc)
                return err_set(e, ERR_INTERNAL, rc, "starting the thread for signals");
        pthread_detach(thread);
        return 0;
}
