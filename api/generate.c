/* SPDX-License-Identifier: MIT */
/* api/generate.c
 * The contract as C:  generate openapi.json routes.h routes.c
 *
 * A program of the build, which writes what src/http needs to know of each operation: the prototype of its handler
 * handle_OPERATIONID(), its row of the route table, and the bounds of its parameters and members. All of it is
 * derived from standard fields of the document, but for the scopes (x-creche-scopes) and the limit of the body
 * (x-creche-body-limit). Whatever is wrong is said with its place, and nothing is written then.
 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <regex.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

enum { OPERATIONS_MAX = 256 };

enum body { BODY_NONE, BODY_OPTIONAL, BODY_REQUIRED, BODY_STREAM };

struct operation {
        const char *path, *id;
        char method[8];
        json_t *json;
        enum body body;
        json_int_t limit;  /* of the body */
        json_t *schema;    /* of a JSON body */
        const char *param; /* of the path: its name; NULL: none */
        json_t *param_schema;
};

static json_t *document;
static const char *document_path;
static struct operation operations[OPERATIONS_MAX];
static size_t operations_n;
static int mistakes;

/* What is wrong, and in which operation; NULL: in none. */
__attribute__((format(printf, 2, 3))) static void complain(const struct operation *o, const char *fmt, ...)
{
        va_list ap;

        mistakes++;
        fprintf(stderr, "%s: ", document_path);
        if (o)
                fprintf(stderr, "%s %s: ", o->method, o->path);
        va_start(ap, fmt);
        vfprintf(stderr, fmt, ap);
        va_end(ap);
        fputc('\n', stderr);
}

/* ------------------------------------------------------------------------------------ the document */

/* The member of @v that the next step of a pointer, of @n bytes, names. */
static json_t *step(const json_t *v, const char *s, size_t n)
{
        char key[256];
        size_t k = 0;

        for (size_t i = 0; i < n && k + 1 < sizeof(key); i++) {
                key[k++] = s[i];
                if (s[i] == '~' && ++i < n)
                        key[k - 1] = s[i] == '1' ? '/' : '~';
        }
        key[k] = '\0';
        return json_object_get(v, key);
}

/* @v, or what it refers to. */
static json_t *resolve(const struct operation *o, json_t *v)
{
        const char *ref = json_string_value(json_object_get(v, "$ref"));
        json_t *found = document;

        if (!ref)
                return v;
        if (strncmp(ref, "#/", 2) != 0) {
                complain(o, "$ref: '%s' is not of this document", ref);
                return NULL;
        }
        for (const char *s = ref + 2, *end; s; s = *end ? end + 1 : NULL) {
                end = strchrnul(s, '/');
                found = step(found, s, (size_t)(end - s));
        }
        if (!found)
                complain(o, "$ref: there is no '%s'", ref);
        return found;
}

static const char *text(const json_t *v, const char *key)
{
        const char *s = json_string_value(json_object_get(v, key));

        return s ? s : "";
}

/* A schema may be written in place, or referred to; what stands beside the reference goes first. */
static json_t *schema_of(const struct operation *o, const json_t *parent)
{
        return resolve(o, json_object_get(parent, "schema"));
}

static bool is_type(const json_t *schema, const char *type)
{
        return !strcmp(text(schema, "type"), type);
}

/* Each parameter @p of @o, resolved; NULL where that failed. */
#define each_parameter(o, i, p)                                                                              \
        for (size_t i = 0; i < json_array_size(json_object_get((o)->json, "parameters")) &&                  \
                           (p = resolve(o, json_array_get(json_object_get((o)->json, "parameters"), i)), 1); \
             i++)

/* -------------------------------------------------------------------------------------- its mistakes */

