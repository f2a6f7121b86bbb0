/* SPDX-License-Identifier: MIT */
/* store/db.h
 * One SQLite connection, and the queries of sql/queries on it. The rest of store/ stands on it; nobody
 * outside of store/ looks inside.
 *
 * Threads: a connection belongs to one thread at a time.
 */
#ifndef CRECHE_STORE_DB_H
#define CRECHE_STORE_DB_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "model/filter.h"
#include "model/process.h"
#include "sql.h"

/* What the table tally counts: the rows in each state, and of those that have ended the joined ones. */
enum { TALLY_JOINED = PROCESS_STATE_COUNT, TALLY_COUNT };

struct db {
        sqlite3 *sqlite;
        sqlite3_stmt *stmts[SQL_QUERY_COUNT];
        bool readonly;
        /* The writer's: what the transaction adds to the table tally, and the main process's children. */
        int64_t tally[TALLY_COUNT];
        int64_t main_children, main_children_stored;
        size_t events;  /* that the transaction tells */
        int64_t boot;   /* boot.id of this boot and pid namespace */
        bool full;      /* the disk is, and only what ends something is written */
        int wal_frames; /* in the write-ahead log after the last commit */
};

/** Open @path. @readonly: for reading only, and it never checkpoints (see architecture, storage). ERR_INTERNAL,
 * ERR_UNAVAILABLE. */
int db_open(struct db *db, const char *path, bool readonly, struct err *e);
/** The writer's, after the migrations: see that every query can be prepared, and keep those that give no rows, which are what it
 * runs. The others, which take most of the memory, are prepared by the connections that ask them, once. */
int db_prepare(struct db *db, struct err *e);
void db_close(struct db *db);

/** Execute a PRAGMA that gives nothing back. */
int db_pragma(struct db *db, const char *text, struct err *e);

/** The prepared statement of @q, reset, without bindings; prepared, if it was not. NULL: it cannot be (no memory); bound to,
 * that is ignored, and its first step says why. */
sqlite3_stmt *db_stmt(struct db *db, enum sql_query q);

/** Bind by name, with the colon; names that a statement does not have are our own mistake (assert). NULL
 * strings bind NULL. Text is borrowed until the statement is reset. */
void db_bind_text(sqlite3_stmt *s, const char *name, const char *text);
void db_bind_int(sqlite3_stmt *s, const char *name, int64_t v);
void db_bind_int_or_null(sqlite3_stmt *s, const char *name, int64_t v); /* NULL for 0 */
void db_bind_blob(sqlite3_stmt *s, const char *name, const void *blob, int n);
/** :after and :limit of a list by id; one row more than the limit says that there are more. */
void db_bind_page(sqlite3_stmt *s, const struct page *page);

/** One step. Returns 1 with a row, 0 when it is done (and reset), -1 with @e set. */
int db_step(struct db *db, sqlite3_stmt *s, struct err *e);

/** Step a statement that gives no row. Returns the number of rows that it changed, or -1. */
int db_run(struct db *db, sqlite3_stmt *s, struct err *e);

/** Set @e from the last error of @db. ERR_FULL (disk), ERR_TRY_AGAIN (locked), else ERR_UNAVAILABLE. */
int db_err(struct db *db, struct err *e, const char *what);

#endif
