/* SPDX-License-Identifier: MIT */
/* What there is to show of processes, targets, tokens, events and settings. */
#include "cli/view.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "cli/json.h"
#include "cli/text.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* "3 minutes ago"; nothing for null. */
static void add_ago(const json_t *row, const char *member, const char *before, struct strbuf *out)
{
        const char *text = json_text(row, member);
        int64_t at;

        if (!text || clock_parse(text, &at) < 0)
                return;
        strbuf_str(out, before);
        text_duration(out, clock_now_us() - at);
        strbuf_str(out, " ago");
}

static void add_since(const json_t *row, const char *member, struct strbuf *out)
{
        const char *text = json_text(row, member);
        int64_t at;

        if (text && clock_parse(text, &at) == 0)
                text_duration(out, clock_now_us() - at);
}

void view_status(const json_t *process, struct strbuf *out)
{
        const char *state = json_text(process, "state") ?: "";
        const json_t *exit = json_object_get(process, "exit");

        if (!strcmp(state, "initial")) {
                strbuf_str(out, "not started");
        } else if (!strcmp(state, "started") || !strcmp(state, "starting")) {
                strbuf_str(out, *state == 's' && state[5] == 'e' ? "up " : "starting ");
                add_since(process, json_text(process, "started_at") ? "started_at" : "created_at", out);
        } else {
                if (!strcmp(state, "closed"))
                        strbuf_str(out, "closed; ");
                strbuf_str(out, json_text(exit, "detail") ?: "never started");
                add_ago(process, "stopped_at", ", ", out);
        }
}

static void add_word(const json_t *word, struct strbuf *out)
{
        const char *base64 = json_text(word, "base64");

        if (base64)
                strbuf_printf(out, "{base64:%s}", base64);
        else
                text_quote(out, json_string_value(word) ?: "");
}

void view_command(const json_t *process, struct strbuf *out)
{
        const json_t *argv = json_object_get(process, "argv");

        for (size_t i = 0; i < json_array_size(argv); i++) {
                if (i)
                        strbuf_char(out, ' ');
                add_word(json_array_get(argv, i), out);
        }
}

static enum color state_color(const json_t *row)
{
        const char *state = json_text(row, "state") ?: "";

        if (!strcmp(state, "started") || !strcmp(state, "starting"))
                return COLOR_GREEN;
        if (!strcmp(state, "failed") || !strcmp(state, "lost") || json_number(row, "exitcode") != 0)
                return COLOR_RED;
        return COLOR_NONE;
}

static void add_created(const json_t *row, struct strbuf *out)
{
        add_ago(row, "created_at", "", out);
}

static void add_labels(const json_t *row, struct strbuf *out)
{
        json_t *labels = json_object_get(row, "labels"), *value;
        const char *key, *comma = "";

        json_object_foreach(labels, key, value)
        {
                strbuf_printf(out, "%s%s=%s", comma, key, json_string_value(value) ?: "");
                comma = ",";
        }
}

static void add_runtime(const json_t *row, struct strbuf *out)
{
        const char *began = json_text(row, "started_at"), *ended = json_text(row, "stopped_at");
        int64_t from, to = clock_now_us();

        if (began && clock_parse(began, &from) == 0 && (!ended || clock_parse(ended, &to) == 0))
                text_duration(out, to - from);
}

static const struct column process_columns[] = {
        COLUMN("id", "id", COLUMN_RIGHT),
        COLUMN("name", "name", COLUMN_SHRINKS),
        COLUMN("status", NULL, COLUMN_SHRINKS, .text = view_status, .color = state_color),
        COLUMN("state", "state", COLUMN_ASKED, .color = state_color),
        COLUMN("exitcode", "exitcode", COLUMN_RIGHT | COLUMN_ASKED),
        COLUMN("pid", "pid", COLUMN_RIGHT),
        COLUMN("parent", "parent", COLUMN_RIGHT | COLUMN_WIDE),
        COLUMN("identity", "identity", COLUMN_ASKED),
        COLUMN("daemon", "daemon", COLUMN_WIDE),
        COLUMN("start_method", "start_method", COLUMN_ASKED),
        COLUMN("created", "created_at", 0, .text = add_created),
        COLUMN("started_at", "started_at", COLUMN_ASKED),
        COLUMN("stopped_at", "stopped_at", COLUMN_ASKED),
        COLUMN("joined_at", "joined_at", COLUMN_ASKED),
        COLUMN("ran", NULL, COLUMN_WIDE, .text = add_runtime),
        COLUMN("stdout_bytes", "stdout_bytes", COLUMN_RIGHT | COLUMN_ASKED),
        COLUMN("stderr_bytes", "stderr_bytes", COLUMN_RIGHT | COLUMN_ASKED),
        COLUMN("labels", "labels", COLUMN_WIDE, .text = add_labels),
        COLUMN("cwd", "cwd", COLUMN_ASKED),
        COLUMN("command", "argv", COLUMN_SHRINKS, .text = view_command),
};

