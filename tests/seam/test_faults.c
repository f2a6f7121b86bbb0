/* SPDX-License-Identifier: MIT */
/* tests/seam/test_faults.c: the n-th call fails, for n = 1, 2, 3 ... until none does. Each failure is an error that
 * is told, or is survived; never a crash, never something half done. */
#include "rig.h"

#include "base/fd.h"
#include "base/procfs.h"
#include "daemon/keys.h"

enum { FAULTS_MAX = 300 };

#define FILES "openat read write fdatasync fallocate"

static const int errnos[] = {EIO, ENOSPC, EMFILE, EINTR};

#define for_each_errno(i) for (size_t i = 0; i < sizeof(errnos) / sizeof(errnos[0]); i++)

/* How many descriptors this process has. */
static int files_open(void)
{
        int n = 0;

        for (int fd = 0; fd < 256; fd++)
                n += fcntl(fd, F_GETFD) >= 0;
        return n;
}

static void check_told(const struct err *e, int errnum, int nth)
{
        if (e->kind == ERR_NONE || !*e->msg)
                fail_msg("fault %d (%s) was not told", nth, strerror(errnum));
        if (e->kind == ERR_FULL && errnum != ENOSPC)
                fail_msg("fault %d (%s) was told as a full disk", nth, strerror(errnum));
}

TEST(keys_are_made_whole_or_not_at_all)
{
        for_each_errno(i)
        {
                int n;

                for (n = 1; n < FAULTS_MAX; n++) {
                        unsigned char secret[SECRET_SIZE], again[SECRET_SIZE];
                        char token[TOKEN_MAX], token_again[TOKEN_MAX];
                        struct err e = {0};
                        int before = files_open(), rc;

                        seam_reset();
                        unlink(test_path("token"));
                        unlink(test_path("secret"));
                        seam_countdown(FILES, n, errnos[i]);
                        rc = keys_load(test_dir_fd(), token, secret, &e);
                        if (!seam_hit())
                                break;
                        CHECK_INT(files_open(), before);
                        seam_reset();
                        if (rc < 0)
                                check_told(&e, errnos[i], n);
                        /* What is there is complete, and stays. */
                        for (int k = 0; k < 2; k++) {
                                const char *path = test_path(k ? "secret" : "token");

                                if (access(path, F_OK) == 0)
                                        CHECK_INT(strlen(test_read(path)), 65);
                        }
                        MUST(keys_load(test_dir_fd(), token_again, again, &e));
                        if (rc == 0) {
                                CHECK_STR(token_again, token);
                                assert_memory_equal(again, secret, SECRET_SIZE);
                        }
                }
                CHECK(n > 8 && n < FAULTS_MAX);
        }
}

TEST(a_file_is_replaced_whole_or_stays_as_it_was)
{
        for_each_errno(i)
        {
                int dir = open(test_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), n;

                for (n = 1; n < FAULTS_MAX; n++) {
                        struct err e = {0};
                        int rc;

                        seam_reset();
                        test_write(test_path("f"), 0600, "old", 3);
                        seam_countdown(FILES, n, errnos[i]);
                        rc = fd_write_file(dir, "f", 0600, "brand new", 9, &e);
                        if (!seam_hit())
                                break;
                        CHECK_STR(test_read(test_path("f")), rc < 0 ? "old" : "brand new");
                        if (errnos[i] != EINTR)
                                CHECK_INT(rc, -1);
                        if (rc < 0)
                                check_told(&e, errnos[i], n);
                }
                CHECK_INT(n, 4); /* open, write, sync */
                close(dir);
                seam_reset();
        }
}

TEST(a_journal_opens_or_tells_why_and_keeps_what_is_in_it)
{
        for_each_errno(i)
        {
                int n;

                for (n = 1; n < FAULTS_MAX; n++) {
                        struct journal *j = NULL;
                        struct err e = {0};
                        int before = files_open();

                        seam_reset();
                        MUST(journal_open(test_dir_fd(), "spawn.journal", &j, &e));
                        journal_clear(j);
                        journal_claim(j, 17, &e)->pid = 4242;
                        journal_close(j);
                        j = NULL;

                        seam_countdown(FILES, n, errnos[i]);
                        if (journal_open(test_dir_fd(), "spawn.journal", &j, &e) < 0) {
                                check_told(&e, errnos[i], n);
                                CHECK_NULL(j);
                        } else {
                                CHECK_INT(journal_find(j, 17)->pid, 4242);
                        }
                        journal_close(j);
                        CHECK_INT(files_open(), before);
                        if (!seam_hit())
                                break;
                }
                CHECK_INT(n, 3); /* open, allocate */
                seam_reset();
        }
}

