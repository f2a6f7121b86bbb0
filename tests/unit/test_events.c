/* SPDX-License-Identifier: MIT */
/* tests/unit/test_events.c: what events tell, in which order they can be read, and by pages. */
#include <pthread.h>
#include <stdatomic.h>

#include "base/strbuf.h"
#include "http/codec.h"
#include "store_rig.h"

static const struct caller operator= {.scopes = SCOPE_ALL};

/* What a page showed: "1 starting Process-1;2 ...". */
struct seen {
        struct strbuf text;
        struct event_page page;
        int64_t last;
        size_t n;
        bool skipped;
};

static void see(const struct event *ev, void *arg)
{
        struct seen *s = arg;

        strbuf_printf(&s->text, "%s%" PRId64 " %" PRId64 " %s", s->n ? ";" : "", ev->id, ev->process,
                      ev->type);
        if (ev->parent)
                strbuf_printf(&s->text, " of %" PRId64, ev->parent);
        s->skipped = s->skipped || ev->id != s->last + 1;
        s->last = ev->id;
        s->n++;
}

static const char *read_page(struct store *st, const struct caller *who, const struct event_filter *f,
                             struct seen *s)
{
        struct err e = {0};

        strbuf_done(&s->text);
        s->n = 0;
        MUST(store_events(st, who, f, &s->page, see, s, &e));
        return strbuf_text(&s->text);
}

static struct event_filter from(int64_t since, size_t limit)
{
        return (struct event_filter){.since = since, .limit = limit};
}

static int delete_run(struct db *db, void *arg, struct err *e)
{
        enum process_state was;

        return record_delete(db, *(int64_t *)arg, &was, e);
}

static void run_sql(struct store *s, const char *sql)
{
        rig_write(s, exec_run, (void *)sql);
}

/* Three processes, the third a child of the second; all their events are 1 to 3. */
static struct store *family(void)
{
        struct store *s = rig_open();
        struct process p = rig_process(7, PROCESS_STARTING);

        rig_insert(s, &p);
        p.id = 8;
        rig_insert(s, &p);
        p.id = 9;
        p.parent = 8;
        p.lineage = (char *)"8/";
        rig_insert(s, &p);
        return s;
}

TEST(an_event_tells_name_parent_and_exit_of_a_deleted_process_too)
{
        struct store *s = family();
        struct process p = stopped(rig_process(9, PROCESS_STOPPED));
        int64_t id = 9;

        rig_write(s, rig_ended_run, &p);
        rig_write(s, delete_run, &id);
        CHECK_INT(rig_select("SELECT count(*) FROM process WHERE id = 9"), 0);
        CHECK_INT(rig_select("SELECT count(*) FROM event WHERE process = 9 AND name = 'Process-1' AND "
                             "lineage = '8/'"),
                  3);
        CHECK_INT(rig_select("SELECT exitcode FROM event WHERE type = 'deleted' AND exit_reason = 'exited'"),
                  7);
        CHECK_INT(rig_select("SELECT count(*) FROM event WHERE type = 'starting' AND exitcode IS NULL"), 3);
        store_close(s);
}

TEST(an_event_is_one_line_of_json)
{
        const struct event ev = {.id = 5,
                                 .process = 9,
                                 .at_us = 1,
                                 .parent = 8,
                                 .type = "stopped",
                                 .name = "a\nb\"",
                                 .has_exitcode = true,
                                 .exitcode = -9,
                                 .reason = "signaled"};
        struct strbuf b = {0};

        codec_event(&b, &ev);
        CHECK_STR(strbuf_text(&b),
                  "{\"id\":5,\"at\":\"1970-01-01T00:00:00.000001Z\",\"process\":9,\"parent\":8,"
                  "\"type\":\"stopped\",\"name\":\"a\\nb\\\"\",\"exitcode\":-9,"
                  "\"reason\":\"signaled\"}");
        strbuf_done(&b);
}

TEST(a_page_follows_an_id_and_says_what_follows_it)
{
        struct store *st = family();
        struct seen s = {0};
        struct event_filter f = from(-1, 2);

        CHECK_STR(read_page(st, &operator, & f, &s), "1 7 starting;2 8 starting");
        CHECK(s.page.more && s.page.at == 2 && s.page.last == 3 && s.page.oldest == 1 && !s.page.gap);
        f = from(2, 2);
        CHECK_STR(read_page(st, &operator, & f, &s), "3 9 starting of 8");
        CHECK(!s.page.more && s.page.at == 3);
        f = from(3, 2);
        CHECK_STR(read_page(st, &operator, & f, &s), "");
        CHECK(!s.page.more && !s.page.gap && s.page.at == 3);
        f = from(0, 3);
        CHECK_STR(read_page(st, &operator, & f, &s), "1 7 starting;2 8 starting;3 9 starting of 8");
        CHECK(!s.page.more && s.page.at == 3);
        strbuf_done(&s.text);
        store_close(st);
}

