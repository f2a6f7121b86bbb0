/* SPDX-License-Identifier: MIT */
/* target: what may be started by its name. */
#include "cli/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "cli/json.h"
#include "cli/spec.h"
#include "cli/target.h"
#include "cli/text.h"
#include "cli/view.h"

enum { FILE_MAX = 65536 + 1, NAMES_SHOWN = 8 };

/* Say which @name was perhaps meant to be, or which there are. */
static int refuse_unknown(struct cli *c, const char *name, struct fail *f)
{
        CLEANUP(json_putp) json_t *all = NULL;
        struct guess guess = {.word = NULL};
        struct strbuf names = {0};
        struct fail other;
        size_t n;

        fail_set(f, ERR_NOT_FOUND, 0, "there is no target '%s'", name);
        if (client_list(&c->client, "/v1/targets", view_targets.list, &all, &other) < 0)
                return fail_hint(f, "'creche target list' lists them, for those who may read");
        n = json_array_size(all);
        for (size_t i = 0; i < n; i++) {
                const char *its = json_text(json_array_get(all, i), "name") ?: "";

                text_guess(&guess, name, its);
                if (i < NAMES_SHOWN)
                        strbuf_printf(&names, "%s%s", i ? ", " : "", its);
        }
        if (guess.word)
                fail_hint(f, "did you mean %s?", guess.word);
        else if (n)
                fail_hint(f, "there %s: %s%s", n == 1 ? "is" : "are", strbuf_text(&names),
                          n > NAMES_SHOWN ? ", ..." : "");
        else
                fail_hint(f, "there are none yet: creche target put NAME -- COMMAND");
        strbuf_done(&names);
        return -1;
}

static int refuse_name(const char *name, struct fail *f)
{
        fail_usage(f, "'%s' cannot be the name of a target", name);
        return fail_hint(
                f, "it has up to 63 letters, digits, '.', '-' and '_', and begins with a letter or a digit");
}

/* @body: as with client_json(). */
static int ask(struct cli *c, const char *method, const char *name, struct strbuf *body, json_t **out,
               struct fail *f)
{
        struct strbuf path = {0};
        int rc;

        if (strchr(name, '/'))
                return refuse_name(name, f);
        strbuf_str(&path, "/v1/targets/");
        url_encode(&path, name);
        rc = client_json(&c->client, method, strbuf_text(&path), body, out, f);
        strbuf_done(&path);
        if (rc == 0 || f->err.kind != ERR_NOT_FOUND)
                return rc;
        return body ? refuse_name(name, f) : refuse_unknown(c, name, f);
}

int target_explain(struct cli *c, const char *name, struct fail *f)
{
        struct fail other;

        if (name && f->err.kind == ERR_INVALID && ask(c, "GET", name, NULL, NULL, &other) < 0 &&
            other.err.kind == ERR_NOT_FOUND)
                *f = other;
        return -1;
}

int cmd_target_list(struct cli *c, const struct args *a, struct fail *f)
{
        CLEANUP(json_putp) json_t *all = NULL;

        if (view_check(a, &view_targets, f) < 0 ||
            client_list(&c->client, "/v1/targets", view_targets.list, &all, f) < 0)
                return -1;
        if (!json_array_size(all) && isatty(STDERR_FILENO))
                talk("there are none; to have one: creche target put NAME -- COMMAND");
        return view_list(c, a, &view_targets, all, f);
}

/* ------------------------------------------------------------------------------------------------ show */

static void add(struct strbuf *b, const char *title, const char *value)
{
        strbuf_printf(b, "%-16s ", title);
        text_escape(b, value, strlen(value), false);
        strbuf_char(b, '\n');
}

static void add_value(struct strbuf *b, const json_t *v)
{
        char *text = json_is_string(v) ? NULL : json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);

        strbuf_str(b, text ?: json_string_value(v) ?: "");
        free(text);
}

/* "width  [0-9]+, else 800  Pixels." */
static void add_placeholder(struct strbuf *b, const json_t *p)
{
        const json_t *fallback = json_object_get(p, "default");
        struct strbuf line = {0};

        strbuf_printf(&line, "%s=%s", json_text(p, "name") ?: "", json_text(p, "pattern") ?: "");
        if (fallback) {
                strbuf_str(&line, ", else ");
                add_value(&line, fallback);
        }
        if (json_text(p, "description"))
                strbuf_printf(&line, "   %s", json_text(p, "description"));
        add(b, "takes", strbuf_text(&line));
        strbuf_done(&line);
}

static void describe(json_t *target, struct strbuf *b)
{
        const json_t *placeholders = json_object_get(target, "placeholders");
        struct strbuf value = {0};
        const char *key;
        json_t *v;

        add(b, "name", json_text(target, "name") ?: "");
        view_command(target, &value);
        add(b, "command", strbuf_text(&value));
        for (size_t i = 0; i < json_array_size(placeholders); i++)
                add_placeholder(b, json_array_get(placeholders, i));
        json_object_foreach(target, key, v)
        {
                if (!strcmp(key, "name") || !strcmp(key, "argv") || v == placeholders)
                        continue;
                strbuf_reset(&value);
                add_value(&value, v);
                add(b, key, strbuf_text(&value));
        }
        strbuf_done(&value);
}

