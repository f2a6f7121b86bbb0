/* SPDX-License-Identifier: MIT */
/* Many starts in one transaction: all or none until it is durable, and nothing is taken back afterwards. */
#include "rig.h"

#include <stdatomic.h>

enum { N = 4 };

struct many {
        struct creation items[N];
        struct batch batch;
        struct wait wait;
};

static void many_init(struct many *m, bool all)
{
        memset(m, 0, sizeof(*m));
        m->batch = (struct batch){.items = m->items, .n = N, .all = all};
        for (size_t i = 0; i < N; i++)
                m->items[i].spec = rig_spec("read x");
        wait_init(&m->wait);
}

static void many_start(struct rig *r, struct many *m, const char *key)
{
        struct idempotency idem = {.key = key};
        int rc = registry_create_many(r->registry, &rig_operator, &m->batch, key ? &idem : NULL,
                                      &m->wait.ticket);

        CHECK_INT(wait_for_ticket(&m->wait, rc), ERR_NONE);
        CHECK_INT(m->wait.done_n, rc);
        for (size_t i = 0; i < N; i++) {
                ticket_done(&m->items[i].ticket);
                spec_free(TAKE_PTR(m->items[i].spec));
        }
}

static int64_t rows(void)
{
        return rig_select("SELECT count(*) FROM process");
}

/* How many are durable when the first one is cloned: each starter looks, and the fewest are what counts. */
static void count_rows(const struct seam_call *call, void *arg)
{
        _Atomic int64_t *fewest = arg;
        int64_t n = rows(), least = atomic_load(fewest);

        (void)call;
        while (n < least && !atomic_compare_exchange_weak(fewest, &least, n))
                ;
}

/* Who is woken has begun before the one who wakes goes on: nothing is together by luck. */
static void nap(const struct seam_call *call, void *arg)
{
        (void)call;
        (void)arg;
        usleep(10000);
}

static void check_all_are_durable_first(bool all)
{
        struct rig r;
        struct many m;
        _Atomic int64_t fewest = INT64_MAX;

        rig_begin(&r);
        many_init(&m, all);
        seam_watch("commit clone3");
        seam_before("clone3", count_rows, &fewest);
        seam_after("pthread_cond_signal", nap, NULL);
        many_start(&r, &m, NULL);
        CHECK_INT(fewest, N);
        assert_memory_equal(seam_log(), "commit clone3", 13);
        CHECK_INT(rig_select("SELECT count(*) FROM process WHERE state IN ('starting', 'started')"), N);
        rig_end(&r);
}

TEST(no_process_of_a_batch_runs_before_the_rows_of_all_are_durable)
{
        check_all_are_durable_first(true);
}

TEST(each_of_a_batch_shares_the_commit_with_the_others)
{
        check_all_are_durable_first(false);
}

TEST(all_one_that_is_refused_in_the_transaction_takes_all_rows_back)
{
        struct rig r;
        struct many m;

        rig_begin(&r);
        many_init(&m, false);
        many_start(&r, &m, "k");
        /* Another body under the same key: which only the database can tell. */
        many_init(&m, true);
        m.batch.items[0].spec->start = false;
        {
                struct idempotency idem = {.key = "k", .fingerprint = {1}};

                CHECK_INT(wait_for_ticket(&m.wait, registry_create_many(r.registry, &rig_operator, &m.batch,
                                                                        &idem, &m.wait.ticket)),
                          ERR_NONE);
        }
        CHECK(m.batch.none);
        CHECK_INT(m.items[m.batch.refused].ticket.err.kind, ERR_IDEMPOTENCY_MISMATCH);
        CHECK_INT(rows(), N);
        CHECK_INT(registry_active(r.registry, NULL, 0), N);
        CHECK_INT(rig_select("SELECT ifnull(sum(n), 0) FROM tally"), N);
        rig_end(&r);
}

TEST(all_one_that_is_refused_at_once_leaves_no_row_and_nothing_that_is_waited_for)
{
        struct rig r;
        struct many m;

        rig_begin(&r);
        many_init(&m, true);
        m.items[2].spec->identity = strdup("7:1");
        many_start(&r, &m, NULL);
        CHECK(m.batch.none);
        CHECK_INT(m.batch.refused, 2);
        CHECK_INT(m.items[2].ticket.err.kind, ERR_INVALID);
        CHECK_INT(rows(), 0);
        CHECK_INT(registry_active(r.registry, NULL, 0), 0);
        CHECK_INT(seam_count("clone3"), 0);
        rig_end(&r);
}

