/* SPDX-License-Identifier: MIT */
/* The thread of the logs: budgets, truncations, followers. Asleep in inotify while nobody writes. */
#include "logs/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/falloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/sys.h"

enum {
        PUNCH_UNIT = 4096,
        NAP_MS = 20, /* between two looks at a flood: its events are merged meanwhile */
        EVENT_BYTES = 65536,
};

static struct track **bucket(struct logs *l, int64_t id)
{
        return &l->tracks[(uint64_t)id % TRACK_BUCKETS];
}

/* Under the lock. NULL when there is none. */
static struct track *find_track(struct logs *l, int64_t id, enum stream stream)
{
        struct track *t = *bucket(l, id);

        while (t && (t->id != id || t->stream != stream))
                t = t->next;
        return t;
}

/* Under the lock. NULL: out of memory. */
static struct track *add_track(struct logs *l, int64_t id, enum stream stream, int64_t base, int64_t size)
{
        struct track *t = malloc(sizeof(*t));

        if (!t)
                return NULL;
        *t = (struct track){.next = *bucket(l, id), .id = id, .stream = stream, .size = size, .base = base};
        *bucket(l, id) = t;
        return t;
}

int64_t tracks_base(struct logs *l, int64_t id, enum stream stream)
{
        struct track *t;
        int64_t base;

        pthread_mutex_lock(&l->lock);
        t = find_track(l, id, stream);
        base = t ? t->base : 0;
        pthread_mutex_unlock(&l->lock);
        return base;
}

void tracks_set(struct logs *l, int64_t id, enum stream stream, int64_t base, int64_t size)
{
        pthread_mutex_lock(&l->lock);
        if (!find_track(l, id, stream))
                add_track(l, id, stream, base, size);
        pthread_mutex_unlock(&l->lock);
}

void tracks_forget(struct logs *l, int64_t id)
{
        pthread_mutex_lock(&l->lock);
        for (struct track **p = bucket(l, id); *p;) {
                struct track *t = *p;

                if (t->id != id) {
                        p = &t->next;
                        continue;
                }
                *p = t->next;
                free(t);
        }
        pthread_mutex_unlock(&l->lock);
}

void tracks_done(struct logs *l)
{
        for (size_t i = 0; i < TRACK_BUCKETS; i++)
                while (l->tracks[i]) {
                        struct track *t = l->tracks[i];

                        l->tracks[i] = t->next;
                        free(t);
                }
}

/* A file that has become shorter was truncated by its child: what it had held counts into the base. The new
 * base is on the file before anybody can read by it. */
static void note_size(struct logs *l, int64_t id, enum stream stream, int fd, int64_t size)
{
        struct track *t;
        char text[24];
        int n, failed = 0;

        pthread_mutex_lock(&l->lock);
        t = find_track(l, id, stream);
        if (t && size < t->size) {
                t->base = logs_offset(t->base, t->size);
                n = snprintf(text, sizeof(text), "%" PRId64, t->base);
                failed = fsetxattr(fd, LOGS_BASE_ATTRIBUTE, text, (size_t)n, 0) < 0 ? errno : 0;
        }
        if (t)
                t->size = size;
        pthread_mutex_unlock(&l->lock);
        if (failed)
                log_warn("logs.base_not_kept", "id=%" PRId64 " errno=%s", id, err_errno_name(failed));
}

/* Keep the disk that a log takes within the budget: a hole at its head, three quarters of it stay. */
static void enforce(struct logs *l, const char *name, const struct stat *st)
{
        CLEANUP(closep) int fd = -1;
        int64_t end = (st->st_size - l->budget / 4 * 3) / PUNCH_UNIT * PUNCH_UNIT;

        if ((int64_t)st->st_blocks * 512 <= l->budget || l->no_punch)
                return;
        fd = beneath_open(l->fd, name, O_WRONLY, 0);
        if (fd < 0 || end <= 0)
                return;
        if (sys_fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, end) == 0)
                return;
        l->no_punch = errno == EOPNOTSUPP;
        log_warn("logs.punch_failed", "log=%s errno=%s", log_quote(name), err_errno_name(errno));
}

