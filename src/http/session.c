/* SPDX-License-Identifier: MIT */
#include "http/session.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

void sessions_init(struct sessions *s, const char *instance, bool secure)
{
        size_t n;

        s->secure = secure;
        pthread_mutex_init(&s->lock, NULL);
        n = (size_t)snprintf(s->cookie, sizeof(s->cookie), "%screche_", secure ? "__Host-" : "");
        for (; *instance && n + 1 < sizeof(s->cookie); instance++)
                if (isalnum((unsigned char)*instance))
                        s->cookie[n++] = *instance;
}

void sessions_done(struct sessions *s)
{
        pthread_mutex_destroy(&s->lock);
}

/* ------------------------------------------------------------------------------------ the tables */

static int make_secret(char out[SESSION_SECRET_MAX], struct err *e)
{
        unsigned char bits[SESSION_SECRET_MAX / 2];

        if (gnutls_rnd(GNUTLS_RND_KEY, bits, sizeof(bits)) < 0)
                return err_set(e, ERR_INTERNAL, 0, "no random numbers");
        for (size_t i = 0; i < sizeof(bits); i++)
                snprintf(out + 2 * i, 3, "%02x", bits[i]);
        gnutls_memset(bits, 0, sizeof(bits));
        return 0;
}

static int hash_of(const char *secret, unsigned char out[SESSION_HASH_BYTES], struct err *e)
{
        if (gnutls_hash_fast(GNUTLS_DIG_SHA256, secret, strlen(secret), out) < 0)
                return err_set(e, ERR_INTERNAL, 0, "SHA-256 does not work");
        return 0;
}

/* What is over is forgotten before anybody looks. */
static void forget_old(struct session *all, size_t n, int64_t idle_us, int64_t now_us)
{
        for (size_t i = 0; i < n; i++)
                if (all[i].expires_us <= now_us || all[i].used_us + idle_us <= now_us)
                        all[i] = (struct session){0};
}

/* The lock is held. */
static struct session *find(struct session *all, size_t n, const unsigned char *hash)
{
        for (size_t i = 0; i < n; i++)
                if (all[i].expires_us && !gnutls_memcmp(all[i].hash, hash, SESSION_HASH_BYTES))
                        return &all[i];
        return NULL;
}

/* One that is free, else the one that was used least recently. */
static struct session *oldest(struct session *all, size_t n)
{
        struct session *found = all;

        for (size_t i = 0; i < n; i++)
                if (all[i].used_us < found->used_us)
                        found = &all[i];
        return found;
}

int sessions_offer(struct sessions *s, const struct caller *by, unsigned scopes, int64_t now_us,
                   char code[SESSION_SECRET_MAX], struct err *e)
{
        struct session new = {.expires_us = now_us + SESSION_CODE_US, .used_us = now_us, .caller = *by};
        struct session *to;

        if (scopes & ~by->scopes)
                return err_set(e, ERR_FORBIDDEN, 0, "%s cannot give a scope that it lacks", by->who);
        if (make_secret(code, e) < 0 || hash_of(code, new.hash, e) < 0)
                return -1;
        new.caller.scopes = scopes;
        /* Where the page is will be seen; here is who asked for the link. */
        new.caller.has_peer = false;
        *new.caller.address = '\0';
        snprintf(new.caller.who, sizeof(new.caller.who), "session of %.*s", (int)sizeof(new.caller.who) - 16,
                 by->who);
        pthread_mutex_lock(&s->lock);
        forget_old(s->codes, SESSION_CODES_MAX, SESSION_CODE_US, now_us);
        to = oldest(s->codes, SESSION_CODES_MAX);
        if (!to->expires_us)
                *to = new;
        else
                to = NULL;
        pthread_mutex_unlock(&s->lock);
        return to ? 0 : err_set(e, ERR_TOO_MANY, 0, "%d codes wait for being used", SESSION_CODES_MAX);
}

int sessions_begin(struct sessions *s, const char *code, int64_t now_us, char secret[SESSION_SECRET_MAX],
                   struct err *e)
{
        unsigned char hash[SESSION_HASH_BYTES];
        struct session new = {.expires_us = now_us + SESSION_LIFE_US, .used_us = now_us};
        struct session *c;
        bool known;

