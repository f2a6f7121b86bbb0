/* SPDX-License-Identifier: MIT */
/* tests/fuzz/target.c: the definition of a target, and a call of it, from their bytes to an argv.
 *
 * Input: {"definition": {...}, "request": {...}}; what is left out is empty. */
#include "fuzz.h"

#include <regex.h>

#include "http/document.h"
#include "http/router.h"

static void check_shown(const json_t *definition)
{
        char *text = json_dumps(definition, JSON_COMPACT);
        const struct target t = {.id = 7, .name = "a", .definition = text, .created_us = 1, .updated_us = 2};
        struct strbuf b = {0};
        struct err e = {0};
        json_t *j;

        REQUIRE(text && codec_target_show(&b, &t, &e) == 0 && !fuzz_has_control(strbuf_text(&b)));
        j = json_loadb(strbuf_text(&b), b.len, JSON_REJECT_DUPLICATES, NULL);
        REQUIRE(j && json_is_string(json_object_get(j, "updated_at")));
        REQUIRE(json_equal(json_object_get(j, "argv"), json_object_get(definition, "argv")));
        REQUIRE(!json_object_get(definition, "placeholders") ||
                json_equal(json_object_get(j, "placeholders"), json_object_get(definition, "placeholders")));
        REQUIRE(!json_object_get(j, "env") || json_is_array(json_object_get(j, "env")));
        json_decref(j);
        strbuf_done(&b);
        free(text);
}

/* The value of a placeholder, looked for where it may be. */
static const json_t *value_of(const json_t *doc, const json_t *request, const char *name, size_t n,
                              const char **pattern)
{
        const json_t *v = NULL;
        json_t *p;
        size_t i;

        json_array_foreach(json_object_get(doc, "placeholders"), i, p)
        {
                const char *its = json_string_value(json_object_get(p, "name"));

                if (strlen(its) != n || memcmp(its, name, n) != 0)
                        continue;
                v = json_array_get(json_object_get(request, "args"), i);
                if (!v)
                        v = json_object_get(json_object_get(request, "kwargs"), its);
                if (!v)
                        v = json_object_get(p, "default");
                *pattern = json_string_value(json_object_get(p, "pattern"));
        }
        REQUIRE(v);
        return v;
}

static void add_value(struct strbuf *b, const json_t *v)
{
        if (json_is_string(v))
                strbuf_str(b, json_string_value(v));
        else if (json_is_integer(v))
                strbuf_int(b, json_integer_value(v));
        else
                strbuf_str(b, json_is_true(v) ? "true" : "false");
}

/* Found in another way: where the longest match from the left is, it must be the whole. */
static void check_match(const char *pattern, const char *value)
{
        regmatch_t m;
        regex_t regex;

        REQUIRE(regcomp(&regex, pattern, REG_EXTENDED) == 0);
        REQUIRE(regexec(&regex, value, 1, &m, 0) == 0 && m.rm_so == 0 && (size_t)m.rm_eo == strlen(value));
        regfree(&regex);
}

static void add_placeholder(struct strbuf *b, const json_t *definition, const json_t *request,
                            const char *name, size_t n)
{
        const char *pattern = NULL;
        struct strbuf value = {0};

        add_value(&value, value_of(definition, request, name, n, &pattern));
        REQUIRE(value.len <= 4096);
        check_match(pattern, strbuf_text(&value));
        strbuf_str(b, strbuf_text(&value));
        strbuf_done(&value);
}

static void check_argument(const json_t *definition, const json_t *request, const char *template,
                           const char *argument)
{
        struct strbuf b = {0};

        for (const char *s = template; *s; s++) {
                if ((*s == '{' || *s == '}') && s[1] == *s) {
                        strbuf_char(&b, *s++);
                } else if (*s == '{') {
                        size_t n = strcspn(++s, "}");

                        add_placeholder(&b, definition, request, s, n);
                        s += n;
                } else {
                        strbuf_char(&b, *s);
                }
        }
        REQUIRE(!strcmp(strbuf_text(&b), argument));
        strbuf_done(&b);
}

/* What is made of a call is a launch request, but for what the call itself says of names and labels. */
static void check_launch(const json_t *launch)
{
        struct spec *s = NULL;
        struct err e = {0};

        if (codec_spec(launch, &s, &e) == 0) {
                spec_free(s);
                return;
        }
        fuzz_check_refusal(&e);
        REQUIRE(strspn(e.pointer, "/") == 1 &&
                (!strcmp(e.pointer, "/name") || !strcmp(e.pointer, "/identity") ||
                 !strcmp(e.pointer, "/daemon") || !strcmp(e.pointer, "/start") ||
                 !strncmp(e.pointer, "/labels", 7)));
}

static void check_call(const json_t *definition, const json_t *request)
{
        const json_t *template = json_object_get(definition, "argv"), *argv;
        json_t *launch = NULL, *arg;
        struct err e = {0};
        size_t i;

        if (codec_call(request, definition, &launch, &e) < 0) {
                fuzz_check_refusal(&e);
                REQUIRE(!launch && e.kind == ERR_INVALID && e.has_pointer);
                return;
        }
        argv = json_object_get(launch, "argv");
        REQUIRE(json_array_size(argv) == json_array_size(template));
        json_array_foreach(template, i, arg) check_argument(definition, request, json_string_value(arg),
                                                            json_string_value(json_array_get(argv, i)));
        check_launch(launch);
        json_decref(launch);
}

/* The members that a body may have: all else is refused before anybody looks at them. */
static const char *members(void)
{
        const struct route *r = routes;

        while (strcmp(r->pattern, "/v1/targets/{name}") != 0 || strcmp(r->method, "PUT") != 0)
                r++;
        return r->members;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        json_t *definition;
        const json_t *request;
        json_t *doc = NULL, *empty = json_object();
        struct err e = {0};

        REQUIRE(empty);
        if (document_read((const char *)data, size, &doc, &e) == 0) {
                definition = json_object_get(doc, "definition");
                request = json_object_get(doc, "request");
                definition = json_is_object(definition) ? definition : empty;
                request = json_is_object(request) ? request : empty;
                if (document_only(definition, members(), &e) == 0 && codec_target(definition, &e) == 0) {
                        check_shown(definition);
                        check_call(definition, request);
                } else {
                        fuzz_check_refusal(&e);
                        REQUIRE(e.kind == ERR_INVALID && e.has_pointer);
                }
        }
        json_decref(doc);
        json_decref(empty);
        return 0;
}
