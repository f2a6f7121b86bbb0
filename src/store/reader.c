/* SPDX-License-Identifier: MIT */
/* Reading: see store.h. A reader takes a connection of the pool for one query and gives it back. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "store/db.h"
#include "store/pool.h"
#include "store/row.h"
#include "store/store.h"

int store_get(struct store *s, int64_t id, store_show_fn show, void *arg, struct err *e)
{
        struct db *db = pool_take(s, e);
        struct process p;
        sqlite3_stmt *q;
        int rc;

        if (!db)
                return -1;
        q = db_stmt(db, SQL_PROCESS_GET);
        db_bind_int(q, ":id", id);
        rc = db_step(db, q, e);
        if (rc > 0) {
                row_read(q, &p);
                show(&p, arg);
                sqlite3_reset(q);
        }
        pool_give(s, db);
        return rc < 0 ? -1 : rc == 0;
}

/* Which of the list queries fits: each pair, descending and ascending, walks one index. */
static enum sql_query list_query(const struct caller *who, const struct process_filter *f)
{
        const unsigned open = 1U << PROCESS_STARTING | 1U << PROCESS_STARTED;
        enum sql_query q;

        if (who->process) /* what it may not see must not use up the page */
                q = SQL_PROCESS_LIST_SUBTREE_DESCENDING;
        else if (f->parent > 0)
                q = SQL_PROCESS_LIST_CHILDREN_DESCENDING;
        else if (f->states && !(f->states & ~open))
                q = SQL_PROCESS_LIST_OPEN_DESCENDING;
        else
                q = SQL_PROCESS_LIST_DESCENDING;
        return f->ascending ? q + 1 : q;
}

/* ",stopped,failed," for the states of the filter. A row that says `starting` may be of a process that has
 * started: whoever asks for one of the two gets both, and looks at what the process says itself. */
static void state_names(struct strbuf *b, unsigned states)
{
        const unsigned open = 1U << PROCESS_STARTING | 1U << PROCESS_STARTED;

        if (states & open)
                states |= open;
        strbuf_char(b, ',');
        for (int i = 0; i < PROCESS_STATE_COUNT; i++) {
                if (!(states & 1U << i))
                        continue;
                strbuf_str(b, process_state_name((enum process_state)i));
                strbuf_char(b, ',');
        }
}

/* [["key","value"],["key",null]] */
static void labels_json(struct strbuf *b, const struct process_filter *f)
{
        for (size_t i = 0; i < f->labels_n; i++) {
                strbuf_str(b, i ? ",[" : "[[");
                strbuf_json_str(b, f->label_keys[i]);
                strbuf_char(b, ',');
                if (f->label_values[i])
                        strbuf_json_str(b, f->label_values[i]);
                else
                        strbuf_str(b, "null");
                strbuf_char(b, ']');
        }
        if (f->labels_n)
                strbuf_char(b, ']');
}

static void bind_filter(sqlite3_stmt *q, const struct process_filter *f, const char *states,
                        const char *labels)
{
        db_bind_page(q, &(struct page){f->ascending, f->after, f->limit});
        db_bind_int(q, ":states", f->states);
        db_bind_text(q, ":state_names", states);
        db_bind_text(q, ":name", f->name);
        db_bind_int(q, ":daemon", f->daemon);
        db_bind_text(q, ":start_method",
                     f->start_method < 0 ? NULL : start_method_name((enum start_method)f->start_method));
        db_bind_text(q, ":target", f->target);
        db_bind_int(q, ":since", f->since_us);
        db_bind_int(q, ":until", f->until_us);
        db_bind_text(q, ":q", f->q);
        db_bind_int(q, ":dangling", f->dangling);
        db_bind_text(q, ":labels", f->labels_n ? labels : NULL);
        db_bind_int(q, ":parent", f->parent);
}

/* The next string after all that begin with @subtree: its last byte, '/', counted up. */
void pool_bind_subtree(sqlite3_stmt *q, const struct caller *who, char end[CALLER_SUBTREE_MAX])
{
        size_t n = strlen(who->subtree);

        memcpy(end, who->subtree, n + 1);
        end[n - 1]++;
        db_bind_int(q, ":self", who->process);
        db_bind_text(q, ":subtree", who->subtree);
        db_bind_text(q, ":subtree_end", end);
}

