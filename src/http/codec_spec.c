/* SPDX-License-Identifier: MIT */
/* A launch request into struct spec: one function for each kind of field, one table for all. */
#include "http/codec.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/secret.h"
#include "http/base64.h"
#include "http/document.h"

/* What is being built. */
struct reader {
        struct spec *spec;
        struct strbuf argv, env, labels; /* as they go into the row */
        size_t env_n;
        const json_t *env_read; /* the member env; NULL: not yet */
        struct err *e;
};

/* Read @v, which stands at @at, into r->spec. */
typedef int (*read_fn)(struct reader *r, const json_t *v, const struct place *at);

static int refuse_memory(struct err *e)
{
        return err_set(e, ERR_INTERNAL, ENOMEM, "launch request");
}

/* A string as malloc()ed memory in place of *to. */
static int copy_string(struct reader *r, const json_t *v, const struct place *at, char **to)
{
        char *s;

        if (!json_is_string(v))
                return place_refuse(at, r->e, "must be a string");
        s = strdup(json_string_value(v));
        if (!s)
                return refuse_memory(r->e);
        secret_free_all(*to);
        *to = s;
        return 0;
}

/* {"base64": ...} as bytes with a NUL behind them, the caller's. */
static int read_base64(const json_t *v, const struct place *at, char **out, size_t *n, struct err *e)
{
        const json_t *text = json_object_get(v, "base64");
        const struct place inner = {.up = at, .key = "base64"};
        ptrdiff_t len;
        char *bytes;

        if (!json_is_string(text) || json_object_size(v) != 1)
                return place_refuse(at, e, "must be a string or {\"base64\": \"...\"}");
        bytes = malloc(json_string_length(text) + 1);
        if (!bytes)
                return refuse_memory(e);
        len = base64_decode(json_string_value(text), json_string_length(text), bytes);
        if (len < 0) {
                secret_free_all(bytes);
                return place_refuse(&inner, e, "is not base64");
        }
        bytes[len] = '\0';
        *out = bytes;
        *n = (size_t)len;
        return 0;
}

/* A string for the kernel: of UTF-8 or base64, the caller's. */
static int read_text(struct reader *r, const json_t *v, const struct place *at, char **out)
{
        size_t n;

        *out = NULL;
        if (json_is_object(v)) {
                if (read_base64(v, at, out, &n, r->e) < 0)
                        return -1;
        } else {
                if (copy_string(r, v, at, out) < 0)
                        return -1;
                n = json_string_length(v);
        }
        if (n > SPEC_ARGUMENT_MAX)
                place_refuse(at, r->e, "is longer than %d bytes", SPEC_ARGUMENT_MAX);
        else if (strlen(*out) < n)
                place_refuse(at, r->e, "contains a NUL");
        else
                return 0;
        secret_free_all(TAKE_PTR(*out));
        return -1;
}

static void add_json(struct strbuf *b, const char *s)
{
        if (b->len)
                strbuf_char(b, ',');
        strbuf_json_str(b, s);
}

static int read_argv(struct reader *r, const json_t *v, const struct place *at)
{
        size_t n = json_array_size(v);
        struct place item = {.up = at};

        if (!json_is_array(v) || !n)
                return place_refuse(at, r->e, "must be an array of at least one string");
        if (n > SPEC_ARGV_MAX)
                return place_refuse(at, r->e, "has more than %d items", SPEC_ARGV_MAX);
        r->spec->argv = calloc(n + 1, sizeof(char *));
        if (!r->spec->argv)
                return refuse_memory(r->e);
        for (; item.index < n; item.index++) {
                char **arg = &r->spec->argv[item.index];

                if (read_text(r, json_array_get(v, item.index), &item, arg) < 0)
                        return -1;
                add_json(&r->argv, *arg);
        }
        item.index = 0;
        return *r->spec->argv[0] ? 0 : place_refuse(&item, r->e, "must not be empty");
}

static int read_name(struct reader *r, const json_t *v, const struct place *at)
{
        if (copy_string(r, v, at, &r->spec->name) < 0)
                return -1;
        if (strlen(r->spec->name) > SPEC_NAME_MAX)
                return place_refuse(at, r->e, "is longer than %d bytes", SPEC_NAME_MAX);
        if (!*r->spec->name)
                free(TAKE_PTR(r->spec->name));
        return 0;
}

