/* SPDX-License-Identifier: MIT */
#include "base/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/procfs.h"
#include "base/sys.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

static int missing(const char *what, struct err *e)
{
        return err_set(e, ERR_INTERNAL, errno,
                       "the kernel does not let us use %s: Linux 5.9 or newer is needed, without a seccomp "
                       "filter (of an old container runtime) that forbids it",
                       what);
}

/* Each is called so that it does nothing, and fails in its own way or not at all. */
static bool has_clone3(void)
{
        return syscall(SYS_clone3, NULL, 0) < 0 && errno == EINVAL;
}

static bool has_pidfd_open(void)
{
        CLEANUP(closep) int pidfd = sys_pidfd_open(getpid(), 0);

        return pidfd >= 0;
}

static bool has_pidfd_send_signal(void)
{
        CLEANUP(closep) int pidfd = sys_pidfd_open(getpid(), 0);

        return sys_pidfd_send_signal(pidfd, 0, 0) == 0;
}

static bool has_waitid_for_pidfd(void)
{
        CLEANUP(closep) int pidfd = sys_pidfd_open(getpid(), 0);
        siginfo_t si;

        return sys_waitid(P_PIDFD, (id_t)pidfd, &si, WEXITED | WNOHANG, NULL) < 0 && errno == ECHILD;
}

static bool has_openat2(void)
{
        return syscall(SYS_openat2, AT_FDCWD, ".", NULL, 0) < 0 && errno == EINVAL;
}

static bool has_close_range(void)
{
        return syscall(SYS_close_range, ~0U, ~0U, CLOSE_RANGE_UNSHARE) == 0;
}

static const struct {
        const char *name;
        bool (*works)(void);
} calls[] = {
        {"clone3", has_clone3},
        {"pidfd_open", has_pidfd_open},
        {"pidfd_send_signal", has_pidfd_send_signal},
        {"waitid for a pidfd", has_waitid_for_pidfd},
        {"openat2", has_openat2},
        {"close_range", has_close_range},
};

const char *kernel_call(size_t i, bool *works)
{
        if (i >= sizeof(calls) / sizeof(calls[0]))
                return NULL;
        *works = calls[i].works();
        return calls[i].name;
}

static int check_calls(struct err *e)
{
        const char *name;
        bool works;

        for (size_t i = 0; (name = kernel_call(i, &works)); i++)
                if (!works)
                        return missing(name, e);
        return 0;
}

/* The identity of a process is made of these. */
static int check_proc(struct err *e)
{
        struct procfs_stat st;
        char boot_id[64];

        if (!procfs_is_ours())
                return err_set(
                        e, ERR_INTERNAL, 0,
                        "/proc is not mounted, or it is that of another pid namespace: mount one (unshare "
                        "--mount-proc)");
        if (procfs_stat(getpid(), &st) != 0 || procfs_pid_ns() == 0 ||
            procfs_boot_id(boot_id, sizeof(boot_id), NULL) < 0)
                return err_set(e, ERR_INTERNAL, errno,
                               "/proc cannot be read: it must be mounted, and whole (no subset=pid)");
        return 0;
}

int kernel_check(struct err *e)
{
        return check_proc(e) < 0 || check_calls(e) < 0 ? -1 : 0;
}
