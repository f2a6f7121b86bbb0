/* SPDX-License-Identifier: MIT */
#include "start/cgroup.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/strbuf.h"
#include "base/sys.h"
#include "model/process.h"
#include "start/deliver.h"

enum {
        SMALL = 4096,
        DEPTH_MAX = 16,     /* of groups that a process made in its own */
        PIDS_MAX = 1 << 22, /* the kernel's PID_MAX_LIMIT */
        PASSES_MAX = 64,    /* a fork bomb outruns any number of them; SIGKILL has cgroup.kill */
        READ_BYTES = 16 * 1024,
        BATCH = 64, /* pidfds at a time */
};

/* ------------------------------------------------------------------------------------------ place */

/* The path after "0::", which is that of the one cgroup2 hierarchy. */
static int own_path(const char *membership, char *out, size_t size)
{
        const char *line = membership;
        size_t n;

        while (strncmp(line, "0::", 3) != 0) {
                line = strchr(line, '\n');
                if (!line)
                        return -1;
                line++;
        }
        n = strcspn(line + 3, "\n");
        if (n >= size)
                return -1;
        snprintf(out, size, "%.*s", (int)n, line + 3);
        return 0;
}

/* @path relative to the directory @root of the hierarchy, which is what the mount shows; NULL: outside of it. */
static const char *below(const char *path, const char *root)
{
        size_t n = strcmp(root, "/") != 0 ? strlen(root) : 0;

        if (strncmp(path, root, n) != 0 || (path[n] && path[n] != '/') || !strncmp(path, "/..", 3))
                return NULL;
        return strcmp(path + n, "/") != 0 ? path + n : "";
}

int cgroup_directory(const char *line, const char *membership, char *out, size_t size)
{
        char root[PATH_MAX], mount[PATH_MAX], path[PATH_MAX];
        const char *type = strstr(line, " - "), *rest;

        if (!type || strncmp(type, " - cgroup2 ", 11) != 0 ||
            sscanf(line, "%*s %*s %*s %4095s %4095s", root, mount) != 2 || strchr(mount, '\\') ||
            strchr(root, '\\') || own_path(membership, path, sizeof(path)) < 0)
                return -1;
        rest = below(path, root);
        return rest && (size_t)snprintf(out, size, "%s%s", mount, rest) < size ? 0 : -1;
}

static int find_own(char *out, size_t size)
{
        CLEANUP(freep) char *line = NULL;
        char membership[SMALL];
        FILE *mounts;
        size_t room = 0;
        int rc = -1;

        if (fd_read_file(AT_FDCWD, "/proc/self/cgroup", membership, sizeof(membership)) < 0 ||
            !(mounts = fopen("/proc/self/mountinfo", "re")))
                return -1;
        while (rc < 0 && getline(&line, &room, mounts) > 0) {
                struct statfs fs;

                rc = cgroup_directory(line, membership, out, size);
                /* Something may be mounted above it. */
                if (rc == 0 && (statfs(out, &fs) < 0 || (unsigned long)fs.f_type != CGROUP2_SUPER_MAGIC))
                        rc = -1;
        }
        fclose(mounts);
        return rc;
}

static bool is_delegated(const char *path)
{
        char value[8] = "";

        return (getxattr(path, "user.delegate", value, sizeof(value) - 1) > 0 ||
                getxattr(path, "trusted.delegate", value, sizeof(value) - 1) > 0) &&
               *value == '1';
}

int cgroup_base(char *out, size_t size)
{
        char above[PATH_MAX];

        if (find_own(out, size) < 0 || snprintf(above, sizeof(above), "%s/..", out) >= (int)sizeof(above))
                return -1;
        if (is_delegated(out) || !is_delegated(above))
                return 0;
        *strrchr(out, '/') = '\0';
        return 1;
}

/* ------------------------------------------------------------------------------------------ files */

static ssize_t read_of(int fd, const char *group, const char *file, char *out, size_t size)
{
        char path[PATH_MAX];

        snprintf(path, sizeof(path), "%s/%s", group, file);
        return fd_read_file(fd, path, out, size);
}

