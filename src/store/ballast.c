/* SPDX-License-Identifier: MIT */
#include "store/ballast.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/sys.h"

enum { BLOCK = 64 * 1024 };

bool ballast_is_held(int dir)
{
        struct stat st;

        return beneath_check(dir, BALLAST_NAME, &st) == 0 && st.st_size == BALLAST_BYTES &&
               (off_t)st.st_blocks * 512 >= st.st_size;
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

bool ballast_take(int dir)
{
        CLEANUP(closep) int fd = beneath_open_own(dir, BALLAST_NAME, O_RDWR | O_CREAT, 0600);
        int errnum;

        if (fd < 0)
                return false;
        if (allocate(fd, BALLAST_BYTES + BALLAST_SPARE_BYTES) == 0 && ftruncate(fd, BALLAST_BYTES) == 0)
                return true;
        errnum = errno;
        if (ftruncate(fd, 0) < 0) /* half a ballast would only make the disk fuller */
                unlinkat(dir, BALLAST_NAME, 0);
        errno = errnum;
        return false;
}

/* Blocks behind the end of the log are its own, and nobody sees them. SQLite locks nothing in this file, so
 * that it may be opened and closed beside it. */
static void extend_log(int dir, const char *log)
{
        CLEANUP(closep) int fd = beneath_open_own(dir, log, O_WRONLY, 0);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return;
        for (off_t n = BALLAST_LOG_BYTES; n >= BLOCK; n /= 2)
                if (sys_fallocate(fd, FALLOC_FL_KEEP_SIZE, st.st_size, n) == 0)
                        return;
}

bool ballast_give(int dir, const char *log)
{
        CLEANUP(closep) int fd = beneath_open_own(dir, BALLAST_NAME, O_WRONLY, 0);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0 || st.st_size == 0 || ftruncate(fd, 0) < 0)
                return false;
        extend_log(dir, log);
        return true;
}
