/* SPDX-License-Identifier: MIT */
#include "cli/client.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/progress.h"
#include "cli/json.h"
#include "cli/trace.h"

enum {
        CONNECT_MS = 10000,
        AGAIN_MIN_MS = 50,
        AGAIN_MAX_MS = 1000,
};
#define MISSING_US                                                                                           \
        (10 * CLOCK_US_PER_S) /* a daemon that was there is waited for so long when its socket is not */
#define IMPATIENT_US (30 * CLOCK_US_PER_S) /* and by requests that are not patient */
#define TELL_US      (2 * CLOCK_US_PER_S)

int client_begin(struct client *c, struct fail *f)
{
        list_init(&c->exchanges);
        for (int i = 0; i < WATCHES_MAX; i++)
                c->watches[i].fd = -1;
        if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
                c->multi = curl_multi_init();
        return c->multi ? 0 : fail_set(f, ERR_INTERNAL, ENOMEM, "preparing for HTTP");
}

void client_done(struct client *c)
{
        if (!c->multi)
                return;
        curl_multi_cleanup(c->multi);
        curl_global_cleanup();
}

void exchange_init(struct exchange *x, const char *method, const char *target, ...)
{
        char text[4096];
        va_list ap;

        *x = (struct exchange){.method = method, .log_offset = -1};
        list_init(&x->node);
        va_start(ap, target);
        vsnprintf(text, sizeof(text), target, ap);
        va_end(ap);
        strbuf_str(&x->target, text);
}

static void drop_transfer(struct exchange *x)
{
        if (!x->easy)
                return;
        curl_multi_remove_handle(x->client->multi, x->easy);
        curl_easy_cleanup(x->easy);
        curl_slist_free_all(x->headers);
        x->easy = NULL;
        x->headers = NULL;
}

void exchange_done(struct exchange *x)
{
        drop_transfer(x);
        list_remove(&x->node);
        strbuf_done(&x->target);
        strbuf_done(&x->body);
        strbuf_done(&x->answer);
}

/* ------------------------------------------------------------------------------- what libcurl calls */

static size_t on_body(char *bytes, size_t one, size_t n, void *arg)
{
        struct exchange *x = arg;
        long status = 0;

        curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
        x->silent_since_us = 0;
        if (status < 300 && x->take && x->take(x, bytes, one * n) < 0) {
                x->failed = -1;
                return CURL_WRITEFUNC_ERROR;
        }
        if (status >= 300 || !x->take)
                strbuf_add(&x->answer, bytes, one * n);
        return one * n;
}

static bool header_is(const char *line, size_t n, const char *name, int64_t *out)
{
        size_t len = strlen(name);
        char value[32];

        if (n <= len || strncasecmp(line, name, len) != 0)
                return false;
        snprintf(value, sizeof(value), "%.*s", (int)(n - len), line + len);
        *out = strtoll(value, NULL, 10);
        return true;
}

static size_t on_header(char *line, size_t one, size_t n, void *arg)
{
        struct exchange *x = arg;
        int64_t v;

        if (header_is(line, one * n, "Retry-After:", &v))
                x->retry_after_us = v * CLOCK_US_PER_S;
        else if (header_is(line, one * n, "Creche-Log-Offset:", &v))
                x->log_offset = v;
        return one * n;
}

static size_t on_give(char *bytes, size_t one, size_t n, void *arg)
{
        struct exchange *x = arg;
        ssize_t given = x->give(x, bytes, one * n);

        return given < 0 ? (size_t)CURL_READFUNC_PAUSE : (size_t)given;
}

void client_unpause(struct exchange *x)
{
        if (x->easy)
                curl_easy_pause(x->easy, CURLPAUSE_CONT);
}

/* -------------------------------------------------------------------------------------- one attempt */

static void add_header(struct exchange *x, const char *name, const char *value)
{
        char line[512];
        struct curl_slist *more;

        snprintf(line, sizeof(line), "%s: %s", name, value);
        more = curl_slist_append(x->headers, line);
        if (more)
                x->headers = more;
}

static void add_headers(struct exchange *x)
{
        char id[24];

        if (x->body.len)
                add_header(x, "Content-Type", "application/json");
        if (x->give)
                add_header(x, "Content-Type", "application/octet-stream");
        if (x->client->where.token) {
                char bearer[256];

                snprintf(bearer, sizeof(bearer), "Bearer %s", x->client->where.token);
                add_header(x, "Authorization", bearer);
        }
        if (x->key)
                add_header(x, "Idempotency-Key", x->key);
        if (x->accept)
                add_header(x, "Accept", x->accept);
        if (x->last_event) {
                snprintf(id, sizeof(id), "%lld", (long long)x->last_event);
                add_header(x, "Last-Event-ID", id);
        }
        /* No waiting for a "100 Continue". */
        add_header(x, "Expect", "");
}

