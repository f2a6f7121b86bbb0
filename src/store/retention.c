/* SPDX-License-Identifier: MIT */
#include "store/retention.h"

#include <unistd.h>

#include "base/clock.h"
#include "store/db.h"
#include "store/pool.h"
#include "store/store.h"

/* Nothing is looked at more often than this. */
#define LEAST_WAIT_US CLOCK_US_PER_S

static int64_t lesser(int64_t a, int64_t b)
{
        return a < b ? a : b;
}

static int64_t greater(int64_t a, int64_t b)
{
        return a > b ? a : b;
}

/* The one number that @s gives. 1, 0: it gives none, -1. */
static int number(struct db *db, sqlite3_stmt *s, int64_t *v, struct err *e)
{
        int rc = db_step(db, s, e);

        if (rc <= 0)
                return rc;
        *v = sqlite3_column_int64(s, 0);
        sqlite3_reset(s);
        return 1;
}

/* ------------------------------------------------------------------------------------------- events */

struct events {
        int64_t oldest, last; /* oldest 0: there are none */
};

static int events_range(struct db *db, struct events *ev, struct err *e)
{
        sqlite3_stmt *s = db_stmt(db, SQL_EVENT_RANGE);
        int rc = db_step(db, s, e);

        if (rc <= 0)
                return -1;
        ev->oldest = sqlite3_column_int64(s, 0);
        ev->last = sqlite3_column_int64(s, 1);
        sqlite3_reset(s);
        return 0;
}

/* Up to which id events are due for their age; 0: none. */
static int events_due(struct db *db, const struct events *ev, int64_t age_us, const struct retention_now *now,
                      int64_t *last, struct err *e)
{
        sqlite3_stmt *s = db_stmt(db, SQL_RETENTION_EVENTS_DUE);

        *last = 0;
        if (!age_us || retention_doubt_us(now, age_us))
                return 0;
        db_bind_int(s, ":oldest", ev->oldest);
        db_bind_int(s, ":limit", RETENTION_EVENTS);
        db_bind_int(s, ":before", now->wall_us - age_us);
        db_bind_int(s, ":now", now->wall_us);
        return number(db, s, last, e) < 0 ? -1 : 0;
}

int retention_prune_events(struct db *db, const struct retention *keep, const struct retention_now *now,
                           int64_t *n, struct err *e)
{
        struct events ev;
        sqlite3_stmt *s;
        int64_t last;
        int changed;

        *n = 0;
        if (!keep->events_us && !keep->events_count)
                return 0;
        if (events_range(db, &ev, e) < 0 || events_due(db, &ev, keep->events_us, now, &last, e) < 0)
                return -1;
        if (keep->events_count)
                last = greater(last, lesser(ev.last - keep->events_count, ev.oldest + RETENTION_EVENTS - 1));
        if (!ev.oldest || last < ev.oldest)
                return 0;
        s = db_stmt(db, SQL_RETENTION_EVENTS_DELETE);
        db_bind_int(s, ":last", last);
        changed = db_run(db, s, e);
        *n = changed;
        return changed < 0 ? -1 : 0;
}

/* ---------------------------------------------------------------------------------------- processes */

/* Which of those that are over are due. */
struct span {
        bool dangling;
        int64_t before_us;
        int64_t ticks; /* of the boot's clock; for those of this boot */
        size_t limit;
};

static int add_due(struct db *db, const struct span *span, int64_t *ids, size_t *n, struct err *e)
{
        sqlite3_stmt *s = db_stmt(db, SQL_RETENTION_DUE);
        int rc;

        db_bind_int(s, ":dangling", span->dangling);
        db_bind_int(s, ":before", span->before_us);
        db_bind_int(s, ":boot", db->boot);
        db_bind_int(s, ":ticks", span->ticks);
        db_bind_int(s, ":limit", (int64_t)span->limit);
        while ((rc = db_step(db, s, e)) > 0)
                ids[(*n)++] = sqlite3_column_int64(s, 0);
        return rc;
}

static int add_aged(struct db *db, bool dangling, int64_t age_us, const struct retention_now *now,
                    int64_t *ids, size_t room, size_t *n, struct err *e)
{
        int64_t lived_us = now->boot_us - age_us;
        const struct span span = {.dangling = dangling,
                                  .before_us = now->wall_us - age_us,
                                  .ticks = lived_us < 0 ? -1
                                                        : lived_us / CLOCK_US_PER_S * sysconf(_SC_CLK_TCK),
                                  .limit = room - *n};

        if (!age_us || *n == room || retention_doubt_us(now, age_us))
                return 0;
        return add_due(db, &span, ids, n, e);
}

