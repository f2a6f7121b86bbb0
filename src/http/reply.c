/* SPDX-License-Identifier: MIT */
#include "http/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "http/codec.h"
#include "http/encoding.h"

/* gzip: from which size on. */
enum { GZIP_MIN = 1024, STREAM_BLOCK = 64 * 1024 };

static const char JSON[] = "application/json";
static const char PROBLEM[] = "application/problem+json";

void reply_header(struct request *r, const char *name, const char *value)
{
        if (r->response)
                MHD_add_response_header(r->response, name, value);
}

static void answer(struct request *r, int status, struct MHD_Response *response)
{
        r->response = response;
        r->status = status;
        if (r->connection && wire_is_last(&r->connection->wire, r->nth))
                reply_header(r, "Connection", "close");
}

static void answer_buffer(struct request *r, int status, void *bytes, size_t n,
                          enum MHD_ResponseMemoryMode mode)
{
        answer(r, status, MHD_create_response_from_buffer(n, bytes, mode));
        if (!r->response && mode == MHD_RESPMEM_MUST_FREE)
                free(bytes);
}

/* Kept by the client alone, and asked for again each time. */
static void reply_tag(struct request *r, const char *etag)
{
        reply_header(r, "ETag", etag);
        reply_header(r, "Cache-Control", "private, no-cache");
}