static int read_identity(struct reader *r, const json_t *v, const struct place *at)
{
        const char *s;

        if (copy_string(r, v, at, &r->spec->identity) < 0)
                return -1;
        for (s = r->spec->identity; *s; s += *s == ':') {
                size_t n = strspn(s, "0123456789");

                if (!n || n > 18 || *s == '0' || (s[n] && (s[n] != ':' || !s[n + 1])))
                        break;
                s += n;
        }
        if (!*r->spec->identity || *s || s - r->spec->identity > 255)
                return place_refuse(at, r->e, "must be numbers like \"1:2\"");
        return 0;
}

static int read_daemon(struct reader *r, const json_t *v, const struct place *at)
{
        if (!json_is_boolean(v) && !json_is_null(v))
                return place_refuse(at, r->e, "must be true, false or null");
        r->spec->daemon = json_is_null(v) ? -1 : json_is_true(v);
        return 0;
}

static int check_env_name(struct reader *r, const char *name, const struct place *at)
{
        if (!*name || strchr(name, '='))
                return place_refuse(at, r->e, "a name must not be empty nor contain '='");
        if (strlen(name) > SPEC_ENV_NAME_MAX)
                return place_refuse(at, r->e, "a name is longer than %d bytes", SPEC_ENV_NAME_MAX);
        if (!strncmp(name, "CRECHE_", 7))
                return place_refuse(at, r->e, "names that begin with CRECHE_ are reserved");
        if (json_object_get(r->env_read, name))
                return place_refuse(at, r->e, "is in env as well");
        return 0;
}

/* Room for @n more. */
static int grow_env(struct reader *r, size_t n)
{
        char **env = reallocarray(r->spec->env, r->env_n + n + 1, sizeof(char *));

        if (!env)
                return refuse_memory(r->e);
        memset(env + r->env_n, 0, (n + 1) * sizeof(char *));
        r->spec->env = env;
        return 0;
}

/* asprintf() would leave pieces of it in memory that it gives back. */
static char *assign(const char *name, const char *value)
{
        size_t name_n = strlen(name), value_n = strlen(value);
        char *s = malloc(name_n + value_n + 2);

        if (!s)
                return NULL;
        memcpy(s, name, name_n);
        s[name_n] = '=';
        memcpy(s + name_n + 1, value, value_n + 1);
        return s;
}

/* env and secrets: the second is checked against the first. */
static int read_env(struct reader *r, const json_t *v, const struct place *at)
{
        const char *name;
        json_t *value;

        if (!json_is_object(v))
                return place_refuse(at, r->e, "must be an object");
        if (json_object_size(v) > SPEC_ENV_MAX)
                return place_refuse(at, r->e, "has more than %d members", SPEC_ENV_MAX);
        if (grow_env(r, json_object_size(v)) < 0)
                return -1;
        json_object_foreach((json_t *)v, name, value)
        {
                const struct place item = {.up = at, .key = name};
                CLEANUP(secret_freep) char *text = NULL;

                if (check_env_name(r, name, &item) < 0 || read_text(r, value, &item, &text) < 0)
                        return -1;
                if (strlen(name) + strlen(text) + 1 > SPEC_ARGUMENT_MAX)
                        return place_refuse(&item, r->e, "name and value are longer than %d bytes",
                                            SPEC_ARGUMENT_MAX);
                r->spec->env[r->env_n] = assign(name, text);
                if (!r->spec->env[r->env_n++])
                        return refuse_memory(r->e);
                add_json(&r->env, name);
        }
        r->env_read = v;
        return 0;
}

static int read_cwd(struct reader *r, const json_t *v, const struct place *at)
{
        if (copy_string(r, v, at, &r->spec->cwd) < 0)
                return -1;
        if (*r->spec->cwd != '/' || strlen(r->spec->cwd) >= PATH_MAX)
                return place_refuse(at, r->e, "must be an absolute path");
        return 0;
}

