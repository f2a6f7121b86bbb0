/* SPDX-License-Identifier: MIT */
/* transport/guard.h
 * Is a request meant for us? transport/wire.h has seen to it that it cannot mean two things.
 *
 * A web page of anybody can make a browser talk to 127.0.0.1. So before anything else: one Host that we know, a
 * target without tricks, no foreign origin. By TLS, a name of our certificate is one that we know: no page of anybody's
 * gets that far under a name of its own. Nothing here touches libmicrohttpd.
 *
 * Threads: any; no state.
 */
#ifndef CRECHE_TRANSPORT_GUARD_H
#define CRECHE_TRANSPORT_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "transport/certificate.h"

/* The headers that we read, by the names in guard.c. */
enum header {
        HEADER_ACCEPT,
        HEADER_ACCEPT_ENCODING,
        HEADER_AUTHORIZATION,
        HEADER_CONTENT_LENGTH,
        HEADER_CONTENT_TYPE,
        HEADER_COOKIE,
        HEADER_EXPECT,
        HEADER_HOST,
        HEADER_IDEMPOTENCY_KEY,
        HEADER_IF_NONE_MATCH,
        HEADER_LAST_EVENT_ID,
        HEADER_ORIGIN,
        HEADER_SEC_FETCH_MODE,
        HEADER_SEC_FETCH_SITE,
        HEADER_TRANSFER_ENCODING,
        HEADER_COUNT,
};

/* The head of a request. Strings are borrowed. */
struct head {
        const char *method, *version;
        const char *target; /* raw, as it came */
        struct {
                const char *value; /* the first; NULL: none */
                unsigned n;        /* how often it came */
        } headers[HEADER_COUNT];
};

/* What a listener knows of itself. Strings are borrowed. */
struct guard {
        bool is_unix;
        const char *host;                      /* "HOST:PORT" as given to --listen; NULL on the unix socket */
        const struct certificate *certificate; /* of TLS, borrowed; NULL: plain */
};

/** Count the header @name; a value is kept when we read it. */
void head_add(struct head *h, const char *name, const char *value);

/** The first value of a header, NULL when there is none. */
static inline const char *head_get(const struct head *h, enum header which)
{
        return h->headers[which].value;
}

/** The bytes of body that are declared: 0 none, -1 not known beforehand (chunked). */
int64_t head_body(const struct head *h);

/** Where the path of the target begins: after the authority of an absolute one, which begins with https by @tls. NULL:
 * it has no path. */
const char *head_path(const struct head *h, bool tls);

/** Returns 0, or -1: ERR_BAD_REQUEST, ERR_MISDIRECTED, ERR_CROSS_ORIGIN, ERR_EXPECTATION. */
int guard_check(const struct guard *g, const struct head *h, struct err *e);

#endif
