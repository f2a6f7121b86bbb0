/* SPDX-License-Identifier: MIT */
#include "store/ballast.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/sys.h"

enum { BLOCK = 64 * 1024 };

bool ballast_is_held(const char *path)
{
        struct stat st;

        return stat(path, &st) == 0 && st.st_size == BALLAST_BYTES && (off_t)st.st_blocks * 512 >= st.st_size;
}

/* For file systems that cannot allocate without writing. */
static int fill(int fd, off_t bytes)
{
        static char zeros[BLOCK]; /* const, it would stand in the program's file */

        for (off_t at = 0; at < bytes; at += BLOCK)
                if (sys_write(fd, zeros, BLOCK) != BLOCK)
                        return -1;
        return 0;
}

static int allocate(int fd, off_t bytes)
{
        if (sys_fallocate(fd, 0, 0, bytes) == 0)
                return 0;
        return errno == EOPNOTSUPP ? fill(fd, bytes) : -1;
}

bool ballast_take(const char *path)
{
        CLEANUP(closep) int fd = sys_openat(AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        int errnum;

        if (fd < 0)
                return false;
        if (allocate(fd, BALLAST_BYTES + BALLAST_SPARE_BYTES) == 0 && ftruncate(fd, BALLAST_BYTES) == 0)
                return true;
        errnum = errno;
        if (ftruncate(fd, 0) < 0) /* half a ballast would only make the disk fuller */
                unlink(path);
        errno = errnum;
        return false;
}

/* Blocks behind the end of the log are its own, and nobody sees them. SQLite locks nothing in this file, so
 * that it may be opened and closed beside it. */
static void extend_log(const char *log)
{
        CLEANUP(closep) int fd = sys_openat(AT_FDCWD, log, O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return;
        for (off_t n = BALLAST_LOG_BYTES; n >= BLOCK; n /= 2)
                if (sys_fallocate(fd, FALLOC_FL_KEEP_SIZE, st.st_size, n) == 0)
                        return;
}

bool ballast_give(const char *path, const char *log)
{
        struct stat st;

        if (stat(path, &st) < 0 || st.st_size == 0 || truncate(path, 0) < 0)
                return false;
        extend_log(log);
        return true;
}
