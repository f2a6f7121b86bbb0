/* SPDX-License-Identifier: MIT */
#include "base/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/sys.h"

enum { PLAIN_MODE = 07777 };

static int open_below(int dir, const char *path, int flags, mode_t mode)
{
        struct open_how how = {.flags = (unsigned)(flags | O_CLOEXEC | O_NOFOLLOW),
                               .mode = flags & O_CREAT ? mode & PLAIN_MODE : 0,
                               .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};

        return sys_openat2(dir, path, &how);
}

static int refuse(int errnum)
{
        errno = errnum;
        return -1;
}

static int check_own(const struct stat *st)
{
        if (st->st_uid != geteuid())
                return refuse(EPERM);
        return st->st_nlink > 1 ? refuse(EMLINK) : 0;
}

static int not_ours(const char *path, uid_t owner, struct err *e)
{
        return err_set(e, ERR_INVALID, 0,
                       "%s belongs to uid %u, and we serve as uid %u: if it is Creche's, chown -R %u:%u it",
                       path, owner, geteuid(), geteuid(), getegid());
}

int beneath_root(const char *path, struct err *e)
{
        CLEANUP(closep) int fd = -1;
        struct stat st;

        /* Whose it is, before we are told that we may not open it. */
        if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid != geteuid())
                return not_ours(path, st.st_uid, e);
        fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
                return errno == ENOTDIR || errno == ELOOP
                               ? err_set(e, ERR_INVALID, 0, "%s is a symbolic link, or no directory", path)
                               : err_set(e, ERR_INTERNAL, errno, "opening %s", path);
        if (st.st_uid != geteuid())
                return not_ours(path, st.st_uid, e);
        if ((st.st_mode & 077) && fchmod(fd, 0700) < 0)
                return err_set(e, ERR_INTERNAL, errno, "closing %s to others", path);
        return TAKE_FD(fd);
}

int beneath_open(int dir, const char *path, int flags, mode_t mode)
{
        CLEANUP(closep) int fd = open_below(dir, path, flags | O_NONBLOCK | O_NOCTTY, mode);
        struct stat st;

        if (fd < 0) /* ENXIO: a FIFO that nobody reads, or a socket */
                return errno == ENXIO || errno == EISDIR ? refuse(ENOTSUP) : -1;
        if (fstat(fd, &st) < 0)
                return -1;
        return S_ISREG(st.st_mode) ? TAKE_FD(fd) : refuse(ENOTSUP);
}

int beneath_open_own(int dir, const char *path, int flags, mode_t mode)
{
        CLEANUP(closep) int fd = beneath_open(dir, path, flags, mode);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0 || check_own(&st) < 0)
                return -1;
        return TAKE_FD(fd);
}

int beneath_folder(int dir, const char *path)
{
        return open_below(dir, path, O_RDONLY | O_DIRECTORY, 0);
}

int beneath_make(int dir, const char *path)
{
        if (mkdirat(dir, path, 0700) < 0 && errno != EEXIST)
                return -1;
        return beneath_folder(dir, path);
}

/* O_PATH: closing a file that SQLite has open would give up its locks. */
int beneath_look(int dir, const char *path, struct stat *st)
{
        CLEANUP(closep) int fd = open_below(dir, path, O_PATH, 0);

        if (fd < 0 || fstat(fd, st) < 0)
                return -1;
        return S_ISREG(st->st_mode) ? 0 : refuse(S_ISLNK(st->st_mode) ? ELOOP : ENOTSUP);
}

int beneath_check(int dir, const char *path, struct stat *st)
{
        return beneath_look(dir, path, st) < 0 ? -1 : check_own(st);
}

ssize_t beneath_read(int dir, const char *path, char *buf, size_t size)
{
        CLEANUP(closep) int fd = beneath_open_own(dir, path, O_RDONLY, 0);

        return fd < 0 ? -1 : fd_read_all(fd, buf, size);
}

int beneath_fail(struct err *e, const char *doing, const char *path)
{
        switch (errno) {
        case ELOOP:
        case EXDEV:
                return err_set(e, ERR_INVALID, 0, "%s is a symbolic link, or behind one: it is not followed",
                               path);
        case ENOTDIR: return err_set(e, ERR_INVALID, 0, "%s is a symbolic link, or no directory", path);
        case EMLINK:
                return err_set(e, ERR_INVALID, 0, "%s has another name (a hard link): it is not touched",
                               path);
        case ENOTSUP: return err_set(e, ERR_INVALID, 0, "%s is no regular file", path);
        case EPERM: return err_set(e, ERR_INVALID, 0, "%s belongs to another user", path);
        case ENOSPC: return err_set(e, ERR_FULL, errno, "%s %s", doing, path);
        default: return err_set(e, ERR_INTERNAL, errno, "%s %s", doing, path);
        }
}
