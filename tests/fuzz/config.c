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
#include "base/clock.h"
#include "daemon/sockets.h"

enum { ARGS_MAX = 24 };

static const char *const places_of_others[] = {"HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "LISTEN_FDS",
                                               "LISTEN_FDNAMES"};

enum {
        OTHERS = sizeof(places_of_others) / sizeof(places_of_others[0]),
        VARIABLES = OTHERS + CRECHED_SETTINGS
};

static const char *variable_name(int i, char room[VARIABLE_MAX])
{
        if (i < OTHERS)
                return places_of_others[i];
        setting_variable(&setting_lists[SECTION_CRECHED].settings[i - OTHERS], room);
        return room;
}

static void unset_variables(void)
{
        char room[VARIABLE_MAX];

        for (int i = 0; i < VARIABLES; i++)
                unsetenv(variable_name(i, room));
}

static bool set_variable(char *line)
{
        size_t n = strcspn(line, "=");
        char room[VARIABLE_MAX];

        for (int i = 0; line[n] && i < VARIABLES; i++) {
                const char *name = variable_name(i, room);

                if (strlen(name) == n && !strncmp(name, line, n)) {
                        setenv(name, line + n + 1, 1);
                        return true;
                }
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

static void check_number(const struct setting *s, int64_t v)
{
        bool in_us = s->kind == SETTING_TIME || s->kind == SETTING_AGE;
        bool all = v == 0 && (s->kind == SETTING_COUNT || s->kind == SETTING_AGE);
        int64_t unit = in_us ? CLOCK_US_PER_S : 1;

        REQUIRE(all || (v >= s->min * unit && v / unit <= s->max));
        REQUIRE(s->kind != SETTING_TIME || v >= 10000);
}

static void check_numbers(const struct config *c)
{
        for (int i = 0; i < CRECHED_SETTINGS; i++) {
                const struct setting *s = &setting_lists[SECTION_CRECHED].settings[i];

                if (s->kind == SETTING_NUMBER || s->kind == SETTING_TIME || s->kind == SETTING_COUNT ||
                    s->kind == SETTING_AGE)
                        check_number(s, *(const int64_t *)((const char *)c + places[i]));
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
        unset_variables();
        optind = 0;
        REQUIRE(config_read(5, argv, false, &again, &e) == 0);
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

        unset_variables();
        argc = read_lines(&in, argv);
        memcpy(given, argv, sizeof(given)); /* getopt changes the order */
        optind = 0;
        rc = config_read(argc, argv, false, &c, &e);
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
