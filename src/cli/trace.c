/* SPDX-License-Identifier: MIT */
#include "cli/trace.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/json.h"
#include "cli/text.h"

static void add_header(struct strbuf *b, const char *name, const char *value)
{
        struct strbuf h = {0};

        if (!value)
                return;
        strbuf_printf(&h, "%s: %s", name, value);
        strbuf_str(b, " -H ");
        text_quote(b, strbuf_text(&h));
        strbuf_done(&h);
}

/* The values of secrets are not for a terminal's history. */
static char *without_secrets(const struct strbuf *body)
{
        json_t *j = json_loadb(body->s, body->len, 0, NULL), *secrets = json_object_get(j, "secrets");
        const char *name;
        json_t *value;
        void *next;
        char *text;

        json_object_foreach_safe(secrets, next, name, value)
                json_object_set_new(secrets, name, json_string("..."));
        text = json_dumps(j, JSON_COMPACT | JSON_REAL_PRECISION(15));
        json_decref(j);
        return text;
}

static void add_body(struct strbuf *b, const struct exchange *x)
{
        char *text;

        if (x->give)
                strbuf_str(b, " -T -");
        if (!x->body.len)
                return;
        text = without_secrets(&x->body);
        add_header(b, "Content-Type", "application/json");
        strbuf_str(b, " -d ");
        text_quote(b, text ?: "");
        free(text);
}

void trace(const struct exchange *x)
{
        const struct connection *where = &x->client->where;
        struct strbuf b = {0}, url = {0}, shown = {0};

        strbuf_str(&b, "curl -sS");
        if (x->take)
                strbuf_str(&b, "N");
        if (!where->url) {
                strbuf_str(&b, " --unix-socket ");
                text_quote(&b, where->socket);
        }
        if (strcmp(x->method, "GET") != 0)
                strbuf_printf(&b, " -X %s", x->method);
        if (where->token)
                strbuf_printf(&b, " -H \"Authorization: Bearer %s\"", where->token_in);
        add_header(&b, "Idempotency-Key", x->key);
        add_header(&b, "Accept", x->accept);
        add_body(&b, x);
        strbuf_printf(&url, "%s%s", where->url ?: "http://creche", strbuf_text(&x->target));
        strbuf_char(&b, ' ');
        text_quote(&b, strbuf_text(&url));
        text_escape(&shown, strbuf_text(&b), b.len, false);
        fprintf(stderr, "+ %s\n", strbuf_text(isatty(STDERR_FILENO) ? &shown : &b));
        strbuf_done(&shown);
        strbuf_done(&url);
        strbuf_done(&b);
}
