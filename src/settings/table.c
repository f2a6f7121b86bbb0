/* SPDX-License-Identifier: MIT */
/* The tables, in the order of the help: everything that is said about a setting stands here. */
#include "settings/setting.h"

#include "base/paths.h"

#define SETTING(n, v, k, h, ...)                                                                             \
        {                                                                                                    \
                .name = n, .value = v, .kind = k, .help = h, __VA_ARGS__                                     \
        }
#define BETWEEN(least, most) .min = (least), .max = (most)
#define DAY_S                INT64_C(86400)
#define TIME(n, h, ...)      SETTING(n, "SECONDS", SETTING_TIME, h, .max = DAY_S, __VA_ARGS__)
#define BYTES(n, h, ...)     SETTING(n, "BYTES", SETTING_NUMBER, h, __VA_ARGS__)
#define REQUESTS(n, h, ...)  SETTING(n, "N", SETTING_NUMBER, h, __VA_ARGS__)
#define AGE(n, h)                                                                                            \
        SETTING(n, "AGE|forever", SETTING_AGE, h, .fallback = "forever", BETWEEN(1, 100 * 366 * DAY_S))
#define KEPT(n, h) SETTING(n, "N|all", SETTING_COUNT, h, .fallback = "all", BETWEEN(1, INT64_C(1) << 40))

static const struct setting creche[CRECHE_SETTINGS] = {
        [CRECHE_SOCKET] = SETTING("socket", "PATH", SETTING_PATH, "the daemon's unix socket",
                                  .find = paths_socket, .otherwise = "where creched makes it"),
        [CRECHE_URL] = SETTING("url", "URL", SETTING_URL, "its address, to ask by TCP"),
        [CRECHE_TOKEN] = SETTING("token", "TOKEN", SETTING_SECRET,
                                 "what to say who we are with; better in the variable: ps shows options"),
        [CRECHE_TOKEN_FILE] = SETTING("token-file", "FILE", SETTING_PATH, "the file that holds the token"),
        [CRECHE_OUTPUT] = SETTING("output", "table|wide|json|jsonl|csv|name", SETTING_WORD,
                                  "how lists are shown without -o", .fallback = "table"),
        [CRECHE_COLOR] = SETTING("color", "auto|always|never", SETTING_WORD,
                                 "colours; auto: on a terminal, unless NO_COLOR is set", .fallback = "auto"),
        [CRECHE_VERBOSE] =
                SETTING("verbose", NULL, SETTING_SWITCH, "show each request as a curl command, on stderr",
                        .letter = 'v', .fallback = "no"),
};

