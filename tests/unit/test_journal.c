/* SPDX-License-Identifier: MIT */
/* tests/unit/test_journal.c: the spawn journal. */
#include "test.h"

#include <pthread.h>
#include <sys/mman.h>

#include "start/journal.h"

static struct journal *opened(void)
{
        struct journal *j = NULL;
        struct err e = {0};

        MUST(journal_open(test_dir_fd(), "spawn.journal", &j, &e));
        return j;
}

TEST(a_journal_that_was_removed_takes_no_more_starts)
{
        struct journal *j = opened();
        struct err e;

        unlink(test_path("spawn.journal"));
        CHECK(!journal_claim(j, 1, &e));
        CHECK_INT(e.kind, ERR_UNAVAILABLE);
        journal_close(j);
}

static struct journal_slot *claimed(struct journal *j, int64_t id)
{
        struct err e = {0};
        struct journal_slot *slot = journal_claim(j, id, &e);

        if (!slot)
                fail_msg("%s", e.msg);
        return slot;
}

TEST(a_slot_belongs_to_one_start_until_it_is_released)
{
        struct journal *j = opened();
        struct journal_slot *a, *b;

        journal_clear(j);
        a = claimed(j, 17);
        b = claimed(j, 18);
        CHECK(a != b);
        CHECK_INT(a->id, 17);
        CHECK_INT(a->pid, 0);
        CHECK(journal_find(j, 17) == a);
        CHECK(journal_find(j, 18) == b);
        CHECK_NULL(journal_find(j, 19));
        journal_release(j, a);
        CHECK_NULL(journal_find(j, 17));
        CHECK(journal_find(j, 18) == b);
        journal_close(j);
}

TEST(a_slot_that_is_claimed_again_tells_nothing_of_its_last_owner)
{
        struct journal *j = opened();

        journal_clear(j);
        for (int i = 0; i < 2 * JOURNAL_SLOTS; i++) {
                struct journal_slot *slot = claimed(j, i + 1);

                CHECK_INT(slot->pid, 0);
                CHECK_INT(slot->stage, 0);
                CHECK_INT(slot->errnum, 0);
                slot->pid = 4242;
                slot->stage = 10;
                slot->errnum = ENOENT;
                journal_release(j, slot);
        }
        journal_close(j);
}

TEST(a_full_journal_says_try_again)
{
        static struct journal_slot *slots[JOURNAL_SLOTS];
        struct journal *j = opened();
        struct err e = {0};

        journal_clear(j);
        for (int i = 0; i < JOURNAL_SLOTS; i++)
                slots[i] = claimed(j, i + 1);
        CHECK_NULL(journal_claim(j, 99999, &e));
        CHECK_INT(e.kind, ERR_TRY_AGAIN);
        CHECK_NULL(journal_find(j, 99999));
        journal_release(j, slots[1234]);
        CHECK(claimed(j, 99999) == slots[1234]);
        journal_close(j);
}

TEST(what_a_daemon_left_is_there_for_the_next_one_until_it_is_cleared)
{
        struct journal *j = opened();
        struct journal_slot *slot;
        const struct journal_slot *found;

        journal_clear(j);
        slot = claimed(j, 17);
        slot->pid = 4242;
        claimed(j, 18);
        journal_close(j);

        j = opened();
        found = journal_find(j, 17);
        assert_non_null(found);
        CHECK_INT(found->pid, 4242);
        CHECK_INT(journal_find(j, 18)->pid, 0);
        journal_clear(j);
        CHECK_NULL(journal_find(j, 17));
        CHECK_NULL(journal_find(j, 18));
        journal_close(j);
}

