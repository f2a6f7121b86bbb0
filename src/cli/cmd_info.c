/* SPDX-License-Identifier: MIT */
/* info, backup, open, token. */
#include "cli/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "cli/json.h"
#include "cli/text.h"
#include "cli/view.h"

static void add(struct strbuf *b, const char *title, const char *value)
{
        strbuf_printf(b, "%-12s ", title);
        text_escape(b, value, strlen(value), false);
        strbuf_char(b, '\n');
}

static void add_counts(struct strbuf *b, json_t *counts)
{
        struct strbuf line = {0};
        const char *state;
        json_t *n;

        json_object_foreach(counts, state, n)
        {
                if (json_integer_value(n))
                        strbuf_printf(&line, "%s%" PRId64 " %s", line.len ? ", " : "",
                                      (int64_t)json_integer_value(n), state);
        }
        add(b, "processes", line.len ? strbuf_text(&line) : "none");
        strbuf_done(&line);
}

static void add_health(struct strbuf *b, const json_t *info)
{
        const json_t *reasons = json_object_get(info, "health_reasons");

        add(b, "health", json_text(info, "health") ?: "");
        for (size_t i = 0; i < json_array_size(reasons); i++)
                add(b, "", json_string_value(json_array_get(reasons, i)) ?: "");
}

static void describe(const json_t *info, struct strbuf *b)
{
        const json_t *privileges = json_object_get(info, "privileges");
        struct strbuf up = {0};

        text_duration(&up, (int64_t)(json_number_value(json_object_get(info, "uptime_s")) * CLOCK_US_PER_S));
        strbuf_printf(b, "%-12s %s, up %s, pid %" PRId64 "\n", "creched", json_text(info, "version") ?: "",
                      strbuf_text(&up), json_number(info, "pid"));
        strbuf_done(&up);
        add_health(b, info);
        add_counts(b, json_object_get(info, "counts"));
        add(b, "socket", json_text(info, "socket") ?: "");
        add(b, "url", json_text(info, "url") ?: "none: TCP is off");
        add(b, "state", json_text(info, "state_dir") ?: "");
        add(b, "database", json_text(info, "database") ?: "");
        add(b, "user", json_text(privileges, "user") ?: "");
        if (json_text(privileges, "warning"))
                add(b, "", json_text(privileges, "warning"));
        strbuf_printf(b, "%-12s %" PRId64 "\n", "restarts", json_number(info, "restarts"));
}

int cmd_info(struct cli *c, const struct args *a, struct fail *f)
{
        CLEANUP(json_putp) json_t *info = NULL;
        struct strbuf b = {0};
        int rc;

        if (client_get(&c->client, &info, f, "/v1/info") < 0)
                return -1;
        if (view_wants_json(a))
                return view_object(info, f);
        describe(info, &b);
        rc = output_str(&b, f);
        strbuf_done(&b);
        return rc;
}

/* ------------------------------------------------------------------------------------------- a backup */

static int fail_file(struct fail *f, const char *doing, const char *path)
{
        fail_set(f, ERR_INTERNAL, errno, "%s %s", doing, path);
        return fail_hint(f, "name a file in a directory that you may write to, with room for the database");
}

static int take_bytes(struct exchange *x, const char *bytes, size_t n)
{
        if (fd_write_all(*(int *)x->arg, bytes, n) == 0)
                return 0;
        return fail_file(&x->fail, "writing", "the backup");
}

static int fetch(struct cli *c, int fd, struct fail *f)
{
        struct exchange x;
        int rc;

        exchange_init(&x, "POST", "/v1/backup");
        x.take = take_bytes;
        x.arg = &fd;
        rc = client_ask(&c->client, &x, f);
        exchange_done(&x);
        return rc;
}

