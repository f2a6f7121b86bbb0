/* SPDX-License-Identifier: MIT */
#include "store/records.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "store/db.h"

enum { FINGERPRINT_BYTES = 32 };

/* The order of the fragment "told" in sql/queries/process.sql; the state follows it in process_told. */
enum told { TOLD_NAME, TOLD_LINEAGE, TOLD_EXITCODE, TOLD_EXIT_REASON, TOLD_JOINED, TOLD_STATE };

static sqlite3_stmt *event_of(struct db *db, int64_t id, const char *type, int64_t at_us, const char *name,
                              const char *lineage)
{
        sqlite3_stmt *s = db_stmt(db, SQL_EVENT_INSERT);

        db_bind_int(s, ":at", at_us);
        db_bind_int(s, ":process", id);
        db_bind_text(s, ":type", type);
        db_bind_text(s, ":name", name);
        db_bind_text(s, ":lineage", lineage);
        db->events++;
        return s;
}

static const char *text_of(sqlite3_stmt *row, int column)
{
        return (const char *)sqlite3_column_text(row, column);
}

/* Tell that @type has happened to a process: to that of @row, which stands at what it says of it. */
static int publish(struct db *db, int64_t id, const char *type, int64_t at_us, sqlite3_stmt *row,
                   struct err *e)
{
        sqlite3_stmt *s = event_of(db, id, type, at_us, text_of(row, TOLD_NAME), text_of(row, TOLD_LINEAGE));

        if (sqlite3_column_type(row, TOLD_EXITCODE) != SQLITE_NULL)
                db_bind_int(s, ":exitcode", sqlite3_column_int64(row, TOLD_EXITCODE));
        db_bind_text(s, ":exit_reason", text_of(row, TOLD_EXIT_REASON));
        return db_run(db, s, e) < 0 ? -1 : 0;
}

/* The row of @id as it is now, to be reset. NULL with @e set. */
static sqlite3_stmt *look_up(struct db *db, int64_t id, struct err *e)
{
        sqlite3_stmt *s = db_stmt(db, SQL_PROCESS_TOLD);
        int rc;

        db_bind_int(s, ":id", id);
        rc = db_step(db, s, e);
        if (rc == 0)
                err_set(e, ERR_NOT_FOUND, 0, "there is no process %" PRId64, id);
        return rc > 0 ? s : NULL;
}

/* Joined ones are counted while they have ended and are not closed. */
static void count_joined(struct db *db, enum process_state state, bool joined, int by)
{
        if (joined && process_state_is_ended(state) && state != PROCESS_CLOSED)
                db->tally[TALLY_JOINED] += by;
}

/* Delete the row of @id in state @was by @query, count that and tell it. Returns 0, 1: it may not go now; -1. */
static int delete_row(struct db *db, enum sql_query query, int64_t id, enum process_state was, struct err *e)
{
        sqlite3_stmt *s = db_stmt(db, query);
        int rc;

        db_bind_int(s, ":id", id);
        rc = db_step(db, s, e);
        if (rc <= 0)
                return rc < 0 ? -1 : 1;
        rc = publish(db, id, "deleted", clock_now_us(), s, e);
        count_joined(db, was, sqlite3_column_int(s, TOLD_JOINED), -1);
        sqlite3_reset(s);
        db->tally[was]--;
        return rc;
}

static int count_entered(struct db *db, enum process_state from, enum process_state to, struct err *e)
{
        if (!process_state_may(from, to))
                return err_set(e, ERR_INTERNAL, 0, "no process goes from %s to %s", process_state_name(from),
                               process_state_name(to));
        db->tally[from]--;
        db->tally[to]++;
        return 0;
}

/* A state was entered: count it and tell it. */
static int entered(struct db *db, int64_t id, enum process_state from, enum process_state to, struct err *e)
{
        sqlite3_stmt *row;
        int rc;

        if (count_entered(db, from, to, e) < 0)
                return -1;
        row = look_up(db, id, e);
        if (!row)
                return -1;
        rc = publish(db, id, process_state_name(to), clock_now_us(), row, e);
        sqlite3_reset(row);
        return rc;
}

/* What an update of one row did: 0, 1 when it matched none, -1. */
static int outcome(int changes)
{
        return changes < 0 ? -1 : changes == 0;
}

