/* SPDX-License-Identifier: MIT */
#include "daemon/config.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/paths.h"

/* One row per setting: everything that is said about it stands here. */
struct setting {
        const char *option, *variable, *value, *help;
        int (*set)(struct config *c, const char *text);
        /* Without ->set: a number of struct config, there and within these bounds; times in microseconds. */
        size_t at;
        int64_t min, max;
        enum { A_NUMBER, A_TIME, A_COUNT, AN_AGE } is; /* a count: of what is kept, or "all" */
};

static int set_path(char out[PATH_MAX], const char *text)
{
        char cwd[PATH_MAX] = "";
        int n;

        if (!*text || (*text != '/' && !getcwd(cwd, sizeof(cwd))))
                return -1;
        n = snprintf(out, PATH_MAX, "%s%s%s", *text == '/' ? "" : cwd, *text == '/' ? "" : "/", text);
        return n < PATH_MAX ? 0 : -1;
}

static int set_state_dir(struct config *c, const char *text)
{
        return set_path(c->state_dir, text);
}

static int set_socket(struct config *c, const char *text)
{
        return set_path(c->socket_path, text);
}

/* HOST:PORT or [HOST]:PORT, with a port in decimal. */
static bool is_address(const char *text)
{
        const char *colon = strrchr(text, ':');
        size_t digits = colon ? strspn(colon + 1, "0123456789") : 0;

        if (!colon || colon == text || digits < 1 || digits > 5 || colon[1 + digits] ||
            atoi(colon + 1) > 65535)
                return false;
        if (*text == '[')
                return colon[-1] == ']' && colon - text > 2;
        return !memchr(text, ':', (size_t)(colon - text));
}

static int set_listen(struct config *c, const char *text)
{
        if (!strcmp(text, "none"))
                text = "";
        else if (!is_address(text) || strlen(text) >= sizeof(c->listen))
                return -1;
        snprintf(c->listen, sizeof(c->listen), "%s", text);
        return 0;
}

static int set_tls_cert(struct config *c, const char *text)
{
        return set_path(c->tls_cert, text);
}

static int set_tls_key(struct config *c, const char *text)
{
        return set_path(c->tls_key, text);
}

static int set_tls_client_ca(struct config *c, const char *text)
{
        return set_path(c->tls_client_ca, text);
}

static int set_insecure_http(struct config *c, const char *text)
{
        c->insecure_http = !strcmp(text, "yes");
        return c->insecure_http || !strcmp(text, "no") ? 0 : -1;
}

static int set_stop_timeout(struct config *c, const char *text)
{
        char *end;
        double s = strtod(text, &end);

        if (!strcmp(text, "none")) {
                c->stop_timeout_us = -1;
                return 0;
        }
        if (end == text || *end || !isfinite(s) || s < 0 || s > 1e9)
                return -1;
        c->stop_timeout_us = (int64_t)(s * CLOCK_US_PER_S);
        return 0;
}

static int set_log_budget(struct config *c, const char *text)
{
        char *end;
        long long v;

        errno = 0;
        v = strtoll(text, &end, 10);
        if (!isdigit((unsigned char)*text) || *end || errno || v < 65536)
                return -1;
        c->log_budget = v;
        return 0;
}

static int set_log_level(struct config *c, const char *text)
{
        static const char *const names[] = {"error", "warn", "info", "debug"};

        for (int i = 0; i < 4; i++)
                if (!strcmp(text, names[i])) {
                        c->log_level = (enum log_level)i;
                        return 0;
                }
        return -1;
}

static int set_user(struct config *c, const char *text)
{
        if (!*text || strlen(text) >= sizeof(c->user))
                return -1;
        snprintf(c->user, sizeof(c->user), "%s", text);
        return 0;
}

static int set_policy(struct config *c, const char *text)
{
        c->policy_given = true;
        return set_path(c->policy, text);
}

