/* SPDX-License-Identifier: MIT */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/param.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/sys.h"

void closep(int *fd)
{
        int saved = errno;

        if (*fd >= 0)
                close(*fd);
        *fd = -1;
        errno = saved;
}

/* Four times what is kept free at most. */
enum { LIMIT_SMALL = 640 };

bool fd_is_short(unsigned n)
{
        CLEANUP(closep) int lowest = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
        struct rlimit limit = {.rlim_cur = RLIM_INFINITY};

        if (lowest < 0)
                return errno == EMFILE;
        getrlimit(RLIMIT_NOFILE, &limit);
        return (rlim_t)lowest + n * MIN(LIMIT_SMALL, limit.rlim_cur) / LIMIT_SMALL >= limit.rlim_cur;
}

int fd_allocate(int fd, off_t n)
{
        if (sys_fallocate(fd, 0, 0, n) < 0 && (errno != EOPNOTSUPP || ftruncate(fd, n) < 0))
                return -1;
        return 0;
}

int fd_write_all(int fd, const void *buf, size_t n)
{
        const char *p = buf;

        while (n) {
                ssize_t w = sys_write(fd, p, n);

                if (w < 0 && errno == EINTR)
                        continue;
                if (w < 0)
                        return -1;
                p += w;
                n -= (size_t)w;
        }
        return 0;
}

ssize_t fd_read_all(int fd, char *buf, size_t size)
{
        size_t n = 0;

        while (n < size) {
                ssize_t r = sys_read(fd, buf + n, size - n);

                if (r < 0 && errno == EINTR)
                        continue;
                if (r < 0)
                        return -1;
                if (r == 0) {
                        buf[n] = '\0';
                        return (ssize_t)n;
                }
                n += (size_t)r;
        }
        errno = EFBIG;
        return -1;
}

ssize_t fd_read_file(int dirfd, const char *path, char *buf, size_t size)
{
        CLEANUP(closep) int fd = sys_openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);

        return fd < 0 ? -1 : fd_read_all(fd, buf, size);
}

int fd_write_file(int dirfd, const char *path, mode_t mode, const void *buf, size_t n, struct err *e)
{
        char beside[256];
        CLEANUP(closep) int fd = -1;

        if (snprintf(beside, sizeof(beside), "%s.new", path) >= (int)sizeof(beside))
                return err_set(e, ERR_INTERNAL, ENAMETOOLONG, "writing %s", path);
        if (unlinkat(dirfd, beside, 0) < 0 && errno != ENOENT)
                return err_set(e, ERR_INTERNAL, errno, "removing %s", beside);
        fd = sys_openat(dirfd, beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
        if (fd < 0)
                return err_set(e, errno == ENOSPC ? ERR_FULL : ERR_INTERNAL, errno, "creating %s", beside);
        if (fd_write_all(fd, buf, n) < 0 || sys_fdatasync(fd) < 0 || renameat(dirfd, beside, dirfd, path) < 0)
                return err_set(e, errno == ENOSPC ? ERR_FULL : ERR_INTERNAL, errno, "writing %s", path);
        if (fsync(dirfd) < 0)
                return err_set(e, ERR_INTERNAL, errno, "syncing the directory of %s", path);
        return 0;
}
