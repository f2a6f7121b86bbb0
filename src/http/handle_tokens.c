/* SPDX-License-Identifier: MIT */
/* /v1/tokens: who may call. */
#include "http/handle.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "http/codec.h"
#include "http/reply.h"
#include "registry/access.h"

/* A token that is being shown. */
struct show {
        struct strbuf *to;
        const char *text; /* told once; NULL */
};

static void show_token(const struct token *t, void *arg)
{
        const struct show *s = arg;

        codec_token(s->to, t, s->text);
}

static void reply_token(struct request *r, int status, int64_t id, const char *text)
{
        struct strbuf body = {0};
        struct show s = {&body, text};
        struct err e = {0};

        if (registry_token_show(request_registry(r), id, show_token, &s, &e) < 0)
                reply_problem(r, &e);
        else
                reply_json(r, status, &body);
        strbuf_done(&body);
}

void handle_get_token(struct request *r)
{
        reply_token(r, MHD_HTTP_OK, r->id, NULL);
}

/* ------------------------------------------------------------------------------------------ mint */

static void forget_text(void *text)
{
        explicit_bzero(text, TOKEN_TEXT_MAX);
        free(text);
}

static void minted(struct request *r)
{
        char location[48];

        reply_token(r, MHD_HTTP_CREATED, r->ticket.id, r->state);
        if (r->status != MHD_HTTP_CREATED)
                return;
        snprintf(location, sizeof(location), "/v1/tokens/%" PRId64, r->ticket.id);
        reply_header(r, "Location", location);
}

static int make_text(struct request *r, struct err *e)
{
        char *text = malloc(TOKEN_TEXT_MAX);

        if (!text)
                return handle_no_memory(e);
        request_keep(r, text, forget_text);
        return registry_token_make(text, e);
}

void handle_mint_token(struct request *r)
{
        CLEANUP(json_decrefp) json_t *doc = NULL;
        char targets[TARGETS_TEXT_MAX];
        struct token wanted;
        struct err e = {0};

        if (handle_body(r, &doc, &e) < 0 || codec_mint(doc, targets, &wanted, &e) < 0 || make_text(r, &e) < 0)
                reply_problem(r, &e);
        else
                request_await(r,
                              registry_token_mint(request_registry(r), &r->caller, &wanted, r->state,
                                                  request_ticket(r)),
                              IMPATIENT, minted);
}

/* ---------------------------------------------------------------------------------------- revoke */

static void revoked(struct request *r)
{
        reply_empty(r, MHD_HTTP_NO_CONTENT);
}

void handle_revoke_token(struct request *r)
{
        request_await(r, registry_token_revoke(request_registry(r), &r->caller, r->id, request_ticket(r)),
                      IMPATIENT, revoked);
}

/* ------------------------------------------------------------------------------------------ list */

struct token_list {
        struct strbuf body;
        int64_t last;
};

static void add_token(const struct token *t, void *arg)
{
        struct token_list *l = arg;

        if (l->last)
                strbuf_char(&l->body, ',');
        codec_token(&l->body, t, NULL);
        l->last = t->id;
}

void handle_list_tokens(struct request *r)
{
        struct token_list l = {0};
        struct page page;
        struct err e = {0};
        int more = -1;

        strbuf_str(&l.body, "{\"tokens\":[");
        if (handle_page(&r->query, &page, &e) == 0)
                more = registry_tokens_list(request_registry(r), &page, add_token, &l, &e);
        if (more < 0) {
                reply_problem(r, &e);
        } else {
                handle_page_end(&l.body, l.last, more);
                reply_json(r, MHD_HTTP_OK, &l.body);
        }
        strbuf_done(&l.body);
}