/* Take the text of @body. */
static void answer_text(struct request *r, int status, struct strbuf *body)
{
        size_t n = body->len;
        char *text = strbuf_steal(body);

        answer_buffer(r, status, text ? text : "", text ? n : 0,
                      text ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
}

/* Answer with @text, which is taken. */
static void answer_coded(struct request *r, int status, const char *type, struct strbuf *text, bool gzip)
{
        struct strbuf zipped = {0};

        gzip = gzip && encoding_gzip(strbuf_text(text), text->len, &zipped);
        answer_text(r, status, gzip ? &zipped : text);
        reply_header(r, "Content-Type", type);
        if (gzip)
                reply_header(r, "Content-Encoding", "gzip");
        strbuf_done(&zipped);
}

static void answer_typed(struct request *r, int status, const char *type, struct strbuf *text)
{
        bool vary = text->len > GZIP_MIN;
        bool gzip = vary && encoding_takes_gzip(head_get(&r->head, HEADER_ACCEPT_ENCODING));
        bool tagged = status == MHD_HTTP_OK && r->route && r->route->tagged;
        char etag[ETAG_MAX];

        if (tagged)
                etag_text(strbuf_text(text), text->len, gzip, etag);
        if (tagged && etag_matches(head_get(&r->head, HEADER_IF_NONE_MATCH), etag))
                reply_empty(r, MHD_HTTP_NOT_MODIFIED);
        else
                answer_coded(r, status, type, text, gzip);
        if (tagged)
                reply_tag(r, etag);
        if (vary)
                reply_header(r, "Vary", "Accept-Encoding");
}

static void answer_json(struct request *r, int status, struct strbuf *text)
{
        answer_typed(r, status, status < 400 ? JSON : PROBLEM, text);
}

void reply_coded(struct request *r, const char *type, struct strbuf *body)
{
        if (strbuf_failed(body))
                reply_refuse(r, ERR_INTERNAL, "out of memory");
        else
                answer_typed(r, MHD_HTTP_OK, type, body);
        strbuf_done(body);
}

void reply_json(struct request *r, int status, struct strbuf *body)
{
        struct err e = {0};

        if (strbuf_failed(body))
                reply_refuse(r, ERR_INTERNAL, "out of memory");
        else if (request_hold_answer(r, body->len, &e) < 0)
                reply_problem(r, &e);
        else
                answer_json(r, status, body);
        strbuf_done(body);
}

void reply_bytes(struct request *r, const char *type, const void *bytes, size_t n)
{
        answer_buffer(r, MHD_HTTP_OK, (void *)(uintptr_t)bytes, n, MHD_RESPMEM_PERSISTENT);
        reply_header(r, "Content-Type", type);
}

void reply_empty(struct request *r, int status)
{
        answer_buffer(r, status, "", 0, MHD_RESPMEM_PERSISTENT);
}

static void answer_problem(struct request *r, const struct err *e, const char *process)
{
        int status = err_info(e->kind)->status;
        struct strbuf body = {0};

        if (status == MHD_HTTP_INTERNAL_SERVER_ERROR)
                log_error("http.failed", "error=%s", log_quote(e->msg));
        codec_problem(&body, e, process);
        /* A problem that memory ran out for is one without a body. */
        answer_json(r, status, &body);
        strbuf_done(&body);
        if (status == MHD_HTTP_UNAUTHORIZED)
                reply_header(r, "WWW-Authenticate", "Bearer realm=\"creche\"");
        if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
                reply_header(r, "Allow", r->match.allow);
        if (status == MHD_HTTP_SERVICE_UNAVAILABLE || status == MHD_HTTP_TOO_MANY_REQUESTS)
                reply_header(r, "Retry-After", "1");
}

void reply_problem(struct request *r, const struct err *e)
{
        answer_problem(r, e, NULL);
}

void reply_problem_of(struct request *r, const struct err *e, int64_t id)
{
        struct strbuf process = {0};
        struct err unread = {0};

        if (e->kind == ERR_EXEC_FAILED && id)
                reply_show(r, &process, id, &unread);
        /* The answer to a start that failed is the record of it: whoever cannot be given that asks again. */
        if (unread.kind != ERR_NONE && unread.kind != ERR_NOT_FOUND)
                e = &unread;
        answer_problem(r, e, process.len ? strbuf_text(&process) : NULL);
        strbuf_done(&process);
}

void reply_refuse(struct request *r, enum err_kind kind, const char *msg)
{
        struct err e = {0};

        err_set(&e, kind, 0, "%s", msg);
        answer_problem(r, &e, NULL);
}

void reply_stream(struct request *r, const char *type, uint64_t size, MHD_ContentReaderCallback reader,
                  void *state)
{
        answer(r, MHD_HTTP_OK, MHD_create_response_from_callback(size, STREAM_BLOCK, reader, state, NULL));
        /* libmicrohttpd 0.9.75 ends the chunks of an answer to HEAD, which has none: the client would take that end for
         * the beginning of the next answer. */
        if (r->response && size == MHD_SIZE_UNKNOWN && !strcmp(r->head.method, "HEAD"))
                MHD_set_response_options(r->response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
        reply_header(r, "Content-Type", type);
}

void reply_file(struct request *r, const char *type, int fd, uint64_t size)
{
        answer(r, MHD_HTTP_OK, MHD_create_response_from_fd64(size, fd));
        if (!r->response)
                close(fd);
        reply_header(r, "Content-Type", type);
}

static int64_t written(const struct request *r, const struct process *p, enum stream stream)
{
        enum output to = stream == STREAM_STDOUT ? p->out : p->err;

        if (to != OUTPUT_LOG || p->state == PROCESS_INITIAL)
                return 0;
        if (process_state_is_ended(p->state))
                return p->log_bytes[stream];
        return logs_size(r->http->config.logs, p->id, stream);
}

void reply_add_process(struct request *r, struct strbuf *b, const struct process *p)
{
        const int64_t bytes[STREAM_COUNT] = {written(r, p, STREAM_STDOUT), written(r, p, STREAM_STDERR)};

        codec_process(b, p, bytes);
}

struct show {
        struct request *request;
        struct strbuf *to;
};

static void show(const struct process *p, void *arg)
{
        struct show *s = arg;

        reply_add_process(s->request, s->to, p);
}

int reply_show(struct request *r, struct strbuf *b, int64_t id, struct err *e)
{
        struct show s = {r, b};

        return registry_show(request_registry(r), &r->caller, id, show, &s, e);
}

int reply_show_waited(struct request *r, struct strbuf *b, size_t i, int64_t id, struct err *e)
{
        struct show s = {r, b};

        return registry_show_waited(request_registry(r), &r->caller, &r->ticket, i, id, show, &s, e);
}

void reply_process(struct request *r, int status, int64_t id)
{
        struct strbuf body = {0};
        struct err e = {0};

        if (reply_show_waited(r, &body, 0, id, &e) < 0)
                reply_problem(r, &e);
        else
                reply_json(r, status, &body);
        strbuf_done(&body);
}

/* What each answer says, unless it has said otherwise: that nobody keeps it, and that no page of anybody's gets to
 * see it, frames it or takes it for a page. */
static void say_defaults(struct request *r)
{
        static const char *const defaults[][2] = {
                {"Cache-Control", "no-store"},
                {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
                {"Cross-Origin-Resource-Policy", "same-origin"},
                {"Referrer-Policy", "no-referrer"},
                {"X-Content-Type-Options", "nosniff"},
        };

        for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
                if (!MHD_get_response_header(r->response, defaults[i][0]))
                        reply_header(r, defaults[i][0], defaults[i][1]);
}

enum MHD_Result reply_send(struct request *r)
{
        enum MHD_Result rc;

        say_defaults(r);
        if (r->connection && !r->patient)
                idle_enter(r->connection, IDLE_ANSWER);
        rc = MHD_queue_response(r->conn, (unsigned)r->status, r->response);

        MHD_destroy_response(r->response);
        return rc;
}
