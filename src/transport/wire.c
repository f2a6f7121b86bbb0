/* SPDX-License-Identifier: MIT */
#include "transport/wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/param.h>
#include <sys/socket.h>

#include "base/secret.h"
#include "transport/field.h"

enum {
        FIRST_SIZE = 1024, /* of the buffer: most requests are shorter, and malloc() has so much at hand */
        READ_MAX = 4096,
        BLANKS_MAX = 4,    /* empty lines before a request */
        PIECE_MAX = 65536, /* of a chunk: no more than that has to be made up when it is cut */
        CHUNK_LINE_MAX = 256,
        FILL_MAX = 1024 * 1024, /* of a body that does not come: more is not worth an answer */
};

/* What libmicrohttpd gets in the place of a head that it must not see. */
static const char SUBSTITUTE[] = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

void wire_init(struct wire *w, const struct limits *limits)
{
        *w = (struct wire){.limits = limits};
}

void wire_done(struct wire *w)
{
        secret_free(w->buf, w->size);
        w->buf = NULL;
}

void wire_hurry(struct wire *w)
{
        atomic_store(&w->late, true);
}

const struct err *wire_verdict(const struct wire *w, unsigned nth)
{
        return w->state == WIRE_CUT && nth == w->heads ? &w->err : NULL;
}

bool wire_is_last(const struct wire *w, unsigned nth)
{
        return nth == w->heads && (w->state == WIRE_CUT || (w->ended && wire_is_between(w)));
}

/* ------------------------------------------------------------------------------------- cutting */

/* ->err is set: what is not ready is dropped, and what is missing put in its place. */
static void cut(struct wire *w)
{
        w->len = w->ready;
        switch (w->state) {
        case WIRE_HEAD:
                w->tail = SUBSTITUTE;
                w->heads++;
                break;
        case WIRE_BODY:
                w->fill = w->left;
                w->tail = "";
                break;
        case WIRE_CHUNK_DATA:
                w->fill = w->left;
                w->tail = "\r\n0\r\n\r\n";
                break;
        case WIRE_CHUNK_NEXT:
        case WIRE_CHUNK_END: w->tail = "\r\n0\r\n\r\n"; break;
        case WIRE_CHUNK_SIZE: w->tail = "0\r\n\r\n"; break;
        case WIRE_TRAILER: w->tail = "\r\n"; break;
        case WIRE_CUT: break;
        }
        w->state = WIRE_CUT;
}

void wire_abort(struct wire *w, unsigned nth, const struct err *why)
{
        if (nth != w->heads || w->state == WIRE_HEAD || w->state == WIRE_CUT)
                return;
        w->err = *why;
        cut(w);
}

/* No more will come. */
static void end(struct wire *w)
{
        bool head = w->state == WIRE_HEAD;

        w->ended = true;
        if (w->state == WIRE_CUT || (head && w->len == w->ready))
                return;
        if (atomic_load(&w->late))
                err_set(&w->err, ERR_TIMEOUT, 0, "the %s did not come in time",
                        head ? "head of the request" : "body");
        else
                err_set(&w->err, ERR_BAD_REQUEST, 0, "the connection ended in the middle of a %s",
                        head ? "head" : "body");
        cut(w);
}

/* --------------------------------------------------------------------------------------- lines */

/* Drop @n bytes at @at behind ->ready. */
static void drop(struct wire *w, size_t at, size_t n)
{
        char *s = w->buf + w->ready + at;

        w->len -= n;
        memmove(s, s + n, w->len - w->ready - at);
}

/* Make room for some more: for the line of a piece, and for what to read is worth while. */
static bool grow(struct wire *w)
{
        size_t size = !w->size ? FIRST_SIZE : w->size < READ_MAX ? READ_MAX : w->size * 2;
        char *buf;

        if (w->size && w->size - w->len >= MIN(w->size, READ_MAX) / 2)
                return true;
        buf = secret_grow(w->buf, w->size, size);
        if (!buf)
                return false;
        w->buf = buf;
        w->size = size;
        return true;
}

/* The next complete line, of *n bytes without its end; NULL: more must come, or ->err is set. Each byte is looked
 * at when it comes, so that what is no HTTP is not waited for. */
static char *next_line(struct wire *w, size_t *n)
{
        char *s = w->buf + w->ready, *at = s + w->seen, *until = w->buf + w->len;

        for (; at < until; at++) {
                if (*at == '\n' && at > s + w->line && at[-1] == '\r') {
                        *n = (size_t)(at - 1 - (s + w->line));
                        w->seen = (size_t)(at + 1 - s);
                        return s + w->line;
                }
                if (at > s + w->line && at[-1] == '\r') {
                        err_set(&w->err, ERR_BAD_REQUEST, 0, "a carriage return alone");
                        return NULL;
                }
                if (*at != '\r' && !field_is_text(*at)) {
                        field_refuse_byte(*at, w->lines == 0 && w->state == WIRE_HEAD && at == s, &w->err);
                        return NULL;
                }
        }
        w->seen = (size_t)(at - s);
        return NULL;
}

