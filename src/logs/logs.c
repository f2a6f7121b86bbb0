/* SPDX-License-Identifier: MIT */
/* The files of the logs: where they are, how they are read. The thread is in watch.c. */
#include "logs/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/sys.h"

enum {
        PER_FOLDER = 1000, /* processes whose logs share a folder */
        TAIL_BLOCK = 16384,
};

static const char *const suffix[STREAM_COUNT] = {"out", "err"};

/* The stream whose name in a folder is "17.out"; -1: none. */
int logs_stream_of(const char *name)
{
        const char *dot = strrchr(name, '.');

        for (int s = 0; dot && s < STREAM_COUNT; s++)
                if (!strcmp(dot + 1, suffix[s]))
                        return s;
        return -1;
}

enum { NAME_BYTES = 64 };

/* In the folder of the logs: "3/3017.out". */
static void name_of(int64_t id, enum stream stream, char out[NAME_BYTES])
{
        snprintf(out, NAME_BYTES, "%" PRId64 "/%" PRId64 ".%s", id / PER_FOLDER, id, suffix[stream]);
}

static int make_folder(struct logs *l, int64_t number)
{
        char name[NAME_BYTES];

        snprintf(name, sizeof(name), "%" PRId64, number);
        return beneath_make(l->fd, name);
}

int logs_open_folder(struct logs *l, int64_t number)
{
        char name[NAME_BYTES];

        snprintf(name, sizeof(name), "%" PRId64, number);
        return beneath_folder(l->fd, name);
}

static struct folder *find_folder(struct logs *l, int64_t number)
{
        for (size_t i = l->folders_n; i > 0; i--) /* the newest are at the end */
                if (l->folders[i - 1].number == number)
                        return &l->folders[i - 1];
        return NULL;
}

/* Under the lock. */
static int add_folder(struct logs *l, int64_t number, int wd)
{
        if (l->folders_n == l->folders_cap) {
                size_t cap = l->folders_cap ? 2 * l->folders_cap : 16;
                struct folder *folders = realloc(l->folders, cap * sizeof(*folders));

                if (!folders)
                        return -1;
                l->folders = folders;
                l->folders_cap = cap;
        }
        l->folders[l->folders_n++] = (struct folder){.number = number, .wd = wd};
        return 0;
}

/* Make the folder of @id, and watch it. */
static int open_folder(struct logs *l, int64_t id, struct err *e)
{
        CLEANUP(closep) int fd = -1;
        char path[NAME_BYTES];
        int64_t number = id / PER_FOLDER;
        int wd, rc = 0;

        pthread_mutex_lock(&l->lock);
        if (!find_folder(l, number)) {
                fd = make_folder(l, number);
                if (fd < 0) {
                        snprintf(path, sizeof(path), "logs/%" PRId64, number);
                        rc = beneath_fail(e, "making", path);
                        if (e->kind == ERR_INVALID) /* it is not the client who is wrong */
                                e->kind = ERR_INTERNAL;
                } else {
                        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
                        wd = inotify_add_watch(l->inotify, path, IN_MODIFY | IN_ONLYDIR);
                        if (wd < 0)
                                rc = err_set(e, ERR_TRY_AGAIN, errno, "watching logs/%" PRId64, number);
                        else if (add_folder(l, number, wd) < 0)
                                rc = err_set(e, ERR_UNAVAILABLE, 0, "out of memory");
                }
        }
        pthread_mutex_unlock(&l->lock);
        return rc;
}

int logs_prepare(struct logs *l, int64_t id, enum stream stream, char *out, size_t size, struct err *e)
{
        char name[NAME_BYTES];

        name_of(id, stream, name);
        if (snprintf(out, size, "%s/%s", l->dir, name) >= (int)size)
                return err_set(e, ERR_INTERNAL, ENAMETOOLONG, "the path of a log");
        if (open_folder(l, id, e) < 0)
                return -1;
        tracks_set(l, id, stream, 0, 0);
        return 0;
}

int logs_create(struct logs *l, int64_t id, enum stream stream, struct err *e)
{
        CLEANUP(closep) int fd = -1;
        char name[NAME_BYTES];

        name_of(id, stream, name);
        fd = beneath_open_own(l->fd, name, O_WRONLY | O_CREAT | O_APPEND, 0600);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE))
                return err_set(e, ERR_TRY_AGAIN, errno, "making a log");
        if (fd < 0) {
                beneath_fail(e, "making", name);
                if (e->kind == ERR_INVALID) /* it is not the client who is wrong */
                        e->kind = ERR_INTERNAL;
                return -1;
        }
        /* The child's writes are as those of any other. */
        if (fcntl(fd, F_SETFL, O_APPEND) < 0 || fchmod(fd, 0666) < 0)
                return err_set(e, ERR_INTERNAL, errno, "opening a log to its process");
        return TAKE_FD(fd);
}

void logs_watch(struct logs *l, int64_t id)
{
        struct err e;

        if (open_folder(l, id, &e) < 0)
                log_warn("logs.watch_failed", "id=%" PRId64 " error=%s", id, log_quote(e.msg));
        for (int s = 0; s < STREAM_COUNT; s++) {
                CLEANUP(closep) int fd = logs_open(l, id, (enum stream)s, &e);
                struct stat st;

                if (fd >= 0 && fstat(fd, &st) == 0)
                        tracks_set(l, id, (enum stream)s, logs_base(fd), st.st_size);
        }
}