TEST(a_log_that_cannot_be_opened_is_told_and_leaks_nothing)
{
        struct logs *l = NULL;
        char path[300];
        struct err e = {0};

        seam_reset();
        MUST(logs_begin(test_dir_fd(), test_dir(), 1 << 20, &l, &e));
        MUST(logs_prepare(l, 17, STREAM_STDOUT, path, sizeof(path), &e));
        CHECK_FAILS(logs_open(l, 17, STREAM_STDOUT, &e), ERR_NO_LOG);
        test_write(path, 0600, "x", 1);
        logs_end(l); /* its thread has files of its own: one that watches nothing has none */
        MUST(logs_begin(test_dir_fd(), test_dir(), 1 << 20, &l, &e));
        for_each_errno(i)
        {
                int before = files_open();

                seam_fail("openat", 1, errnos[i]);
                CHECK_FAILS(logs_open(l, 17, STREAM_STDOUT, &e), ERR_TRY_AGAIN);
                CHECK_INT(files_open(), before);
        }
        logs_end(l);
}

struct punch {
        sem_t tried;
};

static void on_punch(const struct seam_call *call, void *arg)
{
        struct punch *p = arg;

        (void)call;
        sem_post(&p->tried);
}

TEST(a_log_that_cannot_be_punched_is_kept_whole)
{
        static const int refusals[] = {EIO, EOPNOTSUPP};
        static char block[40000];

        for (size_t i = 0; i < 2; i++) {
                struct punch p;
                struct logs *l = NULL;
                char path[300];
                struct err e = {0};
                struct stat st;

                seam_reset();
                sem_init(&p.tried, 0, 0);
                MUST(logs_begin(test_dir_fd(), test_dir(), 16384, &l, &e));
                MUST(logs_prepare(l, 17, STREAM_STDOUT, path, sizeof(path), &e));
                seam_fail("fallocate", 0, refusals[i]);
                seam_before("fallocate", on_punch, &p);
                test_write(path, 0600, block, sizeof(block));
                wait_sem(&p.tried);
                logs_end(l);
                CHECK_INT(stat(path, &st), 0);
                CHECK_INT(st.st_size, sizeof(block));
                CHECK(st.st_blocks * 512 >= (long)sizeof(block));
                unlink(path);
        }
        seam_reset();
}

TEST(a_log_is_held_within_its_budget_by_a_hole_at_its_head)
{
        static char block[40000];
        struct punch p;
        struct logs *l = NULL;
        char path[300];
        struct err e = {0};
        struct stat st;
        int fd;

        seam_reset();
        sem_init(&p.tried, 0, 0);
        MUST(logs_begin(test_dir_fd(), test_dir(), 16384, &l, &e));
        MUST(logs_prepare(l, 17, STREAM_STDOUT, path, sizeof(path), &e));
        seam_after("fallocate", on_punch, &p);
        memset(block, 'x', sizeof(block));
        test_write(path, 0600, block, sizeof(block));
        wait_sem(&p.tried);
        CHECK_INT(stat(path, &st), 0);
        CHECK_INT(st.st_size, sizeof(block));
        CHECK(st.st_blocks * 512 <= 16384 + 4096);
        fd = logs_open(l, 17, STREAM_STDOUT, &e);
        CHECK(fd >= 0);
        CHECK(logs_first(fd, 0) > 20000);
        close(fd);
        logs_end(l);
        seam_reset();
}

TEST(who_must_know_of_a_process_waits_for_a_file_to_read_it_from)
{
        static const int shortages[] = {EMFILE, ENFILE, ENOMEM};
        struct procfs_stat st;

        for (size_t i = 0; i < 3; i++) {
                seam_reset();
                seam_fail("openat", 1, shortages[i]);
                CHECK_INT(procfs_stat_patiently(getpid(), &st), 0);
                CHECK_INT(st.ppid, getppid());
                CHECK_INT(seam_count("openat"), 2);
        }
        seam_fail("openat", 1, EACCES);
        CHECK_INT(procfs_stat_patiently(getpid(), &st), -1);
        seam_reset();
}

