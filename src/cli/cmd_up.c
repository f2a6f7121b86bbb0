/* SPDX-License-Identifier: MIT */
/* up, export: what shall run, and what does, as a file. Nothing is touched before all that shall run has been accepted by
 * the daemon: it is created first, then what is in its place is ended, then it is started. */
#include "cli/cmd.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/command.h"
#include "cli/json.h"
#include "cli/progress.h"
#include "cli/select.h"
#include "cli/text.h"
#include "cli/up.h"
#include "cli/view.h"

enum action { KEEP, START, CHANGE, LEAVE, END };

static const struct {
        const char *name, *sign;
        enum color color;
} actions[] = {
        [KEEP] = {"keep", "=", COLOR_DIM},        [START] = {"start", "+", COLOR_GREEN},
        [CHANGE] = {"change", "~", COLOR_YELLOW}, [LEAVE] = {"leave", "?", COLOR_DIM},
        [END] = {"end", "-", COLOR_RED},
};

struct up {
        struct cli *c;
        const struct args *a;
        struct up_file file;
        json_t *living; /* without those that an entry has found */
        json_t *plan;   /* of {"action", "name", "id", "differs", and not shown: "entry", "created"} */
        size_t counts[END + 1];
        double grace;
};

/* --------------------------------------------------------------------------------------------- the plan */

static void plan(struct up *u, enum action action, const char *name, const json_t *process,
                 const char *differs, json_t *entry)
{
        json_t *step = json_pack("{s:s, s:s, s:O?, s:s*, s:O*}", "action", actions[action].name, "name", name,
                                 "id", json_object_get(process, "id"), "differs", differs, "entry", entry);

        json_array_append_new(u->plan, step);
        u->counts[action]++;
}

static enum action action_of(const json_t *step)
{
        enum action action = KEEP;

        while (strcmp(actions[action].name, json_text(step, "action")) != 0)
                action++;
        return action;
}

/* Of those that live and have the name: the one that is as the entry wants it, or else any. */
static void plan_entry(struct up *u, json_t *entry)
{
        const char *name = json_text(entry, "name");
        size_t other = SIZE_MAX;
        struct strbuf differs = {0}, first = {0};

        for (size_t i = json_array_size(u->living); i-- > 0;) {
                json_t *p = json_array_get(u->living, i);

                if (strcmp(json_text(p, "name") ?: "", name) != 0)
                        continue;
                strbuf_reset(&differs);
                if (up_is_same(entry, p, &differs)) {
                        plan(u, KEEP, name, p, NULL, NULL);
                        json_array_remove(u->living, i);
                        goto out;
                }
                if (other == SIZE_MAX)
                        strbuf_str(&first, strbuf_text(&differs));
                other = other == SIZE_MAX ? i : other;
        }
        if (other == SIZE_MAX) {
                plan(u, START, name, NULL, NULL, entry);
        } else {
                plan(u, CHANGE, name, json_array_get(u->living, other), strbuf_text(&first), entry);
                json_array_remove(u->living, other);
        }
out:
        strbuf_done(&differs);
        strbuf_done(&first);
}

/* What `up` has started for this project once, and the file does not have any more. */
static void plan_orphans(struct up *u)
{
        enum action action = args_has(u->a, "remove-orphans") ? END : LEAVE;

        for (size_t i = 0; i < json_array_size(u->living); i++) {
                const json_t *p = json_array_get(u->living, i);
                const char *project = json_text(json_object_get(p, "labels"), UP_PROJECT);

                if (project && !strcmp(project, u->file.project))
                        plan(u, action, json_text(p, "name") ?: "", p, NULL, NULL);
        }
}

/* Those of ours that run. */
static int list_living(struct cli *c, json_t **out, struct fail *f)
{
        char own[SELECT_OWN_MAX], query[SELECT_OWN_MAX + 32];

        if (select_own(c, own, f) < 0)
                return -1;
        snprintf(query, sizeof(query), "&state=starting,started%s", own);
        return select_list(c, query, 0, out, f);
}

