/* SPDX-License-Identifier: MIT */
/* Reading events: see store.h. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "store/pool.h"
#include "store/store.h"

/* How many ids one page looks at: who seeks few among millions gets shorter pages, and holds nobody up. */
enum { SCAN_MAX = 20000 };

/* The last id in "3/17/"; 0 of "". */
static int64_t parent_of(const char *lineage)
{
        const char *last = lineage;

        for (const char *c = lineage; *c; c++)
                if (*c == '/' && c[1])
                        last = c + 1;
        return strtoll(last, NULL, 10);
}

static void read_event(sqlite3_stmt *q, struct event *ev)
{
        *ev = (struct event){.id = sqlite3_column_int64(q, 0),
                             .at_us = sqlite3_column_int64(q, 1),
                             .process = sqlite3_column_int64(q, 2),
                             .type = (const char *)sqlite3_column_text(q, 3),
                             .name = (const char *)sqlite3_column_text(q, 4),
                             .parent = parent_of((const char *)sqlite3_column_text(q, 5)),
                             .has_exitcode = sqlite3_column_type(q, 6) != SQLITE_NULL,
                             .exitcode = sqlite3_column_int(q, 6),
                             .reason = (const char *)sqlite3_column_text(q, 7)};
}

static int read_range(struct db *db, struct event_page *page, struct err *e)
{
        sqlite3_stmt *q = db_stmt(db, SQL_EVENT_RANGE);
        int rc = db_step(db, q, e);

        if (rc > 0) {
                page->oldest = sqlite3_column_int64(q, 0);
                page->last = sqlite3_column_int64(q, 1);
                sqlite3_reset(q);
        }
        return rc < 0 ? -1 : 0;
}

static void window_down(const struct event_filter *f, struct event_page *page, int64_t oldest, int64_t *first,
                        int64_t *last)
{
        *last = f->since >= 0 && f->since <= page->last ? f->since - 1 : page->last;
        *first = *last - oldest >= SCAN_MAX ? *last - SCAN_MAX + 1 : oldest;
        page->at = *first;
        page->more = *first > oldest;
}

static void window_up(const struct event_filter *f, struct event_page *page, int64_t oldest, int64_t *first,
                      int64_t *last)
{
        *first = f->since < 0 ? oldest : f->since + 1;
        *last = page->last - *first >= SCAN_MAX ? *first + SCAN_MAX - 1 : page->last;
        page->gap = *first < oldest || *first > page->last + 1;
        if (page->gap) { /* it is for the caller to go on from where there are some */
                *last = *first > page->last ? page->last : oldest - 1;
                *first = *last + 1;
        }
        page->at = *last;
        page->more = *last < page->last;
}

/* The ids to look at, first and last, in a range that is known. False: none. */
static bool find_window(const struct event_filter *f, struct event_page *page, int64_t *first, int64_t *last)
{
        int64_t oldest = page->oldest ? page->oldest : page->last + 1;

        (f->descending ? window_down : window_up)(f, page, oldest, first, last);
        return *first <= *last;
}

static void type_names(struct strbuf *b, unsigned types)
{
        strbuf_char(b, ',');
        for (int t = 0; t < EVENT_TYPE_COUNT; t++) {
                if (!(types & 1U << t))
                        continue;
                strbuf_str(b, event_type_name(t));
                strbuf_char(b, ',');
        }
}

static int show_window(struct db *db, sqlite3_stmt *q, const struct event_filter *f, struct event_page *page,
                       store_event_fn show, void *arg, struct err *e)
{
        struct event ev;
        size_t n = 0;
        int rc;

        while ((rc = db_step(db, q, e)) > 0) {
                if (n++ == f->limit) {
                        page->more = true; /* this one tells only that */
                        break;
                }
                read_event(q, &ev);
                show(&ev, arg);
                if (n == f->limit)
                        page->at = ev.id;
        }
        return rc < 0 ? -1 : 0;
}

static int list_window(struct db *db, const struct caller *who, const struct event_filter *f, int64_t first,
                       int64_t last, struct event_page *page, store_event_fn show, void *arg, struct err *e)
{
        CLEANUP(strbuf_done) struct strbuf types = {0};
        char end[CALLER_SUBTREE_MAX];
        sqlite3_stmt *q = db_stmt(db, f->descending ? SQL_EVENT_LIST_DESCENDING : SQL_EVENT_LIST_ASCENDING);
        int rc;

        type_names(&types, f->types);
        db_bind_int(q, ":first", first);
        db_bind_int(q, ":last", last);
        db_bind_int(q, ":process", f->process);
        db_bind_int(q, ":types", f->types);
        db_bind_text(q, ":type_names", strbuf_text(&types));
        db_bind_int(q, ":self", who->process);
        if (who->process)
                pool_bind_subtree(q, who, end);
        db_bind_int(q, ":limit", (int64_t)f->limit + 1);
        rc = show_window(db, q, f, page, show, arg, e);
        sqlite3_reset(q);
        sqlite3_clear_bindings(q);
        return rc;
}

/* Within one reading transaction. */
static int read_page(struct db *db, const struct caller *who, const struct event_filter *f,
                     struct event_page *page, store_event_fn show, void *arg, struct err *e)
{
        int64_t first, last;

        if (read_range(db, page, e) < 0)
                return -1;
        if (!f->limit)
                page->at = page->last;
        else if (find_window(f, page, &first, &last))
                return list_window(db, who, f, first, last, page, show, arg, e);
        return 0;
}

int store_events(struct store *s, const struct caller *who, const struct event_filter *f,
                 struct event_page *page, store_event_fn show, void *arg, struct err *e)
{
        struct db *db = pool_take(s, e);
        struct err ignored;
        int rc;

        if (!db)
                return -1;
        *page = (struct event_page){0};
        rc = db_run(db, db_stmt(db, SQL_BEGIN_READING), e);
        if (rc >= 0) {
                rc = read_page(db, who, f, page, show, arg, e);
                db_run(db, db_stmt(db, SQL_COMMIT), &ignored);
        }
        pool_give(s, db);
        return rc < 0 ? -1 : 0;
}