        if (hash_of(code, hash, e) < 0 || make_secret(secret, e) < 0 || hash_of(secret, new.hash, e) < 0)
                return -1;
        pthread_mutex_lock(&s->lock);
        forget_old(s->codes, SESSION_CODES_MAX, SESSION_CODE_US, now_us);
        forget_old(s->sessions, SESSIONS_MAX, SESSION_IDLE_US, now_us);
        c = find(s->codes, SESSION_CODES_MAX, hash);
        known = c != NULL;
        if (known) {
                new.caller = c->caller;
                *c = (struct session){0};
                *oldest(s->sessions, SESSIONS_MAX) = new;
        }
        pthread_mutex_unlock(&s->lock);
        return known ? 0
                     : err_set(e, ERR_UNAUTHENTICATED, 0,
                               "the code is unknown, has been used, or is older than a minute");
}

int sessions_find(struct sessions *s, const char *secret, int64_t now_us, struct caller *who,
                  int64_t *expires_us, struct err *e)
{
        unsigned char hash[SESSION_HASH_BYTES];
        struct session *found;

        if (hash_of(secret, hash, e) < 0)
                return -1;
        pthread_mutex_lock(&s->lock);
        forget_old(s->sessions, SESSIONS_MAX, SESSION_IDLE_US, now_us);
        found = find(s->sessions, SESSIONS_MAX, hash);
        if (found) {
                found->used_us = now_us;
                *who = found->caller;
                *expires_us = found->expires_us;
        }
        pthread_mutex_unlock(&s->lock);
        return found ? 0 : err_set(e, ERR_UNAUTHENTICATED, 0, "the session has ended");
}

void sessions_end(struct sessions *s, const char *secret)
{
        unsigned char hash[SESSION_HASH_BYTES];
        struct session *found;

        if (hash_of(secret, hash, NULL) < 0)
                return;
        pthread_mutex_lock(&s->lock);
        found = find(s->sessions, SESSIONS_MAX, hash);
        if (found)
                *found = (struct session){0};
        pthread_mutex_unlock(&s->lock);
}

/* ------------------------------------------------------------------------------------ the request */

static bool says(const struct head *h, enum header which, const char *value)
{
        const char *s = head_get(h, which);

        return s && h->headers[which].n == 1 && !strcasecmp(s, value);
}

int session_check_page(const struct head *h, struct err *e)
{
        bool reads = !strcmp(h->method, "GET") || !strcmp(h->method, "HEAD");

        if (says(h, HEADER_SEC_FETCH_SITE, "same-origin") && (reads || head_get(h, HEADER_ORIGIN)))
                return 0;
        if (says(h, HEADER_SEC_FETCH_SITE, "none") && says(h, HEADER_SEC_FETCH_MODE, "navigate") && reads)
                return 0;
        return err_set(e, ERR_CROSS_ORIGIN, 0,
                       "a session is for pages of this server: the request does not say that it is from one");
}

/* The value of the cookie at @s into @secret: 1 when it is ours, and could be a secret. */
static int take_cookie(const struct sessions *s, const char *cookie, size_t n,
                       char secret[SESSION_SECRET_MAX])
{
        size_t name_n = strlen(s->cookie);

        if (n <= name_n || memcmp(cookie, s->cookie, name_n) != 0 || cookie[name_n] != '=')
                return 0;
        cookie += name_n + 1;
        n -= name_n + 1;
        snprintf(secret, SESSION_SECRET_MAX, "%.*s", n < SESSION_SECRET_MAX ? (int)n : 0, cookie);
        return 1;
}

int session_secret(const struct sessions *s, const struct head *h, char secret[SESSION_SECRET_MAX],
                   struct err *e)
{
        const char *at = head_get(h, HEADER_COOKIE);
        int found = 0;

        if (!at || head_get(h, HEADER_AUTHORIZATION))
                return 0;
        for (size_t n; *at; at += n + (at[n] == ';')) {
                at += strspn(at, " \t");
                n = strcspn(at, ";");
                found += take_cookie(s, at, n, secret);
        }
        if (found > 1 || h->headers[HEADER_COOKIE].n > 1)
                return err_set(e, ERR_UNAUTHENTICATED, 0, "more than one cookie of a session");
        return found;
}

int session_caller(struct sessions *s, const struct head *h, struct caller *who, struct err *e)
{
        char secret[SESSION_SECRET_MAX];
        int64_t expires_us;
        int found = session_secret(s, h, secret, e);

        if (found <= 0)
                return found;
        if (session_check_page(h, e) < 0 ||
            sessions_find(s, secret, clock_boot_us(), who, &expires_us, e) < 0)
                return -1;
        return 1;
}

const char *session_set_cookie(const struct sessions *s, const char *secret, char out[SESSION_SET_COOKIE_MAX])
{
        snprintf(out, SESSION_SET_COOKIE_MAX, "%s=%s; Path=/; HttpOnly; SameSite=Strict%s%s", s->cookie,
                 secret, s->secure ? "; Secure" : "", *secret ? "" : "; Max-Age=0");
        return out;
}
