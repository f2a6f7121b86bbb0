/* SPDX-License-Identifier: MIT */
/* Create and start: a request becomes a row, then a process. The row is durable before anything runs. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/killpoint.h"
#include "base/log.h"
#include "base/procfs.h"
#include "base/secret.h"
#include "base/sys.h"
#include "registry/internal.h"

/* Under no lock: the start is over, or the table has it from now on. */
static void start_is_accounted(struct start_op *op)
{
        if (!op->counted)
                return;
        op->counted = false;
        op->registry->starts_outside--;
        table_left(op->registry);
}

void start_op_free(struct start_op *op)
{
        if (!op)
                return;
        start_is_accounted(op);
        child_unref(op->child);
        spec_free(op->spec);
        secret_free_all(op->request);
        free(op->key);
        free(op);
}

static void op_freep(struct start_op **op)
{
        start_op_free(*op);
}

/* The ticket gets its answer; the operation is over. */
void start_op_finish(struct start_op *op, const struct err *e)
{
        struct ticket *t = op->ticket; /* NULL: it has been told already */

        if (e && t)
                t->err = *e;
        start_op_free(op);
        if (t)
                t->done(t);
}

static char *dup_or_null(const char *s)
{
        return s ? strdup(s) : NULL;
}

/* What the request says goes into the record; the strings go over. False: out of memory. */
static bool fill_record(struct process *p, struct spec *s, const struct account *a)
{
        free(p->argv_json);
        free(p->env_json);
        free(p->labels_json);
        free(p->cwd);
        p->argv_json = TAKE_PTR(s->argv_json);
        p->env_json = TAKE_PTR(s->env_json);
        p->labels_json = TAKE_PTR(s->labels_json);
        p->cwd = strdup(s->cwd ? s->cwd : account_directory(a));
        free(p->user);
        free(p->group);
        p->user = dup_or_null(s->user);
        p->group = dup_or_null(s->group);
        p->start_method = s->start_method;
        p->out = s->out;
        p->err = s->err;
        p->timeout_us = s->timeout_us;
        p->grace_us = s->grace_us;
        p->on_parent_death = s->on_parent_death;
        return p->cwd != NULL;
}

static struct start_op *op_new(struct registry *r, const struct caller *who, struct spec *spec,
                               struct ticket *t)
{
        struct start_op *op = calloc(1, sizeof(*op));

        if (!op || !(op->child = child_new(r))) {
                free(op);
                spec_free(spec);
                err_set(&t->err, ERR_UNAVAILABLE, 0, "out of memory");
                return NULL;
        }
        op->registry = r;
        op->actor = caller_actor(who);
        op->spec = spec;
        op->ticket = t;
        op->begun_us = clock_mono_us();
        return op;
}

/* A process starts processes as itself: its token is no way to become somebody else. One that runs as root
 * may name anybody, as it could without us. */
static int resolve_for_process(const struct caller *who, struct spec *s, struct account *a, struct err *e)
{
        struct account own;

        if (account_resolve(*who->user ? who->user : NULL, *who->group ? who->group : NULL, &own, e) < 0)
                return err_wrap(e, "the account of %s", who->who);
        if (own.uid != 0 && (s->user || s->group)) {
                if (account_resolve(s->user ? s->user : who->user, s->group, a, e) < 0)
                        return -1;
                if (a->uid != own.uid || a->gid != own.gid)
                        return err_set_at(e, ERR_FORBIDDEN, s->user ? "/user" : "/group",
                                          "a process starts processes as its own user and group only");
        }
        if (own.uid == 0 && (s->user || s->group))
                return account_resolve(s->user, s->group, a, e);
        if (!s->user && *who->user)
                s->user = strdup(who->user);
        if (!s->group && *who->group)
                s->group = strdup(who->group);
        *a = own;
        a->unprivileged = own.switches && own.uid != 0;
        return 0;
}

