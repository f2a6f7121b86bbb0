/* SPDX-License-Identifier: MIT */
/* tests/seam/test_refused.c: starts that come to nothing, and what they leave behind. */
#include "rig.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Tries to start a process, which the kernel refuses; nothing may be left of it. */
static void check_start_refused(struct rig *r, enum start_method m, enum err_kind kind)
{
        struct spec *spec = rig_spec("read x");
        struct wait w;

        spec->start_method = m;
        wait_init(&w);
        CHECK_INT(
                wait_for_ticket(&w, registry_create(r->registry, &rig_operator, spec, NULL, NULL, &w.ticket)),
                kind);
        CHECK_INT(rig_select("SELECT count(*) FROM process"), 0);
        CHECK_INT(rig_select("SELECT ifnull(sum(n), 0) FROM tally"), 0);
        CHECK_INT(registry_active(r->registry, NULL, 0), 0);
        for (int64_t id = 1; id < 10; id++)
                CHECK_NULL(journal_find(r->registry->journal, id));
}

TEST(a_start_that_the_kernel_has_no_room_for_leaves_nothing_behind)
{
        static const int errnos[] = {EAGAIN, ENOMEM, EMFILE, ENFILE};
        struct rig r;

        rig_begin(&r);
        for (size_t i = 0; i < sizeof(errnos) / sizeof(errnos[0]); i++) {
                seam_fail("clone3", 1, errnos[i]);
                check_start_refused(&r, START_SPAWN, ERR_TRY_AGAIN);
                seam_fail("clone3", 1, errnos[i]);
                check_start_refused(&r, START_FORK, ERR_TRY_AGAIN);
        }
        rig_start(&r, "read x");
        rig_end(&r);
}

TEST(a_start_that_the_kernel_forbids_is_our_error_and_leaves_nothing_behind)
{
        struct rig r;

        rig_begin(&r);
        seam_fail("clone3", 1, EPERM);
        check_start_refused(&r, START_SPAWN, ERR_INTERNAL);
        rig_start(&r, "read x");
        rig_end(&r);
}

TEST(a_created_process_that_could_not_be_started_stays_created_and_can_be_started_later)
{
        struct rig r;
        enum process_state state;
        char *request = NULL;
        struct err e = {0};
        int64_t id;

        rig_begin(&r);
        id = rig_create(&r, "read x; exit 4");
        seam_fail("clone3", 1, EAGAIN);
        CHECK_INT(rig_start_created(&r, id, "read x; exit 4"), ERR_TRY_AGAIN);
        CHECK_INT(store_request(r.registry->store, id, &state, &request, &e), 0);
        CHECK_INT(state, PROCESS_INITIAL);
        CHECK_STR(request, "{}");
        free(request);
        CHECK_INT(rig_start_created(&r, id, "read x; exit 4"), ERR_NONE);
        CHECK_INT(rig_start_created(&r, id, "read x; exit 4"), ERR_ALREADY_STARTED);
        rig_release(&r, id);
        rig_join(&r, id);
        CHECK_INT(rig_select("SELECT exitcode FROM process"), 4);
        rig_end(&r);
}

static enum err_kind create_with_key(struct rig *r, const char *key, int64_t *id, bool *replayed)
{
        struct idempotency idem = {.key = key};
        struct wait w;
        enum err_kind kind;

        wait_init(&w);
        kind = wait_for_ticket(
                &w, registry_create(r->registry, &rig_operator, rig_spec("read x"), NULL, &idem, &w.ticket));
        *id = w.ticket.id;
        *replayed = w.ticket.replayed;
        return kind;
}