static int read_umask(struct reader *r, const json_t *v, const struct place *at)
{
        const char *s = json_string_value(v);
        size_t n = s ? strlen(s) : 0;

        if (s && n && n <= 3U + (*s == '0') && !s[strspn(s, "01234567")]) {
                r->spec->umask = (unsigned)strtoul(s, NULL, 8);
                return 0;
        }
        if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > 0777)
                return place_refuse(at, r->e, "must be an integer from 0 to 511, or a string like \"022\"");
        r->spec->umask = (unsigned)json_integer_value(v);
        return 0;
}

static int read_stdin_bytes(struct reader *r, const json_t *v, const struct place *at)
{
        const json_t *text = json_object_get(v, "text");
        struct spec *s = r->spec;

        s->stdin_mode = STDIN_BYTES;
        if (!text)
                return read_base64(v, at, &s->stdin_bytes, &s->stdin_len, r->e);
        if (!json_is_string(text) || json_object_size(v) != 1)
                return place_refuse(at, r->e, "must be {\"text\": \"...\"} or {\"base64\": \"...\"}");
        s->stdin_bytes = strdup(json_string_value(text));
        s->stdin_len = json_string_length(text);
        return s->stdin_bytes ? 0 : refuse_memory(r->e);
}

static int read_stdin(struct reader *r, const json_t *v, const struct place *at)
{
        const char *s = json_string_value(v);

        if (json_is_object(v))
                return read_stdin_bytes(r, v, at);
        if (!s || (strcmp(s, "null") != 0 && strcmp(s, "pipe") != 0))
                return place_refuse(
                        at, r->e, "must be \"null\", \"pipe\", {\"text\": \"...\"} or {\"base64\": \"...\"}");
        r->spec->stdin_mode = *s == 'p' ? STDIN_PIPE : STDIN_NULL;
        return 0;
}

static int read_stdout(struct reader *r, const json_t *v, const struct place *at)
{
        int out = json_is_string(v) ? output_parse(json_string_value(v)) : -1;

        if (out < 0 || out == OUTPUT_STDOUT)
                return place_refuse(at, r->e, "must be \"log\" or \"null\"");
        r->spec->out = (enum output)out;
        return 0;
}

static int read_stderr(struct reader *r, const json_t *v, const struct place *at)
{
        int out = json_is_string(v) ? output_parse(json_string_value(v)) : -1;

        if (out < 0)
                return place_refuse(at, r->e, "must be \"log\", \"null\" or \"stdout\"");
        r->spec->err = (enum output)out;
        return 0;
}

/* The name of a user or a group, or its number as digits. */
static int read_owner(struct reader *r, const json_t *v, const struct place *at, char **to)
{
        json_int_t n = json_integer_value(v);

        if (json_is_integer(v)) {
                if (n < 0 || n > 4294967294)
                        return place_refuse(at, r->e, "must be from 0 to 4294967294");
                if (asprintf(to, "%" JSON_INTEGER_FORMAT, n) < 0) {
                        *to = NULL;
                        return refuse_memory(r->e);
                }
                return 0;
        }
        if (!json_is_string(v) || !json_string_length(v))
                return place_refuse(at, r->e, "must be a name or a number");
        if (json_string_length(v) > SPEC_OWNER_MAX)
                return place_refuse(at, r->e, "is longer than %d bytes", SPEC_OWNER_MAX);
        return copy_string(r, v, at, to);
}

static int read_user(struct reader *r, const json_t *v, const struct place *at)
{
        return read_owner(r, v, at, &r->spec->user);
}

static int read_group(struct reader *r, const json_t *v, const struct place *at)
{
        return read_owner(r, v, at, &r->spec->group);
}

static int read_rlimit_value(struct reader *r, const json_t *v, const struct place *at, rlim_t *out)
{
        if (json_is_null(v)) {
                *out = RLIM_INFINITY;
                return 0;
        }
        if (!json_is_integer(v) || json_integer_value(v) < 0)
                return place_refuse(at, r->e, "must be a non-negative integer, or null for no limit");
        *out = (rlim_t)json_integer_value(v);
        return 0;
}

