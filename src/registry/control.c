/* SPDX-License-Identifier: MIT */
/* What is done to a process: signals, its name, close, delete. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/killpoint.h"
#include "base/log.h"
#include "registry/internal.h"
#include "start/deliver.h"

/* A change on its way to the disk, for which a ticket waits. */
struct control_op {
        struct store_job job;
        struct registry *registry;
        struct ticket *ticket;
        struct ticket inner; /* waits for the end of a process that is dead already, before the change */
        struct child *child;
        int64_t id;
        int signo;
        bool tree, wake;
        bool dead;        /* the process itself has ended */
        const char *verb; /* static */
        struct actor actor;
        char *text;             /* requested_by, or a name */
        struct process *respec; /* PATCH: the launch part of a record */
        char *request;
        enum process_state was;
};

static void op_free(struct control_op *op)
{
        if (!op)
                return;
        ticket_done(&op->inner);
        child_unref(op->child);
        process_free(op->respec);
        free(op->text);
        free(op->request);
        free(op);
}

static void op_freep(struct control_op **op)
{
        op_free(*op);
}

static struct control_op *op_new(struct registry *r, const struct caller *who, int64_t id, const char *verb,
                                 struct ticket *t)
{
        struct control_op *op = calloc(1, sizeof(*op));

        if (!op) {
                err_set(&t->err, ERR_UNAVAILABLE, 0, "out of memory");
                return NULL;
        }
        t->id = id;
        op->registry = r;
        op->ticket = t;
        op->id = id;
        op->verb = verb;
        op->actor = caller_actor(who);
        return op;
}

static void op_finish(struct control_op *op, const struct err *e)
{
        struct ticket *t = op->ticket;

        if (e)
                t->err = *e;
        op_free(op);
        t->done(t);
}

/* The change is made: who made it. */
static int op_audit(const struct control_op *op, struct db *db, struct err *e)
{
        return audit_process(db, &op->actor, op->verb, op->id, NULL, AUDIT_DONE, e);
}

static int op_submit(struct control_op **op, int (*run)(struct store_job *, struct db *, struct err *),
                     void (*done)(struct store_job *, const struct err *))
{
        struct control_op *submitted = TAKE_PTR(*op);

        submitted->job = (struct store_job){.run = run, .done = done, .grows = submitted->respec != NULL};
        store_submit(submitted->registry->store, &submitted->job);
        return 1;
}

/* Under the lock: through the pidfd, so that no stranger who got the same number is ever met. The group is
 * led by the child, which is not reaped while it is in the table: its number cannot be anybody else's. */
static bool send(struct child *c, int signo, bool group)
{
        if (c->exit_seen || c->pidfd < 0)
                return false;
        return (group ? deliver_to_group(c->pidfd, c->rec.pid, signo) : deliver_signal(c->pidfd, signo)) == 0;
}

/* Without the lock: @signo to @c, and with @tree to all that descend from it. */
static bool send_to(struct child *c, int signo, bool tree)
{
        struct registry *r = c->registry;
        bool leaf = tree && leaves_populated(r->leaves, c->rec.id), sent;

        pthread_mutex_lock(&r->lock);
        sent = send(c, signo, tree && !leaf);
        pthread_mutex_unlock(&r->lock);
        if (leaf)
                sent = leaves_signal(r->leaves, c->rec.id, signo, c->rec.pid) || sent;
        return sent;
}

/* A process that is stopped hears SIGTERM only when it goes on. /signal sends what it was told and no more. */
static bool wakes(int signo, const char *verb)
{
        return signo != SIGKILL && signal_asks_for_the_end(signo) && strcmp(verb, "signal") != 0;
}

static bool deliver(struct child *c, int signo, bool tree, bool wake)
{
        bool delivered = send_to(c, signo, tree);

        if (delivered && wake)
                send_to(c, SIGCONT, tree);
        return delivered;
}

/* The process has ended; who descends from it may be there still. */
static bool deliver_to_survivors(struct registry *r, int64_t id, int signo, bool wake)
{
        bool delivered = leaves_signal(r->leaves, id, signo, 0);

        if (delivered && wake)
                leaves_signal(r->leaves, id, SIGCONT, 0);
        return delivered;
}

/* "SIGTERM tree" */
static const char *signal_detail(const struct control_op *op, char out[AUDIT_DETAIL_MAX])
{
        snprintf(out, AUDIT_DETAIL_MAX, "%s%s", signal_name(op->signo), op->tree ? " tree" : "");
        return out;
}

static int requested_run(struct store_job *job, struct db *db, struct err *e)
{
        struct control_op *op = container_of(job, struct control_op, job);

        char detail[AUDIT_DETAIL_MAX];

        if (record_requested(db, op->id, op->text, e) < 0)
                return -1;
        return audit_process(db, &op->actor, op->verb, op->id, signal_detail(op, detail), AUDIT_ASKED, e);
}

