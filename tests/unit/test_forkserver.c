/* SPDX-License-Identifier: MIT */
/* tests/unit/test_forkserver.c: the forkserver, its children, and its death. */
#include "start_rig.h"

TEST(the_forkserver_is_the_parent_of_its_children_and_starts_at_its_first_use)
{
        const char *argv[] = {"sleep", "1000", NULL};
        struct spec spec = plain(argv);
        struct procfs_stat st = {0};
        struct err e = {0};
        struct rig r;

        rig_begin(&r);
        CHECK_INT(r.born, 0);
        MUST(start(&r, START_FORKSERVER, &spec, -1, &e));
        CHECK_INT(r.born, 1);
        CHECK_INT(r.result.forkserver, 1);
        CHECK_INT(procfs_stat(r.result.pid, &st), 0);
        CHECK_INT(st.ppid, r.peer.pid);
        kill(r.result.pid, SIGTERM);
        CHECK_INT(exitcode_of(&r), -SIGTERM);
        MUST(start(&r, START_FORKSERVER, &spec, -1, &e));
        CHECK_INT(r.born, 1);
        kill(r.result.pid, SIGKILL);
        CHECK_INT(exitcode_of(&r), -SIGKILL);
        rig_end(&r);
}

TEST(the_forkserver_says_nothing_of_a_living_child_and_gone_of_a_stranger)
{
        const char *argv[] = {"sleep", "1000", NULL};
        struct spec spec = plain(argv);
        struct zombie_msg msg;
        int fds[SOCKET_FDS_MAX];
        struct err e = {0};
        struct rig r;

        rig_begin(&r);
        MUST(start(&r, START_FORKSERVER, &spec, -1, &e));
        msg = (struct zombie_msg){.op = ZOMBIE_PEEK, .pid = r.result.pid};
        socket_send(r.peer.zombie_fd, &msg, sizeof(msg), NULL, 0, 0);
        msg = (struct zombie_msg){.op = ZOMBIE_PEEK, .pid = getpid()};
        socket_send(r.peer.zombie_fd, &msg, sizeof(msg), NULL, 0, 0);
        CHECK_INT(socket_recv(r.peer.zombie_fd, &msg, sizeof(msg), fds, 0), sizeof(msg));
        CHECK_INT(msg.op, ZOMBIE_GONE);
        CHECK_INT(msg.pid, getpid());
        kill(r.result.pid, SIGKILL);
        CHECK_INT(exitcode_of(&r), -SIGKILL);
        rig_end(&r);
}

TEST(a_forkserver_that_was_killed_is_started_again_and_its_children_live_on)
{
        const char *argv[] = {"sh", "-c", "read x; exit 3", NULL};
        struct spec spec = plain(argv);
        struct start_result orphan;
        struct journal_slot *slot;
        siginfo_t si = {0};
        struct err e = {0};
        pid_t first;
        int pipes[2];
        struct rig r;

        rig_begin(&r);
        CHECK_INT(pipe2(pipes, O_CLOEXEC), 0);
        MUST(start(&r, START_FORKSERVER, &spec, pipes[0], &e));
        orphan = r.result;
        slot = r.slot;
        first = r.peer.pid;
        kill(first, SIGKILL);
        CHECK_INT(waitpid(first, NULL, 0), first);

        MUST(start(&r, START_FORKSERVER, &spec, -1, &e));
        CHECK_INT(r.born, 2);
        CHECK_INT(r.result.forkserver, 2);
        CHECK(r.peer.pid != first);
        CHECK_INT(exitcode_of(&r), 3);

        close(pipes[1]); /* the orphan, which is ours now, reads the end of its input */
        CHECK_INT(waitid(P_PIDFD, (id_t)orphan.pidfd, &si, WEXITED), 0);
        CHECK_INT(si.si_status, 3);
        close(orphan.pidfd);
        close(pipes[0]);
        journal_release(r.journal, slot);
        rig_end(&r);
}

TEST(a_forkserver_that_cannot_be_executed_is_told_as_try_again)
{
        const char *argv[] = {"true", NULL};
        struct spec spec = plain(argv);
        struct err e = {0};
        struct rig r;

        rig_begin(&r);
        forkserver_free(r.forkserver);
        r.forkserver = r.starter.forkserver = forkserver_new("/no/such/program", r.journal, on_born, &r);
        CHECK_FAILS(start(&r, START_FORKSERVER, &spec, -1, &e), ERR_TRY_AGAIN);
        CHECK_INT(r.slot->pid, 0);
        CHECK_INT(r.born, 0);
        rig_end(&r);
}

