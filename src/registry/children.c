/* SPDX-License-Identifier: MIT */
/* The table of active children: by id, and by pid for those whose exit somebody else tells us. */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>

#include "base/fd.h"
#include "registry/internal.h"
#include "start/deliver.h"

struct child *child_new(struct registry *r)
{
        struct child *c = calloc(1, sizeof(*c));

        if (!c)
                return NULL;
        c->source.kind = SOURCE_CHILD;
        c->refs = 1;
        c->registry = r;
        c->pidfd = -1;
        c->stdin_fd = -1;
        list_init(&c->all);
        list_init(&c->waiters);
        list_init(&c->reap);
        return c;
}

struct child *child_ref(struct child *c)
{
        c->refs++;
        return c;
}

void child_unref(struct child *c)
{
        if (!c || --c->refs)
                return;
        closep(&c->pidfd);
        closep(&c->stdin_fd);
        process_done(&c->rec);
        free(c->stdin_by);
        free(c);
}

void child_unrefp(struct child **c)
{
        child_unref(*c);
}

bool child_is_dead(struct child *c)
{
        struct pollfd p = {.fd = c->pidfd, .events = POLLIN};

        if (c->exit_seen)
                return true;
        return c->rec.state == PROCESS_STARTED && c->pidfd >= 0 && poll(&p, 1, 0) > 0;
}

bool child_signal(struct child *c, int signo)
{
        bool sent = deliver_signal(c->pidfd, signo) == 0;

        if (sent && signo != SIGKILL && signal_asks_for_the_end(signo))
                deliver_signal(c->pidfd, SIGCONT);
        return sent;
}

static struct child **id_bucket(struct registry *r, int64_t id)
{
        return &r->by_id[(uint64_t)id % BUCKETS];
}

static struct child **pid_bucket(struct registry *r, pid_t pid)
{
        return &r->by_pid[(unsigned)pid % BUCKETS];
}

struct child *table_find(struct registry *r, int64_t id)
{
        struct child *c = *id_bucket(r, id);

        while (c && c->rec.id != id)
                c = c->id_next;
        return c;
}

struct child *table_find_pid(struct registry *r, pid_t pid)
{
        struct child *c = *pid_bucket(r, pid);

        while (c && c->rec.pid != pid)
                c = c->pid_next;
        return c;
}

void table_insert(struct registry *r, struct child *c)
{
        struct child **bucket = id_bucket(r, c->rec.id);

        c->id_next = *bucket;
        *bucket = child_ref(c);
        c->in_table = true;
        list_append(&r->all, &c->all);
        r->all_n++;
}

void table_insert_pid(struct registry *r, struct child *c)
{
        struct child **bucket = pid_bucket(r, c->rec.pid);

        c->pid_next = *bucket;
        *bucket = c;
        c->in_pids = true;
}

void table_remove(struct registry *r, struct child *c)
{
        if (c->in_pids) {
                struct child **p = pid_bucket(r, c->rec.pid);

                while (*p != c)
                        p = &(*p)->pid_next;
                *p = c->pid_next;
                c->in_pids = false;
        }
        if (c->in_table) {
                struct child **p = id_bucket(r, c->rec.id);

                while (*p != c)
                        p = &(*p)->id_next;
                *p = c->id_next;
                c->in_table = false;
                list_remove(&c->all);
                r->all_n--;
                child_unref(c);
        }
}

struct child **table_snapshot(struct registry *r, bool (*wants)(const struct child *c, const void *arg),
                              const void *arg, size_t *n)
{
        struct child **all = r->all_n ? malloc(r->all_n * sizeof(*all)) : NULL;

        *n = 0;
        if (!all)
                return NULL;
        list_for_each (node, &r->all) {
                struct child *c = container_of(node, struct child, all);

                if (!wants || wants(c, arg))
                        all[(*n)++] = child_ref(c);
        }
        return all;
}
