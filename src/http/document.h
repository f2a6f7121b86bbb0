/* SPDX-License-Identifier: MIT */
/* http/document.h
 * JSON bodies, read strictly: one object and nothing behind it, no key twice, no NUL. Whatever is wrong is
 * said with the JSON pointer (RFC 6901) of its place.
 *
 * Threads: any; no state.
 */
#ifndef CRECHE_HTTP_DOCUMENT_H
#define CRECHE_HTTP_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/err.h"

/* A place in a document, on the stack of whoever goes down there. */
struct place {
        const struct place *up; /* NULL: this is the document */
        const char *key;        /* in an object; NULL: in an array */
        size_t index;
};

/** From now on, memory of documents is wiped before it is given back. Before the first document. */
void document_keep_no_secrets(void);

/** Parse @n bytes into a new object. Returns 0, or -1: ERR_MALFORMED; ERR_INVALID when it is no object. */
int document_read(const char *text, size_t n, json_t **out, struct err *e);

/** Raise ERR_INVALID at @at. Always returns -1. */
int place_refuse(const struct place *at, struct err *e, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));

/** The pointer of @at into @out, cut off where it does not fit. */
void place_pointer(const struct place *at, char *out, size_t size);

/** Refuse each member of @object that is none of @allowed, "a b c". */
int document_only(const json_t *object, const char *allowed, struct err *e);

/** Values of members; absent ones leave @out as it is. */
int document_bool(const json_t *object, const char *key, bool *out, struct err *e);
/** Seconds or null, as microseconds: -1 for null, 0 for what is not positive. */
int document_timeout(const json_t *object, const char *key, int64_t *out_us, struct err *e);

/** A number of seconds >= 0, whatever a double holds: a positive one as at least one microsecond, one of more than
 * 1e10, some 317 years, as that. */
int64_t seconds_us(double s);

#endif
