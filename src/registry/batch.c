/* SPDX-License-Identifier: MIT */
/* Many starts that are asked for together. Each is a start as any other; what they share is the transaction. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/killpoint.h"
#include "registry/internal.h"

/* A client's key, a space, and which one. */
enum { ITEM_KEY_MAX = 320 };

/* All of them, on their way. */
struct batch_op {
        struct store_job job;
        struct registry *registry;
        struct batch *batch;
        struct ticket *ticket;
        _Atomic size_t left; /* of those that are under way, and of who begins them */
};

/* One less is under way. */
static void leave(struct batch_op *op)
{
        struct ticket *t = op->ticket;

        if (atomic_fetch_sub(&op->left, 1) != 1)
                return;
        KILLPOINT("batch.told");
        free(op);
        t->done(t);
}

static void item_done(struct ticket *t)
{
        leave(container_of(t, struct creation, ticket)->within);
}

static struct start_op *make(struct batch_op *op, struct creation *c, const struct caller *who,
                             const struct idempotency *key)
{
        if (c->spec)
                return start_op_create(op->registry, who, TAKE_PTR(c->spec), c->body, key, &c->ticket);
        if (key && c->may_repeat)
                return start_op_repeat(op->registry, who, key, &c->refusal, &c->ticket);
        c->ticket.err = c->refusal;
        return NULL;
}

/* Returns 0, or -1: its ticket's err says why it does not even begin. */
static int prepare(struct batch_op *op, size_t i, const struct caller *who, const struct idempotency *idem)
{
        struct creation *c = &op->batch->items[i];
        struct idempotency own = {0};
        char text[ITEM_KEY_MAX];

        ticket_init(&c->ticket, item_done);
        c->within = op;
        if (idem) {
                own = *idem;
                snprintf(text, sizeof(text), "%s %zu", idem->key, i);
                own.key = text;
        }
        c->op = make(op, c, who, idem ? &own : NULL);
        if (!c->op)
                return -1;
        c->op->stays = op->batch->all;
        return 0;
}

/* All of them in one savepoint. */
static int batch_run(struct store_job *job, struct db *db, struct err *e)
{
        struct batch *b = container_of(job, struct batch_op, job)->batch;

        for (size_t i = 0; i < b->n; i++) {
                struct store_job *one = &b->items[i].op->job;

                if (one->run(one, db, e) < 0) {
                        b->refused = i;
                        return -1;
                }
        }
        KILLPOINT("batch.written");
        return 0;
}

static void batch_enter(struct store_job *job)
{
        struct batch *b = container_of(job, struct batch_op, job)->batch;

        for (size_t i = 0; i < b->n; i++)
                b->items[i].op->job.enter(&b->items[i].op->job);
}

static void batch_done(struct store_job *job, const struct err *e)
{
        struct batch_op *op = container_of(job, struct batch_op, job);
        struct batch *b = op->batch;

        b->none = e;
        KILLPOINT("batch.durable");
        for (size_t i = 0; i < b->n; i++) {
                struct store_job *one = &b->items[i].op->job;

                one->done(one, e);
                KILLPOINT("batch.begun");
        }
        leave(op);
}

static void start_all(struct batch_op *op)
{
        op->left = op->batch->n + 1;
        KILLPOINT("batch.all");
        op->job =
                (struct store_job){.run = batch_run, .enter = batch_enter, .done = batch_done, .grows = true};
        store_submit(op->registry->store, &op->job);
}

static void start_each(struct batch_op *op)
{
        struct batch *b = op->batch;
        struct list jobs = LIST_INIT(jobs);

        op->left = 1;
        for (size_t i = 0; i < b->n; i++) {
                if (!b->items[i].op)
                        continue;
                list_append(&jobs, &b->items[i].op->job.link);
                op->left++;
        }
        KILLPOINT("batch.each");
        store_submit_all(op->registry->store, &jobs);
        leave(op);
}

/* Those that have been prepared come to nothing. */
static void drop(struct batch *b)
{
        for (size_t i = 0; i < b->n; i++)
                start_op_free(TAKE_PTR(b->items[i].op));
}

/* Returns 0; 1: it is over. */
static int prepare_all(struct batch_op *op, const struct caller *who, const struct idempotency *idem)
{
        struct batch *b = op->batch;

        for (size_t i = 0; i < b->n; i++) {
                if (prepare(op, i, who, idem) == 0 || !b->all)
                        continue;
                b->none = true;
                b->refused = i;
                drop(b);
                return 1;
        }
        return 0;
}

int registry_create_many(struct registry *r, const struct caller *who, struct batch *b,
                         const struct idempotency *idem, struct ticket *t)
{
        CLEANUP(freep) struct batch_op *op = calloc(1, sizeof(*op));

        if (!op)
                return err_set(&t->err, ERR_UNAVAILABLE, 0, "out of memory");
        *op = (struct batch_op){.registry = r, .batch = b, .ticket = t};
        if (prepare_all(op, who, idem) > 0)
                return 0;
        if (b->all)
                start_all(TAKE_PTR(op));
        else
                start_each(TAKE_PTR(op));
        return 1;
}
