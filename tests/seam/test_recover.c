/* SPDX-License-Identifier: MIT */
/* tests/seam/test_recover.c: what the last daemon left is watched, or has an end that is true, before anybody is
 * served; and when nobody can say, nothing is concluded. */
#include "left_rig.h"

#include <dirent.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "start/forkserver.h"

enum { FAULTS_MAX = 100, UNEXECED_STATUS = 127 };

static void open_registry(struct rig *r)
{
        struct err e = {0};

        MUST(registry_open(&r->config, &r->registry, &e));
        rig_flush(r);
}

/* Recovers @l, without creche-init; whether the row is then as @sql says. */
static bool recovers_to(struct left l, const char *sql)
{
        char select[200];
        struct rig r;
        bool so;

        unlink(test_path("registry.db"));
        unlink(test_path("spawn.journal"));
        rig_prepare(&r);
        leave(&r, l);
        open_registry(&r);
        snprintf(select, sizeof(select), "SELECT %s FROM process", sql);
        so = rig_select(select) == 1;
        CHECK_INT(registry_active(r.registry, NULL, 0), 0);
        rig_shut(&r);
        return so;
}

#define LOST "state = 'lost' AND exitcode IS NULL AND exit_detail IS NOT NULL"

TEST(what_ran_before_the_machine_was_restarted_is_lost_whoever_has_its_pid_now)
{
        CHECK(recovers_to((struct left){.pid = getpid(), .recorded = true, .other_boot = true}, LOST));
        CHECK(recovers_to((struct left){.pid = getpid(), .other_boot = true}, LOST));
}

static int steps;

static void count_step(void *arg)
{
        (void)arg;
        steps++;
}

TEST(recovery_says_of_each_row_that_it_has_come_so_far)
{
        struct left l = {.pid = NOBODYS_PID, .start_ticks = 1, .recorded = true};
        struct rig r;

        rig_prepare(&r);
        r.config.progress = count_step;
        steps = 0;
        leave(&r, l);
        open_registry(&r);
        CHECK_INT(steps, 2); /* it was read, and its process looked at */
        rig_shut(&r);
}

TEST(a_process_that_ended_unseen_is_lost_and_so_is_one_whose_pid_is_a_strangers)
{
        CHECK(recovers_to((struct left){.pid = NOBODYS_PID, .start_ticks = 1, .recorded = true}, LOST));
        CHECK(recovers_to((struct left){.pid = getpid(), .start_ticks = 1, .recorded = true}, LOST));
}

static void *wait_in_thread(void *pipe_fd)
{
        char c;

        while (read(*(int *)pipe_fd, &c, 1) < 0)
                ;
        return NULL;
}

TEST(a_process_whose_number_is_a_threads_now_is_lost)
{
        pid_t tid = 0;
        pthread_t thread;
        int pipes[2];
        struct dirent *d;
        DIR *tasks;

        CHECK_INT(pipe2(pipes, O_CLOEXEC), 0);
        CHECK_INT(pthread_create(&thread, NULL, wait_in_thread, &pipes[0]), 0);
        tasks = opendir("/proc/self/task");
        while ((d = readdir(tasks)))
                tid = atoi(d->d_name) > 0 && atoi(d->d_name) != getpid() ? atoi(d->d_name) : tid;
        closedir(tasks);
        CHECK(tid > 0);
        CHECK(recovers_to((struct left){.pid = tid, .start_ticks = 1, .recorded = true}, LOST));
        close(pipes[1]);
        pthread_join(thread, NULL);
        close(pipes[0]);
}

TEST(a_start_that_was_cut_short_is_lost_when_its_child_is_gone_or_nobodys)
{
        struct journal_slot gone = {.id = 1, .pid = NOBODYS_PID}, stranger = {.id = 1, .pid = getpid()};

        CHECK(recovers_to((struct left){.slot = &gone}, LOST));
        CHECK(recovers_to((struct left){.slot = &stranger}, LOST));
}

TEST(a_start_that_never_had_a_child_has_failed_and_waits_for_its_client_when_it_has_a_key)
{
        struct journal_slot slot = {.id = 1};

        CHECK(recovers_to((struct left){0}, "state = 'failed' AND exitcode IS NULL"));
        CHECK(recovers_to((struct left){.slot = &slot}, "state = 'failed' AND exitcode IS NULL"));
        CHECK(recovers_to((struct left){.key = "k"}, "state = 'initial' AND exitcode IS NULL"));
        CHECK(recovers_to((struct left){.key = "k", .slot = &slot}, "state = 'initial'"));
}

