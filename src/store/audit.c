/* SPDX-License-Identifier: MIT */
#include "store/audit.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/db.h"
#include "store/pool.h"

enum {
        COL_ID,
        COL_AT,
        COL_WHO,
        COL_UID,
        COL_PID,
        COL_ADDRESS,
        COL_VERB,
        COL_PROCESS,
        COL_TOKEN,
        COL_DETAIL,
        COL_OUTCOME
};

int record_audit(struct db *db, const struct audit *a, struct err *e)
{
        sqlite3_stmt *s;

        if (db->full) {
                log_warn("audit.no_room", "who=%s verb=%s process=%" PRId64 " token=%" PRId64,
                         log_quote(a->who), a->verb, a->process, a->token);
                return 0;
        }
        s = db_stmt(db, SQL_AUDIT_INSERT);
        db_bind_int(s, ":at", clock_now_us());
        db_bind_text(s, ":who", a->who);
        if (a->has_peer) {
                db_bind_int(s, ":uid", a->uid);
                db_bind_int_or_null(s, ":pid", a->pid);
        }
        db_bind_text(s, ":address", a->address);
        db_bind_text(s, ":verb", a->verb);
        db_bind_int_or_null(s, ":process", a->process);
        db_bind_int_or_null(s, ":token", a->token);
        db_bind_text(s, ":detail", a->detail);
        db_bind_text(s, ":outcome", a->outcome);
        return db_run(db, s, e) < 0 ? -1 : 0;
}

static const char *text(sqlite3_stmt *q, int col)
{
        return (const char *)sqlite3_column_text(q, col);
}

static void read_entry(sqlite3_stmt *q, struct audit *a)
{
        *a = (struct audit){
                .id = sqlite3_column_int64(q, COL_ID),
                .at_us = sqlite3_column_int64(q, COL_AT),
                .who = text(q, COL_WHO),
                .has_peer = sqlite3_column_type(q, COL_UID) != SQLITE_NULL,
                .uid = sqlite3_column_int64(q, COL_UID),
                .pid = sqlite3_column_int64(q, COL_PID),
                .address = text(q, COL_ADDRESS),
                .verb = text(q, COL_VERB),
                .process = sqlite3_column_int64(q, COL_PROCESS),
                .token = sqlite3_column_int64(q, COL_TOKEN),
                .detail = text(q, COL_DETAIL),
                .outcome = text(q, COL_OUTCOME),
        };
}

static enum sql_query list_query(const struct audit_filter *f)
{
        enum sql_query q = f->process ? SQL_AUDIT_PROCESS_DESCENDING : SQL_AUDIT_LIST_DESCENDING;

        return f->page.ascending ? q + 1 : q;
}

int store_audit(struct store *s, const struct audit_filter *f, audit_show_fn show, void *arg, struct err *e)
{
        struct db *db = pool_take(s, e);
        struct audit a;
        sqlite3_stmt *q;
        int rc;

        if (!db)
                return -1;
        q = db_stmt(db, list_query(f));
        db_bind_page(q, &f->page);
        db_bind_int(q, ":since", f->since_us);
        db_bind_int(q, ":until", f->until_us);
        db_bind_int(q, ":process", f->process);
        db_bind_text(q, ":who", f->who);
        while ((rc = db_step(db, q, e)) > 0) {
                read_entry(q, &a);
                show(&a, arg);
        }
        sqlite3_clear_bindings(q);
        pool_give(s, db);
        return rc;
}