static int set_number(int64_t *out, const struct setting *s, const char *text)
{
        char *end;
        long long v;

        errno = 0;
        v = strtoll(text, &end, 10);
        if (!isdigit((unsigned char)*text) || *end || errno || v < s->min || v > s->max)
                return -1;
        *out = v;
        return 0;
}

static int set_time(int64_t *out, const struct setting *s, const char *text)
{
        char *end;
        double v = strtod(text, &end) * CLOCK_US_PER_S;

        if (!isdigit((unsigned char)*text) || *end || !isfinite(v) || v < (double)s->min ||
            v > (double)s->max)
                return -1;
        *out = (int64_t)v;
        return 0;
}

static int set_count(int64_t *out, const struct setting *s, const char *text)
{
        if (strcmp(text, "all") != 0)
                return set_number(out, s, text);
        *out = 0;
        return 0;
}

/* "90d", "12h"; without a unit seconds. */
static int set_age(int64_t *out, const struct setting *s, const char *text)
{
        static const struct {
                char name;
                int64_t seconds;
        } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
        size_t digits = strspn(text, "0123456789");
        int64_t seconds = 0;

        *out = 0;
        if (!strcmp(text, "forever"))
                return 0;
        for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
                if ((text[digits] == units[i].name && !text[digits + 1]) || (i == 0 && !text[digits]))
                        seconds = units[i].seconds;
        if (!digits || digits > 10 || !seconds)
                return -1;
        seconds *= strtoll(text, NULL, 10);
        if (seconds < s->min / CLOCK_US_PER_S || seconds > s->max / CLOCK_US_PER_S)
                return -1;
        *out = seconds * CLOCK_US_PER_S;
        return 0;
}

static int set_member(struct config *c, const struct setting *s, const char *text)
{
        int64_t *out = (int64_t *)((char *)c + s->at);

        switch (s->is) {
        case A_NUMBER: return set_number(out, s, text);
        case A_TIME: return set_time(out, s, text);
        case A_COUNT: return set_count(out, s, text);
        case AN_AGE: return set_age(out, s, text);
        }
        return -1;
}

#define LIMIT(name, ...)     .at = offsetof(struct config, limits.name), __VA_ARGS__
#define KEEP(name, ...)      .at = offsetof(struct config, keep.name), __VA_ARGS__
#define BETWEEN(least, most) .min = (least), .max = (most)
#define DAY_US               (86400 * CLOCK_US_PER_S)
#define TIME                 BETWEEN(10000, DAY_US), .is = A_TIME
#define AGE                  BETWEEN(CLOCK_US_PER_S, 100 * 366 * DAY_US), .is = AN_AGE
#define COUNT                BETWEEN(1, INT64_C(1) << 40), .is = A_COUNT