/* ---------------------------------------------------------------------------------------- heads */

static int note_length(struct wire *w, const char *s, size_t n, struct err *e)
{
        if (w->lengths++)
                return err_set(e, ERR_BAD_REQUEST, 0, "the length of the body is given more than once");
        if (!n)
                return err_set(e, ERR_BAD_REQUEST, 0, "Content-Length is not a number");
        w->length = 0;
        for (size_t i = 0; i < n; i++) {
                if (s[i] < '0' || s[i] > '9')
                        return err_set(e, ERR_BAD_REQUEST, 0, "Content-Length is not a number");
                if (w->length > INT64_MAX / 10 - 1)
                        return err_set(e, ERR_TOO_LARGE, 0, "Content-Length is beyond all bounds");
                w->length = w->length * 10 + (unsigned)(s[i] - '0');
        }
        return 0;
}

static int note_coding(struct wire *w, const char *s, size_t n, struct err *e)
{
        if (w->codings++)
                return err_set(e, ERR_BAD_REQUEST, 0, "more than one Transfer-Encoding");
        if (w->old || n != 7 || strncasecmp(s, "chunked", 7) != 0)
                return err_set(e, ERR_BAD_REQUEST, 0, "a Transfer-Encoding other than chunked");
        return 0;
}

/* libmicrohttpd takes blanks behind a value for a part of it. @end: of the line. */
static void drop_blanks(struct wire *w, const struct field *f, const char *end)
{
        const char *value_end = f->value + f->value_n;
        size_t n = (size_t)(end - value_end);

        drop(w, (size_t)(value_end - (w->buf + w->ready)), n);
        w->seen -= n;
}

static int check_header(struct wire *w, char *s, size_t n, struct err *e)
{
        struct field f;

        if (w->lines > WIRE_HEADERS_MAX)
                return err_set(e, ERR_HEAD_TOO_LARGE, 0, "more than %d headers", WIRE_HEADERS_MAX);
        if (field_parse(s, n, &f, e) < 0)
                return -1;
        drop_blanks(w, &f, s + n);
        if (field_is(&f, "Content-Length"))
                return note_length(w, f.value, f.value_n, e);
        if (field_is(&f, "Transfer-Encoding"))
                return note_coding(w, f.value, f.value_n, e);
        if (field_is(&f, "Cookie"))
                *s = WIRE_QUERY;
        return 0;
}

static int check_first(struct wire *w, char *s, size_t n, struct err *e)
{
        struct first_line f;
        char *query;

        if (field_parse_first(s, n, &f, e) < 0)
                return -1;
        w->old = f.old;
        query = memchr(f.target, '?', f.target_n);
        if (query)
                *query = WIRE_QUERY;
        return 0;
}

/* The head is complete: hand it on, and know what follows. */
static int end_head(struct wire *w, struct err *e)
{
        if (w->codings && w->lengths)
                return err_set(e, ERR_BAD_REQUEST, 0, "both Content-Length and Transfer-Encoding");
        w->ready += w->seen;
        w->left = w->lengths ? w->length : 0;
        w->state = w->codings ? WIRE_CHUNK_SIZE : w->left ? WIRE_BODY : WIRE_HEAD;
        w->lines = w->lengths = w->codings = w->blanks = 0;
        w->line = w->seen = 0;
        w->heads++;
        return 0;
}

/* @n bytes of a head are here. */
static int check_size(const struct wire *w, size_t n, struct err *e)
{
        if (!w->lines && n > WIRE_TARGET_MAX + WIRE_METHOD_MAX + sizeof("  HTTP/1.1"))
                return err_set(e, ERR_URI_TOO_LONG, 0, "the target is longer than %d bytes", WIRE_TARGET_MAX);
        if (n > (size_t)w->limits->head_bytes)
                return err_set(e, ERR_HEAD_TOO_LARGE, 0, "the head is longer than %lld bytes",
                               (long long)w->limits->head_bytes);
        return 0;
}

