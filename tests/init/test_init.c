/* SPDX-License-Identifier: MIT */
/* tests/init/test_init.c: creche-init from outside, by what a creched sees of it. */
#include "init_rig.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static void puppet_synced(void)
{
        order_give((struct order){.op = ORDER_PING}, -1);
        assert_int_equal(report_next(NULL).op, REPORT_PONG);
}

/* The answer has come, and stays unread. */
static void tell_and_let_wait(enum zombie_op op, pid_t pid)
{
        tell_by(ORDER_LET_WAIT, &(struct zombie_msg){.op = op, .pid = pid}, sizeof(struct zombie_msg), -1);
        assert_int_equal(report_next(NULL).op, REPORT_PONG);
}

TEST(a_killed_creched_is_restarted_within_100_ms)
{
        int64_t best_ms = PATIENCE_MS;

        init_started((struct launch){0});
        for (int i = 0; i < 5; i++) { /* the best of five: the machine may be busy with something else */
                pid_t before = fix.creched;
                int64_t began_ms = now_ms();

                tell(ZOMBIE_READY, 0);
                hears_nothing();
                kill(fix.creched, SIGKILL);
                creched_awaited();
                assert_int_not_equal(fix.creched, before);
                if (now_ms() - began_ms < best_ms)
                        best_ms = now_ms() - began_ms;
        }
        assert_in_range(best_ms, 0, 100);
        assert_int_equal(said("event=init.restart pid="), 5);
        assert_int_equal(said(" signal=9 restarts=1 delay_ms=0\n"), 1);
        assert_int_equal(said(" signal=9 restarts=5 delay_ms=50\n"), 1);
}

TEST(listening_sockets_stay_the_same_and_take_connections_during_the_gap)
{
        struct launch l = {.listen = {listener("unix", SOCK_STREAM), listener("tcp", SOCK_STREAM)}};
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ino_t first;

        init_started(l);
        close(l.listen[0]); /* from now on creche-init alone keeps them */
        close(l.listen[1]);
        first = fix.hello.hello.listen[0];
        assert_int_not_equal(first, fix.hello.hello.listen[1]);

        init_paused();
        kill(fix.creched, SIGKILL);
        UNTIL(state_of(fix.creched, NULL) == 'Z');
        snprintf(a.sun_path, sizeof a.sun_path, "%s", path("unix"));
        assert_int_equal(connect(client, (struct sockaddr *)&a, sizeof a), 0);
        kill(fix.init, SIGCONT);

        creched_awaited();
        assert_int_equal(fix.hello.hello.listen[0], first);
        assert_string_equal(fix.hello.hello.listen_fds, "2");
        close(client);
}

TEST(creched_gets_its_sockets_its_environment_and_nothing_else)
{
        struct launch l = {.listen = {listener("unix", SOCK_STREAM), listener("tcp", SOCK_STREAM)}};
        const struct hello *h = &fix.hello.hello;
        char pid[16];

        init_started(l);
        snprintf(pid, sizeof pid, "%d", fix.creched);
        assert_string_equal(h->listen_fds, "2");
        assert_string_equal(h->names, "unix:tcp");
        assert_string_equal(h->listen_pid, pid);
        assert_string_equal(h->stale, "unset");
        assert_string_equal(h->other, "kept");
        assert_int_equal(h->open, 0x3f); /* stdio, two sockets, control on 5 */
        assert_false(h->blocked);
        assert_int_equal(fix.hello.pgid, fix.hello.pid);
        hears_nothing();
        assert_int_equal(files_of_init(), 3 + 2 + 2);

        /* The second one is given no more than the first. */
        kill(fix.creched, SIGKILL);
        creched_awaited();
        snprintf(pid, sizeof pid, "%d", fix.creched);
        assert_string_equal(h->listen_pid, pid);
        assert_int_equal(h->open, 0x3f);
        close(l.listen[0]);
        close(l.listen[1]);
}