static int show_rows(struct db *db, sqlite3_stmt *q, const struct caller *who, store_show_fn show, void *arg,
                     struct err *e)
{
        struct process p;
        int rc;

        while ((rc = db_step(db, q, e)) > 0) {
                row_read(q, &p);
                if (caller_sees(who, &p))
                        show(&p, arg);
        }
        return rc;
}

int store_list(struct store *s, const struct caller *who, const struct process_filter *f, store_show_fn show,
               void *arg, struct err *e)
{
        CLEANUP(strbuf_done) struct strbuf states = {0};
        CLEANUP(strbuf_done) struct strbuf labels = {0};
        char end[CALLER_SUBTREE_MAX];
        enum sql_query query = list_query(who, f);
        struct db *db = pool_take(s, e);
        sqlite3_stmt *q;
        int rc;

        if (!db)
                return -1;
        state_names(&states, f->states);
        labels_json(&labels, f);
        q = db_stmt(db, query);
        bind_filter(q, f, strbuf_text(&states), strbuf_text(&labels));
        if (query == SQL_PROCESS_LIST_SUBTREE_DESCENDING || query == SQL_PROCESS_LIST_SUBTREE_ASCENDING)
                pool_bind_subtree(q, who, end);
        rc = show_rows(db, q, who, show, arg, e);
        sqlite3_reset(q);
        sqlite3_clear_bindings(q);
        pool_give(s, db);
        return rc;
}

static int show_open(struct db *db, const struct boot *boot, bool starting,
                     void (*show)(const struct open_row *row, void *arg), void *arg, struct err *e)
{
        sqlite3_stmt *q = db_stmt(db, SQL_PROCESS_OPEN);
        struct process p;
        int rc;

        db_bind_text(q, ":boot_id", boot->boot_id);
        db_bind_int(q, ":pid_ns", boot->pid_ns);
        db_bind_int(q, ":starting", starting);
        while ((rc = db_step(db, q, e)) > 0) {
                struct open_row row = {.process = &p,
                                       .same_boot = sqlite3_column_int(q, row_columns),
                                       .has_key = sqlite3_column_int(q, row_columns + 1)};

                row_read(q, &p);
                show(&row, arg);
        }
        return rc;
}

/* Twice, each time in the order of the index: sorted, all rows would be in memory at once. */
int store_open_rows(struct store *s, const struct boot *boot,
                    void (*show)(const struct open_row *row, void *arg), void *arg, struct err *e)
{
        struct db *db = pool_take(s, e);
        int rc;

        if (!db)
                return -1;
        rc = show_open(db, boot, false, show, arg, e);
        if (rc == 0)
                rc = show_open(db, boot, true, show, arg, e);
        pool_give(s, db);
        return rc;
}

int store_request(struct store *s, int64_t id, enum process_state *state, char **request, struct err *e)
{
        struct db *db = pool_take(s, e);
        sqlite3_stmt *q;
        int rc;

        if (!db)
                return -1;
        *request = NULL;
        q = db_stmt(db, SQL_PROCESS_REQUEST);
        db_bind_int(q, ":id", id);
        rc = db_step(db, q, e);
        if (rc > 0) {
                const char *text = (const char *)sqlite3_column_text(q, 1);

                *state = (enum process_state)process_state_parse((const char *)sqlite3_column_text(q, 0));
                if (text && !(*request = strdup(text)))
                        rc = err_set(e, ERR_UNAVAILABLE, 0, "out of memory");
                sqlite3_reset(q);
        }
        pool_give(s, db);
        return rc < 0 ? -1 : rc == 0;
}

int store_counts(struct store *s, int64_t counts[PROCESS_STATE_COUNT], struct err *e)
{
        struct db *db = pool_take(s, e);
        sqlite3_stmt *q;
        int rc;

        if (!db)
                return -1;
        memset(counts, 0, PROCESS_STATE_COUNT * sizeof(*counts));
        q = db_stmt(db, SQL_TALLY_GET);
        while ((rc = db_step(db, q, e)) > 0) {
                int state = process_state_parse((const char *)sqlite3_column_text(q, 0));

                if (state >= 0)
                        counts[state] = sqlite3_column_int64(q, 1);
        }
        pool_give(s, db);
        return rc;
}
