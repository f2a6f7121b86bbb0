/* SPDX-License-Identifier: MIT */
/* The audit trail: what is told beside a change, and what has no change to stand beside. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "registry/access.h"
#include "registry/internal.h"

int audit_process(struct db *db, const struct actor *a, const char *verb, int64_t process, const char *detail,
                  const char *outcome, struct err *e)
{
        struct audit entry = audit_by(a);

        entry.verb = verb;
        entry.process = process;
        entry.detail = detail;
        entry.outcome = outcome;
        return record_audit(db, &entry, e);
}

/* An entry alone, on its way to the disk. */
struct audit_op {
        struct store_job job;
        struct actor actor;
        const char *verb; /* static */
        int64_t process;
        char detail[AUDIT_DETAIL_MAX];
        const char *outcome; /* static */
};

static int note_run(struct store_job *job, struct db *db, struct err *e)
{
        struct audit_op *op = container_of(job, struct audit_op, job);

        return audit_process(db, &op->actor, op->verb, op->process, *op->detail ? op->detail : NULL,
                             op->outcome, e);
}

static void note_done(struct store_job *job, const struct err *e)
{
        struct audit_op *op = container_of(job, struct audit_op, job);

        if (e)
                log_warn("audit.not_recorded", "who=%s verb=%s process=%" PRId64 " error=%s",
                         log_quote(op->actor.who), op->verb, op->process, log_quote(e->msg));
        free(op);
}

void audit_note(struct registry *r, const struct actor *a, const char *verb, int64_t process,
                const char *detail, const char *outcome)
{
        struct audit_op *op = calloc(1, sizeof(*op));

        if (!op) {
                log_warn("audit.not_recorded", "who=%s verb=%s process=%" PRId64 " error=memory",
                         log_quote(a->who), verb, process);
                return;
        }
        op->actor = *a;
        op->verb = verb;
        op->process = process;
        op->outcome = outcome;
        if (detail)
                snprintf(op->detail, sizeof(op->detail), "%s", detail);
        op->job = (struct store_job){.run = note_run, .done = note_done};
        store_submit(r->store, &op->job);
}

struct audit_list {
        access_show_audit_fn show;
        void *arg;
        size_t left;
        bool more;
};

static void show_within(const struct audit *a, void *arg)
{
        struct audit_list *l = arg;

        if (!l->left)
                l->more = true;
        else
                l->show(a, l->arg);
        l->left -= l->left > 0;
}

int registry_audit(struct registry *r, const struct audit_filter *f, access_show_audit_fn show, void *arg,
                   struct err *e)
{
        struct audit_list l = {.show = show, .arg = arg, .left = f->page.limit};

        return store_audit(r->store, f, show_within, &l, e) < 0 ? -1 : l.more;
}
