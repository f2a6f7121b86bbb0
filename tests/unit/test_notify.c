/* SPDX-License-Identifier: MIT */
/* tests/unit/test_notify.c: what the service manager is told, and where it is sought. */
#include "daemon/notify.h"

#include "test.h"

enum { MAIN = 4711 };

/* A socket that stands for the manager's; its name as NOTIFY_SOCKET has it goes into @name. */
static int listen_at(bool abstract, char name[100])
{
        struct sockaddr_un sa = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        socklen_t length;

        snprintf(name, 100, "%s%s/notify", abstract ? "@" : "", test_dir());
        length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
        memcpy(sa.sun_path, name, strlen(name));
        if (abstract)
                sa.sun_path[0] = '\0';
        CHECK_INT(bind(fd, (struct sockaddr *)&sa, length), 0);
        setenv("NOTIFY_SOCKET", name, 1);
        unsetenv("WATCHDOG_USEC");
        unsetenv("WATCHDOG_PID");
        return fd;
}

/* The next message; "": there is none. */
static const char *heard(int fd)
{
        static char text[2048];
        ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

        text[n < 0 ? 0 : n] = '\0';
        return text;
}

static void is_told_at(bool abstract)
{
        struct notify n;
        char name[100];
        int fd = listen_at(abstract, name);

        notify_begin(&n, MAIN);
        notify_say(&n, "READY=1\nSTATUS=%s", "serves");
        CHECK_STR(heard(fd), "READY=1\nSTATUS=serves");
        notify_end(&n);
        close(fd);
}

TEST(a_manager_at_a_path_is_told)
{
        is_told_at(false);
}

TEST(a_manager_with_an_abstract_name_is_told)
{
        is_told_at(true);
}

static int fd_for(const char *name)
{
        struct notify n;
        int fd;

        setenv("NOTIFY_SOCKET", name, 1);
        notify_begin(&n, MAIN);
        fd = n.fd;
        notify_say(&n, "READY=1");
        notify_progress(&n);
        notify_end(&n);
        return fd;
}

TEST(without_an_address_that_we_can_use_nobody_is_told)
{
        char longer[200];

        memset(longer, 'x', sizeof(longer) - 1);
        longer[0] = '/';
        longer[sizeof(longer) - 1] = '\0';
        CHECK_INT(fd_for(""), -1);
        CHECK_INT(fd_for("@"), -1);
        CHECK_INT(fd_for("relative"), -1);
        CHECK_INT(fd_for("vsock:2:1234"), -1);
        CHECK_INT(fd_for(longer), -1);
        unsetenv("NOTIFY_SOCKET");
}

static int64_t watchdog_of(const char *pid, const char *usec)
{
        struct notify n;
        int64_t us;

        setenv("WATCHDOG_PID", pid, 1);
        setenv("WATCHDOG_USEC", usec, 1);
        notify_begin(&n, MAIN);
        us = n.watchdog_us;
        notify_end(&n);
        return us;
}

TEST(a_watchdog_that_waits_for_another_process_is_not_ours)
{
        char name[100];
        int fd = listen_at(false, name);

        CHECK_INT(watchdog_of("4711", "30000000"), 30000000);
        CHECK_INT(watchdog_of("4712", "30000000"), 0);
        CHECK_INT(watchdog_of("", "30000000"), 0);
        CHECK_INT(watchdog_of("4711x", "30000000"), 0);
        CHECK_INT(watchdog_of("-4711", "30000000"), 0);
        close(fd);
}

TEST(an_interval_that_is_no_number_is_none)
{
        char name[100];
        int fd = listen_at(false, name);

        CHECK_INT(watchdog_of("4711", ""), 0);
        CHECK_INT(watchdog_of("4711", "0"), 0);
        CHECK_INT(watchdog_of("4711", "-1"), 0);
        CHECK_INT(watchdog_of("4711", "1s"), 0);
        CHECK_INT(watchdog_of("4711", "99999999999999999999"), 0);
        close(fd);
}

TEST(many_steps_in_a_second_are_told_of_once)
{
        struct notify n;
        char name[100];
        int fd = listen_at(false, name);

        notify_begin(&n, MAIN);
        notify_progress(&n);
        CHECK_STR(heard(fd), "EXTEND_TIMEOUT_USEC=60000000");
        for (int i = 0; i < 100; i++)
                notify_progress(&n);
        CHECK_STR(heard(fd), "");
        n.progress_us -= 1000000;
        n.watchdog_us = 1;
        notify_progress(&n);
        CHECK_STR(heard(fd), "EXTEND_TIMEOUT_USEC=60000000\nWATCHDOG=1");
        notify_end(&n);
        close(fd);
}

TEST(a_manager_that_is_gone_is_no_reason_to_stop)
{
        struct notify n;
        char name[100];

        close(listen_at(true, name));
        notify_begin(&n, MAIN);
        notify_say(&n, "READY=1");
        notify_end(&n);
        CHECK_INT(n.fd, -1);
}

TEST_MAIN("notify")
