/* SPDX-License-Identifier: MIT */
/* events: what has happened, and what happens. */
#include "cli/cmd.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/json.h"
#include "cli/select.h"
#include "cli/sse.h"
#include "cli/text.h"
#include "cli/view.h"

enum { PAGE = 1000, SHOWN = 50 };

struct follow {
        struct cli *c;
        const struct args *a;
};

/* --process and --type, for the query. */
static int make_query(struct cli *c, const struct args *a, struct strbuf *query, struct fail *f)
{
        CLEANUP(json_putp) json_t *process = NULL;

        if (args_has(a, "process")) {
                if (select_one(c, args_get(a, "process"), "", &process, f) < 0)
                        return -1;
                strbuf_printf(query, "&process=%" PRId64, json_number(process, "id"));
        }
        if (args_has(a, "type")) {
                strbuf_str(query, "&type=");
                url_encode(query, args_get(a, "type"));
        }
        return 0;
}

static int print_event(struct follow *w, json_t *event, struct fail *f)
{
        struct strbuf b = {0};
        int rc;

        if (view_wants_json(w->a))
                return view_object(event, f);
        strbuf_printf(&b, "%.19sZ  %-8s ", json_text(event, "at") ?: "", json_text(event, "type") ?: "");
        select_name(event, &b);
        /* An event's own id is not that of its process. */
        b.len = (size_t)(strrchr(b.s, '(') - b.s);
        strbuf_printf(&b, "(%" PRId64 ")", json_number(event, "process"));
        if (json_is_integer(json_object_get(event, "exitcode")))
                strbuf_printf(&b, "  exitcode %" PRId64, json_number(event, "exitcode"));
        else if (json_text(event, "reason"))
                strbuf_printf(&b, "  %s", json_text(event, "reason"));
        strbuf_char(&b, '\n');
        rc = output_str(&b, f);
        strbuf_done(&b);
        return rc;
}

static int take_event(void *arg, json_t *event, struct fail *f)
{
        if (event)
                return print_event(arg, event, f);
        talk("some events are not kept any more: 'creche ps' shows how things are");
        return 0;
}

static int follow(struct cli *c, const struct args *a, const char *query, struct fail *f)
{
        struct follow w = {.c = c, .a = a};
        struct sse s;
        int rc;

        sse_begin(&s, &c->client, args_get(a, "since"), query);
        s.event = take_event;
        s.arg = &w;
        while (!s.x.done)
                client_turn(&c->client, 1000);
        rc = s.x.failed;
        if (rc < 0)
                *f = s.x.fail;
        sse_done(&s);
        return rc;
}

/* Events after @since, or the newest, oldest first. */
static int list(struct cli *c, const struct args *a, const char *query, long long max, json_t *all,
                struct fail *f)
{
        const char *since = args_get(a, "since");
        long long next = since ? strtoll(since, NULL, 10) : -1;

        do {
                CLEANUP(json_putp) json_t *page = NULL;
                char from[32] = "";
                long long had = (long long)json_array_size(all);

                if (next >= 0)
                        snprintf(from, sizeof(from), "&since=%lld", next);
                if (client_get(&c->client, &page, f, "/v1/events?limit=%lld&order=%s%s%s",
                               max - had < PAGE ? max - had : PAGE, since ? "asc" : "desc", from, query) < 0)
                        return -1;
                json_array_extend(all, json_object_get(page, "events"));
                next = json_is_integer(json_object_get(page, "next")) ? json_number(page, "next") : -1;
        } while (next >= 0 && (long long)json_array_size(all) < max);
        return 0;
}

static void turn_round(json_t *rows)
{
        for (size_t i = 0, k = json_array_size(rows); i + 1 < k; i++) {
                json_t *last = json_incref(json_array_get(rows, k - 1));

                json_array_remove(rows, k - 1);
                json_array_insert_new(rows, i, last);
        }
}

static int print_list(struct cli *c, const struct args *a, const char *query, struct fail *f)
{
        CLEANUP(json_putp) json_t *all = json_array();
        long long max = args_has(a, "since") ? INT32_MAX : SHOWN;

        if (args_number(a, "limit", 1, INT32_MAX, &max, f) < 0 || list(c, a, query, max, all, f) < 0)
                return -1;
        if (!args_has(a, "since"))
                turn_round(all);
        return view_list(c, a, &view_events, all, f);
}

int cmd_events(struct cli *c, const struct args *a, struct fail *f)
{
        struct strbuf query = {0};
        long long since = 0;
        int rc;

        if (view_check(a, &view_events, f) < 0 || args_number(a, "since", 0, INT64_MAX, &since, f) < 0)
                return -1;
        rc = make_query(c, a, &query, f);
        if (rc == 0)
                rc = args_has(a, "follow") ? follow(c, a, strbuf_text(&query), f)
                                           : print_list(c, a, strbuf_text(&query), f);
        strbuf_done(&query);
        return rc;
}
