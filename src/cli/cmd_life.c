/* SPDX-License-Identifier: MIT */
/* start, close, rm, rename, stdin. */
#include "cli/cmd.h"

#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/command.h"
#include "cli/stdin_feed.h"
#include "cli/json.h"
#include "cli/select.h"

static int act(struct cli *c, const json_t *process, const char *method, const char *operation,
               struct strbuf *body, struct fail *f)
{
        struct strbuf target = {0};
        int rc;

        strbuf_printf(&target, "/v1/processes/%" PRId64 "%s", json_number(process, "id"), operation);
        rc = client_json(&c->client, method, strbuf_text(&target), body, NULL, f);
        strbuf_done(&target);
        return rc;
}

static int start(struct cli *c, const struct args *a, const json_t *process, struct fail *f)
{
        (void)a;
        if (act(c, process, "POST", "/start", NULL, f) < 0)
                return -1;
        return output_line(f, "%" PRId64, json_number(process, "id"));
}

int cmd_start(struct cli *c, const struct args *a, struct fail *f)
{
        return select_each(c, a, start, NULL, f);
}

static int close_one(struct cli *c, const struct args *a, const json_t *process, struct fail *f)
{
        (void)a;
        return act(c, process, "POST", "/close", NULL, f);
}

int cmd_close(struct cli *c, const struct args *a, struct fail *f)
{
        return select_each(c, a, close_one, NULL, f);
}

static int forget(struct cli *c, const struct args *a, const json_t *process, struct fail *f)
{
        (void)a;
        return act(c, process, "DELETE", "", NULL, f);
}

int cmd_rm(struct cli *c, const struct args *a, struct fail *f)
{
        return select_each(c, a, forget, NULL, f);
}

int cmd_rename(struct cli *c, const struct args *a, struct fail *f)
{
        CLEANUP(json_putp) json_t *process = NULL;
        struct strbuf body = {0};

        if (!utf8_is_valid(a->operands[1], strlen(a->operands[1]))) {
                fail_usage(f, "a name is UTF-8");
                return fail_hint(f, "say another");
        }
        if (select_one(c, a->operands[0], "", &process, f) < 0)
                return -1;
        strbuf_str(&body, "{\"name\":");
        strbuf_json_str(&body, a->operands[1]);
        strbuf_char(&body, '}');
        return act(c, process, "PATCH", "", &body, f);
}

int cmd_stdin(struct cli *c, const struct args *a, struct fail *f)
{
        CLEANUP(json_putp) json_t *process = NULL;
        struct stdin_feed d;
        int rc;

        if (select_one(c, a->operands[0], a->command->states, &process, f) < 0)
                return -1;
        stdin_feed_begin(&d, &c->client, json_number(process, "id"), !args_has(a, "keep-open"));
        while (!d.x.done)
                client_turn(&c->client, 1000);
        rc = stdin_feed_finish(&d, f);
        stdin_feed_done(&d);
        return rc;
}
