/* SPDX-License-Identifier: MIT */
/* Named targets: their definitions, checked when they are put; and calls of them, which become launch requests. */
#include "http/codec.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "http/document.h"
#include "transport/limits.h"
#include "http/members.h"
#include "model/pattern.h"

enum { NUMBER_MAX = 24, DESCRIPTION_MAX = 1024 };

static const struct place top = {0};

/* Its text, maybe in @number; NULL: it is none of a string, an integer and a boolean. */
static const char *value_text(const json_t *v, char number[NUMBER_MAX])
{
        if (json_is_integer(v)) {
                snprintf(number, NUMBER_MAX, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
                return number;
        }
        if (json_is_boolean(v))
                return json_is_true(v) ? "true" : "false";
        return json_string_value(v);
}

/* Whether @v may be the value of what has @pattern. */
static int check_value(const json_t *v, const regex_t *pattern, const struct place *at, struct err *e)
{
        char number[NUMBER_MAX];
        const char *text = value_text(v, number);
        int rc;

        if (!text)
                return place_refuse(at, e, "must be a string, an integer, true or false");
        if (strlen(text) > PATTERN_VALUE_MAX)
                return place_refuse(at, e, "is longer than %d bytes", PATTERN_VALUE_MAX);
        rc = pattern_matches(pattern, text, e);
        return rc == 0 ? place_refuse(at, e, "does not match the pattern") : rc < 0 ? -1 : 0;
}

/* ----------------------------------------------------------------------------------- the placeholders */

static const char *member(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key));
}

/* Which of @placeholders has the name of @n bytes at @name; as many as there are: none. */
static size_t find_placeholder(const json_t *placeholders, const char *name, size_t n)
{
        size_t i;
        json_t *p;

        json_array_foreach(placeholders, i, p)
        {
                const char *its = member(p, "name");

                if (its && strlen(its) == n && !memcmp(its, name, n))
                        return i;
        }
        return json_array_size(placeholders);
}

static int check_default(const json_t *v, const regex_t *pattern, const struct place *at, struct err *e)
{
        const struct place inner = {.up = at, .key = "default"};

        return v ? check_value(v, pattern, &inner, e) : 0;
}

static int check_pattern(const json_t *p, const struct place *at, struct err *e)
{
        const struct place inner = {.up = at, .key = "pattern"};
        const char *text = member(p, "pattern");
        regex_t pattern;
        int rc;

        if (!text)
                return place_refuse(&inner, e,
                                    json_object_get(p, "pattern") ? "must be a string" : "is missing");
        if (pattern_compile(text, &pattern, e) < 0)
                return place_refuse(&inner, e, "%s", e->msg);
        rc = check_default(json_object_get(p, "default"), &pattern, at, e);
        regfree(&pattern);
        return rc;
}

static int check_description(const json_t *v, const struct place *at, struct err *e)
{
        if (!v || (json_is_string(v) && json_string_length(v) <= DESCRIPTION_MAX))
                return 0;
        return place_refuse(at, e, "must be a string of at most %d bytes", DESCRIPTION_MAX);
}

static int check_members(const json_t *p, const struct place *at, struct err *e)
{
        const char *key;
        json_t *v;

        if (!json_is_object(p))
                return place_refuse(at, e, "must be an object");
        json_object_foreach((json_t *)p, key, v)
        {
                const struct place inner = {.up = at, .key = key};

                if (strcmp(key, "name") != 0 && strcmp(key, "pattern") != 0 && strcmp(key, "default") != 0 &&
                    strcmp(key, "description") != 0)
                        return place_refuse(&inner, e, "is not a known field");
        }
        return check_description(json_object_get(p, "description"),
                                 &(struct place){.up = at, .key = "description"}, e);
}

/* The one of @placeholders that @at points to. */
static int check_placeholder(const json_t *placeholders, const struct place *at, struct err *e)
{
        const json_t *p = json_array_get(placeholders, at->index);
        const struct place inner = {.up = at, .key = "name"};
        const char *name = member(p, "name");

        if (check_members(p, at, e) < 0)
                return -1;
        if (!name || !placeholder_name_is_valid(name))
                return place_refuse(
                        &inner, e,
                        "must be a string of 1 to %d letters, digits and '_', and not begin with a "
                        "digit",
                        TARGET_NAME_MAX);
        if (find_placeholder(placeholders, name, strlen(name)) != at->index)
                return place_refuse(&inner, e, "is there twice");
        return check_pattern(p, at, e);
}

