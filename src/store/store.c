/* SPDX-License-Identifier: MIT */
#include "store/store.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/killpoint.h"
#include "base/log.h"
#include "store/backup.h"
#include "store/ballast.h"
#include "store/db.h"
#include "store/files.h"
#include "store/pool.h"
#include "store/writer.h"

enum { POOL_MAX = 8, APPLICATION_ID = 1129465160 /* "CRCH", see the first migration */ };

struct store {
        struct files files;
        bool forsaken;
        struct db db; /* the writer's */
        struct writer *writer;
        char instance[64];
        int64_t last_id;
        pthread_mutex_t lock; /* guards the pool */
        struct db *pool[POOL_MAX];
        int pool_n;
};

static int pragma_value(struct db *db, const char *text, int64_t *v, struct err *e)
{
        sqlite3_stmt *s;
        int rc;

        if (sqlite3_prepare_v2(db->sqlite, text, -1, &s, NULL) != SQLITE_OK)
                return db_err(db, e, text);
        rc = sqlite3_step(s);
        *v = sqlite3_column_int64(s, 0);
        sqlite3_finalize(s);
        return rc == SQLITE_ROW ? 0 : db_err(db, e, text);
}

static int apply(struct db *db, const struct sql_migration *m, struct err *e)
{
        char version[64];

        snprintf(version, sizeof(version), "PRAGMA user_version = %d", m->version);
        KILLPOINT("migration");
        if (sqlite3_exec(db->sqlite, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK &&
            sqlite3_exec(db->sqlite, m->text, NULL, NULL, NULL) == SQLITE_OK &&
            sqlite3_exec(db->sqlite, version, NULL, NULL, NULL) == SQLITE_OK &&
            sqlite3_exec(db->sqlite, "COMMIT", NULL, NULL, NULL) == SQLITE_OK) {
                KILLPOINT("migrated");
                log_info("store.migrated", "version=%d name=%s", m->version, m->name);
                return 0;
        }
        db_err(db, e, m->name);
        sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL);
        return -1;
}

static int look_at_file(struct db *db, const char *path, struct err *e)
{
        int64_t version, application, objects;

        if (pragma_value(db, "PRAGMA user_version", &version, e) < 0 ||
            pragma_value(db, "PRAGMA application_id", &application, e) < 0 ||
            pragma_value(db, "SELECT count(*) FROM sqlite_schema", &objects, e) < 0)
                return (sqlite3_errcode(db->sqlite) & 0xff) == SQLITE_NOTADB
                               ? err_set(e, ERR_INVALID, 0, "%s is no database", path)
                               : err_wrap(e, "%s", path);
        if (objects && application != APPLICATION_ID)
                return err_set(e, ERR_INVALID, 0, "%s is not a database of Creche", path);
        if (version > sql_migrations_count)
                return err_set(e, ERR_INVALID, 0, "%s has version %d, newer than this program's %d", path,
                               (int)version, sql_migrations_count);
        return 0;
}

/* A file that is not ours or newer than we are must not be written to, not even by a change of its
 * journal mode: this looks through a reading connection. */
static int check_version(const char *path, struct err *e)
{
        struct db db = {0};
        int rc;

        if (sqlite3_open_v2(path, &db.sqlite,
                            SQLITE_OPEN_READONLY | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_NOMUTEX |
                                    SQLITE_OPEN_EXRESCODE,
                            NULL) == SQLITE_OK)
                rc = look_at_file(&db, path, e);
        else
                rc = (sqlite3_errcode(db.sqlite) & 0xff) == SQLITE_CANTOPEN
                             ? 0
                             : db_err(&db, e, path); /* 0: not there yet */
        sqlite3_close(db.sqlite);
        return rc;
}

/* An empty file in the place of the database would become a registry that has forgotten its children. */
static int check_file(const char *path, bool must_exist, struct err *e)
{
        struct stat st;

        if (stat(path, &st) < 0)
                return errno == ENOENT && !must_exist ? 0 : err_set(e, ERR_UNAVAILABLE, errno, "%s", path);
        if (!st.st_size && must_exist)
                return err_set(e, ERR_UNAVAILABLE, 0, "%s is empty", path);
        if (access(path, R_OK | W_OK) < 0) /* SQLite would open it for reading, and fail later */
                return err_set(e, ERR_UNAVAILABLE, errno, "%s", path);
        return 0;
}

static int migrate(struct db *db, struct err *e)
{
        int64_t version;

        if (pragma_value(db, "PRAGMA user_version", &version, e) < 0)
                return -1;
        for (int i = (int)version; i < sql_migrations_count; i++)
                if (apply(db, &sql_migrations[i], e) < 0)
                        return -1;
        return 0;
}

static int load_main(struct store *st, struct err *e)
{
        sqlite3_stmt *s = db_stmt(&st->db, SQL_MAIN_GET);

        if (db_step(&st->db, s, e) <= 0)
                return err_wrap(e, "reading main_process");
        snprintf(st->instance, sizeof(st->instance), "%s", (const char *)sqlite3_column_text(s, 0));
        st->db.main_children = st->db.main_children_stored = sqlite3_column_int64(s, 1);
        sqlite3_reset(s);

        s = db_stmt(&st->db, SQL_LAST_ID);
        if (db_step(&st->db, s, e) <= 0)
                return err_wrap(e, "reading the last id");
        st->last_id = sqlite3_column_int64(s, 0);
        sqlite3_reset(s);
        return 0;
}