/* No proxy: the token is for nobody but the daemon, and what we do is for this machine first of all. */
static void set_options(struct exchange *x)
{
        const struct connection *where = &x->client->where;
        struct strbuf url = {0};
        CURL *h = x->easy;

        strbuf_printf(&url, "%s%s", where->url ?: "http://creche", strbuf_text(&x->target));
        curl_easy_setopt(h, CURLOPT_URL, strbuf_text(&url));
        strbuf_done(&url);
        if (!where->url)
                curl_easy_setopt(h, CURLOPT_UNIX_SOCKET_PATH, where->socket);
        curl_easy_setopt(h, CURLOPT_PROXY, "");
        /* On a connection that it has used before libcurl asks twice by itself. */
        curl_easy_setopt(h, CURLOPT_FRESH_CONNECT, (long)!x->repeatable);
        curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(h, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
        curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
        curl_easy_setopt(h, CURLOPT_USERAGENT, "creche/" CRECHE_VERSION);
        curl_easy_setopt(h, CURLOPT_PRIVATE, x);
        curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
        curl_easy_setopt(h, CURLOPT_WRITEDATA, x);
        curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, on_header);
        curl_easy_setopt(h, CURLOPT_HEADERDATA, x);
        if (x->give) {
                curl_easy_setopt(h, CURLOPT_UPLOAD, 1L);
                curl_easy_setopt(h, CURLOPT_READFUNCTION, on_give);
                curl_easy_setopt(h, CURLOPT_READDATA, x);
        } else if (x->body.len) {
                curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)x->body.len);
                curl_easy_setopt(h, CURLOPT_POSTFIELDS, strbuf_text(&x->body));
        }
        curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, x->method);
        add_headers(x);
        curl_easy_setopt(h, CURLOPT_HTTPHEADER, x->headers);
}

static void end(struct exchange *x, int failed)
{
        list_remove(&x->node);
        x->done = true;
        x->failed = failed;
}

static void attempt(struct exchange *x)
{
        x->status = 0;
        x->retry_after_us = -1;
        x->again_at_us = 0;
        strbuf_reset(&x->answer);
        x->easy = curl_easy_init();
        if (x->easy && !strbuf_failed(&x->target) && !strbuf_failed(&x->body)) {
                set_options(x);
                if (curl_multi_add_handle(x->client->multi, x->easy) == CURLM_OK)
                        return;
        }
        fail_set(&x->fail, ERR_INTERNAL, ENOMEM, "asking the daemon");
        end(x, -1);
}

/* --------------------------------------------------------------------------- answers, and asking again */

static int64_t pause_us(struct exchange *x)
{
        int64_t ms = (int64_t)AGAIN_MIN_MS << (x->tries < 5 ? x->tries : 5);

        if (x->retry_after_us > 0)
                return x->retry_after_us;
        return (ms < AGAIN_MAX_MS ? ms : AGAIN_MAX_MS) * 1000;
}

static void ask_again(struct exchange *x, const char *why)
{
        int64_t now = clock_mono_us();

        if (!x->silent_since_us)
                x->silent_since_us = now;
        if (!x->told && !x->client->silent && (x->client->verbose || now - x->silent_since_us > TELL_US)) {
                x->told = true;
                talk("the daemon does not answer yet (%s); trying again", why);
        }
        x->again_at_us = now + pause_us(x);
        x->tries++;
}

bool exchange_is_waiting(const struct exchange *x)
{
        return !x->done && x->silent_since_us;
}

static bool may_repeat(const struct exchange *x)
{
        return x->repeatable && (x->patient || clock_mono_us() - x->began_us < IMPATIENT_US);
}

static void finish_unanswered(struct exchange *x, CURLcode code, long errnum)
{
        int64_t silent_us = x->silent_since_us ? clock_mono_us() - x->silent_since_us : 0;
        bool missing = code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST;
        const char *says = curl_easy_strerror(code);

        if (may_repeat(x) && (missing ? x->client->reached && silent_us < MISSING_US : x->client->reached)) {
                ask_again(x, says);
                return;
        }
        if (missing || x->client->where.url) {
                connect_refuse(&x->client->where, (int)errnum, says, &x->fail);
        } else {
                fail_set(&x->fail, ERR_UNAVAILABLE, 0, "the daemon closed the connection: %s", says);
                fail_hint(&x->fail, "'creche ps' shows whether it was done; the daemon's log says why");
        }
        end(x, -1);
}

/* What it says itself of why it cannot now. */
static const char *busy_with(struct exchange *x)
{
        fail_problem(&x->fail, x->status, strbuf_text(&x->answer), x->answer.len);
        return x->fail.err.msg;
}

static void finish(struct exchange *x, CURLcode code)
{
        long errnum = 0;

        curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &x->status);
        curl_easy_getinfo(x->easy, CURLINFO_OS_ERRNO, &errnum);
        drop_transfer(x);
        /* Who was connected was at a daemon, also if that one died before it said a word. */
        if (x->status || code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR)
                x->client->reached = true;
        if (x->failed)
                end(x, -1);
        else if (code != CURLE_OK && !(x->status >= 300 && x->answer.len))
                finish_unanswered(x, code, errnum);
        else if (x->status == 503 && x->retry_after_us >= 0 && may_repeat(x))
                ask_again(x, busy_with(x));
        else if (x->status >= 200 && x->status < 300)
                end(x, 0);
        else
                end(x, fail_problem(&x->fail, x->status, strbuf_text(&x->answer), x->answer.len));
}