static void check_id(const struct operation *o)
{
        if (!*o->id || strspn(o->id, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(o->id) ||
            isdigit(*o->id))
                complain(o, "operationId: '%s' is not like 'lower_case'", o->id);
        for (const struct operation *p = operations; p < o; p++)
                if (!strcmp(p->id, o->id))
                        complain(o, "operationId: '%s' is that of %s %s, too", o->id, p->method, p->path);
}

static bool is_public(const struct operation *o)
{
        json_t *security = json_object_get(o->json, "security");

        return security && !json_array_size(security);
}

/* The scopes that there are, are those of the security scheme. */
static void check_scopes(const struct operation *o)
{
        json_t *schemes = json_object_get(json_object_get(document, "components"), "securitySchemes");
        json_t *known = json_object_get(json_object_get(schemes, "bearer"), "x-creche-scopes");
        json_t *scopes = json_object_get(o->json, "x-creche-scopes"), *scope;
        size_t i;

        if (is_public(o)) {
                if (scopes)
                        complain(o, "x-creche-scopes: nobody has scopes where 'security' is []");
                return;
        }
        if (!json_array_size(scopes))
                complain(o, "x-creche-scopes: is missing, and 'security' is not []");
        json_array_foreach(scopes, i, scope) if (!json_is_string(scope) ||
                                                 !json_object_get(known, json_string_value(scope)))
                complain(o, "x-creche-scopes: there is no scope '%s' in components.securitySchemes.bearer",
                         json_is_string(scope) ? json_string_value(scope) : "?");
}

/* What is matched by regcomp() must mean the same there and in JSON Schema. */
static void check_pattern(const struct operation *o)
{
        const char *pattern = text(o->param_schema, "pattern");
        size_t n = strlen(pattern);
        regex_t regex;

        if (!json_is_integer(json_object_get(o->param_schema, "maxLength")))
                complain(o, "{%s}: the limit is missing: maxLength", o->param);
        if (n < 2 || *pattern != '^' || pattern[n - 1] != '$' || strpbrk(pattern, "\\\"") ||
            strstr(pattern, "(?") || strstr(pattern, "[:") ||
            regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0) {
                complain(o, "{%s}: pattern: '%s' is not like '^[a-z][a-z0-9-]*$', without escapes", o->param,
                         pattern);
                return;
        }
        regfree(&regex);
}

static void check_path_parameter(struct operation *o, const json_t *p)
{
        const char *name = text(p, "name");
        char braced[256];

        snprintf(braced, sizeof(braced), "{%s}", name);
        if (!strstr(o->path, braced)) {
                complain(o, "parameters: '%s' is not in the path", name);
                return;
        }
        o->param = name;
        o->param_schema = schema_of(o, p);
        if (!json_is_true(json_object_get(p, "required")))
                complain(o, "{%s}: 'required' is not true", name);
        if (is_type(o->param_schema, "string"))
                check_pattern(o);
        else if (!is_type(o->param_schema, "integer") ||
                 json_integer_value(json_object_get(o->param_schema, "minimum")) != 1)
                complain(o, "{%s}: is neither a string nor an integer from 1 on", name);
}

static void check_path(struct operation *o)
{
        const char *open = strchr(o->path, '{');
        const json_t *p;

        each_parameter(o, i, p) if (p && !strcmp(text(p, "in"), "path")) check_path_parameter(o, p);
        if (*o->path != '/' || strpbrk(o->path, "?#%\"\\"))
                complain(o, "is no path");
        if (open && !o->param)
                complain(o, "%s: is not declared in 'parameters'", open);
        if (open && (strchr(open + 1, '{') || open[-1] != '/' || !strchr("/", open[strcspn(open, "}") + 1])))
                complain(o, "%s: at most one segment of a path can be a parameter", open);
}

static void check_query(const struct operation *o)
{
        const json_t *p;

        each_parameter(o, i, p)
        {
                const char *name = text(p, "name");

                if (p && !strcmp(text(p, "in"), "query") && (!*name || strpbrk(name, " *\"\\")))
                        complain(o, "parameters: '%s' cannot be the name of a query parameter", name);
        }
}

static void check_schema(struct operation *o, const json_t *json)
{
        o->schema = schema_of(o, json);
        if (!is_type(o->schema, "object") ||
            !json_is_false(json_object_get(o->schema, "additionalProperties")) ||
            !json_object_size(json_object_get(o->schema, "properties")))
                complain(o, "requestBody: its schema is no object of known properties, additionalProperties: "
                            "false");
}

static void check_body(struct operation *o)
{
        json_t *body = resolve(o, json_object_get(o->json, "requestBody"));
        json_t *limit = json_object_get(o->json, "x-creche-body-limit");
        json_t *content = json_object_get(body, "content"),
               *json = json_object_get(content, "application/json");

        if (!body) {
                if (limit)
                        complain(o, "x-creche-body-limit: there is no requestBody");
                return;
        }
        if (json_object_size(content) != 1)
                complain(o, "requestBody: has not one content type");
        if (!limit)
                complain(o, "x-creche-body-limit: is missing");
        if (!json) {
                o->body = BODY_STREAM;
                if (!json_is_null(limit))
                        complain(o,
                                 "x-creche-body-limit: is not null, though the body is no JSON but a stream");
                return;
        }
        o->body = json_is_true(json_object_get(body, "required")) ? BODY_REQUIRED : BODY_OPTIONAL;
        o->limit = json_integer_value(limit);
        if (limit && (o->limit < 1 || o->limit > INT_MAX))
                complain(o, "x-creche-body-limit: is no number of bytes");
        check_schema(o, json);
}

static void check_operation(struct operation *o)
{
        check_id(o);
        check_scopes(o);
        check_path(o);
        check_query(o);
        check_body(o);
        if (!json_object_size(json_object_get(o->json, "responses")))
                complain(o, "responses: is missing");
}

/* "/a/{id}" and "/a/{name}" match the same. */
static void check_twins(const struct operation *o)
{
        size_t n = strcspn(o->path, "{");

        for (const struct operation *p = operations; p < o; p++)
                if (o->param && p->param && strcmp(o->path, p->path) != 0 &&
                    !strncmp(o->path, p->path, n + 1) && !strcmp(strchr(o->path, '}'), strchr(p->path, '}')))
                        complain(o, "is matched by %s, too", p->path);
}

/* ---------------------------------------------------------------------------------- the operations */

static void add_operation(const char *path, const char *method, json_t *json)
{
        struct operation *o = &operations[operations_n];

        if (operations_n == OPERATIONS_MAX) {
                complain(NULL, "paths: more than %d operations", OPERATIONS_MAX);
                return;
        }
        *o = (struct operation){.path = path, .id = text(json, "operationId"), .json = json};
        for (size_t i = 0; method[i] && i + 1 < sizeof(o->method); i++)
                o->method[i] = (char)toupper(method[i]);
        if (strcmp(method, "get") != 0 && strcmp(method, "post") != 0 && strcmp(method, "put") != 0 &&
            strcmp(method, "patch") != 0 && strcmp(method, "delete") != 0) {
                complain(NULL, "paths: %s: '%s' is none of get, post, put, patch, delete", path, method);
                return;
        }
        operations_n++;
        check_operation(o);
        check_twins(o);
}

static void read_operations(void)
{
        json_t *paths = json_object_get(document, "paths"), *item, *json;
        const char *path, *method;

        json_object_foreach(paths, path, item) json_object_foreach(item, method, json)
                add_operation(path, method, json);
        if (!operations_n)
                complain(NULL, "paths: has no operation");
}

/* ------------------------------------------------------------------------------------- what is written */

static void put_upper(FILE *f, const char *s)
{
        for (; *s; s++)
                fputc(isalnum((unsigned char)*s) ? toupper((unsigned char)*s) : '_', f);
}

static void put_bound(FILE *f, const struct operation *o, const char *name, const json_t *schema)
{
        static const char *const keys[] = {"maximum", "maxItems", "maxLength"};

        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
                json_t *max = json_object_get(schema, keys[i]);

                if (!json_is_integer(max) || json_integer_value(max) > INT_MAX)
                        continue;
                fputs("        ", f);
                put_upper(f, o->id);
                fputc('_', f);
                put_upper(f, name);
                fprintf(f, "_MAX = %lld,\n", (long long)json_integer_value(max));
        }
}

