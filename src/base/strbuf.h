/* SPDX-License-Identifier: MIT */
/* base/strbuf.h
 * A growing byte string, always NUL-terminated, and JSON written straight into it.
 *
 * Out of memory is remembered, not returned: append as much as you like, ask strbuf_failed() once at the
 * end. A zeroed strbuf is empty and valid.
 *
 * Threads: one at a time.
 */
#ifndef CRECHE_BASE_STRBUF_H
#define CRECHE_BASE_STRBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct strbuf {
        char *s; /* NULL while nothing was appended; strbuf_text() never is */
        size_t len, cap;
        bool failed;
        bool secret; /* set it first: no memory is given back before it is wiped */
};

void strbuf_done(struct strbuf *b);

/** Whether memory ran out on the way; the text is incomplete then. */
static inline bool strbuf_failed(const struct strbuf *b)
{
        return b->failed;
}

/** The text; "" when there is none. Valid until the next append. */
static inline const char *strbuf_text(const struct strbuf *b)
{
        return b->s ? b->s : "";
}

void strbuf_add(struct strbuf *b, const void *bytes, size_t n);

/* In line, so that the length of what is written in the source is not counted. */
static inline void strbuf_str(struct strbuf *b, const char *s)
{
        strbuf_add(b, s, strlen(s));
}

/** strbuf_str() of a literal, where there is usually room, in line: it costs no more than its bytes. For what is written
 * thousands of times; anywhere else it is only larger. */
static inline __attribute__((always_inline)) void strbuf_literal(struct strbuf *b, const char *s)
{
        size_t n = strlen(s);

        if (b->cap - b->len > n) {
                memcpy(b->s + b->len, s, n + 1);
                b->len += n;
        } else {
                strbuf_add(b, s, n);
        }
}

void strbuf_char(struct strbuf *b, char c);
void strbuf_int(struct strbuf *b, int64_t v);
void strbuf_printf(struct strbuf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** Room for @n more bytes; NULL when memory ran out. Write there, then strbuf_commit() what was used. */
char *strbuf_reserve(struct strbuf *b, size_t n);
void strbuf_commit(struct strbuf *b, size_t n);

/** Forget the text, keep the memory. */
void strbuf_reset(struct strbuf *b);

/** The text as malloc()ed memory, now the caller's; @b is empty. NULL when memory ran out. */
char *strbuf_steal(struct strbuf *b);

/** A JSON string of @n bytes of UTF-8; @n bytes that are not UTF-8 become {"base64": "..."}. */
void strbuf_json_bytes(struct strbuf *b, const char *s, size_t n);
void strbuf_json_str(struct strbuf *b, const char *s);

/** Whether @n bytes are valid UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool utf8_is_valid(const char *s, size_t n);

#endif
