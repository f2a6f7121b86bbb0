/* SPDX-License-Identifier: MIT */
/* tests/fuzz/config.c: the command line and the environment of creched, and what creche-init hands over.
 *
 * Input: lines: "NAME=value" is a variable when the name is one that is read, anything else an argument. */
#include "fuzz.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <math.h>
#include <pwd.h>
#include <unistd.h>

#define printf(...) ((void)snprintf(NULL, 0, __VA_ARGS__)) /* --help */
#include "daemon/config.c"
#undef printf
#include "daemon/sockets.h"

enum { ARGS_MAX = 24 };

static const char *const variables[] = {"HOME",
                                        "XDG_STATE_HOME",
                                        "XDG_RUNTIME_DIR",
                                        "LISTEN_FDS",
                                        "LISTEN_FDNAMES",
                                        "CRECHE_STATE_DIR",
                                        "CRECHE_SOCKET",
                                        "CRECHE_LISTEN",
                                        "CRECHE_TLS_CERT",
                                        "CRECHE_TLS_KEY",
                                        "CRECHE_TLS_CLIENT_CA",
                                        "CRECHE_INSECURE_HTTP",
                                        "CRECHE_STOP_TIMEOUT",
                                        "CRECHE_LOG_BUDGET",
                                        "CRECHE_LOG_LEVEL",
                                        "CRECHE_USER",
                                        "CRECHE_POLICY",
                                        "CRECHE_HEADER_TIMEOUT",
                                        "CRECHE_BODY_TIMEOUT",
                                        "CRECHE_STREAM_TIMEOUT",
                                        "CRECHE_MAX_HEADER",
                                        "CRECHE_MAX_BODY",
                                        "CRECHE_MAX_BODIES",
                                        "CRECHE_MAX_CONNECTIONS",
                                        "CRECHE_MAX_PEER_CONNECTIONS",
                                        "CRECHE_MAX_PARKED",
                                        "CRECHE_MAX_CALLER_PARKED",
                                        "CRECHE_KEEP_ENDED",
                                        "CRECHE_KEEP_ENDED_COUNT",
                                        "CRECHE_KEEP_DANGLING",
                                        "CRECHE_KEEP_EVENTS",
                                        "CRECHE_KEEP_EVENTS_COUNT"};

enum { VARIABLES = sizeof(variables) / sizeof(variables[0]) };

static bool set_variable(char *line)
{
        char *eq = strchr(line, '=');

        for (int i = 0; eq && i < VARIABLES; i++)
                if (strlen(variables[i]) == (size_t)(eq - line) &&
                    !strncmp(variables[i], line, (size_t)(eq - line))) {
                        setenv(variables[i], eq + 1, 1);
                        return true;
                }
        return false;
}

static int read_lines(struct input *in, char *argv[ARGS_MAX + 2])
{
        int argc = 0;
        char *line;

        argv[argc++] = fuzz_text("creched", 7);
        while (argc <= ARGS_MAX && (line = input_line(in)))
                if (set_variable(line))
                        free(line);
                else
                        argv[argc++] = line;
        argv[argc] = NULL;
        return argc;
}

static void check_numbers(const struct config *c)
{
        for (int i = 0; i < SETTINGS; i++) {
                const int64_t *v = (const int64_t *)((const char *)c + settings[i].at);
                bool all = *v == 0 && (settings[i].is == A_COUNT || settings[i].is == AN_AGE);

                REQUIRE(settings[i].set || all || (*v >= settings[i].min && *v <= settings[i].max));
        }
}

static void check_config(const struct config *c)
{
        const char *colon = strrchr(c->listen, ':');

        REQUIRE(*c->state_dir == '/' && *c->socket_path == '/');
        REQUIRE(!strncmp(c->database, c->state_dir, strlen(c->state_dir)));
        REQUIRE(!strcmp(c->database + strlen(c->state_dir), "/registry.db"));
        REQUIRE(!*c->listen || (colon && colon > c->listen && isdigit((unsigned char)colon[1]) &&
                                strtol(colon + 1, NULL, 10) <= 65535));
        REQUIRE(c->stop_timeout_us >= -1 && c->log_budget >= 65536);
        REQUIRE((unsigned)c->log_level <= 3);
        REQUIRE(!*c->tls_cert == !*c->tls_key && (!*c->tls_client_ca || *c->tls_cert));
        check_numbers(c);
}

/* What was understood, said in options, is understood in the same way. */
static void check_again(const struct config *c)
{
        char budget[40], dir[PATH_MAX + 20], socket[PATH_MAX + 20], listen[300];
        char *argv[] = {(char *)"creched", dir, socket, listen, budget, NULL};
        static struct config again;
        struct err e = {0};

        snprintf(dir, sizeof(dir), "--state-dir=%s", c->state_dir);
        snprintf(socket, sizeof(socket), "--socket=%s", c->socket_path);
        snprintf(listen, sizeof(listen), "--listen=%s", *c->listen ? c->listen : "none");
        snprintf(budget, sizeof(budget), "--log-budget=%lld", (long long)c->log_budget);
        for (int i = 0; i < VARIABLES; i++)
                unsetenv(variables[i]);
        optind = 0;
        REQUIRE(config_read(5, argv, &again, &e) == 0);
        REQUIRE(!strcmp(again.state_dir, c->state_dir) && !strcmp(again.socket_path, c->socket_path));
        REQUIRE(!strcmp(again.listen, c->listen) && again.log_budget == c->log_budget);
}

/* Three files are there, as creche-init has them; whoever says otherwise is not it. */
static void check_sockets(void)
{
        struct sockets s = {77, 77, 77};
        struct err e = {0};

        for (int fd = 3; fd < 6; fd++)
                if (fcntl(fd, F_GETFD) < 0)
                        REQUIRE(dup2(STDERR_FILENO, fd) == fd);

        if (sockets_inherit(&s, &e) < 0) {
                fuzz_check_refusal(&e);
        } else {
                REQUIRE(s.lock >= 3 && s.unix_fd >= 3 && s.lock != s.unix_fd);
                REQUIRE(s.tcp_fd == -1 || s.tcp_fd >= 3);
                REQUIRE(fcntl(s.lock, F_GETFD) == FD_CLOEXEC && fcntl(s.unix_fd, F_GETFD) == FD_CLOEXEC);
                REQUIRE(s.tcp_fd == -1 || fcntl(s.tcp_fd, F_GETFD) == FD_CLOEXEC);
        }
        REQUIRE(!getenv("LISTEN_FDS") && !getenv("LISTEN_FDNAMES") && !getenv("LISTEN_PID"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct input in = {data, size};
        char *argv[ARGS_MAX + 2], *given[ARGS_MAX + 2];
        static struct config c;
        struct err e = {0};
        int argc, rc;

        for (int i = 0; i < VARIABLES; i++)
                unsetenv(variables[i]);
        argc = read_lines(&in, argv);
        memcpy(given, argv, sizeof(given)); /* getopt changes the order */
        optind = 0;
        rc = config_read(argc, argv, &c, &e);
        REQUIRE(rc >= -1 && rc <= 1);
        check_sockets();
        if (rc < 0) {
                fuzz_check_refusal(&e);
        } else if (rc == 0) {
                check_config(&c);
                check_again(&c);
        }
        for (int i = 0; i < argc; i++)
                free(given[i]);
        return 0;
}