static int make_plan(struct up *u, struct fail *f)
{
        if (list_living(u->c, &u->living, f) < 0)
                return -1;
        u->plan = json_array();
        for (size_t i = 0; i < json_array_size(u->file.entries); i++)
                plan_entry(u, json_array_get(u->file.entries, i));
        plan_orphans(u);
        return 0;
}

static void add_step(const struct up *u, const json_t *step, struct strbuf *b)
{
        enum action action = action_of(step);

        strbuf_printf(b, "%s%s %-6s ", output_color(&u->c->out, actions[action].color), actions[action].sign,
                      actions[action].name);
        if (action == START)
                text_escape(b, json_text(step, "name"), strlen(json_text(step, "name")), false);
        else
                select_name(step, b);
        if (json_text(step, "differs"))
                strbuf_printf(b, "  %s", json_text(step, "differs"));
        if (action == LEAVE)
                strbuf_str(b, "  not in the file: --remove-orphans ends it");
        strbuf_printf(b, "%s\n", output_color(&u->c->out, COLOR_NONE));
}

static int show_plan(const struct up *u, struct fail *f)
{
        CLEANUP(json_putp) json_t *shown = json_object();
        struct strbuf b = {0};
        int rc;

        if (view_wants_json(u->a)) {
                CLEANUP(json_putp) json_t *steps = json_deep_copy(u->plan);

                for (size_t i = 0; i < json_array_size(steps); i++)
                        json_object_del(json_array_get(steps, i), "entry");
                json_object_set_new(shown, "project", json_string(u->file.project));
                json_object_set(shown, "plan", steps);
                return view_object(shown, f);
        }
        for (size_t i = 0; i < json_array_size(u->plan); i++)
                add_step(u, json_array_get(u->plan, i), &b);
        rc = output_str(&b, f);
        strbuf_done(&b);
        return rc;
}

/* ------------------------------------------------------------------------------------------ doing it */

static int act(struct up *u, int64_t id, const char *method, const char *operation, struct fail *f)
{
        char target[64];

        snprintf(target, sizeof(target), "/v1/processes/%" PRId64 "%s", id, operation);
        return client_json(&u->c->client, method, target, NULL, NULL, f);
}

/* With all that it has started: what a line of a Procfile runs may be a child of its shell. */
static int signal_tree(struct up *u, int64_t id, const char *operation, struct fail *f)
{
        struct strbuf target = {0}, body = {0};
        int rc;

        strbuf_printf(&target, "/v1/processes/%" PRId64 "/%s", id, operation);
        strbuf_str(&body, "{\"tree\":true}");
        rc = client_json(&u->c->client, "POST", strbuf_text(&target), &body, NULL, f);
        strbuf_done(&target);
        return rc;
}

static bool makes(const json_t *step)
{
        return action_of(step) == START || action_of(step) == CHANGE;
}

/* Secrets are not kept, so a process that has any is created when it is started. */
static int create(struct up *u, json_t *step, bool start, struct fail *f)
{
        CLEANUP(json_putp) json_t *request = up_request(json_object_get(step, "entry"), u->file.project, f);
        CLEANUP(json_putp) json_t *process = NULL;
        struct strbuf body = {.secret = true};
        char *text;

        if (!request)
                return -1;
        if (!start && json_object_get(request, "secrets"))
                return 0;
        if (!start)
                json_object_set_new(request, "start", json_false());
        text = json_dumps(request, JSON_COMPACT);
        strbuf_str(&body, text ?: "");
        free(text);
        if (client_json(&u->c->client, "POST", "/v1/processes", &body, &process, f) < 0)
                return f->err.kind == ERR_INVALID
                               ? fail_hint(f, "'man creche-api' tells what POST /v1/processes takes")
                               : -1;
        json_object_set(step, "created", json_object_get(process, "id"));
        return 0;
}