static int state_of(struct db *db, int64_t id, enum process_state *state, bool *joined, struct err *e)
{
        sqlite3_stmt *row = look_up(db, id, e);

        if (!row)
                return -1;
        *state = (enum process_state)process_state_parse(text_of(row, TOLD_STATE));
        *joined = sqlite3_column_int(row, TOLD_JOINED);
        sqlite3_reset(row);
        return 0;
}

int record_next_child(struct db *db, int64_t parent, int64_t *number, struct err *e)
{
        sqlite3_stmt *s;
        int rc;

        if (!parent) {
                *number = ++db->main_children;
                return 0;
        }
        s = db_stmt(db, SQL_PROCESS_NEXT_CHILD);
        db_bind_int(s, ":id", parent);
        rc = db_step(db, s, e);
        if (rc < 0)
                return -1;
        if (rc == 0)
                return err_set(e, ERR_NOT_FOUND, 0, "the parent, process %" PRId64 ", is gone", parent);
        *number = sqlite3_column_int64(s, 0);
        sqlite3_reset(s);
        return 0;
}

static void bind_launch(sqlite3_stmt *s, const struct process *p)
{
        db_bind_int(s, ":id", p->id);
        db_bind_text(s, ":start_method", start_method_name(p->start_method));
        db_bind_int(s, ":daemon", p->daemon);
        db_bind_text(s, ":argv", p->argv_json);
        db_bind_text(s, ":cwd", p->cwd);
        db_bind_text(s, ":env", p->env_json);
        db_bind_text(s, ":labels", p->labels_json);
        db_bind_text(s, ":stdout", output_name(p->out));
        db_bind_text(s, ":stderr", output_name(p->err));
        db_bind_int_or_null(s, ":timeout", p->timeout_us);
        db_bind_int(s, ":grace", p->grace_us);
        db_bind_int_or_null(s, ":on_parent_death", p->on_parent_death);
        db_bind_text(s, ":run_as_user", p->user);
        db_bind_text(s, ":run_as_group", p->group);
}

int record_insert(struct db *db, const struct process *p, const struct record_extras *x, struct err *e)
{
        sqlite3_stmt *s = db_stmt(db, SQL_PROCESS_INSERT);

        bind_launch(s, p);
        db_bind_text(s, ":name", p->name);
        db_bind_text(s, ":identity", p->identity);
        db_bind_int_or_null(s, ":parent", p->parent);
        db_bind_text(s, ":lineage", p->lineage);
        db_bind_text(s, ":state", process_state_name(p->state));
        db_bind_int(s, ":created_at", p->created_us);
        db_bind_int(s, ":boot", db->boot);
        db_bind_text(s, ":target", p->target);
        db_bind_text(s, ":only_targets", p->only_targets);
        db_bind_text(s, ":request", x->request);
        db_bind_text(s, ":idempotency_key", x->idempotency_key);
        if (x->idempotency_key)
                db_bind_blob(s, ":idempotency_fingerprint", x->fingerprint, FINGERPRINT_BYTES);
        if (db_run(db, s, e) < 0)
                return -1;
        db->tally[p->state]++;
        s = event_of(db, p->id, process_state_name(p->state), clock_now_us(), p->name, p->lineage);
        return db_run(db, s, e) < 0 ? -1 : 0;
}

/* The row that @s stands at, of a process under the same key, was asked for as @x is. */
static int check_fingerprint(sqlite3_stmt *s, const struct record_extras *x, struct err *e)
{
        if (sqlite3_column_bytes(s, 1) == FINGERPRINT_BYTES &&
            memcmp(sqlite3_column_blob(s, 1), x->fingerprint, FINGERPRINT_BYTES) == 0)
                return 0;
        return err_set(e, ERR_IDEMPOTENCY_MISMATCH, 0,
                       "this Idempotency-Key belongs to process %" PRId64 ", which was asked for differently",
                       (int64_t)sqlite3_column_int64(s, 0));
}

/* One of the others of its batch tells for all of them. */
static int check_batch(struct db *db, int64_t parent, const struct record_extras *x, struct err *e)
{
        sqlite3_stmt *s = db_stmt(db, SQL_PROCESS_BY_BATCH_KEY);
        const char *space = strchr(x->idempotency_key, ' ');
        int rc;

        if (!space)
                return 0;
        db_bind_int(s, ":parent", parent);
        db_bind_text(s, ":idempotency_key", x->idempotency_key);
        db_bind_int(s, ":batch_n", space - x->idempotency_key);
        rc = db_step(db, s, e);
        if (rc <= 0)
                return rc;
        rc = check_fingerprint(s, x, e);
        sqlite3_reset(s);
        return rc;
}

