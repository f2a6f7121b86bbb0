/* SPDX-License-Identifier: MIT */
/* tests/unit/test_retention.c: what is old enough to go, by which clock, and when to look again. */
#include "store_rig.h"

#include "base/clock.h"
#include "base/strbuf.h"
#include "model/retention.h"
#include "store/retention.h"

#define S      CLOCK_US_PER_S
#define DAY    (86400 * S)
#define YEARS  (3650 * DAY)
#define WALL   (20000 * DAY) /* the time of most tests */
#define UPTIME (100 * DAY)

/* ------------------------------------------------------------------------------------------- clock */

static struct retention_now now_at(int64_t wall_us, int64_t steady_us)
{
        return (struct retention_now){.wall_us = wall_us, .boot_us = UPTIME, .steady_us = steady_us};
}

TEST(an_age_is_believed_when_the_clock_has_gone_evenly_for_it_but_no_longer_than_an_hour)
{
        struct retention_now now = now_at(WALL, 0);

        CHECK_INT(retention_doubt_us(&now, 5 * S), 5 * S);
        CHECK_INT(retention_doubt_us(&now, 30 * DAY), RETENTION_STEADY_US);
        now.steady_us = 5 * S;
        CHECK_INT(retention_doubt_us(&now, 5 * S), 0);
        CHECK_INT(retention_doubt_us(&now, 30 * DAY), RETENTION_STEADY_US - 5 * S);
        now.steady_us = RETENTION_STEADY_US;
        CHECK_INT(retention_doubt_us(&now, 30 * DAY), 0);
}

TEST(a_clock_that_is_set_has_to_prove_itself_anew_one_that_drifts_has_not)
{
        struct retention_clock c;

        retention_clock_begin(&c, WALL, UPTIME);
        CHECK_INT(retention_clock_look(&c, WALL + 10 * S, UPTIME + 10 * S).steady_us, 10 * S);
        CHECK_INT(retention_clock_look(&c, WALL + 25 * S, UPTIME + 20 * S).steady_us, 20 * S);
        CHECK_INT(retention_clock_look(&c, WALL + YEARS, UPTIME + 30 * S).steady_us, 0);
        CHECK_INT(retention_clock_look(&c, WALL + YEARS + 7 * S, UPTIME + 37 * S).steady_us, 7 * S);
        CHECK_INT(retention_clock_look(&c, WALL + 50 * S, UPTIME + 50 * S).steady_us, 0);
}

TEST(nothing_is_set_unless_something_is_and_the_least_age_says_what_matters_first)
{
        struct retention keep = {0};

        CHECK(!retention_is_set(&keep));
        keep.events_us = 5 * DAY;
        CHECK_INT(retention_least_us(&keep), 5 * DAY);
        keep.dangling_us = 3 * DAY;
        CHECK_INT(retention_least_us(&keep), 3 * DAY);
        keep.ended_count = 1;
        CHECK_INT(retention_least_us(&keep), RETENTION_BREATH_US);
        CHECK(retention_is_set(&keep));
}

/* ---------------------------------------------------------------------------------------- processes */

/* A row that has been over since @over_us: 's'topped, 'j'oined, 'c'losed, or 'r'uns; of this boot, started at
 * @ticks; 0: of an earlier one. */
static void put(struct store *s, int64_t id, char kind, int64_t over_us, int64_t ticks)
{
        bool runs = kind == 'r';
        char sql[800];

        snprintf(sql, sizeof(sql),
                 "INSERT INTO process (id, name, identity, lineage, state, start_method, daemon, argv, env, "
                 "labels, "
                 "stdout, stderr, grace_us, created_at, stopped_at, joined_at, boot, start_ticks, exitcode, "
                 "exit_reason) VALUES (%" PRId64
                 ", 'p', '1', '', '%s', 'spawn', 0, '[]', '[]', '{}', 'log', 'log', "
                 "0, 1, nullif(%" PRId64 ", 0), nullif(%" PRId64 ", 0), %d, %" PRId64 ", %s);"
                 "INSERT INTO tally VALUES ('joined', %d), ('closed', %d) "
                 "ON CONFLICT (state) DO UPDATE SET n = n + excluded.n",
                 id,
                 runs          ? "started"
                 : kind == 'c' ? "closed"
                               : "stopped",
                 runs ? 0 : over_us, kind == 'j' ? over_us : 0, ticks ? 1 : 999, ticks,
                 runs ? "NULL, NULL" : "0, 'exited'", kind == 'j', kind == 'c');
        rig_write(s, exec_run, sql);
}