static int resolve(struct registry *r, const struct caller *who, struct spec *s, struct account *a,
                   struct err *e)
{
        if (s->may_gain_privileges && !(who->scopes & SCOPE_ADMIN))
                return err_set_at(e, ERR_FORBIDDEN, "/no_new_privs",
                                  "only a token with the scope admin may let a process gain privileges");
        if (who->process)
                return resolve_for_process(who, s, a, e);
        if (s->user || s->group)
                return account_resolve(s->user, s->group, a, e);
        *a = r->account;
        return 0;
}

/* With privilege separation the forkserver starts everything, and decides: what it would refuse is refused here
 * before there is a row. */
int registry_resolve_account(struct registry *r, const struct caller *who, struct spec *s, struct account *a,
                             struct err *e)
{
        if (resolve(r, who, s, a, e) < 0)
                return -1;
        if (!r->config.privileged)
                return 0;
        s->start_method = START_FORKSERVER;
        if (s->may_gain_privileges)
                return err_set_at(e, ERR_POLICY, "/no_new_privs",
                                  "with separated privileges nothing gains any, whatever the policy says");
        return a->switches ? policy_check(r->config.policy, a, e) : 0;
}

static int refuse_start(struct err *e)
{
        return err_set(e, ERR_STOPPING, 0, "the server stops and starts nothing more");
}

/* @keyed: it may name a process that there is already. Its client needs to know that one, above all while the server
 * waits for its end. */
static int may_start(struct start_op *op, const struct caller *who, bool keyed, struct err *e)
{
        struct registry *r = op->registry;

        /* Counted first: who stops either sees it, or is seen here. */
        op->counted = true;
        r->starts_outside++;
        if (who->daemonic)
                return err_set(e, ERR_DAEMON_NO_CHILDREN, 0,
                               "daemonic processes are not allowed to have children");
        op->repeats_only = __atomic_load_n(&r->stopping, __ATOMIC_ACQUIRE);
        refuse_start(&op->refusal);
        return op->repeats_only && !keyed ? refuse_start(e) : 0;
}

/* Whoever may start certain targets only gets no further through what he starts: @p, and what that starts, has these
 * limits as well as those that it had. */
static int keep_within_targets(struct process *p, const struct caller *who, struct err *e)
{
        char both[TARGETS_TEXT_MAX];

        if (!*who->targets)
                return 0;
        targets_intersect(who->targets, p->only_targets ?: who->targets, both);
        free(p->only_targets);
        p->only_targets = strdup(both);
        return p->only_targets ? 0 : err_set(e, ERR_UNAVAILABLE, 0, "out of memory");
}

/* The record of a new process, but for what only the transaction knows: identity and name. */
static int new_record(struct registry *r, const struct caller *who, struct start_op *op, struct err *e)
{
        struct process *p = &op->child->rec;
        struct spec *s = op->spec;

        if (s->identity && !identity_extends(s->identity, who->identity))
                return err_set_at(e, ERR_INVALID, "/identity",
                                  "the identity must be the parent's (%s) and one more number",
                                  *who->identity ? who->identity : "none");
        /* Room for the deepest descendant's own id. */
        if (strlen(who->subtree) + 32 > CALLER_SUBTREE_MAX)
                return err_set(e, ERR_INVALID, 0, "processes are nested too deeply");
        p->id = ++r->next_id;
        p->parent = who->process;
        p->state = s->start ? PROCESS_STARTING : PROCESS_INITIAL;
        p->daemon = s->daemon < 0 ? who->daemonic : s->daemon;
        p->created_us = clock_now_us();
        p->lineage = strdup(who->subtree);
        p->identity = dup_or_null(s->identity);
        p->name = dup_or_null(s->name && *s->name ? s->name : NULL);
        p->target = TAKE_PTR(s->target);
        if (keep_within_targets(p, who, e) < 0)
                return -1;
        if (!p->lineage || !fill_record(p, s, &op->account))
                return err_set(e, ERR_UNAVAILABLE, 0, "out of memory");
        return 0;
}

static int set_text(char **text, int printed, char *made, struct err *e)
{
        if (printed < 0)
                return err_set(e, ERR_UNAVAILABLE, 0, "out of memory");
        free(*text);
        *text = made;
        return 0;
}

