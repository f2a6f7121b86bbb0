/* SPDX-License-Identifier: MIT */
/* sql: a question to the database of a daemon on this machine. It can only read: the file is opened so, nothing but a
 * SELECT gets past the authorizer, and it ends when its time is over, because a reader keeps the write-ahead log from
 * being taken in. */
#include "cli/cmd.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/json.h"
#include "cli/text.h"
#include "cli/view.h"

enum { BUSY_MS = 5000, STEPS = 10000, COLUMNS_MAX = 64 };

struct question {
        sqlite3 *db;
        sqlite3_stmt *statement;
        int64_t until_us;
        struct column columns[COLUMNS_MAX];
        json_t *rows;
};

static int time_is_over(void *arg)
{
        return clock_mono_us() > ((struct question *)arg)->until_us;
}

static int only_read(void *arg, int action, const char *a, const char *b, const char *c, const char *d)
{
        (void)arg, (void)a, (void)b, (void)c, (void)d;
        return action == SQLITE_SELECT || action == SQLITE_READ || action == SQLITE_FUNCTION ||
                               action == SQLITE_RECURSIVE
                       ? SQLITE_OK
                       : SQLITE_DENY;
}

static int refuse(struct question *q, int rc, struct fail *f)
{
        fail_set(f, ERR_INVALID, 0, "%s", sqlite3_errmsg(q->db));
        fail_hint(f, "the views are processes, events, tokens, audit: creche sql 'SELECT * FROM processes "
                     "LIMIT 3'");
        if (rc == SQLITE_AUTH)
                return fail_hint(f, "only SELECT is allowed: it reads");
        if (rc != SQLITE_INTERRUPT)
                return -1;
        fail_set(f, ERR_TIMEOUT, 0, "the time for this question is over");
        f->status = EXIT_TIMED_OUT;
        return fail_hint(
                f, "ask for less, or say --timeout TIME, or ask a backup: creche backup FILE; sqlite3 FILE");
}

static int open_database(struct question *q, const char *path, struct fail *f)
{
        int rc = sqlite3_open_v2(path, &q->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);

        if (rc != SQLITE_OK) {
                fail_set(f, ERR_INTERNAL, 0, "cannot open %s: %s", path, sqlite3_errmsg(q->db));
                return fail_hint(f,
                                 "only who may read the state directory of the daemon may ask its database");
        }
        sqlite3_db_config(q->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        sqlite3_db_config(q->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        sqlite3_limit(q->db, SQLITE_LIMIT_ATTACHED, 0);
        sqlite3_busy_timeout(q->db, BUSY_MS);
        sqlite3_progress_handler(q->db, STEPS, time_is_over, q);
        sqlite3_set_authorizer(q->db, only_read, NULL);
        return 0;
}

static int prepare(struct question *q, const char *sql, struct fail *f)
{
        const char *rest = "";
        int rc = sqlite3_prepare_v2(q->db, sql, -1, &q->statement, &rest);

        if (rc != SQLITE_OK)
                return refuse(q, rc, f);
        if (!q->statement || rest[strspn(rest, " \t\n;")] ||
            sqlite3_column_count(q->statement) > COLUMNS_MAX) {
                fail_usage(f, "that is not one SELECT of at most %d columns", COLUMNS_MAX);
                return fail_hint(f, "creche sql 'SELECT name, exitcode FROM processes'");
        }
        return 0;
}

static json_t *text_value(const char *s, size_t n)
{
        struct strbuf b = {0};
        json_t *v = json_stringn(s, n);

        /* A column may hold what is no text. */
        if (!v) {
                text_escape(&b, s, n, true);
                v = json_string(strbuf_text(&b));
                strbuf_done(&b);
        }
        return v;
}

static json_t *blob_value(const unsigned char *bytes, size_t n)
{
        struct strbuf b = {0};
        json_t *v;

        for (size_t i = 0; i < n; i++)
                strbuf_printf(&b, "%02x", bytes[i]);
        v = json_string(strbuf_text(&b));
        strbuf_done(&b);
        return v;
}

static json_t *value(sqlite3_stmt *s, int k)
{
        switch (sqlite3_column_type(s, k)) {
        case SQLITE_INTEGER: return json_integer(sqlite3_column_int64(s, k));
        case SQLITE_FLOAT: return json_real(sqlite3_column_double(s, k));
        case SQLITE_TEXT:
                return text_value((const char *)sqlite3_column_text(s, k),
                                  (size_t)sqlite3_column_bytes(s, k));
        case SQLITE_BLOB: return blob_value(sqlite3_column_blob(s, k), (size_t)sqlite3_column_bytes(s, k));
        default: return json_null();
        }
}

static int read_rows(struct question *q, struct fail *f)
{
        int n = sqlite3_column_count(q->statement), rc;

        for (int k = 0; k < n; k++)
                q->columns[k] = (struct column){.name = sqlite3_column_name(q->statement, k),
                                                .member = sqlite3_column_name(q->statement, k),
                                                .flags = COLUMN_SHRINKS};
        while ((rc = sqlite3_step(q->statement)) == SQLITE_ROW) {
                json_t *row = json_object();

                for (int k = 0; k < n; k++)
                        json_object_set_new(row, q->columns[k].name, value(q->statement, k));
                json_array_append_new(q->rows, row);
        }
        return rc == SQLITE_DONE ? 0 : refuse(q, rc, f);
}

static int ask(struct cli *c, const struct args *a, struct question *q, const char *path, struct fail *f)
{
        struct view view = {.list = "rows", .id = "id", .title = "name", .columns = q->columns};

        if (open_database(q, path, f) < 0 || prepare(q, a->operands[0], f) < 0 || read_rows(q, f) < 0)
                return -1;
        view.columns_n = (size_t)sqlite3_column_count(q->statement);
        return view_list(c, a, &view, q->rows, f);
}

int cmd_sql(struct cli *c, const struct args *a, struct fail *f)
{
        CLEANUP(json_putp) json_t *info = NULL;
        struct question q = {0};
        double timeout = 10;
        int rc;

        if (args_seconds(a, "timeout", &timeout, f) < 0)
                return -1;
        if (c->client.where.url) {
                fail_usage(f, "a database is asked on its own machine");
                return fail_hint(f, "log in there; or bring it here: creche backup FILE; sqlite3 FILE");
        }
        if (client_get(&c->client, &info, f, "/v1/info") < 0)
                return -1;
        q.until_us = clock_mono_us() + (int64_t)(timeout * CLOCK_US_PER_S);
        q.rows = json_array();
        rc = ask(c, a, &q, json_text(info, "database") ?: "", f);
        json_decref(q.rows);
        sqlite3_finalize(q.statement);
        sqlite3_close(q.db);
        return rc;
}
