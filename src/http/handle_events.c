/* SPDX-License-Identifier: MIT */
/* What happened: as a page of JSON, or as Server-Sent Events that go on until the client leaves.
 *
 * A stream is a place in the table of events. When its client can take more, the next page is read from there;
 * who reads slowly or not at all costs the same. Its place is told with each event, with the beginning, and when
 * it has moved past events that the client did not want: so a client that comes back is given what it missed. */
#include "http/handle.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "http/codec.h"
#include "http/encoding.h"
#include "http/reply.h"
#include "registry/access.h"

enum { PAGE = 50 /* events of a stream that are read at once */, RETRY_MS = 1000 };

#define SINCE_MAX (INT64_MAX / 2)

struct events_request {
        struct request *request;
        struct event_filter filter;
        struct strbuf out; /* JSON; or what of the stream is to be sent, from ->sent on */
        size_t sent;
        int64_t told; /* the last id of the stream that its client knows of; -1: none yet */
        struct feed_stream stream;
        bool following;
};

static void events_free(void *state)
{
        struct events_request *q = state;

        if (q->following)
                feed_leave(&q->request->http->feed, &q->stream);
        strbuf_done(&q->out);
        free(q);
}

static struct events_request *events_new(struct request *r)
{
        struct events_request *q = calloc(1, sizeof(*q));

        if (!q)
                return NULL;
        q->request = r;
        q->told = -1;
        q->filter = (struct event_filter){.since = -1, .limit = EVENT_LIMIT_DEFAULT};
        request_keep(r, q, events_free);
        return q;
}

/* --------------------------------------------------------------------------------------- the query */

static int parse_types(const struct query *q, struct event_filter *f, struct err *e)
{
        const char *s = query_get(q, "type");

        for (const char *end; s; s = *end ? end + 1 : NULL) {
                char name[16] = "";
                int type = -1;

                end = strchrnul(s, ',');
                if ((size_t)(end - s) < sizeof(name)) {
                        memcpy(name, s, (size_t)(end - s));
                        type = event_type_parse(name);
                }
                if (type < 0)
                        return err_set(e, ERR_INVALID_QUERY, 0, "'type' has '%.*s', which is none",
                                       (int)(end - s), s);
                f->types |= 1U << type;
        }
        return 0;
}

static int parse_filter(const struct query *q, struct event_filter *f, struct err *e)
{
        const char *order = query_get(q, "order");
        int64_t limit = EVENT_LIMIT_DEFAULT;

        if (order && strcmp(order, "asc") != 0 && strcmp(order, "desc") != 0)
                return err_set(e, ERR_INVALID_QUERY, 0, "'order' must be asc or desc");
        f->descending = order && *order == 'd';
        if (query_int(q, "since", 0, SINCE_MAX, &f->since, e) < 0 ||
            query_int(q, "process", 1, INT64_MAX, &f->process, e) < 0 ||
            query_int(q, "limit", 1, LIST_EVENTS_LIMIT_MAX, &limit, e) < 0 || parse_types(q, f, e) < 0)
                return -1;
        f->limit = (size_t)limit;
        return 0;
}

/* ---------------------------------------------------------------------------------------- one page */

static void add_to_page(const struct event *ev, void *arg)
{
        struct events_request *q = arg;

        if (q->told >= 0)
                strbuf_char(&q->out, ',');
        codec_event(&q->out, ev);
        q->told = ev->id;
}

static void write_page(struct request *r)
{
        struct events_request *q = r->state;
        struct event_page page;
        struct err e = {0};

        strbuf_str(&q->out, "{\"events\":[");
        if (registry_events(request_registry(r), &r->caller, &q->filter, &page, add_to_page, q, &e) < 0) {
                reply_problem(r, &e);
                return;
        }
        if (page.gap) {
                err_set(&e, ERR_EVENTS_GONE, 0,
                        "there are events %" PRId64 " to %" PRId64 ", not those after %" PRId64, page.oldest,
                        page.last, q->filter.since);
                reply_problem(r, &e);
                return;
        }
        strbuf_str(&q->out, "],\"next\":");
        if (page.more)
                strbuf_int(&q->out, page.at);
        else
                strbuf_str(&q->out, "null");
        strbuf_printf(&q->out, ",\"last\":%" PRId64 "}", page.last);
        reply_json(r, MHD_HTTP_OK, &q->out);
        reply_header(r, "Vary", "Accept");
}

/* ---------------------------------------------------------------------------------------- a stream */

static void add_to_stream(const struct event *ev, void *arg)
{
        struct events_request *q = arg;

        strbuf_printf(&q->out, "id: %" PRId64 "\nevent: %s\ndata: ", ev->id, ev->type);
        codec_event(&q->out, ev);
        strbuf_str(&q->out, "\n\n");
        q->told = ev->id;
}

/* An id without data is no event to a client, but it goes on from there when it comes back. */
static void tell_place(struct events_request *q)
{
        q->told = q->filter.since;
        strbuf_printf(&q->out, "id: %" PRId64 "\n\n", q->told);
}

static void tell_gap(struct events_request *q, int64_t next)
{
        strbuf_printf(&q->out,
                      "id: %" PRId64 "\nevent: reset\ndata: {\"since\":%" PRId64 ",\"next\":%" PRId64 "}\n\n",
                      next, q->filter.since, next);
        q->told = next;
}

