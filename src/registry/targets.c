/* SPDX-License-Identifier: MIT */
#include "registry/targets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/secret.h"
#include "registry/internal.h"
#include "store/targets.h"

/* A change of a target on its way to the disk. */
struct target_op {
        struct store_job job;
        struct ticket *ticket;
        struct actor actor;
        char name[TARGET_NAME_MAX + 1];
        char *definition; /* NULL: it is deleted */
        int64_t at_us;
        bool replaced;
};

static void op_free(struct target_op *op)
{
        if (!op)
                return;
        secret_free_all(op->definition);
        free(op);
}

static void op_freep(struct target_op **op)
{
        op_free(*op);
}

static int change(struct target_op *op, struct db *db, struct err *e)
{
        int rc;

        if (!op->definition)
                return record_target_delete(db, op->name, e);
        rc = record_target_put(db, op->name, op->definition, op->at_us, e);
        op->replaced = rc == 1;
        return rc < 0 ? -1 : 0;
}

static int op_run(struct store_job *job, struct db *db, struct err *e)
{
        struct target_op *op = container_of(job, struct target_op, job);
        struct audit entry = audit_by(&op->actor);

        if (change(op, db, e) < 0)
                return -1;
        entry.verb = op->definition ? "target.put" : "target.delete";
        entry.detail = op->name;
        entry.outcome = AUDIT_DONE;
        return record_audit(db, &entry, e);
}

static void op_done(struct store_job *job, const struct err *e)
{
        struct target_op *op = container_of(job, struct target_op, job);
        struct ticket *t = op->ticket;

        if (e)
                t->err = *e;
        t->replaced = op->replaced;
        op_free(op);
        t->done(t);
}

/* @definition NULL: delete. */
static int submit(struct registry *r, const struct caller *who, const char *name, const char *definition,
                  struct ticket *t)
{
        CLEANUP(op_freep) struct target_op *op = calloc(1, sizeof(*op));
        struct target_op *submitted;

        if (!op || (definition && !(op->definition = strdup(definition))))
                return err_set(&t->err, ERR_UNAVAILABLE, 0, "out of memory");
        op->ticket = t;
        op->actor = caller_actor(who);
        op->at_us = clock_now_us();
        snprintf(op->name, sizeof(op->name), "%s", name);
        op->job = (struct store_job){.run = op_run, .done = op_done, .grows = definition != NULL};
        submitted = TAKE_PTR(op);
        store_submit(r->store, &submitted->job);
        return 1;
}

int registry_target_put(struct registry *r, const struct caller *who, const char *name,
                        const char *definition, struct ticket *t)
{
        return submit(r, who, name, definition, t);
}

int registry_target_delete(struct registry *r, const struct caller *who, const char *name, struct ticket *t)
{
        return submit(r, who, name, NULL, t);
}

int registry_target_show(struct registry *r, const char *name, registry_show_target_fn show, void *arg,
                         struct err *e)
{
        int rc = store_target(r->store, name, show, arg, e);

        return rc == 1 ? err_set(e, ERR_NOT_FOUND, 0, "there is no target '%s'", name) : rc;
}

struct target_list {
        registry_show_target_fn show;
        void *arg;
        size_t left;
        bool more;
};

static void show_within(const struct target *t, void *arg)
{
        struct target_list *l = arg;

        if (!l->left)
                l->more = true;
        else
                l->show(t, l->arg);
        l->left -= l->left > 0;
}

int registry_targets_list(struct registry *r, const struct page *page, registry_show_target_fn show,
                          void *arg, struct err *e)
{
        struct target_list l = {.show = show, .arg = arg, .left = page->limit};

        return store_targets(r->store, page, show_within, &l, e) < 0 ? -1 : l.more;
}