TEST(without_sockets_the_control_socket_is_descriptor_3)
{
        init_started((struct launch){0});
        assert_int_equal(fix.hello.hello.open, 0xf);
        hears_nothing();
}

TEST(listening_sockets_that_are_not_there_are_refused)
{
        setenv("LISTEN_FDS", "7", 1);
        init_started((struct launch){.creched = "/bin/true"});
        unsetenv("LISTEN_FDS");
        assert_int_equal(WEXITSTATUS(init_status()), 1);
        assert_int_equal(said("event=init.failed"), 1);
}

TEST(creched_learns_how_many_went_before_it_and_whether_one_has_served)
{
        static const char *const served[] = {"0", "0", "1", "1"};
        char restarts[16];

        init_started((struct launch){0});
        for (int i = 0; i < 4; i++) {
                snprintf(restarts, sizeof restarts, "%d", i);
                assert_string_equal(fix.hello.hello.restarts, restarts);
                assert_string_equal(fix.hello.hello.ready, served[i]);
                if (i == 1)
                        tell(ZOMBIE_READY, 0);
                hears_nothing();
                kill(fix.creched, SIGKILL);
                creched_awaited();
        }
}

TEST(closed_stdio_becomes_dev_null)
{
        init_started((struct launch){.without_stdio = true});
        for (int fd = 0; fd < 3; fd++)
                assert_true(fix.hello.hello.null[fd]);
}

TEST(the_exit_status_is_passed_on)
{
        static const int statuses[] = {0, 42, 127};

        for (size_t i = 0; i < 3; i++) {
                init_started((struct launch){0});
                creched_exits(statuses[i]);
                assert_int_equal(init_status(), W_EXITCODE(statuses[i], 0));
        }
}

TEST(status_75_restarts_and_is_never_held_against_creched)
{
        init_started((struct launch){0});
        for (int i = 0; i < 5; i++) {
                creched_exits(75);
                creched_awaited();
        }
        assert_int_equal(said(" status=75 restarts=5 "), 1);
        kill(fix.creched, SIGKILL);
        kill(fix.init, SIGTERM); /* not to wait for the whole back-off */
        creched_awaited();
}

TEST(a_zombie_is_reaped_when_asked_and_not_before)
{
        pid_t pid;

        init_started((struct launch){0});
        pid = child_of_creched(ORDER_ORPHAN, 5);
        hears_end(pid, CLD_EXITED, 5);
        hears_nothing();
        assert_int_equal(state_of(pid, NULL), 'Z');

        tell(ZOMBIE_REAP, pid);
        hears_nothing();
        assert_int_equal(state_of(pid, NULL), 0);
}

TEST(reap_does_nothing_to_a_living_child)
{
        pid_t pid;

        init_started((struct launch){0});
        pid = child_of_creched(ORDER_ORPHAN, CHILD_PAUSES);
        tell(ZOMBIE_REAP, pid);
        hears_nothing();
        kill(pid, SIGTERM);
        hears_end(pid, CLD_KILLED, SIGTERM);
}

TEST(children_of_a_killed_creched_are_reported_with_their_true_end_and_rusage)
{
        struct zombie_msg m;
        pid_t burner, living;
        int64_t burnt_us;

        init_started((struct launch){0});
        burner = child_of_creched(ORDER_CHILD, CHILD_BURNS);
        living = child_of_creched(ORDER_CHILD, CHILD_PAUSES);
        UNTIL(state_of(burner, NULL) == 'Z');
        kill(fix.creched, SIGKILL);
        creched_awaited();

        m = hears(ZOMBIE_EXIT, burner);
        burnt_us = (m.rusage.ru_utime.tv_sec + m.rusage.ru_stime.tv_sec) * 1000000L +
                   m.rusage.ru_utime.tv_usec + m.rusage.ru_stime.tv_usec;
        assert_int_equal(m.code, CLD_EXITED);
        assert_int_equal(m.status, 7);
        assert_in_range(burnt_us, BURN_MS * 900, BURN_MS * 20000);
        assert_int_not_equal(m.rusage.ru_maxrss, 0);

        kill(living, SIGKILL);
        UNTIL(state_of(living, NULL) == 'Z');
        hears_nothing(); /* one after the other */
        tell(ZOMBIE_REAP, burner);
        hears_end(living, CLD_KILLED, SIGKILL);
}

