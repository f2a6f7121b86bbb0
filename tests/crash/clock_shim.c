/* SPDX-License-Identifier: MIT */
/* tests/crash/clock_shim.c: LD_PRELOAD this, and the wall clock is off by as many seconds as the file
 * $CLOCK_OFFSET_FILE begins with (a binary int64_t). It may be written to at any time; the other clocks are
 * left alone. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *offset;

__attribute__((constructor)) static void map_offset(void)
{
        const char *path = getenv("CLOCK_OFFSET_FILE");
        int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        void *m = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*offset), PROT_READ, MAP_SHARED, fd, 0);

        if (m != MAP_FAILED)
                offset = m;
        if (fd >= 0)
                close(fd);
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
        int rc = (int)syscall(SYS_clock_gettime, id, ts);

        if (rc == 0 && offset && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
                ts->tv_sec += *offset;
        return rc;
}

int gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
        struct timespec ts;

        (void)tz;
        clock_gettime(CLOCK_REALTIME, &ts);
        tv->tv_sec = ts.tv_sec;
        tv->tv_usec = ts.tv_nsec / 1000;
        return 0;
}

time_t time(time_t *t)
{
        struct timespec ts;

        clock_gettime(CLOCK_REALTIME, &ts);
        if (t)
                *t = ts.tv_sec;
        return ts.tv_sec;
}