TEST(a_slot_that_is_kept_outlives_the_clearing_and_is_given_to_nobody)
{
        struct journal *j = opened();
        struct journal_slot *kept;
        struct err e = {0};

        journal_clear(j);
        claimed(j, 17)->pid = 4242;
        claimed(j, 18);
        journal_close(j);

        j = opened();
        kept = journal_keep(j, journal_find(j, 17));
        journal_clear(j);
        CHECK(journal_find(j, 17) == kept);
        CHECK_INT(kept->pid, 4242);
        for (int i = 0; i < JOURNAL_SLOTS - 1; i++)
                CHECK(claimed(j, 100 + i) != kept);
        CHECK_NULL(journal_claim(j, 99999, &e));
        journal_release(j, kept);
        CHECK(claimed(j, 99999) == kept);
        journal_close(j);
}

TEST(the_pid_of_a_start_in_flight_is_known_and_that_of_another_is_not)
{
        struct journal *j = opened();
        struct journal_slot *slot;

        journal_clear(j);
        slot = claimed(j, 17);
        CHECK(!journal_has_pid(j, 4242));
        slot->pid = 4242;
        CHECK(journal_has_pid(j, 4242));
        CHECK(!journal_has_pid(j, 4243));
        journal_release(j, slot);
        CHECK(!journal_has_pid(j, 4242));
        journal_close(j);
}

TEST(the_forkserver_sees_the_same_slots_by_number)
{
        struct journal *j = opened();
        struct journal_slot *slot, *shared;
        struct err e = {0};

        journal_clear(j);
        slot = claimed(j, 17);
        shared = journal_map(journal_fd(j), &e);
        assert_non_null(shared);
        CHECK_INT(shared[journal_number(j, slot)].id, 17);
        shared[journal_number(j, slot)].pid = 99;
        CHECK_INT(slot->pid, 99);
        munmap(shared, JOURNAL_SLOTS * sizeof(*shared));
        journal_close(j);
}

TEST(a_journal_is_private_and_allocated_in_full)
{
        struct stat st;

        journal_close(opened());
        CHECK_INT(stat(test_path("spawn.journal"), &st), 0);
        CHECK_INT(st.st_mode & 0777, 0600);
        CHECK_INT(st.st_size, JOURNAL_SLOTS * sizeof(struct journal_slot));
        CHECK(st.st_blocks * 512 >= st.st_size);
}

TEST(a_journal_that_cannot_be_opened_is_an_error)
{
        struct journal *j = NULL;
        struct err e;

        CHECK_FAILS(journal_open(test_dir_fd(), "no-such-folder/spawn.journal", &j, &e), ERR_INTERNAL);
        CHECK_INT(symlink("/dev/null", test_path("link")), 0);
        CHECK_FAILS(journal_open(test_dir_fd(), "link", &j, &e), ERR_INVALID);
        CHECK_NULL(j);
        CHECK_NULL(journal_map(-1, &e));
        CHECK_INT(e.kind, ERR_INTERNAL);
        journal_close(NULL);
}

struct claims {
        struct journal *journal;
        int64_t base;
};

static void *claim_many(void *arg)
{
        const struct claims *c = arg;

        for (int i = 0; i < 3000; i++) {
                struct journal_slot *slot = journal_claim(c->journal, c->base + i, NULL);

                if (!slot || slot->id != c->base + i)
                        return (void *)1;
                __atomic_store_n(&slot->pid, 4242, __ATOMIC_RELEASE);
                journal_release(c->journal, slot);
        }
        return NULL;
}

/* With the sanitizer of threads: also that one may ask for a pid meanwhile. */
TEST(slots_are_claimed_by_many_threads_at_once_while_another_asks_for_pids)
{
        struct journal *j = opened();
        struct claims claims[3] = {{j, 10000}, {j, 20000}, {j, 30000}};
        pthread_t threads[3];
        void *result;

        journal_clear(j);
        for (int i = 0; i < 3; i++)
                CHECK_INT(pthread_create(&threads[i], NULL, claim_many, &claims[i]), 0);
        for (int i = 0; i < 20; i++)
                CHECK(!journal_has_pid(j, 1));
        for (int i = 0; i < 3; i++) {
                pthread_join(threads[i], &result);
                CHECK_NULL(result);
        }
        journal_close(j);
}

TEST_MAIN("journal")
