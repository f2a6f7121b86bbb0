/* SPDX-License-Identifier: MIT */
/* http/base64.h
 * RFC 4648, strictly: the ordinary alphabet with padding, one form for each byte string.
 *
 * Threads: any.
 */
#ifndef CRECHE_HTTP_BASE64_H
#define CRECHE_HTTP_BASE64_H

#include <stddef.h>
#include <stdint.h>

/** Decode @n characters into @out, which has room for n / 4 * 3 bytes. Returns the length, or -1. */
ptrdiff_t base64_decode(const char *s, size_t n, void *out);

/* The cursor of a list: opaque to clients, an id to us. */
enum { CURSOR_MAX = 16 };

/** Write the cursor of @id into @out[CURSOR_MAX]; returns @out. */
const char *cursor_text(int64_t id, char *out);
/** The id of a cursor; 0: it is none. */
int64_t cursor_parse(const char *s);

#endif