int record_by_key(struct db *db, int64_t parent, const struct record_extras *x, struct record_key *found,
                  struct err *e)
{
        sqlite3_stmt *s = db_stmt(db, SQL_PROCESS_BY_KEY);
        int rc;

        db_bind_int(s, ":parent", parent);
        db_bind_text(s, ":idempotency_key", x->idempotency_key);
        rc = db_step(db, s, e);
        if (rc <= 0)
                return rc < 0 ? -1 : check_batch(db, parent, x, e);
        found->id = sqlite3_column_int64(s, 0);
        found->state = (enum process_state)process_state_parse((const char *)sqlite3_column_text(s, 2));
        found->unstarted = sqlite3_column_int(s, 3);
        rc = check_fingerprint(s, x, e) < 0 ? -1 : 1;
        sqlite3_reset(s);
        return rc;
}

int record_claim(struct db *db, const struct process *p, struct err *e)
{
        sqlite3_stmt *s = db_stmt(db, SQL_PROCESS_CLAIM);
        int rc;

        bind_launch(s, p);
        db_bind_text(s, ":only_targets", p->only_targets);
        db_bind_int(s, ":boot", db->boot);
        rc = outcome(db_run(db, s, e));
        return rc ? rc : entered(db, p->id, PROCESS_INITIAL, PROCESS_STARTING, e);
}

static void bind_run(sqlite3_stmt *s, const struct process *p)
{
        db_bind_int(s, ":id", p->id);
        db_bind_int_or_null(s, ":pid", p->pid);
        db_bind_int_or_null(s, ":start_ticks", (int64_t)p->start_ticks);
        db_bind_int_or_null(s, ":started_at", p->started_us);
}

int record_started(struct db *db, const struct process *p, struct err *e)
{
        sqlite3_stmt *s = db_stmt(db, SQL_PROCESS_STARTED);
        int rc;

        bind_run(s, p);
        rc = outcome(db_run(db, s, e));
        return rc ? rc : entered(db, p->id, PROCESS_STARTING, PROCESS_STARTED, e);
}

static void bind_usage(sqlite3_stmt *s, const struct usage *u)
{
        db_bind_int(s, ":user_us", u->user_us);
        db_bind_int(s, ":system_us", u->system_us);
        db_bind_int(s, ":maxrss", u->maxrss_bytes);
        db_bind_int(s, ":minflt", u->minflt);
        db_bind_int(s, ":majflt", u->majflt);
        db_bind_int(s, ":inblock", u->inblock);
        db_bind_int(s, ":oublock", u->oublock);
        db_bind_int(s, ":nvcsw", u->nvcsw);
        db_bind_int(s, ":nivcsw", u->nivcsw);
}

static void bind_reason(sqlite3_stmt *s, const struct process_exit *x)
{
        if (x->reason == EXIT_EXITED || x->reason == EXIT_SIGNALED)
                db_bind_int(s, ":exitcode", x->exitcode);
        db_bind_text(s, ":exit_reason", exit_reason_name(x->reason));
}

static void bind_exit(sqlite3_stmt *s, const struct process_exit *x)
{
        bind_reason(s, x);
        db_bind_text(s, ":exit_errno", x->errnum ? err_errno_name(x->errnum) : NULL);
        db_bind_text(s, ":exit_stage", x->stage);
        db_bind_text(s, ":exit_detail", x->detail);
        db_bind_int(s, ":core_dumped", x->core_dumped);
        if (x->oom >= 0)
                db_bind_int(s, ":oom", x->oom);
}

static int update_ended(struct db *db, const struct process *p, struct err *e)
{
        sqlite3_stmt *s = db_stmt(db, SQL_PROCESS_ENDED);

        bind_run(s, p);
        db_bind_text(s, ":state", process_state_name(p->state));
        db_bind_int(s, ":stopped_at", p->stopped_us);
        db_bind_int_or_null(s, ":joined_at", p->joined_us);
        db_bind_text(s, ":requested_by", p->requested_by);
        bind_exit(s, &p->exit);
        if (p->has_usage)
                bind_usage(s, &p->usage);
        db_bind_int(s, ":stdout_bytes", p->log_bytes[STREAM_STDOUT]);
        db_bind_int(s, ":stderr_bytes", p->log_bytes[STREAM_STDERR]);
        return outcome(db_run(db, s, e));
}