/* As if nothing had been asked for. */
static int undo(struct up *u, const json_t *refused, const struct fail *why, struct fail *f)
{
        struct fail ignored;

        for (size_t i = 0; i < json_array_size(u->plan); i++) {
                const json_t *step = json_array_get(u->plan, i);

                if (json_object_get(step, "created"))
                        act(u, json_number(step, "created"), "DELETE", "", &ignored);
        }
        *f = *why;
        err_wrap(&f->err, "%s", json_text(refused, "name"));
        return -1;
}

static int create_all(struct up *u, struct fail *f)
{
        for (size_t i = 0; i < json_array_size(u->plan); i++) {
                json_t *step = json_array_get(u->plan, i);
                struct fail why = {.status = EXIT_FAILED};

                if (makes(step) && create(u, step, false, &why) < 0)
                        return undo(u, step, &why, f);
        }
        return 0;
}

/* SIGTERM, time to obey, SIGKILL. */
static int end(struct up *u, int64_t id, struct fail *f)
{
        int64_t until = clock_mono_us() + (int64_t)(u->grace * CLOCK_US_PER_S);
        bool killed = false;

        for (;;) {
                CLEANUP(json_putp) json_t *now = NULL;
                double left = (double)(until - clock_mono_us()) / CLOCK_US_PER_S;

                if (!killed && left <= 0) {
                        killed = true;
                        if (signal_tree(u, id, "kill", f) < 0)
                                return -1;
                }
                if (client_get(&u->c->client, &now, f, "/v1/processes/%" PRId64 "?wait=%.3f", id,
                               killed || left > 60 ? 60 : left) < 0)
                        return -1;
                if (!json_is_null(json_object_get(now, "exit")))
                        return 0;
        }
}

/* All are told before any is waited for. */
static int end_all(struct up *u, struct fail *f)
{
        size_t n = u->counts[CHANGE] + u->counts[END], done = 0;

        for (int waits = 0; waits < 2; waits++)
                for (size_t i = 0; i < json_array_size(u->plan); i++) {
                        const json_t *step = json_array_get(u->plan, i);
                        enum action action = action_of(step);
                        int64_t id = json_number(step, "id");

                        if (action != CHANGE && action != END)
                                continue;
                        if (waits && !done)
                                progress_begin(u->a, "ended", n);
                        if (waits ? end(u, id, f) < 0 : signal_tree(u, id, "terminate", f) < 0)
                                return -1;
                        if (waits)
                                progress_set(++done);
                }
        progress_end();
        return 0;
}

static int start_one(struct up *u, json_t *step, struct fail *f)
{
        if (!json_object_get(step, "created"))
                return create(u, step, true, f);
        return act(u, json_number(step, "created"), "POST", "/start", f);
}

/* One that cannot be executed keeps none of the others from being started. */
static int start_all(struct up *u, struct fail *f)
{
        int status = 0;

        for (size_t i = 0; i < json_array_size(u->plan); i++) {
                json_t *step = json_array_get(u->plan, i);

                if (!makes(step) || start_one(u, step, f) == 0)
                        continue;
                if (f->status == EXIT_NO_DAEMON)
                        return -1;
                fail_tell(f);
                status = status ?: f->status;
        }
        return status;
}

static int do_plan(struct up *u, struct fail *f)
{
        if (create_all(u, f) < 0)
                return -1;
        if (end_all(u, f) < 0) {
                progress_end();
                return -1;
        }
        return start_all(u, f);
}

/* ----------------------------------------------------------------------------------------------- up */

/* 1: go on; 0: not. */
static int agree(const struct up *u, struct fail *f)
{
        char answer[16] = "";

        if (args_has(u->a, "yes"))
                return 1;
        if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
                fail_usage(f, "this would change what runs, and there is nobody to be asked");
                return fail_hint(f, "creche up --yes does it, --dry-run only looks");
        }
        fprintf(stderr, "Go on? [y/N] ");
        if (!fgets(answer, sizeof(answer), stdin) || tolower((unsigned char)*answer) != 'y')
                talk("nothing was done");
        return tolower((unsigned char)*answer) == 'y';
}