static int read_rlimit(struct reader *r, const char *name, const json_t *v, const struct place *at)
{
        const struct place soft = {.up = at, .index = 0}, hard = {.up = at, .index = 1};
        struct spec_rlimit l = {.resource = rlimit_parse(name)};

        if (l.resource < 0)
                return place_refuse(at, r->e, "is no resource");
        if (!json_is_array(v) || json_array_size(v) != 2)
                return place_refuse(at, r->e, "must be [soft, hard]");
        if (read_rlimit_value(r, json_array_get(v, 0), &soft, &l.limit.rlim_cur) < 0 ||
            read_rlimit_value(r, json_array_get(v, 1), &hard, &l.limit.rlim_max) < 0)
                return -1;
        if (l.limit.rlim_cur > l.limit.rlim_max)
                return place_refuse(&soft, r->e, "is more than the hard limit");
        r->spec->rlimits[r->spec->rlimits_n++] = l;
        return 0;
}

static int read_rlimits(struct reader *r, const json_t *v, const struct place *at)
{
        const char *name;
        json_t *value;

        if (!json_is_object(v))
                return place_refuse(at, r->e, "must be an object");
        json_object_foreach((json_t *)v, name, value)
        {
                const struct place item = {.up = at, .key = name};

                if (read_rlimit(r, name, value, &item) < 0)
                        return -1;
        }
        return 0;
}

static int read_nice(struct reader *r, const json_t *v, const struct place *at)
{
        if (!json_is_integer(v) || json_integer_value(v) < -20 || json_integer_value(v) > 19)
                return place_refuse(at, r->e, "must be an integer from -20 to 19");
        r->spec->nice = (int)json_integer_value(v);
        r->spec->has_nice = true;
        return 0;
}

static int read_no_new_privs(struct reader *r, const json_t *v, const struct place *at)
{
        if (!json_is_boolean(v))
                return place_refuse(at, r->e, "must be true or false");
        r->spec->may_gain_privileges = json_is_false(v);
        return 0;
}

static int read_labels(struct reader *r, const json_t *v, const struct place *at)
{
        const char *key;
        json_t *value;

        if (!json_is_object(v))
                return place_refuse(at, r->e, "must be an object");
        if (json_object_size(v) > SPEC_LABELS_MAX)
                return place_refuse(at, r->e, "has more than %d members", SPEC_LABELS_MAX);
        json_object_foreach((json_t *)v, key, value)
        {
                const struct place item = {.up = at, .key = key};

                if (!*key || strchr(key, '='))
                        return place_refuse(&item, r->e, "a label must not be empty nor contain '='");
                if (strlen(key) > SPEC_LABEL_NAME_MAX)
                        return place_refuse(&item, r->e, "a label is longer than %d bytes",
                                            SPEC_LABEL_NAME_MAX);
                if (!json_is_string(value) || json_string_length(value) > SPEC_LABEL_VALUE_MAX)
                        return place_refuse(&item, r->e, "must be a string of at most %d bytes",
                                            SPEC_LABEL_VALUE_MAX);
                add_json(&r->labels, key);
                strbuf_char(&r->labels, ':');
                strbuf_json_str(&r->labels, json_string_value(value));
        }
        return 0;
}

static int read_timeout(struct reader *r, const json_t *v, const struct place *at)
{
        if (!json_is_null(v) && !(json_number_value(v) > 0))
                return place_refuse(at, r->e, "must be a positive number of seconds, or null");
        r->spec->timeout_us = json_is_null(v) ? 0 : seconds_us(json_number_value(v));
        return 0;
}

static int read_grace(struct reader *r, const json_t *v, const struct place *at)
{
        if (!json_is_number(v) || json_number_value(v) < 0)
                return place_refuse(at, r->e, "must be a non-negative number of seconds");
        r->spec->grace_us = seconds_us(json_number_value(v));
        return 0;
}

static int read_start_method(struct reader *r, const json_t *v, const struct place *at)
{
        int m = json_is_string(v) ? start_method_parse(json_string_value(v)) : -1;

        if (m < 0)
                return place_refuse(at, r->e, "must be \"spawn\", \"fork\" or \"forkserver\"");
        r->spec->start_method = (enum start_method)m;
        return 0;
}