static int write_of(int fd, const char *group, const char *file, const char *text)
{
        char path[PATH_MAX];
        CLEANUP(closep) int to = -1;

        snprintf(path, sizeof(path), "%s/%s", group, file);
        to = openat(fd, path, O_WRONLY | O_CLOEXEC);
        return to < 0 ? -1 : fd_write_all(to, text, strlen(text));
}

bool cgroup_lists(int fd, const char *name, const char *controller)
{
        char text[SMALL];
        size_t n = strlen(controller);

        if (read_of(fd, ".", name, text, sizeof(text)) < 0)
                return false;
        for (const char *at = strstr(text, controller); at; at = strstr(at + 1, controller))
                if ((at == text || isspace((unsigned char)at[-1])) &&
                    (!at[n] || isspace((unsigned char)at[n])))
                        return true;
        return false;
}

bool cgroup_share_memory(int fd)
{
        if (cgroup_lists(fd, "cgroup.subtree_control", "memory"))
                return true;
        return cgroup_lists(fd, "cgroup.controllers", "memory") &&
               write_of(fd, ".", "cgroup.subtree_control", "+memory") == 0;
}

bool cgroup_is_populated(int fd, const char *name)
{
        char text[SMALL];

        return read_of(fd, name, "cgroup.events", text, sizeof(text)) > 0 && strstr(text, "populated 1");
}

long cgroup_oom_kills(int fd, const char *name)
{
        char text[SMALL];
        const char *at;

        if (read_of(fd, name, "memory.events", text, sizeof(text)) < 0)
                return -1;
        at = strstr(text, "\noom_kill ");
        return at ? strtol(at + strlen("\noom_kill "), NULL, 10) : -1;
}

/* Read again from its beginning: the kernel makes the text anew then. */
enum cgroup_state cgroup_state(int events)
{
        char text[64];
        ssize_t n = pread(events, text, sizeof(text) - 1, 0);

        text[n > 0 ? n : 0] = '\0';
        if (strstr(text, "populated 0\n") && !strstr(text, "frozen 1\n"))
                return CGROUP_EMPTY;
        return strstr(text, "populated 1\n") ? CGROUP_POPULATED : CGROUP_UNUSABLE;
}

bool cgroup_is_untouched(int fd, bool memory)
{
        char text[SMALL];
        struct stat st;

        if (fstat(fd, &st) < 0 || st.st_nlink != 2)
                return false;
        if (!memory)
                return true;
        return cgroup_oom_kills(fd, ".") == 0 && read_of(fd, ".", "memory.max", text, sizeof(text)) > 0 &&
               !strcmp(text, "max\n");
}

/* ----------------------------------------------------------------------------------------- groups */

/* Call @each for the groups in the directory @fd. */
static void each_inside(int fd, void (*each)(int fd, const char *name, void *arg), void *arg)
{
        int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = copy < 0 ? NULL : fdopendir(copy);
        struct dirent *entry;

        if (!dir) {
                closep(&copy);
                return;
        }
        while ((entry = readdir(dir)))
                if (entry->d_type == DT_DIR && *entry->d_name != '.')
                        each(fd, entry->d_name, arg);
        closedir(dir);
}

static void remove_at_depth(int fd, const char *name, void *arg)
{
        int depth = *(int *)arg + 1;
        CLEANUP(closep) int inside = -1;

        if (unlinkat(fd, name, AT_REMOVEDIR) == 0 || depth > DEPTH_MAX)
                return;
        inside = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (inside < 0)
                return;
        each_inside(inside, remove_at_depth, &depth);
        unlinkat(fd, name, AT_REMOVEDIR);
}

int cgroup_remove(int fd, const char *name)
{
        int depth = 0;

        remove_at_depth(fd, name, &depth);
        return faccessat(fd, name, F_OK, 0) < 0 && errno == ENOENT ? 0 : -1;
}

static void end_at_once(void *arg)
{
        (void)arg;
        for (;;)
                syscall(SYS_exit_group, 0);
}

bool cgroup_takes_clones(int fd)
{
        struct clone_args args = {
                .flags = CLONE_VFORK | CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (uint64_t)fd};
        pid_t pid = sys_clone3(&args, end_at_once, NULL);
        siginfo_t si;

        if (pid < 0)
                return false;
        while (sys_waitid(P_PID, (id_t)pid, &si, WEXITED, NULL) < 0 && errno == EINTR)
                ;
        return si.si_code == CLD_EXITED;
}