static int register_boot(struct db *db, const struct boot *boot, struct err *e)
{
        sqlite3_stmt *s = db_stmt(db, SQL_BOOT_INSERT);

        db_bind_text(s, ":boot_id", boot->boot_id);
        db_bind_int(s, ":pid_ns", boot->pid_ns);
        if (db_run(db, s, e) < 0)
                return -1;
        s = db_stmt(db, SQL_BOOT_GET);
        db_bind_text(s, ":boot_id", boot->boot_id);
        db_bind_int(s, ":pid_ns", boot->pid_ns);
        if (db_step(db, s, e) <= 0)
                return err_wrap(e, "registering the boot");
        db->boot = sqlite3_column_int64(s, 0);
        sqlite3_reset(s);
        return 0;
}

/* Closing takes no checkpoint: what cannot be used, or is not there any more, is left as it is. */
static void leave_untouched(struct store *s)
{
        if (s->db.sqlite)
                sqlite3_db_config(s->db.sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
}

static int open_database(struct store *s, const struct store_config *c, struct err *e)
{
        const char *path = s->files.paths[FILE_DATABASE];

        if (check_version(path, e) == 0 && db_open(&s->db, path, false, e) == 0 && migrate(&s->db, e) == 0 &&
            db_prepare(&s->db, e) == 0 && register_boot(&s->db, c->boot, e) == 0 && load_main(s, e) == 0)
                return 0;
        leave_untouched(s);
        db_close(&s->db);
        return -1;
}

/* What is recovered has to be recorded, on a full disk as well. */
static int open_or_make_room(struct store *s, const struct store_config *c, struct err *e)
{
        if (open_database(s, c, e) == 0)
                return 0;
        if (e->kind != ERR_FULL || !ballast_give(s->files.dir, s->files.names[FILE_LOG]))
                return -1;
        log_error("store.full", "detail=%s", log_quote("the disk is full: it is opened in the ballast"));
        return open_database(s, c, e);
}

static int open_all(struct store *s, const struct store_config *c, struct err *e)
{
        if (files_name(&s->files, c->dir, c->path, e) < 0 || check_file(c->path, c->must_exist, e) < 0 ||
            open_or_make_room(s, c, e) < 0 || files_remember(&s->files, e) < 0)
                return -1;
        backup_forget(&s->files); /* of a daemon that died over it: its room may be what is missing */
        if (!ballast_is_held(s->files.dir) && !ballast_take(s->files.dir))
                log_error("store.full", "error=%s detail=%s", log_quote(strerror(errno)),
                          log_quote("there is no room for the ballast: starts are refused"));
        return writer_start(&s->db, &s->files, c, &s->writer, e);
}

int store_open(const struct store_config *c, struct store **out, struct err *e)
{
        struct store *s = calloc(1, sizeof(*s));

        if (!s)
                return err_set(e, ERR_UNAVAILABLE, 0, "out of memory");
        /* Nobody asks SQLite how much memory it has; to count it, all threads would share a lock. Where SQLite is in use
         * already, it refuses. */
        sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
        pthread_mutex_init(&s->lock, NULL);
        if (open_all(s, c, e) < 0) {
                store_forsake(s);
                store_close(s);
                return -1;
        }
        KILLPOINT("store.opened");
        *out = s;
        return 0;
}

void store_forsake(struct store *s)
{
        s->forsaken = true;
}

void store_close(struct store *s)
{
        struct err gone;

        if (!s)
                return;
        writer_stop(s->writer);
        while (s->pool_n) {
                db_close(s->pool[--s->pool_n]);
                free(s->pool[s->pool_n]);
        }
        /* The last connection that is closed checkpoints and removes the write-ahead log. */
        if (s->forsaken || files_check(&s->files, &gone) < 0)
                leave_untouched(s);
        db_close(&s->db);
        pthread_mutex_destroy(&s->lock);
        free(s);
}

unsigned store_troubles(struct store *s)
{
        struct err gone;

        return writer_troubles(s->writer) | (files_check(&s->files, &gone) < 0 ? STORE_GONE : 0U);
}

void store_submit(struct store *s, struct store_job *job)
{
        writer_submit(s->writer, job);
}

void store_submit_all(struct store *s, struct list *jobs)
{
        writer_submit_all(s->writer, jobs);
}

void store_hurry(struct store *s)
{
        writer_hurry(s->writer);
}

int store_backup(struct store *s, const atomic_bool *stop, struct err *e)
{
        return backup_take(s, &s->files, stop, e);
}

void store_watch(struct store *s, void (*watcher)(void *), void *arg)
{
        writer_watch(s->writer, watcher, arg);
}

const struct store_stats *store_stats(struct store *s)
{
        return writer_stats(s->writer);
}

const char *store_instance(struct store *s)
{
        return s->instance;
}

int64_t store_last_id(struct store *s)
{
        return s->last_id;
}

static struct db *pool_open(struct store *s, struct err *e)
{
        struct db *db = malloc(sizeof(*db));

        if (!db) {
                err_set(e, ERR_UNAVAILABLE, 0, "out of memory");
                return NULL;
        }
        if (files_check(&s->files, e) < 0 || db_open(db, s->files.paths[FILE_DATABASE], true, e) < 0) {
                free(db);
                return NULL;
        }
        return db;
}

struct db *pool_take(struct store *s, struct err *e)
{
        struct db *db = NULL;

        pthread_mutex_lock(&s->lock);
        if (s->pool_n)
                db = s->pool[--s->pool_n];
        pthread_mutex_unlock(&s->lock);
        return db ? db : pool_open(s, e);
}

void pool_give(struct store *s, struct db *db)
{
        pthread_mutex_lock(&s->lock);
        if (s->pool_n < POOL_MAX) {
                s->pool[s->pool_n++] = db;
                db = NULL;
        }
        pthread_mutex_unlock(&s->lock);
        if (db) {
                db_close(db);
                free(db);
        }
}
