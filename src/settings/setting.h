/* SPDX-License-Identifier: MIT */
/* settings/setting.h
 * What can be set of creche and of creched: one table for each, from which come options, CRECHE_* variables, the keys of
 * creche.ini, what --help tells, `creche config` and the manual pages.
 *
 * The variable of "state-dir" is CRECHE_STATE_DIR, its option --state-dir, its key in the file state-dir.
 *
 * Threads: any.
 */
#ifndef CRECHE_SETTINGS_SETTING_H
#define CRECHE_SETTINGS_SETTING_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"

enum setting_kind {
        SETTING_PATH,
        SETTING_ADDRESS, /* HOST:PORT, [HOST]:PORT, or none */
        SETTING_URL,
        SETTING_NAME,   /* of an account */
        SETTING_SECRET, /* in no file, and never shown */
        SETTING_WORD,   /* one of ->value, "a|b|c": its number */
        SETTING_YES,    /* yes or no: 1 or 0 */
        SETTING_SWITCH, /* the same; its option has no value, and means yes */
        SETTING_NUMBER,
        SETTING_TIME,  /* told in seconds; microseconds */
        SETTING_LIMIT, /* the same, or none: -1 */
        SETTING_COUNT, /* of what is kept, or all: 0 */
        SETTING_AGE,   /* told with a unit; microseconds; or forever: 0 */
};

struct setting {
        const char *name, *value, *help;
        enum setting_kind kind;
        char letter; /* 0: none */
        /* The default, as one would say it; NULL: none, or ->find tells it. */
        const char *fallback;
        void (*find)(char out[PATH_MAX]);
        const char *otherwise; /* what to tell of the default where ->fallback does not */
        int64_t min, max;      /* of numbers and times, in what they are told in; of ages, in seconds */
};

/* The sections of creche.ini: a program each. */
enum section { SECTION_CRECHE, SECTION_CRECHED, SECTIONS };

enum creche_setting {
        CRECHE_SOCKET,
        CRECHE_URL,
        CRECHE_TOKEN,
        CRECHE_TOKEN_FILE,
        CRECHE_OUTPUT,
        CRECHE_COLOR,
        CRECHE_VERBOSE,
        CRECHE_SETTINGS,
};

enum creched_setting {
        CRECHED_STATE_DIR,
        CRECHED_SOCKET,
        CRECHED_LISTEN,
        CRECHED_TLS_CERT,
        CRECHED_TLS_KEY,
        CRECHED_TLS_CLIENT_CA,
        CRECHED_INSECURE_HTTP,
        CRECHED_USER,
        CRECHED_POLICY,
        CRECHED_STOP_TIMEOUT,
        CRECHED_LOG_BUDGET,
        CRECHED_LOG_LEVEL,
        CRECHED_HEADER_TIMEOUT,
        CRECHED_BODY_TIMEOUT,
        CRECHED_STREAM_TIMEOUT,
        CRECHED_MAX_HEADER,
        CRECHED_MAX_BODY,
        CRECHED_MAX_BODIES,
        CRECHED_MAX_CONNECTIONS,
        CRECHED_MAX_PEER_CONNECTIONS,
        CRECHED_MAX_PARKED,
        CRECHED_MAX_CALLER_PARKED,
        CRECHED_KEEP_ENDED,
        CRECHED_KEEP_ENDED_COUNT,
        CRECHED_KEEP_DANGLING,
        CRECHED_KEEP_EVENTS,
        CRECHED_KEEP_EVENTS_COUNT,
        CRECHED_SETTINGS,
};

/* Bytes, the NUL included. */
enum { SETTING_ADDRESS_MAX = 256, SETTING_URL_MAX = 500, SETTING_NAME_MAX = 64, SETTING_SECRET_MAX = 128 };

enum { SETTINGS_MAX = CRECHED_SETTINGS, VARIABLE_MAX = 48 };

struct setting_list {
        const char *name; /* of the program, and of the section */
        const struct setting *settings;
        int n;
};

/* By enum section. */
extern const struct setting_list setting_lists[SECTIONS];

/** The one that is called so; -1: there is none. */
int setting_find(enum section section, const char *name);

/** What a value of it is called: "HOST:PORT|none". */
const char *setting_value(const struct setting *s);

/** The name of its variable. */
void setting_variable(const struct setting *s, char out[VARIABLE_MAX]);

/** "(127.0.0.1:7117)" behind a blank, or nothing: what --help and manuals tell of the default. */
void setting_add_default(const struct setting *s, struct strbuf *out);

/** Whether @text is a value of it. 0, or -1 with @e set, ERR_INVALID: "@where: not a HOST:PORT|none: '...'". */
int setting_check(const struct setting *s, const char *text, const char *where, struct err *e);

/** The value of what is not one of PATH, ADDRESS, URL, NAME and SECRET. 0, or -1: it has no such value. */
int setting_number(const struct setting *s, const char *text, int64_t *out);

/** A path, made absolute. 0, or -1: too long, empty, or there is no directory to begin from. */
int setting_path(const char *text, char out[PATH_MAX]);

#endif