TEST(a_start_is_lost_when_its_spawn_journal_is_gone_and_nobody_knows_whether_it_ran)
{
        CHECK(recovers_to((struct left){.no_journal = true}, LOST));
        CHECK(recovers_to((struct left){.key = "k", .no_journal = true}, LOST));
}

static int started_run(struct db *db, void *arg, struct err *e)
{
        const struct record_extras none = {0};
        struct process p = *(struct process *)arg;

        return record_insert(db, &p, &none, e) < 0 || record_started(db, &p, e) < 0 ? -1 : 0;
}

/* Processes from @id on, each of which ran as one of @pids. */
static void leave_started(struct rig *r, int64_t id, const pid_t *pids, int n)
{
        struct boot boot = {.pid_ns = procfs_pid_ns()};
        const struct store_config c = {
                .dir = test_dir_fd(), .path = r->config.database, .boot = &boot, .fatal = rig_fatal};
        struct store *s = NULL;
        struct err e = {0};

        MUST(procfs_boot_id(boot.boot_id, sizeof(boot.boot_id), &e));
        MUST(store_open(&c, &s, &e));
        for (int i = 0; i < n; i++) {
                struct process p = rig_process(id + i, PROCESS_STARTING);
                struct procfs_stat st = {0};

                procfs_stat(pids[i], &st);
                p.pid = pids[i];
                p.start_ticks = st.start_ticks;
                rig_write(s, started_run, &p);
        }
        store_close(s);
}

TEST(a_spawn_journal_that_names_another_process_makes_nobody_signal_that_one)
{
        struct journal_slot slot = {.id = 1};
        struct process *first, *second;
        struct keeper k;
        struct rig r;
        int release;

        rig_prepare(&r);
        keeper_begin(&k, &r);
        slot.pid = fork_unexeced(&release);
        leave(&r, (struct left){.slot = &slot});
        leave_started(&r, 2, &slot.pid, 1);
        open_registry(&r);
        first = rig_show(&r, 1);
        second = rig_show(&r, 2);
        CHECK_INT(first->state, PROCESS_LOST);
        CHECK_INT(second->state, PROCESS_STARTED);
        CHECK_INT(second->pid, slot.pid);
        process_free(first);
        process_free(second);
        close(release);
        rig_join(&r, 2);
        rig_end(&r);
        keeper_end(&k);
}

/* So many that two threads look at them. The living and the dead come in pairs. */
TEST(of_many_rows_each_is_watched_or_has_its_own_end)
{
        enum { ROWS = 600, LIVING = 150, TOGETHER = 4 };
        pid_t pids[ROWS];
        int release[LIVING];
        struct rig r;

        rig_prepare(&r);
        for (int i = 0; i < ROWS; i++)
                pids[i] = NOBODYS_PID;
        for (int i = 0; i < LIVING; i++)
                pids[i * TOGETHER + i % 2] = fork_unexeced(&release[i]);
        leave_started(&r, 1, pids, ROWS);
        open_registry(&r);
        CHECK_INT(registry_active(r.registry, NULL, 0), LIVING);
        CHECK_INT(rig_select("SELECT count(*) FROM process WHERE " LOST), ROWS - LIVING);
        for (int i = 0; i < LIVING; i++)
                close(release[i]);
        for (int i = 0; i < LIVING; i++)
                rig_join(&r, i * TOGETHER + i % 2 + 1);
        CHECK_INT(rig_select("SELECT count(*) FROM process WHERE exitcode = 127"), LIVING);
        rig_end(&r);
}

/* What recovery asks of the kernel fails, call by call, with a child left in @l: it fails and leaves the row, or
 * adopts the child all the same. In the end the child has its own exit code. */