static int read_on_parent_death(struct reader *r, const json_t *v, const struct place *at)
{
        const char *s = json_string_value(v);
        int signo = s && *s > '9' ? signal_parse(s) : -1;

        if (signo < 0 && (!s || strcmp(s, "none") != 0))
                return place_refuse(at, r->e, "must be \"none\" or the name of a signal");
        r->spec->on_parent_death = signo < 0 ? 0 : signo;
        return 0;
}

static int read_start(struct reader *r, const json_t *v, const struct place *at)
{
        if (!json_is_boolean(v))
                return place_refuse(at, r->e, "must be true or false");
        r->spec->start = json_is_true(v);
        return 0;
}

/* In the order in which they are read. */
static const struct {
        const char *name;
        read_fn read;
} fields[] = {
        {"argv", read_argv},
        {"name", read_name},
        {"identity", read_identity},
        {"daemon", read_daemon},
        {"env", read_env},
        {"secrets", read_env},
        {"cwd", read_cwd},
        {"umask", read_umask},
        {"stdin", read_stdin},
        {"stdout", read_stdout},
        {"stderr", read_stderr},
        {"user", read_user},
        {"group", read_group},
        {"rlimits", read_rlimits},
        {"nice", read_nice},
        {"no_new_privs", read_no_new_privs},
        {"labels", read_labels},
        {"timeout", read_timeout},
        {"grace", read_grace},
        {"start_method", read_start_method},
        {"on_parent_death", read_on_parent_death},
        {"start", read_start},
};

enum { FIELDS_N = sizeof(fields) / sizeof(fields[0]) };

static int check_names(const json_t *request, struct err *e)
{
        const struct place top = {0};
        const char *key;
        json_t *v;

        json_object_foreach((json_t *)request, key, v)
        {
                const struct place at = {.up = &top, .key = key};
                size_t i = 0;

                while (i < FIELDS_N && strcmp(fields[i].name, key) != 0)
                        i++;
                if (i == FIELDS_N)
                        return place_refuse(&at, e, "is not a known field");
        }
        return 0;
}

static int read_fields(struct reader *r, const json_t *request)
{
        const struct place top = {0};

        for (size_t i = 0; i < FIELDS_N; i++) {
                const json_t *v = json_object_get(request, fields[i].name);
                const struct place at = {.up = &top, .key = fields[i].name};

                if (v && fields[i].read(r, v, &at) < 0)
                        return -1;
                if (!v && !strcmp(fields[i].name, "argv"))
                        return place_refuse(&at, r->e, "is missing");
                if (!r->spec->start && json_object_get(request, "secrets"))
                        return err_set_at(r->e, ERR_INVALID, "/secrets",
                                          "secrets are not kept: give them when it is started");
        }
        return 0;
}

/* "[...]" or "{...}" as malloc()ed memory. */
static char *enclose(struct strbuf *inner, const char *brackets)
{
        char *s = NULL;

        if (strbuf_failed(inner) || asprintf(&s, "%c%s%c", brackets[0], strbuf_text(inner), brackets[1]) < 0)
                return NULL;
        return s;
}

static int render(struct reader *r)
{
        r->spec->argv_json = enclose(&r->argv, "[]");
        r->spec->env_json = enclose(&r->env, "[]");
        r->spec->labels_json = enclose(&r->labels, "{}");
        if (!r->spec->argv_json || !r->spec->env_json || !r->spec->labels_json)
                return refuse_memory(r->e);
        return r->spec->env ? 0 : grow_env(r, 0);
}

int codec_spec(const json_t *request, struct spec **out, struct err *e)
{
        CLEANUP(spec_freep) struct spec *s = calloc(1, sizeof(*s));
        struct reader r = {.spec = s, .e = e};
        int rc;

        if (!s)
                return refuse_memory(e);
        s->daemon = -1;
        s->umask = SPEC_UMASK_DEFAULT;
        s->grace_us = seconds_us(10);
        s->start = true;
        if (check_names(request, e) < 0)
                return -1;
        rc = read_fields(&r, request);
        if (!rc)
                rc = render(&r);
        strbuf_done(&r.argv);
        strbuf_done(&r.env);
        strbuf_done(&r.labels);
        if (!rc)
                *out = TAKE_PTR(s);
        return rc;
}
