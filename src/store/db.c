/* SPDX-License-Identifier: MIT */
#include "store/db.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum { BUSY_TIMEOUT_MS = 5000 };

int db_err(struct db *db, struct err *e, const char *what)
{
        int rc = sqlite3_extended_errcode(db->sqlite);
        const char *msg = sqlite3_errmsg(db->sqlite);

        if (rc == SQLITE_IOERR_SHMSIZE) /* no room for the index of the write-ahead log */
                return err_set(e, ERR_FULL, 0, "%s: %s", what, msg);
        switch (rc & 0xff) {
        case SQLITE_FULL: return err_set(e, ERR_FULL, 0, "%s: %s", what, msg);
        case SQLITE_BUSY:
        case SQLITE_LOCKED: return err_set(e, ERR_TRY_AGAIN, 0, "%s: %s", what, msg);
        default: return err_set(e, ERR_UNAVAILABLE, 0, "%s: %s (%d)", what, msg, rc);
        }
}

static int on_wal(void *arg, sqlite3 *sqlite, const char *name, int frames)
{
        (void)sqlite;
        (void)name;
        ((struct db *)arg)->wal_frames = frames;
        return SQLITE_OK;
}

int db_pragma(struct db *db, const char *text, struct err *e)
{
        if (sqlite3_exec(db->sqlite, text, NULL, NULL, NULL) != SQLITE_OK)
                return db_err(db, e, text);
        return 0;
}

/* What the settings are for: see architecture, storage. The writer alone checkpoints, by hand. */
static int configure(struct db *db, struct err *e)
{
        static const char *const writing[] = {"PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL",
                                              "PRAGMA trusted_schema = OFF", "PRAGMA temp_store = MEMORY",
                                              NULL};
        static const char *const reading[] = {"PRAGMA query_only = ON", "PRAGMA temp_store = MEMORY", NULL};

        sqlite3_busy_timeout(db->sqlite, BUSY_TIMEOUT_MS);
        sqlite3_wal_autocheckpoint(db->sqlite, 0);
        for (const char *const *p = db->readonly ? reading : writing; *p; p++)
                if (db_pragma(db, *p, e) < 0)
                        return -1;
        if (!db->readonly)
                sqlite3_wal_hook(db->sqlite, on_wal, db);
        return 0;
}

int db_open(struct db *db, const char *path, bool readonly, struct err *e)
{
        int flags = readonly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;

        *db = (struct db){.readonly = readonly};
        if (sqlite3_open_v2(path, &db->sqlite,
                            flags | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                            NULL) != SQLITE_OK) {
                db_err(db, e, path);
                db_close(db);
                return -1;
        }
        if (configure(db, e) < 0) {
                err_wrap(e, "%s", path);
                db_close(db);
                return -1;
        }
        return 0;
}

static int prepare(struct db *db, enum sql_query q)
{
        return sqlite3_prepare_v3(db->sqlite, sql_queries[q].text, -1, SQLITE_PREPARE_PERSISTENT,
                                  &db->stmts[q], NULL);
}

int db_prepare(struct db *db, struct err *e)
{
        for (int q = 0; q < SQL_QUERY_COUNT; q++) {
                if (prepare(db, (enum sql_query)q) != SQLITE_OK)
                        return db_err(db, e, sql_queries[q].name);
                if (!sqlite3_column_count(db->stmts[q]))
                        continue;
                sqlite3_finalize(db->stmts[q]);
                db->stmts[q] = NULL;
        }
        return 0;
}

void db_close(struct db *db)
{
        for (int q = 0; q < SQL_QUERY_COUNT; q++)
                sqlite3_finalize(db->stmts[q]);
        sqlite3_close(db->sqlite);
        *db = (struct db){0};
}

sqlite3_stmt *db_stmt(struct db *db, enum sql_query q)
{
        sqlite3_stmt *s = db->stmts[q];

        if (!s) {
                prepare(db,
                        q); /* if it fails, that is still the connection's last error when it is stepped */
                return db->stmts[q];
        }
        sqlite3_reset(s);
        sqlite3_clear_bindings(s);
        return s;
}

static int parameter(sqlite3_stmt *s, const char *name)
{
        int i = sqlite3_bind_parameter_index(s, name);

        assert(i > 0 || !s);
        return i;
}

void db_bind_text(sqlite3_stmt *s, const char *name, const char *text)
{
        sqlite3_bind_text(s, parameter(s, name), text, -1, SQLITE_STATIC);
}

void db_bind_int(sqlite3_stmt *s, const char *name, int64_t v)
{
        sqlite3_bind_int64(s, parameter(s, name), v);
}

void db_bind_int_or_null(sqlite3_stmt *s, const char *name, int64_t v)
{
        if (v)
                db_bind_int(s, name, v);
}

void db_bind_blob(sqlite3_stmt *s, const char *name, const void *blob, int n)
{
        sqlite3_bind_blob(s, parameter(s, name), blob, n, SQLITE_STATIC);
}

void db_bind_page(sqlite3_stmt *s, const struct page *page)
{
        db_bind_int(s, ":after", page->after ? page->after : page->ascending ? 0 : INT64_MAX);
        db_bind_int(s, ":limit", (int64_t)page->limit + 1);
}

int db_step(struct db *db, sqlite3_stmt *s, struct err *e)
{
        switch (sqlite3_step(s)) {
        case SQLITE_ROW: return 1;
        case SQLITE_DONE: sqlite3_reset(s); return 0;
        default:
                db_err(db, e, "query");
                sqlite3_reset(s);
                return -1;
        }
}

int db_run(struct db *db, sqlite3_stmt *s, struct err *e)
{
        int rc;

        while ((rc = db_step(db, s, e)) > 0)
                ;
        return rc < 0 ? -1 : sqlite3_changes(db->sqlite);
}