/* @row: as it was before. */
static int record_end(struct db *db, const struct process *p, sqlite3_stmt *row, struct err *e)
{
        enum process_state was = (enum process_state)process_state_parse(text_of(row, TOLD_STATE));
        sqlite3_stmt *s;
        int rc;

        if (was == PROCESS_STARTING && p->started_us &&
            publish(db, p->id, process_state_name(PROCESS_STARTED), p->started_us, row, e) < 0)
                return -1;
        rc = update_ended(db, p, e);
        if (rc)
                return rc;
        count_joined(db, p->state, p->joined_us, 1);
        if (count_entered(db, was, p->state, e) < 0)
                return -1;
        s = event_of(db, p->id, process_state_name(p->state), clock_now_us(), text_of(row, TOLD_NAME),
                     text_of(row, TOLD_LINEAGE));
        bind_reason(s, &p->exit);
        return db_run(db, s, e) < 0 ? -1 : 0;
}

int record_ended(struct db *db, const struct process *p, struct err *e)
{
        sqlite3_stmt *row = look_up(db, p->id, e);
        int rc;

        if (!row)
                return e->kind == ERR_NOT_FOUND ? 1 : -1;
        rc = record_end(db, p, row, e);
        sqlite3_reset(row);
        return rc;
}

int record_unstarted(struct db *db, int64_t id, struct err *e)
{
        sqlite3_stmt *s = db_stmt(db, SQL_PROCESS_UNSTARTED);
        int rc;

        db_bind_int(s, ":id", id);
        rc = outcome(db_run(db, s, e));
        return rc ? rc : entered(db, id, PROCESS_STARTING, PROCESS_INITIAL, e);
}

int record_discard(struct db *db, int64_t id, struct err *e)
{
        return delete_row(db, SQL_PROCESS_DISCARD, id, PROCESS_STARTING, e);
}

int record_close(struct db *db, int64_t id, enum process_state *was, struct err *e)
{
        sqlite3_stmt *s;
        bool joined;
        int rc;

        if (state_of(db, id, was, &joined, e) < 0)
                return -1;
        s = db_stmt(db, SQL_PROCESS_CLOSE);
        db_bind_int(s, ":id", id);
        rc = outcome(db_run(db, s, e));
        if (rc)
                return rc;
        count_joined(db, *was, joined, -1);
        return entered(db, id, *was, PROCESS_CLOSED, e);
}

int record_delete(struct db *db, int64_t id, enum process_state *was, struct err *e)
{
        bool joined;

        if (state_of(db, id, was, &joined, e) < 0)
                return -1;
        return delete_row(db, SQL_PROCESS_DELETE, id, *was, e);
}

int record_requested(struct db *db, int64_t id, const char *requested_by, struct err *e)
{
        sqlite3_stmt *s = db_stmt(db, SQL_PROCESS_REQUESTED);

        db_bind_int(s, ":id", id);
        db_bind_text(s, ":requested_by", requested_by);
        return outcome(db_run(db, s, e));
}

int record_joined(struct db *db, int64_t id, int64_t at_us, struct err *e)
{
        sqlite3_stmt *s = db_stmt(db, SQL_PROCESS_JOINED);
        int rc;

        db_bind_int(s, ":id", id);
        db_bind_int(s, ":joined_at", at_us);
        rc = outcome(db_run(db, s, e));
        if (!rc)
                db->tally[TALLY_JOINED]++; /* one that has ended: see the query */
        return rc;
}

int record_rename(struct db *db, int64_t id, const char *name, struct err *e)
{
        sqlite3_stmt *s = db_stmt(db, SQL_PROCESS_RENAME);

        db_bind_int(s, ":id", id);
        db_bind_text(s, ":name", name);
        return outcome(db_run(db, s, e));
}

int record_respecify(struct db *db, const struct process *p, const char *request, struct err *e)
{
        sqlite3_stmt *s = db_stmt(db, SQL_PROCESS_RESPECIFY);

        bind_launch(s, p);
        db_bind_text(s, ":request", request);
        return outcome(db_run(db, s, e));
}
