/* SPDX-License-Identifier: MIT */
/* http/query.h
 * The query of a target: decoded once, asked by name, never guessed at. All errors are ERR_INVALID_QUERY.
 *
 * Threads: one at a time.
 */
#ifndef CRECHE_HTTP_QUERY_H
#define CRECHE_HTTP_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { QUERY_MAX = 64 };

struct query {
        struct {
                const char *name, *value; /* UTF-8, without NUL; "" for "?name" and for "?name=" */
        } items[QUERY_MAX];
        size_t n;
        char *text;
};

/** Decode percent sequences of @n bytes at @s (and '+' as a space when @plus) into @out, which has room for
 * n + 1 bytes. Returns the length, or -1: not valid, or a NUL. */
ptrdiff_t percent_decode(const char *s, size_t n, bool plus, char *out);

/** Parse what follows the '?'; @raw may be NULL. */
int query_parse(struct query *q, const char *raw, struct err *e);
void query_done(struct query *q);

/** Whether each parameter is one of @allowed, "name name* ...", at most once unless marked with '*'. */
int query_check(const struct query *q, const char *allowed, struct err *e);

/** The value of @name; NULL when it is not there. */
const char *query_get(const struct query *q, const char *name);

/* The typed ones leave @out as it is when the parameter is not there. */
int query_int(const struct query *q, const char *name, int64_t min, int64_t max, int64_t *out, struct err *e);
/** "true", "1", "false", "0". */
int query_bool(const struct query *q, const char *name, bool *out, struct err *e);
/** Seconds, 0 <= s <= @max_s, as microseconds. */
int query_seconds(const struct query *q, const char *name, int64_t max_s, int64_t *out_us, struct err *e);
/** RFC 3339 as microseconds. */
int query_time(const struct query *q, const char *name, int64_t *out_us, struct err *e);

#endif