TEST(an_end_that_was_not_dealt_with_is_reported_again_to_the_next_creched)
{
        pid_t pid;

        init_started((struct launch){0});
        pid = child_of_creched(ORDER_ORPHAN, 5);
        hears_end(pid, CLD_EXITED, 5);
        for (int i = 0; i < 2; i++) {
                tell(ZOMBIE_READY, 0);
                hears_nothing();
                kill(fix.creched, SIGKILL);
                creched_awaited();
                hears_end(pid, CLD_EXITED, 5);
        }
}

TEST(peek_answers_exit_gone_or_nothing_and_shows_what_another_zombie_hides)
{
        pid_t first, second;

        init_started((struct launch){0});
        first = child_of_creched(ORDER_ORPHAN, CHILD_PAUSES);
        second = child_of_creched(ORDER_ORPHAN, CHILD_PAUSES);
        tell(ZOMBIE_PEEK, first);
        hears_nothing();

        kill(first, SIGKILL);
        hears_end(first, CLD_KILLED, SIGKILL);
        kill(second, SIGTERM);
        UNTIL(state_of(second, NULL) == 'Z');
        hears_nothing();
        tell(ZOMBIE_PEEK, first);
        hears_end(first, CLD_KILLED, SIGKILL);
        tell(ZOMBIE_PEEK, second);
        hears_end(second, CLD_KILLED, SIGTERM);

        tell(ZOMBIE_REAP, second);
        hears_nothing(); /* the first has been told */
        tell(ZOMBIE_REAP, first);
        tell(ZOMBIE_PEEK, first);
        hears(ZOMBIE_GONE, first);
}

TEST(who_says_hello_gets_the_kept_files_and_then_hello)
{
        int a = memfd_create("a", MFD_CLOEXEC), b = memfd_create("b", MFD_CLOEXEC);
        struct stat st[2];
        pid_t pid;

        fstat(a, &st[0]);
        fstat(b, &st[1]);
        init_started((struct launch){0});
        tell_file(ZOMBIE_KEEP, 5, a);
        tell_file(ZOMBIE_KEEP, 6, b);
        tell_file(ZOMBIE_KEEP, 5, b); /* instead of a */
        tell_file(ZOMBIE_KEEP, 7, b);
        tell_file(ZOMBIE_KEEP, 8, a);
        tell_file(ZOMBIE_DROP, 7, -1);
        tell_file(ZOMBIE_DROP, 99, -1);
        pid = child_of_creched(ORDER_ORPHAN, 5);
        hears_end(pid, CLD_EXITED, 5);
        assert_int_equal(files_of_init(), 3 + 2 + 3); /* stdio, its own, kept */

        for (int i = 0; i < 2; i++) {
                kill(fix.creched, SIGKILL);
                creched_awaited();
                hears_end(pid, CLD_EXITED, 5);
                hears_nothing();
                tell(ZOMBIE_HELLO, 0);
                assert_int_equal(hears_kept(6), st[1].st_ino);
                assert_int_equal(hears_kept(5), st[1].st_ino);
                assert_int_equal(hears_kept(8), st[0].st_ino);
                hears(ZOMBIE_HELLO, 0);
                hears_end(pid, CLD_EXITED, 5); /* who has executed itself anew does not know of it */
                hears_nothing();
        }
        close(a);
        close(b);
}

/* It has not lost its way: it exits as creched does. */
static void ends_as_told(void)
{
        creched_exits(0);
        assert_int_equal(init_status(), 0);
}

