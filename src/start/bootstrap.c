/* SPDX-License-Identifier: MIT */
#include "start/bootstrap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/openat2.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/killpoint.h"

enum { KERNEL_SIGNALS = 64, KERNEL_SIGSET_BYTES = 8, LOG_MODE = 0600 };

/* The kernel's struct sigaction, which is not glibc's. */
struct kernel_sigaction {
        void (*handler)(int);
        unsigned long flags;
        void (*restorer)(void);
        unsigned long mask;
};

static const char *const stage_names[STAGE_COUNT] = {
        NULL,     "files", "session", "signals", "limits",       "stdin",       "stdout",
        "stderr", "user",  "cwd",     "exec",    "capabilities", "no_new_privs"};

const char *bootstrap_stage_name(enum bootstrap_stage stage)
{
        return stage > STAGE_NONE && stage < STAGE_COUNT ? stage_names[stage] : NULL;
}

static void __attribute__((noreturn)) fail(const struct bootstrap *b, enum bootstrap_stage stage)
{
        b->slot->errnum = errno;
        __atomic_store_n(&b->slot->stage, stage, __ATOMIC_RELEASE);
        for (;;)
                syscall(SYS_exit_group, 127);
}

static void check(const struct bootstrap *b, enum bootstrap_stage stage, long rc)
{
        if (rc < 0)
                fail(b, stage);
}

/* Until the table of files is unshared, whatever we close is closed for the daemon. What is above our
 * stdin is not even copied. */
static void own_files(const struct bootstrap *b)
{
        const struct launch *l = b->launch;
        const int *null = b->parent->null;
        int given[] = {b->stdin_fd < 0 ? null[0] : b->stdin_fd, l->out == OUTPUT_LOG ? b->out_fd : null[1],
                       l->err == OUTPUT_NULL ? null[1] : b->err_fd},
            last = STDERR_FILENO;

        for (int i = 0; i < 3; i++)
                last = given[i] > last ? given[i] : last;
        check(b, STAGE_FILES, syscall(SYS_close_range, last + 1, ~0U, CLOSE_RANGE_UNSHARE));
        for (int i = 0; i < 3; i++)
                if (given[i] > STDERR_FILENO)
                        check(b, STAGE_STDIN + i, syscall(SYS_dup3, given[i], i, 0));
        /* Not all of the daemon's are close-on-exec for certain: a library may have opened one that is not. */
        check(b, STAGE_FILES, syscall(SYS_close_range, 3, ~0U, 0));
}

static uint64_t ignored_signals(void)
{
        uint64_t set = 0;

        for (int s = 1; s <= KERNEL_SIGNALS; s++) {
                struct kernel_sigaction now = {.handler = SIG_DFL};

                if (syscall(SYS_rt_sigaction, s, NULL, &now, KERNEL_SIGSET_BYTES) == 0 &&
                    now.handler == SIG_IGN)
                        set |= UINT64_C(1) << (s - 1);
        }
        return set;
}

/* Handlers are gone since the clone (CLONE_CLEAR_SIGHAND), but not what is ignored, which exec keeps, too. */
static void reset_dispositions(const struct bootstrap *b)
{
        struct kernel_sigaction default_action = {.handler = SIG_DFL};

        for (uint64_t left = b->parent->ignored; left; left &= left - 1)
                check(b, STAGE_SIGNALS,
                      syscall(SYS_rt_sigaction, __builtin_ctzll(left) + 1, &default_action, NULL,
                              KERNEL_SIGSET_BYTES));
}

/* As long as we are who we were: a process that has changed its user may not write there. */
static void restore_oom_score(const struct bootstrap *b)
{
        const char *text = b->launch->oom_score_adj;
        size_t n = 0;
        long fd;

        while (text[n])
                n++;
        if (n == 0)
                return;
        fd = syscall(SYS_openat, AT_FDCWD, "/proc/self/oom_score_adj", O_WRONLY);
        check(b, STAGE_LIMITS, fd);
        check(b, STAGE_LIMITS, syscall(SYS_write, fd, text, n));
        check(b, STAGE_LIMITS, syscall(SYS_close, fd));
}