TEST(all_none_is_there_when_the_disk_is_full_or_broken)
{
        static const int errnos[] = {ENOSPC, EIO};

        for (size_t i = 0; i < sizeof(errnos) / sizeof(errnos[0]); i++) {
                struct rig r;
                struct many m;

                rig_begin(&r);
                many_init(&m, true);
                seam_fail("wal_write", 0, errnos[i]);
                many_start(&r, &m, NULL);
                CHECK(m.batch.none);
                CHECK(m.items[m.batch.refused].ticket.err.kind ==
                      (errnos[i] == ENOSPC ? ERR_FULL : ERR_UNAVAILABLE));
                CHECK_INT(registry_active(r.registry, NULL, 0), 0);
                CHECK_INT(seam_count("clone3"), 0);
                seam_reset();
                CHECK_INT(rows(), 0);
                rig_end(&r);
                unlink(test_path("registry.db"));
                unlink(test_path("registry.db-wal"));
                unlink(test_path("registry.db-shm"));
        }
}

TEST(all_one_that_cannot_be_cloned_is_failed_and_the_others_run)
{
        struct rig r;
        struct many m;

        rig_begin(&r);
        many_init(&m, true);
        seam_fail("clone3", 2, EAGAIN);
        many_start(&r, &m, NULL);
        CHECK(!m.batch.none);
        rig_flush(&r);
        CHECK_INT(rows(), N);
        CHECK_INT(rig_select("SELECT count(*) FROM process WHERE state = 'started'"), N - 1);
        CHECK_INT(rig_select("SELECT count(*) FROM process WHERE state = 'failed' AND exitcode IS NULL AND "
                             "pid IS NULL "
                             "AND exit_reason = 'start_failed' AND exit_errno = 'EAGAIN'"),
                  1);
        CHECK_INT(registry_active(r.registry, NULL, 0), N - 1);
        for (size_t i = 0, failed = 0; i < N; i++) {
                failed += m.items[i].ticket.err.kind == ERR_EXEC_FAILED;
                CHECK(i < N - 1 || failed == 1);
                CHECK_NULL(m.items[i].ticket.err.kind == ERR_EXEC_FAILED
                                   ? journal_find(r.registry->journal, m.items[i].ticket.id)
                                   : NULL);
        }
        rig_end(&r);
}

TEST(each_one_that_cannot_be_cloned_leaves_no_row_and_the_others_run)
{
        struct rig r;
        struct many m;

        rig_begin(&r);
        many_init(&m, false);
        seam_fail("clone3", 2, EAGAIN);
        many_start(&r, &m, NULL);
        rig_flush(&r);
        CHECK_INT(rows(), N - 1);
        CHECK_INT(rig_select("SELECT count(*) FROM process WHERE state = 'started'"), N - 1);
        rig_end(&r);
}

TEST(all_that_are_not_cloned_yet_when_the_server_stops_are_failed_and_nobody_waits_for_them)
{
        struct rig_gate gate;
        struct rig r;
        struct many m;

        rig_begin(&r);
        many_init(&m, true);
        rig_gate_shut(r.registry->store, &gate);
        CHECK_INT(registry_create_many(r.registry, &rig_operator, &m.batch, NULL, &m.wait.ticket), 1);
        CHECK_INT(registry_active(r.registry, NULL, 0), N);
        registry_stop(r.registry);
        rig_gate_open(&gate);
        CHECK_INT(wait_for_ticket(&m.wait, 1), ERR_NONE);
        CHECK_INT(registry_active(r.registry, NULL, 0), 0);
        CHECK_INT(rig_select("SELECT count(*) FROM process WHERE state = 'failed' AND exit_reason = "
                             "'start_failed'"),
                  N);
        CHECK_INT(seam_count("clone3"), 0);
        rig_end(&r);
}

TEST(a_repeat_of_a_batch_under_its_key_finds_each_in_its_place)
{
        struct rig r;
        struct many m, again;

        rig_begin(&r);
        many_init(&m, true);
        many_start(&r, &m, "k");
        many_init(&again, true);
        many_start(&r, &again, "k");
        for (size_t i = 0; i < N; i++) {
                CHECK(!m.items[i].ticket.replayed);
                CHECK(again.items[i].ticket.replayed);
                CHECK_INT(again.items[i].ticket.id, m.items[i].ticket.id);
        }
        CHECK_INT(rows(), N);
        rig_end(&r);
}

int main(int argc, char **argv)
{
        return !strcmp(argv[0], FORKSERVER_NAME) ? forkserver_main(argc, argv)
                                                 : test_run("batch", argc, argv);
}