/* The greatest values of parameters, and of the body's members. */
static void put_bounds(FILE *f, const struct operation *o)
{
        const char *name;
        json_t *p;

        each_parameter(o, i, p) if (strcmp(text(p, "in"), "path") != 0)
                put_bound(f, o, text(p, "name"), schema_of(o, p));
        json_object_foreach(json_object_get(o->schema, "properties"), name, p)
                put_bound(f, o, name, resolve(o, p));
}

static void put_prototypes(FILE *f, const struct operation *o)
{
        fprintf(f, "void handle_%s(struct request *r);\n", o->id);
        if (o->body == BODY_STREAM)
                fprintf(f,
                        "int open_%s(struct request *r, struct err *e);\n"
                        "ptrdiff_t receive_%s(struct request *r, const char *data, size_t n, struct err "
                        "*e);\n",
                        o->id, o->id);
}

static void put_header(FILE *f)
{
        json_int_t limit = 0;

        fputs("/* Made by api/generate.c from api/openapi.json. */\n#pragma once\n#include <stddef.h>\n"
              "struct err;\nstruct request;\nenum {\n",
              f);
        for (const struct operation *o = operations; o < operations + operations_n; o++) {
                limit = o->limit > limit ? o->limit : limit;
                put_bounds(f, o);
        }
        fprintf(f, "        ROUTES_BODY_MAX = %lld, /* the largest x-creche-body-limit */\n};\n",
                (long long)limit);
        for (const struct operation *o = operations; o < operations + operations_n; o++)
                put_prototypes(f, o);
}