void logs_remove(struct logs *l, int64_t id)
{
        CLEANUP(closep) int folder = logs_open_folder(l, id / PER_FOLDER);
        char name[NAME_BYTES];

        for (int s = 0; folder >= 0 && s < STREAM_COUNT; s++) {
                name_of(id, (enum stream)s, name);
                if (unlinkat(folder, strchr(name, '/') + 1, 0) < 0 && errno != ENOENT)
                        log_warn("logs.remove_failed", "id=%" PRId64 " errno=%s", id, err_errno_name(errno));
        }
}

int logs_open(struct logs *l, int64_t id, enum stream stream, struct err *e)
{
        char name[NAME_BYTES];
        int fd;

        name_of(id, stream, name);
        fd = beneath_open(l->fd, name, O_RDONLY, 0);
        if (fd < 0 && (errno == ENOENT || errno == ELOOP || errno == ENOTSUP))
                return err_set(e, ERR_NO_LOG, 0, "process %" PRId64 " has no such log", id);
        return fd < 0 ? err_set(e, ERR_TRY_AGAIN, errno, "opening a log") : fd;
}

int64_t logs_base(int fd)
{
        char text[24];
        int64_t base;
        ssize_t n = fgetxattr(fd, LOGS_BASE_ATTRIBUTE, text, sizeof(text) - 1);

        if (n <= 0)
                return 0;
        text[n] = '\0';
        base = strtoll(text, NULL, 10);
        return base > 0 ? base : 0; /* the child may write there, too */
}

int64_t logs_offset(int64_t base, int64_t position)
{
        int64_t offset;

        return __builtin_add_overflow(base, position, &offset) ? INT64_MAX : offset;
}

int64_t logs_size(struct logs *l, int64_t id, enum stream stream)
{
        char name[NAME_BYTES];
        struct stat st;

        name_of(id, stream, name);
        if (beneath_look(l->fd, name, &st) < 0)
                return 0;
        return logs_offset(tracks_base(l, id, stream), st.st_size);
}

int64_t logs_first(int fd, int64_t position)
{
        off_t at = lseek(fd, position, SEEK_DATA);
        struct stat st;

        if (at >= 0)
                return at;
        return fstat(fd, &st) < 0 ? position : st.st_size;
}

/* The position after the newline that begins the last @lines lines of @buf, which is what @size bytes of file
 * have at @from; -1 when there are fewer. @lines is counted down. */
static int64_t find_lines(const char *buf, ssize_t n, int64_t from, int64_t size, int64_t *lines)
{
        for (ssize_t i = n; i > 0; i--)
                /* The newline that ends the last line begins nothing. */
                if (buf[i - 1] == '\n' && from + i != size && --*lines == 0)
                        return from + i;
        return -1;
}

int64_t logs_tail(int fd, int64_t lines, struct err *e)
{
        char buf[TAIL_BLOCK];
        struct stat st;
        int64_t first, found;

        if (fstat(fd, &st) < 0)
                return err_set(e, ERR_INTERNAL, errno, "reading a log");
        if (lines <= 0)
                return st.st_size;
        first = logs_first(fd, 0);
        for (int64_t at = st.st_size; at > first;) {
                int64_t from = at - TAIL_BLOCK > first ? at - TAIL_BLOCK : first;
                ssize_t n = pread(fd, buf, (size_t)(at - from), from);

                if (n < 0)
                        return err_set(e, ERR_INTERNAL, errno, "reading a log");
                found = find_lines(buf, n, from, st.st_size, &lines);
                if (found >= 0)
                        return found;
                at = from;
        }
        return first;
}

void logs_forget(struct logs *l, int64_t id)
{
        tracks_forget(l, id);
}

void logs_follow(struct logs *l, struct follower *f)
{
        pthread_mutex_lock(&l->lock);
        list_append(&l->followers, &f->link);
        pthread_mutex_unlock(&l->lock);
}

void logs_unfollow(struct logs *l, struct follower *f)
{
        pthread_mutex_lock(&l->lock);
        list_remove(&f->link);
        pthread_mutex_unlock(&l->lock);
}

static int begin(struct logs *l, int state_fd, struct err *e)
{
        int rc;

        l->fd = beneath_make(state_fd, "logs");
        if (l->fd < 0)
                return beneath_fail(e, "making", l->dir);
        l->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        l->wakefd = eventfd(0, EFD_CLOEXEC);
        if (l->inotify < 0 || l->wakefd < 0)
                return err_set(e, ERR_INTERNAL, errno, "making an inotify");
        rc = pthread_create(&l->thread, NULL, logs_main, l);
        if (rc)
                return err_set(e, ERR_INTERNAL, rc, "starting the thread of the logs");
        l->runs = true;
        return 0;
}

int logs_begin(int state_fd, const char *state_dir, int64_t budget_bytes, struct logs **out, struct err *e)
{
        struct logs *l = calloc(1, sizeof(*l));

        if (!l || asprintf(&l->dir, "%s/logs", state_dir) < 0) {
                free(l);
                return err_set(e, ERR_UNAVAILABLE, 0, "out of memory");
        }
        l->budget = budget_bytes;
        l->fd = l->inotify = l->wakefd = -1;
        pthread_mutex_init(&l->lock, NULL);
        list_init(&l->followers);
        if (begin(l, state_fd, e) < 0) {
                logs_end(l);
                return -1;
        }
        *out = l;
        return 0;
}

void logs_end(struct logs *l)
{
        if (!l)
                return;
        if (l->runs && eventfd_write(l->wakefd, 1) == 0)
                pthread_join(l->thread, NULL);
        closep(&l->fd);
        closep(&l->inotify);
        closep(&l->wakefd);
        pthread_mutex_destroy(&l->lock);
        tracks_done(l);
        free(l->folders);
        free(l->dir);
        free(l);
}