static void recover_short_of_files(bool recorded)
{
        struct journal_slot slot = {.id = 1};
        int release, refusals = 0;
        struct keeper k;
        struct rig r;

        rig_prepare(&r);
        keeper_begin(&k, &r);
        slot.pid = fork_unexeced(&release);
        leave(&r, (struct left){.pid = slot.pid, .recorded = recorded, .slot = recorded ? NULL : &slot});
        for (int n = 1;; n++) {
                struct err e = {0};

                CHECK(n < FAULTS_MAX);
                seam_reset();
                seam_countdown("openat pidfd_open", n, EMFILE);
                if (registry_open(&r.config, &r.registry, &e) == 0) {
                        if (!seam_hit())
                                break;
                        seam_reset();
                        registry_shut(r.registry);
                        continue;
                }
                CHECK(e.kind != ERR_NONE && *e.msg);
                refusals += e.kind == ERR_TRY_AGAIN;
                CHECK_INT(
                        rig_select(
                                "SELECT state IN ('starting', 'started') AND exitcode IS NULL FROM process"),
                        1);
                CHECK_INT(kill(slot.pid, 0), 0);
        }
        CHECK(refusals >= 2); /* its pidfd, its look at the process */
        seam_reset();
        CHECK_INT(registry_active(r.registry, NULL, 0), 1);
        close(release);
        rig_join(&r, 1);
        if (recorded)
                CHECK_INT(rig_select("SELECT exitcode FROM process"), UNEXECED_STATUS);
        else /* of its program it has nothing to tell, unless its start was recorded meanwhile */
                CHECK_INT(rig_select("SELECT state IN ('failed', 'stopped') FROM process"), 1);
        rig_end(&r);
        keeper_end(&k);
}

TEST(a_recovery_that_is_short_of_files_concludes_nothing_about_a_process_that_runs)
{
        recover_short_of_files(true);
}

TEST(a_recovery_that_is_short_of_files_concludes_nothing_about_a_start_that_was_cut_short)
{
        recover_short_of_files(false);
}

TEST(a_process_that_is_reaped_by_a_stranger_while_recovery_looks_at_it_is_lost)
{
        int release;
        struct rig r;
        pid_t pid;

        rig_prepare(&r);
        pid = fork_unexeced(&release);
        leave(&r, (struct left){.pid = pid, .recorded = true});
        seam_fail("pidfd_open", 1, ESRCH);
        open_registry(&r);
        CHECK_INT(rig_select("SELECT " LOST " FROM process"), 1);
        rig_end(&r);
        close(release);
        CHECK_INT(waitpid(pid, NULL, 0), pid);
}

/* Its number may be a stranger's when it is looked at: nothing but the pidfd tells. */
TEST(a_start_whose_child_is_reaped_while_recovery_looks_at_it_is_lost)
{
        struct journal_slot slot = {.id = 1};
        struct keeper k;
        int release;
        struct rig r;

        rig_prepare(&r);
        keeper_begin(&k, &r);
        slot.pid = fork_unexeced(&release);
        leave(&r, (struct left){.slot = &slot});
        seam_fail("pidfd_send_signal", 1, ESRCH);
        open_registry(&r);
        CHECK_INT(rig_select("SELECT " LOST " FROM process"), 1);
        rig_end(&r);
        keeper_end(&k);
        close(release);
        CHECK_INT(waitpid(slot.pid, NULL, 0), slot.pid);
}

/* A parent of the child, which becomes ours when that one dies. It is no child of ours itself: a forkserver that is
 * would be that of the program that we were before an upgrade. */
struct between {
        pid_t above, parent, child;
        int release, looks;
};

_Noreturn static void sleep_on(void)
{
        for (;;)
                pause();
}

_Noreturn static void be_parent(const char *name, const int *input, int told)
{
        pid_t pids[2] = {getpid(), 0};
        char c;

        close(input[1]);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_NAME, name);
        pids[1] = fork();
        while (pids[1] == 0)
                if (read(input[0], &c, 1) == 0)
                        _exit(5);
        if (write(told, pids, sizeof(pids)) != sizeof(pids))
                _exit(1);
        sleep_on();
}

static void between_begin(struct between *b, const char *name)
{
        int told[2], input[2];
        pid_t pids[2];

        *b = (struct between){0};
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        CHECK(pipe2(told, O_CLOEXEC) == 0 && pipe2(input, O_CLOEXEC) == 0);
        b->above = fork();
        if (b->above == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody behind */
                if (fork() == 0)
                        be_parent(name, input, told[1]);
                close(input[1]);
                sleep_on();
        }
        CHECK_INT(read(told[0], pids, sizeof(pids)), sizeof(pids));
        b->parent = pids[0];
        b->child = pids[1];
        b->release = input[1];
        close(told[0]);
        close(told[1]);
        close(input[0]);
}