/* The parent's identity, from a child's own number: "1:2"; and the name after it. Those that were not asked for. */
static int name_child(struct db *db, struct process *p, const struct spec *spec, const char *parent_identity,
                      struct err *e)
{
        char *text;
        int64_t k;
        int n;

        if (!spec->identity) {
                if (record_next_child(db, p->parent, &k, e) < 0)
                        return -1;
                n = asprintf(&text, "%s%s%" PRId64, parent_identity, *parent_identity ? ":" : "", k);
                if (set_text(&p->identity, n, text, e) < 0)
                        return -1;
        }
        if (spec->name && *spec->name)
                return 0;
        n = asprintf(&text, "Process-%s", p->identity);
        return set_text(&p->name, n, text, e);
}

/* Returns 1 when the key names a process already, 0 when it is new. */
static int look_up_key(struct db *db, struct start_op *op, const struct record_extras *x, struct err *e)
{
        struct process *p = &op->child->rec;
        int rc;

        if (!op->key)
                return 0;
        rc = record_by_key(db, p->parent, x, &op->existing, e);
        if (op->repeats_only && (rc == 0 || (rc > 0 && op->existing.unstarted))) {
                *e = op->refusal;
                return -1;
        }
        if (rc <= 0)
                return rc;
        if (op->existing.unstarted && op->spec->start) {
                p->id = op->existing.id;
                rc = record_claim(db, p, e);
                if (rc < 0)
                        return -1;
                op->claimed = rc == 0;
        }
        return 1;
}

/* From the moment that others can read the row, the table has the process too. */
static void enter_table(struct store_job *job)
{
        struct start_op *op = container_of(job, struct start_op, job);
        struct registry *r = op->registry;
        struct child *c = op->child, *placeholder;

        pthread_mutex_lock(&r->lock);
        placeholder = table_find(r, c->rec.id);
        if (placeholder) { /* somebody waits for a process that was created only */
                child_ref(placeholder);
                table_remove(r, placeholder);
                waiters_move(placeholder, c);
                child_unref(placeholder);
        }
        c->rec.state = PROCESS_STARTING;
        table_insert(r, c);
        r->on_parent_death_n += c->rec.on_parent_death != 0;
        pthread_mutex_unlock(&r->lock);
        start_is_accounted(op);
}

/* There will be no process after all. A created one stays what it was, and who waits for its end goes on. */
void start_op_leave_table(struct start_op *op, const struct err *e)
{
        struct registry *r = op->registry;
        struct child *c = op->child;
        struct list done = LIST_INIT(done);

        pthread_mutex_lock(&r->lock);
        if (c->in_table) {
                r->on_parent_death_n -= c->rec.on_parent_death != 0;
                waiters_refuse(c, op->was_initial, e, &done);
                c->rec.state = PROCESS_INITIAL;
                c->durable = true;
                if (list_empty(&c->waiters))
                        table_remove(r, c);
        }
        pthread_mutex_unlock(&r->lock);
        tickets_finish(&done);
        table_left(r);
}

/* What will come of a start, its process tells. */
static int audit_start(const struct start_op *op, struct db *db, struct err *e)
{
        bool start = op->spec->start || op->was_initial;

        return audit_process(db, &op->actor, start ? "start" : "create", op->child->rec.id,
                             op->child->rec.target, start ? AUDIT_ASKED : AUDIT_DONE, e);
}

static int create_run(struct store_job *job, struct db *db, struct err *e)
{
        struct start_op *op = container_of(job, struct start_op, job);
        struct record_extras x = {
                .request = op->request, .idempotency_key = op->key, .fingerprint = op->fingerprint};
        int rc;

        op->claimed = false;
        op->existing = (struct record_key){0};
        op->child->rec.id = op->id;
        rc = look_up_key(db, op, &x, e);
        if (rc)
                return rc < 0 ? -1 : op->claimed ? audit_start(op, db, e) : 0;
        if (name_child(db, &op->child->rec, op->spec, op->parent_identity, e) < 0 ||
            record_insert(db, &op->child->rec, &x, e) < 0)
                return -1;
        return audit_start(op, db, e);
}