static void files_are_kept_up_to_a_limit(rlim_t files, int least, int most)
{
        int a = memfd_create("a", MFD_CLOEXEC), kept = 0;

        init_started((struct launch){.files = files});
        for (int64_t id = 0; id < most + 10; id++)
                tell_file(ZOMBIE_KEEP, id, a);
        hears_nothing();
        assert_int_equal(said("event=init.keep_refused"), 1);

        kill(fix.creched, SIGKILL);
        creched_awaited();
        tell(ZOMBIE_HELLO, 0);
        while (report_next(NULL).msg.op == ZOMBIE_KEPT)
                kept++;
        assert_in_range(kept, least, most);
        close(a);
        ends_as_told();
}

TEST(a_thousand_files_are_kept_and_the_next_is_refused)
{
        files_are_kept_up_to_a_limit(2048, 1024, 1024);
}

TEST(keeping_files_leaves_enough_descriptors_for_the_next_creched)
{
        files_are_kept_up_to_a_limit(64, 40, 60);
}

TEST(the_last_words_of_a_creched_count)
{
        int a = memfd_create("a", MFD_CLOEXEC);

        init_started((struct launch){0});
        tell_and_let_wait(ZOMBIE_PEEK, getpid()); /* that resets the connection */
        init_paused();
        tell_file(ZOMBIE_KEEP, 5, a);
        tell(ZOMBIE_READY, 0);
        creched_exits(75);
        UNTIL(state_of(fix.creched, NULL) == 'Z');
        kill(fix.init, SIGCONT);

        creched_awaited();
        tell(ZOMBIE_HELLO, 0);
        hears_kept(5);
        assert_string_equal(fix.hello.hello.ready, "1");
        close(a);
}

TEST(malformed_packets_are_ignored_and_their_files_closed)
{
        struct zombie_msg m[2] = {{.op = ZOMBIE_KEEP}};
        static const pid_t nobody[] = {0, -1, INT_MIN};
        static const size_t sizes[] = {0, 1, sizeof *m - 1, sizeof *m + 1};
        int files;

        init_started((struct launch){0});
        hears_nothing();
        files = files_of_init();
        for (size_t i = 0; i < 4; i++)
                tell_raw(m, sizes[i], i % 2 ? STDERR_FILENO : -1);
        tell_file(ZOMBIE_KEEP, 5, -1);
        tell_file(ZOMBIE_DROP, 5, STDERR_FILENO);
        for (enum zombie_op op = 0; op < 20; op++)
                if (op != ZOMBIE_KEEP && op != ZOMBIE_READY)
                        for (size_t i = 0; i < 3; i++) {
                                m[0] = (struct zombie_msg){.op = op, .pid = nobody[i], .id = 99};
                                tell_raw(m, sizeof *m, STDERR_FILENO);
                        }
        tell(ZOMBIE_PEEK, fix.creched);
        tell(ZOMBIE_REAP, fix.creched);
        hears_nothing();
        assert_int_equal(files_of_init(), files);

        init_paused();
        tell(ZOMBIE_REAP, fix.creched);
        creched_exits(3);
        UNTIL(state_of(fix.creched, NULL) == 'Z');
        kill(fix.init, SIGCONT);
        assert_int_equal(init_status(), W_EXITCODE(3, 0));
}

TEST(a_creched_that_never_serves_is_given_up_after_five_deaths)
{
        int64_t died_ms = 0;

        init_started((struct launch){0});
        for (int i = 0; i < 5; i++) {
                if (i > 0) {
                        creched_awaited();
                        assert_in_range(now_ms() - died_ms, (50 << (i - 1)) - 2, PATIENCE_MS); /* back-off */
                }
                died_ms = now_ms();
                kill(fix.creched, SIGKILL);
        }
        assert_int_equal(init_status(), W_EXITCODE(1, 0));
        assert_int_equal(said("event=init.gave_up"), 1);
}