static void put_scopes(FILE *f, const struct operation *o)
{
        json_t *scope;
        size_t i;

        json_array_foreach(json_object_get(o->json, "x-creche-scopes"), i, scope)
        {
                fputs(i ? " | SCOPE_" : ", .scope = SCOPE_", f);
                put_upper(f, json_string_value(scope));
        }
}

/* A list is repeated ("a=1&a=2") unless it is not exploded ("a=1,2"). */
static bool is_repeated(const struct operation *o, const json_t *p)
{
        return is_type(schema_of(o, p), "array") && !json_is_false(json_object_get(p, "explode"));
}

static void put_query(FILE *f, const struct operation *o)
{
        const char *before = ", .query = \"";
        const json_t *p;

        each_parameter(o, i, p)
        {
                if (strcmp(text(p, "in"), "query") != 0)
                        continue;
                fprintf(f, "%s%s%s", before, text(p, "name"), is_repeated(o, p) ? "*" : "");
                before = " ";
        }
        if (*before == ' ')
                fputc('"', f);
}

static void put_body(FILE *f, const struct operation *o)
{
        static const char *const names[] = {"NONE", "OPTIONAL", "REQUIRED", "STREAM"};
        const char *before = ", .members = \"", *name;
        json_t *v;

        if (o->body == BODY_NONE)
                return;
        fprintf(f, ", .body = ROUTE_BODY_%s", names[o->body]);
        if (o->body == BODY_STREAM) {
                fprintf(f, ", .open = open_%s, .receive = receive_%s", o->id, o->id);
                return;
        }
        fprintf(f, ", .body_max = %lld", (long long)o->limit);
        json_object_foreach(json_object_get(o->schema, "properties"), name, v)
        {
                fprintf(f, "%s%s", before, name);
                before = " ";
        }
        fputc('"', f);
}

static void put_param(FILE *f, const struct operation *o)
{
        if (!o->param)
                return;
        fprintf(f, ", .param = \"{%s}\"", o->param);
        if (is_type(o->param_schema, "string"))
                fprintf(f, ", .param_pattern = \"%s\", .param_max = %lld", text(o->param_schema, "pattern"),
                        (long long)json_integer_value(json_object_get(o->param_schema, "maxLength")));
}

static void put_row(FILE *f, const struct operation *o)
{
        json_t *ok = resolve(o, json_object_get(json_object_get(o->json, "responses"), "200"));

        fprintf(f, "        {.method = \"%s\", .pattern = \"%s\", .handle = handle_%s", o->method, o->path,
                o->id);
        put_param(f, o);
        put_scopes(f, o);
        put_query(f, o);
        put_body(f, o);
        if (json_object_get(json_object_get(ok, "headers"), "ETag"))
                fputs(", .tagged = true", f);
        fputs("},\n", f);
}

/* Literal paths go before those with a parameter: see router_find(). */
static void put_table(FILE *f)
{
        fputs("/* Made by api/generate.c from api/openapi.json. */\n#include \"routes.h\"\n"
              "#include \"http/router.h\"\n#include \"model/caller.h\"\nconst struct route routes[] = {\n",
              f);
        for (int with = 0; with < 2; with++)
                for (const struct operation *o = operations; o < operations + operations_n; o++)
                        if (!o->param == !with)
                                put_row(f, o);
        fputs("        {0},\n};\n", f);
        for (const struct operation *o = operations; o < operations + operations_n; o++)
                if (is_type(o->param_schema, "string"))
                        fprintf(f, "_Static_assert(%lld <= ROUTE_NAME_MAX, \"%s: maxLength\");\n",
                                (long long)json_integer_value(json_object_get(o->param_schema, "maxLength")),
                                o->path);
}

static void write_file(const char *path, void (*put)(FILE *f))
{
        FILE *f = fopen(path, "we");

        if (f)
                put(f);
        if (!f || ferror(f) || fclose(f) != 0) {
                fprintf(stderr, "%s: %s\n", path, strerror(errno));
                exit(1);
        }
}

int main(int argc, char **argv)
{
        json_error_t e;

        if (argc != 4) {
                fprintf(stderr, "usage: %s openapi.json routes.h routes.c\n", argv[0]);
                return 2;
        }
        document_path = argv[1];
        document = json_load_file(document_path, JSON_REJECT_DUPLICATES, &e);
        if (!document) {
                fprintf(stderr, "%s:%d: %s\n", document_path, e.line, e.text);
                return 1;
        }
        read_operations();
        if (mistakes)
                return 1;
        write_file(argv[2], put_header);
        write_file(argv[3], put_table);
        json_decref(document);
        return 0;
}