/* All but waits: a registry that opens makes these calls. */
#define ALL "openat read write fdatasync fallocate epoll_ctl pidfd_open wal_write commit"

TEST(a_registry_opens_or_tells_why_and_opens_the_next_time)
{
        for (size_t i = 0; i < 2; i++) {
                int n;

                for (n = 1; n < FAULTS_MAX; n++) {
                        struct err e = {0};
                        struct rig r;
                        bool hit;
                        int rc, before;

                        unlink(test_path("registry.db"));
                        unlink(test_path("registry.db-wal"));
                        unlink(test_path("registry.db-shm"));
                        unlink(test_path("spawn.journal"));
                        rig_prepare(&r);
                        before = files_open();
                        seam_countdown(ALL, n, errnos[i]);
                        rc = registry_open(&r.config, &r.registry, &e);
                        hit = seam_hit();
                        if (rc < 0) {
                                CHECK_INT(files_open(), before);
                                seam_reset();
                                check_told(&e, errnos[i], n);
                                e = (struct err){0};
                                MUST(registry_open(&r.config, &r.registry, &e));
                        }
                        rig_shut(&r);
                        if (!hit)
                                break;
                }
                CHECK(n > 5 && n < FAULTS_MAX);
        }
}

TEST(a_registry_that_gets_too_few_threads_tells_so_and_opens_when_there_are_enough)
{
        int n;

        for (n = 1; n < FAULTS_MAX; n++) {
                struct err e = {0};
                struct rig r;
                int rc, before;

                rig_prepare(&r);
                before = files_open();
                seam_reset();
                seam_fail("pthread_create", n, EAGAIN);
                rc = registry_open(&r.config, &r.registry, &e);
                if (rc < 0) {
                        check_told(&e, EAGAIN, n);
                        CHECK_INT(files_open(), before);
                        seam_reset();
                        e = (struct err){0};
                        MUST(registry_open(&r.config, &r.registry, &e));
                }
                rig_shut(&r);
                if (rc == 0)
                        break;
        }
        CHECK_INT(n, 1 + 1 + 1 + STARTERS); /* writer, reaper, starters: each is needed */
}

TEST(a_process_starts_or_the_reason_is_told_whatever_call_fails)
{
        static const int some[] = {EMFILE, ENOSPC};
        struct rig r;

        rig_begin(&r);
        for (size_t i = 0; i < 2; i++) {
                for (enum start_method m = START_SPAWN; m < START_METHOD_COUNT; m++) {
                        int n;

                        for (n = 1; n < FAULTS_MAX; n++) {
                                struct spec *spec = rig_spec("read x; exit 5");
                                enum err_kind kind;
                                struct wait w;
                                char sql[100];

                                spec->start_method = m;
                                wait_init(&w);
                                /* Not epoll_ctl: who cannot be watched is adopted by the next daemon (abort). */
                                seam_countdown("openat read write clone3 pidfd_open", n, some[i]);
                                kind = wait_for_ticket(&w, registry_create(r.registry, &rig_operator, spec,
                                                                           NULL, NULL, &w.ticket));
                                rig_flush(&r);
                                snprintf(sql, sizeof(sql), "SELECT count(*) FROM process WHERE id = %" PRId64,
                                         w.ticket.id);
                                if (kind == ERR_NONE) {
                                        int hit = seam_hit();

                                        seam_reset();
                                        rig_release(&r, w.ticket.id);
                                        rig_join(&r, w.ticket.id);
                                        snprintf(sql, sizeof(sql),
                                                 "SELECT exitcode FROM process WHERE id = %" PRId64,
                                                 w.ticket.id);
                                        CHECK_INT(rig_select(sql), 5);
                                        if (!hit)
                                                break;
                                } else {
                                        check_told(&w.ticket.err, some[i], n);
                                        CHECK_INT(rig_select(sql), 0);
                                        seam_reset();
                                }
                        }
                        CHECK(n < FAULTS_MAX);
                }
        }
        CHECK_INT(rig_select("SELECT count(*) FROM process WHERE state <> 'stopped'"), 0);
        rig_end(&r);
}

int main(int argc, char **argv)
{
        return !strcmp(argv[0], FORKSERVER_NAME) ? forkserver_main(argc, argv)
                                                 : test_run("faults", argc, argv);
}
