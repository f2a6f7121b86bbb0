/* SPDX-License-Identifier: MIT */
/* tests/unit/test_sockets.c: what a creched is handed over. */
#include "daemon/sockets.h"

#include <netdb.h>
#include <sys/socket.h>

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

/* What is said of plain HTTP on @address, where nobody listens. */
static enum err_kind plain_on(const char *address, const char *cert, bool insecure)
{
        const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
        struct config c = {.insecure_http = insecure};
        struct sockets s = {-1, -1, -1};
        struct err e = {0};
        struct addrinfo *ai;

        snprintf(c.listen, sizeof(c.listen), "%s", address);
        snprintf(c.tls_cert, sizeof(c.tls_cert), "%s", cert);
        CHECK_INT(getaddrinfo(address, "0", &hints, &ai), 0);
        s.tcp_fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        CHECK_INT(bind(s.tcp_fd, ai->ai_addr, ai->ai_addrlen), 0);
        freeaddrinfo(ai);
        sockets_check_plain(&c, &s, &e);
        close(s.tcp_fd);
        return e.kind;
}

TEST(plain_http_is_for_the_loopback_unless_it_is_meant)
{
        struct sockets none = {-1, -1, -1};
        struct config c = {0};
        struct err e = {0};

        CHECK_INT(plain_on("127.0.0.1", "", false), ERR_NONE);
        CHECK_INT(plain_on("127.255.0.7", "", false), ERR_NONE);
        CHECK_INT(plain_on("0.0.0.0", "", false), ERR_INVALID);
        CHECK_INT(plain_on("0.0.0.0", "/cert.pem", false), ERR_NONE);
        CHECK_INT(plain_on("0.0.0.0", "", true), ERR_NONE);
        MUST(sockets_check_plain(&c, &none, &e));
}

TEST(of_ipv6_the_loopback_is_one_address)
{
        int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0)
                skip();
        close(fd);
        CHECK_INT(plain_on("::1", "", false), ERR_NONE);
        CHECK_INT(plain_on("::", "", false), ERR_INVALID);
}

TEST_MAIN("sockets")
