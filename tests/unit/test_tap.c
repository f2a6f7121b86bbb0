/* SPDX-License-Identifier: MIT */
/* tests/unit/test_tap.c: what libmicrohttpd gets when it calls the C library. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "transport/idle.h"
#include "transport/tap.h"
#include "test.h"

static const struct limits LIMITS = LIMITS_DEFAULT;

/* A connection that is served here, its client, and the set that libmicrohttpd has. */
struct rig {
        struct idle idle;
        struct connection *connection;
        int fd, client, set;
        int left; /* how often it was told that the client has left */
};

static char handle; /* libmicrohttpd's name of the connection */

static void rig_init(struct rig *r)
{
        int pair[2];

        idle_init(&r->idle, &LIMITS);
        CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
        r->fd = pair[0];
        r->client = pair[1];
        r->connection = idle_accepted(&r->idle, r->fd, true, &LIMITS);
        CHECK(r->connection && tap_put(r->fd, r->connection));
        r->set = epoll_create1(0);
        r->left = 0;
        watch_begin(r->connection);
}

static void rig_done(struct rig *r)
{
        watch_end(r->connection);
        CHECK(tap_take(r->fd) == r->connection);
        idle_closed(r->connection);
        idle_done(&r->idle);
        close(r->fd);
        close(r->client);
        close(r->set);
}

/* As libmicrohttpd puts a socket into its set, and takes it out. */
static void put_in(const struct rig *r)
{
        struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLET, .data.ptr = &handle};

        CHECK_INT(epoll_ctl(r->set, EPOLL_CTL_ADD, r->fd, &ev), 0);
}

static void take_out(const struct rig *r)
{
        CHECK_INT(epoll_ctl(r->set, EPOLL_CTL_DEL, r->fd, NULL), 0);
}

/* What libmicrohttpd is told now of its connection. */
static uint32_t told(struct rig *r)
{
        struct epoll_event evs[4];
        int n = epoll_wait(r->set, evs, 4, 0);

        CHECK(n == 0 || (n == 1 && evs[0].data.ptr == &handle));
        return n ? evs[0].events & (EPOLLIN | EPOLLOUT | EPOLLHUP) : 0;
}

static void say(const struct rig *r, const char *s)
{
        CHECK_INT(sendto(r->client, s, strlen(s), 0, NULL, 0), strlen(s));
}

/* How much libmicrohttpd reads; -1: nothing. */
static ssize_t hear(const struct rig *r)
{
        char room[256];
        ssize_t n = recv(r->fd, room, sizeof(room), 0);

        CHECK(n >= 0 || errno == EAGAIN);
        return n;
}

