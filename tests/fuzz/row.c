/* SPDX-License-Identifier: MIT */
/* tests/fuzz/row.c: a row that somebody else has written into the database, and what is made of it.
 *
 * Input: for each column a byte: how; then its value: nothing, a number, one of the extreme ones, a text. */
#include "fuzz.h"

#include <sqlite3.h>

#include "store/row.h"

enum { COLUMNS_MAX = 64 };

static sqlite3_stmt *statement;

/* SELECT ?1, ?2, ... */
static void set_up(void)
{
        struct strbuf sql = {0};
        sqlite3 *db;

        REQUIRE(row_columns <= COLUMNS_MAX && sqlite3_open(":memory:", &db) == SQLITE_OK);
        for (int i = 1; i <= row_columns; i++)
                strbuf_printf(&sql, "%s?%d", i > 1 ? "," : "SELECT ", i);
        REQUIRE(sqlite3_prepare_v2(db, strbuf_text(&sql), -1, &statement, NULL) == SQLITE_OK);
        strbuf_done(&sql);
}

static bool is_json_column(int i)
{
        return i == 9 || i == 11 || i == 12; /* argv, env, labels: written by us, and shown as they are */
}

/* The tables are STRICT: no column holds what it is not for. */
static bool is_text_column(int i)
{
        static const char text[] = {2,  3,  5,  6,  7,  9,  10, 11, 12, 13, 14,
                                    25, 26, 27, 28, 31, 43, 44, 45, 46, 0};

        return strchr(text, i);
}

static void bind_number(struct input *in, int i, unsigned how)
{
        static const int64_t extremes[] = {INT64_MIN, INT64_MIN + 1, -1, INT32_MIN,
                                           INT32_MAX, INT64_MAX,     0,  1};
        int64_t v;

        if (how % 5 == 0) {
                sqlite3_bind_null(statement, i);
        } else if (how % 5 == 1) {
                input_copy(in, &v, sizeof(v));
                sqlite3_bind_int64(statement, i, v);
        } else {
                sqlite3_bind_int64(statement, i, extremes[how / 5 % 8]);
        }
}

static void bind(struct input *in, int i)
{
        static const char *const words[] = {"started",    "stopped",     "failed", "exited",
                                            "signaled",   "lost",        "spawn",  "log",
                                            "forkserver", "exec_failed", "ENOENT", "\xff"};
        uint8_t how = input_byte(in);
        char text[16];

        if (i == 24) { /* exitcode: the database takes no other */
                sqlite3_bind_int(statement, i, how % 5 ? how - 64 : how);
        } else if (!is_text_column(i)) {
                bind_number(in, i, how);
        } else if (is_json_column(i)) {
                sqlite3_bind_text(statement, i, i == 12 ? "{\"a\":\"b\"}" : "[\"a\"]", -1, SQLITE_STATIC);
        } else if (how % 5 == 3) {
                sqlite3_bind_text(statement, i, words[how / 5 % 12], -1, SQLITE_STATIC);
        } else if (how % 5 == 4) {
                input_copy(in, text, sizeof(text));
                sqlite3_bind_text(statement, i, text, how / 5 % 17, SQLITE_TRANSIENT);
        } else {
                sqlite3_bind_null(statement, i);
        }
}

static void check_shown(const struct process *p)
{
        struct strbuf b = {0};
        json_error_t je;
        json_t *j;

        codec_process(&b, p, p->log_bytes);
        REQUIRE(!strbuf_failed(&b));
        j = json_loadb(strbuf_text(&b), b.len, JSON_REJECT_DUPLICATES, &je);
        REQUIRE(j && json_integer_value(json_object_get(j, "id")) == p->id);
        REQUIRE(json_is_string(json_object_get(j, "state")) &&
                json_is_string(json_object_get(j, "created_at")) == (p->created_us != 0));
        json_decref(j);
        strbuf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct input in = {data, size};
        struct process p, *copy;

        if (!statement)
                set_up();
        for (int i = 1; i <= row_columns; i++)
                bind(&in, i);
        REQUIRE(sqlite3_step(statement) == SQLITE_ROW);
        row_read(statement, &p);
        REQUIRE((unsigned)p.state < PROCESS_STATE_COUNT && (unsigned)p.start_method < START_METHOD_COUNT);
        REQUIRE((unsigned)p.exit.reason < EXIT_REASON_COUNT && (unsigned)p.out < OUTPUT_COUNT);
        check_shown(&p);
        copy = process_copy(&p);
        REQUIRE(copy);
        sqlite3_reset(statement);
        sqlite3_clear_bindings(statement);
        check_shown(copy);
        process_free(copy);
        return 0;
}
