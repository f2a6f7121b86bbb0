/* SPDX-License-Identifier: MIT */
/* tests/unit/test_fd.c: files read and written whole, packets with files, and what /proc tells. */
#include "test.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/procfs.h"
#include "base/socket.h"

TEST(a_file_is_read_whole_and_terminated)
{
        char buf[16];

        memset(buf, 'x', sizeof(buf));
        test_write(test_path("f"), 0600, "hello\0world", 11);
        CHECK_INT(fd_read_file(AT_FDCWD, test_path("f"), buf, sizeof(buf)), 11);
        assert_memory_equal(buf, "hello\0world", 12);
        test_write(test_path("empty"), 0600, "", 0);
        CHECK_INT(fd_read_file(AT_FDCWD, test_path("empty"), buf, sizeof(buf)), 0);
        CHECK_STR(buf, "");
}

TEST(a_file_that_does_not_fit_is_refused)
{
        char buf[16];

        test_write(test_path("f"), 0600, "0123456789abcdef", 15);
        CHECK_INT(fd_read_file(AT_FDCWD, test_path("f"), buf, sizeof(buf)), 15);
        test_write(test_path("f"), 0600, "0123456789abcdef", 16);
        errno = 0;
        CHECK_INT(fd_read_file(AT_FDCWD, test_path("f"), buf, sizeof(buf)), -1);
        CHECK_INT(errno, EFBIG);
}

TEST(a_symbolic_link_is_not_followed_when_a_file_is_read)
{
        char buf[16];

        test_write(test_path("f"), 0600, "x", 1);
        CHECK_INT(symlink("f", test_path("link")), 0);
        CHECK_INT(fd_read_file(AT_FDCWD, test_path("link"), buf, sizeof(buf)), -1);
        CHECK_INT(errno, ELOOP);
        CHECK_INT(fd_read_file(AT_FDCWD, test_path("none"), buf, sizeof(buf)), -1);
        CHECK_INT(errno, ENOENT);
}

