/* SPDX-License-Identifier: MIT */
/* Many processes that are created together. */
#include "http/handle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/secret.h"
#include "http/codec.h"
#include "http/document.h"
#include "http/launch.h"
#include "http/reply.h"

enum {
        /* Of all processes together: a target makes much of little. */
        EXPANDED_MAX = 4 * 1024 * 1024,
        /* What an answer shows of each beside what was asked for: names and a folder of usual length. */
        ANSWER_REST = 4096,
};

/* The request: what registry_create_many() looks at lives as long as it does. */
struct starts {
        struct batch batch;
        size_t bytes, shown; /* of all: what they are made of; of it, what the answer shows */
        struct creation items[];
};

static void starts_free(void *state)
{
        struct starts *s = state;

        for (size_t i = 0; i < s->batch.n; i++) {
                spec_free(s->items[i].spec);
                secret_free_all((char *)(uintptr_t)s->items[i].body);
                ticket_done(&s->items[i].ticket);
        }
        free(s);
}

static void starts_freep(struct starts **s)
{
        if (*s)
                starts_free(*s);
}

/* An error of the process @i is one of a place in the body, unless it is ours. */
static void locate(struct err *e, size_t i)
{
        char inner[sizeof(e->pointer)] = "";

        if (err_info(e->kind)->status >= 500)
                return;
        if (e->has_pointer)
                memcpy(inner, e->pointer, sizeof(inner));
        snprintf(e->pointer, sizeof(e->pointer), "/processes/%zu%.100s", i, inner);
        e->has_pointer = 1;
}

static size_t length_of_all(char *const *strings)
{
        size_t n = 0;

        for (; *strings; strings++)
                n += strlen(*strings);
        return n;
}

static int count(struct starts *s, const struct spec *spec, struct err *e)
{
        size_t shown = launch_shown(spec);

        s->shown += shown + ANSWER_REST + (spec->cwd ? strlen(spec->cwd) : 0);
        s->bytes += shown + length_of_all(spec->argv) + length_of_all(spec->env) + spec->stdin_len;
        if (s->bytes > EXPANDED_MAX)
                return err_set_at(e, ERR_INVALID, "",
                                  "the processes of a batch are made of more than %d bytes", EXPANDED_MAX);
        return 0;
}

/* One of them. Returns -1 when the whole request is refused. */
static int read_one(struct request *r, struct starts *s, const json_t *item, struct creation *c,
                    struct err *e)
{
        CLEANUP(json_decrefp) json_t *doc = json_incref((json_t *)(uintptr_t)item);

        if (!json_is_object(doc))
                return err_set_at(e, ERR_INVALID, "", "must be an object");
        if (launch_read(r, &doc, &c->spec, &c->refusal) < 0) {
                c->may_repeat = launch_may_be_repeat(&c->refusal, doc);
                return 0;
        }
        if (count(s, c->spec, e) < 0)
                return -1;
        if (!c->spec->start && !(c->body = launch_stored(doc)))
                return handle_no_memory(e);
        return 0;
}

static int read_mode(const json_t *doc, bool *all, struct err *e)
{
        const json_t *mode = json_object_get(doc, "mode");
        const char *s = json_string_value(mode);
        const struct place top = {0}, at = {.up = &top, .key = "mode"};

        *all = true;
        if (!mode)
                return 0;
        if (!s || (strcmp(s, "all") != 0 && strcmp(s, "each") != 0))
                return place_refuse(&at, e, "must be \"all\" or \"each\"");
        *all = !strcmp(s, "all");
        return 0;
}

static int read_starts(struct request *r, const json_t *doc, struct starts **out, struct err *e)
{
        const json_t *list = json_object_get(doc, "processes");
        const struct place top = {0}, at = {.up = &top, .key = "processes"};
        size_t n = json_array_size(list);
        CLEANUP(starts_freep) struct starts *s = NULL;

        if (!list)
                return place_refuse(&at, e, "is missing");
        if (!json_is_array(list) || n < 1 || n > START_BATCH_PROCESSES_MAX)
                return place_refuse(&at, e, "must be an array of 1 to %d objects", START_BATCH_PROCESSES_MAX);
        s = calloc(1, sizeof(*s) + n * sizeof(s->items[0]));
        if (!s)
                return handle_no_memory(e);
        s->batch = (struct batch){.items = s->items, .n = n};
        if (read_mode(doc, &s->batch.all, e) < 0)
                return -1;
        for (size_t i = 0; i < n; i++) {
                if (read_one(r, s, json_array_get(list, i), &s->items[i], e) < 0) {
                        locate(e, i);
                        return -1;
                }
        }
        *out = TAKE_PTR(s);
        return 0;
}

static void add_problem(struct strbuf *b, struct err *e, size_t i)
{
        locate(e, i);
        strbuf_str(b, "{\"problem\":");
        codec_problem(b, e, NULL);
        strbuf_char(b, '}');
}

/* What could not become its program is a process, too: a failed one. */
static void add_result(struct request *r, struct strbuf *b, const struct ticket *t, size_t i)
{
        CLEANUP(strbuf_done) struct strbuf process = {0};
        struct err e = t->err;

        if (e.kind == ERR_EXEC_FAILED && t->id)
                e = (struct err){0};
        if (e.kind == ERR_NONE && reply_show(r, &process, t->id, &e) == 0)
                strbuf_printf(b, "{\"process\":%s,\"replayed\":%s}", strbuf_text(&process),
                              t->replayed ? "true" : "false");
        else
                add_problem(b, &e, i);
}

static void batch_is_over(struct request *r)
{
        struct starts *s = r->state;
        struct strbuf b = {0};

        if (s->batch.none) {
                locate(&s->items[s->batch.refused].ticket.err, s->batch.refused);
                reply_problem(r, &s->items[s->batch.refused].ticket.err);
                return;
        }
        strbuf_str(&b, "{\"results\":[");
        for (size_t i = 0; i < s->batch.n; i++) {
                if (i)
                        strbuf_char(&b, ',');
                add_result(r, &b, &s->items[i].ticket, i);
        }
        strbuf_str(&b, "]}");
        reply_json(r, MHD_HTTP_OK, &b);
        strbuf_done(&b);
}

void handle_start_batch(struct request *r)
{
        CLEANUP(json_decrefp) json_t *doc = NULL;
        CLEANUP(starts_freep) struct starts *s = NULL;
        struct idempotency idem;
        struct batch *batch;
        bool has_key;
        struct err e = {0};

        if (launch_key(r, &idem, &has_key, &e) < 0 || handle_body(r, &doc, &e) < 0 ||
            read_starts(r, doc, &s, &e) < 0 || request_hold_answer(r, s->shown, &e) < 0) {
                reply_problem(r, &e);
                return;
        }
        batch = &s->batch;
        request_keep(r, TAKE_PTR(s), starts_free);
        request_await(r,
                      registry_create_many(request_registry(r), &r->caller, batch, has_key ? &idem : NULL,
                                           request_ticket(r)),
                      IMPATIENT, batch_is_over);
}
