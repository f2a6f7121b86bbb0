/* SPDX-License-Identifier: MIT */
/* Requests for tokens into struct token, and tokens into JSON. */
#include "http/codec.h"

#include <string.h>

#include "base/clock.h"
#include "http/document.h"
#include "http/members.h"
#include "model/caller.h"

/* Names are shown in logs and in requested_by: one line, nothing that moves a cursor. */
static int read_name(const json_t *v, const struct place *at, struct token *out, struct err *e)
{
        const char *s = json_string_value(v);

        if (!v)
                return place_refuse(at, e, "is missing");
        if (!s || !*s || strlen(s) > TOKEN_NAME_MAX)
                return place_refuse(at, e, "must be a string of 1 to %d bytes", TOKEN_NAME_MAX);
        for (const char *c = s; *c; c++)
                if ((unsigned char)*c < ' ' || *c == 0x7f)
                        return place_refuse(at, e, "must not contain control characters");
        out->name = s;
        return 0;
}

static int read_scopes(const json_t *v, const struct place *at, struct token *out, struct err *e)
{
        struct place item = {.up = at};

        if (!v)
                return place_refuse(at, e, "is missing");
        if (!json_array_size(v))
                return place_refuse(at, e, "must be an array of at least one scope");
        for (; item.index < json_array_size(v); item.index++) {
                const char *s = json_string_value(json_array_get(v, item.index));
                unsigned scope = s ? scope_parse(s) : 0;

                if (!scope)
                        return place_refuse(&item, e, "must be read, start, signal, logs, delete or admin");
                if (out->scopes & scope)
                        return place_refuse(&item, e, "is there twice");
                out->scopes |= scope;
        }
        return 0;
}

/* A name of @out's list, which has room for as many as there may be. */
static int add_target(const json_t *v, const struct place *at, char *list, struct err *e)
{
        const char *name = json_string_value(v);

        if (!name || !target_name_is_valid(name))
                return place_refuse(at, e, "must be the name of a target");
        if (targets_have(list, name))
                return place_refuse(at, e, "is there twice");
        if (*list)
                strcat(list, " ");
        strcat(list, name);
        return 0;
}

static int read_targets(const json_t *v, char list[TARGETS_TEXT_MAX], struct token *out, struct err *e)
{
        const struct place at = {.up = &(struct place){0}, .key = "targets"};
        struct place item = {.up = &at};

        *list = '\0';
        if (!v || json_is_null(v))
                return 0;
        if (!json_array_size(v) || json_array_size(v) > TARGETS_MAX)
                return place_refuse(&at, e, "must be an array of 1 to %d names of targets, or null",
                                    TARGETS_MAX);
        for (; item.index < json_array_size(v); item.index++)
                if (add_target(json_array_get(v, item.index), &item, list, e) < 0)
                        return -1;
        out->targets = list;
        return 0;
}

static int read_expires_in(const json_t *v, const struct place *at, struct token *out, struct err *e)
{
        if (!v || json_is_null(v))
                return 0;
        if (!(json_number_value(v) > 0))
                return place_refuse(at, e, "must be a positive number of seconds, or null");
        out->expires_us = clock_now_us() + seconds_us(json_number_value(v));
        return 0;
}

static int read_expires_at(const json_t *v, const struct place *at, struct token *out, struct err *e)
{
        if (!v || json_is_null(v))
                return 0;
        if (out->expires_us)
                return place_refuse(at, e, "excludes expires_in");
        if (!json_is_string(v) || clock_parse(json_string_value(v), &out->expires_us) < 0)
                return place_refuse(at, e, "must be a time like 2026-01-02T03:04:05Z, or null");
        return out->expires_us > clock_now_us() ? 0 : place_refuse(at, e, "is over");
}

int codec_mint(const json_t *request, char targets[TARGETS_TEXT_MAX], struct token *out, struct err *e)
{
        static const struct {
                const char *name;
                int (*read)(const json_t *v, const struct place *at, struct token *out, struct err *e);
        } fields[] = {{"name", read_name},
                      {"scopes", read_scopes},
                      {"expires_in", read_expires_in},
                      {"expires_at", read_expires_at}};
        const struct place top = {0};

        *out = (struct token){0};
        for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
                const struct place at = {.up = &top, .key = fields[i].name};

                if (fields[i].read(json_object_get(request, fields[i].name), &at, out, e) < 0)
                        return -1;
        }
        return read_targets(json_object_get(request, "targets"), targets, out, e);
}

static void add_scopes(struct strbuf *b, unsigned scopes)
{
        bool first = true;

        strbuf_str(b, ",\"scopes\":[");
        for (unsigned s = 1; s < SCOPE_ALL; s <<= 1) {
                if (!(scopes & s))
                        continue;
                strbuf_printf(b, "%s\"%s\"", first ? "" : ",", scope_name((enum scope)s));
                first = false;
        }
        strbuf_char(b, ']');
}

static void add_targets(struct strbuf *b, const char *list)
{
        strbuf_str(b, ",\"targets\":");
        if (!list) {
                strbuf_str(b, "null");
                return;
        }
        strbuf_char(b, '[');
        for (const char *s = list, *end; *s; s = end + (*end == ' ')) {
                end = strchrnul(s, ' ');
                if (s != list)
                        strbuf_char(b, ',');
                strbuf_json_bytes(b, s, (size_t)(end - s));
        }
        strbuf_char(b, ']');
}

void codec_token(struct strbuf *b, const struct token *t, const char *text)
{
        add_int_or_null(b, "{\"id\":", true, t->id);
        add_string_or_null(b, ",\"name\":", t->name);
        add_scopes(b, t->scopes);
        add_targets(b, t->targets);
        add_time(b, ",\"created_at\":", t->created_us);
        add_string_or_null(b, ",\"created_by\":", t->created_by);
        add_time(b, ",\"expires_at\":", t->expires_us);
        add_time(b, ",\"revoked_at\":", t->revoked_us);
        add_time(b, ",\"last_used_at\":", t->used_us);
        if (text)
                add_string_or_null(b, ",\"token\":", text);
        strbuf_char(b, '}');
}