/* ---------------------------------------------------------------------------------------- signals */

struct sending {
        int signo;
        unsigned char *met; /* a bit for each pid that has been dealt with */
        int depth;
        bool reached, news;
};

static bool meet(struct sending *s, pid_t pid)
{
        unsigned char bit = (unsigned char)(1U << (pid % 8));
        bool first = pid > 0 && pid < PIDS_MAX && !(s->met[pid / 8] & bit);

        if (first)
                s->met[pid / 8] |= bit;
        return first;
}

/* Everything that is in cgroup.procs. */
static int read_pids(int group, struct strbuf *b)
{
        CLEANUP(closep) int fd = openat(group, "cgroup.procs", O_RDONLY | O_CLOEXEC);
        ssize_t got = fd < 0 ? -1 : 1;

        while (got > 0) {
                char *room = strbuf_reserve(b, READ_BYTES);

                got = room ? read(fd, room, READ_BYTES) : -1;
                if (got > 0)
                        strbuf_commit(b, (size_t)got);
        }
        return got < 0 ? -1 : 0;
}

/* The next number in @b from *@at on; 0 at the end. */
static pid_t next_pid(const struct strbuf *b, size_t *at)
{
        pid_t pid = 0;

        for (; *at < b->len && b->s[*at] != '\n'; ++*at)
                pid = pid * 10 + (b->s[*at] - '0');
        ++*at;
        return pid;
}

static bool has_pid(const struct strbuf *b, pid_t pid)
{
        for (size_t at = 0; at < b->len;)
                if (next_pid(b, &at) == pid)
                        return true;
        return false;
}

/* A number may have gone to a stranger between cgroup.procs and pidfd_open(). Who is in the group under this
 * number after that is who the pidfd is of, unless that one has been reaped; and then the signal fails. */
static void send_to_members(struct sending *s, int group, const pid_t *pids, size_t n)
{
        CLEANUP(strbuf_done) struct strbuf members = {0};
        int pidfds[BATCH];

        for (size_t i = 0; i < n; i++)
                pidfds[i] = sys_pidfd_open(pids[i], 0);
        if (read_pids(group, &members) < 0)
                strbuf_reset(&members);
        for (size_t i = 0; i < n; i++) {
                if (pidfds[i] >= 0 && has_pid(&members, pids[i]) && deliver_signal(pidfds[i], s->signo) == 0)
                        s->reached = true;
                closep(&pidfds[i]);
        }
}

static void signal_members(struct sending *s, int group)
{
        CLEANUP(strbuf_done) struct strbuf b = {0};
        pid_t pids[BATCH];
        size_t n = 0;

        if (read_pids(group, &b) < 0)
                return;
        for (size_t at = 0; at < b.len;) {
                pid_t pid = next_pid(&b, &at);

                if (!meet(s, pid))
                        continue;
                s->news = true;
                pids[n++] = pid;
                if (n == BATCH) {
                        send_to_members(s, group, pids, n);
                        n = 0;
                }
        }
        send_to_members(s, group, pids, n);
}

static void signal_inside(int fd, const char *name, void *arg)
{
        struct sending *s = arg;
        CLEANUP(closep) int group = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (group < 0 || s->depth == DEPTH_MAX)
                return;
        signal_members(s, group);
        s->depth++;
        each_inside(group, signal_inside, s);
        s->depth--;
}

bool cgroup_signal(int fd, const char *name, int signo, pid_t except)
{
        int passes = signal_asks_for_the_end(signo) || signo == SIGSTOP ? PASSES_MAX : 1;
        CLEANUP(freep) unsigned char *met = calloc(1, PIDS_MAX / 8);
        struct sending s = {.signo = signo, .met = met};

        if (!met)
                return false;
        if (signo == SIGKILL && cgroup_is_populated(fd, name) && write_of(fd, name, "cgroup.kill", "1") == 0)
                return true;
        meet(&s, except);
        for (int pass = 0; pass == 0 || (s.news && pass < passes); pass++) {
                s.news = false;
                signal_inside(fd, name, &s);
        }
        return s.reached;
}
