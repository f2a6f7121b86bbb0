/* SPDX-License-Identifier: MIT */
/* http/members.h
 * Members of JSON objects, written straight into a buffer. @key is all that stands before the value: ",\"name\":".
 *
 * Threads: any; no state.
 */
#ifndef CRECHE_HTTP_MEMBERS_H
#define CRECHE_HTTP_MEMBERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/strbuf.h"

void add_string_or_null(struct strbuf *b, const char *key, const char *s);
/** Microseconds of the Unix epoch as RFC 3339; null for 0. */
void add_time(struct strbuf *b, const char *key, int64_t us);
void add_int_or_null(struct strbuf *b, const char *key, bool has, int64_t v);
/** null when @v < 0 */
void add_bool(struct strbuf *b, const char *key, int v);

#endif
