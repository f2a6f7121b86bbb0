/* SPDX-License-Identifier: MIT */
#include "start/leaves.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/param.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"
#include "start/cgroup.h"
#include "start/place.h"
#include "start/tags.h"

enum { BUCKETS = 4096, IDLE_MAX = 256, OPEN_MAX = 256, NAME_MAX_BYTES = 16, EVENT_BYTES = 4096 };

/* Two files for each leaf that is kept open: of the limit that is an eighth. */
enum { LIMIT_PER_OPEN = 16 };

#define TAGS "leaves"

struct leaf {
        struct leaf *next; /* in its bucket, or of the idle ones, or of those that are no more */
        int64_t id;
        uint32_t number;
        int fd, events;   /* its directory and its cgroup.events, while it is kept open; -1 */
        int watch;        /* of cgroup.events; -1: none */
        struct list link; /* in leaves->ended */
        struct list open; /* in leaves->open */
};

struct leaves {
        char path[PATH_MAX];
        int fd, notify_fd;
        bool memory;
        /* Guards the rest, and that a leaf stays whose it is while it is being used: held across the calls of
         * cgroup.h, which take no longer than there are processes in a leaf. */
        pthread_mutex_t lock;
        struct tags *tags;
        struct leaf *by_id[BUCKETS];
        struct list ended; /* not empty yet */
        struct leaf *idle, *gone;
        unsigned idle_n;
        struct list
                open; /* those that may be closed when there are too many: the one that was used longest ago first */
        unsigned open_n, open_max;
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
        leaf->fd = leaf->events = leaf->watch = -1;
        list_init(&leaf->link);
        list_init(&leaf->open);
        return leaf;
}

static void free_chain(struct leaf *leaf)
{
        while (leaf) {
                struct leaf *next = leaf->next;

                closep(&leaf->fd);
                closep(&leaf->events);
                free(leaf);
                leaf = next;
        }
}

/* ------------------------------------------------------------------------------------------ files */

static void close_leaf(struct leaves *l, struct leaf *leaf)
{
        l->open_n -= leaf->fd >= 0;
        list_remove(&leaf->open);
        closep(&leaf->fd);
        closep(&leaf->events);
}