TEST(a_forkserver_that_dies_at_once_is_tried_a_few_times_only)
{
        const char *argv[] = {"true", NULL};
        struct spec spec = plain(argv);
        struct err e = {0};
        struct rig r;

        rig_begin(&r);
        forkserver_free(r.forkserver);
        r.forkserver = r.starter.forkserver = forkserver_new("/bin/false", r.journal, on_born, &r);
        CHECK_FAILS(start(&r, START_FORKSERVER, &spec, -1, &e), ERR_TRY_AGAIN);
        CHECK_INT(r.slot->pid, 0);
        CHECK(r.born >= 1 && r.born <= 3);
        rig_end(&r);
}

TEST(the_forkserver_ends_when_it_is_told_to)
{
        const char *argv[] = {"true", NULL};
        struct spec spec = plain(argv);
        struct err e = {0};
        int status = -1;
        struct rig r;

        rig_begin(&r);
        MUST(start(&r, START_FORKSERVER, &spec, -1, &e));
        exitcode_of(&r);
        forkserver_free(r.forkserver);
        r.forkserver = NULL;
        CHECK_INT(waitpid(r.peer.pid, &status, 0), r.peer.pid);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        close(r.peer.zombie_fd);
        close(r.peer.pidfd);
        r.born = 0;
        rig_end(&r);
}

static void limit_files(pid_t pid, rlim_t files)
{
        struct rlimit l;

        CHECK_INT(prlimit(pid, RLIMIT_NOFILE, NULL, &l), 0);
        l.rlim_cur = files ? files : l.rlim_max;
        CHECK_INT(prlimit(pid, RLIMIT_NOFILE, &l, NULL), 0);
}

TEST(a_forkserver_that_cannot_take_the_files_of_a_request_refuses_it_and_serves_the_next)
{
        const char *argv[] = {"sh", "-c", "exit 3", NULL};
        struct spec spec = plain(argv);
        struct err e = {0};
        struct rig r;

        rig_begin(&r);
        MUST(start(&r, START_FORKSERVER, &spec, -1, &e));
        CHECK_INT(exitcode_of(&r), 3);
        limit_files(r.peer.pid, 6); /* stdio and its own three */
        CHECK_FAILS(start(&r, START_FORKSERVER, &spec, -1, &e), ERR_TRY_AGAIN);
        CHECK_INT(r.slot->pid, 0);
        journal_release(r.journal, r.slot);
        limit_files(r.peer.pid, 0);
        MUST(start(&r, START_FORKSERVER, &spec, -1, &e));
        CHECK_INT(r.born, 1);
        CHECK_INT(exitcode_of(&r), 3);
        rig_end(&r);
}

TEST(without_files_for_its_sockets_there_is_no_forkserver_until_there_are_some)
{
        const char *argv[] = {"sh", "-c", "exit 3", NULL};
        struct spec spec = plain(argv);
        struct rlimit before;
        struct err e = {0};
        struct rig r;
        int open_before, open_after;

        rig_begin(&r);
        getrlimit(RLIMIT_NOFILE, &before);
        for (rlim_t files = 10; files < 13; files++) {
                open_before = dup(0);
                close(open_before);
                limit_files(0, files);
                CHECK_FAILS(start(&r, START_FORKSERVER, &spec, -1, &e), ERR_TRY_AGAIN);
                setrlimit(RLIMIT_NOFILE, &before);
                CHECK_INT(r.born, 0);
                journal_release(r.journal, r.slot);
                open_after = dup(0);
                close(open_after);
                CHECK_INT(open_after, open_before);
        }
        MUST(start(&r, START_FORKSERVER, &spec, -1, &e));
        CHECK_INT(exitcode_of(&r), 3);
        rig_end(&r);
}

/* The exit status of a forkserver whose descriptors 3 and 5 are @start and @journal. */
static int status_of_server(int start_fd, int journal)
{
        int status = -1;
        pid_t pid = fork();

        if (pid == 0) {
                dup2(start_fd, FORKSERVER_START_FD + 10);
                dup2(journal, FORKSERVER_JOURNAL_FD);
                dup2(FORKSERVER_START_FD + 10, FORKSERVER_START_FD);
                execl("/proc/self/exe", FORKSERVER_NAME, NULL);
                _exit(99);
        }
        CHECK_INT(waitpid(pid, &status, 0), pid);
        return status;
}

TEST(a_forkserver_that_was_not_started_by_a_daemon_ends_at_once)
{
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        struct rig r;

        rig_begin(&r);
        CHECK_INT(status_of_server(null, null), W_EXITCODE(EXIT_FAILURE, 0));
        CHECK_INT(status_of_server(null, journal_fd(r.journal)), W_EXITCODE(EXIT_FAILURE, 0));
        rig_end(&r);
        close(null);
}

int main(int argc, char **argv)
{
        return start_main("forkserver", argc, argv);
}
