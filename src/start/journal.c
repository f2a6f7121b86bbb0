/* SPDX-License-Identifier: MIT */
#include "start/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/fd.h"

enum {
        JOURNAL_BYTES = JOURNAL_SLOTS * sizeof(struct journal_slot),
        WRITERS_NAP_MS = 2,
        WRITERS_TRIES = 5000
};

struct journal {
        int fd;
        struct journal_slot *slots;
        pthread_mutex_t lock; /* guards the stack of free slots */
        uint32_t free[JOURNAL_SLOTS];
        uint32_t free_n;
        bool kept[JOURNAL_SLOTS];
        bool fresh;
};

struct journal_slot *journal_map(int fd, struct err *e)
{
        void *m = mmap(NULL, JOURNAL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

        if (m == MAP_FAILED) {
                err_set(e, ERR_INTERNAL, errno, "mapping the spawn journal");
                return NULL;
        }
        return m;
}

static int open_file(int dir, const char *path, bool *fresh, struct err *e)
{
        int fd = beneath_open_own(dir, path, O_RDWR | O_CREAT, 0600);
        struct stat st;

        if (fd < 0)
                return beneath_fail(e, "opening", path);
        *fresh = fstat(fd, &st) == 0 && st.st_size == 0;
        if (fd_allocate(fd, JOURNAL_BYTES) < 0) {
                err_set(e, errno == ENOSPC ? ERR_FULL : ERR_INTERNAL, errno, "sizing %s", path);
                closep(&fd);
                return -1;
        }
        return fd;
}

/* A forkserver of the last daemon, or a child of it that has not closed its files yet, may still write there:
 * each holds the file that the last daemon locked. They are dying, or close it in their first act. */
static int wait_for_writers(int fd, const char *path, struct err *e)
{
        const struct timespec nap = {.tv_nsec = WRITERS_NAP_MS * 1000000L};

        for (int i = 0; i < WRITERS_TRIES; i++) {
                if (flock(fd, LOCK_EX | LOCK_NB) == 0)
                        return 0;
                if (errno != EWOULDBLOCK && errno != EINTR)
                        return err_set(e, ERR_INTERNAL, errno, "locking %s", path);
                nanosleep(&nap, NULL);
        }
        return err_set(e, ERR_TRY_AGAIN, 0, "%s is still written to by a process of the last daemon", path);
}

int journal_open(int dir, const char *name, struct journal **out, struct err *e)
{
        struct journal *j = calloc(1, sizeof(*j));

        if (!j)
                return err_set(e, ERR_UNAVAILABLE, 0, "out of memory");
        pthread_mutex_init(&j->lock, NULL);
        j->fd = open_file(dir, name, &j->fresh, e);
        j->slots = j->fd < 0 || wait_for_writers(j->fd, name, e) < 0 ? NULL : journal_map(j->fd, e);
        if (!j->slots) {
                journal_close(j);
                return -1;
        }
        *out = j;
        return 0;
}

void journal_close(struct journal *j)
{
        if (!j)
                return;
        if (j->slots)
                munmap(j->slots, JOURNAL_BYTES);
        closep(&j->fd);
        pthread_mutex_destroy(&j->lock);
        free(j);
}

const struct journal_slot *journal_find(struct journal *j, int64_t id)
{
        for (size_t i = 0; i < JOURNAL_SLOTS; i++)
                if (__atomic_load_n(&j->slots[i].id, __ATOMIC_ACQUIRE) == id)
                        return &j->slots[i];
        return NULL;
}

struct journal_slot *journal_keep(struct journal *j, const struct journal_slot *slot)
{
        uint32_t i = journal_number(j, slot);

        j->kept[i] = true;
        return &j->slots[i];
}

void journal_clear(struct journal *j)
{
        pthread_mutex_lock(&j->lock);
        j->free_n = 0;
        for (uint32_t i = JOURNAL_SLOTS; i > 0; i--) {
                if (j->kept[i - 1])
                        continue;
                j->slots[i - 1] = (struct journal_slot){0};
                j->free[j->free_n++] = i - 1;
        }
        pthread_mutex_unlock(&j->lock);
}

struct journal_slot *journal_claim(struct journal *j, int64_t id, struct err *e)
{
        struct journal_slot *slot = NULL;
        struct stat st;

        if (fstat(j->fd, &st) == 0 && st.st_nlink == 0) {
                err_set(e, ERR_UNAVAILABLE, 0,
                        "the spawn journal was removed: nobody would know what we start");
                return NULL;
        }
        pthread_mutex_lock(&j->lock);
        if (j->free_n)
                slot = &j->slots[j->free[--j->free_n]];
        pthread_mutex_unlock(&j->lock);
        if (!slot) {
                err_set(e, ERR_TRY_AGAIN, 0, "%d starts are in flight", JOURNAL_SLOTS);
                return NULL;
        }
        __atomic_store_n(&slot->pid, 0, __ATOMIC_RELAXED);
        slot->stage = 0;
        slot->errnum = 0;
        /* The id last: a slot that is seen with its id has no pid of an earlier child. */
        __atomic_store_n(&slot->id, id, __ATOMIC_RELEASE);
        return slot;
}

void journal_release(struct journal *j, struct journal_slot *slot)
{
        uint32_t i = journal_number(j, slot);

        __atomic_store_n(&slot->id, 0, __ATOMIC_RELEASE);
        pthread_mutex_lock(&j->lock);
        j->kept[i] = false;
        j->free[j->free_n++] = i;
        pthread_mutex_unlock(&j->lock);
}

bool journal_has_pid(struct journal *j, pid_t pid)
{
        for (size_t i = 0; i < JOURNAL_SLOTS; i++)
                if (__atomic_load_n(&j->slots[i].pid, __ATOMIC_ACQUIRE) == pid &&
                    __atomic_load_n(&j->slots[i].id, __ATOMIC_ACQUIRE))
                        return true;
        return false;
}

bool journal_is_fresh(struct journal *j)
{
        return j->fresh;
}

int journal_fd(struct journal *j)
{
        return j->fd;
}

uint32_t journal_number(struct journal *j, const struct journal_slot *slot)
{
        return (uint32_t)(slot - j->slots);
}