static void create_enter(struct store_job *job)
{
        const struct start_op *op = container_of(job, struct start_op, job);

        if (op->claimed || (!op->existing.id && op->spec->start))
                enter_table(job);
}

static void take_state(const struct process *p, void *arg)
{
        *(enum process_state *)arg = p->state;
}

/* Another request under the same key was there first: its process is ours too. */
static void repeat(struct start_op *op)
{
        struct registry *r = op->registry;
        struct ticket *t = op->ticket;
        enum process_state state = op->existing.state;
        struct child *c;
        struct err e = {0};

        KILLPOINT("create.repeat");
        t->id = op->existing.id;
        t->replayed = true;
        pthread_mutex_lock(&r->lock);
        c = table_find(r, t->id);
        if (c && c->rec.state == PROCESS_STARTING) {
                ticket_await_start(t, c);
                pthread_mutex_unlock(&r->lock);
                start_op_free(op);
                return;
        }
        pthread_mutex_unlock(&r->lock);
        /* Its start may be over since the key was looked up. */
        store_get(r->store, t->id, take_state, &state, &e);
        if (state == PROCESS_FAILED)
                err_set(&e, ERR_EXEC_FAILED, 0, "the process could not be started");
        start_op_finish(op, e.kind == ERR_NONE ? NULL : &e);
}

static void take_names(const struct process *p, void *arg)
{
        struct child *c = arg;
        struct process *to = &c->rec;

        pthread_mutex_lock(&c->registry->lock);
        free(to->name);
        free(to->identity);
        free(to->lineage);
        to->name = strdup(p->name);
        to->identity = strdup(p->identity);
        to->lineage = strdup(p->lineage);
        to->created_us = p->created_us;
        to->daemon = p->daemon;
        pthread_mutex_unlock(&c->registry->lock);
}

/* Its row is durable: from here on it is one of the active children, and a starter's business. */
static void begin(struct start_op *op)
{
        struct registry *r = op->registry;

        KILLPOINT("start.durable");
        op->ticket->id = op->child->rec.id;
        pthread_mutex_lock(&r->lock);
        op->child->durable = true;
        pthread_mutex_unlock(&r->lock);
        if (__atomic_load_n(&r->stopping, __ATOMIC_ACQUIRE)) {
                struct err e;

                refuse_start(&e);
                start_op_undo(op, &e);
                return;
        }
        starters_queue(r, op);
}

static void create_done(struct store_job *job, const struct err *e)
{
        struct start_op *op = container_of(job, struct start_op, job);
        struct err read_error = {0};

        if (e) {
                start_op_leave_table(op, e);
                start_op_finish(op, e);
        } else if (op->claimed) {
                /* The row is what the first request made of it. */
                if (store_get(op->registry->store, op->existing.id, take_names, op->child, &read_error) != 0)
                        start_op_undo(op, &read_error);
                else
                        begin(op);
        } else if (op->existing.id) {
                repeat(op);
        } else if (op->spec->start) {
                begin(op);
        } else {
                op->ticket->id = op->child->rec.id;
                start_op_finish(op, NULL);
        }
}

static int take_idempotency(struct start_op *op, const struct idempotency *idem, struct err *e)
{
        if (!idem)
                return 0;
        op->key = strdup(idem->key);
        memcpy(op->fingerprint, idem->fingerprint, sizeof(op->fingerprint));
        return op->key ? 0 : err_set(e, ERR_UNAVAILABLE, 0, "out of memory");
}

struct start_op *start_op_create(struct registry *r, const struct caller *who, struct spec *spec,
                                 const char *body, const struct idempotency *idem, struct ticket *t)
{
        CLEANUP(op_freep) struct start_op *op = op_new(r, who, spec, t);

        if (!op || caller_may_run(who, spec->target, &t->err) < 0 ||
            (spec->start && may_start(op, who, idem, &t->err) < 0) ||
            registry_resolve_account(r, who, op->spec, &op->account, &t->err) < 0 ||
            new_record(r, who, op, &t->err) < 0 || take_idempotency(op, idem, &t->err) < 0)
                return NULL;
        snprintf(op->parent_identity, sizeof(op->parent_identity), "%s", who->identity);
        if (body && !(op->request = strdup(body))) {
                err_set(&t->err, ERR_UNAVAILABLE, 0, "out of memory");
                return NULL;
        }
        op->id = op->child->rec.id;
        op->job = (struct store_job){
                .run = create_run, .enter = create_enter, .done = create_done, .grows = true};
        return TAKE_PTR(op);
}

