/* SPDX-License-Identifier: MIT */
/* transport/wire.h
 * What comes in on a connection, before libmicrohttpd sees it.
 *
 * libmicrohttpd 0.9.75 parses loosely, answers with HTML of its own or not at all, and has no hook for what it
 * reads. So each byte goes through here first. A head is held back until all of it is here and has been found
 * to be HTTP/1.1 as it is written in RFC 9112; a body is counted; the frame of a chunked one is written anew,
 * without extensions and trailers. So libmicrohttpd gets nothing that could mean two things, in the first
 * request of a connection or in a later one.
 *
 * Where a client breaks the rules, is too slow or leaves in the middle, the stream is cut: libmicrohttpd gets a
 * request of our own in the place of a bad head, or the rest of a body that will not come, and then the end of
 * the stream. wire_verdict() says why, and that is the answer to the last request.
 *
 * Two things are hidden from libmicrohttpd, which would spend memory on them: '?' of a target is WIRE_QUERY,
 * and "Cookie" begins with it. No client can send that byte.
 *
 * Threads: the connection's own, but for wire_hurry().
 */
#ifndef CRECHE_TRANSPORT_WIRE_H
#define CRECHE_TRANSPORT_WIRE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "transport/limits.h"
#include "transport/tls.h"

enum { WIRE_QUERY = '\x01', WIRE_METHOD_MAX = 32, WIRE_HEADERS_MAX = 100, WIRE_TARGET_MAX = 8192 };

enum wire_state {
        WIRE_HEAD,
        WIRE_BODY,       /* ->left bytes of it are to come */
        WIRE_CHUNK_SIZE, /* the line before a chunk */
        WIRE_CHUNK_DATA, /* ->left bytes of it are to come */
        WIRE_CHUNK_NEXT, /* a chunk is handed on in pieces: the next shall begin */
        WIRE_CHUNK_END,  /* the end of the line behind a chunk */
        WIRE_TRAILER,
        WIRE_CUT, /* nothing more is read */
};

struct wire {
        const struct limits *limits;
        struct tls *tls; /* borrowed: what comes in is encrypted; NULL: it is not */
        enum wire_state state;
        /* What was read: first what is checked and can be handed on, then what is not yet. */
        char *buf;
        size_t len, size, ready;
        size_t line;         /* behind ->ready: where the line begins that is not complete */
        size_t seen;         /* behind ->ready: how far that has been looked at */
        uint64_t left, rest; /* rest: of a chunk, behind the piece that is being handed on */
        /* The head that is coming in. */
        unsigned blanks, lines, lengths, codings; /* blanks: empty lines before it */
        uint64_t length;
        bool old; /* HTTP/1.0 */
        /* Whether there may be something to read: ->watched, or else there always may. */
        bool watched, unread;
        bool all; /* the client has said all: more cannot come, and not be told of */
        /* The end. */
        unsigned heads;   /* how many were handed on */
        atomic_bool late; /* its time is over */
        bool ended;       /* the client sends no more */
        uint64_t fill;    /* when cut: so many bytes, then ->tail, are missing */
        const char *tail;
        struct err err;
};

void wire_init(struct wire *w, const struct limits *limits);
void wire_done(struct wire *w);

/** As recv(): up to @n bytes into @out. Fewer than @n only when @fd has no more, as an edge-triggered reader
 * takes for granted. */
ssize_t wire_read(struct wire *w, int fd, void *out, size_t n);

/** There is something to read, from where ->watched is set, by whoever says it all. @all: it is the last. */
static inline void wire_arrived(struct wire *w, bool all)
{
        w->unread = true;
        w->all = all;
}

/** The time of what is coming in is over. The reader must be woken as well. From any thread. */
void wire_hurry(struct wire *w);

/** Nobody wants the rest of the body of the request number @nth: @why is its verdict. */
void wire_abort(struct wire *w, unsigned nth, const struct err *why);

/** Whether nothing of a request has come since the end of the last one. */
static inline bool wire_is_between(const struct wire *w)
{
        return w->state == WIRE_HEAD && !w->len;
}

/** Whether it is known that no request comes behind the one number @nth. The reader may not be woken again to see
 * the end. */
bool wire_is_last(const struct wire *w, unsigned nth);

/** Why the request number @nth (from 1) was cut. NULL: it was not. */
const struct err *wire_verdict(const struct wire *w, unsigned nth);

#endif