static void note_left(void *arg)
{
        ++((struct rig *)arg)->left;
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

#define HEAD "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

TEST(what_comes_is_told_once_and_with_the_room_that_there_is)
{
        struct rig r;

        rig_init(&r);
        put_in(&r);
        CHECK_INT(told(&r), 0);
        say(&r, HEAD);
        CHECK_INT(told(&r), EPOLLIN | EPOLLOUT);
        CHECK_INT(told(&r), 0);
        rig_done(&r);
}

TEST(an_answer_that_the_client_reads_wakes_nobody)
{
        struct rig r;
        char room[64];

        rig_init(&r);
        put_in(&r);
        CHECK_INT(send(r.fd, HEAD, sizeof(HEAD), 0), sizeof(HEAD));
        CHECK_INT(recvfrom(r.client, room, sizeof(room), 0, NULL, NULL), sizeof(HEAD));
        CHECK_INT(told(&r), 0);
        rig_done(&r);
}

TEST(who_has_sent_less_than_there_was_is_told_of_room)
{
        static char much[1 << 16], room[1 << 16];
        struct rig r;

        rig_init(&r);
        put_in(&r);
        while (send(r.fd, much, sizeof(much), MSG_NOSIGNAL) == sizeof(much))
                ;
        CHECK_INT(told(&r), 0);
        say(&r, HEAD);
        CHECK_INT(told(&r), EPOLLIN);
        while (recvfrom(r.client, room, sizeof(room), MSG_DONTWAIT, NULL, NULL) > 0)
                ;
        CHECK_INT(told(&r), EPOLLIN | EPOLLOUT);
        rig_done(&r);
}

TEST(what_comes_while_a_request_is_suspended_is_told_when_it_goes_on)
{
        struct rig r;

        rig_init(&r);
        put_in(&r);
        take_out(&r);
        say(&r, HEAD);
        CHECK_INT(told(&r), 0);
        CHECK_INT(told(&r), 0);
        put_in(&r);
        CHECK_INT(told(&r) & EPOLLIN, EPOLLIN);
        rig_done(&r);
}

TEST(what_was_read_while_a_request_was_suspended_is_not_told_again)
{
        struct rig r;

        rig_init(&r);
        put_in(&r);
        take_out(&r);
        say(&r, HEAD);
        CHECK_INT(told(&r), 0);
        CHECK_INT(hear(&r), strlen(HEAD));
        put_in(&r);
        CHECK_INT(told(&r), 0);
        rig_done(&r);
}

TEST(what_comes_when_a_request_goes_on_is_told_although_the_socket_was_not_put_back)
{
        struct rig r;

        rig_init(&r);
        put_in(&r);
        take_out(&r);
        watch_wake(r.connection);
        say(&r, HEAD);
        CHECK_INT(told(&r) & EPOLLIN, EPOLLIN);
        watch_sleep(r.connection, NULL, NULL);
        say(&r, HEAD);
        CHECK_INT(told(&r), 0);
        rig_done(&r);
}

TEST(what_has_been_read_dry_is_read_again_when_more_has_been_told)
{
        struct rig r;

        rig_init(&r);
        put_in(&r);
        say(&r, HEAD);
        CHECK_INT(told(&r) & EPOLLIN, EPOLLIN);
        CHECK_INT(hear(&r), strlen(HEAD));
        say(&r, HEAD);
        CHECK_INT(hear(&r), -1);
        CHECK_INT(told(&r) & EPOLLIN, EPOLLIN);
        CHECK_INT(hear(&r), strlen(HEAD));
        rig_done(&r);
}

/* Which stands alone for who reads it, whatever comes behind it. */
static void say_with_a_descriptor(const struct rig *r, const char *s)
{
        struct iovec iov = {.iov_base = (char *)s, .iov_len = strlen(s)};
        union {
                struct cmsghdr header;
                char room[CMSG_SPACE(sizeof(int))];
        } u = {0};
        struct msghdr msg = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = u.room, .msg_controllen = sizeof(u.room)};

        u.header = (struct cmsghdr){
                .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&u.header), &r->client, sizeof(int));
        CHECK_INT(sendmsg(r->client, &msg, 0), strlen(s));
}

TEST(a_request_that_came_in_two_pieces_one_with_a_descriptor_is_read_whole)
{
        struct rig r;

        rig_init(&r);
        put_in(&r);
        say_with_a_descriptor(&r, "GET /half HT");
        say(&r, "TP/1.1\r\nHost: h\r\n\r\n");
        CHECK_INT(told(&r) & EPOLLIN, EPOLLIN);
        CHECK_INT(hear(&r), strlen("GET /half HTTP/1.1\r\nHost: h\r\n\r\n"));
        rig_done(&r);
}

TEST(an_end_that_comes_with_the_request_is_read_with_it)
{
        struct rig r;

        rig_init(&r);
        put_in(&r);
        say(&r, HEAD);
        shutdown(r.client, SHUT_WR);
        CHECK_INT(told(&r) & EPOLLIN, EPOLLIN);
        CHECK_INT(hear(&r), strlen(HEAD));
        CHECK(r.connection->wire.ended);
        rig_done(&r);
}

TEST(a_client_that_leaves_a_suspended_request_is_seen_and_libmicrohttpd_hears_of_it_when_it_goes_on)
{
        struct rig r;

        rig_init(&r);
        put_in(&r);
        take_out(&r);
        CHECK(!watch_sleep(r.connection, note_left, &r));
        shutdown(r.client, SHUT_WR);
        CHECK_INT(told(&r), 0);
        CHECK_INT(r.left, 1);
        put_in(&r);
        CHECK_INT(told(&r) & EPOLLIN, EPOLLIN);
        CHECK_INT(hear(&r), 0);
        rig_done(&r);
}

TEST(who_had_left_before_it_was_asked_for_is_said_at_once)
{
        struct rig r;

        rig_init(&r);
        put_in(&r);
        shutdown(r.client, SHUT_WR);
        CHECK_INT(told(&r) & EPOLLIN, EPOLLIN);
        CHECK(watch_sleep(r.connection, note_left, &r));
        rig_done(&r);
}

TEST(nobody_is_told_of_a_connection_that_is_no_more)
{
        struct epoll_event ev;
        struct rig r;
        int copy;

        rig_init(&r);
        put_in(&r);
        take_out(&r);
        copy = dup(r.fd);
        watch_end(r.connection);
        say(&r, HEAD);
        CHECK_INT(epoll_pwait(r.set, &ev, 1, 0, NULL), 0);
        close(copy);
        rig_done(&r);
}

TEST_MAIN("tap")