/* Returns when the child has moved to us. */
static void parent_dies(struct between *b)
{
        struct pollfd p = {.fd = (int)syscall(SYS_pidfd_open, b->parent, 0), .events = POLLIN};

        CHECK(p.fd >= 0);
        kill(b->parent, SIGKILL);
        while (poll(&p, 1, -1) != 1)
                ;
        close(p.fd);
}

static void between_end(struct between *b)
{
        kill(b->above, SIGKILL);
        CHECK_INT(waitpid(b->above, NULL, 0), b->above);
        CHECK_INT(waitpid(b->parent, NULL, 0), b->parent);
        prctl(PR_SET_CHILD_SUBREAPER, 0);
}

/* The registry looks at the child for the second time. */
static void die_at_second_look(const struct seam_call *call, void *arg)
{
        struct between *b = arg;
        char link[64], path[64], wanted[64];
        ssize_t n;

        snprintf(link, sizeof(link), "/proc/self/fd/%ld", call->result);
        snprintf(wanted, sizeof(wanted), "/proc/%d/stat", b->child);
        n = readlink(link, path, sizeof(path) - 1);
        path[n > 0 ? n : 0] = '\0';
        if (!strcmp(path, wanted) && ++b->looks == 2)
                parent_dies(b);
}

static void ends_with_its_own_status(struct rig *r, struct keeper *k, struct between *b)
{
        close(b->release);
        rig_join(r, 1);
        CHECK_INT(rig_select("SELECT exitcode FROM process WHERE state = 'stopped'"), 5);
        rig_end(r);
        keeper_end(k);
        between_end(b);
}

static uint32_t peer_of(struct rig *r, int64_t id)
{
        uint32_t peer;

        pthread_mutex_lock(&r->registry->lock);
        peer = table_find(r->registry, id)->peer;
        pthread_mutex_unlock(&r->registry->lock);
        return peer;
}

TEST(a_child_whose_forkserver_is_dying_is_adopted_when_it_has_moved)
{
        struct between b;
        struct keeper k;
        struct rig r;

        rig_prepare(&r);
        between_begin(&b, FORKSERVER_NAME);
        keeper_begin(&k, &r);
        leave(&r, (struct left){.pid = b.child, .recorded = true});
        seam_after("openat", die_at_second_look, &b);
        open_registry(&r);
        seam_reset();
        CHECK(b.looks >= 2);
        CHECK(peer_of(&r, 1) != PEER_NOBODY); /* here it is the test, who is creche-init and daemon in one */
        ends_with_its_own_status(&r, &k, &b);
}

TEST(a_child_that_moves_to_creche_init_after_the_recovery_has_its_own_exit_code)
{
        struct between b;
        struct keeper k;
        struct rig r;

        rig_prepare(&r);
        between_begin(&b, "somebody");
        keeper_begin(&k, &r);
        leave(&r, (struct left){.pid = b.child, .recorded = true});
        open_registry(&r);
        parent_dies(&b);
        ends_with_its_own_status(&r, &k, &b);
}

TEST(a_child_that_a_parent_of_whom_we_know_nothing_does_not_reap_is_lost_when_it_has_ended)
{
        struct between b;
        struct keeper k;
        struct rig r;

        rig_prepare(&r);
        between_begin(&b, "somebody");
        keeper_begin(&k, &r);
        leave(&r, (struct left){.pid = b.child, .recorded = true});
        open_registry(&r);
        close(b.release);
        rig_join(&r, 1);
        CHECK_INT(rig_select("SELECT " LOST " FROM process"), 1);
        rig_end(&r);
        keeper_end(&k);
        parent_dies(&b);
        CHECK_INT(waitpid(b.child, NULL, 0), b.child);
        between_end(&b);
}

int main(int argc, char **argv)
{
        return !strcmp(argv[0], FORKSERVER_NAME) ? forkserver_main(argc, argv)
                                                 : test_run("recover", argc, argv);
}
