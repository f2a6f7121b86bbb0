/* SPDX-License-Identifier: MIT */
#include "http/query.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/number.h"
#include "base/strbuf.h"

static int hex(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        c |= 0x20;
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

ptrdiff_t percent_decode(const char *s, size_t n, bool plus, char *out)
{
        char *to = out;

        for (size_t i = 0; i < n; i++) {
                int c = (unsigned char)s[i];

                if (c == '+' && plus) {
                        c = ' ';
                } else if (c == '%') {
                        if (n - i < 3 || hex(s[i + 1]) < 0 || hex(s[i + 2]) < 0)
                                return -1;
                        c = hex(s[i + 1]) << 4 | hex(s[i + 2]);
                        i += 2;
                }
                if (!c)
                        return -1;
                *to++ = (char)c;
        }
        *to = '\0';
        return to - out;
}

/* Decode @n bytes to *to, which moves on. NULL: not valid. */
static const char *decode(const char *s, size_t n, char **to)
{
        char *from = *to;
        ptrdiff_t len = percent_decode(s, n, true, from);

        if (len < 0 || !utf8_is_valid(from, (size_t)len))
                return NULL;
        *to += len + 1;
        return from;
}

static int add(struct query *q, const char *s, size_t n, char **to, struct err *e)
{
        const char *eq = memchr(s, '=', n);
        size_t name_n = eq ? (size_t)(eq - s) : n;

        if (!n)
                return 0;
        if (q->n == QUERY_MAX)
                return err_set(e, ERR_INVALID_QUERY, 0, "more than %d query parameters", QUERY_MAX);
        q->items[q->n].name = decode(s, name_n, to);
        q->items[q->n].value = eq ? decode(eq + 1, n - name_n - 1, to) : "";
        if (!q->items[q->n].name || !q->items[q->n].value)
                return err_set(e, ERR_INVALID_QUERY, 0, "the query is not percent-encoded UTF-8");
        q->n++;
        return 0;
}

int query_parse(struct query *q, const char *raw, struct err *e)
{
        char *to;

        *q = (struct query){0};
        if (!raw || !*raw)
                return 0;
        /* Decoding never grows; each item may need one more NUL than its '=' or '&' left room for. */
        to = q->text = malloc(strlen(raw) + QUERY_MAX + 1);
        if (!to)
                return err_set(e, ERR_INTERNAL, ENOMEM, "query");
        for (const char *s = raw, *end; s; s = *end ? end + 1 : NULL) {
                end = strchrnul(s, '&');
                if (add(q, s, (size_t)(end - s), &to, e) < 0)
                        return -1;
        }
        return 0;
}

void query_done(struct query *q)
{
        free(q->text);
        *q = (struct query){0};
}

/* 0: not in @allowed; 1: once; 2: any number of times. */
static int allowance(const char *allowed, const char *name)
{
        size_t n = strlen(name);

        for (const char *s = allowed, *end; *s; s = end + strspn(end, "* ")) {
                end = s + strcspn(s, "* ");
                if ((size_t)(end - s) == n && !strncmp(s, name, n))
                        return *end == '*' ? 2 : 1;
        }
        return 0;
}

int query_check(const struct query *q, const char *allowed, struct err *e)
{
        for (size_t i = 0; i < q->n; i++) {
                const char *name = q->items[i].name;
                int may = allowance(allowed ? allowed : "", name);

                if (!may)
                        return err_set(e, ERR_INVALID_QUERY, 0, "unknown query parameter '%s'", name);
                for (size_t k = 0; may == 1 && k < i; k++)
                        if (!strcmp(q->items[k].name, name))
                                return err_set(e, ERR_INVALID_QUERY, 0, "query parameter '%s' is repeated",
                                               name);
        }
        return 0;
}

const char *query_get(const struct query *q, const char *name)
{
        for (size_t i = 0; i < q->n; i++)
                if (!strcmp(q->items[i].name, name))
                        return q->items[i].value;
        return NULL;
}

int query_int(const struct query *q, const char *name, int64_t min, int64_t max, int64_t *out, struct err *e)
{
        const char *s = query_get(q, name);

        if (s && number_parse(s, min, max, out) < 0)
                return err_set(e, ERR_INVALID_QUERY, 0, "'%s' must be an integer from %lld to %lld", name,
                               (long long)min, (long long)max);
        return 0;
}

int query_bool(const struct query *q, const char *name, bool *out, struct err *e)
{
        const char *s = query_get(q, name);

        if (!s)
                return 0;
        if (strcmp(s, "true") != 0 && strcmp(s, "1") != 0 && strcmp(s, "false") != 0 && strcmp(s, "0") != 0)
                return err_set(e, ERR_INVALID_QUERY, 0, "'%s' must be true, 1, false or 0", name);
        *out = *s == 't' || *s == '1';
        return 0;
}

int query_seconds(const struct query *q, const char *name, int64_t max_s, int64_t *out_us, struct err *e)
{
        const char *s = query_get(q, name);
        char *end;
        double v;

        if (!s)
                return 0;
        v = strtod(s, &end);
        /* strtod() also takes "inf", "nan" and hexadecimal numbers. */
        if (s[strspn(s, "0123456789.eE+-")] || !isdigit((unsigned char)*s) || *end || v > (double)max_s)
                return err_set(e, ERR_INVALID_QUERY, 0, "'%s' must be a number of seconds from 0 to %lld",
                               name, (long long)max_s);
        *out_us = (int64_t)(v * (double)CLOCK_US_PER_S + 0.5);
        return 0;
}

int query_time(const struct query *q, const char *name, int64_t *out_us, struct err *e)
{
        const char *s = query_get(q, name);

        if (s && clock_parse(s, out_us) < 0)
                return err_set(e, ERR_INVALID_QUERY, 0, "'%s' must be a time like 2026-01-02T03:04:05Z",
                               name);
        return 0;
}
