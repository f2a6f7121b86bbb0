/* SPDX-License-Identifier: MIT */
#include "http/handle.h"

#include <string.h>

#include "http/base64.h"
#include "http/reply.h"

int handle_body(struct request *r, json_t **out, struct err *e)
{
        if (!r->body.len) {
                *out = json_object();
                return *out ? 0 : handle_no_memory(e);
        }
        if (document_read(strbuf_text(&r->body), r->body.len, out, e) < 0)
                return -1;
        return document_only(*out, r->route->members, e);
}

int handle_page(const struct query *q, struct page *out, struct err *e)
{
        const char *order = query_get(q, "order"), *cursor = query_get(q, "cursor");
        int64_t limit = FILTER_LIMIT_DEFAULT, after = 0;

        if (order && strcmp(order, "asc") != 0 && strcmp(order, "desc") != 0)
                return err_set(e, ERR_INVALID_QUERY, 0, "'order' must be asc or desc");
        if (cursor && !(after = cursor_parse(cursor)))
                return err_set(e, ERR_INVALID_QUERY, 0, "'cursor' is not the 'next' of a page");
        if (query_int(q, "limit", 1, FILTER_LIMIT_MAX, &limit, e) < 0)
                return -1;
        *out = (struct page){.ascending = order && *order == 'a', .after = after, .limit = (size_t)limit};
        return 0;
}

void handle_page_end(struct strbuf *b, int64_t last, bool more)
{
        char cursor[CURSOR_MAX];

        if (more)
                strbuf_printf(b, "],\"next\":\"%s\"}", cursor_text(last, cursor));
        else
                strbuf_str(b, "],\"next\":null}");
}

int handle_no_memory(struct err *e)
{
        return err_set(e, ERR_INTERNAL, 0, "out of memory");
}

void handle_shown(struct request *r)
{
        reply_process(r, MHD_HTTP_OK, r->id);
}
