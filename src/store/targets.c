/* SPDX-License-Identifier: MIT */
#include "store/targets.h"

#include "store/db.h"
#include "store/pool.h"

enum { COL_ID, COL_NAME, COL_DEFINITION, COL_CREATED, COL_UPDATED };

static void read_target(sqlite3_stmt *q, struct target *t)
{
        *t = (struct target){
                .id = sqlite3_column_int64(q, COL_ID),
                .name = (const char *)sqlite3_column_text(q, COL_NAME),
                .definition = (const char *)sqlite3_column_text(q, COL_DEFINITION),
                .created_us = sqlite3_column_int64(q, COL_CREATED),
                .updated_us = sqlite3_column_int64(q, COL_UPDATED),
        };
}

int record_target_put(struct db *db, const char *name, const char *definition, int64_t at_us, struct err *e)
{
        static const enum sql_query queries[] = {SQL_TARGET_REPLACE, SQL_TARGET_INSERT};

        for (int i = 0; i < 2; i++) {
                sqlite3_stmt *s = db_stmt(db, queries[i]);
                int changes;

                db_bind_text(s, ":name", name);
                db_bind_text(s, ":definition", definition);
                db_bind_int(s, ":at", at_us);
                changes = db_run(db, s, e);
                if (changes)
                        return changes < 0 ? -1 : i == 0;
        }
        return err_set(e, ERR_INTERNAL, 0, "the target was not inserted");
}

int record_target_delete(struct db *db, const char *name, struct err *e)
{
        sqlite3_stmt *s = db_stmt(db, SQL_TARGET_DELETE);
        int changes;

        db_bind_text(s, ":name", name);
        changes = db_run(db, s, e);
        if (changes == 0)
                return err_set(e, ERR_NOT_FOUND, 0, "there is no target '%s'", name);
        return changes < 0 ? -1 : 0;
}

int store_target(struct store *s, const char *name, target_show_fn show, void *arg, struct err *e)
{
        struct db *db = pool_take(s, e);
        struct target t;
        sqlite3_stmt *q;
        int rc;

        if (!db)
                return -1;
        q = db_stmt(db, SQL_TARGET_GET);
        db_bind_text(q, ":name", name);
        rc = db_step(db, q, e);
        if (rc > 0) {
                read_target(q, &t);
                show(&t, arg);
                sqlite3_reset(q);
        }
        sqlite3_clear_bindings(q);
        pool_give(s, db);
        return rc < 0 ? -1 : rc == 0;
}

int store_targets(struct store *s, const struct page *page, target_show_fn show, void *arg, struct err *e)
{
        struct db *db = pool_take(s, e);
        struct target t;
        sqlite3_stmt *q;
        int rc;

        if (!db)
                return -1;
        q = db_stmt(db, page->ascending ? SQL_TARGET_LIST_ASCENDING : SQL_TARGET_LIST_DESCENDING);
        db_bind_page(q, page);
        while ((rc = db_step(db, q, e)) > 0) {
                read_target(q, &t);
                show(&t, arg);
        }
        pool_give(s, db);
        return rc;
}
