/* SPDX-License-Identifier: MIT */
/* tests/fuzz/procfs.c: /proc/PID/stat, in the middle of which stands a name that the process has chosen.
 *
 * Input: the file; its first 15 bytes, as a name in a file that is right, must not move what follows. */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/sys.h"

static char file[2048];

/* In one read, as the kernel gives it. */
static ssize_t fuzz_read(char *buf, size_t n)
{
        size_t size = strlen(file);

        n = size < n ? size : n;
        memcpy(buf, file, n);
        return (ssize_t)n;
}

/* As base/fd.c does it: whole, with a NUL behind, or not at all. */
static ssize_t fuzz_read_file(char *buf, size_t size)
{
        size_t n = strlen(file);

        if (n >= size) {
                errno = EFBIG;
                return -1;
        }
        memcpy(buf, file, n + 1);
        return (ssize_t)n;
}

#define sys_openat(dirfd, path, flags, mode) ((void)(path), open("/dev/null", flags))
#define sys_read(fd, buf, n)                 ((void)(fd), fuzz_read(buf, n))
#define fd_read_file(dirfd, path, buf, size) ((void)(path), fuzz_read_file(buf, size))
#include "base/procfs.c"

static void check_name(const uint8_t *data, size_t size)
{
        const uint64_t ticks = UINT64_MAX - size;
        struct procfs_stat st;
        char name[16] = "";

        memcpy(name, data, size < 15 ? size : 15);
        snprintf(file, sizeof(file),
                 "17 (%s) Z 4711 17 17 0 -1 4194368 1 2 3 4 5 6 7 8 20 0 1 0 %" PRIu64
                 " 0 0 18446744073709551615\n",
                 name, ticks);
        REQUIRE(procfs_stat(17, &st) == 0);
        REQUIRE(st.state == 'Z' && st.ppid == 4711 && st.never_execed && st.start_ticks == ticks);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const struct procfs_stat untouched = {.state = '!', .ppid = -77, .start_ticks = 77};
        struct procfs_stat st = untouched;
        size_t n = size < sizeof(file) ? size : sizeof(file) - 1;

        memcpy(file, data, n);
        file[n] = '\0';
        if (procfs_stat(17, &st) != 0)
                REQUIRE(st.state == untouched.state && st.ppid == untouched.ppid &&
                        st.start_ticks == untouched.start_ticks && !st.never_execed);
        procfs_is_named(17, "creche-forkserver");
        check_name(data, size);
        return 0;
}
