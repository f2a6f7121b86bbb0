/* SPDX-License-Identifier: MIT */
/* Showing processes. The database has every row; of a process that runs the table of active children knows
 * more, because the row of a start that was just answered may still be on its way to the disk. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "registry/internal.h"

struct show {
        const struct caller *who;
        process_show_fn fn;
        void *arg;
        bool shown;
};

static void show_if_visible(const struct process *p, void *arg)
{
        struct show *s = arg;

        if (!caller_sees(s->who, p))
                return;
        s->shown = true;
        s->fn(p, s->arg);
}

/* Show @id if it is active. */
static bool show_active(struct registry *r, int64_t id, struct show *s)
{
        struct child *c;
        bool found;

        pthread_mutex_lock(&r->lock);
        c = table_find(r, id);
        found = c && c->durable && process_state_is_open(c->rec.state);
        if (found)
                show_if_visible(&c->rec, s);
        pthread_mutex_unlock(&r->lock);
        return found;
}

int registry_show(struct registry *r, const struct caller *who, int64_t id, process_show_fn show, void *arg,
                  struct err *e)
{
        struct show s = {.who = who, .fn = show, .arg = arg};

        if (!show_active(r, id, &s) && store_get(r->store, id, show_if_visible, &s, e) < 0)
                return -1;
        return s.shown ? 0 : err_set(e, ERR_NOT_FOUND, 0, "there is no process %" PRId64, id);
}

int registry_show_waited(struct registry *r, const struct caller *who, const struct ticket *t, size_t i,
                         int64_t id, process_show_fn show, void *arg, struct err *e)
{
        const struct child *c = t->many ? t->many[i].seen : t->one.seen;

        if (!c || c->rec.id != id)
                return registry_show(r, who, id, show, arg, e);
        /* Nobody writes what has left the table. */
        show(&c->rec, arg);
        return 0;
}

static void copy_record(const struct process *p, void *arg)
{
        *(struct process **)arg = process_copy(p);
}

struct process *registry_find(struct registry *r, const struct caller *who, int64_t id, struct err *e)
{
        struct process *p = NULL;

        if (registry_show(r, who, id, copy_record, &p, e) < 0)
                return NULL;
        if (!p)
                err_set(e, ERR_UNAVAILABLE, 0, "out of memory");
        return p;
}

struct list_arg {
        struct registry *registry;
        const struct caller *who;
        const struct process_filter *filter;
        process_show_fn fn;
        void *arg;
        size_t rows;
};

static void show_if_state_matches(const struct process *p, void *arg)
{
        struct list_arg *l = arg;

        if (!l->filter->states || l->filter->states & 1U << p->state)
                l->fn(p, l->arg);
}

static void show_row(const struct process *p, void *arg)
{
        struct list_arg *l = arg;
        struct show s = {.who = l->who, .fn = show_if_state_matches, .arg = l};
        struct err ignored;

        if (++l->rows > l->filter->limit)
                return; /* it only tells that there are more */
        if (!process_state_is_open(p->state))
                show_if_visible(p, &s);
        else if (!show_active(l->registry, p->id, &s)) /* it has ended since this row was read */
                store_get(l->registry->store, p->id, show_if_visible, &s, &ignored);
}

int registry_list(struct registry *r, const struct caller *who, const struct process_filter *f,
                  process_show_fn show, void *arg, struct err *e)
{
        struct list_arg l = {.registry = r, .who = who, .filter = f, .fn = show, .arg = arg};

        if (store_list(r->store, who, f, show_row, &l, e) < 0)
                return -1;
        return l.rows > f->limit;
}

int registry_events(struct registry *r, const struct caller *who, const struct event_filter *f,
                    struct event_page *page, event_show_fn show, void *arg, struct err *e)
{
        return store_events(r->store, who, f, page, show, arg, e);
}

void registry_watch(struct registry *r, void (*watcher)(void *), void *arg)
{
        store_watch(r->store, watcher, arg);
}

static bool is_active_child_of(const struct child *c, const void *arg)
{
        const struct caller *who = arg;

        return c->rec.state == PROCESS_STARTED && !c->exit_seen && caller_is_parent(who, &c->rec);
}

int registry_active_children(struct registry *r, const struct caller *who, process_show_fn show, void *arg,
                             struct err *e)
{
        CLEANUP(freep) struct child **all = NULL;
        size_t n;

        (void)e;
        pthread_mutex_lock(&r->lock);
        all = table_snapshot(r, is_active_child_of, who, &n);
        pthread_mutex_unlock(&r->lock);
        for (size_t i = 0; i < n; i++) {
                /* One at a time: nobody waits long for the lock, however many there are. */
                pthread_mutex_lock(&r->lock);
                if (all[i]->rec.state == PROCESS_STARTED)
                        show(&all[i]->rec, arg);
                pthread_mutex_unlock(&r->lock);
                child_unref(all[i]);
        }
        return 0;
}
