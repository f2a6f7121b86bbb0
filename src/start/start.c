/* SPDX-License-Identifier: MIT */
#include "start/start.h"

#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#include "base/clock.h"
#include "base/killpoint.h"
#include "base/procfs.h"
#include "base/sys.h"
#include "start/forkserver.h"

enum { STACK_BYTES = 64 * 1024 };

int starter_init(struct starter *s, const struct bootstrap_parent *parent, struct forkserver *fs,
                 struct journal *j, struct err *e)
{
        void *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK,
                           -1, 0);

        if (stack == MAP_FAILED)
                return err_set(e, ERR_INTERNAL, errno, "allocating a stack for children");
        *s = (struct starter){.stack = stack, .forkserver = fs, .journal = j, .parent = parent};
        return 0;
}

void starter_done(struct starter *s)
{
        if (s->stack)
                munmap(s->stack, STACK_BYTES);
        *s = (struct starter){0};
}

static bool is_shortage(int errnum)
{
        return errnum == EAGAIN || errnum == ENOMEM || errnum == EMFILE || errnum == ENFILE;
}

/* CLONE_VFORK for each: we learn in one wait whether exec has worked. The kernel writes the pid into the
 * journal before the child runs. */
pid_t start_clone(uint64_t flags, void *stack, struct bootstrap *b, int *pidfd)
{
        bool grouped = b->cgroup_fd >= 0;
        struct clone_args args = {
                .flags = flags | CLONE_VFORK | CLONE_PIDFD | CLONE_PARENT_SETTID | CLONE_CLEAR_SIGHAND |
                         (grouped ? CLONE_INTO_CGROUP : 0),
                .pidfd = (uintptr_t)pidfd,
                .parent_tid = (uintptr_t)&b->slot->pid,
                .exit_signal = SIGCHLD,
                .stack = (uintptr_t)stack,
                .stack_size = stack ? STACK_BYTES : 0,
                .cgroup = grouped ? (uint64_t)b->cgroup_fd : 0,
        };
        pid_t pid = sys_clone3(&args, bootstrap_run, b);

        /* Somebody has removed the group, or made it one that takes no processes. */
        if (pid < 0 && grouped && !is_shortage(errno)) {
                args.flags &= ~(uint64_t)CLONE_INTO_CGROUP;
                pid = sys_clone3(&args, bootstrap_run, b);
        }
        return pid;
}

static int start_by_clone(const struct starter *s, uint64_t flags, struct launch *l,
                          struct journal_slot *slot, struct start_files files, struct start_result *r,
                          struct err *e)
{
        struct bootstrap b = {.launch = l,
                              .slot = slot,
                              .stdin_fd = files.in,
                              .cgroup_fd = files.cgroup,
                              .out_fd = files.out,
                              .err_fd = files.err,
                              .parent = s->parent};
        int pidfd = -1;
        pid_t pid;

        launch_relocate(l);
        KILLPOINT("start.clone");
        pid = start_clone(flags, flags & CLONE_VM ? s->stack : NULL, &b, &pidfd);
        KILLPOINT("start.cloned");
        if (pid < 0)
                return err_set(e, is_shortage(errno) ? ERR_TRY_AGAIN : ERR_INTERNAL, errno, "clone3");
        *r = (struct start_result){.pid = pid,
                                   .pidfd = pidfd,
                                   .stage = (enum bootstrap_stage)slot->stage,
                                   .errnum = slot->errnum};
        return 0;
}

/* Who is waited for in vfork no more has memory of its own: it runs its program, or has none. */
static bool has_memory(pid_t pid)
{
        char byte;
        struct iovec iov = {.iov_base = &byte, .iov_len = sizeof(byte)};

        return process_vm_readv(pid, &iov, 1, &iov, 1, 0) >= 0 || errno == EFAULT;
}

/* By itself: had it not become its program it would have said why. */
static bool has_exited(int pidfd)
{
        siginfo_t si = {0};

        return pidfd >= 0 && waitid(P_PIDFD, (id_t)pidfd, &si, WEXITED | WNOHANG | WNOWAIT) == 0 &&
               si.si_pid && si.si_code == CLD_EXITED;
}

/* Of a child that nobody waits for in vfork any more, and that has not said why it did not run: it runs its program, or
 * it is on its way to being a zombie. The kernel ends the wait a moment before it clears the flag that tells. */
static bool never_ran(pid_t pid, int pidfd)
{
        const struct timespec nap = {.tv_nsec = 50 * 1000};
        struct procfs_stat st;

        if (has_memory(pid) || has_exited(pidfd))
                return false;
        while (procfs_stat_patiently(pid, &st) == 0 && st.never_execed) {
                if (st.state == 'Z' || st.state == 'X')
                        return true;
                nanosleep(&nap, NULL);
        }
        return false;
}

static int start_by(struct starter *s, enum start_method method, struct launch *l, struct journal_slot *slot,
                    struct start_files files, struct start_result *r, struct err *e)
{
        switch (method) {
        case START_SPAWN: return start_by_clone(s, CLONE_VM | CLONE_FILES, l, slot, files, r, e);
        case START_FORK: return start_by_clone(s, 0, l, slot, files, r, e);
        case START_FORKSERVER: return forkserver_start(s->forkserver, l, slot, files, r, e);
        case START_METHOD_COUNT: break;
        }
        return err_set(e, ERR_INTERNAL, 0, "no such start method");
}

int starter_start(struct starter *s, enum start_method method, struct launch *l, struct journal_slot *slot,
                  struct start_files files, struct start_result *r, struct err *e)
{
        int64_t before_us = clock_boot_us();

        if (start_by(s, method, l, slot, files, r, e) < 0)
                return -1;
        r->start_ticks = ticks_of(&s->ticks, r->pid, before_us, clock_boot_us());
        r->never_ran = r->stage == STAGE_NONE && never_ran(r->pid, r->pidfd);
        return 0;
}