static void warn_unrecorded(const struct control_op *op, const struct err *e)
{
        if (e)
                log_warn("process.request_not_recorded", "id=%" PRId64 " error=%s", op->id,
                         log_quote(e->msg));
}

static void requested_done(struct store_job *job, const struct err *e)
{
        struct control_op *op = container_of(job, struct control_op, job);

        /* A full disk must not keep anybody from killing: the request is told with the exit, if there is room. */
        warn_unrecorded(op, e);
        KILLPOINT("signal.recorded");
        op->ticket->delivered = deliver(op->child, op->signo, op->tree, op->wake);
        KILLPOINT("signal.sent");
        op_finish(op, NULL);
}

/* Of a process that is not in the table: 0 when it has ended, or it is an error. */
static int signal_absent(struct registry *r, const struct caller *who, int64_t id, struct ticket *t)
{
        CLEANUP(process_freep) struct process *p = registry_find(r, who, id, &t->err);

        if (!p)
                return -1;
        if (p->state == PROCESS_CLOSED)
                return err_set(&t->err, ERR_CLOSED, 0, "process object is closed");
        if (p->state == PROCESS_INITIAL)
                return err_set(&t->err, ERR_NOT_STARTED, 0, "process %" PRId64 " has not been started", id);
        if (p->state == PROCESS_STARTING)
                return err_set(&t->err, ERR_TRY_AGAIN, 0, "process %" PRId64 " is just being started", id);
        return 0;
}

/* The answer shows the end of the process, if it has ended: whoever asked was seen to be allowed to see it. */
static void survivors_done(struct store_job *job, const struct err *e)
{
        static const struct caller anyone = {0};
        struct control_op *op = container_of(job, struct control_op, job);
        struct registry *r = op->registry;
        struct ticket *t = op->ticket;
        int64_t id = op->id;
        bool dead = op->dead;

        warn_unrecorded(op, e);
        t->delivered = deliver_to_survivors(r, id, op->signo, op->wake);
        op_free(op);
        if (!dead || registry_wait(r, &anyone, id, 0, t) <= 0)
                t->done(t);
}

/* Who asked goes to the disk before the signal goes out: a crash between the two repeats nothing; the other way
 * round, a process that we stopped would look as if it had died by itself. @op is taken. */
static int note_and_send(struct control_op *op, struct child *c, bool dead)
{
        op->dead = dead;
        if (!c || dead)
                return op_submit(&op, requested_run, survivors_done);
        op->child = child_ref(c);
        return op_submit(&op, requested_run, requested_done);
}

/* One that asks for no end waits for no commit. */
static void send_at_once(struct control_op *op, struct child *c, bool dead)
{
        char detail[AUDIT_DETAIL_MAX];

        audit_note(op->registry, &op->actor, op->verb, op->id, signal_detail(op, detail), AUDIT_ASKED);
        op->ticket->delivered = c && !dead ? deliver(c, op->signo, op->tree, op->wake)
                                           : deliver_to_survivors(op->registry, op->id, op->signo, op->wake);
}

static struct control_op *signal_op(struct registry *r, const struct caller *who, int64_t id, int signo,
                                    const char *verb, bool tree, struct ticket *t)
{
        CLEANUP(op_freep) struct control_op *op = op_new(r, who, id, verb, t);

        if (!op)
                return NULL;
        op->signo = signo;
        op->tree = tree;
        op->wake = wakes(signo, verb);
        if (asprintf(&op->text, "%s by %s", verb, who->who) < 0) {
                op->text = NULL;
                err_set(&t->err, ERR_UNAVAILABLE, 0, "out of memory");
                return NULL;
        }
        return TAKE_PTR(op);
}

/* Under the lock: @id as one that can be signalled, referenced; NULL: it is not in the table. */
static struct child *find_target(struct registry *r, const struct caller *who, int64_t id)
{
        struct child *c = table_find(r, id);

        return c && c->durable && caller_sees(who, &c->rec) && c->rec.state != PROCESS_INITIAL ? child_ref(c)
                                                                                               : NULL;
}

int registry_signal(struct registry *r, const struct caller *who, int64_t id, int signo, const char *verb,
                    bool tree, struct ticket *t)
{
        CLEANUP(op_freep) struct control_op *op = signal_op(r, who, id, signo, verb, tree, t);
        CLEANUP(child_unrefp) struct child *c = NULL;
        bool dead = false, starting = false;

        if (!op)
                return -1;
        pthread_mutex_lock(&r->lock);
        c = find_target(r, who, id);
        if (c) {
                starting = c->rec.state == PROCESS_STARTING;
                dead = child_is_dead(c);
                if (!dead && !starting && signal_asks_for_the_end(signo)) {
                        free(c->rec.requested_by);
                        c->rec.requested_by = strdup(op->text);
                }
        }
        pthread_mutex_unlock(&r->lock);
        if (!c && signal_absent(r, who, id, t) < 0)
                return -1;
        if (starting)
                return err_set(&t->err, ERR_TRY_AGAIN, 0, "process %" PRId64 " is just being started", id);
        if ((c && !dead) || (tree && leaves_populated(r->leaves, id))) {
                if (!signal_asks_for_the_end(signo))
                        send_at_once(op, c, dead);
                else
                        return note_and_send(TAKE_PTR(op), c, dead);
        }
        return dead ? registry_wait(r, who, id, 0, t) : 0; /* the answer shows its end */
}