static const struct setting settings[] = {
        {"state-dir", "CRECHE_STATE_DIR", "DIR", "database, logs, token (root: /var/lib/creche)",
         .set = set_state_dir},
        {"socket", "CRECHE_SOCKET", "PATH", "unix socket (root: /run/creche/creche.sock)", .set = set_socket},
        {"listen", "CRECHE_LISTEN", "HOST:PORT|none", "TCP address (127.0.0.1:7117)", .set = set_listen},
        {"tls-cert", "CRECHE_TLS_CERT", "FILE", "serve TCP by TLS: the certificate, and its chain, in PEM",
         .set = set_tls_cert},
        {"tls-key", "CRECHE_TLS_KEY", "FILE", "... its key in PEM, to which others have no access",
         .set = set_tls_key},
        {"tls-client-ca", "CRECHE_TLS_CLIENT_CA", "FILE",
         "... only for clients with a certificate that one of these (PEM) has signed",
         .set = set_tls_client_ca},
        {"insecure-http", "CRECHE_INSECURE_HTTP", "yes|no",
         "plain HTTP on an address that others reach, where something else encrypts (no)",
         .set = set_insecure_http},
        {"user", "CRECHE_USER", "NAME|none", "started by root: serve as this user (creche, if there is one)",
         .set = set_user},
        {"policy", "CRECHE_POLICY", "PATH", "... who may run processes as others (/etc/creche/policy.json)",
         .set = set_policy},
        {"stop-timeout", "CRECHE_STOP_TIMEOUT", "SECONDS|none",
         "when stopping, kill what has not ended by then (none)", .set = set_stop_timeout},
        {"log-budget", "CRECHE_LOG_BUDGET", "BYTES",
         "disk for each output stream of a process, at least 65536 (67108864)", .set = set_log_budget},
        {"log-level", "CRECHE_LOG_LEVEL", "error|warn|info|debug", "what is told on stderr (info)",
         .set = set_log_level},
        {"header-timeout", "CRECHE_HEADER_TIMEOUT", "SECONDS", "for the head of a request (10)",
         LIMIT(head_us, TIME)},
        {"body-timeout", "CRECHE_BODY_TIMEOUT", "SECONDS", "for the body of a request (30)",
         LIMIT(body_us, TIME)},
        {"stream-timeout", "CRECHE_STREAM_TIMEOUT", "SECONDS",
         "without a byte of what is streamed to the stdin of a process (3600)", LIMIT(stream_us, TIME)},
        {"max-header", "CRECHE_MAX_HEADER", "BYTES", "of the head of a request, 1024 to 1048576 (16384)",
         LIMIT(head_bytes, BETWEEN(1024, 1 << 20))},
        {"max-body", "CRECHE_MAX_BODY", "BYTES", "of a JSON body, 1024 to 262144 (262144)",
         LIMIT(body_bytes, BETWEEN(1024, LIMITS_BODY_MAX))},
        {"max-bodies", "CRECHE_MAX_BODIES", "BYTES",
         "of all bodies that come in, and of large answers that go out; a quarter is for operators "
         "(67108864)",
         LIMIT(bodies_bytes, BETWEEN(1024, INT64_C(1) << 40))},
        {"max-connections", "CRECHE_MAX_CONNECTIONS", "N",
         "of each listener, 16 to 524288; open files may set a lower bound (32768)",
         LIMIT(connections, BETWEEN(16, 524288))},
        {"max-peer-connections", "CRECHE_MAX_PEER_CONNECTIONS", "N",
         "of one address, or of one other user on the unix socket (16384)",
         LIMIT(peer_connections, BETWEEN(1, 524288))},
        {"max-parked", "CRECHE_MAX_PARKED", "N",
         "requests that wait for an exit, output, events or more of a stdin; at most 3/4 of "
         "--max-connections (16384)",
         LIMIT(parked, BETWEEN(1, 524288))},
        {"max-caller-parked", "CRECHE_MAX_CALLER_PARKED", "N", "the same, of one caller (12288)",
         LIMIT(caller_parked, BETWEEN(1, 524288))},
        {"keep-ended", "CRECHE_KEEP_ENDED", "AGE|forever",
         "processes that have ended and were joined, or were closed: 30d, 12h, 90m, 60s (forever)",
         KEEP(ended_us, AGE)},
        {"keep-ended-count", "CRECHE_KEEP_ENDED_COUNT", "N|all", "... and so many of them, the newest (all)",
         KEEP(ended_count, COUNT)},
        {"keep-dangling", "CRECHE_KEEP_DANGLING", "AGE|forever",
         "processes that have ended and that nobody joined or closed (forever)", KEEP(dangling_us, AGE)},
        {"keep-events", "CRECHE_KEEP_EVENTS", "AGE|forever", "what GET /v1/events tells (forever)",
         KEEP(events_us, AGE)},
        {"keep-events-count", "CRECHE_KEEP_EVENTS_COUNT", "N|all", "... and so many events, the newest (all)",
         KEEP(events_count, COUNT)},
};

enum { SETTINGS = sizeof(settings) / sizeof(settings[0]), OPT_HELP = 'h', OPT_VERSION = 'V' };