static int run(struct up *u, struct fail *f)
{
        int rc;

        if (make_plan(u, f) < 0 || show_plan(u, f) < 0)
                return -1;
        if (!u->counts[START] && !u->counts[CHANGE] && !u->counts[END]) {
                talk("nothing to do: %zu process%s as the file says", u->counts[KEEP],
                     u->counts[KEEP] == 1 ? " is" : "es are");
                return 0;
        }
        if (args_has(u->a, "dry-run"))
                return 0;
        rc = agree(u, f);
        return rc == 1 ? do_plan(u, f) : rc;
}

int cmd_up(struct cli *c, const struct args *a, struct fail *f)
{
        struct up u = {.c = c, .a = a, .grace = 10};
        const char *path = args_get(a, "file") ?: "Procfile";
        int rc;

        if (args_seconds(a, "grace", &u.grace, f) < 0)
                return -1;
        rc = up_file_read(&u.file, c, path, args_get(a, "project"), f);
        if (rc == 0)
                rc = run(&u, f);
        up_file_done(&u.file);
        json_decref(u.living);
        json_decref(u.plan);
        return rc;
}

/* -------------------------------------------------------------------------------------------- export */

/* What a request would have to say, as far as it can be seen; defaults are left out, but for the directory. */
static json_t *entry_of(const json_t *process)
{
        const json_t *names = json_object_get(process, "env");
        json_t *entry = json_pack("{s:O, s:O, s:O?}", "name", json_object_get(process, "name"), "argv",
                                  json_object_get(process, "argv"), "cwd", json_object_get(process, "cwd"));
        json_t *env = json_object(), *labels = json_object_get(process, "labels");

        for (size_t i = 0; i < json_array_size(names); i++)
                json_object_set_new(env, json_string_value(json_array_get(names, i)), json_null());
        if (json_object_size(env))
                json_object_set(entry, "env", env);
        if (json_object_size(labels))
                json_object_set(entry, "labels", labels);
        if (json_is_true(json_object_get(process, "daemon")))
                json_object_set_new(entry, "daemon", json_true());
        if (strcmp(json_text(process, "start_method") ?: "spawn", "spawn") != 0)
                json_object_set(entry, "start_method", json_object_get(process, "start_method"));
        json_decref(env);
        return entry;
}

/* The project that all of them are of. */
static const char *project_of(const json_t *all)
{
        const char *project = NULL;

        for (size_t i = 0; i < json_array_size(all); i++) {
                const char *its = json_text(json_object_get(json_array_get(all, i), "labels"), UP_PROJECT);

                if (!its || (project && strcmp(project, its) != 0))
                        return NULL;
                project = its;
        }
        return project;
}

int cmd_export(struct cli *c, const struct args *a, struct fail *f)
{
        CLEANUP(json_putp) json_t *all = NULL;
        CLEANUP(json_putp) json_t *entries = json_array();
        CLEANUP(json_putp) json_t *file = NULL;
        CLEANUP(freep) char *text = NULL;
        bool some = a->operands_n || args_has(a, "label");

        if ((some ? select_all(c, a, &all, f) : list_living(c, &all, f)) < 0)
                return -1;
        for (size_t i = json_array_size(all); i-- > 0;)
                json_array_append_new(entries, entry_of(json_array_get(all, i)));
        file = json_pack("{s:s*, s:O}", "project", project_of(all), "processes", entries);
        text = file ? json_dumps(file, JSON_INDENT(2)) : NULL;
        if (!text)
                return fail_set(f, ERR_INTERNAL, ENOMEM, "writing JSON");
        talk("the API does not tell values of env (null in there: ours), secrets, user, stdin, limits and "
             "timeouts: they are not in it");
        return output_line(f, "%s", text);
}
