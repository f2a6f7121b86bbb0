/* SPDX-License-Identifier: MIT */
/* terminate, kill, interrupt, signal. */
#include "cli/cmd.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/json.h"
#include "cli/select.h"
#include "cli/signals.h"
#include "cli/view.h"
#include "cli/wait.h"

/* Who ends a process wants it ended, and it is; who sends it a signal wants it to get that. */
static int not_delivered(const json_t *process, bool ends, struct fail *f)
{
        struct strbuf name = {0};
        const char *how = json_text(json_object_get(process, "exit"), "detail");

        if (ends) {
                if (isatty(STDERR_FILENO))
                        wait_tell(process);
                return 0;
        }
        select_name(process, &name);
        fail_set(f, ERR_STOPPED, 0, "%s got no signal: %s", strbuf_text(&name), how ?: "it has ended");
        strbuf_done(&name);
        return -1;
}

/* The operation, and for `signal` its body but for the tree. */
static int send_signal(struct cli *c, const struct args *a, const json_t *process, const char *operation,
                       const char *signal, struct fail *f)
{
        CLEANUP(json_putp) json_t *answer = NULL;
        struct strbuf target = {0}, body = {0};
        int rc;

        strbuf_printf(&target, "/v1/processes/%" PRId64 "/%s", json_number(process, "id"), operation);
        strbuf_printf(&body, "{%s%s%s\"tree\":%s}", signal ? "\"signal\":\"" : "", signal ?: "",
                      signal ? "\"," : "", args_has(a, "tree") ? "true" : "false");
        rc = client_json(&c->client, "POST", strbuf_text(&target), &body, &answer, f);
        strbuf_done(&target);
        if (rc < 0 || json_is_true(json_object_get(answer, "delivered")))
                return rc;
        return not_delivered(json_object_get(answer, "process"),
                             !strcmp(operation, "terminate") || !strcmp(operation, "kill"), f);
}

static int wait_for_end(struct cli *c, const struct args *a, const json_t *process, struct fail *f)
{
        (void)a;
        for (;;) {
                CLEANUP(json_putp) json_t *now = NULL;

                if (client_get(&c->client, &now, f, "/v1/processes/%" PRId64 "?wait=60",
                               json_number(process, "id")) < 0)
                        return -1;
                if (!json_is_null(json_object_get(now, "exit")))
                        return 0;
        }
}

/* All of them are told before any is waited for. */
static int signal_each(struct cli *c, const struct args *a, select_act *one, struct fail *f)
{
        return select_each(c, a, one, args_has(a, "wait") ? wait_for_end : NULL, f);
}

static int terminate(struct cli *c, const struct args *a, const json_t *process, struct fail *f)
{
        return send_signal(c, a, process, "terminate", NULL, f);
}

static int kill_one(struct cli *c, const struct args *a, const json_t *process, struct fail *f)
{
        return send_signal(c, a, process, "kill", NULL, f);
}

static int interrupt(struct cli *c, const struct args *a, const json_t *process, struct fail *f)
{
        return send_signal(c, a, process, "interrupt", NULL, f);
}

static int signal_one(struct cli *c, const struct args *a, const json_t *process, struct fail *f)
{
        char name[SIGNAL_NAME_MAX];

        if (signals_parse(args_get(a, "signal"), name, f) < 0)
                return -1;
        return send_signal(c, a, process, "signal", name, f);
}

/* As docker's: it returns when they have ended. */
int cmd_stop_processes(struct cli *c, const struct args *a, struct fail *f)
{
        return select_each(c, a, args_has(a, "kill") ? kill_one : terminate, wait_for_end, f);
}

int cmd_terminate(struct cli *c, const struct args *a, struct fail *f)
{
        return signal_each(c, a, terminate, f);
}

int cmd_kill(struct cli *c, const struct args *a, struct fail *f)
{
        return signal_each(c, a, args_has(a, "signal") ? signal_one : kill_one, f);
}

int cmd_interrupt(struct cli *c, const struct args *a, struct fail *f)
{
        return signal_each(c, a, interrupt, f);
}

/* The first operand says which. */
static int signal_first(struct cli *c, const struct args *a, const json_t *process, struct fail *f)
{
        char name[SIGNAL_NAME_MAX];

        if (signals_parse(a->operands[-1], name, f) < 0)
                return -1;
        return send_signal(c, a, process, "signal", name, f);
}

int cmd_signal(struct cli *c, const struct args *a, struct fail *f)
{
        char name[SIGNAL_NAME_MAX];
        struct args rest = *a;

        if (signals_parse(a->operands[0], name, f) < 0)
                return -1;
        rest.operands++;
        rest.operands_n--;
        return signal_each(c, &rest, signal_first, f);
}
