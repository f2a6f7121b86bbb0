/* SPDX-License-Identifier: MIT */
#include "start/leaves.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"
#include "start/cgroup.h"

enum { BUCKETS = 4096, IDLE_MAX = 256, NAME_MAX_BYTES = 16, EVENT_BYTES = 4096 };

#define TAG    "user.creche.id"
#define RECORD "cgroup"
#define PROBE  "probe"

struct leaf {
        struct leaf *next; /* in its bucket, or of the idle ones */
        int64_t id;
        uint32_t number;
        int watch;        /* of cgroup.events; -1: none */
        struct list link; /* in leaves->ended */
};

struct leaves {
        char path[PATH_MAX];
        int fd, notify_fd;
        bool memory;
        /* Guards the rest, and that a leaf stays whose it is while it is being used: held across the calls of
         * cgroup.h, which take no longer than there are processes in a leaf. */
        pthread_mutex_t lock;
        struct leaf *by_id[BUCKETS];
        struct list ended; /* not empty yet */
        struct leaf *idle;
        unsigned idle_n;
        uint32_t last_number;
        bool said; /* that a leaf could not be made */
};

static char *name_of(const struct leaf *leaf, char out[NAME_MAX_BYTES])
{
        snprintf(out, NAME_MAX_BYTES, "%" PRIu32, leaf->number);
        return out;
}

/* ------------------------------------------------------------------------------------------ table */

static struct leaf **find(struct leaves *l, int64_t id)
{
        struct leaf **at = &l->by_id[(uint64_t)id % BUCKETS];

        while (*at && (*at)->id != id)
                at = &(*at)->next;
        return at;
}

static void insert(struct leaves *l, struct leaf *leaf, int64_t id)
{
        struct leaf **at = &l->by_id[(uint64_t)id % BUCKETS];

        leaf->id = id;
        leaf->next = *at;
        *at = leaf;
}

static struct leaf *leaf_new(uint32_t number)
{
        struct leaf *leaf = calloc(1, sizeof(*leaf));

        if (!leaf)
                return NULL;
        leaf->number = number;
        leaf->watch = -1;
        list_init(&leaf->link);
        return leaf;
}

/* Under the lock: take @leaf out of the table. */
static void forget(struct leaves *l, struct leaf *leaf)
{
        struct leaf **at = find(l, leaf->id);

        *at = leaf->next;
        list_remove(&leaf->link);
        if (leaf->watch >= 0)
                inotify_rm_watch(l->notify_fd, leaf->watch);
        leaf->watch = -1;
}

static void discard(struct leaves *l, struct leaf *leaf)
{
        char name[NAME_MAX_BYTES];

        cgroup_remove(l->fd, name_of(leaf, name));
        free(leaf);
}

/* An idle leaf is nobody's: its last process, if it never ran, may be started again, in another leaf. */
static int untag(const struct leaves *l, const struct leaf *leaf)
{
        char path[PATH_MAX + 64];

        snprintf(path, sizeof(path), "%s/%" PRIu32, l->path, leaf->number);
        return removexattr(path, TAG);
}

/* Under the lock: its process is gone, and so is everybody else in it. */
static void release(struct leaves *l, struct leaf *leaf, bool reuse)
{
        char name[NAME_MAX_BYTES];

        forget(l, leaf);
        if (reuse && l->idle_n < IDLE_MAX && cgroup_is_pristine(l->fd, name_of(leaf, name), l->memory) &&
            untag(l, leaf) == 0) {
                leaf->next = l->idle;
                l->idle = leaf;
                l->idle_n++;
        } else {
                discard(l, leaf);
        }
}

/* ------------------------------------------------------------------------------------------ claim */

static struct leaf *take_idle(struct leaves *l)
{
        struct leaf *leaf = l->idle;

        if (leaf) {
                l->idle = leaf->next;
                l->idle_n--;
        }
        return leaf;
}

static struct leaf *make(struct leaves *l)
{
        struct leaf *leaf = leaf_new(0);
        char name[NAME_MAX_BYTES];
        int rc;

        if (!leaf)
                return NULL;
        do {
                leaf->number = ++l->last_number;
                rc = mkdirat(l->fd, name_of(leaf, name), 0755);
        } while (rc < 0 && errno == EEXIST);
        /* Whatever our umask: programs read in their group how much memory there is for them. */
        if (rc == 0 && fchmodat(l->fd, name, 0755, 0) == 0)
                return leaf;
        free(leaf);
        return NULL;
}

