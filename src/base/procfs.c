/* SPDX-License-Identifier: MIT */
#include "base/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/sys.h"

enum { PF_FORKNOEXEC = 0x40, COMM_BYTES = 15 };

/* Of a file that the kernel makes in one piece: with room for all of it one read has it. */
static ssize_t read_whole(const char *path, char *buf, size_t size)
{
        CLEANUP(closep) int fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
        ssize_t n;

        if (fd < 0)
                return -1;
        while ((n = sys_read(fd, buf, size - 1)) < 0 && errno == EINTR)
                ;
        if (n >= 0)
                buf[n] = '\0';
        return n;
}

/* The field @skip fields behind @at, which is moved behind it; no field is negative that anybody asks for here. */
static uint64_t field(const char **at, int skip)
{
        char *end;
        uint64_t v;

        for (; skip > 0 && **at; skip--)
                *at += 1 + strcspn(*at + 1, " ");
        v = strtoull(*at, &end, 10);
        *at = **at && end > *at ? end : "";
        return v;
}

/* By hand: sscanf() takes as long as the kernel takes to write it. */
int procfs_stat(pid_t pid, struct procfs_stat *st)
{
        char path[64], buf[1024];
        struct procfs_stat got = {0};
        const char *at;

        snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        if (read_whole(path, buf, sizeof(buf)) < 0)
                return errno == ENOENT || errno == ESRCH ? 1 : -1;
        /* The name in parentheses may hold anything, a parenthesis too. */
        at = strrchr(buf, ')');
        if (at && at[1] == ' ' && at[2]) {
                got.state = at[2];
                at += 3;
                got.ppid = (pid_t)field(&at, 0);
                got.never_execed = field(&at, 4) & PF_FORKNOEXEC;
                got.start_ticks = field(&at, 12);
        }
        if (!at || !*at) { /* no more than that is ever the end of it */
                errno = EPROTO;
                return -1;
        }
        *st = got;
        return 0;
}

int procfs_stat_patiently(pid_t pid, struct procfs_stat *st)
{
        const struct timespec nap = {.tv_nsec = 5 * 1000 * 1000};
        int rc;

        while ((rc = procfs_stat(pid, st)) < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
                nanosleep(&nap, NULL);
        return rc;
}

ssize_t procfs_children(pid_t **pids)
{
        FILE *f = fopen("/proc/thread-self/children", "re");
        ssize_t n = 0, room = 0;
        pid_t pid, *grown;

        if (!f)
                return -1;
        for (*pids = NULL; fscanf(f, "%d", &pid) == 1; (*pids)[n++] = pid) {
                if (n < room)
                        continue;
                room = room ? room * 2 : 64;
                grown = reallocarray(*pids, (size_t)room, sizeof(**pids));
                if (!grown) {
                        free(*pids);
                        fclose(f);
                        return -1;
                }
                *pids = grown;
        }
        fclose(f);
        return n;
}

bool procfs_is_named(pid_t pid, const char *name)
{
        char path[64], comm[32];

        snprintf(path, sizeof(path), "/proc/%d/comm", pid);
        return fd_read_file(AT_FDCWD, path, comm, sizeof(comm)) > 0 && !strncmp(comm, name, COMM_BYTES);
}

int procfs_boot_id(char *out, size_t size, struct err *e)
{
        if (fd_read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", out, size) < 0)
                return err_set(e, ERR_INTERNAL, errno, "reading the boot id");
        out[strcspn(out, "\n")] = '\0';
        return 0;
}

bool procfs_is_ours(void)
{
        char text[32];
        ssize_t n = readlink("/proc/self", text, sizeof(text) - 1);

        if (n < 0)
                return false;
        text[n] = '\0';
        return atoi(text) == (int)getpid();
}

int64_t procfs_pid_ns(void)
{
        struct stat st;

        return stat("/proc/self/ns/pid", &st) < 0 ? 0 : (int64_t)st.st_ino;
}