struct look {
        struct retention keep;
        struct retention_now now;
        size_t room;
        struct strbuf ids; /* "1 2 3" */
        int64_t wait_us;
        int64_t pruned;
};

static int look_run(struct db *db, void *arg, struct err *e)
{
        struct look *l = arg;
        int64_t ids[16];
        size_t n;

        if (retention_due(db, &l->keep, &l->now, ids, l->room, &n, e) < 0 ||
            retention_wait(db, &l->keep, &l->now, &l->wait_us, e) < 0)
                return -1;
        strbuf_reset(&l->ids);
        for (size_t i = 0; i < n; i++)
                strbuf_printf(&l->ids, i ? " %" PRId64 : "%" PRId64, ids[i]);
        return 0;
}

static const char *due(struct store *s, struct look *l)
{
        rig_write(s, look_run, l);
        return strbuf_text(&l->ids);
}

TEST(those_that_were_joined_or_closed_go_at_their_age_and_those_that_dangle_at_theirs)
{
        struct look l = {.now = now_at(WALL, RETENTION_STEADY_US), .room = 16};
        struct store *s = rig_open();

        put(s, 1, 's', WALL - 40 * DAY, 0);
        put(s, 2, 'j', WALL - 30 * DAY, 0);
        put(s, 3, 'c', WALL - 20 * DAY, 0);
        put(s, 4, 'j', WALL - 10 * DAY, 0);
        put(s, 5, 's', WALL - 10 * DAY, 0);
        put(s, 6, 'r', WALL - 90 * DAY, 1);
        CHECK_STR(due(s, &l), "");
        CHECK_INT(l.wait_us, INT64_MAX);
        l.keep.ended_us = 15 * DAY;
        CHECK_STR(due(s, &l), "2 3");
        l.keep.dangling_us = 35 * DAY;
        CHECK_STR(due(s, &l), "2 3 1");
        l.room = 2;
        CHECK_STR(due(s, &l), "2 3");
        l.keep = (struct retention){.ended_us = 35 * DAY, .dangling_us = 60 * DAY};
        CHECK_STR(due(s, &l), "");
        CHECK_INT(l.wait_us, 5 * DAY);
        strbuf_done(&l.ids);
        store_close(s);
}

TEST(what_is_more_than_the_count_goes_oldest_first_but_nothing_that_was_joined_a_moment_ago)
{
        struct look l = {.keep = {.ended_count = 2}, .now = now_at(WALL, 0), .room = 16};
        struct store *s = rig_open();

        put(s, 1, 's', WALL - 40 * DAY, 0);
        put(s, 2, 'j', WALL - 10 * DAY, 0);
        put(s, 3, 'c', WALL - 30 * DAY, 5);
        put(s, 4, 'j', WALL - 1 * S, 5);
        put(s, 5, 'j', WALL - 2 * S, 5);
        CHECK_STR(due(s, &l), "3 2");
        l.keep.ended_count = 1;
        CHECK_STR(due(s, &l), "3 2");
        CHECK_INT(l.wait_us, RETENTION_BREATH_US);
        l.now.wall_us += RETENTION_BREATH_US;
        CHECK_STR(due(s, &l), "3 2 5");
        l.keep.ended_count = 4;
        CHECK_STR(due(s, &l), "");
        CHECK_INT(l.wait_us, INT64_MAX);
        strbuf_done(&l.ids);
        store_close(s);
}

TEST(a_clock_that_was_just_set_or_begun_removes_nothing_by_age)
{
        struct look l = {.keep = {.ended_us = 15 * DAY}, .now = now_at(WALL + YEARS, 0), .room = 16};
        struct store *s = rig_open();

        put(s, 1, 'j', WALL - DAY, 0);
        CHECK_STR(due(s, &l), "");
        CHECK_INT(l.wait_us, RETENTION_STEADY_US);
        l.now.steady_us = RETENTION_STEADY_US;
        CHECK_STR(due(s, &l), "1");
        strbuf_done(&l.ids);
        store_close(s);
}

