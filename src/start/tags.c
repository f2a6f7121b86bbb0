/* SPDX-License-Identifier: MIT */
#include "start/tags.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/param.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/beneath.h"
#include "base/cleanup.h"
#include "base/fd.h"

enum { FEWEST = 4096, MOST = 1 << 22 /* the kernel's PID_MAX_LIMIT */, MARK_BYTES = 80 };

/* On the directory of the leaves, in the kernel: which file has their tags. */
#define MARK "user.creche.tags"

struct tags {
        int fd;
        uint32_t n;
        int64_t *ids;
};

static size_t bytes(uint32_t n)
{
        return n * sizeof(int64_t);
}

/* Room for @n, all of it allocated. What is there stays. */
static int make_room(struct tags *t, uint32_t n)
{
        void *ids;

        if (fd_allocate(t->fd, (off_t)bytes(n)) < 0)
                return -1;
        ids = t->ids ? mremap(t->ids, bytes(t->n), bytes(n), MREMAP_MAYMOVE)
                     : mmap(NULL, bytes(n), PROT_READ | PROT_WRITE, MAP_SHARED, t->fd, 0);
        if (ids == MAP_FAILED)
                return -1;
        t->ids = ids;
        t->n = n;
        return 0;
}

/* A copy has another number, or, as one that was made anew after this was removed may have the same, was born later. */
static int say_mark(const struct tags *t, char out[MARK_BYTES])
{
        struct statx st;

        if (statx(t->fd, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &st) < 0)
                return -1;
        return snprintf(out, MARK_BYTES, "%" PRIu32 ":%" PRIu32 ":%" PRIu64 ":%" PRId64 ".%" PRIu32,
                        st.stx_dev_major, st.stx_dev_minor, (uint64_t)st.stx_ino,
                        (int64_t)st.stx_btime.tv_sec, st.stx_btime.tv_nsec);
}

static int mark(struct tags *t, int leaves)
{
        char found[MARK_BYTES] = "", own[MARK_BYTES];
        int n = say_mark(t, own);

        if (n < 0)
                return -1;
        if (fgetxattr(leaves, MARK, found, sizeof(found) - 1) > 0 && !strcmp(found, own))
                return 0;
        memset(t->ids, 0, bytes(t->n));
        return fsetxattr(leaves, MARK, own, (size_t)n, 0);
}

static int open_file(struct tags *t, int dir, const char *name, struct err *e)
{
        struct stat st;
        off_t n = FEWEST;

        t->fd = beneath_open_own(dir, name, O_RDWR | O_CREAT, 0600);
        if (t->fd < 0 || fstat(t->fd, &st) < 0)
                return beneath_fail(e, "opening", name);
        n = MIN(MAX(n, st.st_size / (off_t)sizeof(int64_t)), MOST);
        return make_room(t, (uint32_t)n) < 0 ? beneath_fail(e, "mapping", name) : 0;
}

int tags_open(int dir, const char *name, int leaves, struct tags **out, struct err *e)
{
        struct tags *t = calloc(1, sizeof(*t));

        if (!t)
                return err_set(e, ERR_UNAVAILABLE, 0, "out of memory");
        t->fd = -1;
        if (open_file(t, dir, name, e) < 0 || (mark(t, leaves) < 0 && beneath_fail(e, "marking", name) < 0)) {
                tags_close(t);
                return -1;
        }
        *out = t;
        return 0;
}

void tags_close(struct tags *t)
{
        if (!t)
                return;
        if (t->ids)
                munmap(t->ids, bytes(t->n));
        closep(&t->fd);
        free(t);
}

uint32_t tags_room(const struct tags *t)
{
        return t->n;
}

int64_t tags_get(const struct tags *t, uint32_t number)
{
        return number < t->n ? t->ids[number] : 0;
}

int tags_set(struct tags *t, uint32_t number, int64_t id)
{
        if (number >= MOST) {
                errno = EOVERFLOW;
                return -1;
        }
        while (number >= t->n)
                if (make_room(t, t->n * 2) < 0)
                        return -1;
        /* Whole, whenever we are killed. */
        __atomic_store_n(&t->ids[number], id, __ATOMIC_RELAXED);
        return 0;
}
