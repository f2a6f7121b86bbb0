/* SPDX-License-Identifier: MIT */
#include "transport/guard.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const names[HEADER_COUNT] = {
        [HEADER_ACCEPT] = "Accept",
        [HEADER_ACCEPT_ENCODING] = "Accept-Encoding",
        [HEADER_AUTHORIZATION] = "Authorization",
        [HEADER_CONTENT_LENGTH] = "Content-Length",
        [HEADER_CONTENT_TYPE] = "Content-Type",
        [HEADER_COOKIE] = "Cookie",
        [HEADER_EXPECT] = "Expect",
        [HEADER_HOST] = "Host",
        [HEADER_IDEMPOTENCY_KEY] = "Idempotency-Key",
        [HEADER_IF_NONE_MATCH] = "If-None-Match",
        [HEADER_LAST_EVENT_ID] = "Last-Event-ID",
        [HEADER_ORIGIN] = "Origin",
        [HEADER_SEC_FETCH_MODE] = "Sec-Fetch-Mode",
        [HEADER_SEC_FETCH_SITE] = "Sec-Fetch-Site",
        [HEADER_TRANSFER_ENCODING] = "Transfer-Encoding",
};

enum { HOST_MAX = 256 };

/* An authority: a host, without the brackets of an IPv6 address, and its port. */
struct authority {
        char host[HOST_MAX];
        unsigned port;
        bool bracketed;
};

void head_add(struct head *h, const char *name, const char *value)
{
        for (int i = 0; i < HEADER_COUNT; i++)
                if (!strcasecmp(names[i], name) && h->headers[i].n++ == 0)
                        h->headers[i].value = value ? value : "";
}

int64_t head_body(const struct head *h)
{
        const char *length = head_get(h, HEADER_CONTENT_LENGTH);

        if (head_get(h, HEADER_TRANSFER_ENCODING))
                return -1;
        return length ? strtoll(length, NULL, 10) : 0; /* INT64_MAX for what is more */
}

/* Parse host[:port] of @n bytes. */
static bool authority_parse(const char *s, size_t n, unsigned default_port, struct authority *a)
{
        const char *end = s + n, *colon = memrchr(s, ':', n), *host = s;
        size_t host_n;

        *a = (struct authority){.port = default_port, .bracketed = n && *s == '['};
        if (a->bracketed) {
                const char *close = memchr(s, ']', n);

                if (!close || (close + 1 < end && close[1] != ':'))
                        return false;
                colon = close + 1 < end ? close + 1 : NULL;
                host = s + 1;
                host_n = (size_t)(close - host);
        } else {
                host_n = colon ? (size_t)(colon - s) : n;
        }
        if (!host_n || host_n >= HOST_MAX)
                return false;
        for (size_t i = 0; i < host_n; i++)
                if (!isalnum((unsigned char)host[i]) &&
                    !strchr(a->bracketed ? ":." : "-._~!$&'()*+,;=%", host[i]))
                        return false;
        memcpy(a->host, host, host_n);
        if (!colon || colon + 1 == end)
                return true;
        for (a->port = 0, colon++; colon < end; colon++) {
                if (!isdigit((unsigned char)*colon) || a->port > 65535)
                        return false;
                a->port = a->port * 10 + (unsigned)(*colon - '0');
        }
        return a->port <= 65535;
}

static unsigned default_port(const struct guard *g)
{
        return g->certificate ? 443 : 80;
}

static bool is_wildcard(const struct authority *a)
{
        return !strcmp(a->host, "0.0.0.0") || !strcmp(a->host, "::") || !strcmp(a->host, "*");
}

static bool is_loopback(const struct authority *a)
{
        return !strncmp(a->host, "127.", 4) || !strcmp(a->host, "::1") || !strcasecmp(a->host, "localhost");
}

static bool is_address(const struct authority *a)
{
        unsigned char bytes[16];

        return inet_pton(a->bracketed ? AF_INET6 : AF_INET, a->host, bytes) == 1;
}

/* Who listens on all addresses cannot name them. A page that got its name resolved to us (DNS rebinding)
 * comes with that name, so any literal address will do; its port may be one that was mapped to ours. */
static bool is_ours(const struct guard *g, const struct authority *a)
{
        struct authority own;

        if (g->is_unix)
                return true;
        if (!g->host || !authority_parse(g->host, strlen(g->host), default_port(g), &own))
                return false;
        if (g->certificate && certificate_is_for(g->certificate, a->host))
                return true;
        if (is_wildcard(&own))
                return is_address(a) || is_loopback(a);
        if (a->port != own.port)
                return false;
        return !strcasecmp(a->host, own.host) ||
               (is_loopback(&own) && (!strcasecmp(a->host, "localhost") || !strcmp(a->host, "127.0.0.1") ||
                                      !strcmp(a->host, "::1")));
}