static void wake_followers(struct logs *l, int64_t id)
{
        pthread_mutex_lock(&l->lock);
        list_for_each (node, &l->followers) {
                struct follower *f = container_of(node, struct follower, link);

                if (!id || f->id == id)
                        f->wake(f);
        }
        pthread_mutex_unlock(&l->lock);
}

static int64_t folder_of(struct logs *l, int wd)
{
        int64_t number = -1;

        pthread_mutex_lock(&l->lock);
        for (size_t i = 0; i < l->folders_n; i++)
                if (l->folders[i].wd == wd)
                        number = l->folders[i].number;
        pthread_mutex_unlock(&l->lock);
        return number;
}

/* Somebody has removed the folder: the next process that logs there makes it anew. */
static void forget_folder(struct logs *l, int wd)
{
        pthread_mutex_lock(&l->lock);
        for (size_t i = 0; i < l->folders_n; i++)
                if (l->folders[i].wd == wd)
                        l->folders[i] = l->folders[--l->folders_n];
        pthread_mutex_unlock(&l->lock);
}

static void written(struct logs *l, int64_t number, const char *name)
{
        CLEANUP(closep) int fd = -1;
        char path[512];
        int64_t id = strtoll(name, NULL, 10);
        int stream = logs_stream_of(name);
        struct stat st;

        if (stream < 0)
                return;
        snprintf(path, sizeof(path), "%" PRId64 "/%s", number, name);
        fd = beneath_open(l->fd, path, O_RDONLY, 0);
        if (fd < 0 || fstat(fd, &st) < 0)
                return;
        note_size(l, id, (enum stream)stream, fd, st.st_size);
        enforce(l, path, &st);
        wake_followers(l, id);
}

/* Too many events for the kernel to keep: look at everything. */
static void look_at_all(struct logs *l)
{
        size_t n = l->folders_n;

        for (size_t i = 0; i < n; i++) {
                int64_t number;
                struct dirent *d;
                DIR *dir;
                int fd;

                pthread_mutex_lock(&l->lock);
                number = l->folders[i].number;
                pthread_mutex_unlock(&l->lock);
                fd = logs_open_folder(l, number);
                dir = fd < 0 ? NULL : fdopendir(fd);
                while (dir && (d = readdir(dir)))
                        if (d->d_name[0] != '.')
                                written(l, number, d->d_name);
                if (dir)
                        closedir(dir);
        }
        wake_followers(l, 0);
}

/* Returns false when there was nothing. */
static bool read_events(struct logs *l, char *buf)
{
        ssize_t n = read(l->inotify, buf, EVENT_BYTES);
        const struct inotify_event *ev;

        for (char *p = buf; p < buf + (n > 0 ? n : 0); p += sizeof(*ev) + ev->len) {
                ev = (const struct inotify_event *)p;
                if (ev->mask & IN_Q_OVERFLOW)
                        look_at_all(l);
                else if (ev->mask & IN_IGNORED)
                        forget_folder(l, ev->wd);
                else if (ev->len && ev->mask & IN_MODIFY)
                        written(l, folder_of(l, ev->wd), ev->name);
        }
        return n > 0;
}

void *logs_main(void *arg)
{
        static _Alignas(struct inotify_event) char buf[EVENT_BYTES];
        const struct timespec nap = {.tv_nsec = NAP_MS * 1000 * 1000};
        struct logs *l = arg;
        struct pollfd polled[2] = {{.fd = l->inotify, .events = POLLIN}, {.fd = l->wakefd, .events = POLLIN}};

        pthread_setname_np(pthread_self(), "creche-logs");
        while (!polled[1].revents) {
                if (poll(polled, 2, -1) < 0 && errno != EINTR)
                        break;
                if (polled[0].revents && read_events(l, buf))
                        nanosleep(&nap, NULL);
        }
        return NULL;
}