TEST(a_creched_that_has_served_is_never_given_up_and_a_signal_ends_the_back_off)
{
        int64_t died_ms;

        init_started((struct launch){0});
        tell(ZOMBIE_READY, 0);
        hears_nothing();
        for (int i = 0; i < 6; i++) {
                kill(fix.creched, SIGKILL);
                creched_awaited();
        }
        died_ms = now_ms();
        kill(fix.creched, SIGKILL); /* the next would come in 1.6 s */
        UNTIL(said(" delay_ms=1600\n") == 1);
        kill(fix.init, SIGTERM);
        creched_awaited();
        assert_in_range(now_ms() - died_ms, 0, 1500);
        hears_nothing();
        tell(ZOMBIE_READY, 0);
        gets_signal(SIGTERM);
        ends_as_told();
}

static void soft_limit_on_files(rlim_t files)
{
        struct rlimit l;

        assert_int_equal(prlimit(fix.init, RLIMIT_NOFILE, NULL, &l), 0);
        l.rlim_cur = files;
        assert_int_equal(prlimit(fix.init, RLIMIT_NOFILE, &l, NULL), 0);
}

TEST(while_files_are_too_short_for_a_control_socket_it_tries_again_and_leaks_none)
{
        int files;

        init_started((struct launch){0});
        tell(ZOMBIE_READY, 0);
        hears_nothing();
        files = files_of_init();
        soft_limit_on_files(5); /* stdio, signals, and one end of a pair */
        kill(fix.creched, SIGKILL);
        UNTIL(said("event=init.start_failed error=\"Too many open files\"") >= 3);
        assert_int_equal(files_of_init(), files - 1);
        soft_limit_on_files(64);
        creched_awaited();
        assert_string_equal(fix.hello.hello.ready, "1");
        assert_int_equal(files_of_init(), files);
        ends_as_told();
}

TEST(without_a_creched_to_execute_it_exits_with_127)
{
        init_started((struct launch){.creched = "/nonexistent/creched"});
        assert_int_equal(init_status(), W_EXITCODE(127, 0));
        assert_int_equal(said("event=init.exec_failed path=\"/nonexistent/creched\" error=\"No such file"),
                         1);
}

TEST(a_creched_that_is_missing_for_a_while_is_tried_again)
{
        init_started((struct launch){0});
        tell(ZOMBIE_READY, 0);
        hears_nothing();
        rename(path("creched"), path("unix"));
        kill(fix.creched, SIGKILL);
        UNTIL(said("event=init.exec_failed") >= 1);
        rename(path("unix"), path("creched"));
        creched_awaited();
        assert_string_equal(fix.hello.hello.ready, "1");
}

TEST(a_creched_that_closes_the_control_socket_costs_no_processor_time)
{
        unsigned long before, after;

        init_started((struct launch){0});
        tell(ZOMBIE_READY, 0);
        hears_nothing();
        order_give((struct order){.op = ORDER_CLOSE}, -1);
        puppet_synced();
        state_of(fix.init, &before);
        usleep(300000);
        state_of(fix.init, &after);
        assert_in_range(after - before, 0, 10); /* ticks; a spin would have taken 30 */
        kill(fix.init, SIGTERM);
        gets_signal(SIGTERM);
        kill(fix.creched, SIGKILL);
        creched_awaited();
        hears_nothing();
}

TEST(creched_outlives_creche_init)
{
        init_started((struct launch){0});
        kill(fix.init, SIGKILL);
        init_status();
        puppet_synced();
}

TEST(an_inherited_ignored_sigchld_loses_no_zombie)
{
        pid_t pid;

        init_started((struct launch){.sigchld_ignored = true});
        pid = child_of_creched(ORDER_ORPHAN, 5);
        hears_end(pid, CLD_EXITED, 5);
}