/* Close and delete: a process that is dead already may just not be recorded as such. */
static void settled_then(struct ticket *inner);

static int still_running(struct err *e)
{
        return err_set(e, ERR_STILL_RUNNING, 0,
                       "Cannot close a process while it is still running. You should first call join() or "
                       "terminate().");
}

/* Under no lock. Wakes who waited for a process that was only created. */
static void wake_placeholder(struct registry *r, int64_t id, enum process_state now)
{
        struct list done = LIST_INIT(done);
        struct child *c;

        pthread_mutex_lock(&r->lock);
        c = table_find(r, id);
        if (c && c->rec.state == PROCESS_INITIAL) {
                child_ref(c);
                c->rec.state = now;
                waiters_ended(c, &done);
                table_remove(r, c);
                child_unref(c);
        }
        pthread_mutex_unlock(&r->lock);
        tickets_finish(&done);
}

static int close_run(struct store_job *job, struct db *db, struct err *e)
{
        struct control_op *op = container_of(job, struct control_op, job);
        int rc = record_close(db, op->id, &op->was, e);

        if (rc == 0)
                return op_audit(op, db, e);
        return rc == 1 && process_state_is_open(op->was) ? still_running(e) : rc < 0 ? -1 : 0;
}

static void close_done(struct store_job *job, const struct err *e)
{
        struct control_op *op = container_of(job, struct control_op, job);

        KILLPOINT("close.recorded");
        if (!e)
                wake_placeholder(op->registry, op->id, PROCESS_CLOSED);
        op_finish(op, e);
        KILLPOINT("close.told");
}

int control_delete(struct db *db, const struct actor *who, int64_t id, const char *detail, struct err *e)
{
        enum process_state was;
        int rc = record_delete(db, id, &was, e);

        if (rc == 0)
                return audit_process(db, who, "delete", id, detail, AUDIT_DONE, e);
        return rc == 1 && process_state_is_open(was) ? still_running(e) : rc < 0 ? -1 : 0;
}

void control_deleted(struct registry *r, int64_t id)
{
        wake_placeholder(r, id, PROCESS_CLOSED);
        logs_remove(r->config.logs, id);
}

static int delete_run(struct store_job *job, struct db *db, struct err *e)
{
        struct control_op *op = container_of(job, struct control_op, job);

        return control_delete(db, &op->actor, op->id, NULL, e);
}

static void delete_done(struct store_job *job, const struct err *e)
{
        struct control_op *op = container_of(job, struct control_op, job);

        KILLPOINT("delete.recorded");
        if (!e)
                control_deleted(op->registry, op->id);
        KILLPOINT("delete.logs_removed");
        op_finish(op, e);
}

static void settled_then(struct ticket *inner)
{
        struct control_op *op = container_of(inner, struct control_op, inner);

        store_submit(op->registry->store, &op->job);
}

static int end_of_life(struct registry *r, const struct caller *who, int64_t id, const char *verb,
                       int (*run)(struct store_job *, struct db *, struct err *),
                       void (*done)(struct store_job *, const struct err *), struct ticket *t)
{
        CLEANUP(op_freep) struct control_op *op = op_new(r, who, id, verb, t);
        struct control_op *submitted;
        int rc;

        if (!op)
                return -1;
        op->job = (struct store_job){.run = run, .done = done};
        ticket_init(&op->inner, settled_then);
        submitted = op;
        rc = registry_wait(r, who, id, 0, &op->inner);
        if (rc < 0) {
                t->err = op->inner.err;
                return -1;
        }
        op = NULL;
        if (rc == 0)
                store_submit(r->store, &submitted->job);
        return 1;
}

/* To close is to change: what was only created can never be started then. */
static int may_close(struct registry *r, const struct caller *who, int64_t id, struct err *e)
{
        CLEANUP(process_freep) struct process *p = *who->targets ? registry_find(r, who, id, e) : NULL;

        if (!*who->targets)
                return 0;
        return p ? caller_may_run(who, p->target, e) : -1;
}

int registry_close(struct registry *r, const struct caller *who, int64_t id, struct ticket *t)
{
        if (may_close(r, who, id, &t->err) < 0)
                return -1;
        return end_of_life(r, who, id, "close", close_run, close_done, t);
}