/* Have the files of @leaf open, until keep_open(). 0; -1: there is no such group any more. */
static int open_leaf(struct leaves *l, struct leaf *leaf)
{
        char name[NAME_MAX_BYTES];

        list_remove(&leaf->open);
        if (leaf->fd >= 0)
                return 0;
        leaf->fd = openat(l->fd, name_of(leaf, name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (leaf->fd < 0)
                return -1;
        l->open_n++;
        leaf->events = openat(leaf->fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
        if (leaf->events < 0)
                close_leaf(l, leaf);
        return leaf->fd < 0 ? -1 : 0;
}

/* They stay open, for whatever comes next, as long as not too many others are used after them. */
static void keep_open(struct leaves *l, struct leaf *leaf)
{
        list_append(&l->open, &leaf->open);
        while (l->open_n > l->open_max && !list_empty(&l->open))
                close_leaf(l, container_of(l->open.next, struct leaf, open));
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

/* Its number is for the next one that is made: nobody's, from before it is gone. One that somebody is in stays whose it
 * is, for the daemon that comes after us. */
static void discard(struct leaves *l, struct leaf *leaf)
{
        char name[NAME_MAX_BYTES];
        int64_t id = tags_get(l->tags, leaf->number);

        close_leaf(l, leaf);
        tags_set(l->tags, leaf->number, 0);
        if (cgroup_remove(l->fd, name_of(leaf, name)) < 0) {
                tags_set(l->tags, leaf->number, id);
                free(leaf);
                return;
        }
        leaf->next = l->gone;
        l->gone = leaf;
}

/* Under the lock: its process is gone, and so is everybody else in it: @state, as its files said. An idle leaf is
 * nobody's: its last process, if it never ran, may be started again, in another leaf. */
static void release(struct leaves *l, struct leaf *leaf, enum cgroup_state state, bool reuse)
{
        forget(l, leaf);
        if (reuse && l->idle_n < IDLE_MAX && state == CGROUP_EMPTY &&
            cgroup_is_untouched(leaf->fd, l->memory) && tags_set(l->tags, leaf->number, 0) == 0) {
                leaf->next = l->idle;
                l->idle = leaf;
                l->idle_n++;
                keep_open(l, leaf);
        } else {
                discard(l, leaf);
        }
}

/* ------------------------------------------------------------------------------------------ claim */

static struct leaf *take(struct leaf **chain)
{
        struct leaf *leaf = *chain;

        if (leaf)
                *chain = leaf->next;
        return leaf;
}

static int make_group(struct leaves *l, const struct leaf *leaf)
{
        char name[NAME_MAX_BYTES];

        if (mkdirat(l->fd, name_of(leaf, name), 0755) < 0)
                return -1;
        /* Whatever our umask: programs read in their group how much memory there is for them. */
        return fchmodat(l->fd, name, 0755, 0);
}

static struct leaf *make(struct leaves *l)
{
        for (;;) {
                struct leaf *leaf = take(&l->gone);

                if (!leaf)
                        leaf = leaf_new(++l->last_number);
                if (!leaf || make_group(l, leaf) == 0)
                        return leaf;
                free(leaf);
                if (errno != EEXIST)
                        return NULL;
        }
}

/* Under the lock: a leaf for @id, its files open; NULL. An idle one may have been removed by somebody else, or used: then
 * there is another. A new one is frozen if all of ours are, and so is then who is born into it. */
static struct leaf *obtain(struct leaves *l, int64_t id)
{
        for (;;) {
                struct leaf *leaf = take(&l->idle);
                bool idle = leaf;

                if (idle)
                        l->idle_n--;
                else
                        leaf = make(l);
                if (leaf && open_leaf(l, leaf) == 0 &&
                    (!idle || cgroup_state(leaf->events) == CGROUP_EMPTY) &&
                    tags_set(l->tags, leaf->number, id) == 0)
                        return leaf;
                if (leaf)
                        discard(l, leaf);
                if (!idle)
                        return NULL;
        }
}

static void say_refused(struct leaves *l)
{
        if (!l->said)
                log_warn("cgroup.refused", "directory=%s errno=%s", log_quote(l->path),
                         err_errno_name(errno));
        l->said = true;
}

int leaves_claim(struct leaves *l, int64_t id)
{
        struct leaf *leaf;

        if (!l)
                return -1;
        pthread_mutex_lock(&l->lock);
        leaf = obtain(l, id);
        if (leaf)
                insert(l, leaf, id);
        else
                say_refused(l);
        pthread_mutex_unlock(&l->lock);
        return leaf ? leaf->fd : -1;
}

void leaves_cloned(struct leaves *l, int64_t id)
{
        struct leaf *leaf;

        if (!l)
                return;
        pthread_mutex_lock(&l->lock);
        leaf = *find(l, id);
        if (leaf)
                keep_open(l, leaf);
        pthread_mutex_unlock(&l->lock);
}

/* -------------------------------------------------------------------------------------------- end */

/* Under the lock: @leaf goes if it is empty. Who cannot look, as there are no files to be had, leaves it. */
static bool try_release(struct leaves *l, struct leaf *leaf, bool reuse)
{
        enum cgroup_state state = CGROUP_UNUSABLE;

        if (open_leaf(l, leaf) == 0)
                state = cgroup_state(leaf->events);
        else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
                return false;
        if (state == CGROUP_POPULATED) {
                keep_open(l, leaf);
                return false;
        }
        release(l, leaf, state, reuse);
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
        struct leaf *leaf = leaf_new((uint32_t)strtoul(name, NULL, 10));
        char number[NAME_MAX_BYTES];
        int64_t id = leaf && !strcmp(name_of(leaf, number), name) ? tags_get(l->tags, leaf->number) : 0;

        if (id > 0 && !*find(l, id)) {
                insert(l, leaf, id);
                return;
        }
        free(leaf);
        cgroup_remove(l->fd, name);
}

/* Of leaves that are no more: none that is made is to begin as somebody's. */
static void forget_tags(struct leaves *l)
{
        for (uint32_t i = 0; i < tags_room(l->tags); i++) {
                int64_t id = tags_get(l->tags, i);
                const struct leaf *leaf = id ? *find(l, id) : NULL;

                if (id && (!leaf || leaf->number != i))
                        tags_set(l->tags, i, 0);
        }
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
        forget_tags(l);
        return 0;
}

/* Why it cannot be; NULL: it is. Locked against the daemon of a copy of this database, which has the same
 * instance, ids and all. */
static const char *enter(struct leaves *l, int state_dir, bool delegated, struct err *e)
{
        if ((mkdir(l->path, 0755) < 0 && errno != EEXIST) || chmod(l->path, 0755) < 0)
                return "its directory cannot be made";
        l->fd = open(l->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        l->notify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        if (l->fd < 0 || l->notify_fd < 0)
                return "its directory cannot be opened";
        if (flock(l->fd, LOCK_EX | LOCK_NB) < 0)
                return "another server, of a copy of this database, has it";
        if (tags_open(state_dir, TAGS, l->fd, &l->tags, e) < 0)
                return "whose they are cannot be written down";
        l->memory = cgroup_share_memory(l->fd);
        if (!delegated && !place_works(l->fd)) /* which, delegated, we could not find out ourselves */
                return "no process can be cloned into it";
        return take_over_all(l) < 0 ? "its directory cannot be read" : NULL;
}

static unsigned how_many_open(void)
{
        struct rlimit limit = {0};

        getrlimit(RLIMIT_NOFILE, &limit);
        return (unsigned)MIN(limit.rlim_cur / LIMIT_PER_OPEN, OPEN_MAX);
}

int leaves_open(int state_dir, const char *instance, const char *delegated, struct leaves **out,
                struct err *e)
{
        struct leaves *l = calloc(1, sizeof(*l));
        struct err own = {0};
        const char *why;

        if (!l)
                return 1;
        l->fd = l->notify_fd = -1;
        list_init(&l->ended);
        list_init(&l->open);
        l->open_max = how_many_open();
        pthread_mutex_init(&l->lock, NULL);
        why = place_find(state_dir, instance, delegated, l->path);
        if (!why)
                why = enter(l, state_dir, delegated, &own);
        if (!why) {
                log_info("cgroup.ready", "directory=%s memory=%d", log_quote(l->path), l->memory);
                *out = l;
                return 0;
        }
        log_info("cgroup.none", "reason=%s error=%s directory=%s", log_quote(why), log_quote(own.msg),
                 log_quote(l->path));
        leaves_close(l);
        if (own.kind != ERR_INVALID)
                return 1;
        *e = own;
        return -1;
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
        free_chain(l->gone);
        for (int i = 0; i < BUCKETS; i++)
                free_chain(l->by_id[i]);
        if (l->fd >= 0)
                rmdir(l->path);
        tags_close(l->tags);
        closep(&l->fd);
        closep(&l->notify_fd);
        pthread_mutex_destroy(&l->lock);
        free(l);
}