/* Whole and durable, or not there: written beside it first. */
static int backup_to(struct cli *c, const char *path, struct fail *f)
{
        CLEANUP(closep) int fd = -1;
        struct strbuf part = {0};
        int rc = 0;

        strbuf_printf(&part, "%s.part", path);
        fd = open(strbuf_text(&part), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                rc = fail_file(f, "creating", strbuf_text(&part));
        else if (fetch(c, fd, f) < 0)
                rc = -1;
        else if (fsync(fd) < 0 || rename(strbuf_text(&part), path) < 0)
                rc = fail_file(f, "writing", path);
        if (rc < 0 && fd >= 0)
                unlink(strbuf_text(&part));
        strbuf_done(&part);
        return rc;
}

/* What is put in the place of a device is none any more. */
static int check_backup(const struct args *a, const char *path, struct fail *f)
{
        struct stat st;

        if (stat(path, &st) < 0)
                return 0;
        if (!S_ISREG(st.st_mode)) {
                fail_usage(f, "%s is no regular file", path);
                return fail_hint(f, "creche backup - >%s", path);
        }
        if (args_has(a, "force"))
                return 0;
        fail_set(f, ERR_ALREADY_STARTED, 0, "%s is there already", path);
        return fail_hint(f, "name another file, or say --force");
}

int cmd_backup(struct cli *c, const struct args *a, struct fail *f)
{
        const char *path = a->operands[0];

        if (!strcmp(path, "-") && !c->out.is_terminal)
                return fetch(c, STDOUT_FILENO, f);
        if (!strcmp(path, "-")) {
                fail_usage(f, "a database is nothing for a terminal");
                return fail_hint(f, "creche backup FILE");
        }
        return check_backup(a, path, f) < 0 ? -1 : backup_to(c, path, f);
}

/* --------------------------------------------------------------------------------- browsers, and tokens */

/* "scopes": ["read", "logs"] of each --scope, which may hold several. */
static void add_scopes(const struct args *a, struct strbuf *b)
{
        const char *scope, *comma = "";
        size_t at = 0;

        strbuf_str(b, "\"scopes\":[");
        while ((scope = args_next(a, "scope", &at)))
                for (size_t n; *scope; scope += n + (scope[n] == ',')) {
                        n = strcspn(scope, ",");
                        strbuf_str(b, comma);
                        strbuf_json_bytes(b, scope, n);
                        comma = ",";
                }
        strbuf_char(b, ']');
}

int cmd_open(struct cli *c, const struct args *a, struct fail *f)
{
        CLEANUP(json_putp) json_t *session = NULL;
        struct strbuf body = {0};

        strbuf_char(&body, '{');
        if (args_has(a, "scope"))
                add_scopes(a, &body);
        strbuf_char(&body, '}');
        if (client_json(&c->client, "POST", "/v1/sessions", &body, &session, f) < 0)
                return -1;
        if (view_wants_json(a))
                return view_object(session, f);
        if (isatty(STDERR_FILENO))
                talk("open this in a browser within a minute; it works once");
        return output_line(f, "%s", json_text(session, "url") ?: "");
}

int cmd_token_mint(struct cli *c, const struct args *a, struct fail *f)
{
        CLEANUP(json_putp) json_t *token = NULL;
        struct strbuf body = {0};
        double expires = -1;

        if (args_seconds(a, "expires", &expires, f) < 0)
                return -1;
        if (!args_has(a, "scope")) {
                fail_usage(f, "a token needs scopes");
                return fail_hint(
                        f,
                        "creche token mint NAME --scope read,logs (there are read start signal logs delete "
                        "admin)");
        }
        strbuf_str(&body, "{\"name\":");
        strbuf_json_str(&body, a->operands[0]);
        strbuf_char(&body, ',');
        add_scopes(a, &body);
        if (expires >= 0)
                strbuf_printf(&body, ",\"expires_in\":%.15g", expires);
        strbuf_char(&body, '}');
        if (client_json(&c->client, "POST", "/v1/tokens", &body, &token, f) < 0)
                return -1;
        if (view_wants_json(a))
                return view_object(token, f);
        if (isatty(STDERR_FILENO))
                talk("it is told here, once; 'creche token revoke %" PRId64 "' ends it",
                     json_number(token, "id"));
        return output_line(f, "%s", json_text(token, "token") ?: "");
}

int cmd_token_list(struct cli *c, const struct args *a, struct fail *f)
{
        CLEANUP(json_putp) json_t *all = NULL;

        if (view_check(a, &view_tokens, f) < 0 ||
            client_list(&c->client, "/v1/tokens", view_tokens.list, &all, f) < 0)
                return -1;
        return view_list(c, a, &view_tokens, all, f);
}

int cmd_token_revoke(struct cli *c, const struct args *a, struct fail *f)
{
        char target[64];

        for (int i = 0; i < a->operands_n; i++) {
                if (strspn(a->operands[i], "0123456789") != strlen(a->operands[i]) ||
                    strlen(a->operands[i]) > 18) {
                        fail_usage(f, "'%s' is no id of a token", a->operands[i]);
                        return fail_hint(f, "'creche token list' shows them");
                }
                snprintf(target, sizeof(target), "/v1/tokens/%s", a->operands[i]);
                if (client_json(&c->client, "DELETE", target, NULL, NULL, f) < 0)
                        return f->err.kind == ERR_NOT_FOUND ? fail_hint(f, "'creche token list' shows them")
                                                            : -1;
        }
        return 0;
}
