/* SPDX-License-Identifier: MIT */
/* tests/unit/test_start.c: a child from clone to exec, by each start method. */
#include "start_rig.h"

TEST(a_child_runs_its_program_and_its_exit_status_comes_back)
{
        const char *argv[] = {"sh", "-c", "exit 7", NULL};
        struct spec spec = plain(argv);
        struct err e = {0};
        struct rig r;

        rig_begin(&r);
        for_each_method(m)
        {
                MUST(start(&r, m, &spec, -1, &e));
                CHECK(r.result.pid > 0);
                CHECK_INT(r.result.stage, STAGE_NONE);
                CHECK_INT(fcntl(r.result.pidfd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
                CHECK_INT(exitcode_of(&r), 7);
        }
        rig_end(&r);
}

TEST(the_kernel_itself_writes_the_pid_into_the_journal)
{
        const char *argv[] = {"sleep", "1000", NULL};
        struct spec spec = plain(argv);
        struct err e = {0};
        struct rig r;

        rig_begin(&r);
        for_each_method(m)
        {
                MUST(start(&r, m, &spec, -1, &e));
                CHECK_INT(r.slot->pid, r.result.pid);
                CHECK(journal_has_pid(r.journal, r.result.pid));
                kill(r.result.pid, SIGKILL);
                CHECK_INT(exitcode_of(&r), -SIGKILL);
        }
        rig_end(&r);
}

TEST(what_cannot_be_executed_is_told_with_stage_and_errno)
{
        static const char *const none[] = {"/no/such/program", NULL},
                                 *const unfound[] = {"no-such-program", NULL},
                                 *const folder[] = {"/etc", NULL};
        const char *denied[] = {test_path("denied"), NULL}, *mess[] = {test_path("mess"), NULL};
        struct {
                const char *const *argv;
                int errnum;
        } const table[] = {
                {none, ENOENT}, {unfound, ENOENT}, {folder, EACCES}, {denied, EACCES}, {mess, ENOEXEC}};
        struct err e = {0};
        struct rig r;

        test_write(test_path("denied"), 0600, "#!/bin/sh\n", 10);
        test_write(test_path("mess"), 0700, "\x01\x02\x03", 3);
        rig_begin(&r);
        for_each_method(m) for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        {
                struct spec spec = plain((const char **)table[i].argv);

                MUST(start(&r, m, &spec, -1, &e));
                CHECK_INT(r.result.stage, STAGE_EXEC);
                CHECK_INT(r.result.errnum, table[i].errnum);
                CHECK_INT(r.slot->stage, STAGE_EXEC);
                CHECK_INT(r.slot->errnum, table[i].errnum);
                CHECK_INT(exitcode_of(&r), 127);
        }
        rig_end(&r);
}

TEST(each_step_before_exec_that_fails_is_told_as_itself)
{
        const char *argv[] = {"true", NULL};
        struct err e = {0};
        struct rig r;

        rig_begin(&r);
        for_each_method(m)
        {
                struct spec cwd = plain(argv), limits = plain(argv), out = plain(argv);

                cwd.cwd = (char *)"/no/such/folder";
                MUST(start(&r, m, &cwd, -1, &e));
                CHECK_INT(r.result.stage, STAGE_CWD);
                CHECK_INT(r.result.errnum, ENOENT);
                CHECK_INT(exitcode_of(&r), 127);

                limits.rlimits_n = 1;
                limits.rlimits[0] = (struct spec_rlimit){RLIMIT_NOFILE, {10, 5}};
                MUST(start(&r, m, &limits, -1, &e));
                CHECK_INT(r.result.stage, STAGE_LIMITS);
                CHECK_INT(r.result.errnum, EINVAL);
                CHECK_INT(exitcode_of(&r), 127);

                CHECK_INT(mkdir(test_path("out"), 0700), 0);
                out.out = OUTPUT_LOG;
                MUST(start(&r, m, &out, -1, &e));
                CHECK_INT(r.result.stage, STAGE_STDOUT);
                CHECK_INT(r.result.errnum, EISDIR);
                CHECK_INT(exitcode_of(&r), 127);
                CHECK_INT(rmdir(test_path("out")), 0);
        }
        rig_end(&r);
}

TEST(every_stage_has_a_name)
{
        CHECK_NULL(bootstrap_stage_name(STAGE_NONE));
        CHECK_NULL(bootstrap_stage_name(STAGE_COUNT));
        CHECK_NULL(bootstrap_stage_name((enum bootstrap_stage) - 1));
        for (int s = STAGE_NONE + 1; s < STAGE_COUNT; s++)
                assert_non_null(bootstrap_stage_name((enum bootstrap_stage)s));
        CHECK_STR(bootstrap_stage_name(STAGE_EXEC), "exec");
}

/* How many descriptors this process has, and a checksum of which. */
static unsigned long table_of_files(void)
{
        unsigned long sum = 0;
        DIR *dir = opendir("/proc/self/fd");
        const struct dirent *d;

        while ((d = readdir(dir))) {
                char target[256] = "";
                char path[300];

                if (d->d_name[0] == '.' || atoi(d->d_name) == dirfd(dir))
                        continue;
                snprintf(path, sizeof(path), "/proc/self/fd/%s", d->d_name);
                if (readlink(path, target, sizeof(target) - 1) < 0)
                        target[0] = '?';
                for (const char *p = target; *p; p++)
                        sum = sum * 31 + (unsigned char)*p;
                sum += (unsigned long)atoi(d->d_name) * 1000003;
        }
        closedir(dir);
        return sum;
}

TEST(a_child_inherits_no_file_and_takes_none_from_the_daemon)
{
        int open_ones[] = {open("/dev/null", O_RDWR), open("/dev/zero", O_RDWR | O_CLOEXEC), -1};
        struct rig r;

        open_ones[2] = fcntl(open_ones[0], F_DUPFD, 200); /* high up, and not even close-on-exec */
        rig_begin(&r);
        for_each_method(m)
        {
                struct spec spec = plain(NULL);
                unsigned long before;

                if (m == START_FORKSERVER) { /* its sockets are not the child's */
                        const char *argv[] = {"true", NULL};
                        struct spec first = plain(argv);
                        struct err e = {0};

                        MUST(start(&r, m, &first, -1, &e));
                        exitcode_of(&r);
                }
                before = table_of_files();
                check_line(probed(&r, m, &spec, -1), "fds: 0 1 2");
                CHECK(table_of_files() == before);
        }
        rig_end(&r);
        for (int i = 0; i < 3; i++)
                close(open_ones[i]);
}

TEST(a_child_that_fails_before_exec_takes_no_file_from_the_daemon_either)
{
        const char *argv[] = {"/no/such/program", NULL};
        struct spec spec = plain(argv);
        struct err e = {0};
        struct rig r;

        rig_begin(&r);
        for_each_method(m)
        {
                unsigned long before;

                MUST(start(&r, m, &spec, -1, &e));
                exitcode_of(&r);
                before = table_of_files();
                MUST(start(&r, m, &spec, -1, &e));
                exitcode_of(&r);
                CHECK(table_of_files() == before);
        }
        rig_end(&r);
}

TEST(a_child_begins_with_default_signals_and_an_empty_mask)
{
        static const int ignored[] = {SIGPIPE, SIGHUP, SIGINT, SIGUSR1};
        struct rig r;

        for (size_t i = 0; i < 4; i++)
                signal(ignored[i], SIG_IGN);
        rig_begin(&r);
        for_each_method(m)
        {
                struct spec spec = plain(NULL);
                const char *report = probed(&r, m, &spec, -1);

                check_line(report, "SigBlk:\t0000000000000000");
                check_line(report, "SigIgn:\t0000000000000000");
        }
        rig_end(&r);
        for (size_t i = 0; i < 4; i++)
                signal(ignored[i], SIG_DFL);
}

TEST(the_daemons_own_signals_are_as_they_were_after_a_start)
{
        struct sigaction before = {.sa_handler = SIG_IGN}, after;
        sigset_t mask_before, mask_after;
        const char *argv[] = {"true", NULL};
        struct spec spec = plain(argv);
        struct err e = {0};
        struct rig r;

        sigaction(SIGUSR2, &before, NULL);
        rig_begin(&r);
        for_each_method(m)
        {
                sigprocmask(SIG_BLOCK, NULL, &mask_before);
                MUST(start(&r, m, &spec, -1, &e));
                exitcode_of(&r);
                sigaction(SIGUSR2, NULL, &after);
                sigprocmask(SIG_BLOCK, NULL, &mask_after);
                CHECK(after.sa_handler == SIG_IGN);
                assert_memory_equal(&mask_before, &mask_after, sizeof(unsigned long));
        }
        rig_end(&r);
        signal(SIGUSR2, SIG_DFL);
}

TEST(a_child_has_its_own_session_and_what_was_asked_for)
{
        const char *env[] = {"A=b c", "EMPTY=", NULL};
        struct rig r;

        rig_begin(&r);
        for_each_method(m)
        {
                struct spec spec = plain(NULL);
                int own = getpriority(PRIO_PROCESS, 0);
                const char *report;

                spec.env = (char **)env;
                spec.cwd = (char *)"/usr/bin";
                spec.umask = 0137;
                spec.has_nice = true;
                spec.nice = 15;
                spec.rlimits_n = 1;
                spec.rlimits[0] = (struct spec_rlimit){RLIMIT_NOFILE, {300, 400}};
                report = probed(&r, m, &spec, -1);
                check_line(report, "session: 1");
                check_line(report, "umask: 137");
                check_line(report, "cwd: /usr/bin");
                check_line(report, "nice: 15");
                check_line(report, "nofile: 300 400");
                check_line(report, "arg: 'one'\narg: ''\narg: 't w o'");
                check_line(report, "env: CRECHE_ID=17\nenv: A=b c\nenv: EMPTY=");
                CHECK_NULL(strstr(report, "TMPDIR"));
                CHECK_INT(umask(022), 022);
                CHECK_INT(getpriority(PRIO_PROCESS, 0), own);
        }
        rig_end(&r);
}

TEST(root_starts_a_child_as_another_user_and_stays_root)
{
        struct rig r;

        if (geteuid() != 0)
                skip();
        rig_begin(&r);
        CHECK_INT(chmod(test_dir(), 0777), 0);
        for_each_method(m)
        {
                struct spec spec = plain(NULL);
                const char *report;
                struct stat st;

                spec.user = (char *)"12345";
                spec.group = (char *)"23456";
                spec.out = OUTPUT_LOG;
                unlink(test_path("report"));
                unlink(test_path("out"));
                report = probed(&r, m, &spec, -1);
                check_line(report, "Uid:\t12345\t12345\t12345\t12345");
                check_line(report, "Gid:\t23456\t23456\t23456\t23456");
                check_line(report, "Groups:\t23456 ");
                CHECK_INT(stat(test_path("out"), &st), 0);
                CHECK_INT(st.st_uid, 12345);
                CHECK_INT(st.st_mode & 0777, 0600);
                CHECK_INT(geteuid(), 0);
        }
        rig_end(&r);
}

TEST(output_goes_where_the_request_says)
{
        struct rig r;

        rig_begin(&r);
        for_each_method(m)
        {
                struct spec spec = plain(NULL);

                spec.out = spec.err = OUTPUT_LOG;
                probed(&r, m, &spec, -1);
                CHECK_STR(test_read(test_path("out")), "to stdout\n");
                CHECK_STR(test_read(test_path("err")), "to stderr\n");
                spec.err = OUTPUT_STDOUT;
                probed(&r, m, &spec, -1); /* it appends */
                CHECK_STR(test_read(test_path("out")), "to stdout\nto stdout\nto stderr\n");
                unlink(test_path("out"));
                unlink(test_path("err"));
                spec.out = spec.err = OUTPUT_NULL;
                probed(&r, m, &spec, -1);
                CHECK_INT(access(test_path("out"), F_OK), -1);
        }
        rig_end(&r);
}

TEST(a_log_is_never_written_through_a_symbolic_link)
{
        const char *argv[] = {"true", NULL};
        struct err e = {0};
        struct rig r;

        rig_begin(&r);
        test_write(test_path("victim"), 0600, "v", 1);
        CHECK_INT(symlink("victim", test_path("out")), 0);
        for_each_method(m)
        {
                struct spec spec = plain(argv);

                spec.out = OUTPUT_LOG;
                MUST(start(&r, m, &spec, -1, &e));
                CHECK_INT(r.result.stage, STAGE_STDOUT);
                CHECK_INT(r.result.errnum, ELOOP);
                exitcode_of(&r);
        }
        rig_end(&r);
}

TEST(standard_input_is_the_file_that_was_given_or_nothing)
{
        const char *argv[] = {"sh", "-c", "read x && [ \"$x\" = hello ] && exit 5; exit 6", NULL};
        struct spec spec = plain(argv);
        struct err e = {0};
        struct rig r;

        rig_begin(&r);
        for_each_method(m)
        {
                int pipes[2];

                CHECK_INT(pipe2(pipes, O_CLOEXEC), 0);
                CHECK_INT(write(pipes[1], "hello\n", 6), 6);
                MUST(start(&r, m, &spec, pipes[0], &e));
                CHECK_INT(exitcode_of(&r), 5);
                close(pipes[0]);
                close(pipes[1]);
                MUST(start(&r, m, &spec, -1, &e));
                CHECK_INT(exitcode_of(&r), 6);
                spec.argv = (char **)argv;
        }
        rig_end(&r);
}

TEST(an_input_pipe_leaves_no_other_file_in_the_child)
{
        struct rig r;

        rig_begin(&r);
        for_each_method(m)
        {
                struct spec spec = plain(NULL);
                int pipes[2];

                CHECK_INT(pipe2(pipes, O_CLOEXEC), 0);
                check_line(probed(&r, m, &spec, pipes[0]), "fds: 0 1 2");
                CHECK(fcntl(pipes[0], F_GETFD) >= 0);
                close(pipes[0]);
                close(pipes[1]);
        }
        rig_end(&r);
}

TEST(path_is_searched_as_execvp_does)
{
        char path[600];
        const char *argv[] = {"tool", NULL}, *env[] = {path, NULL};
        struct spec spec = plain(argv);
        struct err e = {0};
        struct rig r;

        spec.env = (char **)env;
        CHECK_INT(mkdir(test_path("a"), 0700), 0);
        CHECK_INT(mkdir(test_path("b"), 0700), 0);
        test_write(test_path("b/tool"), 0700, "#!/bin/sh\nexit 9\n", 17);
        snprintf(path, sizeof(path), "PATH=/no/such:%s:%s", test_path("a"), test_path("b"));
        rig_begin(&r);
        for_each_method(m)
        {
                MUST(start(&r, m, &spec, -1, &e));
                CHECK_INT(exitcode_of(&r), 9);
        }
        test_write(test_path("a/tool"), 0600, "#!/bin/sh\nexit 8\n", 17); /* there, but not to be run */
        MUST(start(&r, START_SPAWN, &spec, -1, &e));
        CHECK_INT(exitcode_of(&r), 9);
        unlink(test_path("b/tool"));
        MUST(start(&r, START_SPAWN, &spec, -1, &e));
        CHECK_INT(r.result.stage, STAGE_EXEC);
        CHECK_INT(r.result.errnum, EACCES);
        exitcode_of(&r);
        rig_end(&r);
}

TEST(a_group_that_the_kernel_lets_nobody_into_does_not_prevent_a_start)
{
        const char *argv[] = {"sh", "-c", "exit 7", NULL};
        struct spec spec = plain(argv);
        struct err e = {0};
        struct rig r;

        rig_begin(&r);
        r.cgroup = open(test_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* it is none */
        for_each_method(m)
        {
                MUST(start(&r, m, &spec, -1, &e));
                CHECK_INT(exitcode_of(&r), 7);
        }
        close(r.cgroup);
        rig_end(&r);
}

TEST(a_child_has_the_oom_score_that_it_shall_have_and_a_wrong_one_is_told_as_a_limit)
{
        const char *argv[] = {"sh", "-c", "exit $(cat /proc/self/oom_score_adj)", NULL};
        struct spec spec = plain(argv);
        struct err e = {0};
        struct rig r;

        rig_begin(&r);
        for_each_method(m)
        {
                r.oom_score_adj = "123"; /* more than ours: to take it needs no right */
                MUST(start(&r, m, &spec, -1, &e));
                CHECK_INT(exitcode_of(&r), 123);
                r.oom_score_adj = "5000";
                MUST(start(&r, m, &spec, -1, &e));
                CHECK_INT(r.result.stage, STAGE_LIMITS);
                CHECK_INT(r.result.errnum, EINVAL);
                CHECK_INT(exitcode_of(&r), 127);
        }
        rig_end(&r);
}

TEST(a_start_method_that_is_none_starts_nothing)
{
        const char *argv[] = {"true", NULL};
        struct spec spec = plain(argv);
        struct err e = {0};
        struct rig r;

        rig_begin(&r);
        CHECK_FAILS(start(&r, START_METHOD_COUNT, &spec, -1, &e), ERR_INTERNAL);
        CHECK_INT(r.slot->pid, 0);
        rig_end(&r);
}

int main(int argc, char **argv)
{
        return start_main("start", argc, argv);
}
