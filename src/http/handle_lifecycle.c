/* SPDX-License-Identifier: MIT */
/* join, terminate, kill, interrupt, signal, close, delete */
#include "http/handle.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "http/document.h"
#include "http/reply.h"

/* ------------------------------------------------------------------------------------------ join */

void handle_join_process(struct request *r)
{
        CLEANUP(json_decrefp) json_t *doc = NULL;
        int64_t timeout_us = -1;
        struct err e = {0};

        if (handle_body(r, &doc, &e) < 0 || document_timeout(doc, "timeout", &timeout_us, &e) < 0)
                reply_problem(r, &e);
        else
                request_await(
                        r,
                        registry_join(request_registry(r), &r->caller, r->id, timeout_us, request_ticket(r)),
                        PATIENT, handle_shown);
}

/* ------------------------------------------------------------------------------------- join many */

/* Which processes are waited for. */
struct many {
        size_t n;
        int64_t ids[];
};

/* Once, however often it is given: or a small request would get an answer of any size. */
static void add_id(struct many *m, int64_t id)
{
        for (size_t i = 0; i < m->n; i++)
                if (m->ids[i] == id)
                        return;
        m->ids[m->n++] = id;
}

static int read_ids(const json_t *doc, struct many **out, struct err *e)
{
        const json_t *ids = json_object_get(doc, "ids");
        const struct place top = {0}, at = {.up = &top, .key = "ids"};
        size_t n = json_array_size(ids);
        CLEANUP(freep) struct many *m = NULL;

        if (!ids)
                return place_refuse(&at, e, "is missing");
        if (!json_is_array(ids) || n < 1 || n > JOIN_PROCESSES_IDS_MAX)
                return place_refuse(&at, e, "must be an array of 1 to %d ids", JOIN_PROCESSES_IDS_MAX);
        m = malloc(sizeof(*m) + n * sizeof(m->ids[0]));
        if (!m)
                return handle_no_memory(e);
        m->n = 0;
        for (size_t i = 0; i < n; i++) {
                const struct place item = {.up = &at, .index = i};
                const json_t *id = json_array_get(ids, i);

                if (!json_is_integer(id) || json_integer_value(id) < 1)
                        return place_refuse(&item, e, "must be a positive integer");
                add_id(m, json_integer_value(id));
        }
        *out = TAKE_PTR(m);
        return 0;
}

static int read_mode(const json_t *doc, bool *any, struct err *e)
{
        const json_t *mode = json_object_get(doc, "mode");
        const char *s = json_string_value(mode);
        const struct place top = {0}, at = {.up = &top, .key = "mode"};

        if (!mode)
                return 0;
        if (!s || (strcmp(s, "all") != 0 && strcmp(s, "any") != 0))
                return place_refuse(&at, e, "must be \"all\" or \"any\"");
        *any = !strcmp(s, "any");
        return 0;
}

static int add_ready(struct request *r, const struct many *m, struct strbuf *b, struct err *e)
{
        bool first = true;

        strbuf_str(b, "{\"ready\":[");
        for (size_t i = 0; i < m->n; i++) {
                if (!r->ticket.ready[i])
                        continue;
                if (!first)
                        strbuf_char(b, ',');
                first = false;
                if (reply_show_waited(r, b, i, m->ids[i], e) < 0)
                        return -1;
        }
        return 0;
}

static void add_pending(const struct request *r, const struct many *m, struct strbuf *b)
{
        bool first = true;

        strbuf_str(b, "],\"pending\":[");
        for (size_t i = 0; i < m->n; i++) {
                if (r->ticket.ready[i])
                        continue;
                if (!first)
                        strbuf_char(b, ',');
                first = false;
                strbuf_int(b, m->ids[i]);
        }
        strbuf_str(b, "]}");
}

static void joined_many(struct request *r)
{
        const struct many *m = r->state;
        struct strbuf b = {0};
        struct err e = {0};

        if (add_ready(r, m, &b, &e) < 0) {
                reply_problem(r, &e);
        } else {
                add_pending(r, m, &b);
                reply_json(r, MHD_HTTP_OK, &b);
        }
        strbuf_done(&b);
}