int cmd_target_show(struct cli *c, const struct args *a, struct fail *f)
{
        struct strbuf b = {0};
        int rc = 0;

        for (int i = 0; rc == 0 && i < a->operands_n; i++) {
                CLEANUP(json_putp) json_t *target = NULL;

                rc = ask(c, "GET", a->operands[i], NULL, &target, f);
                if (rc == 0 && view_wants_json(a)) {
                        rc = view_object(target, f);
                } else if (rc == 0) {
                        strbuf_str(&b, b.len ? "\n" : "");
                        describe(target, &b);
                }
        }
        if (rc == 0)
                rc = output_str(&b, f);
        strbuf_done(&b);
        return rc;
}

/* ------------------------------------------------------------------------------------------------- put */

/* The value that --default gives to the placeholder of @n bytes at @name; NULL: none. */
static const char *default_of(const struct args *a, const char *name, size_t n)
{
        const char *pair, *found = NULL;
        size_t at = 0;

        while ((pair = args_next(a, "default", &at)))
                if (!strncmp(pair, name, n) && pair[n] == '=')
                        found = pair + n + 1;
        return found;
}

static bool is_placeholder(const struct args *a, const char *name, size_t n)
{
        const char *pair;
        size_t at = 0;

        while ((pair = args_next(a, "placeholder", &at)))
                if (!strncmp(pair, name, n) && pair[n] == '=')
                        return true;
        return false;
}

static int check_defaults(const struct args *a, struct fail *f)
{
        const char *pair;
        size_t at = 0;

        while ((pair = args_next(a, "default", &at)))
                if (!strchr(pair, '=') || !is_placeholder(a, pair, strcspn(pair, "="))) {
                        fail_usage(f, "--default: '%s' is of no placeholder", pair);
                        return fail_hint(f, "declare it: --placeholder NAME=PATTERN --default NAME=VALUE");
                }
        return 0;
}

static int add_placeholders(const struct args *a, struct strbuf *b, struct fail *f)
{
        const char *pair, *comma = "";
        size_t at = 0;

        strbuf_str(b, ",\"placeholders\":[");
        while ((pair = args_next(a, "placeholder", &at))) {
                size_t n = strcspn(pair, "=");
                const char *fallback = default_of(a, pair, n);

                if (!pair[n]) {
                        fail_usage(f, "--placeholder: '%s' has no pattern", pair);
                        return fail_hint(f, "say which values it may have: --placeholder '%s=[a-z]+'", pair);
                }
                strbuf_printf(b, "%s{\"name\":", comma);
                strbuf_json_bytes(b, pair, n);
                strbuf_str(b, ",\"pattern\":");
                strbuf_json_str(b, pair + n + 1);
                if (fallback) {
                        strbuf_str(b, ",\"default\":");
                        strbuf_json_str(b, fallback);
                }
                strbuf_char(b, '}');
                comma = ",";
        }
        strbuf_str(b, "]}");
        return check_defaults(a, f);
}

static int read_definition(const char *path, struct strbuf *b, struct fail *f)
{
        CLEANUP(closep) int fd = -1;
        char *room;
        ssize_t n;

        b->secret = true;
        room = strbuf_reserve(b, FILE_MAX);
        fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC)
                               : fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        n = fd < 0 || !room ? -1 : fd_read_all(fd, room, FILE_MAX);
        if (n > 0) {
                strbuf_commit(b, (size_t)n);
                return 0;
        }
        fail_usage(f, "--file: cannot read %s: %s", path, n ? strerrordesc_np(errno) : "it is empty");
        return fail_hint(f, "it holds JSON like {\"argv\": [\"echo\", \"hello\"]}, up to %d bytes",
                         FILE_MAX - 1);
}

static int write_definition(const struct args *a, struct strbuf *body, struct fail *f)
{
        char **argv = a->operands + 1;
        const char *file = args_get(a, "file");

        if (*argv && !strcmp(*argv, "--"))
                argv++;
        if (file && !*argv)
                return read_definition(file, body, f);
        if (*argv && !file)
                return spec_write_target(a, argv, body, f) < 0 ? -1 : add_placeholders(a, body, f);
        fail_usage(f, file ? "--file says all of it: '%s' is too much" : "what shall '%s' start?",
                   file ? *argv : a->operands[0]);
        return fail_hint(f, "creche target put [OPTION]... NAME -- COMMAND, or --file FILE NAME");
}

int cmd_target_put(struct cli *c, const struct args *a, struct fail *f)
{
        CLEANUP(json_putp) json_t *target = NULL;
        struct strbuf body = {0};
        int rc = write_definition(a, &body, f);

        if (rc == 0)
                rc = ask(c, "PUT", a->operands[0], &body, &target, f);
        strbuf_done(&body);
        if (rc < 0)
                return -1;
        if (view_wants_json(a))
                return view_object(target, f);
        return output_line(f, "%s", json_text(target, "name") ?: "");
}

int cmd_target_rm(struct cli *c, const struct args *a, struct fail *f)
{
        int status = 0;

        for (int i = 0; i < a->operands_n; i++) {
                if (ask(c, "DELETE", a->operands[i], NULL, NULL, f) == 0)
                        continue;
                if (a->operands_n == 1 || f->status == EXIT_NO_DAEMON)
                        return -1;
                fail_tell(f);
                status = status ?: f->status;
        }
        return status;
}
