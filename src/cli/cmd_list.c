/* SPDX-License-Identifier: MIT */
/* ps, active, show: what there is. */
#include "cli/cmd.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/json.h"
#include "cli/select.h"
#include "cli/text.h"
#include "cli/view.h"

static void add_query(const struct args *a, const char *option, const char *name, struct strbuf *query)
{
        const char *v = args_get(a, option);

        if (!v)
                return;
        strbuf_printf(query, "&%s=", name);
        url_encode(query, v);
}

/* Closed ones are history: with -a, or when they are asked for. */
static void make_query(const struct args *a, struct strbuf *query)
{
        if (!args_has(a, "all") && !args_has(a, "state"))
                strbuf_str(query, "&state=initial,starting,started,stopped,failed,lost");
        if (args_has(a, "state"))
                strbuf_printf(query, "&state=%s", args_get(a, "state"));
        add_query(a, "name", "name", query);
        add_query(a, "search", "q", query);
        add_query(a, "parent", "parent", query);
        add_query(a, "since", "since", query);
        add_query(a, "until", "until", query);
        if (args_has(a, "dangling"))
                strbuf_str(query, "&dangling=1");
        select_labels(a, query);
}

int cmd_ps(struct cli *c, const struct args *a, struct fail *f)
{
        CLEANUP(json_putp) json_t *all = NULL;
        struct strbuf query = {0};
        long long max = 0;
        int rc;

        if (view_check(a, &view_processes, f) < 0 || args_number(a, "limit", 1, INT32_MAX, &max, f) < 0)
                return -1;
        make_query(a, &query);
        rc = select_list(c, strbuf_text(&query), (size_t)max, &all, f);
        strbuf_done(&query);
        if (rc == 0 && !json_array_size(all) && isatty(STDERR_FILENO))
                talk("there are none; to start one: creche run -- COMMAND");
        return rc < 0 ? -1 : view_list(c, a, &view_processes, all, f);
}

int cmd_active(struct cli *c, const struct args *a, struct fail *f)
{
        CLEANUP(json_putp) json_t *answer = NULL;

        if (view_check(a, &view_processes, f) < 0 ||
            client_get(&c->client, &answer, f, "/v1/active_children") < 0)
                return -1;
        return view_list(c, a, &view_processes, json_object_get(answer, "processes"), f);
}

static void add_line(struct strbuf *b, const char *title, const char *value)
{
        strbuf_printf(b, "%-10s ", title);
        text_escape(b, value, strlen(value), false);
        strbuf_char(b, '\n');
}

static void add_text(struct strbuf *b, const char *title, const json_t *process, const char *member)
{
        const char *value = json_text(process, member);

        if (value)
                add_line(b, title, value);
}

static void add_number(struct strbuf *b, const char *title, const json_t *process, const char *member)
{
        if (json_is_integer(json_object_get(process, member)))
                strbuf_printf(b, "%-10s %" PRId64 "\n", title, json_number(process, member));
}

static void add_made(struct strbuf *b, const char *title, const json_t *process,
                     void (*make)(const json_t *process, struct strbuf *out))
{
        struct strbuf value = {0};

        make(process, &value);
        add_line(b, title, strbuf_text(&value));
        strbuf_done(&value);
}

static void add_list(struct strbuf *b, const char *title, const json_t *names)
{
        struct strbuf value = {0};

        for (size_t i = 0; i < json_array_size(names); i++)
                strbuf_printf(&value, "%s%s", i ? " " : "",
                              json_string_value(json_array_get(names, i)) ?: "");
        if (value.len)
                add_line(b, title, strbuf_text(&value));
        strbuf_done(&value);
}

static void add_labels(struct strbuf *b, json_t *labels)
{
        const char *key, *title = "labels";
        json_t *value;

        json_object_foreach(labels, key, value)
        {
                struct strbuf pair = {0};

                strbuf_printf(&pair, "%s=%s", key, json_string_value(value) ?: "");
                add_line(b, title, strbuf_text(&pair));
                strbuf_done(&pair);
                title = "";
        }
}

static void add_usage(struct strbuf *b, const json_t *usage)
{
        if (usage && !json_is_null(usage))
                strbuf_printf(b, "%-10s %.3f s user, %.3f s system, %.1f MiB at most\n", "used",
                              json_number_value(json_object_get(usage, "user_s")),
                              json_number_value(json_object_get(usage, "system_s")),
                              (double)json_number(usage, "maxrss_bytes") / (1 << 20));
}

/* For people; -o json has all. */
static void describe(const json_t *process, struct strbuf *b)
{
        const json_t *exit = json_object_get(process, "exit");

        add_number(b, "id", process, "id");
        add_text(b, "name", process, "name");
        add_made(b, "status", process, view_status);
        add_text(b, "state", process, "state");
        add_number(b, "exitcode", process, "exitcode");
        add_text(b, "because of", exit, "requested_by");
        add_text(b, "errno", exit, "errno");
        add_text(b, "stage", exit, "stage");
        add_made(b, "command", process, view_command);
        add_text(b, "directory", process, "cwd");
        add_number(b, "pid", process, "pid");
        add_number(b, "parent", process, "parent");
        add_text(b, "identity", process, "identity");
        add_text(b, "started by", process, "start_method");
        add_line(b, "daemonic", json_is_true(json_object_get(process, "daemon")) ? "yes" : "no");
        add_list(b, "env", json_object_get(process, "env"));
        add_labels(b, json_object_get(process, "labels"));
        add_text(b, "created", process, "created_at");
        add_text(b, "started", process, "started_at");
        add_text(b, "ended", process, "stopped_at");
        add_text(b, "joined", process, "joined_at");
        add_usage(b, json_object_get(process, "rusage"));
        strbuf_printf(b, "%-10s %" PRId64 " bytes on stdout, %" PRId64 " on stderr\n", "wrote",
                      json_number(process, "stdout_bytes"), json_number(process, "stderr_bytes"));
}

static int show_people(json_t *all, struct fail *f)
{
        struct strbuf b = {0};
        int rc;

        for (size_t i = 0; i < json_array_size(all); i++) {
                strbuf_str(&b, i ? "\n" : "");
                describe(json_array_get(all, i), &b);
        }
        rc = output_str(&b, f);
        strbuf_done(&b);
        return rc;
}

int cmd_show(struct cli *c, const struct args *a, struct fail *f)
{
        CLEANUP(json_putp) json_t *all = NULL;

        if (view_check(a, &view_processes, f) < 0 || select_all(c, a, &all, f) < 0)
                return -1;
        if (!args_has(a, "output") && !args_has(a, "columns") && !args_has(a, "quiet"))
                return show_people(all, f);
        if (!view_wants_json(a))
                return view_list(c, a, &view_processes, all, f);
        for (size_t i = 0; i < json_array_size(all); i++)
                if (view_object(json_array_get(all, i), f) < 0)
                        return -1;
        return 0;
}