static int check_placeholders(const json_t *placeholders, struct err *e)
{
        const struct place at = {.up = &top, .key = "placeholders"};
        struct place item = {.up = &at};

        if (placeholders &&
            (!json_is_array(placeholders) || json_array_size(placeholders) > TARGET_PLACEHOLDERS_MAX))
                return place_refuse(&at, e, "must be an array of at most %d placeholders",
                                    TARGET_PLACEHOLDERS_MAX);
        for (; item.index < json_array_size(placeholders); item.index++)
                if (check_placeholder(placeholders, &item, e) < 0)
                        return -1;
        return 0;
}

/* -------------------------------------------------------------------------------------- the template */

/* Use the placeholder @p, in the argument @at. */
static int use(const json_t *placeholders, const struct piece *p, const struct place *at,
               bool used[TARGET_PLACEHOLDERS_MAX], struct err *e)
{
        size_t i = find_placeholder(placeholders, p->text, p->n);

        if (i == json_array_size(placeholders))
                return place_refuse(at, e, "has {%.*s}, which is not declared in placeholders", (int)p->n,
                                    p->text);
        if (!at->index)
                return place_refuse(at, e, "must not have a placeholder: the target says which program runs");
        used[i] = true;
        return 0;
}

static int check_argument(const json_t *arg, const json_t *placeholders, const struct place *at,
                          bool used[TARGET_PLACEHOLDERS_MAX], struct err *e)
{
        const char *s = json_string_value(arg);
        struct piece p;
        size_t longest = 0;
        int rc;

        if (!s)
                return place_refuse(at, e, "must be a string");
        while ((rc = template_next(&s, &p, e)) > 0) {
                if (p.is_placeholder && use(placeholders, &p, at, used, e) < 0)
                        return -1;
                longest += p.is_placeholder ? PATTERN_VALUE_MAX : p.n;
        }
        if (rc < 0)
                return place_refuse(at, e, "%s", e->msg);
        if (longest > SPEC_ARGUMENT_MAX)
                return place_refuse(at, e, "could become longer than %d bytes", SPEC_ARGUMENT_MAX);
        return 0;
}

static int check_template(const json_t *argv, const json_t *placeholders, struct err *e)
{
        const struct place at = {.up = &top, .key = "argv"}, all = {.up = &top, .key = "placeholders"};
        bool used[TARGET_PLACEHOLDERS_MAX] = {false};
        struct place item = {.up = &at};

        for (; item.index < json_array_size(argv); item.index++)
                if (check_argument(json_array_get(argv, item.index), placeholders, &item, used, e) < 0)
                        return -1;
        item = (struct place){.up = &all};
        for (; item.index < json_array_size(placeholders); item.index++)
                if (!used[item.index])
                        return place_refuse(&item, e, "is not used in argv");
        return 0;
}

/* ------------------------------------------------------------------------------------ the definition */

/* What of @definition is a launch request, as a new object. NULL: out of memory. */
static json_t *launch_part(const json_t *definition)
{
        json_t *launch = json_copy((json_t *)definition);

        json_object_del(launch, "placeholders");
        json_object_del(launch, "description");
        return launch;
}

/* Everything but the template is read as it is in a launch request. */
static int check_launch(const json_t *definition, struct err *e)
{
        CLEANUP(json_decrefp) json_t *launch = launch_part(definition);
        CLEANUP(spec_freep) struct spec *s = NULL;

        if (!launch)
                return err_set(e, ERR_UNAVAILABLE, 0, "out of memory");
        if (codec_spec(launch, &s, e) < 0)
                return -1;
        if (s->stdin_mode == STDIN_BYTES)
                return err_set_at(e, ERR_INVALID, "/stdin", "must be \"null\" or \"pipe\"");
        return 0;
}

