/* SPDX-License-Identifier: MIT */
/* tests/fuzz/guard.c: the head of a request, from its bytes to an operation.
 *
 * Input: lines "u" (unix socket) or "HOST:PORT" that is listened on; method; target; version; then "NAME: VALUE". */
#include "fuzz.h"

#include <ctype.h>
#include <strings.h>

#include "http/guard.h"
#include "http/query.h"
#include "http/router.h"

enum { LINES = 40 };

static char *lines[LINES];
static size_t lines_n;

static void read_lines(struct input *in)
{
        for (lines_n = 0; lines_n < LINES && (lines[lines_n] = input_line(in)); lines_n++)
                ;
}

static void read_head(struct head *h)
{
        h->method = lines[1];
        h->target = strlen(lines[2]) > GUARD_TARGET_MAX ? NULL : lines[2];
        h->version = lines[3];
        for (size_t i = 4; i < lines_n; i++) {
                char *colon = strchr(lines[i], ':'), *value = colon ? colon + 1 : NULL;

                if (colon)
                        *colon = '\0';
                head_add(h, lines[i], value ? value + strspn(value, " ") : NULL);
        }
}

/* No byte, and no sequence, that another parser could take for something else. */
static void check_target(const char *s)
{
        bool in_path = true;

        for (; *s; s++) {
                REQUIRE(*s > ' ' && *s <= '~' && *s != '#');
                in_path = in_path && *s != '?';
                if (*s != '%')
                        continue;
                REQUIRE(isxdigit((unsigned char)s[1]) && isxdigit((unsigned char)s[2]));
                REQUIRE(strncmp(s, "%00", 3) != 0);
                REQUIRE(!in_path || (strncasecmp(s, "%2f", 3) != 0 && strncasecmp(s, "%5c", 3) != 0));
        }
}

static void check_framing(const struct head *h)
{
        const char *length = head_get(h, HEADER_CONTENT_LENGTH);
        size_t digits = length ? strlen(length + strspn(length, "0")) : 0;
        int64_t n = head_body(h);

        REQUIRE(!h->bad_name && !(length && head_get(h, HEADER_TRANSFER_ENCODING)));
        REQUIRE(h->headers[HEADER_CONTENT_LENGTH].n <= 1 && h->headers[HEADER_HOST].n <= 1);
        REQUIRE(n >= -1 && (n != -1 || head_get(h, HEADER_TRANSFER_ENCODING)));
        /* What is declared is never taken for less than it is. */
        REQUIRE(digits < 7 || n > 999999);
}

static void check_origin(const struct head *h)
{
        const char *origin = head_get(h, HEADER_ORIGIN), *host = head_get(h, HEADER_HOST);

        REQUIRE(!origin || (host && !strncasecmp(origin, "http://", 7) && !strcasecmp(origin + 7, host)));
        REQUIRE(!head_get(h, HEADER_SEC_FETCH_SITE) ||
                strcasecmp(head_get(h, HEADER_SEC_FETCH_SITE), "cross-site") != 0);
}

/* A name that is not ours gets nobody in: at most those of this machine, and literal addresses. */
static void check_host(const struct guard *g, const struct head *h)
{
        const char *host = head_get(h, HEADER_HOST);

        REQUIRE(host || !strcmp(h->version, "HTTP/1.0"));
        REQUIRE(g->is_unix || !host || strncasecmp(host, "evil", 4) != 0 || !strncasecmp(g->host, "evil", 4));
}

/* The path is exactly the pattern, with an id that is written in one way only. */
static void check_match(const struct match *m, const char *path, size_t n)
{
        const char *var = strstr(m->route->pattern, "{id}");
        char *decoded = fuzz_alloc(n + 1), wanted[600];
        ptrdiff_t len = percent_decode(path, n, false, decoded);

        REQUIRE(len >= 0 && (size_t)len == strlen(decoded));
        REQUIRE(!var == !m->id && m->id >= 0);
        if (var)
                snprintf(wanted, sizeof(wanted), "%.*s%lld%s", (int)(var - m->route->pattern),
                         m->route->pattern, (long long)m->id, var + 4);
        else
                snprintf(wanted, sizeof(wanted), "%s", m->route->pattern);
        REQUIRE(!strcmp(decoded, wanted));
        REQUIRE(!strstr(decoded, "/../") && !strstr(decoded, "//"));
        free(decoded);
}

static const struct route *check_route(const struct head *h)
{
        const char *path = head_path(h);
        size_t n = strcspn(path, "?");
        struct match m;
        struct err e = {0};

        if (router_find(routes, h->method, path, n, &m, &e) == 0) {
                check_match(&m, path, n);
                return m.route;
        }
        fuzz_check_refusal(&e);
        REQUIRE(!m.route && (e.kind == ERR_METHOD_NOT_ALLOWED) == (*m.allow != '\0'));
        return NULL;
}

static void encode(struct strbuf *b, const char *s)
{
        for (; *s; s++)
                strbuf_printf(b, "%%%02X", (unsigned char)*s);
}

static bool same_query(const struct query *a, const struct query *b)
{
        if (a->n != b->n)
                return false;
        for (size_t i = 0; i < a->n; i++)
                if (strcmp(a->items[i].name, b->items[i].name) != 0 ||
                    strcmp(a->items[i].value, b->items[i].value) != 0)
                        return false;
        return true;
}

/* Written again from what was understood, it is understood in the same way. */
static void check_query(const struct route *route, const char *raw)
{
        struct strbuf again = {0};
        struct query q, q2;
        struct err e = {0};

        if (query_parse(&q, raw, &e) < 0) {
                fuzz_check_refusal(&e);
        } else {
                for (size_t i = 0; i < q.n; i++) {
                        REQUIRE(utf8_is_valid(q.items[i].name, strlen(q.items[i].name)));
                        REQUIRE(utf8_is_valid(q.items[i].value, strlen(q.items[i].value)));
                        encode(&again, q.items[i].name);
                        strbuf_char(&again, '=');
                        encode(&again, q.items[i].value);
                        strbuf_char(&again, '&');
                }
                REQUIRE(query_parse(&q2, strbuf_text(&again), &e) == 0);
                REQUIRE(same_query(&q, &q2));
                query_done(&q2);
                if (route && query_check(&q, route->query, &e) < 0)
                        fuzz_check_refusal(&e);
        }
        query_done(&q);
        strbuf_done(&again);
}

static void check_accepted(const struct guard *g, const struct head *h)
{
        const char *question = strchr(h->target, '?');

        check_target(h->target);
        check_framing(h);
        check_host(g, h);
        check_origin(h);
        check_query(check_route(h), question ? question + 1 : NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct input in = {data, size};
        struct head h = {0};
        struct guard g;
        struct err e = {0};

        read_lines(&in);
        if (lines_n >= 4) {
                g = (struct guard){.is_unix = !strcmp(lines[0], "u"), .host = lines[0]};
                read_head(&h);
                if (guard_check(&g, &h, &e) < 0)
                        fuzz_check_refusal(&e);
                else
                        check_accepted(&g, &h);
        }
        for (size_t i = 0; i < lines_n; i++)
                free(lines[i]);
        return 0;
}
