/* SPDX-License-Identifier: MIT */
/* http/members.h
 * Members of JSON objects, written straight into a buffer. @key is all that stands before the value, a literal: ",\"name\":".
 *
 * Threads: any; no state.
 */
#ifndef CRECHE_HTTP_MEMBERS_H
#define CRECHE_HTTP_MEMBERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/strbuf.h"

/* The values alone. */
void value_string_or_null(struct strbuf *b, const char *s);
void value_time(struct strbuf *b, int64_t us);
void value_int_or_null(struct strbuf *b, bool has, int64_t v);
void value_bool(struct strbuf *b, int v);

static inline __attribute__((always_inline)) void add_string_or_null(struct strbuf *b, const char *key,
                                                                     const char *s)
{
        strbuf_literal(b, key);
        value_string_or_null(b, s);
}

/** Microseconds of the Unix epoch as RFC 3339; null for 0. */
static inline __attribute__((always_inline)) void add_time(struct strbuf *b, const char *key, int64_t us)
{
        strbuf_literal(b, key);
        value_time(b, us);
}

static inline __attribute__((always_inline)) void add_int_or_null(struct strbuf *b, const char *key, bool has,
                                                                  int64_t v)
{
        strbuf_literal(b, key);
        value_int_or_null(b, has, v);
}

/** null when @v < 0 */
static inline __attribute__((always_inline)) void add_bool(struct strbuf *b, const char *key, int v)
{
        strbuf_literal(b, key);
        value_bool(b, v);
}

#endif
