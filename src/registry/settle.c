/* SPDX-License-Identifier: MIT */
/* Settling: an answer that depends on exits asks first whether all that have happened are recorded. */
#include <poll.h>

#include "registry/internal.h"

/* An exit that is seen counts into the current epoch until it is recorded. Who wants all that
 * has been seen by now recorded waits for the current epoch and, before it, the one before. */
static void settle_advance(struct registry *r, struct list *done)
{
        for (;;) {
                unsigned old = (r->epoch + 1) & 1;
                struct list *node;

                if (r->unrecorded[old])
                        return;
                while ((node = list_pop(&r->settlers[old])))
                        ticket_complete(container_of(node, struct ticket, link), done);
                if (list_empty(&r->settlers[r->epoch & 1]))
                        return;
                r->epoch++;
        }
}

void settle_seen(struct registry *r, struct child *c)
{
        c->epoch = r->epoch & 1;
        r->unrecorded[c->epoch]++;
}

void settle_recorded(struct registry *r, struct child *c, struct list *done)
{
        r->unrecorded[c->epoch]--;
        settle_advance(r, done);
}

bool settle_heard(struct registry *r)
{
        list_splice(&r->settlers_heard, &r->settlers_new);
        return !list_empty(&r->settlers_heard);
}

void settle_drained(struct registry *r, struct list *done)
{
        if (list_empty(&r->settlers_heard))
                return;
        list_splice(&r->settlers[r->epoch & 1], &r->settlers_heard);
        settle_advance(r, done);
}

bool settle_is_awaited(const struct registry *r)
{
        return !list_empty(&r->settlers_new) || !list_empty(&r->settlers_heard) ||
               !list_empty(&r->settlers[0]) || !list_empty(&r->settlers[1]);
}

/* Nothing to see and nothing seen that is not recorded. The kernel is asked first: an event leaves the epoll
 * only after it was counted. */
static bool is_settled(struct registry *r)
{
        struct pollfd p = {.fd = r->epfd, .events = POLLIN};
        bool pending = poll(&p, 1, 0) > 0;

        return !pending && r->unrecorded[0] + r->unrecorded[1] == 0;
}

int registry_settle(struct registry *r, struct ticket *t)
{
        int rc = 0;

        pthread_mutex_lock(&r->lock);
        if (!r->shut && !is_settled(r)) {
                ticket_attach(r, t, SETTLE_MAX_US);
                list_append(&r->settlers_new, &t->link);
                reaper_wake(r);
                store_hurry(r->store);
                rc = 1;
        }
        pthread_mutex_unlock(&r->lock);
        return rc;
}