/* Also: the number of a zombie that was reaped may be the very next one's. */
TEST(as_pid_1_it_reports_every_orphan)
{
        struct order o = {.op = ORDER_ORPHAN, .arg = 6};
        pid_t pid;

        init_started((struct launch){.pid_1 = true});
        if (fix.init < 0) {
                fix.init = 0;
                print_message("no pid namespaces here: %s\n", strerror(errno));
                skip();
        }
        assert_in_range(fix.hello.pid, 2, 9);
        order_give((struct order){.op = ORDER_ORPHAN, .arg = 5}, -1);
        pid = report_next(NULL).pid;
        hears_end(pid, CLD_EXITED, 5);
        tell(ZOMBIE_REAP, pid);
        hears_nothing();

        o.pid = pid;
        order_give(o, -1);
        assert_int_equal(report_next(NULL).pid, pid);
        hears_end(pid, CLD_EXITED, 6);

        kill(fix.creched, SIGKILL);
        creched_awaited();
        hears_end(pid, CLD_EXITED, 6);
        tell(ZOMBIE_REAP, pid);
        tell(ZOMBIE_PEEK, pid);
        hears(ZOMBIE_GONE, pid);
        creched_exits(3);
        assert_int_equal(init_status(), W_EXITCODE(3, 0));
}

#define RIGGED(name) cmocka_unit_test_setup_teardown(name, rig_up, rig_down)

int main(int argc, char **argv)
{
        static const struct CMUnitTest tests[] = {
                RIGGED(a_killed_creched_is_restarted_within_100_ms),
                RIGGED(listening_sockets_stay_the_same_and_take_connections_during_the_gap),
                RIGGED(creched_gets_its_sockets_its_environment_and_nothing_else),
                RIGGED(without_sockets_the_control_socket_is_descriptor_3),
                RIGGED(listening_sockets_that_are_not_there_are_refused),
                RIGGED(creched_learns_how_many_went_before_it_and_whether_one_has_served),
                RIGGED(closed_stdio_becomes_dev_null),
                RIGGED(the_exit_status_is_passed_on),
                RIGGED(status_75_restarts_and_is_never_held_against_creched),
                RIGGED(a_zombie_is_reaped_when_asked_and_not_before),
                RIGGED(reap_does_nothing_to_a_living_child),
                RIGGED(children_of_a_killed_creched_are_reported_with_their_true_end_and_rusage),
                RIGGED(an_end_that_was_not_dealt_with_is_reported_again_to_the_next_creched),
                RIGGED(peek_answers_exit_gone_or_nothing_and_shows_what_another_zombie_hides),
                RIGGED(who_says_hello_gets_the_kept_files_and_then_hello),
                RIGGED(a_thousand_files_are_kept_and_the_next_is_refused),
                RIGGED(keeping_files_leaves_enough_descriptors_for_the_next_creched),
                RIGGED(the_last_words_of_a_creched_count),
                RIGGED(malformed_packets_are_ignored_and_their_files_closed),
                RIGGED(a_creched_that_never_serves_is_given_up_after_five_deaths),
                RIGGED(a_creched_that_has_served_is_never_given_up_and_a_signal_ends_the_back_off),
                RIGGED(while_files_are_too_short_for_a_control_socket_it_tries_again_and_leaks_none),
                RIGGED(without_a_creched_to_execute_it_exits_with_127),
                RIGGED(a_creched_that_is_missing_for_a_while_is_tried_again),
                RIGGED(a_creched_that_closes_the_control_socket_costs_no_processor_time),
                RIGGED(creched_outlives_creche_init),
                RIGGED(an_inherited_ignored_sigchld_loses_no_zombie),
                RIGGED(as_pid_1_it_reports_every_orphan),
        };
        const char *build = getenv("BUILD");
        char relative[2048];

        if (argc == 2 && getenv("CRECHE_INIT_FD"))
                return puppet();

        (void)argv;
        snprintf(relative, sizeof relative, "%s/creche-init", build ? build : "build");
        if (!realpath(relative, creche_init)) {
                perror(relative);
                return 2;
        }
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
