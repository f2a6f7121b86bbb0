/* SPDX-License-Identifier: MIT */
/* Sessions of pages: a code for an operator, a cookie for the code, and its end. */
#include "http/handle.h"

#include <stdio.h>
#include <string.h>

#include <gnutls/gnutls.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "http/reply.h"

/* What a page may be given. Not `admin`: what it handed out would outlive the session. */
enum {
        SESSION_SCOPES_DEFAULT = SCOPE_READ | SCOPE_LOGS,
        SESSION_SCOPES_ALLOWED = SCOPE_ALL & ~SCOPE_ADMIN,
        URL_MAX = 512,
};

/* ------------------------------------------------------------------------------------------ a code */

static int read_scopes(const json_t *v, unsigned *out, struct err *e)
{
        const struct place document = {0}, at = {.up = &document, .key = "scopes"};
        struct place item = {.up = &at};

        *out = v ? 0 : SESSION_SCOPES_DEFAULT;
        if (v && !json_array_size(v))
                return place_refuse(&at, e, "must be an array of at least one scope");
        for (; item.index < json_array_size(v); item.index++) {
                const char *name = json_string_value(json_array_get(v, item.index));
                unsigned scope = name ? scope_parse(name) : 0;

                if (!(scope & SESSION_SCOPES_ALLOWED))
                        return place_refuse(&item, e, "must be read, start, signal, logs or delete");
                if (*out & scope)
                        return place_refuse(&item, e, "is there twice");
                *out |= scope;
        }
        return 0;
}

/* Where a browser finds us: as whoever asks by TCP did, whose Host has been found to be ours. */
static int find_url(const struct request *r, const char *code, char out[URL_MAX], struct err *e)
{
        const char *host = head_get(&r->head, HEADER_HOST), *url = r->http->config.url;

        if (!url)
                return err_set(e, ERR_NO_TCP, 0, "the server does not listen on TCP");
        if (r->listener->guard.is_unix || !host)
                snprintf(out, URL_MAX, "%s/docs#code=%s", url, code);
        else
                snprintf(out, URL_MAX, "%.*s://%s/docs#code=%s", (int)strcspn(url, ":"), url, host, code);
        return 0;
}

static void reply_code(struct request *r, const char *code, const char *url)
{
        char expires[CLOCK_TEXT_MAX];
        struct strbuf b = {0};

        strbuf_str(&b, "{\"url\":");
        strbuf_json_str(&b, url);
        strbuf_printf(&b, ",\"code\":\"%s\",\"expires_at\":\"%s\"}", code,
                      clock_text(clock_now_us() + SESSION_CODE_US, expires));
        reply_json(r, MHD_HTTP_CREATED, &b);
}

static int offer(struct request *r, char code[SESSION_SECRET_MAX], char url[URL_MAX], struct err *e)
{
        CLEANUP(json_decrefp) json_t *body = NULL;
        unsigned scopes;

        if (handle_body(r, &body, e) < 0 || read_scopes(json_object_get(body, "scopes"), &scopes, e) < 0 ||
            find_url(r, "", url, e) < 0 ||
            sessions_offer(&r->http->sessions, &r->caller, scopes, clock_boot_us(), code, e) < 0)
                return -1;
        return find_url(r, code, url, e);
}

void handle_create_session(struct request *r)
{
        char code[SESSION_SECRET_MAX], url[URL_MAX];
        struct err e = {0};

        if (offer(r, code, url, &e) < 0) {
                reply_problem(r, &e);
                return;
        }
        log_info("session.offered", "by=%s", log_quote(r->caller.who));
        reply_code(r, code, url);
        gnutls_memset(code, 0, sizeof(code));
        gnutls_memset(url, 0, sizeof(url));
}

/* --------------------------------------------------------------------------------------- a session */

/* Sessions are a matter of TCP: on the unix socket the kernel says who asks. */
static int check_is_page(const struct request *r, struct err *e)
{
        if (r->listener->guard.is_unix)
                return err_set(e, ERR_CROSS_ORIGIN, 0, "a session is for pages, on TCP");
        return session_check_page(&r->head, e);
}

/* The session of this request, as it is now. */
static int find_session(struct request *r, char secret[SESSION_SECRET_MAX], struct caller *who,
                        int64_t *expires_us, struct err *e)
{
        struct sessions *s = &r->http->sessions;
        int found = r->listener->guard.is_unix ? 0 : session_secret(s, &r->head, secret, e);

        if (found < 0)
                return -1;
        if (!found)
                return err_set(e, ERR_UNAUTHENTICATED, 0, "this request is of no session");
        if (check_is_page(r, e) < 0)
                return -1;
        return sessions_find(s, secret, clock_boot_us(), who, expires_us, e);
}

