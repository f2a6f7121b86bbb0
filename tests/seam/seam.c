/* SPDX-License-Identifier: MIT */
#include "seam.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/sys.h"
#include "seam_vfs.h"

enum { CALLS_MAX = 32, LOG_BYTES = 8192 };

struct hook {
        seam_hook_fn fn;
        void *arg;
};

/* What is known of one call. */
struct entry {
        const char *name;
        int count;
        int fail_at, fail_errno; /* fail_at < 0: each; 0: none; else how many calls are left */
        bool counts_down, watched;
        struct hook before, after;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct entry entries[CALLS_MAX];
static int entries_n;
static int countdown, countdown_errno;
static bool hit;
static char calls_log[LOG_BYTES];

/* Under the lock. @name is a literal. */
static struct entry *entry_of(const char *name)
{
        for (int i = 0; i < entries_n; i++)
                if (!strcmp(entries[i].name, name))
                        return &entries[i];
        if (entries_n == CALLS_MAX)
                abort();
        entries[entries_n] = (struct entry){.name = name};
        return &entries[entries_n++];
}

static bool names_it(const char *names, const char *name)
{
        size_t n = strlen(name);

        for (const char *p = names; (p = strstr(p, name)); p += n)
                if ((p == names || p[-1] == ' ') && (p[n] == ' ' || !p[n]))
                        return true;
        return false;
}

/* All calls that there are, so that a list of names can be spread over them. */
static const char *const all_names[] = {"read",
                                        "write",
                                        "fdatasync",
                                        "openat",
                                        "fallocate",
                                        "pidfd_open",
                                        "waitid_look",
                                        "waitid_reap",
                                        "pidfd_send_signal",
                                        "pidfd_exit_status",
                                        "epoll_ctl",
                                        "epoll_wait",
                                        "clone3",
                                        "wal_write",
                                        "commit",
                                        "pthread_create",
                                        "pthread_cond_signal"};

static void append(const char *name)
{
        size_t n = strlen(calls_log);
        const char *last = strrchr(calls_log, ' ');

        last = last ? last + 1 : calls_log;
        if (!strcmp(name, "commit") && !strcmp(last, name))
                return;
        if (n + strlen(name) + 2 > LOG_BYTES)
                return;
        if (n)
                strcat(calls_log, " ");
        strcat(calls_log, name);
}

int seam_enter(struct seam_call *call)
{
        struct hook hook;
        struct entry *e;
        int errnum = 0;

        pthread_mutex_lock(&lock);
        e = entry_of(call->name);
        e->count++;
        if (e->watched)
                append(call->name);
        hook = e->before;
        pthread_mutex_unlock(&lock);
        if (hook.fn)
                hook.fn(call, hook.arg);

        pthread_mutex_lock(&lock);
        e = entry_of(call->name);
        if (e->fail_at < 0 || (e->fail_at > 0 && --e->fail_at == 0))
                errnum = e->fail_errno;
        if (e->counts_down && countdown > 0 && --countdown == 0) {
                errnum = countdown_errno;
                hit = true;
        }
        pthread_mutex_unlock(&lock);
        return errnum;
}

void seam_leave(struct seam_call *call, long result)
{
        int saved = errno;
        struct hook hook;

        pthread_mutex_lock(&lock);
        hook = entry_of(call->name)->after;
        pthread_mutex_unlock(&lock);
        call->result = result;
        if (hook.fn)
                hook.fn(call, hook.arg);
        errno = saved;
}

void seam_reset(void)
{
        pthread_mutex_lock(&lock);
        entries_n = 0;
        countdown = 0;
        hit = false;
        calls_log[0] = '\0';
        pthread_mutex_unlock(&lock);
}

void seam_fail(const char *name, int nth, int errnum)
{
        pthread_mutex_lock(&lock);
        entry_of(name)->fail_at = nth ? nth : -1;
        entry_of(name)->fail_errno = errnum;
        pthread_mutex_unlock(&lock);
}

void seam_countdown(const char *names, int nth, int errnum)
{
        pthread_mutex_lock(&lock);
        for (size_t i = 0; i < sizeof(all_names) / sizeof(all_names[0]); i++)
                entry_of(all_names[i])->counts_down = names_it(names, all_names[i]);
        countdown = nth;
        countdown_errno = errnum;
        hit = false;
        pthread_mutex_unlock(&lock);
}

bool seam_hit(void)
{
        bool was;

        pthread_mutex_lock(&lock);
        was = hit;
        pthread_mutex_unlock(&lock);
        return was;
}

void seam_before(const char *name, seam_hook_fn fn, void *arg)
{
        pthread_mutex_lock(&lock);
        entry_of(name)->before = (struct hook){fn, arg};
        pthread_mutex_unlock(&lock);
}

void seam_after(const char *name, seam_hook_fn fn, void *arg)
{
        pthread_mutex_lock(&lock);
        entry_of(name)->after = (struct hook){fn, arg};
        pthread_mutex_unlock(&lock);
}

int seam_count(const char *name)
{
        int n;

        pthread_mutex_lock(&lock);
        n = entry_of(name)->count;
        pthread_mutex_unlock(&lock);
        return n;
}

void seam_watch(const char *names)
{
        pthread_mutex_lock(&lock);
        for (size_t i = 0; i < sizeof(all_names) / sizeof(all_names[0]); i++)
                entry_of(all_names[i])->watched = names_it(names, all_names[i]);
        calls_log[0] = '\0';
        pthread_mutex_unlock(&lock);
}

const char *seam_log(void)
{
        static char copy[LOG_BYTES];

        pthread_mutex_lock(&lock);
        memcpy(copy, calls_log, sizeof(copy));
        pthread_mutex_unlock(&lock);
        return copy;
}

/* The linker turns each call of sys_NAME() into one of __wrap_sys_NAME(), see the Makefile. */
#define WRAP(type, call_name, called, first, parameters, arguments)                                          \
        type __real_sys_##call_name parameters;                                                              \
        type __wrap_sys_##call_name parameters;                                                              \
        type __wrap_sys_##call_name parameters                                                               \
        {                                                                                                    \
                struct seam_call call = {.name = (called), .fd = (int)(first)};                              \
                int errnum = seam_enter(&call);                                                              \
                type result;                                                                                 \
                                                                                                             \
                if (errnum) {                                                                                \
                        errno = errnum;                                                                      \
                        return -1;                                                                           \
                }                                                                                            \
                result = __real_sys_##call_name arguments;                                                   \
                seam_leave(&call, result);                                                                   \
                return result;                                                                               \
        }

WRAP(ssize_t, read, "read", fd, (int fd, void *buf, size_t n), (fd, buf, n))
WRAP(ssize_t, write, "write", fd, (int fd, const void *buf, size_t n), (fd, buf, n))
WRAP(int, fdatasync, "fdatasync", fd, (int fd), (fd))
WRAP(int, openat, "openat", dirfd, (int dirfd, const char *path, int flags, mode_t mode),
     (dirfd, path, flags, mode))
WRAP(int, openat2, "openat", dirfd, (int dirfd, const char *path, struct open_how *how), (dirfd, path, how))
WRAP(int, fallocate, "fallocate", fd, (int fd, int mode, off_t offset, off_t len), (fd, mode, offset, len))
WRAP(int, pidfd_exit_status, "pidfd_exit_status", pidfd, (int pidfd, int *status), (pidfd, status))
WRAP(int, pidfd_open, "pidfd_open", pid, (pid_t pid, unsigned flags), (pid, flags))
WRAP(int, pidfd_send_signal, "pidfd_send_signal", pidfd, (int pidfd, int signo, unsigned flags),
     (pidfd, signo, flags))
WRAP(int, waitid, options &WNOWAIT ? "waitid_look" : "waitid_reap", id,
     (int idtype, id_t id, siginfo_t *si, int options, struct rusage *ru), (idtype, id, si, options, ru))
WRAP(int, epoll_ctl, "epoll_ctl", fd, (int epfd, int op, int fd, struct epoll_event *ev), (epfd, op, fd, ev))
WRAP(int, epoll_wait, "epoll_wait", epfd, (int epfd, struct epoll_event *evs, int max, int timeout_ms),
     (epfd, evs, max, timeout_ms))
WRAP(pid_t, clone3, "clone3", -1, (struct clone_args * args, void (*fn)(void *), void *arg), (args, fn, arg))

/* Of libc, and its error is what it returns. */
typedef void *(*thread_fn)(void *);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, thread_fn run, void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, thread_fn run, void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, thread_fn run, void *arg)
{
        struct seam_call call = {.name = "pthread_create", .fd = -1};
        int errnum = seam_enter(&call);
        int result;

        if (errnum)
                return errnum;
        result = __real_pthread_create(thread, attr, run, arg);
        seam_leave(&call, result);
        return result;
}

int __real_pthread_cond_signal(pthread_cond_t *wake);
int __wrap_pthread_cond_signal(pthread_cond_t *wake);
int __wrap_pthread_cond_signal(pthread_cond_t *wake)
{
        struct seam_call call = {.name = "pthread_cond_signal", .fd = -1};
        int errnum = seam_enter(&call);
        int result;

        if (errnum)
                return errnum;
        result = __real_pthread_cond_signal(wake);
        seam_leave(&call, result);
        return result;
}
