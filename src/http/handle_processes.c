/* SPDX-License-Identifier: MIT */
/* Reading: one process, its parent, itself; lists of processes. */
#include "http/handle.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "http/reply.h"

/* The model knows nothing of the document. */
_Static_assert((int)LIST_PROCESSES_LIMIT_MAX == (int)FILTER_LIMIT_MAX, "openapi.json: limit: maximum");
_Static_assert((int)LIST_PROCESSES_LABEL_MAX == (int)FILTER_LABELS_MAX, "openapi.json: label: maxItems");

/* ------------------------------------------------------------------------------------------- one */

/* Show r->id once it has ended or the time is over; what is known of its end is asked for first. */
static void wait_and_show(struct request *r, int64_t timeout_us)
{
        request_await(r, registry_wait(request_registry(r), &r->caller, r->id, timeout_us, request_ticket(r)),
                      PATIENT, handle_shown);
}

void handle_get_process(struct request *r)
{
        int64_t timeout_us = 0;
        struct err e = {0};

        if (query_seconds(&r->query, "wait", GET_PROCESS_WAIT_MAX, &timeout_us, &e) < 0)
                reply_problem(r, &e);
        else
                wait_and_show(r, timeout_us);
}

void handle_current_process(struct request *r)
{
        r->id = r->caller.process;
        if (!r->id)
                reply_refuse(r, ERR_NO_PROCESS, "the caller is an operator, not a process");
        else
                wait_and_show(r, 0);
}

static void take_parent(const struct process *p, void *arg)
{
        *(int64_t *)arg = p->parent;
}

void handle_parent_process(struct request *r)
{
        int64_t parent = 0;
        struct err e = {0};

        if (registry_show(request_registry(r), &r->caller, r->id, take_parent, &parent, &e) < 0) {
                reply_problem(r, &e);
                return;
        }
        if (!parent) {
                reply_refuse(r, ERR_NO_PARENT, "it was started by an operator");
                return;
        }
        /* The one process outside of its subtree that a process may see: to see it, it looks as an operator
         * does. */
        if (r->id == r->caller.process)
                r->caller = (struct caller){.scopes = r->caller.scopes};
        r->id = parent;
        wait_and_show(r, 0);
}

/* ----------------------------------------------------------------------------------------- lists */

/* A page ends behind the process with which it gets longer. */
enum { PAGE_BYTES_MAX = 4 * 1024 * 1024 };

/* A list that is asked for, and then being written. */
struct list_request {
        struct request *request;
        struct process_filter filter;
        bool pages; /* what is too long goes on behind a cursor */
        struct strbuf body;
        int64_t last; /* the id of the last that was written */
        bool full;    /* no more are */
};

static void list_free(void *state)
{
        struct list_request *l = state;

        strbuf_done(&l->body);
        free(l);
}

static struct list_request *list_new(struct request *r)
{
        struct list_request *l = calloc(1, sizeof(*l));

        if (!l) {
                reply_refuse(r, ERR_INTERNAL, "out of memory");
                return NULL;
        }
        l->request = r;
        l->filter = (struct process_filter)PROCESS_FILTER_ALL;
        request_keep(r, l, list_free);
        return l;
}

static void add_one(const struct process *p, void *arg)
{
        struct list_request *l = arg;

        /* A process may have as much argv as a body. */
        l->full = l->pages && l->body.len > PAGE_BYTES_MAX;
        if (l->full)
                return;
        if (l->last)
                strbuf_char(&l->body, ',');
        reply_add_process(l->request, &l->body, p);
        l->last = p->id;
}

static void write_list(struct request *r)
{
        struct list_request *l = r->state;
        struct err e = {0};
        int more;

        l->pages = true;
        strbuf_str(&l->body, "{\"processes\":[");
        more = registry_list(request_registry(r), &r->caller, &l->filter, add_one, l, &e);
        if (more < 0) {
                reply_problem(r, &e);
                return;
        }
        handle_page_end(&l->body, l->last, more || l->full);
        reply_json(r, MHD_HTTP_OK, &l->body);
}

static void settle(struct request *r, void (*then)(struct request *r))
{
        request_await(r, registry_settle(request_registry(r), request_ticket(r)), IMPATIENT, then);
}

