/* SPDX-License-Identifier: MIT */
#include "store/tokens.h"

#include <inttypes.h>

#include "store/db.h"
#include "store/pool.h"

enum {
        COL_ID,
        COL_NAME,
        COL_SCOPES,
        COL_BY,
        COL_CREATED,
        COL_EXPIRES,
        COL_REVOKED,
        COL_USED,
        COL_ONLY,
        COL_HASH
};

static void read_token(sqlite3_stmt *q, struct token *t)
{
        *t = (struct token){
                .id = sqlite3_column_int64(q, COL_ID),
                .name = (const char *)sqlite3_column_text(q, COL_NAME),
                .scopes = scopes_parse((const char *)sqlite3_column_text(q, COL_SCOPES)),
                .created_by = (const char *)sqlite3_column_text(q, COL_BY),
                .created_us = sqlite3_column_int64(q, COL_CREATED),
                .expires_us = sqlite3_column_int64(q, COL_EXPIRES),
                .revoked_us = sqlite3_column_int64(q, COL_REVOKED),
                .used_us = sqlite3_column_int64(q, COL_USED),
                .targets = (const char *)sqlite3_column_text(q, COL_ONLY),
        };
}

int record_token_insert(struct db *db, const struct token *t, const unsigned char hash[TOKEN_HASH_BYTES],
                        int64_t *id, struct err *e)
{
        sqlite3_stmt *s = db_stmt(db, SQL_TOKEN_INSERT);
        char scopes[SCOPES_TEXT_MAX];

        db_bind_text(s, ":name", t->name);
        db_bind_text(s, ":scopes", scopes_text(t->scopes, scopes));
        db_bind_blob(s, ":hash", hash, TOKEN_HASH_BYTES);
        db_bind_int(s, ":created_at", t->created_us);
        db_bind_text(s, ":created_by", t->created_by);
        db_bind_int_or_null(s, ":expires_at", t->expires_us);
        db_bind_text(s, ":only_targets", t->targets);
        if (db_step(db, s, e) < 0)
                return -1;
        *id = sqlite3_column_int64(s, 0);
        sqlite3_reset(s);
        return 0;
}

static int exists(struct db *db, int64_t id, struct err *e)
{
        sqlite3_stmt *s = db_stmt(db, SQL_TOKEN_GET);
        int rc;

        db_bind_int(s, ":id", id);
        rc = db_step(db, s, e);
        if (rc == 0)
                return err_set(e, ERR_NOT_FOUND, 0, "there is no token %" PRId64, id);
        sqlite3_reset(s);
        return rc < 0 ? -1 : 0;
}

int record_token_revoke(struct db *db, int64_t id, int64_t at_us, struct err *e)
{
        sqlite3_stmt *s = db_stmt(db, SQL_TOKEN_REVOKE);
        int changes;

        db_bind_int(s, ":id", id);
        db_bind_int(s, ":at", at_us);
        changes = db_run(db, s, e);
        if (changes)
                return changes < 0 ? -1 : 0;
        return exists(db, id, e) < 0 ? -1 : 1;
}

int record_token_used(struct db *db, int64_t id, int64_t at_us, struct err *e)
{
        sqlite3_stmt *s = db_stmt(db, SQL_TOKEN_USED);

        db_bind_int(s, ":id", id);
        db_bind_int(s, ":at", at_us);
        return db_run(db, s, e) < 0 ? -1 : 0;
}

/* Show the row that @q gives, if it gives one. */
static int show_one(struct store *s, struct db *db, sqlite3_stmt *q, token_show_fn show, void *arg,
                    struct err *e)
{
        struct token t;
        int rc = db_step(db, q, e);

        if (rc > 0) {
                read_token(q, &t);
                show(&t, arg);
                sqlite3_reset(q);
        }
        sqlite3_clear_bindings(q);
        pool_give(s, db);
        return rc < 0 ? -1 : rc == 0;
}

int store_token(struct store *s, int64_t id, token_show_fn show, void *arg, struct err *e)
{
        struct db *db = pool_take(s, e);
        sqlite3_stmt *q;

        if (!db)
                return -1;
        q = db_stmt(db, SQL_TOKEN_GET);
        db_bind_int(q, ":id", id);
        return show_one(s, db, q, show, arg, e);
}

int store_token_by_hash(struct store *s, const unsigned char hash[TOKEN_HASH_BYTES], token_show_fn show,
                        void *arg, struct err *e)
{
        struct db *db = pool_take(s, e);
        sqlite3_stmt *q;

        if (!db)
                return -1;
        q = db_stmt(db, SQL_TOKEN_BY_HASH);
        db_bind_blob(q, ":hash", hash, TOKEN_HASH_BYTES);
        return show_one(s, db, q, show, arg, e);
}

int store_tokens(struct store *s, const struct page *page, token_show_fn show, void *arg, struct err *e)
{
        struct db *db = pool_take(s, e);
        struct token t;
        sqlite3_stmt *q;
        int rc;

        if (!db)
                return -1;
        q = db_stmt(db, page->ascending ? SQL_TOKEN_LIST_ASCENDING : SQL_TOKEN_LIST_DESCENDING);
        db_bind_page(q, page);
        while ((rc = db_step(db, q, e)) > 0) {
                read_token(q, &t);
                show(&t, arg);
        }
        pool_give(s, db);
        return rc;
}

int store_tokens_live(struct store *s, int64_t now_us, token_live_fn show, void *arg, struct err *e)
{
        struct db *db = pool_take(s, e);
        struct token t;
        sqlite3_stmt *q;
        int rc;

        if (!db)
                return -1;
        q = db_stmt(db, SQL_TOKEN_LIVE);
        db_bind_int(q, ":now", now_us);
        while ((rc = db_step(db, q, e)) > 0) {
                read_token(q, &t);
                show(&t, sqlite3_column_blob(q, COL_HASH), arg);
        }
        pool_give(s, db);
        return rc;
}