/* The directory of @leaf, tagged as that of @id; -1. */
static int open_for(struct leaves *l, const struct leaf *leaf, int64_t id)
{
        char name[NAME_MAX_BYTES], tag[24];
        int fd = openat(l->fd, name_of(leaf, name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int n = snprintf(tag, sizeof(tag), "%" PRId64, id);

        if (fd >= 0 && fsetxattr(fd, TAG, tag, (size_t)n, 0) < 0)
                closep(&fd);
        return fd;
}

static void say_refused(struct leaves *l)
{
        if (!l->said)
                log_warn("cgroup.refused", "directory=%s errno=%s", log_quote(l->path),
                         err_errno_name(errno));
        l->said = true;
}

/* Under the lock: a leaf for @id, and in @fd its directory; NULL. An idle one may have been removed by
 * somebody else: then there is another. */
static struct leaf *obtain(struct leaves *l, int64_t id, int *fd)
{
        for (;;) {
                bool idle = l->idle;
                struct leaf *leaf = idle ? take_idle(l) : make(l);

                *fd = leaf ? open_for(l, leaf, id) : -1;
                if (*fd >= 0)
                        return leaf;
                if (leaf)
                        discard(l, leaf);
                if (!idle)
                        return NULL;
        }
}

int leaves_claim(struct leaves *l, int64_t id)
{
        struct leaf *leaf;
        int fd;

        if (!l)
                return -1;
        pthread_mutex_lock(&l->lock);
        leaf = obtain(l, id, &fd);
        if (leaf)
                insert(l, leaf, id);
        else
                say_refused(l);
        pthread_mutex_unlock(&l->lock);
        return fd;
}

/* -------------------------------------------------------------------------------------------- end */

/* Under the lock: @leaf goes if it is empty. */
static bool try_release(struct leaves *l, struct leaf *leaf, bool reuse)
{
        char name[NAME_MAX_BYTES];

        if (cgroup_is_populated(l->fd, name_of(leaf, name)))
                return false;
        release(l, leaf, reuse);
        return true;
}

/* One that had survivors is not used again: whoever has killed them may have done it with cgroup.kill.
 * Watched first and looked at again then, so that the end of the last survivor is not missed. */
static void end(struct leaves *l, struct leaf *leaf, bool reuse)
{
        char path[PATH_MAX + 64];

        if (!list_empty(&leaf->link) || try_release(l, leaf, reuse))
                return;
        snprintf(path, sizeof(path), "%s/%" PRIu32 "/cgroup.events", l->path, leaf->number);
        leaf->watch = inotify_add_watch(l->notify_fd, path, IN_MODIFY);
        if (leaf->watch < 0) /* it stays until we stop, or until the next daemon */
                say_refused(l);
        list_append(&l->ended, &leaf->link);
        try_release(l, leaf, false);
}

void leaves_ended(struct leaves *l, int64_t id, bool killed)
{
        struct leaf *leaf;

        if (!l)
                return;
        pthread_mutex_lock(&l->lock);
        leaf = *find(l, id);
        if (leaf)
                end(l, leaf, !killed);
        pthread_mutex_unlock(&l->lock);
}

void leaves_sweep(struct leaves *l, bool (*is_active)(int64_t id, void *arg), void *arg)
{
        if (!l)
                return;
        pthread_mutex_lock(&l->lock);
        for (int i = 0; i < BUCKETS; i++)
                for (struct leaf *leaf = l->by_id[i], *next; leaf; leaf = next) {
                        next = leaf->next;
                        if (!is_active(leaf->id, arg))
                                end(l, leaf, false);
                }
        pthread_mutex_unlock(&l->lock);
}

int leaves_fd(const struct leaves *l)
{
        return l ? l->notify_fd : -1;
}

/* Under the lock: the leaf that @watch is of may be empty. */
static void look_at(struct leaves *l, int watch)
{
        list_for_each (node, &l->ended) {
                struct leaf *leaf = container_of(node, struct leaf, link);

                if (leaf->watch != watch)
                        continue;
                try_release(l, leaf, false);
                return;
        }
}

void leaves_event(struct leaves *l)
{
        char events[EVENT_BYTES] __attribute__((aligned(__alignof__(struct inotify_event))));
        ssize_t n;

        pthread_mutex_lock(&l->lock);
        while ((n = read(l->notify_fd, events, sizeof(events))) > 0)
                for (ssize_t at = 0; at < n;) {
                        const struct inotify_event *event = (const void *)(events + at);

                        at += (ssize_t)(sizeof(*event) + event->len);
                        look_at(l, event->wd);
                }
        pthread_mutex_unlock(&l->lock);
}

/* -------------------------------------------------------------------------------------------- use */

bool leaves_populated(struct leaves *l, int64_t id)
{
        char name[NAME_MAX_BYTES];
        struct leaf *leaf;
        bool populated = false;

        if (!l)
                return false;
        pthread_mutex_lock(&l->lock);
        leaf = *find(l, id);
        if (leaf)
                populated = cgroup_is_populated(l->fd, name_of(leaf, name));
        pthread_mutex_unlock(&l->lock);
        return populated;
}

bool leaves_signal(struct leaves *l, int64_t id, int signo, pid_t except)
{
        char name[NAME_MAX_BYTES];
        struct leaf *leaf;
        bool reached = false;

        if (!l)
                return false;
        pthread_mutex_lock(&l->lock);
        leaf = *find(l, id);
        if (leaf)
                reached = cgroup_signal(l->fd, name_of(leaf, name), signo, except);
        pthread_mutex_unlock(&l->lock);
        return reached;
}

int leaves_oom(struct leaves *l, int64_t id)
{
        char name[NAME_MAX_BYTES];
        struct leaf *leaf;
        long kills = -1;

        if (!leaves_tell_oom(l))
                return -1;
        pthread_mutex_lock(&l->lock);
        leaf = *find(l, id);
        if (leaf)
                kills = cgroup_oom_kills(l->fd, name_of(leaf, name));
        pthread_mutex_unlock(&l->lock);
        return kills > 0 ? 1 : (int)kills;
}

bool leaves_tell_oom(const struct leaves *l)
{
        return l && l->memory;
}

/* ------------------------------------------------------------------------------------ open, close */

/* A leaf that an earlier daemon left; what is no leaf, or nobody's, goes. */
static void take_over(struct leaves *l, const char *name)
{
        char path[PATH_MAX + 300], tag[24] = "";
        int64_t id = 0;
        struct leaf *leaf = NULL;

        snprintf(path, sizeof(path), "%s/%s", l->path, name);
        if (isdigit((unsigned char)*name) && getxattr(path, TAG, tag, sizeof(tag) - 1) > 0)
                id = strtoll(tag, NULL, 10);
        if (id > 0 && !*find(l, id))
                leaf = leaf_new((uint32_t)strtoul(name, NULL, 10));
        if (leaf)
                insert(l, leaf, id);
        else
                cgroup_remove(l->fd, name);
}

static int take_over_all(struct leaves *l)
{
        DIR *dir = opendir(l->path);
        struct dirent *entry;

        if (!dir)
                return -1;
        while ((entry = readdir(dir)))
                if (entry->d_type == DT_DIR && *entry->d_name != '.')
                        take_over(l, entry->d_name);
        closedir(dir);
        return 0;
}

/* Can this be done here at all? The kernel says no to many a thing, and each process would find out anew. */
static bool probe_in(int dir)
{
        CLEANUP(closep) int fd = -1;
        bool works;

        if (mkdirat(dir, PROBE, 0755) < 0 && errno != EEXIST)
                return false;
        fd = openat(dir, PROBE, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        works = fd >= 0 && fsetxattr(fd, TAG, "0", 1, 0) == 0 && cgroup_takes_clones(fd);
        cgroup_remove(dir, PROBE);
        return works;
}

/* What the kernel's text on delegation says that the new owner has: the directory, and these files. */
static int give(int dir, const struct account *a)
{
        static const char *const files[] = {"cgroup.procs", "cgroup.threads", "cgroup.subtree_control"};

        for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
                if (fchownat(dir, files[i], a->uid, a->gid, AT_SYMLINK_NOFOLLOW) < 0)
                        return -1;
        return fchown(dir, a->uid, a->gid);
}

int leaves_delegate(const struct account *a, char *out, size_t size)
{
        CLEANUP(closep) int base_fd = -1;
        CLEANUP(closep) int fd = -1;
        char base[PATH_MAX - 64];
        int rc = cgroup_base(base, sizeof(base));

        if (rc < 0 || (size_t)snprintf(out, size, "%s/creche-of-%u", base, a->uid) >= size)
                return -1;
        base_fd = rc > 0 ? open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
        if (base_fd >= 0)
                cgroup_share_memory(base_fd);
        if ((mkdir(out, 0755) < 0 && errno != EEXIST) || chmod(out, 0755) < 0)
                return -1;
        fd = open(out, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || !probe_in(fd))
                return -1;
        cgroup_share_memory(fd);
        return give(fd, a);
}

/* Why it cannot be; NULL: it is. Locked against the daemon of a copy of this database, which has the same
 * instance, ids and all. */
static const char *enter(struct leaves *l, bool delegated)
{
        if ((mkdir(l->path, 0755) < 0 && errno != EEXIST) || chmod(l->path, 0755) < 0)
                return "its directory cannot be made";
        l->fd = open(l->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        l->notify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        if (l->fd < 0 || l->notify_fd < 0)
                return "its directory cannot be opened";
        if (flock(l->fd, LOCK_EX | LOCK_NB) < 0)
                return "another server, of a copy of this database, has it";
        l->memory = cgroup_share_memory(l->fd);
        if (!delegated && !probe_in(l->fd)) /* which, delegated, we could not do ourselves */
                return "no process can be cloned into it";
        return take_over_all(l) < 0 ? "its directory cannot be read" : NULL;
}

/* Where the last daemon had them, if anybody is still there; else @out is left alone. One that is locked is that
 * of a server whose database has been copied. */
static void stay_where_survivors_are(int state_fd, char out[PATH_MAX])
{
        char old[PATH_MAX];
        CLEANUP(closep) int fd = -1;

        if (beneath_read(state_fd, RECORD, old, sizeof(old)) <= 0 || *old != '/')
                return;
        old[strcspn(old, "\n")] = '\0';
        fd = strcmp(old, out) != 0 ? open(old, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && cgroup_remove(AT_FDCWD, old) < 0)
                snprintf(out, PATH_MAX, "%s", old);
}

/* Before the directory is made: no crash leaves one of which nobody knows. */
static int remember(int state_fd, const char *path)
{
        char old[PATH_MAX];
        struct err e = {0};

        if (beneath_read(state_fd, RECORD, old, sizeof(old)) > 0 && !strcmp(old, path))
                return 0;
        return fd_write_file(state_fd, RECORD, 0600, path, strlen(path), &e);
}

static const char *settle_in(struct leaves *l, int state_fd, const char *instance, const char *delegated)
{
        char base[PATH_MAX - 64];
        CLEANUP(closep) int base_fd = -1;
        int rc;

        rc = delegated ? 0 : cgroup_base(base, sizeof(base));
        if (rc < 0)
                return "there is no cgroup2 hierarchy";
        if (delegated)
                snprintf(base, sizeof(base), "%s", delegated);
        if (access(base, W_OK) < 0)
                return "the cgroup2 hierarchy may not be written to";
        snprintf(l->path, sizeof(l->path), "%s/creche-%.40s", base, instance);
        stay_where_survivors_are(state_fd, l->path);
        if (remember(state_fd, l->path) < 0)
                return "where it is cannot be written down";
        base_fd = rc > 0 ? open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
        if (base_fd >= 0)
                cgroup_share_memory(base_fd);
        return enter(l, delegated);
}

struct leaves *leaves_open(int state_dir, const char *instance, const char *base)
{
        struct leaves *l = calloc(1, sizeof(*l));
        const char *why;

        if (!l)
                return NULL;
        l->fd = l->notify_fd = -1;
        list_init(&l->ended);
        pthread_mutex_init(&l->lock, NULL);
        why = settle_in(l, state_dir, instance, base);
        if (!why) {
                log_info("cgroup.ready", "directory=%s memory=%d", log_quote(l->path), l->memory);
                return l;
        }
        log_info("cgroup.none", "reason=%s directory=%s", log_quote(why), log_quote(l->path));
        leaves_close(l);
        return NULL;
}

static void free_chain(struct leaf *leaf)
{
        while (leaf) {
                struct leaf *next = leaf->next;

                free(leaf);
                leaf = next;
        }
}

void leaves_close(struct leaves *l)
{
        if (!l)
                return;
        list_for_each_safe (node, &l->ended)
                try_release(l, container_of(node, struct leaf, link), false);
        for (struct leaf *leaf = l->idle; leaf; leaf = leaf->next) {
                char name[NAME_MAX_BYTES];

                cgroup_remove(l->fd, name_of(leaf, name));
        }
        free_chain(l->idle);
        for (int i = 0; i < BUCKETS; i++)
                free_chain(l->by_id[i]);
        if (l->fd >= 0)
                rmdir(l->path);
        closep(&l->fd);
        closep(&l->notify_fd);
        pthread_mutex_destroy(&l->lock);
        free(l);
}