static int parse_states(const struct query *q, struct process_filter *f, struct err *e)
{
        const char *s = query_get(q, "state");

        for (const char *end; s; s = *end ? end + 1 : NULL) {
                char name[16];
                int state = -1;

                end = strchrnul(s, ',');
                if ((size_t)(end - s) < sizeof(name)) {
                        memcpy(name, s, (size_t)(end - s));
                        name[end - s] = '\0';
                        state = process_state_parse(name);
                }
                if (state < 0)
                        return err_set(e, ERR_INVALID_QUERY, 0, "'state' has '%.*s', which is none",
                                       (int)(end - s), s);
                f->states |= 1U << state;
        }
        return 0;
}

static int parse_parent(const struct query *q, struct process_filter *f, struct err *e)
{
        const char *s = query_get(q, "parent");

        if (!s || strcmp(s, "none") != 0)
                return query_int(q, "parent", 1, INT64_MAX, &f->parent, e);
        f->parent = 0;
        return 0;
}

static int parse_start_method(const struct query *q, struct process_filter *f, struct err *e)
{
        const char *s = query_get(q, "start_method");

        if (!s)
                return 0;
        f->start_method = start_method_parse(s);
        if (f->start_method < 0)
                return err_set(e, ERR_INVALID_QUERY, 0, "'start_method' must be spawn, fork or forkserver");
        return 0;
}

/* The '=' of "key=value" is overwritten: the query is ours. */
static int parse_labels(struct query *q, struct process_filter *f, struct err *e)
{
        for (size_t i = 0; i < q->n; i++) {
                char *eq;

                if (strcmp(q->items[i].name, "label") != 0)
                        continue;
                if (f->labels_n == FILTER_LABELS_MAX)
                        return err_set(e, ERR_INVALID_QUERY, 0, "more than %d labels", FILTER_LABELS_MAX);
                eq = strchr(q->items[i].value, '=');
                if (eq)
                        *eq = '\0';
                if (!*q->items[i].value)
                        return err_set(e, ERR_INVALID_QUERY, 0, "'label' must be key or key=value");
                f->label_keys[f->labels_n] = q->items[i].value;
                f->label_values[f->labels_n++] = eq ? eq + 1 : NULL;
        }
        return 0;
}

static int parse_page(const struct query *q, struct process_filter *f, struct err *e)
{
        struct page page;

        if (handle_page(q, &page, e) < 0)
                return -1;
        f->ascending = page.ascending;
        f->after = page.after;
        f->limit = page.limit;
        return 0;
}

static int parse_filter(struct query *q, struct process_filter *f, struct err *e)
{
        bool daemon = false;

        if (parse_states(q, f, e) < 0 || query_bool(q, "daemon", &daemon, e) < 0 ||
            parse_parent(q, f, e) < 0 || parse_start_method(q, f, e) < 0 || parse_labels(q, f, e) < 0 ||
            query_time(q, "since", &f->since_us, e) < 0 || query_time(q, "until", &f->until_us, e) < 0 ||
            query_bool(q, "dangling", &f->dangling, e) < 0 || parse_page(q, f, e) < 0)
                return -1;
        f->name = query_get(q, "name");
        f->target = query_get(q, "target");
        f->q = query_get(q, "q");
        if (query_get(q, "daemon"))
                f->daemon = daemon;
        return 0;
}

void handle_list_processes(struct request *r)
{
        struct list_request *l = list_new(r);
        struct err e = {0};

        if (!l)
                return;
        if (parse_filter(&r->query, &l->filter, &e) < 0)
                reply_problem(r, &e);
        else
                settle(r, write_list);
}

void handle_list_children(struct request *r)
{
        struct list_request *l = list_new(r);
        int64_t parent;
        struct err e = {0};

        if (!l)
                return;
        l->filter.parent = r->id;
        if (registry_show(request_registry(r), &r->caller, r->id, take_parent, &parent, &e) < 0 ||
            parse_page(&r->query, &l->filter, &e) < 0)
                reply_problem(r, &e);
        else
                settle(r, write_list);
}

static void write_active_children(struct request *r)
{
        struct list_request *l = r->state;
        struct err e = {0};

        strbuf_str(&l->body, "{\"processes\":[");
        if (registry_active_children(request_registry(r), &r->caller, add_one, l, &e) < 0) {
                reply_problem(r, &e);
                return;
        }
        strbuf_str(&l->body, "]}");
        reply_json(r, MHD_HTTP_OK, &l->body);
}

void handle_active_children(struct request *r)
{
        if (list_new(r))
                settle(r, write_active_children);
}