/* How many there are beyond what @keep counts. */
static int excess(struct db *db, const struct retention *keep, int64_t *over, struct err *e)
{
        *over = 0;
        if (!keep->ended_count)
                return 0;
        if (number(db, db_stmt(db, SQL_RETENTION_OVER), over, e) < 0)
                return -1;
        *over = greater(*over - keep->ended_count, 0);
        return 0;
}

int retention_due(struct db *db, const struct retention *keep, const struct retention_now *now, int64_t *ids,
                  size_t room, size_t *n, struct err *e)
{
        struct span span = {.before_us = now->wall_us - RETENTION_BREATH_US, .ticks = INT64_MAX};
        int64_t over;

        *n = 0;
        if (excess(db, keep, &over, e) < 0)
                return -1;
        if (over) {
                span.limit = (size_t)lesser(over, (int64_t)room);
                if (add_due(db, &span, ids, n, e) < 0)
                        return -1;
        }
        /* The oldest were too many; those that are too old are the same ones, and perhaps more. */
        if (!*n && add_aged(db, false, keep->ended_us, now, ids, room, n, e) < 0)
                return -1;
        return add_aged(db, true, keep->dangling_us, now, ids, room, n, e);
}

/* ------------------------------------------------------------------------------------ and until then */

/* How long until what is over since @since_us is due by its age. When the wall clock says that it is, and it is still
 * there, another clock does not: that is looked at again now and then. */
static int64_t until(const struct retention_now *now, int64_t since_us, int64_t age_us)
{
        int64_t left = greater(since_us + age_us - now->wall_us, retention_doubt_us(now, age_us));

        return left > 0 ? left : lesser(age_us, RETENTION_STEADY_US);
}

static int wait_for_processes(struct db *db, bool dangling, int64_t age_us, int64_t over,
                              const struct retention_now *now, int64_t *wait_us, struct err *e)
{
        sqlite3_stmt *s = db_stmt(db, SQL_RETENTION_OLDEST);
        int64_t since;
        int rc;

        if (!age_us && !over)
                return 0;
        db_bind_int(s, ":dangling", dangling);
        rc = number(db, s, &since, e);
        if (rc <= 0)
                return rc;
        if (age_us)
                *wait_us = lesser(*wait_us, until(now, since, age_us));
        if (over)
                *wait_us = lesser(*wait_us, RETENTION_BREATH_US);
        return 0;
}

static int wait_for_events(struct db *db, int64_t age_us, const struct retention_now *now, int64_t *wait_us,
                           struct err *e)
{
        sqlite3_stmt *s = db_stmt(db, SQL_RETENTION_EVENT_AT);
        struct events ev;
        int64_t at = 0;

        if (!age_us)
                return 0;
        if (events_range(db, &ev, e) < 0)
                return -1;
        db_bind_int(s, ":id", ev.oldest);
        if (ev.oldest && number(db, s, &at, e) < 0)
                return -1;
        if (ev.oldest)
                *wait_us = lesser(*wait_us, until(now, lesser(at, now->wall_us), age_us));
        return 0;
}

int retention_wait(struct db *db, const struct retention *keep, const struct retention_now *now,
                   int64_t *wait_us, struct err *e)
{
        int64_t wait = INT64_MAX, over;

        if (excess(db, keep, &over, e) < 0 ||
            wait_for_processes(db, false, keep->ended_us, over, now, &wait, e) < 0 ||
            wait_for_processes(db, true, keep->dangling_us, 0, now, &wait, e) < 0 ||
            wait_for_events(db, keep->events_us, now, &wait, e) < 0)
                return -1;
        *wait_us = greater(wait, LEAST_WAIT_US);
        return 0;
}

/* ----------------------------------------------------------------------------------- what went last */

static int each_deleted(struct db *db, int64_t events, void (*fn)(int64_t id, void *arg), void *arg,
                        struct err *e)
{
        sqlite3_stmt *s = db_stmt(db, SQL_RETENTION_DELETED_LAST);
        struct events ev;
        int rc;

        if (events_range(db, &ev, e) < 0)
                return -1;
        db_bind_int(s, ":after", ev.last - events);
        while ((rc = db_step(db, s, e)) > 0)
                fn(sqlite3_column_int64(s, 0), arg);
        return rc;
}

int store_deleted_last(struct store *s, int64_t events, void (*fn)(int64_t id, void *arg), void *arg,
                       struct err *e)
{
        struct db *db = pool_take(s, e);
        int rc;

        if (!db)
                return -1;
        rc = each_deleted(db, events, fn, arg, e);
        pool_give(s, db);
        return rc < 0 ? -1 : 0;
}
