/* SPDX-License-Identifier: MIT */
/* /v1/audit: who has done what. */
#include "http/handle.h"

#include "http/codec.h"
#include "http/reply.h"
#include "registry/access.h"

struct audit_list {
        struct strbuf body;
        int64_t last;
};

static void add_entry(const struct audit *a, void *arg)
{
        struct audit_list *l = arg;

        if (l->last)
                strbuf_char(&l->body, ',');
        codec_audit(&l->body, a);
        l->last = a->id;
}

static int read_filter(const struct query *q, struct audit_filter *f, struct err *e)
{
        f->who = query_get(q, "who");
        if (query_time(q, "since", &f->since_us, e) < 0 || query_time(q, "until", &f->until_us, e) < 0 ||
            query_int(q, "process", 1, INT64_MAX, &f->process, e) < 0)
                return -1;
        return handle_page(q, &f->page, e);
}

void handle_list_audit(struct request *r)
{
        struct audit_list l = {0};
        struct audit_filter f = {.who = NULL};
        struct err e = {0};
        int more = -1;

        strbuf_str(&l.body, "{\"entries\":[");
        if (read_filter(&r->query, &f, &e) == 0)
                more = registry_audit(request_registry(r), &f, add_entry, &l, &e);
        if (more < 0) {
                reply_problem(r, &e);
        } else {
                handle_page_end(&l.body, l.last, more);
                reply_json(r, MHD_HTTP_OK, &l.body);
        }
        strbuf_done(&l.body);
}