int codec_target(const json_t *definition, struct err *e)
{
        const json_t *placeholders = json_object_get(definition, "placeholders");
        const struct place at = {.up = &top, .key = "description"};

        if (check_launch(definition, e) < 0 ||
            check_description(json_object_get(definition, "description"), &at, e) < 0 ||
            check_placeholders(placeholders, e) < 0)
                return -1;
        return check_template(json_object_get(definition, "argv"), placeholders, e);
}

/* Of the environment, names only. */
static int hide_values(json_t *shown)
{
        json_t *env = json_object_get(shown, "env"), *names, *v;
        const char *name;

        if (!env)
                return 0;
        names = json_array();
        json_object_foreach(env, name, v) json_array_append_new(names, json_string(name));
        return json_object_set_new(shown, "env", names);
}

/* Of the control characters, jansson leaves one as it is. */
static void add_escaped(struct strbuf *b, const char *json)
{
        for (const char *s = json, *end; *s; s = end + (*end != '\0')) {
                end = strchrnul(s, 0x7f);
                strbuf_add(b, s, (size_t)(end - s));
                if (*end)
                        strbuf_str(b, "\\u007f");
        }
}

int codec_target_show(struct strbuf *b, const struct target *t, struct err *e)
{
        CLEANUP(json_decrefp) json_t *shown = NULL;
        CLEANUP(freep) char *text = NULL;

        if (document_read(t->definition, strlen(t->definition), &shown, e) < 0 || hide_values(shown) < 0 ||
            !(text = json_dumps(shown, JSON_COMPACT)) || !json_object_size(shown))
                return err_set(e, ERR_INTERNAL, 0, "the definition of the target '%s' is not readable",
                               t->name);
        add_string_or_null(b, "{\"name\":", t->name);
        add_time(b, ",\"created_at\":", t->created_us);
        add_time(b, ",\"updated_at\":", t->updated_us);
        strbuf_char(b, ',');
        add_escaped(b, text + 1);
        return 0;
}

/* -------------------------------------------------------------------------------------------- a call */

/* The values that a call gives to the placeholders of a target. */
struct call {
        const json_t *placeholders;
        size_t n;
        const json_t *values[TARGET_PLACEHOLDERS_MAX]; /* NULL: none */
        struct err *e;
};

static int take_value(struct call *c, size_t i, const json_t *v, const struct place *at)
{
        const json_t *p = json_array_get(c->placeholders, i);
        regex_t pattern;
        int rc;

        if (c->values[i])
                return place_refuse(at, c->e, "is given in args as well");
        if (pattern_compile(member(p, "pattern") ?: "(", &pattern, c->e) < 0)
                return err_set(c->e, ERR_INTERNAL, 0, "the definition of the target is not readable");
        rc = check_value(v, &pattern, at, c->e);
        regfree(&pattern);
        c->values[i] = v;
        return rc;
}

/* In the order of the placeholders. */
static int take_args(struct call *c, const json_t *args)
{
        const struct place at = {.up = &top, .key = "args"};
        struct place item = {.up = &at};

        if (args && !json_is_array(args))
                return place_refuse(&at, c->e, "must be an array");
        for (; item.index < json_array_size(args); item.index++) {
                if (item.index == c->n)
                        return place_refuse(&item, c->e, "is one more than there are placeholders");
                if (take_value(c, item.index, json_array_get(args, item.index), &item) < 0)
                        return -1;
        }
        return 0;
}

/* By name. */
static int take_kwargs(struct call *c, const json_t *kwargs)
{
        const struct place at = {.up = &top, .key = "kwargs"};
        const char *name;
        json_t *v;

        if (kwargs && !json_is_object(kwargs))
                return place_refuse(&at, c->e, "must be an object");
        json_object_foreach((json_t *)kwargs, name, v)
        {
                const struct place item = {.up = &at, .key = name};
                size_t i = find_placeholder(c->placeholders, name, strlen(name));

                if (i == c->n)
                        return place_refuse(&item, c->e, "is no placeholder of the target");
                if (take_value(c, i, v, &item) < 0)
                        return -1;
        }
        return 0;
}