static void apply_limits(const struct bootstrap *b)
{
        const struct launch *l = b->launch;

        for (uint32_t i = 0; i < l->rlimits_n; i++)
                check(b, STAGE_LIMITS,
                      syscall(SYS_prlimit64, 0, l->rlimits[i].resource, &l->rlimits[i].limit, NULL));
        if (l->has_nice)
                check(b, STAGE_LIMITS, syscall(SYS_setpriority, PRIO_PROCESS, 0, l->nice));
}

static void become(const struct bootstrap *b, enum bootstrap_stage stage, long opened, int fd)
{
        check(b, stage, opened);
        if (opened == fd)
                return;
        check(b, stage, syscall(SYS_dup3, opened, fd, 0));
        check(b, stage, syscall(SYS_close, opened));
}

/* @path below the state directory, and no link on the way; a FIFO that was put there is not waited for. */
static long open_log_file(const struct bootstrap *b, enum bootstrap_stage stage, const char *path)
{
        const char *root = b->launch->log_root.text;
        struct open_how how = {.flags = O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK,
                               .mode = LOG_MODE};
        long dir = AT_FDCWD, fd;

        if (!root)
                return syscall(SYS_openat2, dir, path, &how, sizeof(how));
        dir = syscall(SYS_openat, AT_FDCWD, root, O_PATH | O_DIRECTORY | O_NOFOLLOW);
        check(b, stage, dir);
        how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
        while (*root)
                root++, path++;
        fd = syscall(SYS_openat2, dir, path + 1, &how, sizeof(how));
        check(b, stage, fd);
        check(b, stage, syscall(SYS_close, dir));
        return fd;
}

/* Of its own name only: whatever else it is a name of, the child is not to write there. Its user owns its log, so
 * that it can open /dev/stdout. */
static void open_log(const struct bootstrap *b, enum bootstrap_stage stage, int fd, const char *path)
{
        long opened = open_log_file(b, stage, path);
        struct statx st;

        check(b, stage, opened);
        check(b, stage, syscall(SYS_statx, opened, "", AT_EMPTY_PATH, STATX_TYPE | STATX_NLINK, &st));
        if (!S_ISREG(st.stx_mode) || st.stx_nlink != 1) {
                errno = S_ISREG(st.stx_mode) ? EMLINK : ENOTSUP;
                fail(b, stage);
        }
        if (b->launch->has_ids)
                check(b, stage, syscall(SYS_fchown, opened, b->launch->uid, b->launch->gid));
        check(b, stage, syscall(SYS_fcntl, opened, F_SETFL, O_APPEND));
        become(b, stage, opened, fd);
}

static void open_logs(const struct bootstrap *b)
{
        const struct launch *l = b->launch;

        if (l->out == OUTPUT_LOG && !b->out_fd)
                open_log(b, STAGE_STDOUT, STDOUT_FILENO, l->out_path.text);
        if (l->err == OUTPUT_STDOUT)
                check(b, STAGE_STDERR, syscall(SYS_dup3, STDOUT_FILENO, STDERR_FILENO, 0));
        else if (l->err == OUTPUT_LOG && !b->err_fd)
                open_log(b, STAGE_STDERR, STDERR_FILENO, l->err_path.text);
}

/* The raw calls change this thread alone; glibc's would signal all threads of the daemon. */
static void become_user(const struct bootstrap *b)
{
        const struct launch *l = b->launch;
        uid_t ruid, euid, suid;
        gid_t rgid, egid, sgid;

        if (!l->has_ids)
                return;
        check(b, STAGE_USER, syscall(SYS_setgroups, l->groups_n, l->groups));
        check(b, STAGE_USER, syscall(SYS_setresgid, l->gid, l->gid, l->gid));
        check(b, STAGE_USER, syscall(SYS_setresuid, l->uid, l->uid, l->uid));
        check(b, STAGE_USER, syscall(SYS_getresgid, &rgid, &egid, &sgid));
        check(b, STAGE_USER, syscall(SYS_getresuid, &ruid, &euid, &suid));
        if (rgid != l->gid || egid != l->gid || sgid != l->gid || ruid != l->uid || euid != l->uid ||
            suid != l->uid) {
                errno = EPERM;
                fail(b, STAGE_USER);
        }
        /* Where fs.suid_dumpable is 2, that has made the memory dumpable, which is the daemon's, too. */
        check(b, STAGE_USER, syscall(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0));
}