int registry_delete(struct registry *r, const struct caller *who, int64_t id, struct ticket *t)
{
        return end_of_life(r, who, id, "delete", delete_run, delete_done, t);
}

int registry_request(struct registry *r, const struct caller *who, int64_t id, const char *again, char **body,
                     struct err *e)
{
        CLEANUP(process_freep) struct process *p = registry_find(r, who, id, e);
        enum process_state state;
        int rc;

        if (!p)
                return -1;
        if (p->state == PROCESS_CLOSED)
                return err_set(e, ERR_CLOSED, 0, "process object is closed");
        if (p->state != PROCESS_INITIAL)
                return err_set(e, ERR_ALREADY_STARTED, 0, "%s",
                               again ? again : "cannot start a process twice");
        rc = store_request(r->store, id, &state, body, e);
        if (rc < 0)
                return -1;
        if (rc == 1)
                return err_set(e, ERR_NOT_FOUND, 0, "there is no process %" PRId64, id);
        if (!*body)
                return err_set(e, ERR_NEEDS_REPEAT, 0,
                               "process %" PRId64 " was requested with an Idempotency-Key and never ran", id);
        return 0;
}

static int update_run(struct store_job *job, struct db *db, struct err *e)
{
        struct control_op *op = container_of(job, struct control_op, job);
        int rc;

        if (op->respec) {
                rc = record_respecify(db, op->respec, op->request, e);
                if (rc)
                        return rc < 0 ? -1
                                      : err_set(e, ERR_ALREADY_STARTED, 0, "process has already started");
        }
        if (op->text) {
                rc = record_rename(db, op->id, op->text, e);
                if (rc)
                        return rc < 0 ? -1
                                      : err_set(e, ERR_NOT_FOUND, 0, "there is no process %" PRId64, op->id);
        }
        return op_audit(op, db, e);
}

static void update_done(struct store_job *job, const struct err *e)
{
        struct control_op *op = container_of(job, struct control_op, job);
        struct registry *r = op->registry;
        struct child *c;

        pthread_mutex_lock(&r->lock);
        c = e || !op->text ? NULL : table_find(r, op->id);
        if (c)
                process_rename(&c->rec, TAKE_PTR(op->text));
        pthread_mutex_unlock(&r->lock);
        op_finish(op, e);
}

static int take_respec(struct control_op *op, const struct caller *who, struct spec *s, const char *body,
                       const struct process *old, struct err *e)
{
        struct account a;

        if (registry_resolve_account(op->registry, who, s, &a, e) < 0)
                return -1;
        op->respec = calloc(1, sizeof(*op->respec));
        op->request = strdup(body);
        if (!op->respec || !op->request)
                return err_set(e, ERR_UNAVAILABLE, 0, "out of memory");
        *op->respec = (struct process){.id = op->id,
                                       .cwd = strdup(s->cwd ? s->cwd : account_directory(&a)),
                                       .start_method = s->start_method,
                                       .daemon = s->daemon < 0 ? old->daemon : s->daemon,
                                       .out = s->out,
                                       .err = s->err,
                                       .timeout_us = s->timeout_us,
                                       .grace_us = s->grace_us,
                                       .on_parent_death = s->on_parent_death};
        op->respec->user = TAKE_PTR(s->user);
        op->respec->group = TAKE_PTR(s->group);
        op->respec->argv_json = TAKE_PTR(s->argv_json);
        op->respec->env_json = TAKE_PTR(s->env_json);
        op->respec->labels_json = TAKE_PTR(s->labels_json);
        return 0;
}

int registry_update(struct registry *r, const struct caller *who, int64_t id, const char *name,
                    struct spec *spec, const char *body, struct ticket *t)
{
        CLEANUP(op_freep) struct control_op *op = op_new(r, who, id, "update", t);
        CLEANUP(spec_freep) struct spec *owned = spec;
        CLEANUP(process_freep) struct process *p = registry_find(r, who, id, &t->err);

        if (!op || !p)
                return -1;
        if (owned && p->state != PROCESS_INITIAL)
                return err_set(&t->err, ERR_ALREADY_STARTED, 0, "process has already started");
        if (caller_may_run(who, p->target, &t->err) < 0)
                return -1;
        if (owned && p->target)
                return err_set_at(&t->err, ERR_INVALID, "",
                                  "of a process of a target only the name can be changed");
        if (owned && take_respec(op, who, owned, body, p, &t->err) < 0)
                return -1;
        if (name && *name)
                op->text = strdup(name);
        else if (name && asprintf(&op->text, "Process-%s", p->identity) < 0)
                op->text = NULL;
        if (name && !op->text)
                return err_set(&t->err, ERR_UNAVAILABLE, 0, "out of memory");
        return op_submit(&op, update_run, update_done);
}