TEST(a_file_is_replaced_as_a_whole_and_with_its_mode)
{
        int dir = open(test_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        mode_t mask = umask(0);
        struct stat st;
        struct err e = {0};

        MUST(fd_write_file(dir, "f", 0600, "first", 5, &e));
        CHECK_STR(test_read(test_path("f")), "first");
        CHECK_INT(stat(test_path("f"), &st), 0);
        CHECK_INT(st.st_mode & 0777, 0600);
        MUST(fd_write_file(dir, "f", 0640, "2nd", 3, &e));
        CHECK_STR(test_read(test_path("f")), "2nd");
        CHECK_INT(access(test_path("f.new"), F_OK), -1);
        umask(mask);
        close(dir);
}

TEST(what_an_interrupted_write_left_is_in_nobodys_way)
{
        int dir = open(test_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct err e = {0};

        test_write(test_path("victim"), 0600, "victim", 6);
        CHECK_INT(symlink("victim", test_path("f.new")), 0);
        MUST(fd_write_file(dir, "f", 0600, "new", 3, &e));
        CHECK_STR(test_read(test_path("f")), "new");
        CHECK_STR(test_read(test_path("victim")), "victim");
        close(dir);
}

TEST(a_file_that_cannot_be_written_leaves_the_old_one)
{
        struct err e;

        test_write(test_path("f"), 0600, "old", 3);
        CHECK_FAILS(fd_write_file(-1, "no/such/folder", 0600, "x", 1, &e), ERR_INTERNAL);
        CHECK_FAILS(fd_write_file(AT_FDCWD, "/dev/full/x", 0600, "x", 1, &e), ERR_INTERNAL);
        CHECK_STR(test_read(test_path("f")), "old");
}

TEST(closep_closes_once_and_keeps_errno)
{
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), copy = fd;

        errno = EBADMSG;
        closep(&fd);
        CHECK_INT(fd, -1);
        CHECK_INT(errno, EBADMSG);
        closep(&fd);
        CHECK_INT(fcntl(copy, F_GETFD), -1);
}

static void make_pair(int pair[2])
{
        CHECK_INT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
}

TEST(a_packet_arrives_as_it_was_sent)
{
        int pair[2], fds[SOCKET_FDS_MAX] = {77, 77, 77, 77, 77};
        char buf[16];

        make_pair(pair);
        CHECK_INT(socket_send(pair[0], "abc", 3, NULL, 0, 0), 0);
        CHECK_INT(socket_send(pair[0], "defg", 4, NULL, 0, 0), 0);
        CHECK_INT(socket_recv(pair[1], buf, sizeof(buf), fds, 0), 3);
        assert_memory_equal(buf, "abc", 3);
        CHECK_INT(fds[0], -1);
        CHECK_INT(fds[1], -1);
        CHECK_INT(fds[2], -1);
        CHECK_INT(socket_recv(pair[1], buf, sizeof(buf), fds, 0), 4);
        CHECK_INT(socket_recv(pair[1], buf, sizeof(buf), fds, MSG_DONTWAIT), -1);
        CHECK_INT(errno, EAGAIN);
        close(pair[0]);
        CHECK_INT(socket_recv(pair[1], buf, sizeof(buf), fds, 0), 0);
        close(pair[1]);
}

TEST(files_travel_with_a_packet_and_are_closed_on_exec)
{
        for (size_t n = 1; n <= SOCKET_FDS_MAX; n++) {
                int pair[2], pipes[2], fds[SOCKET_FDS_MAX], sent[SOCKET_FDS_MAX];
                char c;

                make_pair(pair);
                CHECK_INT(pipe2(pipes, O_CLOEXEC), 0);
                sent[0] = pipes[1];
                for (size_t i = 1; i < SOCKET_FDS_MAX; i++)
                        sent[i] = pipes[0];
                CHECK_INT(socket_send(pair[0], "x", 1, sent, n, 0), 0);
                close(pipes[1]); /* what was sent is a duplicate */
                CHECK_INT(socket_recv(pair[1], &c, 1, fds, 0), 1);
                CHECK(fds[0] >= 0);
                for (size_t i = 1; i < SOCKET_FDS_MAX; i++)
                        CHECK_INT(fds[i] >= 0, i < n);
                CHECK_INT(fcntl(fds[0], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
                CHECK_INT(write(fds[0], "y", 1), 1);
                CHECK_INT(read(n >= 2 ? fds[n - 1] : pipes[0], &c, 1), 1);
                CHECK_INT(c, 'y');
                socket_close_files(fds);
                for (size_t i = 0; i < SOCKET_FDS_MAX; i++)
                        CHECK_INT(fds[i], -1);
                close(pipes[0]);
                close(pair[0]);
                close(pair[1]);
        }
}

TEST(more_files_than_there_is_room_for_are_closed_and_overwrite_nothing)
{
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE((SOCKET_FDS_MAX + 1) * sizeof(int))];
        } control = {.align = {CMSG_LEN((SOCKET_FDS_MAX + 1) * sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
        struct {
                int fds[SOCKET_FDS_MAX], beyond[2];
        } got = {.beyond = {77, 77}};
        struct iovec iov = {.iov_base = (char *)"x", .iov_len = 1};
        struct msghdr h = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
        int pair[2], lowest;
        char c;

        make_pair(pair);
        lowest = dup(pair[0]);
        close(lowest);
        for (int i = 0; i <= SOCKET_FDS_MAX; i++)
                memcpy(CMSG_DATA(&control.align) + (size_t)i * sizeof(int), &pair[0], sizeof(int));
        CHECK_INT(sendmsg(pair[0], &h, 0), 1);
        CHECK_INT(socket_recv(pair[1], &c, 1, got.fds, 0), 1);
        CHECK(got.fds[SOCKET_FDS_MAX - 1] >= 0);
        CHECK_INT(got.beyond[0], 77);
        socket_close_files(got.fds);
        CHECK_INT(dup(pair[0]), lowest); /* nothing is left open */
        close(lowest);
        close(pair[0]);
        close(pair[1]);
}

TEST(files_that_come_with_nothing_are_not_left_open)
{
        int pair[2], fds[SOCKET_FDS_MAX];
        char c;

        make_pair(pair);
        CHECK_INT(socket_send(pair[0], "", 0, pair, 2, 0), 0);
        CHECK_INT(socket_recv(pair[1], &c, 1, fds, 0), 0);
        CHECK(fds[0] >= 0 && fds[1] >= 0 && fds[2] == -1);
        socket_close_files(fds);
        close(pair[0]);
        close(pair[1]);
}

TEST(sending_to_nobody_is_an_error_and_no_signal)
{
        int pair[2];

        make_pair(pair);
        close(pair[1]);
        CHECK_INT(socket_send(pair[0], "x", 1, NULL, 0, 0), -1);
        CHECK_INT(errno, EPIPE);
        close(pair[0]);
}

/* A child that sleeps under @name until it is killed, seen to do so. */
static pid_t sleeper_called(const char *name)
{
        int ready[2];
        pid_t pid;
        char c;

        CHECK_INT(pipe(ready), 0);
        pid = fork();
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                prctl(PR_SET_NAME, name);
                if (write(ready[1], "x", 1) == 1)
                        for (;;)
                                pause();
                _exit(1);
        }
        CHECK_INT(read(ready[0], &c, 1), 1);
        close(ready[0]);
        close(ready[1]);
        return pid;
}

TEST(a_name_with_parentheses_and_spaces_does_not_confuse_procfs)
{
        static const char *const names[] = {"plain", "a) Z 1 (", ") S 99 99", "((", "a\nb) R"};
        struct procfs_stat self = {0};

        CHECK_INT(procfs_stat(getpid(), &self), 0);
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                struct procfs_stat st = {0};
                pid_t pid = sleeper_called(names[i]);
                siginfo_t si;

                CHECK_INT(procfs_stat(pid, &st), 0);
                CHECK_INT(st.ppid, getpid());
                CHECK(st.state == 'S' || st.state == 'R');
                CHECK(st.start_ticks >= self.start_ticks);
                CHECK(st.never_execed);
                kill(pid, SIGKILL);
                CHECK_INT(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT), 0);
                CHECK_INT(procfs_stat(pid, &st), 0);
                CHECK_INT(st.state, 'Z');
                CHECK(st.never_execed);
                CHECK_INT(waitpid(pid, NULL, 0), pid);
                CHECK_INT(procfs_stat(pid, &st), 1);
        }
}

static int open_one(void)
{
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

        assert_return_code(fd, errno);
        return fd;
}

/* How many files are there when @n are not left any more. */
static int files_until_short(unsigned n)
{
        int fd = open_one();

        while (!fd_is_short(n))
                fd = open_one();
        return fd + 1;
}

TEST(who_keeps_more_files_free_does_so_under_a_small_limit)
{
        static const rlim_t limits[] = {80, 300, 640, 1024};
        struct rlimit before, limit;
        int first = open_one();

        getrlimit(RLIMIT_NOFILE, &before);
        for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
                int last = (int)limits[i], share = last < 640 ? last : 640, tcp, start, unix_socket;

                limit = (struct rlimit){.rlim_cur = limits[i], .rlim_max = before.rlim_max};
                CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
                tcp = files_until_short(160);
                start = files_until_short(64);
                unix_socket = files_until_short(32);
                CHECK(tcp + share * 140 / 640 <= last && tcp + share * 180 / 640 >= last);
                CHECK(tcp + share / 8 <= start && start + share / 32 <= unix_socket && unix_socket < last);
                CHECK_INT(close_range((unsigned)first + 1, ~0U, 0), 0);
        }
        setrlimit(RLIMIT_NOFILE, &before);
        close(first);
}