/* What there is behind the stream's place, to ->out. Returns 1 when there may be more at once, 0, -1. */
static int read_page(struct events_request *q)
{
        struct request *r = q->request;
        struct event_page page;
        struct err e = {0};

        if (registry_events(request_registry(r), &r->caller, &q->filter, &page, add_to_stream, q, &e) < 0) {
                log_warn("events.cut", "error=%s", log_quote(e.msg));
                return -1;
        }
        if (page.gap)
                tell_gap(q, page.at);
        q->filter.since = page.at;
        return page.more;
}

/* All that was read is sent: read on, or wait. Returns what a reader of libmicrohttpd does. */
static ssize_t go_on(struct events_request *q)
{
        struct request *r = q->request;
        unsigned events = request_take(r, REQUEST_MORE | REQUEST_BEAT | REQUEST_LEFT | REQUEST_STOP);
        bool lives = registry_recheck(request_registry(r), &r->caller, NULL) == 0;
        int more;

        strbuf_reset(&q->out);
        q->sent = 0;
        if (events & REQUEST_LEFT)
                return MHD_CONTENT_READER_END_WITH_ERROR;
        if (events & REQUEST_STOP)
                return MHD_CONTENT_READER_END_OF_STREAM;
        more = read_page(q);
        if (more < 0 || strbuf_failed(&q->out))
                return MHD_CONTENT_READER_END_WITH_ERROR;
        if (!q->out.len && events & REQUEST_BEAT) {
                if (q->told == q->filter.since)
                        strbuf_str(&q->out, ":\n\n");
                else
                        tell_place(q);
        }
        if (q->out.len)
                return 0;
        if (!lives && !more)
                return MHD_CONTENT_READER_END_OF_STREAM;
        strbuf_done(&q->out); /* nobody knows for how long */
        if (more)
                request_wake(r, REQUEST_MORE);
        return request_park(r) ? 0 : MHD_CONTENT_READER_END_OF_STREAM;
}

static ssize_t read_stream(void *cls, uint64_t pos, char *buf, size_t max)
{
        struct events_request *q = cls;
        ssize_t rc;

        (void)pos;
        if (q->sent == q->out.len) {
                rc = go_on(q);
                if (rc || !q->out.len)
                        return rc;
        }
        if (max > q->out.len - q->sent)
                max = q->out.len - q->sent;
        memcpy(buf, q->out.s + q->sent, max);
        q->sent += max;
        return (ssize_t)max;
}

static int read_last_id(const struct request *r, struct event_filter *f, struct err *e)
{
        const char *text = head_get(&r->head, HEADER_LAST_EVENT_ID);
        char *end;

        /* A client that comes back sends the query that it began with, too. */
        if (!text || !*text)
                return 0;
        errno = 0;
        f->since = strtoll(text, &end, 10);
        if (!isdigit((unsigned char)*text) || *end || errno || f->since > SINCE_MAX)
                return err_set(e, ERR_INVALID_QUERY, 0, "Last-Event-ID must be the id of an event");
        return 0;
}

/* Where the stream begins when its client does not say: with what happens from now on. */
static int find_place(struct request *r, struct event_filter *f, struct err *e)
{
        const struct event_filter none = {.since = -1};
        struct event_page page;

        if (f->since >= 0)
                return 0;
        if (registry_events(request_registry(r), &r->caller, &none, &page, NULL, NULL, e) < 0)
                return -1;
        f->since = page.last;
        return 0;
}

static int begin_stream(struct request *r, struct events_request *q, struct err *e)
{
        if (query_get(&r->query, "order") || query_get(&r->query, "limit"))
                return err_set(e, ERR_INVALID_QUERY, 0, "a stream has neither 'order' nor 'limit'");
        if (read_last_id(r, &q->filter, e) < 0)
                return -1;
        q->filter.limit = PAGE;
        q->stream.request = r;
        if (request_admit(r, e) < 0 || feed_join(&r->http->feed, &q->stream, e) < 0)
                return -1;
        q->following = true;
        if (find_place(r, &q->filter, e) < 0)
                return -1;
        r->patient = true;
        strbuf_printf(&q->out, "retry: %d\n", RETRY_MS);
        tell_place(q);
        return 0;
}

static void follow(struct request *r, struct events_request *q)
{
        struct err e = {0};

        if (begin_stream(r, q, &e) < 0)
                reply_problem(r, &e);
        else
                reply_stream(r, "text/event-stream", MHD_SIZE_UNKNOWN, read_stream, q);
        reply_header(r, "Vary", "Accept");
}

void handle_list_events(struct request *r)
{
        struct events_request *q = events_new(r);
        struct err e = {0};

        if (!q)
                reply_refuse(r, ERR_INTERNAL, "out of memory");
        else if (parse_filter(&r->query, &q->filter, &e) < 0)
                reply_problem(r, &e);
        else if (encoding_names_type(head_get(&r->head, HEADER_ACCEPT), "text/event-stream"))
                follow(r, q);
        else
                request_await(r, registry_settle(request_registry(r), request_ticket(r)), IMPATIENT,
                              write_page);
}
