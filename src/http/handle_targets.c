/* SPDX-License-Identifier: MIT */
/* /v1/targets: what may be started by its name. */
#include "http/handle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/secret.h"
#include "http/codec.h"
#include "http/reply.h"
#include "registry/targets.h"

/* The model knows nothing of the document. */
_Static_assert((int)PUT_TARGET_PLACEHOLDERS_MAX == (int)TARGET_PLACEHOLDERS_MAX,
               "openapi.json: placeholders: maxItems");
_Static_assert((int)CREATE_PROCESS_ARGS_MAX == (int)TARGET_PLACEHOLDERS_MAX, "openapi.json: args: maxItems");
_Static_assert((int)MINT_TOKEN_TARGETS_MAX == (int)TARGETS_MAX, "openapi.json: targets: maxItems");

/* A target that is being shown. */
struct show {
        struct strbuf body;
        int64_t last; /* of a list: the id of the last that was written */
        int rc;
        struct err err;
};

static void show_target(const struct target *t, void *arg)
{
        struct show *s = arg;

        if (s->last)
                strbuf_char(&s->body, ',');
        if (!s->rc)
                s->rc = codec_target_show(&s->body, t, &s->err);
        s->last = t->id;
}

static void reply_target(struct request *r, int status)
{
        struct show s = {.rc = 0};

        if (registry_target_show(request_registry(r), r->match.name, show_target, &s, &s.err) < 0 || s.rc < 0)
                reply_problem(r, &s.err);
        else
                reply_json(r, status, &s.body);
        strbuf_done(&s.body);
}

void handle_get_target(struct request *r)
{
        reply_target(r, MHD_HTTP_OK);
}

/* ------------------------------------------------------------------------------------------- put */

static void put(struct request *r)
{
        char location[sizeof("/v1/targets/") + ROUTE_NAME_MAX];

        reply_target(r, r->ticket.replaced ? MHD_HTTP_OK : MHD_HTTP_CREATED);
        if (r->status != MHD_HTTP_CREATED)
                return;
        snprintf(location, sizeof(location), "/v1/targets/%s", r->match.name);
        reply_header(r, "Location", location);
}

void handle_put_target(struct request *r)
{
        CLEANUP(json_decrefp) json_t *doc = NULL;
        CLEANUP(secret_freep) char *definition = NULL;
        struct err e = {0};

        if (handle_body(r, &doc, &e) < 0 || codec_target(doc, &e) < 0)
                reply_problem(r, &e);
        else if (!(definition = json_dumps(doc, JSON_COMPACT)))
                reply_refuse(r, ERR_INTERNAL, "out of memory");
        else
                request_await(r,
                              registry_target_put(request_registry(r), &r->caller, r->match.name, definition,
                                                  request_ticket(r)),
                              IMPATIENT, put);
}

/* ---------------------------------------------------------------------------------------- delete */

static void deleted(struct request *r)
{
        reply_empty(r, MHD_HTTP_NO_CONTENT);
}

void handle_delete_target(struct request *r)
{
        request_await(
                r, registry_target_delete(request_registry(r), &r->caller, r->match.name, request_ticket(r)),
                IMPATIENT, deleted);
}

/* ------------------------------------------------------------------------------------------ list */

void handle_list_targets(struct request *r)
{
        struct show s = {.rc = 0};
        struct page page;
        int more = -1;

        strbuf_str(&s.body, "{\"targets\":[");
        if (handle_page(&r->query, &page, &s.err) == 0)
                more = registry_targets_list(request_registry(r), &page, show_target, &s, &s.err);
        if (more < 0 || s.rc < 0) {
                reply_problem(r, &s.err);
        } else {
                handle_page_end(&s.body, s.last, more);
                reply_json(r, MHD_HTTP_OK, &s.body);
        }
        strbuf_done(&s.body);
}