static void print_help(void)
{
        printf("usage: creched [OPTION]...\n\n"
               "The durable process registry: serves the REST API on a unix socket and on TCP.\n"
               "Runs in the foreground, under creche-init.\n\n");
        for (int i = 0; i < SETTINGS; i++) {
                char left[64];

                snprintf(left, sizeof(left), "--%s %s", settings[i].option, settings[i].value);
                printf("  %-36s %s\n  %-36s [%s]\n", left, settings[i].help, "", settings[i].variable);
        }
        printf("  %-36s %s\n  %-36s %s\n", "-h, --help", "this text", "--version", "the version");
}

static void set_defaults(struct config *c)
{
        *c = (struct config){.stop_timeout_us = -1,
                             .log_budget = INT64_C(64) << 20,
                             .log_level = LOG_INFO,
                             .limits = LIMITS_DEFAULT};
        snprintf(c->listen, sizeof(c->listen), "127.0.0.1:7117");
        snprintf(c->policy, sizeof(c->policy), "/etc/creche/policy.json");
        paths_state(c->state_dir);
        paths_socket(c->socket_path);
}

static int set(struct config *c, const struct setting *s, const char *text, const char *origin, struct err *e)
{
        if ((s->set ? s->set(c, text) : set_member(c, s, text)) < 0)
                return err_set(e, ERR_INVALID, 0, "%s: not a %s: '%s'", origin, s->value, text);
        return 0;
}

static int read_variables(struct config *c, struct err *e)
{
        for (int i = 0; i < SETTINGS; i++) {
                const char *text = getenv(settings[i].variable);

                if (text && set(c, &settings[i], text, settings[i].variable, e) < 0)
                        return -1;
        }
        return 0;
}

static int read_options(int argc, char **argv, struct config *c, struct err *e)
{
        struct option options[SETTINGS + 3] = {{0}};
        int opt, index = 0;

        for (int i = 0; i < SETTINGS; i++)
                options[i] = (struct option){settings[i].option, required_argument, NULL, 0};
        options[SETTINGS] = (struct option){"help", no_argument, NULL, OPT_HELP};
        options[SETTINGS + 1] = (struct option){"version", no_argument, NULL, OPT_VERSION};

        opterr = 0;
        while ((opt = getopt_long(argc, argv, "h", options, &index)) != -1) {
                if (opt == OPT_HELP) {
                        print_help();
                        return 1;
                }
                if (opt == OPT_VERSION) {
                        printf("creched %s\n", CRECHE_VERSION);
                        return 1;
                }
                if (opt == '?')
                        return err_set(e, ERR_INVALID, 0, "unknown option, or one without its value: '%s'",
                                       argv[optind - 1]);
                if (set(c, &settings[index], optarg, settings[index].option, e) < 0)
                        return -1;
        }
        if (optind < argc)
                return err_set(e, ERR_INVALID, 0, "'%s' is no option", argv[optind]);
        return 0;
}

static int check_tls(const struct config *c, struct err *e)
{
        if (!*c->tls_cert != !*c->tls_key)
                return err_set(e, ERR_INVALID, 0, "%s: tls-cert and tls-key go together",
                               *c->tls_cert ? "no tls-key" : "no tls-cert");
        if (*c->tls_client_ca && !*c->tls_cert)
                return err_set(e, ERR_INVALID, 0, "tls-client-ca goes with tls-cert and tls-key");
        return 0;
}

int config_read(int argc, char **argv, struct config *c, struct err *e)
{
        int rc;

        set_defaults(c);
        if (read_variables(c, e) < 0)
                return -1;
        rc = read_options(argc, argv, c, e);
        if (rc)
                return rc;
        if (!*c->state_dir)
                return err_set(e, ERR_INVALID, 0, "no HOME, and no home in passwd: say --state-dir");
        if (snprintf(c->database, PATH_MAX, "%s/registry.db", c->state_dir) >= PATH_MAX)
                return err_set(e, ERR_INVALID, 0, "state-dir: the path is too long");
        return check_tls(c, e);
}
