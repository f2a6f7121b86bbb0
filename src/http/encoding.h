/* SPDX-License-Identifier: MIT */
/* http/encoding.h
 * How an answer is put on the wire: gzip where the client takes it, and the tag of a resource.
 *
 * Threads: any; no state.
 */
#ifndef CRECHE_HTTP_ENCODING_H
#define CRECHE_HTTP_ENCODING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/strbuf.h"

enum { ETAG_MAX = 48 };

/** Whether an Accept-Encoding (NULL: none) allows gzip: named or meant by '*', and not with q=0. */
bool encoding_takes_gzip(const char *accept);

/** Whether an Accept (NULL: none) names the media type @type, other than with q=0. Ranges with '*' do not count. */
bool encoding_names_type(const char *accept, const char *type);

/** Append @n bytes, gzipped, to @out. False: it did not work, @out is unusable. */
bool encoding_gzip(const void *bytes, size_t n, struct strbuf *out);

/** Append the @size bytes that were gzipped into the @n at @bytes. False: no memory, or they were not. */
bool encoding_gunzip(const void *bytes, size_t n, size_t size, struct strbuf *out);

/** The strong ETag of a body into @out[ETAG_MAX]. */
void etag_text(const void *body, size_t n, bool gzipped, char *out);

/** Whether an If-None-Match (NULL: none) names @etag, whatever its coding. */
bool etag_matches(const char *if_none_match, const char *etag);

#endif