static uint64_t ticks_now(void)
{
        return (uint64_t)(clock_boot_us() / (CLOCK_US_PER_S / sysconf(_SC_CLK_TCK)));
}

TEST(procfs_knows_when_a_process_began_and_its_parent)
{
        uint64_t before = ticks_now();
        pid_t pid = sleeper_called("x");
        struct procfs_stat st = {0};

        CHECK_INT(procfs_stat(pid, &st), 0);
        CHECK(st.start_ticks + 1 >= before && st.start_ticks <= ticks_now());
        CHECK_INT(st.ppid, getpid());
        kill(pid, SIGKILL);
        CHECK_INT(waitpid(pid, NULL, 0), pid);
}

TEST(procfs_knows_who_has_execed)
{
        struct procfs_stat st = {0};
        siginfo_t si;
        pid_t pid = fork();

        if (pid == 0) {
                execl("/bin/true", "true", (char *)NULL);
                _exit(1);
        }
        CHECK_INT(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT), 0);
        CHECK_INT(procfs_stat(pid, &st), 0);
        CHECK(!st.never_execed);
        waitpid(pid, NULL, 0);
        CHECK_INT(procfs_stat(getpid(), &st), 0);
        CHECK(!st.never_execed);
}

TEST(the_boot_and_the_namespace_are_told)
{
        char id[40];
        struct err e = {0};

        MUST(procfs_boot_id(id, sizeof(id), &e));
        CHECK_INT(strlen(id), 36);
        CHECK(procfs_pid_ns() > 0);
        CHECK_FAILS(procfs_boot_id(id, 8, &e), ERR_INTERNAL);
}

TEST_MAIN("fd")
