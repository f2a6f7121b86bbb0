/* SPDX-License-Identifier: MIT */
/* tests/fuzz/guard.c: the head of a request, from its bytes to an operation.
 *
 * Input: lines "u" (unix socket) or "HOST:PORT" that is listened on; method; target; version; then "NAME: VALUE".
 * The guard gets only heads that the wire has let through, as in the product. */
#include "fuzz.h"

#include <ctype.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transport/guard.h"
#include "http/query.h"
#include "http/router.h"
#include "transport/wire.h"

enum { LINES = 40, SENT_MAX = 65536, READS = 8 };

static char *lines[LINES];
static size_t lines_n;
static char handed_on[32768];

static void read_lines(struct input *in)
{
        for (lines_n = 0; lines_n < LINES && (lines[lines_n] = input_line(in)); lines_n++)
                ;
}

/* An empty line would be the end of the head. */
static bool ends_early(void)
{
        for (size_t i = 4; i < lines_n; i++)
                if (!*lines[i])
                        return true;
        return false;
}

/* The lines as a request. */
static void write_head(struct strbuf *b)
{
        strbuf_printf(b, "%s %s %s\r\n", lines[1], lines[2], lines[3]);
        for (size_t i = 4; i < lines_n; i++)
                strbuf_printf(b, "%s\r\n", lines[i]);
        strbuf_str(b, "\r\n");
}

/* More than a head may have does not come to an end. */
static void send_all(int fd, const struct strbuf *b)
{
        size_t n = b->len < SENT_MAX ? b->len : SENT_MAX;

        REQUIRE(send(fd, strbuf_text(b), n, MSG_DONTWAIT) == (ssize_t)n);
}

/* Whether the lines are one head, and one that may go on. */
static bool pass_wire(void)
{
        const struct limits limits = LIMITS_DEFAULT;
        struct strbuf sent = {0};
        struct wire w;
        int pair[2];
        bool passes;

        if (ends_early())
                return false;
        write_head(&sent);
        wire_init(&w, &limits);
        REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
        send_all(pair[1], &sent);
        for (int i = 0; i < READS && wire_read(&w, pair[0], handed_on, sizeof(handed_on)) > 0; i++)
                ;
        if (w.heads && wire_verdict(&w, w.heads))
                fuzz_check_refusal(wire_verdict(&w, w.heads));
        passes = w.heads == 1 && !wire_verdict(&w, 1);
        wire_done(&w);
        close(pair[0]);
        close(pair[1]);
        strbuf_done(&sent);
        return passes;
}

/* The wire drops what is blank around a value. */
static char *trim(char *s)
{
        size_t n;

        s += strspn(s, " \t");
        for (n = strlen(s); n && strchr(" \t", s[n - 1]); n--)
                ;
        s[n] = '\0';
        return s;
}

static void read_head(struct head *h)
{
        h->method = lines[1];
        h->target = lines[2];
        h->version = lines[3];
        for (size_t i = 4; i < lines_n; i++) {
                char *colon = strchr(lines[i], ':'), *value = colon ? colon + 1 : NULL;

                if (colon)
                        *colon = '\0';
                head_add(h, lines[i], value ? trim(value) : NULL);
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

        REQUIRE(!(length && head_get(h, HEADER_TRANSFER_ENCODING)));
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

/* The path is exactly the pattern, with an id, which is written in one way only, or a name. */
static void check_match(const struct match *m, const char *path, size_t n)
{
        const struct route *r = m->route;
        const char *var = r->param ? strstr(r->pattern, r->param) : NULL;
        bool named = r->param_pattern;
        char *decoded = fuzz_alloc(n + 1), id[24], wanted[600];
        ptrdiff_t len = percent_decode(path, n, false, decoded);

        REQUIRE(len >= 0 && (size_t)len == strlen(decoded));
        REQUIRE(!r->param == !var && m->id >= 0 && !(var && !named) == !m->id);
        REQUIRE(named == (*m->name != '\0') && strlen(m->name) <= r->param_max);
        snprintf(id, sizeof(id), "%lld", (long long)m->id);
        if (var)
                snprintf(wanted, sizeof(wanted), "%.*s%s%s", (int)(var - r->pattern), r->pattern,
                         named ? m->name : id, var + strlen(r->param));
        else
                snprintf(wanted, sizeof(wanted), "%s", r->pattern);
        REQUIRE(!strcmp(decoded, wanted));
        REQUIRE(!strstr(decoded, "/../") && !strstr(decoded, "//"));
        free(decoded);
}

static const struct route *check_route(const struct head *h)
{
        const char *path = head_path(h, false);
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

static void check_head(const struct guard *g, const struct head *h)
{
        struct err e = {0};

        if (guard_check(g, h, &e) < 0)
                fuzz_check_refusal(&e);
        else
                check_accepted(g, h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct input in = {data, size};
        struct head h = {0};
        struct guard g;

        read_lines(&in);
        if (lines_n >= 4) {
                g = (struct guard){.is_unix = !strcmp(lines[0], "u"), .host = lines[0]};
                if (pass_wire()) {
                        read_head(&h);
                        check_head(&g, &h);
                }
        }
        for (size_t i = 0; i < lines_n; i++)
                free(lines[i]);
        return 0;
}
