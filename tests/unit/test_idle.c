/* SPDX-License-Identifier: MIT */
/* tests/unit/test_idle.c: how long a connection is waited for. */
#include <sys/socket.h>
#include <sys/timerfd.h>

#include "transport/idle.h"
#include "test.h"

static const struct limits NO_TIME = {.head_bytes = 1024};
static const struct limits LIMITS = LIMITS_DEFAULT;

/* A connection and its client. */
struct rig {
        struct idle idle;
        struct connection *connection;
        int pair[2];
};

static void rig_init(struct rig *r, const struct limits *limits)
{
        idle_init(&r->idle, limits);
        CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, r->pair), 0);
        r->connection = idle_accepted(&r->idle, r->pair[0], true, limits);
        CHECK(r->connection != NULL);
}

static void rig_done(struct rig *r)
{
        idle_closed(r->connection);
        idle_done(&r->idle);
        close(r->pair[0]);
        close(r->pair[1]);
}

/* Whether the server's side reads the end. */
static bool is_cut(const struct rig *r)
{
        char c;

        return recvfrom(r->pair[0], &c, 1, MSG_DONTWAIT | MSG_PEEK, NULL, NULL) == 0;
}

TEST(a_connection_that_takes_too_long_is_cut_off)
{
        struct rig r;

        rig_init(&r, &NO_TIME);
        idle_sweep(&r.idle);
        CHECK(!is_cut(&r));
        idle_enter(r.connection, IDLE_HEAD);
        idle_leave(r.connection);
        idle_sweep(&r.idle);
        CHECK(!is_cut(&r));
        idle_enter(r.connection, IDLE_BODY);
        idle_sweep(&r.idle);
        CHECK(is_cut(&r));
        rig_done(&r);
}

/* Until it expires; 0: it is not set. */
static int64_t timer_us(int fd)
{
        struct itimerspec left;

        CHECK_INT(timerfd_gettime(fd, &left), 0);
        return left.it_value.tv_sec * 1000000 + (left.it_value.tv_nsec + 999) / 1000;
}

TEST(the_timer_is_set_to_the_first_end_and_not_at_all_while_nobody_is_waited_for)
{
        int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
        struct rig r, other;

        rig_init(&r, &LIMITS);
        rig_init(&other, &LIMITS);
        idle_set_timer(&r.idle, timer);
        other.connection->idle = &r.idle;
        CHECK_INT(timer_us(timer), 0);
        idle_enter(r.connection, IDLE_ANSWER); /* it has no end */
        CHECK_INT(timer_us(timer), 0);
        idle_enter(r.connection, IDLE_QUIET);
        CHECK(timer_us(timer) > LIMITS.head_us);
        idle_begin(other.connection);
        CHECK(timer_us(timer) > 0 && timer_us(timer) <= LIMITS.head_us);
        idle_closed(other.connection); /* whoever is left has an end */
        CHECK(timer_us(timer) > 0);
        idle_sweep(&r.idle);
        CHECK(timer_us(timer) > LIMITS.head_us);
        idle_leave(r.connection);
        idle_sweep(&r.idle);
        CHECK_INT(timer_us(timer), 0);
        idle_enter(r.connection, IDLE_HEAD);
        CHECK(timer_us(timer) > 0);
        idle_closed(r.connection);
        CHECK_INT(timer_us(timer), 0);
        r.connection = idle_accepted(&r.idle, r.pair[0], true, &LIMITS);
        other.connection = idle_accepted(&other.idle, other.pair[0], true, &LIMITS);
        rig_done(&other);
        rig_done(&r);
        close(timer);
}

TEST(those_who_are_not_due_yet_are_looked_at_again)
{
        int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
        struct rig r;

        rig_init(&r, &LIMITS);
        idle_set_timer(&r.idle, timer);
        r.connection->since_us -= LIMITS.head_us - 1;
        idle_begin(r.connection);
        r.connection->since_us += LIMITS.head_us; /* it has begun anew since the timer was set */
        idle_sweep(&r.idle);
        CHECK(!is_cut(&r));
        CHECK(timer_us(timer) > 0);
        rig_done(&r);
        close(timer);
}

TEST(each_phase_has_a_time_of_its_own)
{
        struct rig r;

        rig_init(&r, &NO_TIME);
        idle_enter(r.connection, IDLE_QUIET);
        idle_sweep(&r.idle);
        CHECK(!is_cut(&r));
        idle_enter(r.connection, IDLE_HEAD);
        idle_sweep(&r.idle);
        CHECK(is_cut(&r));
        rig_done(&r);
}

TEST(the_first_byte_of_a_head_begins_its_time)
{
        struct rig r;
        char room[64];

        rig_init(&r, &LIMITS);
        idle_enter(r.connection, IDLE_QUIET);
        CHECK_INT(idle_read(r.connection, room, sizeof(room)), -1);
        CHECK_INT(r.connection->phase, IDLE_QUIET);
        CHECK_INT(write(r.pair[1], "G", 1), 1);
        CHECK_INT(idle_read(r.connection, room, sizeof(room)), -1);
        CHECK_INT(r.connection->phase, IDLE_HEAD);
        rig_done(&r);
}

TEST(to_make_room_the_oldest_of_a_listener_are_cut_off)
{
        struct rig a, b;

        rig_init(&a, &LIMITS);
        rig_init(&b, &LIMITS);
        /* Both in one. */
        a.connection->idle = &b.idle;
        idle_enter(a.connection, IDLE_QUIET);
        idle_enter(b.connection, IDLE_QUIET);
        idle_evict(&b.idle, false, 0, 1);
        CHECK(!is_cut(&a) && !is_cut(&b));
        idle_evict(&b.idle, true, 1000000000, 1);
        CHECK(!is_cut(&a) && !is_cut(&b));
        idle_evict(&b.idle, true, 0, 1);
        CHECK(is_cut(&a) && !is_cut(&b));
        rig_done(&a);
        rig_done(&b);
}

TEST(the_time_of_a_first_head_begins_when_the_connection_is_accepted)
{
        struct rig a, b;

        rig_init(&a, &LIMITS);
        rig_init(&b, &LIMITS);
        a.connection->idle = &b.idle;
        a.connection->since_us -= LIMITS.head_us;
        /* The later one is done with TLS earlier. */
        idle_begin(b.connection);
        idle_begin(a.connection);
        idle_sweep(&b.idle);
        CHECK(is_cut(&a) && !is_cut(&b));
        idle_enter(b.connection, IDLE_QUIET);
        rig_done(&a);
        rig_done(&b);
}

TEST_MAIN("idle")