static int check_authority(const struct guard *g, const char *s, size_t n, struct err *e)
{
        struct authority a;

        if (!authority_parse(s, n, default_port(g), &a))
                return err_set(e, ERR_BAD_REQUEST, 0, "the host of the request is not valid");
        if (!is_ours(g, &a))
                return err_set(e, ERR_MISDIRECTED, 0, "this server is not %.*s", (int)n, s);
        return 0;
}

static int check_host(const struct guard *g, const struct head *h, struct err *e)
{
        const char *host = head_get(h, HEADER_HOST);

        if (h->headers[HEADER_HOST].n > 1)
                return err_set(e, ERR_BAD_REQUEST, 0, "more than one Host");
        if (!host)
                return !strcmp(h->version, "HTTP/1.0") ? 0 : err_set(e, ERR_BAD_REQUEST, 0, "no Host");
        return check_authority(g, host, strlen(host), e);
}

static int check_expectation(const struct head *h, struct err *e)
{
        const char *expect = head_get(h, HEADER_EXPECT);

        if (!expect || (h->headers[HEADER_EXPECT].n == 1 && !strcasecmp(expect, "100-continue")))
                return 0;
        return err_set(e, ERR_EXPECTATION, 0, "an expectation other than 100-continue");
}

/* What stands behind the scheme of a URL; NULL: it is another's. */
static const char *after_scheme(const char *url, bool tls)
{
        const char *scheme = tls ? "https://" : "http://";
        size_t n = strlen(scheme);

        return strncasecmp(url, scheme, n) ? NULL : url + n;
}

const char *head_path(const struct head *h, bool tls)
{
        const char *s = h->target;

        if (*s == '/')
                return s;
        s = after_scheme(s, tls);
        return s ? strchr(s, '/') : NULL;
}

/* Three characters of a percent sequence, or fewer at the end. */
static int check_escape(const char *s, bool in_path, struct err *e)
{
        if (!isxdigit((unsigned char)s[1]) || !isxdigit((unsigned char)s[2]))
                return err_set(e, ERR_BAD_REQUEST, 0, "the target has a %% without two hexadecimal digits");
        if (s[1] == '0' && s[2] == '0')
                return err_set(e, ERR_BAD_REQUEST, 0, "the target has a NUL");
        if (in_path && (!strncasecmp(s, "%2f", 3) || !strncasecmp(s, "%5c", 3)))
                return err_set(e, ERR_BAD_REQUEST, 0, "the path has an encoded slash");
        return 0;
}

static int check_target(const struct guard *g, const struct head *h, struct err *e)
{
        const char *path = head_path(h, g->certificate), *authority;
        bool in_path = true;

        if (!path)
                return err_set(e, ERR_BAD_REQUEST, 0, "the target has no path");
        for (const char *s = h->target; *s; s++) {
                if (*s <= ' ' || *s > '~' || *s == '#')
                        return err_set(e, ERR_BAD_REQUEST, 0,
                                       "the target has a character that must be encoded");
                if (*s == '?')
                        in_path = false;
                if (*s == '%' && check_escape(s, in_path, e) < 0)
                        return -1;
        }
        if (path == h->target)
                return 0;
        authority = after_scheme(h->target, g->certificate);
        return check_authority(g, authority, (size_t)(path - authority), e);
}

/* Browsers say where a request comes from; other clients say nothing. */
static int check_origin(const struct guard *g, const struct head *h, struct err *e)
{
        const char *origin = head_get(h, HEADER_ORIGIN), *host = head_get(h, HEADER_HOST);
        const char *site = head_get(h, HEADER_SEC_FETCH_SITE);
        const char *page = origin ? after_scheme(origin, g->certificate) : NULL;

        if (h->headers[HEADER_ORIGIN].n > 1 || h->headers[HEADER_SEC_FETCH_SITE].n > 1)
                return err_set(e, ERR_BAD_REQUEST, 0, "more than one origin");
        if (site && strcasecmp(site, "same-origin") != 0 && strcasecmp(site, "none") != 0)
                return err_set(e, ERR_CROSS_ORIGIN, 0, "a page of another site may not call this server");
        /* The Host has been found to be ours, so its own pages are those of the same origin. */
        if (origin && (!host || !page || strcasecmp(page, host) != 0))
                return err_set(e, ERR_CROSS_ORIGIN, 0, "a page of another origin may not call this server");
        return 0;
}

int guard_check(const struct guard *g, const struct head *h, struct err *e)
{
        if (check_host(g, h, e) < 0 || check_target(g, h, e) < 0 || check_origin(g, h, e) < 0)
                return -1;
        return check_expectation(h, e);
}