/* What no program may ever bring back, not even one that is setuid: as long as we may take it away. Who is not
 * allowed to (EPERM: no CAP_SETPCAP) leaves that to no_new_privs, under which no program brings anything. A
 * child that runs as root is meant to be that. */
static void drop_bounding_set(const struct bootstrap *b)
{
        if (b->launch->uid == 0 || !b->launch->no_new_privs)
                return;
        for (unsigned long cap = 0; syscall(SYS_prctl, PR_CAPBSET_DROP, cap, 0, 0, 0) == 0; cap++)
                ;
        if (errno != EINVAL && errno != EPERM) /* EINVAL: there is no such capability, they are all gone */
                fail(b, STAGE_CAPABILITIES);
}

/* What our own caller has left us to pass on (AmbientCapabilities= of systemd, securebits) is not the child's. */
static void drop_capabilities(const struct bootstrap *b)
{
        struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
        bool keeps = b->launch->uid == 0 || (!b->parent->has_capabilities && !b->launch->has_ids);

        if (keeps && !b->parent->passes_capabilities)
                return;
        check(b, STAGE_CAPABILITIES, syscall(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
        check(b, STAGE_CAPABILITIES, syscall(SYS_capget, &head, sets));
        for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
                sets[i].inheritable = 0;
                if (b->launch->uid != 0)
                        sets[i].effective = sets[i].permitted = 0;
        }
        check(b, STAGE_CAPABILITIES, syscall(SYS_capset, &head, sets));
}

/* As execvp(): go on after what is not there, and remember that something was but might not be run. */
static void __attribute__((noreturn)) exec_first(const struct bootstrap *b)
{
        const struct launch *l = b->launch;
        int error = ENOENT;

        for (char **path = l->paths.list; *path; path++) {
                syscall(SYS_execve, *path, l->argv.list, l->envp.list);
                if (errno == EACCES)
                        error = EACCES;
                else if (errno != ENOENT && errno != ENOTDIR) {
                        error = errno;
                        break;
                } else if (error == ENOENT)
                        error = errno;
        }
        errno = error;
        fail(b, STAGE_EXEC);
}

static int know_capabilities(struct bootstrap_parent *p)
{
        struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

        if (syscall(SYS_capget, &head, sets) < 0)
                return -1;
        for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
                p->has_capabilities = p->has_capabilities || sets[i].effective || sets[i].permitted;
                p->passes_capabilities = p->passes_capabilities || sets[i].inheritable;
        }
        return 0;
}

int bootstrap_parent_init(struct bootstrap_parent *p, struct err *e)
{
        *p = (struct bootstrap_parent){.null = {-1, -1}, .ignored = ignored_signals()};
        for (int i = 0; i < 2; i++) {
                p->null[i] = open("/dev/null", (i ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
                if (p->null[i] < 0)
                        return err_set(e, errno == EMFILE || errno == ENFILE ? ERR_TRY_AGAIN : ERR_INTERNAL,
                                       errno, "opening /dev/null");
        }
        return know_capabilities(p) < 0 ? err_set(e, ERR_INTERNAL, errno, "reading our capabilities") : 0;
}

void bootstrap_parent_done(struct bootstrap_parent *p)
{
        closep(&p->null[0]);
        closep(&p->null[1]);
}

void bootstrap_run(void *arg)
{
        const struct bootstrap *b = arg;
        const unsigned long empty_mask = 0;

        KILLPOINT("child.born");
        own_files(b);
        check(b, STAGE_SESSION, syscall(SYS_setsid));
        KILLPOINT("child.session_made");
        reset_dispositions(b);
        restore_oom_score(b);
        if (!b->launch->limits_last)
                apply_limits(b);
        open_logs(b);
        KILLPOINT("child.stdio_opened");
        drop_bounding_set(b); /* which takes a capability that only root has */
        become_user(b);
        drop_capabilities(b);
        if (b->launch->limits_last)
                apply_limits(b);
        check(b, STAGE_CWD, syscall(SYS_chdir, b->launch->cwd.text));
        syscall(SYS_umask, b->launch->umask);
        check(b, STAGE_SIGNALS,
              syscall(SYS_rt_sigprocmask, SIG_SETMASK, &empty_mask, NULL, KERNEL_SIGSET_BYTES));
        if (b->launch->no_new_privs)
                check(b, STAGE_NO_NEW_PRIVS, syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
        KILLPOINT("child.exec");
        exec_first(b);
}