int registry_create(struct registry *r, const struct caller *who, struct spec *spec, const char *body,
                    const struct idempotency *idem, struct ticket *t)
{
        struct start_op *op = start_op_create(r, who, spec, body, idem, t);

        if (!op)
                return -1;
        KILLPOINT("create");
        store_submit(r->store, &op->job);
        return 1;
}

struct start_op *start_op_repeat(struct registry *r, const struct caller *who, const struct idempotency *idem,
                                 const struct err *refusal, struct ticket *t)
{
        CLEANUP(op_freep) struct start_op *op = op_new(r, who, NULL, t);

        if (!op || take_idempotency(op, idem, &t->err) < 0)
                return NULL;
        op->child->rec.parent = who->process;
        op->repeats_only = true;
        op->refusal = *refusal;
        op->job = (struct store_job){.run = create_run, .enter = create_enter, .done = create_done};
        return TAKE_PTR(op);
}

int registry_repeat(struct registry *r, const struct caller *who, const struct idempotency *idem,
                    const struct err *refusal, struct ticket *t)
{
        struct start_op *op = start_op_repeat(r, who, idem, refusal, t);

        if (!op)
                return -1;
        store_submit(r->store, &op->job);
        return 1;
}

static int claim_run(struct store_job *job, struct db *db, struct err *e)
{
        struct start_op *op = container_of(job, struct start_op, job);
        int rc = record_claim(db, &op->child->rec, e);

        if (rc == 0)
                return audit_start(op, db, e);
        return rc == 1 ? err_set(e, ERR_ALREADY_STARTED, 0, "cannot start a process twice") : rc;
}

static void claim_done(struct store_job *job, const struct err *e)
{
        struct start_op *op = container_of(job, struct start_op, job);

        if (e) {
                start_op_leave_table(op, e);
                start_op_finish(op, e);
        } else {
                begin(op);
        }
}

/* The checks of Process.start(), in its order. */
static int may_start_created(struct start_op *op, const struct caller *who, const struct process *p,
                             struct err *e)
{
        if (p->state == PROCESS_CLOSED)
                return err_set(e, ERR_CLOSED, 0, "process object is closed");
        if (p->state != PROCESS_INITIAL)
                return err_set(e, ERR_ALREADY_STARTED, 0, "cannot start a process twice");
        if (!caller_is_parent(who, p))
                return err_set(e, ERR_NOT_CREATOR, 0,
                               "can only start a process object created by current process");
        return may_start(op, who, false, e);
}

int registry_start(struct registry *r, const struct caller *who, int64_t id, struct spec *spec,
                   struct ticket *t)
{
        CLEANUP(op_freep) struct start_op *op = op_new(r, who, spec, t);
        CLEANUP(process_freep) struct process *p = NULL;
        struct start_op *submitted;

        t->id = id;
        if (!op || !(p = registry_find(r, who, id, &t->err)) || may_start_created(op, who, p, &t->err) < 0 ||
            caller_may_run(who, p->target, &t->err) < 0 || keep_within_targets(p, who, &t->err) < 0 ||
            registry_resolve_account(r, who, op->spec, &op->account, &t->err) < 0)
                return -1;
        op->was_initial = true;
        op->child->rec = *p;
        free(TAKE_PTR(p));
        if (!fill_record(&op->child->rec, op->spec, &op->account))
                return err_set(&t->err, ERR_UNAVAILABLE, 0, "out of memory");
        KILLPOINT("start.claim");
        op->job =
                (struct store_job){.run = claim_run, .enter = enter_table, .done = claim_done, .grows = true};
        submitted = TAKE_PTR(op);
        store_submit(r->store, &submitted->job);
        return 1;
}
