/* SPDX-License-Identifier: MIT */
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef PIDFD_SIGNAL_PROCESS_GROUP
#define PIDFD_SIGNAL_PROCESS_GROUP (1U << 2)
#endif

ssize_t sys_read(int fd, void *buf, size_t n)
{
        return read(fd, buf, n);
}

ssize_t sys_write(int fd, const void *buf, size_t n)
{
        return write(fd, buf, n);
}

int sys_fdatasync(int fd)
{
        return fdatasync(fd);
}

int sys_openat(int dirfd, const char *path, int flags, mode_t mode)
{
        return openat(dirfd, path, flags, mode);
}

int sys_openat2(int dirfd, const char *path, struct open_how *how)
{
        return (int)syscall(SYS_openat2, dirfd, path, how, sizeof(*how));
}

int sys_fallocate(int fd, int mode, off_t offset, off_t len)
{
        return fallocate(fd, mode, offset, len);
}

int sys_pidfd_open(pid_t pid, unsigned flags)
{
        return (int)syscall(SYS_pidfd_open, pid, flags);
}

int sys_pidfd_send_signal(int pidfd, int signo, unsigned flags)
{
        return (int)syscall(SYS_pidfd_send_signal, pidfd, signo, NULL, flags);
}

/* <linux/pidfd.h> of today; the C library's is older. */
struct pidfd_info {
        uint64_t mask, cgroupid;
        uint32_t ids[11];
        int32_t exit_code;
};

#define PIDFD_GET_INFO  _IOWR(0xFF, 11, struct pidfd_info)
#define PIDFD_INFO_EXIT (1U << 3)

int sys_pidfd_exit_status(int pidfd, int *status)
{
        struct pidfd_info info = {.mask = PIDFD_INFO_EXIT};

        if (ioctl(pidfd, PIDFD_GET_INFO, &info) < 0)
                return -1;
        *status = info.exit_code;
        return info.mask & PIDFD_INFO_EXIT ? 0 : 1;
}

int sys_waitid(int idtype, id_t id, siginfo_t *si, int options, struct rusage *ru)
{
        si->si_pid = 0;
        return (int)syscall(SYS_waitid, idtype, id, si, options, ru);
}

/* What somebody puts into a set another thread gets out of it: the kernel orders that, and this says so to compilers and to
 * whoever looks for races. */
static atomic_uint handed;

int sys_epoll_ctl(int epfd, int op, int fd, struct epoll_event *ev)
{
        atomic_fetch_add_explicit(&handed, 1, memory_order_release);
        return epoll_ctl(epfd, op, fd, ev);
}

int sys_epoll_wait(int epfd, struct epoll_event *evs, int max, int timeout_ms)
{
        /* epoll_wait() is what libmicrohttpd gets from us: see transport/tap.h. */
        int n = epoll_pwait(epfd, evs, max, timeout_ms, NULL);

        atomic_load_explicit(&handed, memory_order_acquire);
        return n;
}

/* A child on a stack of its own cannot return from a C function: there is nothing on that stack to return
 * to. So the call of @fn is made in assembly, where both of the system call's returns are. */
pid_t sys_clone3(struct clone_args *args, void (*fn)(void *), void *arg)
{
        long ret;
#if defined(__x86_64__)
        register void (*r8)(void *) __asm__("r8") = fn;
        register void *r9 __asm__("r9") = arg;

        __asm__ volatile("syscall\n\t"
                         "testq %%rax, %%rax\n\t"
                         "jnz 1f\n\t"
                         "xorl %%ebp, %%ebp\n\t"
                         "andq $-16, %%rsp\n\t"
                         "movq %%r9, %%rdi\n\t"
                         "callq *%%r8\n\t"
                         "ud2\n"
                         "1:"
                         : "=a"(ret)
                         : "a"(SYS_clone3), "D"(args), "S"(sizeof(*args)), "r"(r8), "r"(r9)
                         : "rcx", "r11", "rdx", "memory");
#elif defined(__aarch64__)
        register long x8 __asm__("x8") = SYS_clone3;
        register long x0 __asm__("x0") = (long)args;
        register long x1 __asm__("x1") = sizeof(*args);
        register void (*x10)(void *) __asm__("x10") = fn;
        register void *x11 __asm__("x11") = arg;

        __asm__ volatile("svc #0\n\t"
                         "cbnz x0, 1f\n\t"
                         "mov x29, xzr\n\t"
                         "mov x0, x11\n\t"
                         "blr x10\n\t"
                         "brk #1\n"
                         "1:"
                         : "+r"(x0)
                         : "r"(x8), "r"(x1), "r"(x10), "r"(x11)
                         : "memory", "cc");
        ret = x0;
#else
#error "creche: clone3 needs a few lines of assembly for this architecture"
#endif
        if (ret < 0) {
                errno = (int)-ret;
                return -1;
        }
        return (pid_t)ret;
}