TEST(what_was_started_since_this_boot_is_no_older_than_the_boot_clock_says_whatever_the_wall_clock)
{
        struct look l = {
                .keep = {.ended_us = 50 * DAY}, .now = now_at(WALL + YEARS, RETENTION_STEADY_US), .room = 16};
        int64_t hz = sysconf(_SC_CLK_TCK);
        struct store *s = rig_open();

        put(s, 1, 'j', WALL, 51 * 86400 * hz); /* 49 days ago */
        put(s, 2, 'j', WALL, 49 * 86400 * hz); /* 51 days ago */
        put(s, 3, 'j', WALL, 0);
        CHECK_STR(due(s, &l), "2 3");
        l.now.boot_us = 40 * DAY;
        CHECK_STR(due(s, &l), "3");
        rig_write(s, exec_run, (void *)"DELETE FROM process WHERE id > 1");
        CHECK_STR(due(s, &l), "");
        CHECK_INT(l.wait_us, RETENTION_STEADY_US); /* and no busy loop */
        strbuf_done(&l.ids);
        store_close(s);
}

/* ------------------------------------------------------------------------------------------- events */

static int prune_run(struct db *db, void *arg, struct err *e)
{
        struct look *l = arg;

        if (retention_prune_events(db, &l->keep, &l->now, &l->pruned, e) < 0)
                return -1;
        return retention_wait(db, &l->keep, &l->now, &l->wait_us, e);
}

static int64_t prune(struct store *s, struct look *l)
{
        rig_write(s, prune_run, l);
        return l->pruned;
}

static void event_at(struct store *s, int64_t at_us)
{
        char sql[120];

        snprintf(sql, sizeof(sql), "INSERT INTO event (at, process, type) VALUES (%" PRId64 ", 1, 'lost')",
                 at_us);
        rig_write(s, exec_run, sql);
}

static void events_at(struct store *s, const int64_t *days_ago, size_t n)
{
        for (size_t i = 0; i < n; i++)
                event_at(s, WALL - days_ago[i] * DAY);
}

TEST(events_go_from_the_oldest_on_and_never_one_behind_one_that_stays)
{
        struct look l = {.keep = {.events_us = 7 * DAY}, .now = now_at(WALL, RETENTION_STEADY_US)};
        struct store *s = rig_open();

        events_at(s, (int64_t[]){9, 8, 3, 8, 2}, 5);
        CHECK_INT(prune(s, &l), 2);
        CHECK_INT(rig_select("SELECT min(id) FROM event"), 3);
        CHECK_INT(prune(s, &l), 0);
        CHECK_INT(l.wait_us, 4 * DAY);
        l.now.wall_us += 4 * DAY;
        l.now.wall_us++;
        CHECK_INT(prune(s, &l), 2);
        l.keep.events_us = 0;
        l.keep.events_count = 1;
        CHECK_INT(prune(s, &l), 0);
        event_at(s, WALL);
        CHECK_INT(prune(s, &l), 1);
        CHECK_INT(rig_select("SELECT min(id) FROM event"), 6);
        store_close(s);
}

TEST(an_event_from_the_future_stands_in_the_way_of_none_and_goes_no_sooner_than_one_behind_it)
{
        struct look l = {.keep = {.events_us = 7 * DAY}, .now = now_at(WALL, RETENTION_STEADY_US)};
        struct store *s = rig_open();

        events_at(s, (int64_t[]){9, -3650, -3650}, 3);
        CHECK_INT(prune(s, &l), 1);
        CHECK_INT(prune(s, &l), 0);
        CHECK(l.wait_us > 0 && l.wait_us <= 7 * DAY);
        events_at(s, (int64_t[]){8, 6}, 2);
        CHECK_INT(prune(s, &l), 3);
        CHECK_INT(rig_select("SELECT id FROM event"), 5);
        store_close(s);
}

TEST(events_go_in_small_portions)
{
        struct look l = {.keep = {.events_count = 10}, .now = now_at(WALL, 0)};
        struct store *s = rig_open();

        rig_write(
                s, exec_run,
                (void *)"INSERT INTO event (at, process, type) WITH RECURSIVE n (i) AS "
                        "(SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500) SELECT 1, i, 'lost' FROM n");
        CHECK_INT(prune(s, &l), RETENTION_EVENTS);
        CHECK_INT(prune(s, &l), RETENTION_EVENTS);
        CHECK_INT(prune(s, &l), 490);
        CHECK_INT(prune(s, &l), 0);
        l.keep = (struct retention){.events_us = DAY};
        l.now.steady_us = DAY;
        CHECK_INT(prune(s, &l), 10);
        CHECK_INT(prune(s, &l), 0);
        store_close(s);
}

TEST_MAIN("retention")