TEST(a_descending_page_goes_back_from_an_id)
{
        struct store *st = family();
        struct seen s = {0};
        struct event_filter f = from(-1, 2);

        f.descending = true;
        CHECK_STR(read_page(st, &operator, & f, &s), "3 9 starting of 8;2 8 starting");
        CHECK(s.page.more && s.page.at == 2);
        f.since = 2;
        CHECK_STR(read_page(st, &operator, & f, &s), "1 7 starting");
        CHECK(!s.page.more);
        f.since = 0;
        CHECK_STR(read_page(st, &operator, & f, &s), "");
        CHECK(!s.page.more);
        strbuf_done(&s.text);
        store_close(st);
}

TEST(a_process_sees_events_of_its_subtree_only)
{
        const struct caller who = {.process = 8, .subtree = "8/"};
        const struct caller stranger = {.process = 7, .subtree = "7/"};
        struct store *st = family();
        struct event_filter f = from(-1, 10);
        struct seen s = {0};

        CHECK_STR(read_page(st, &who, &f, &s), "2 8 starting;3 9 starting of 8");
        CHECK_STR(read_page(st, &stranger, &f, &s), "1 7 starting");
        f.process = 9;
        CHECK_STR(read_page(st, &stranger, &f, &s), "");
        CHECK_STR(read_page(st, &who, &f, &s), "3 9 starting of 8");
        f.types = 1U << PROCESS_STOPPED | 1U << EVENT_DELETED;
        CHECK_STR(read_page(st, &who, &f, &s), "");
        strbuf_done(&s.text);
        store_close(st);
}

TEST(a_place_before_the_oldest_or_after_the_newest_event_is_a_gap)
{
        struct store *st = family();
        struct event_filter f = from(0, 10);
        struct seen s = {0};

        run_sql(st, "DELETE FROM event WHERE id < 3");
        CHECK_STR(read_page(st, &operator, & f, &s), "");
        CHECK(s.page.gap && s.page.at == 2 && s.page.more && s.page.oldest == 3);
        f.since = 2;
        CHECK_STR(read_page(st, &operator, & f, &s), "3 9 starting of 8");
        CHECK(!s.page.gap);
        f.since = 4;
        CHECK_STR(read_page(st, &operator, & f, &s), "");
        CHECK(s.page.gap && s.page.at == 3 && !s.page.more);

        run_sql(st, "DELETE FROM event");
        f.since = 3;
        CHECK_STR(read_page(st, &operator, & f, &s), "");
        CHECK(!s.page.gap && s.page.last == 3 && s.page.oldest == 0);
        f.since = 2;
        CHECK_STR(read_page(st, &operator, & f, &s), "");
        CHECK(s.page.gap && s.page.at == 3 && !s.page.more);
        f.since = -1;
        CHECK_STR(read_page(st, &operator, & f, &s), "");
        CHECK(!s.page.gap && s.page.at == 3);
        strbuf_done(&s.text);
        store_close(st);
}

TEST(a_page_looks_at_a_bounded_number_of_events)
{
        struct store *st = family();
        struct event_filter f = from(-1, 10);
        struct seen s = {0};

        run_sql(st, "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 50000) "
                    "INSERT INTO event (at, process, type) SELECT i, 7, 'lost' FROM n");
        f.process = 9;
        f.since = 3;
        CHECK_STR(read_page(st, &operator, & f, &s), "");
        CHECK(s.page.more && s.page.at < 25000);
        f.since = s.page.at;
        CHECK_STR(read_page(st, &operator, & f, &s), "");
        CHECK(s.page.more);
        f.since = s.page.at;
        read_page(st, &operator, & f, &s);
        CHECK(!s.page.more && s.page.at == 50003);
        f.descending = true;
        f.since = -1;
        CHECK_STR(read_page(st, &operator, & f, &s), "");
        CHECK(s.page.more && s.page.at > 25000);
        strbuf_done(&s.text);
        store_close(st);
}

/* --------------------------------------------------------------------------------------- the order */

enum { WRITERS = 4, EACH = 201 };

struct load {
        struct store *store;
        int64_t first;
};

static int insert_and_fail(struct db *db, void *arg, struct err *e)
{
        return rig_insert_run(db, arg, e) < 0 ? -1 : err_set(e, ERR_INVALID, 0, "as it was meant");
}

/* Every third one tells its event and is rolled back. */
static void *load_main(void *arg)
{
        const struct load *l = arg;

        for (int i = 0; i < EACH; i++) {
                struct process p = rig_process(l->first + i, PROCESS_STARTING);
                struct rig_job j;

                rig_submit(l->store, &j, i % 3 == 1 ? insert_and_fail : rig_insert_run, &p);
                rig_wait(&j);
        }
        return NULL;
}