TEST(a_key_whose_start_had_no_room_starts_one_process_when_it_is_repeated)
{
        struct rig r;
        bool replayed;
        int64_t id, again;

        rig_begin(&r);
        seam_fail("clone3", 1, EAGAIN);
        CHECK_INT(create_with_key(&r, "k", &id, &replayed), ERR_TRY_AGAIN);
        CHECK_INT(create_with_key(&r, "k", &id, &replayed), ERR_NONE);
        CHECK(!replayed);
        CHECK_INT(create_with_key(&r, "k", &again, &replayed), ERR_NONE);
        CHECK(replayed);
        CHECK_INT(again, id);
        CHECK_INT(rig_select("SELECT count(*) FROM process"), 1);
        rig_end(&r);
}

TEST(one_key_sent_many_times_at_once_starts_one_process)
{
        enum { N = 40 };
        static struct wait waits[N];
        struct idempotency idem = {.key = "k"};
        struct rig r;

        rig_begin(&r);
        for (int i = 0; i < N; i++) {
                wait_init(&waits[i]);
                CHECK_INT(registry_create(r.registry, &rig_operator, rig_spec("read x"), NULL, &idem,
                                          &waits[i].ticket),
                          1);
        }
        for (int i = 0; i < N; i++) {
                CHECK_INT(wait_for_ticket(&waits[i], 1), ERR_NONE);
                CHECK_INT(waits[i].ticket.id, waits[0].ticket.id);
                CHECK_INT(waits[i].ticket.replayed, i > 0);
        }
        CHECK_INT(seam_count("clone3"), 1);
        CHECK_INT(rig_select("SELECT count(*) FROM process"), 1);
        rig_end(&r);
}

TEST(a_full_journal_refuses_a_start_and_leaves_nothing_behind)
{
        static struct journal_slot *slots[JOURNAL_SLOTS + 1];
        struct rig r;
        int n = 0;

        rig_begin(&r);
        while ((slots[n] = journal_claim(r.registry->journal, 100000 + n, NULL)))
                n++;
        CHECK_INT(n, JOURNAL_SLOTS);
        check_start_refused(&r, START_SPAWN, ERR_TRY_AGAIN);
        for (int i = 0; i < n; i++)
                journal_release(r.registry->journal, slots[i]);
        rig_start(&r, "read x");
        rig_end(&r);
}

/* From here on, who calls umask() is killed, as children do before they become their programs. */
static int forbid_umask(void)
{
        struct sock_filter code[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_umask, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

        return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0
                       ? -1
                       : prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

TEST(a_child_that_is_killed_before_it_has_become_its_program_has_failed_to_start)
{
        pid_t pid = fork(); /* a filter stays */
        int status;

        if (pid == 0) {
                struct rig r;
                struct wait w;

                if (forbid_umask() < 0)
                        _exit(1);
                rig_begin(&r);
                wait_init(&w);
                CHECK_INT(wait_for_ticket(&w, registry_create(r.registry, &rig_operator, rig_spec("exit 0"),
                                                              NULL, NULL, &w.ticket)),
                          ERR_EXEC_FAILED);
                CHECK_INT(
                        rig_select("SELECT count(*) FROM process WHERE state = 'failed' AND exitcode IS NULL "
                                   "AND pid IS NULL AND start_ticks IS NULL AND started_at IS NULL "
                                   "AND exit_detail LIKE '%before it had become its program%'"),
                        1);
                CHECK_INT(rig_select("SELECT count(*) FROM event WHERE type = 'started'"), 0);
                rig_end(&r);
                _exit(0);
        }
        CHECK_INT(waitpid(pid, &status, 0), pid);
        CHECK_INT(status, 0);
}

TEST(a_disk_too_full_for_the_spawn_journal_is_told_as_full)
{
        struct rig r;
        struct err e;

        rig_prepare(&r);
        seam_fail("fallocate", 0, ENOSPC);
        CHECK_FAILS(registry_open(&r.config, &r.registry, &e), ERR_FULL);
        rig_shut(&r);
}

int main(int argc, char **argv)
{
        return !strcmp(argv[0], FORKSERVER_NAME) ? forkserver_main(argc, argv)
                                                 : test_run("refused", argc, argv);
}