/* --------------------------------------------------------------------------------------- many of them */

void client_send(struct client *c, struct exchange *x)
{
        x->client = c;
        x->began_us = clock_mono_us();
        list_append(&c->exchanges, &x->node);
        if (c->verbose)
                trace(x);
        attempt(x);
}

/* Begin anew those whose time has come; milliseconds until that of the next, at most @timeout_ms. */
static int start_due(struct client *c, int timeout_ms)
{
        int64_t now = clock_mono_us();

        list_for_each_safe (n, &c->exchanges) {
                struct exchange *x = container_of(n, struct exchange, node);

                if (!x->again_at_us)
                        continue;
                if (x->again_at_us > now) {
                        int64_t ms = (x->again_at_us - now) / 1000 + 1;

                        timeout_ms = timeout_ms < 0 || ms < timeout_ms ? (int)ms : timeout_ms;
                        continue;
                }
                if (x->resume)
                        x->resume(x);
                attempt(x);
        }
        return timeout_ms;
}

static bool take_finished(struct client *c)
{
        bool any = false;
        int left;

        for (CURLMsg *m; (m = curl_multi_info_read(c->multi, &left));) {
                struct exchange *x = NULL;
                CURLcode code = m->data.result;

                curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&x);
                finish(x, code);
                any = any || x->done;
        }
        return any;
}

static void poll_all(struct client *c, int timeout_ms)
{
        struct curl_waitfd fds[WATCHES_MAX];
        struct watch *watched[WATCHES_MAX];
        unsigned n = 0;

        for (int i = 0; i < WATCHES_MAX; i++)
                if (c->watches[i].fd >= 0 && !c->watches[i].off) {
                        watched[n] = &c->watches[i];
                        fds[n++] = (struct curl_waitfd){.fd = c->watches[i].fd, .events = CURL_WAIT_POLLIN};
                }
        curl_multi_poll(c->multi, fds, n, timeout_ms, NULL);
        /* libcurl does not tell of a POLLHUP. */
        for (unsigned i = 0; i < n; i++) {
                struct pollfd p = {.fd = fds[i].fd, .events = POLLIN};

                if (poll(&p, 1, 0) > 0)
                        watched[i]->ready(watched[i]->arg);
        }
}

void client_turn(struct client *c, int timeout_ms)
{
        int running;

        timeout_ms = progress_nap_ms(start_due(c, timeout_ms));
        curl_multi_perform(c->multi, &running);
        if (!take_finished(c))
                poll_all(c, timeout_ms);
        progress_draw();
}

int client_ask(struct client *c, struct exchange *x, struct fail *f)
{
        client_send(c, x);
        while (!x->done)
                client_turn(c, 1000);
        if (x->failed)
                *f = x->fail;
        return x->failed;
}

int exchange_json(const struct exchange *x, json_t **out, struct fail *f)
{
        *out = json_loadb(strbuf_text(&x->answer), x->answer.len, 0, NULL);
        return *out ? 0 : fail_problem(f, x->status, "", 0);
}

int client_json(struct client *c, const char *method, const char *target, struct strbuf *body, json_t **out,
                struct fail *f)
{
        struct exchange x;
        int rc;

        exchange_init(&x, method, "%s", target);
        x.repeatable = strcmp(method, "POST") != 0;
        if (body) {
                x.body = *body;
                *body = (struct strbuf){0};
        }
        rc = client_ask(c, &x, f);
        if (rc == 0 && out)
                rc = exchange_json(&x, out, f);
        exchange_done(&x);
        return rc;
}

int client_get(struct client *c, json_t **out, struct fail *f, const char *target, ...)
{
        char text[4096];
        va_list ap;

        va_start(ap, target);
        vsnprintf(text, sizeof(text), target, ap);
        va_end(ap);
        return client_json(c, "GET", text, NULL, out, f);
}

int client_list(struct client *c, const char *target, const char *rows, json_t **out, struct fail *f)
{
        CLEANUP(json_putp) json_t *all = json_array();
        struct strbuf cursor = {0};
        int rc;

        do {
                CLEANUP(json_putp) json_t *page = NULL;

                rc = client_get(c, &page, f, "%s?limit=1000%s%s", target, cursor.len ? "&cursor=" : "",
                                strbuf_text(&cursor));
                strbuf_reset(&cursor);
                if (json_text(page, "next"))
                        url_encode(&cursor, json_text(page, "next"));
                json_array_extend(all, json_object_get(page, rows));
        } while (rc == 0 && cursor.len);
        strbuf_done(&cursor);
        if (rc == 0)
                *out = TAKE_PTR(all);
        return rc;
}

void url_encode(struct strbuf *b, const char *s)
{
        for (; *s; s++)
                if (isalnum((unsigned char)*s) || strchr("-._~", *s))
                        strbuf_char(b, *s);
                else
                        strbuf_printf(b, "%%%02X", (unsigned char)*s);
}