TEST(a_reader_that_goes_on_from_its_last_id_misses_no_event_however_many_write)
{
        const int64_t all = WRITERS * (EACH - EACH / 3);
        struct store *st = rig_open();
        struct seen s = {0};
        struct load loads[WRITERS];
        pthread_t threads[WRITERS];

        for (int i = 0; i < WRITERS; i++) {
                loads[i] = (struct load){st, 1000 * (i + 1)};
                pthread_create(&threads[i], NULL, load_main, &loads[i]);
        }
        /* An id that became readable behind a later one would be skipped here. */
        while (s.last < all) {
                struct event_filter f = from(s.last, 7);

                read_page(st, &operator, & f, &s);
                CHECK(!s.page.gap);
        }
        for (int i = 0; i < WRITERS; i++)
                pthread_join(threads[i], NULL);
        CHECK(!s.skipped);
        CHECK_INT(s.last, all);
        CHECK_INT(rig_select("SELECT count(*) FROM event"), all);
        strbuf_done(&s.text);
        store_close(st);
}

struct watch {
        struct store *store;
        _Atomic int calls, unreadable;
};

static void watcher(void *arg)
{
        struct watch *w = arg;
        struct event_filter f = from(-1, 0);
        struct event_page page;

        atomic_fetch_add(&w->calls, 1);
        if (store_events(w->store, &operator, & f, &page, NULL, NULL, NULL) < 0 || page.last < 20)
                atomic_store(&w->unreadable, 1);
}

static int no_run(struct db *db, void *arg, struct err *e)
{
        (void)db;
        (void)arg;
        (void)e;
        return 0;
}

TEST(a_watcher_is_told_once_for_each_commit_that_has_events_when_they_can_be_read)
{
        struct watch w = {.store = rig_open()};
        struct process p[20];
        struct rig_job jobs[20];
        struct rig_gate gate;

        store_watch(w.store, watcher, &w);
        rig_gate_shut(w.store, &gate);
        for (int i = 0; i < 20; i++) {
                p[i] = rig_process(i + 1, PROCESS_STARTING);
                rig_submit(w.store, &jobs[i], rig_insert_run, &p[i]);
        }
        rig_gate_open(&gate);
        for (int i = 0; i < 20; i++)
                CHECK_INT(rig_wait(&jobs[i]), ERR_NONE);
        rig_write(w.store, no_run, NULL);
        rig_write(w.store, no_run, NULL); /* the batch before this one has been told */
        store_watch(w.store, NULL, NULL);
        CHECK_INT(w.calls, 1);
        CHECK_INT(w.unreadable, 0);
        p[0].id = 21;
        rig_insert(w.store, &p[0]);
        rig_write(w.store, no_run, NULL);
        CHECK_INT(w.calls, 1);
        store_close(w.store);
}

TEST(events_of_an_earlier_version_keep_their_ids_and_learn_of_their_processes)
{
        sqlite3 *db;

        CHECK_INT(sqlite3_open(test_path("registry.db"), &db), SQLITE_OK);
        CHECK_INT(sqlite3_exec(db, sql_migrations[0].text, NULL, NULL, NULL), SQLITE_OK);
        CHECK_INT(sqlite3_exec(db,
                               "PRAGMA user_version = 1;"
                               "INSERT INTO process (id, name, identity, lineage, state, start_method, "
                               "daemon, argv, env,"
                               " labels, stdout, stderr, grace_us, created_at, exitcode, exit_reason)"
                               " VALUES (4, 'old', '1', '', 'stopped', 'spawn', 0, '[]', '[]', '{}', 'log', "
                               "'log', 0, 1,"
                               " 3, 'exited');"
                               "INSERT INTO event (id, at, process, type) VALUES (8, 1, 3, 'deleted'),"
                               " (9, 1, 4, 'starting'), (10, 1, 4, 'stopped')",
                               NULL, NULL, NULL),
                  SQLITE_OK);
        sqlite3_close(db);
        store_close(rig_open());
        CHECK_INT(rig_select("SELECT count(*) FROM event WHERE (id, process, name, type) IN"
                             " (VALUES (8, 3, '', 'deleted'), (9, 4, 'old', 'starting'), (10, 4, 'old', "
                             "'stopped'))"),
                  3);
        CHECK_INT(rig_select("SELECT exitcode FROM event WHERE id = 10 AND exit_reason = 'exited'"), 3);
        CHECK_INT(rig_select("SELECT count(*) FROM event WHERE id = 9 AND exitcode IS NULL"), 1);
        CHECK_INT(rig_select("SELECT seq FROM sqlite_sequence WHERE name = 'event'"), 10);
}

TEST_MAIN("events")
