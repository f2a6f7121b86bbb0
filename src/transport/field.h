/* SPDX-License-Identifier: MIT */
/* transport/field.h
 * The lines of a request, as RFC 9112 writes them and not otherwise. Lines come without their CR LF, and hold no
 * byte that field_is_text() does not know.
 *
 * Threads: any; no state.
 */
#ifndef CRECHE_TRANSPORT_FIELD_H
#define CRECHE_TRANSPORT_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* A header. Borrowed from its line. */
struct field {
        const char *name, *value;
        size_t name_n, value_n;
};

/* What is needed of a request line. */
struct first_line {
        char *target;
        size_t target_n;
        bool old; /* HTTP/1.0 */
};

/** Whether a line may hold the byte. */
static inline bool field_is_text(char c)
{
        return c == '\t' || ((unsigned char)c >= ' ' && c != '\x7f');
}

/** Say what is wrong with a byte that a line may not hold. @first: it is the first of a request. */
void field_refuse_byte(char c, bool first, struct err *e);

/** Parse the first line: ERR_BAD_REQUEST, ERR_URI_TOO_LONG, ERR_HTTP_VERSION. */
int field_parse_first(char *s, size_t n, struct first_line *f, struct err *e);
/** Parse a header: ERR_BAD_REQUEST. */
int field_parse(const char *s, size_t n, struct field *f, struct err *e);
bool field_is(const struct field *f, const char *name);

/** Whether the line of a chunk may begin so: ERR_BAD_REQUEST. */
int field_check_chunk(char first, struct err *e);
/** The size in the line of a chunk, whose extensions nobody knows: ERR_BAD_REQUEST. */
int field_parse_chunk(const char *s, size_t n, uint64_t *size, struct err *e);

#endif