/* Look at the next line of a head. False: more must come, or ->err is set. */
static bool read_head(struct wire *w)
{
        size_t n;
        char *s = next_line(w, &n);

        if (!s) {
                if (w->err.kind == ERR_NONE)
                        check_size(w, w->len - w->ready, &w->err);
                return false;
        }
        if (!n && w->lines)
                return check_size(w, w->seen, &w->err) == 0 && end_head(w, &w->err) == 0;
        /* An empty line before a request is what old clients send behind a body. Who sends nothing else would keep
         * the reader for himself. */
        if (!n) {
                if (w->blanks++ == BLANKS_MAX) {
                        err_set(&w->err, ERR_BAD_REQUEST, 0, "too many empty lines before a request");
                        return false;
                }
                drop(w, 0, w->seen);
                w->seen = 0;
                return true;
        }
        if ((w->lines ? check_header(w, s, n, &w->err) : check_first(w, s, n, &w->err)) < 0)
                return false;
        w->lines++;
        w->line = w->seen;
        return check_size(w, w->seen, &w->err) == 0;
}

/* ---------------------------------------------------------------------------------------- bodies */

static void end_data(struct wire *w)
{
        if (w->left)
                return;
        if (w->state == WIRE_BODY)
                w->state = WIRE_HEAD;
        else
                w->state = w->rest ? WIRE_CHUNK_NEXT : WIRE_CHUNK_END;
}

static bool read_data(struct wire *w)
{
        size_t n = w->len - w->ready;

        if (!n)
                return false;
        if (n > w->left)
                n = (size_t)w->left;
        w->ready += n;
        w->left -= n;
        end_data(w);
        return true;
}

/* Put the line of the next piece of a chunk, of w->rest bytes, behind @before and in the place of the @gone bytes
 * that came. */
static bool begin_piece(struct wire *w, const char *before, size_t gone)
{
        char line[32];
        uint64_t left = w->rest < PIECE_MAX ? w->rest : PIECE_MAX;
        size_t n = (size_t)snprintf(line, sizeof(line), "%s%llx\r\n", before, (unsigned long long)left);

        if (n > gone && !grow(w)) {
                err_set(&w->err, ERR_TRY_AGAIN, ENOMEM, "a chunk");
                return false;
        }
        /* Mostly the line is as we write it: many small chunks do not move all that follows, each. */
        if (n != gone)
                memmove(w->buf + w->ready + n, w->buf + w->ready + gone, w->len - w->ready - gone);
        memcpy(w->buf + w->ready, line, n);
        w->len += n - gone;
        w->ready += n;
        w->left = left;
        w->rest -= left;
        /* Of the last one the empty line is still to come. */
        w->state = left ? WIRE_CHUNK_DATA : WIRE_TRAILER;
        w->line = w->seen = 0;
        w->length = 0;
        return true;
}

/* How long the line is at least: the one of @n bytes at @s, or one whose end has not come, or half of it. */
static size_t line_length(const struct wire *w, const char *s, size_t n)
{
        size_t here = w->len - w->ready;

        return s ? n : here - (here && w->buf[w->len - 1] == '\r');
}

static bool read_size(struct wire *w)
{
        size_t n;
        const char *s = next_line(w, &n);

        if (w->err.kind == ERR_NONE && line_length(w, s, n) > CHUNK_LINE_MAX)
                err_set(&w->err, ERR_BAD_REQUEST, 0, "the line of a chunk is too long");
        if (w->err.kind == ERR_NONE && w->len > w->ready)
                field_check_chunk(w->buf[w->ready], &w->err);
        return s && w->err.kind == ERR_NONE && field_parse_chunk(s, n, &w->rest, &w->err) == 0 &&
               begin_piece(w, "", w->seen);
}

static bool read_chunk_end(struct wire *w)
{
        const char *s = w->buf + w->ready;
        size_t n = w->len - w->ready;

        if (n && (*s != '\r' || (n > 1 && s[1] != '\n')))
                err_set(&w->err, ERR_BAD_REQUEST, 0, "a chunk is longer than it says");
        if (n < 2 || w->err.kind != ERR_NONE)
                return false;
        w->ready += 2;
        w->state = WIRE_CHUNK_SIZE;
        return true;
}

/* Trailers are checked and dropped; ->length counts their bytes. */
static bool read_trailer(struct wire *w)
{
        struct field f;
        size_t n;
        char *s = next_line(w, &n);

        if (w->length + line_length(w, s, n) > (uint64_t)w->limits->head_bytes && w->err.kind == ERR_NONE)
                err_set(&w->err, ERR_HEAD_TOO_LARGE, 0, "the trailers are longer than %lld bytes",
                        (long long)w->limits->head_bytes);
        if (!s || w->err.kind != ERR_NONE)
                return false;
        if (!n) {
                w->ready += 2;
                w->state = WIRE_HEAD;
        } else if (field_parse(s, n, &f, &w->err) < 0) {
                return false;
        } else {
                w->length += n + 2;
                drop(w, 0, n + 2);
        }
        w->line = w->seen = 0;
        return true;
}

