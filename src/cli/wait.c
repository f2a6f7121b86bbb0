/* SPDX-License-Identifier: MIT */
#include "cli/wait.h"

#include <string.h>

#include "base/clock.h"
#include "cli/json.h"
#include "cli/select.h"

static void write_body(struct wait *w)
{
        struct strbuf *b = &w->x.body;
        double left = w->until_us < 0 ? 0 : (double)(w->until_us - clock_mono_us()) / CLOCK_US_PER_S;

        strbuf_reset(b);
        strbuf_str(b, "{\"ids\":[");
        for (size_t i = 0; i < json_array_size(w->ids); i++) {
                strbuf_str(b, i ? "," : "");
                strbuf_int(b, json_integer_value(json_array_get(w->ids, i)));
        }
        strbuf_printf(b, "],\"mode\":\"%s\",\"timeout\":", w->any ? "any" : "all");
        if (w->until_us < 0)
                strbuf_str(b, "null}");
        else
                strbuf_printf(b, "%.6f}", left > 0 ? left : 0);
}

static void resume(struct exchange *x)
{
        write_body(x->arg);
}

void wait_begin(struct wait *w, struct client *c, json_t *ids, bool any, double timeout_s)
{
        *w = (struct wait){.ids = ids, .any = any, .until_us = -1};
        if (timeout_s >= 0)
                w->until_us = clock_mono_us() + (int64_t)(timeout_s * CLOCK_US_PER_S);
        exchange_init(&w->x, "POST", "/v1/join");
        w->x.repeatable = w->x.patient = true;
        w->x.resume = resume;
        w->x.arg = w;
        write_body(w);
        client_send(c, &w->x);
}

int wait_finish(struct wait *w, json_t **out, struct fail *f)
{
        if (!w->x.failed)
                return exchange_json(&w->x, out, f);
        *f = w->x.fail;
        return -1;
}

void wait_done(struct wait *w)
{
        exchange_done(&w->x);
}

static int status_of_failure(const json_t *exit)
{
        const char *reason = json_text(exit, "reason") ?: "", *name = json_text(exit, "errno") ?: "";

        if (strcmp(reason, "exec_failed") != 0)
                return EXIT_OURS;
        return strcmp(name, "ENOENT") ? EXIT_NOT_EXECUTABLE : EXIT_NO_PROGRAM;
}

int wait_status(const json_t *process)
{
        const json_t *code = json_object_get(process, "exitcode");
        int v = (int)json_integer_value(code);

        if (!json_is_integer(code))
                return status_of_failure(json_object_get(process, "exit"));
        return v < 0 ? EXIT_SIGNAL - v : v;
}

void wait_tell(const json_t *process)
{
        struct strbuf b = {0};

        select_name(process, &b);
        strbuf_printf(&b, ": %s", json_text(json_object_get(process, "exit"), "detail") ?: "has ended");
        talk("%s", strbuf_text(&b));
        strbuf_done(&b);
}
