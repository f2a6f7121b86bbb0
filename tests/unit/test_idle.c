/* SPDX-License-Identifier: MIT */
/* tests/unit/test_idle.c: connections on which nothing is served. */
#include <sys/socket.h>

#include "http/idle.h"
#include "test.h"

static bool is_shut(int fd)
{
        char c;

        return recv(fd, &c, 1, MSG_DONTWAIT) == 0;
}

TEST(a_connection_that_is_idle_for_too_long_is_shut_down)
{
        struct idle idle;
        struct connection *c;
        int pair[2];

        idle_init(&idle);
        CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        c = idle_accepted(&idle, pair[0]);
        idle_sweep(&idle, 1000000);
        CHECK(!is_shut(pair[1]));
        idle_leave(&idle, c);
        idle_sweep(&idle, -1);
        CHECK(!is_shut(pair[1]));
        idle_enter(&idle, c);
        idle_sweep(&idle, -1);
        CHECK(is_shut(pair[1]));
        idle_closed(&idle, c);
        idle_done(&idle);
        close(pair[0]);
        close(pair[1]);
}

TEST_MAIN("idle")