/* ---------------------------------------------------------------------------------------- reading */

static bool step(struct wire *w)
{
        switch (w->state) {
        case WIRE_HEAD: return read_head(w);
        case WIRE_BODY:
        case WIRE_CHUNK_DATA: return read_data(w);
        case WIRE_CHUNK_SIZE: return read_size(w);
        case WIRE_CHUNK_NEXT: return begin_piece(w, "\r\n", 0);
        case WIRE_CHUNK_END: return read_chunk_end(w);
        case WIRE_TRAILER: return read_trailer(w);
        case WIRE_CUT: break;
        }
        return false;
}

static void check(struct wire *w)
{
        while (step(w))
                ;
        if (w->err.kind != ERR_NONE)
                cut(w);
}

/* Hand on what is ready, and when the stream is cut what was put in the place of the rest. */
static size_t deliver(struct wire *w, char *out, size_t n)
{
        size_t done = w->ready < n ? w->ready : n, more;

        if (done) {
                memcpy(out, w->buf, done);
                w->ready -= done;
                w->len -= done;
                memmove(w->buf, w->buf + done, w->len);
        }
        if (w->state != WIRE_CUT || w->ready)
                return done;
        more = w->fill < n - done ? (size_t)w->fill : n - done;
        memset(out + done, 0, more);
        w->fill -= more;
        done += more;
        more = w->fill ? 0 : strnlen(w->tail, n - done);
        memcpy(out + done, w->tail, more);
        w->tail += more;
        return done + more;
}

/* As recv(). */
static ssize_t receive(struct wire *w, int fd, void *out, size_t n)
{
        ssize_t got;

        if (w->tls)
                return tls_read(w->tls, out, n);
        got = recvfrom(fd, out, n, 0, NULL, NULL);
        if (got < 0 && errno == EAGAIN)
                w->unread = false;
        return got;
}

/* A socket that gave less than it was asked for, of a whole request, has no more, but perhaps the end, which does not come
 * alone when it was there already. Of a part it is asked again: what a client sends with a descriptor, or as urgent, is
 * given alone. */
static void take_for_all(struct wire *w, ssize_t got, size_t n)
{
        if (got > 0 && (size_t)got < n && !w->all && w->state == WIRE_HEAD && w->len == w->ready)
                w->unread = false;
}

/* Read from @fd: the data of a body straight into @out, all else into ->buf to be checked, where each line that is
 * written anew moves all that is behind it: so little at a time. *done grows by what went to @out. Returns as
 * recv(). */
static ssize_t fetch(struct wire *w, int fd, char *out, size_t n, size_t *done)
{
        bool data = w->state == WIRE_BODY || w->state == WIRE_CHUNK_DATA;
        size_t most = w->left < n ? (size_t)w->left : n;
        ssize_t got;

        if (w->watched && !w->unread && !w->tls) {
                errno = EAGAIN;
                return -1;
        }
        if (!data || w->len) {
                if (!grow(w)) {
                        errno = ENOMEM;
                        return -1;
                }
                most = MIN(w->size - w->len, (size_t)READ_MAX);
                got = receive(w, fd, w->buf + w->len, most);
                if (got > 0) {
                        w->len += (size_t)got;
                        check(w);
                }
        } else {
                got = receive(w, fd, out, most);
                if (got > 0) {
                        *done += (size_t)got;
                        w->left -= (uint64_t)got;
                        end_data(w);
                }
        }
        take_for_all(w, got, most);
        return got;
}

/* Nothing is kept between two requests. */
static void shrink(struct wire *w)
{
        if (w->len)
                return;
        wire_done(w);
        w->size = 0;
}

ssize_t wire_read(struct wire *w, int fd, void *out, size_t n)
{
        size_t done = 0;
        ssize_t got = 1;

        for (;;) {
                if (w->state == WIRE_CHUNK_NEXT)
                        check(w);
                done += deliver(w, (char *)out + done, n - done);
                if (done == n || w->ended || w->state == WIRE_CUT)
                        break;
                if (!atomic_load(&w->late))
                        got = fetch(w, fd, (char *)out + done, n - done, &done);
                else
                        got = 0;
                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        break;
                if (got == 0)
                        end(w);
        }
        shrink(w);
        if (w->state == WIRE_CUT && w->fill > FILL_MAX) {
                errno = ECONNRESET;
                return -1;
        }
        if (done || got >= 0)
                return (ssize_t)done;
        return -1;
}
