/* SPDX-License-Identifier: MIT */
/* tests/seam/test_audit.c: the audit trail stands beside what it tells of, and before it where that matters. */
#include "rig.h"

/* What @sql selects when @call is about to be made for the first time. */
struct sight {
        const char *sql;
        int64_t seen;
};

static void look(const struct seam_call *call, void *arg)
{
        struct sight *s = arg;

        (void)call;
        if (s->seen == INT64_MIN)
                s->seen = rig_select(s->sql);
}

static enum err_kind create(struct rig *r, struct spec *spec, int64_t *id)
{
        struct wait w;
        enum err_kind kind;

        wait_init(&w);
        kind = wait_for_ticket(&w, registry_create(r->registry, &rig_operator, spec, NULL, NULL, &w.ticket));
        *id = w.ticket.id;
        return kind;
}

static bool signalled(struct rig *r, int64_t id, int signo)
{
        struct wait w;

        wait_init(&w);
        CHECK_INT(wait_for_ticket(&w, registry_signal(r->registry, &rig_operator, id, signo, "signal", false,
                                                      &w.ticket)),
                  ERR_NONE);
        return w.ticket.delivered;
}

TEST(who_asked_for_an_end_is_in_the_audit_trail_when_the_signal_goes_out)
{
        struct sight s = {
                "SELECT count(*) FROM audit WHERE who = 'uid 0' AND verb = 'signal' AND process = 1 "
                "AND detail = 'SIGTERM' AND outcome = 'asked'",
                INT64_MIN};
        struct rig r;
        int64_t id;

        rig_begin(&r);
        id = rig_start(&r, "read x");
        seam_before("pidfd_send_signal", look, &s);
        CHECK(signalled(&r, id, SIGTERM));
        CHECK_INT(s.seen, 1);
        rig_join(&r, id);
        rig_end(&r);
}

TEST(a_start_is_in_the_audit_trail_before_anything_runs_and_costs_no_commit)
{
        struct sight s = {
                "SELECT count(*) FROM audit WHERE verb = 'start' AND process = 1 AND outcome = 'asked'",
                INT64_MIN};
        struct rig r;

        rig_begin(&r);
        seam_watch("commit clone3");
        seam_before("clone3", look, &s);
        rig_start(&r, "read x");
        CHECK_INT(s.seen, 1);
        assert_memory_equal(seam_log(), "commit clone3", 13);
        rig_end(&r);
}

TEST(a_start_that_never_was_is_told_as_undone)
{
        struct rig r;
        int64_t id;

        rig_begin(&r);
        seam_fail("clone3", 0, EAGAIN);
        CHECK_INT(create(&r, rig_spec("read x"), &id), ERR_TRY_AGAIN);
        seam_reset();
        rig_flush(&r);
        CHECK_INT(rig_select("SELECT count(*) FROM process"), 0);
        CHECK_INT(rig_select("SELECT group_concat(verb || ' ' || outcome || ' ' || process, ',') "
                             "= 'start asked 1,start undone 1' FROM (SELECT * FROM audit ORDER BY id)"),
                  1);
        rig_end(&r);
}

TEST(a_change_that_is_refused_leaves_no_entry)
{
        struct wait w;
        struct rig r;
        int64_t id;

        rig_begin(&r);
        id = rig_start(&r, "read x");
        wait_init(&w);
        CHECK_INT(wait_for_ticket(&w, registry_close(r.registry, &rig_operator, id, &w.ticket)),
                  ERR_STILL_RUNNING);
        CHECK_INT(rig_select("SELECT count(*) FROM audit WHERE verb <> 'start'"), 0);
        rig_end(&r);
}

/* A process, and an entry that the table does not take. */
static int insert_untold_run(struct db *db, void *arg, struct err *e)
{
        struct process p = rig_process(17, PROCESS_INITIAL);
        const struct audit entry = {.who = "uid 0", .verb = "create", .process = 17, .outcome = arg};
        const struct record_extras x = {.request = "{}"};

        return record_insert(db, &p, &x, e) < 0 ? -1 : record_audit(db, &entry, e);
}

TEST(no_change_is_made_that_the_audit_trail_cannot_tell_of)
{
        struct rig_job j;
        struct rig r;

        rig_begin(&r);
        rig_submit(r.registry->store, &j, insert_untold_run, (void *)"no such outcome");
        CHECK(rig_wait(&j) != ERR_NONE);
        CHECK_INT(rig_select("SELECT count(*) FROM process"), 0);
        rig_write(r.registry->store, insert_untold_run, (void *)AUDIT_DONE);
        CHECK_INT(rig_select("SELECT count(*) FROM process"), 1);
        CHECK_INT(rig_select("SELECT count(*) FROM audit"), 1);
        rig_end(&r);
}

/* What a job finds on a full disk. */
static int full_run(struct db *db, void *arg, struct err *e)
{
        const struct audit entry = {.who = "uid 0", .verb = "kill", .process = 17, .outcome = AUDIT_ASKED};
        int rc;

        (void)arg;
        db->full = true;
        rc = record_audit(db, &entry, e);
        db->full = false;
        return rc;
}

TEST(on_a_full_disk_the_audit_trail_leaves_its_room_to_the_ends)
{
        struct rig r;

        rig_begin(&r);
        rig_write(r.registry->store, full_run, NULL);
        CHECK_INT(rig_select("SELECT count(*) FROM audit"), 0);
        rig_end(&r);
}

TEST_MAIN("audit")
