/* SPDX-License-Identifier: MIT */
#include "http/handle.h"

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

int handle_no_memory(struct err *e)
{
        return err_set(e, ERR_INTERNAL, 0, "out of memory");
}

void handle_shown(struct request *r)
{
        reply_process(r, MHD_HTTP_OK, r->id);
}
