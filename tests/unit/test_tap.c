/* SPDX-License-Identifier: MIT */
/* tests/unit/test_tap.c: what libmicrohttpd gets when it calls the C library. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "transport/idle.h"
#include "transport/tap.h"
#include "test.h"

static const struct limits LIMITS = LIMITS_DEFAULT;

/* A connection that is served here, and its client. */
struct rig {
        struct idle idle;
        struct connection *connection;
        int fd, client;
};

static void rig_init(struct rig *r)
{
        int pair[2];

        idle_init(&r->idle, &LIMITS);
        CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
        r->fd = pair[0];
        r->client = pair[1];
        r->connection = idle_accepted(&r->idle, r->fd, true, &LIMITS);
        CHECK(r->connection && tap_put(r->fd, r->connection));
}

static void rig_done(struct rig *r)
{
        CHECK(tap_take(r->fd) == r->connection);
        idle_closed(r->connection);
        idle_done(&r->idle);
        close(r->fd);
        close(r->client);
}

static int set(int fd, int level, int name)
{
        const int on = 1;

        errno = 0;
        return setsockopt(fd, level, name, &on, sizeof(on));
}

TEST(a_unix_socket_says_that_it_is_none_of_tcp)
{
        struct rig r;

        rig_init(&r);
        CHECK_INT(set(r.fd, IPPROTO_TCP, TCP_NODELAY), -1);
        CHECK_INT(errno, ENOPROTOOPT);
        CHECK_INT(set(r.fd, SOL_SOCKET, SO_KEEPALIVE), 0);
        rig_done(&r);
}

TEST_MAIN("tap")