void handle_join_processes(struct request *r)
{
        CLEANUP(json_decrefp) json_t *doc = NULL;
        struct many *m = NULL;
        int64_t timeout_us = -1;
        bool any = false;
        struct err e = {0};

        if (handle_body(r, &doc, &e) < 0 || read_mode(doc, &any, &e) < 0 ||
            document_timeout(doc, "timeout", &timeout_us, &e) < 0 || read_ids(doc, &m, &e) < 0) {
                reply_problem(r, &e);
                return;
        }
        request_keep(r, m, free);
        request_await(r,
                      registry_join_many(request_registry(r), &r->caller, m->ids, m->n, any, timeout_us,
                                         request_ticket(r)),
                      PATIENT, joined_many);
}

/* --------------------------------------------------------------------------------------- signals */

static void signalled(struct request *r)
{
        struct strbuf b = {0};
        struct err e = {0};

        strbuf_str(&b, r->ticket.delivered ? "{\"delivered\":true,\"process\":"
                                           : "{\"delivered\":false,\"process\":");
        if (reply_show(r, &b, r->id, &e) < 0) {
                reply_problem(r, &e);
        } else {
                strbuf_char(&b, '}');
                reply_json(r, MHD_HTTP_OK, &b);
        }
        strbuf_done(&b);
}

static void send_signal(struct request *r, int signo, const char *verb, bool tree)
{
        request_await(
                r,
                registry_signal(request_registry(r), &r->caller, r->id, signo, verb, tree, request_ticket(r)),
                IMPATIENT, signalled);
}

static void send_verb(struct request *r, int signo, const char *verb)
{
        CLEANUP(json_decrefp) json_t *doc = NULL;
        bool tree = false;
        struct err e = {0};

        if (handle_body(r, &doc, &e) < 0 || document_bool(doc, "tree", &tree, &e) < 0)
                reply_problem(r, &e);
        else
                send_signal(r, signo, verb, tree);
}

void handle_terminate_process(struct request *r)
{
        send_verb(r, SIGTERM, "terminate");
}

void handle_kill_process(struct request *r)
{
        send_verb(r, SIGKILL, "kill");
}

void handle_interrupt_process(struct request *r)
{
        send_verb(r, SIGINT, "interrupt");
}

static int read_signal(const json_t *doc, int *signo, struct err *e)
{
        const json_t *v = json_object_get(doc, "signal");
        const char *s = json_string_value(v);
        const struct place top = {0}, at = {.up = &top, .key = "signal"};

        if (!v)
                return place_refuse(&at, e, "is missing");
        *signo = -1;
        if (s && *s > '9')
                *signo = signal_parse(s);
        if (json_is_integer(v) && json_integer_value(v) >= 1 && json_integer_value(v) <= 64)
                *signo = (int)json_integer_value(v);
        return *signo < 0 ? place_refuse(&at, e, "must be the name of a signal or a number from 1 to 64") : 0;
}

void handle_signal_process(struct request *r)
{
        CLEANUP(json_decrefp) json_t *doc = NULL;
        bool tree = false;
        int signo = 0;
        struct err e = {0};

        if (handle_body(r, &doc, &e) < 0 || document_bool(doc, "tree", &tree, &e) < 0 ||
            read_signal(doc, &signo, &e) < 0)
                reply_problem(r, &e);
        else
                send_signal(r, signo, "signal", tree);
}

/* --------------------------------------------------------------------------------- close, delete */

static void gone(struct request *r)
{
        reply_empty(r, MHD_HTTP_NO_CONTENT);
}

void handle_close_process(struct request *r)
{
        request_await(r, registry_close(request_registry(r), &r->caller, r->id, request_ticket(r)), IMPATIENT,
                      gone);
}

void handle_delete_process(struct request *r)
{
        request_await(r, registry_delete(request_registry(r), &r->caller, r->id, request_ticket(r)),
                      IMPATIENT, gone);
}