static const struct setting creched[CRECHED_SETTINGS] = {
        [CRECHED_STATE_DIR] = SETTING("state-dir", "DIR", SETTING_PATH, "database, logs, token",
                                      .find = paths_state, .otherwise = "root: " PATHS_SYSTEM_STATE),
        [CRECHED_SOCKET] = SETTING("socket", "PATH", SETTING_PATH, "unix socket", .find = paths_socket,
                                   .otherwise = "root: " PATHS_SYSTEM_SOCKET),
        [CRECHED_LISTEN] = SETTING("listen", "HOST:PORT|none", SETTING_ADDRESS, "TCP address",
                                   .fallback = "127.0.0.1:7117"),
        [CRECHED_TLS_CERT] = SETTING("tls-cert", "FILE", SETTING_PATH,
                                     "serve TCP by TLS: the certificate, and its chain, in PEM"),
        [CRECHED_TLS_KEY] = SETTING("tls-key", "FILE", SETTING_PATH,
                                    "... its key in PEM, to which others have no access"),
        [CRECHED_TLS_CLIENT_CA] =
                SETTING("tls-client-ca", "FILE", SETTING_PATH,
                        "... only for clients with a certificate that one of these (PEM) has signed"),
        [CRECHED_INSECURE_HTTP] =
                SETTING("insecure-http", "yes|no", SETTING_YES,
                        "plain HTTP on an address that others reach, where something else encrypts",
                        .fallback = "no"),
        [CRECHED_USER] = SETTING("user", "NAME|none", SETTING_NAME, "started by root: serve as this user",
                                 .otherwise = "creche, if there is one"),
        [CRECHED_POLICY] = SETTING("policy", "PATH", SETTING_PATH, "... who may run processes as others",
                                   .fallback = "/etc/creche/policy.json"),
        [CRECHED_STOP_TIMEOUT] = SETTING("stop-timeout", "SECONDS|none", SETTING_LIMIT,
                                         "when stopping, kill what has not ended by then", .fallback = "none",
                                         .max = 1000000000),
        [CRECHED_LOG_BUDGET] = BYTES("log-budget", "disk for each output stream of a process, at least 65536",
                                     .fallback = "67108864", BETWEEN(65536, INT64_MAX)),
        [CRECHED_LOG_LEVEL] = SETTING("log-level", "error|warn|info|debug", SETTING_WORD,
                                      "what is told on stderr", .fallback = "info"),
        [CRECHED_HEADER_TIMEOUT] = TIME("header-timeout", "for the head of a request", .fallback = "10"),
        [CRECHED_BODY_TIMEOUT] = TIME("body-timeout", "for the body of a request", .fallback = "30"),
        [CRECHED_STREAM_TIMEOUT] =
                TIME("stream-timeout", "without a byte of what is streamed to the stdin of a process",
                     .fallback = "3600"),
        [CRECHED_MAX_HEADER] = BYTES("max-header", "of the head of a request, 1024 to 1048576",
                                     .fallback = "16384", BETWEEN(1024, 1 << 20)),
        [CRECHED_MAX_BODY] = BYTES("max-body", "of a JSON body, 1024 to 262144", .fallback = "262144",
                                   BETWEEN(1024, 1 << 18)),
        [CRECHED_MAX_BODIES] = BYTES(
                "max-bodies",
                "of all bodies that come in, and of large answers that go out; a quarter is for operators",
                .fallback = "67108864", BETWEEN(1024, INT64_C(1) << 40)),
        [CRECHED_MAX_CONNECTIONS] = REQUESTS(
                "max-connections", "of each listener, 16 to 524288; open files may set a lower bound",
                .fallback = "32768", BETWEEN(16, 524288)),
        [CRECHED_MAX_PEER_CONNECTIONS] =
                REQUESTS("max-peer-connections", "of one address, or of one other user on the unix socket",
                         .fallback = "16384", BETWEEN(1, 524288)),
        [CRECHED_MAX_PARKED] = REQUESTS("max-parked",
                                        "requests that wait for an exit, output, events or more of a stdin; "
                                        "at most 3/4 of --max-connections",
                                        .fallback = "16384", BETWEEN(1, 524288)),
        [CRECHED_MAX_CALLER_PARKED] = REQUESTS("max-caller-parked", "the same, of one caller",
                                               .fallback = "12288", BETWEEN(1, 524288)),
        [CRECHED_KEEP_ENDED] =
                AGE("keep-ended",
                    "processes that have ended and were joined, or were closed: 30d, 12h, 90m, 60s"),
        [CRECHED_KEEP_ENDED_COUNT] = KEPT("keep-ended-count", "... and so many of them, the newest"),
        [CRECHED_KEEP_DANGLING] =
                AGE("keep-dangling", "processes that have ended and that nobody joined or closed"),
        [CRECHED_KEEP_EVENTS] = AGE("keep-events", "what GET /v1/events tells"),
        [CRECHED_KEEP_EVENTS_COUNT] = KEPT("keep-events-count", "... and so many events, the newest"),
};

const struct setting_list setting_lists[SECTIONS] = {
        [SECTION_CRECHE] = {"creche", creche, CRECHE_SETTINGS},
        [SECTION_CRECHED] = {"creched", creched, CRECHED_SETTINGS},
};
