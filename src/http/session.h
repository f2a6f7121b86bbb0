/* SPDX-License-Identifier: MIT */
/* http/session.h
 * Sessions: how a page in a browser may call without a token that somebody has to paste into it.
 *
 * An operator asks for a code. It stands in the fragment of a link, which a browser sends to nobody; a script of ours
 * exchanges it, once and soon, for a cookie that no script can read. The cookie stands for who asked for the code, with
 * the scopes that he gave it. Of both only the SHA-256 is kept, in memory: a new creched knows no session.
 *
 * Cookies are sent by browsers, whoever wrote the page, and to every port of a host. So one is believed with evidence
 * only: the browser says that a page of ours sends the request, or that the user typed the address. Its name has the
 * instance in it, so that two servers on one host do not take each other's away.
 *
 * Times are those of clock_boot_us(): a machine that sleeps does not make a session last longer.
 *
 * Threads: any.
 */
#ifndef CRECHE_HTTP_SESSION_H
#define CRECHE_HTTP_SESSION_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "transport/guard.h"
#include "model/caller.h"

enum {
        SESSION_HASH_BYTES = 32,
        SESSION_SECRET_MAX = 2 * 32 + 1, /* 256 random bits as hexadecimal */
        SESSION_COOKIE_MAX = 64,
        SESSION_CODES_MAX = 32, /* that wait for being exchanged */
        SESSIONS_MAX = 64,
};

#define SESSION_CODE_US (60 * CLOCK_US_PER_S)
#define SESSION_IDLE_US (INT64_C(3600) * CLOCK_US_PER_S)
#define SESSION_LIFE_US (12 * INT64_C(3600) * CLOCK_US_PER_S)

/* A code or a session. */
struct session {
        unsigned char hash[SESSION_HASH_BYTES];
        int64_t expires_us; /* 0: there is none here */
        int64_t used_us;
        struct caller caller;
};

struct sessions {
        pthread_mutex_t lock;
        bool secure;
        char cookie[SESSION_COOKIE_MAX]; /* its name */
        struct session codes[SESSION_CODES_MAX], sessions[SESSIONS_MAX];
};

/** @s: all zero, and not written to where nobody has a session yet: so its tables take no memory. @instance: what tells this
 * server from others on the host. @secure: it is reached by TLS. */
void sessions_init(struct sessions *s, const char *instance, bool secure);
void sessions_done(struct sessions *s);

/** A new code for a session of @by with @scopes, into @code. ERR_FORBIDDEN: @by has not all of them; ERR_TOO_MANY: too
 * many codes wait; ERR_INTERNAL: no random numbers. */
int sessions_offer(struct sessions *s, const struct caller *by, unsigned scopes, int64_t now_us,
                   char code[SESSION_SECRET_MAX], struct err *e);

/** Begin the session that @code is for; what the cookie shall hold into @secret. When there are SESSIONS_MAX already,
 * the one ends that was used least recently. ERR_UNAUTHENTICATED: the code is unknown, was used, or is too old. */
int sessions_begin(struct sessions *s, const char *code, int64_t now_us, char secret[SESSION_SECRET_MAX],
                   struct err *e);

/** Who @secret stands for, and until when. That counts as a use. ERR_UNAUTHENTICATED. */
int sessions_find(struct sessions *s, const char *secret, int64_t now_us, struct caller *who,
                  int64_t *expires_us, struct err *e);

/** End the session; nothing when there is none. */
void sessions_end(struct sessions *s, const char *secret);

/** Whether a browser says that @h comes from a page of ours, or by an address that the user typed. guard_check() has
 * seen to it that an Origin is ours. ERR_CROSS_ORIGIN. */
int session_check_page(const struct head *h, struct err *e);

/** What the cookie of @h holds, into @secret. Returns 1; 0: there is none, or an Authorization, which goes first;
 * -1: ERR_UNAUTHENTICATED, there are two, and one may have been planted. */
int session_secret(const struct sessions *s, const struct head *h, char secret[SESSION_SECRET_MAX],
                   struct err *e);

/** Who sent @h, by its cookie. Returns 1; 0: there is none; -1: ERR_UNAUTHENTICATED, ERR_CROSS_ORIGIN. */
int session_caller(struct sessions *s, const struct head *h, struct caller *who, struct err *e);

/** The Set-Cookie for @secret, "" to forget it, into @out. */
enum { SESSION_SET_COOKIE_MAX = SESSION_COOKIE_MAX + SESSION_SECRET_MAX + 80 };
const char *session_set_cookie(const struct sessions *s, const char *secret,
                               char out[SESSION_SET_COOKIE_MAX]);

#endif