const struct view view_processes = {"processes", "id", "name", process_columns, COUNT(process_columns)};

static void add_scopes(const json_t *row, struct strbuf *out)
{
        const json_t *scopes = json_object_get(row, "scopes");

        for (size_t i = 0; i < json_array_size(scopes); i++)
                strbuf_printf(out, "%s%s", i ? "," : "", json_string_value(json_array_get(scopes, i)) ?: "");
}

static void add_expires(const json_t *row, struct strbuf *out)
{
        const char *text = json_text(row, "expires_at");
        int64_t at, now = clock_now_us();

        if (json_text(row, "revoked_at"))
                add_ago(row, "revoked_at", "revoked ", out);
        else if (!text || clock_parse(text, &at) < 0)
                strbuf_str(out, "never");
        else if (at <= now)
                add_ago(row, "expires_at", "expired ", out);
        else {
                strbuf_str(out, "in ");
                text_duration(out, at - now);
        }
}

static void add_used(const json_t *row, struct strbuf *out)
{
        add_ago(row, "last_used_at", "", out);
}

static const struct column token_columns[] = {
        COLUMN("id", "id", COLUMN_RIGHT),
        COLUMN("name", "name", COLUMN_SHRINKS),
        COLUMN("scopes", "scopes", COLUMN_SHRINKS, .text = add_scopes),
        COLUMN("expires", "expires_at", 0, .text = add_expires),
        COLUMN("revoked_at", "revoked_at", COLUMN_ASKED),
        COLUMN("used", "last_used_at", 0, .text = add_used),
        COLUMN("created", "created_at", 0, .text = add_created),
        COLUMN("by", "created_by", COLUMN_SHRINKS),
};

const struct view view_tokens = {"tokens", "id", "name", token_columns, COUNT(token_columns)};

/* To the second, UTC. */
static void add_at(const json_t *row, struct strbuf *out)
{
        const char *text = json_text(row, "at") ?: "";

        strbuf_add(out, text, strcspn(text, "."));
        strbuf_char(out, 'Z');
}

static enum color event_color(const json_t *row)
{
        const char *type = json_text(row, "type") ?: "";

        if (!strcmp(type, "started"))
                return COLOR_GREEN;
        return !strcmp(type, "failed") || !strcmp(type, "lost") || json_number(row, "exitcode") != 0
                       ? COLOR_RED
                       : COLOR_NONE;
}

static const struct column event_columns[] = {
        COLUMN("event", "id", COLUMN_RIGHT),
        COLUMN("at", "at", 0, .text = add_at),
        COLUMN("type", "type", 0, .color = event_color),
        COLUMN("process", "process", COLUMN_RIGHT),
        COLUMN("name", "name", COLUMN_SHRINKS),
        COLUMN("exitcode", "exitcode", COLUMN_RIGHT),
        COLUMN("reason", "reason", 0),
};

const struct view view_events = {"events", "id", "name", event_columns, COUNT(event_columns)};

static void add_placeholders(const json_t *row, struct strbuf *out)
{
        const json_t *all = json_object_get(row, "placeholders");

        for (size_t i = 0; i < json_array_size(all); i++)
                strbuf_printf(out, "%s%s", i ? " " : "", json_text(json_array_get(all, i), "name") ?: "");
}

static const struct column target_columns[] = {
        COLUMN("name", "name", COLUMN_SHRINKS),
        COLUMN("takes", "placeholders", COLUMN_SHRINKS, .text = add_placeholders),
        COLUMN("user", "user", COLUMN_WIDE),
        COLUMN("created", "created_at", COLUMN_WIDE, .text = add_created),
        COLUMN("updated_at", "updated_at", COLUMN_ASKED),
        COLUMN("description", "description", COLUMN_SHRINKS),
        COLUMN("command", "argv", COLUMN_SHRINKS, .text = view_command),
};

const struct view view_targets = {"targets", "name", "name", target_columns, COUNT(target_columns)};

static enum color origin_color(const json_t *row)
{
        const char *origin = json_text(row, "origin") ?: "";

        return strcmp(origin, "default") ? COLOR_GREEN : COLOR_NONE;
}

static const struct column setting_columns[] = {
        COLUMN("section", "section", 0),
        COLUMN("name", "name", 0),
        COLUMN("value", "value", COLUMN_SHRINKS),
        COLUMN("origin", "origin", COLUMN_SHRINKS, .color = origin_color),
        COLUMN("variable", "variable", COLUMN_WIDE),
        COLUMN("help", "help", COLUMN_ASKED),
};

const struct view view_settings = {"settings", "key", "key", setting_columns, COUNT(setting_columns)};
