/* SPDX-License-Identifier: MIT */
/* tests/unit/test_sockets.c: what a creched is handed over. */
#include "daemon/sockets.h"
#include "test.h"

enum { FIRST = 3 };

static void say(const char *count, const char *names)
{
        setenv("LISTEN_FDS", count, 1);
        setenv("LISTEN_FDNAMES", names, 1);
        setenv("LISTEN_PID", "1", 1);
}

TEST(what_creche_init_hands_over_is_taken_by_its_name_and_closed_on_exec)
{
        struct sockets s;
        struct err e = {0};

        for (int i = 0; i < 3; i++)
                CHECK_INT(dup2(STDERR_FILENO, FIRST + i), FIRST + i);
        say("3", "unix:lock:tcp");
        MUST(sockets_inherit(&s, &e));
        CHECK_INT(s.unix_fd, FIRST);
        CHECK_INT(s.lock, FIRST + 1);
        CHECK_INT(s.tcp_fd, FIRST + 2);
        CHECK_INT(fcntl(s.lock, F_GETFD), FD_CLOEXEC);
        CHECK_NULL(getenv("LISTEN_FDS"));
        CHECK_NULL(getenv("LISTEN_FDNAMES"));
        CHECK_NULL(getenv("LISTEN_PID"));
}

TEST(a_file_that_is_not_open_was_not_handed_over)
{
        struct sockets s;
        struct err e;

        CHECK_INT(dup2(STDERR_FILENO, FIRST), FIRST);
        close(FIRST + 1);
        say("2", "lock:unix");
        CHECK_FAILS(sockets_inherit(&s, &e), ERR_INVALID);
        CHECK_INT(s.unix_fd, -1);
}

TEST(more_names_than_files_name_nothing)
{
        struct sockets s;
        struct err e;

        CHECK_INT(dup2(STDERR_FILENO, FIRST), FIRST);
        CHECK_INT(dup2(STDERR_FILENO, FIRST + 1), FIRST + 1);
        say("1", "lock:unix");
        CHECK_FAILS(sockets_inherit(&s, &e), ERR_INVALID);
        say("-1", "lock:unix");
        CHECK_FAILS(sockets_inherit(&s, &e), ERR_INVALID);
}

TEST_MAIN("sockets")