static void reply_session(struct request *r, int status, const struct caller *who, int64_t expires_us)
{
        int64_t expires_at_us = clock_now_us() + expires_us - clock_boot_us();
        char expires[CLOCK_TEXT_MAX];
        struct strbuf b = {0};

        strbuf_str(&b, "{\"who\":");
        strbuf_json_str(&b, who->who);
        strbuf_str(&b, ",\"scopes\":[");
        for (unsigned scope = 1, n = 0; scope < SCOPE_ALL; scope <<= 1)
                if (who->scopes & scope)
                        strbuf_printf(&b, "%s\"%s\"", n++ ? "," : "", scope_name((enum scope)scope));
        strbuf_printf(&b, "],\"expires_at\":\"%s\"}", clock_text(expires_at_us, expires));
        reply_json(r, status, &b);
}

static void set_cookie(struct request *r, const char *secret)
{
        char cookie[SESSION_SET_COOKIE_MAX];

        reply_header(r, "Set-Cookie", session_set_cookie(&r->http->sessions, secret, cookie));
        gnutls_memset(cookie, 0, sizeof(cookie));
}

_Static_assert((int)EXCHANGE_SESSION_CODE_MAX < (int)SESSION_SECRET_MAX, "what is compared is not cut off");

static int read_code(struct request *r, char code[SESSION_SECRET_MAX], struct err *e)
{
        CLEANUP(json_decrefp) json_t *body = NULL;
        const struct place document = {0}, at = {.up = &document, .key = "code"};
        const char *text;

        if (handle_body(r, &body, e) < 0)
                return -1;
        text = json_string_value(json_object_get(body, "code"));
        if (!text)
                return place_refuse(&at, e, "must be a code that POST /v1/sessions gave");
        if (strlen(text) > EXCHANGE_SESSION_CODE_MAX)
                return place_refuse(&at, e, "is longer than %d bytes", EXCHANGE_SESSION_CODE_MAX);
        snprintf(code, SESSION_SECRET_MAX, "%s", text);
        return 0;
}

/* A session that this browser has had ends with the new one: nobody goes on in what he was in before. */
static int exchange(struct request *r, char secret[SESSION_SECRET_MAX], struct caller *who,
                    int64_t *expires_us, struct err *e)
{
        struct sessions *s = &r->http->sessions;
        char code[SESSION_SECRET_MAX], old[SESSION_SECRET_MAX];
        int had;

        if (read_code(r, code, e) < 0 || check_is_page(r, e) < 0)
                return -1;
        had = session_secret(s, &r->head, old, NULL);
        if (sessions_begin(s, code, clock_boot_us(), secret, e) < 0)
                return -1;
        if (had > 0)
                sessions_end(s, old);
        return sessions_find(s, secret, clock_boot_us(), who, expires_us, e);
}

void handle_exchange_session(struct request *r)
{
        char secret[SESSION_SECRET_MAX];
        struct caller who;
        int64_t expires_us;
        struct err e = {0};

        if (exchange(r, secret, &who, &expires_us, &e) < 0) {
                reply_problem(r, &e);
                return;
        }
        log_info("session.begun", "who=%s", log_quote(who.who));
        reply_session(r, MHD_HTTP_CREATED, &who, expires_us);
        reply_header(r, "Location", "/v1/sessions/current");
        set_cookie(r, secret);
        gnutls_memset(secret, 0, sizeof(secret));
}

void handle_current_session(struct request *r)
{
        char secret[SESSION_SECRET_MAX];
        struct caller who;
        int64_t expires_us;
        struct err e = {0};

        if (find_session(r, secret, &who, &expires_us, &e) < 0)
                reply_problem(r, &e);
        else
                reply_session(r, MHD_HTTP_OK, &who, expires_us);
}

void handle_end_session(struct request *r)
{
        char secret[SESSION_SECRET_MAX];
        struct caller who;
        int64_t expires_us;
        struct err e = {0};

        if (find_session(r, secret, &who, &expires_us, &e) < 0) {
                reply_problem(r, &e);
                return;
        }
        sessions_end(&r->http->sessions, secret);
        log_info("session.ended", "who=%s", log_quote(who.who));
        reply_empty(r, MHD_HTTP_NO_CONTENT);
        set_cookie(r, "");
}
