/* SPDX-License-Identifier: MIT */
#include "cli/sse.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/json.h"

/* A line: the id is where we are, the data what there is to show. */
static int take_line(struct sse *s, const char *line, struct fail *f)
{
        CLEANUP(json_putp) json_t *event = NULL;

        if (!strncmp(line, "id: ", 4))
                s->x.last_event = strtoll(line + 4, NULL, 10);
        if (strncmp(line, "data: ", 6) != 0)
                return 0;
        event = json_loads(line + 6, 0, NULL);
        return s->event(s->arg, json_object_get(event, "process") ? event : NULL, f);
}

static int take(struct exchange *x, const char *bytes, size_t n)
{
        struct sse *s = x->arg;
        char *line, *end;
        int rc = 0;

        strbuf_add(&s->held, bytes, n);
        line = s->held.s;
        while (line && rc == 0 && (end = strchr(line, '\n'))) {
                *end = '\0';
                rc = take_line(s, line, &x->fail);
                line = end + 1;
        }
        if (line) {
                s->held.len = strlen(line);
                memmove(s->held.s, line, s->held.len + 1);
        }
        return rc;
}

/* A stream that has ended was cut: it goes on where it was. */
static void resume(struct exchange *x)
{
        strbuf_reset(&((struct sse *)x->arg)->held);
}

void sse_begin(struct sse *s, struct client *c, const char *since, const char *query)
{
        *s = (struct sse){0};
        exchange_init(&s->x, "GET", "/v1/events?%s%s%s", since ? "since=" : "", since ?: "", query);
        s->x.accept = "text/event-stream";
        s->x.repeatable = s->x.patient = true;
        s->x.take = take;
        s->x.resume = resume;
        s->x.arg = s;
        client_send(c, &s->x);
}

void sse_done(struct sse *s)
{
        exchange_done(&s->x);
        strbuf_done(&s->held);
}