static int take_defaults(struct call *c)
{
        const struct place at = {.up = &top, .key = "kwargs"};

        for (size_t i = 0; i < c->n; i++) {
                const json_t *p = json_array_get(c->placeholders, i);
                const struct place item = {.up = &at, .key = member(p, "name")};

                if (!c->values[i] && !(c->values[i] = json_object_get(p, "default")))
                        return place_refuse(&item, c->e, "is missing");
        }
        return 0;
}

/* An argument of the template, with its values. */
static int expand(const struct call *c, const char *arg, struct strbuf *out)
{
        char number[NUMBER_MAX];
        struct piece p;
        int rc;

        while ((rc = template_next(&arg, &p, c->e)) > 0) {
                size_t i = p.is_placeholder ? find_placeholder(c->placeholders, p.text, p.n) : 0;
                const char *text = p.is_placeholder && i < c->n ? value_text(c->values[i], number) : NULL;

                if (!p.is_placeholder)
                        strbuf_add(out, p.text, p.n);
                else if (text)
                        strbuf_str(out, text);
                else
                        rc = -1;
                if (rc < 0)
                        break;
        }
        return rc < 0 || strbuf_failed(out) ? -1 : 0;
}

/* The argv of a call, a new array in *out, no longer than a body could bring: a template can have a value often. */
static int expand_all(const struct call *c, const json_t *template, json_t **out)
{
        const struct place at = {.up = &top, .key = "target"};
        size_t i, all = 0;
        json_t *arg;

        *out = json_array();
        json_array_foreach(template, i, arg)
        {
                CLEANUP(strbuf_done) struct strbuf b = {0};

                if (!json_is_string(arg) || expand(c, json_string_value(arg), &b) < 0 ||
                    json_array_append_new(*out, json_stringn(strbuf_text(&b), b.len)) < 0)
                        return err_set(c->e, ERR_INTERNAL, 0, "the definition of the target is not readable");
                all += b.len;
                if (all > LIMITS_BODY_MAX)
                        return place_refuse(&at, c->e,
                                            "makes arguments of more than %d bytes of these values",
                                            LIMITS_BODY_MAX);
        }
        return 0;
}

/* What a call says of the process beside its values, into @launch. What runs is a matter of the target. */
static int take_members(const json_t *request, const json_t *definition, json_t *launch, struct err *e)
{
        static const char *const own[] = {"name", "identity", "daemon", "labels", "start"};
        const char *key;
        json_t *v;

        json_object_foreach((json_t *)request, key, v)
        {
                const struct place at = {.up = &top, .key = key};
                size_t i = 0;

                if (!strcmp(key, "target") || !strcmp(key, "args") || !strcmp(key, "kwargs"))
                        continue;
                while (i < sizeof(own) / sizeof(own[0]) && strcmp(own[i], key) != 0)
                        i++;
                if (i == sizeof(own) / sizeof(own[0]) || json_object_get(definition, key))
                        return place_refuse(&at, e, "is fixed by the target");
                if (json_object_set(launch, key, v) < 0)
                        return err_set(e, ERR_UNAVAILABLE, 0, "out of memory");
        }
        return 0;
}

int codec_call(const json_t *request, const json_t *definition, json_t **out, struct err *e)
{
        CLEANUP(json_decrefp) json_t *launch = launch_part(definition);
        struct call c = {.placeholders = json_object_get(definition, "placeholders"), .e = e};
        json_t *argv = NULL;

        c.n = json_array_size(c.placeholders);
        if (!launch || c.n > TARGET_PLACEHOLDERS_MAX)
                return err_set(e, ERR_INTERNAL, 0, "the definition of the target is not readable");
        if (take_members(request, definition, launch, e) < 0 ||
            take_args(&c, json_object_get(request, "args")) < 0 ||
            take_kwargs(&c, json_object_get(request, "kwargs")) < 0 || take_defaults(&c) < 0)
                return -1;
        if (expand_all(&c, json_object_get(definition, "argv"), &argv) < 0) {
                json_decref(argv);
                return -1;
        }
        if (json_object_set_new(launch, "argv", argv) < 0)
                return err_set(e, ERR_UNAVAILABLE, 0, "out of memory");
        *out = TAKE_PTR(launch);
        return 0;
}
