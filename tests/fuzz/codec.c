/* SPDX-License-Identifier: MIT */
/* tests/fuzz/codec.c: the body of a launch request, from its bytes to what a child would be given.
 *
 * Input: the body. */
#include "fuzz.h"

#include <limits.h>
#include <malloc.h>

#include "http/base64.h"
#include "http/document.h"
#include "start/launch.h"

/* What jansson makes of a body: an empty object of 2 bytes and a comma is the dearest. */
enum { BYTES_PER_BYTE = 200, BYTES_ANYWAY = 16384 };

static size_t held, held_max;

static void *count_alloc(size_t n)
{
        void *p = malloc(n);

        held += p ? malloc_usable_size(p) : 0;
        held_max = held > held_max ? held : held_max;
        return p;
}

static void count_free(void *p)
{
        held -= p ? malloc_usable_size(p) : 0;
        free(p);
}

static bool same_text(const char *a, const char *b)
{
        return !a == !b && (!a || !strcmp(a, b));
}

static bool same_list(char **a, char **b)
{
        for (; *a && *b; a++, b++)
                if (strcmp(*a, *b) != 0)
                        return false;
        return !*a && !*b;
}

static bool same_rlimits(const struct spec *a, const struct spec *b)
{
        bool same = a->rlimits_n == b->rlimits_n;

        for (size_t i = 0; same && i < a->rlimits_n; i++)
                same = a->rlimits[i].resource == b->rlimits[i].resource &&
                       !memcmp(&a->rlimits[i].limit, &b->rlimits[i].limit, sizeof(struct rlimit));
        return same;
}

static bool same_spec(const struct spec *a, const struct spec *b)
{
        return same_list(a->argv, b->argv) && same_list(a->env, b->env) && same_text(a->name, b->name) &&
               same_text(a->identity, b->identity) && same_text(a->cwd, b->cwd) &&
               same_text(a->user, b->user) && same_text(a->group, b->group) && a->daemon == b->daemon &&
               a->umask == b->umask && a->stdin_mode == b->stdin_mode && a->stdin_len == b->stdin_len &&
               (!a->stdin_len || !memcmp(a->stdin_bytes, b->stdin_bytes, a->stdin_len)) && a->out == b->out &&
               a->err == b->err && same_rlimits(a, b) && a->nice == b->nice && a->has_nice == b->has_nice &&
               a->timeout_us == b->timeout_us && a->grace_us == b->grace_us &&
               a->start_method == b->start_method && a->on_parent_death == b->on_parent_death &&
               a->start == b->start && same_text(a->labels_json, b->labels_json);
}

static void check_env(char **env)
{
        for (size_t i = 0; env[i]; i++) {
                size_t n = strcspn(env[i], "=");

                REQUIRE(n && env[i][n] == '=' && strncmp(env[i], "CRECHE_", 7) != 0);
                REQUIRE(strlen(env[i]) <= SPEC_ARGUMENT_MAX);
                for (size_t k = 0; k < i && i < 50; k++)
                        REQUIRE(strncmp(env[i], env[k], n + 1) != 0);
        }
}

static void check_spec(const struct spec *s)
{
        REQUIRE(s->argv && s->argv[0] && *s->argv[0] && s->env);
        for (char **arg = s->argv; *arg; arg++)
                REQUIRE(strlen(*arg) <= SPEC_ARGUMENT_MAX);
        check_env(s->env);
        REQUIRE(!s->name || (*s->name && strlen(s->name) <= SPEC_NAME_MAX));
        REQUIRE(!s->cwd || *s->cwd == '/');
        REQUIRE(s->umask <= 0777 && s->nice >= -20 && s->nice <= 19 && s->daemon >= -1 && s->daemon <= 1);
        REQUIRE(s->timeout_us >= 0 && s->grace_us >= 0);
        REQUIRE(s->rlimits_n <= SPEC_RLIMITS_MAX && s->on_parent_death >= 0 && s->on_parent_death <= 64);
        for (size_t i = 0; i < s->rlimits_n; i++)
                REQUIRE(s->rlimits[i].limit.rlim_cur <= s->rlimits[i].limit.rlim_max);
}

/* What a client gets to see of it says what it said: text as text, other bytes as base64. */
static void check_shown_argv(const json_t *shown, char **argv)
{
        size_t i;
        json_t *v;

        json_array_foreach(shown, i, v)
        {
                const char *text = json_string_value(json_is_object(v) ? json_object_get(v, "base64") : v);
                char *bytes = fuzz_alloc(strlen(text) + 1);
                ptrdiff_t n = (ptrdiff_t)strlen(text);

                REQUIRE(argv[i]);
                if (json_is_object(v))
                        n = base64_decode(text, (size_t)n, bytes);
                else
                        memcpy(bytes, text, (size_t)n);
                REQUIRE(n == (ptrdiff_t)strlen(argv[i]) && !memcmp(bytes, argv[i], (size_t)n));
                free(bytes);
        }
        REQUIRE(!argv[i]);
}

static void check_process(const struct spec *s, const json_t *doc)
{
        const int64_t bytes[STREAM_COUNT] = {0};
        struct process p = {.id = 7,
                            .name = s->name,
                            .state = PROCESS_STARTED,
                            .argv_json = s->argv_json,
                            .env_json = s->env_json,
                            .labels_json = s->labels_json,
                            .created_us = 1};
        struct strbuf b = {0};
        const json_t *labels = json_object_get(doc, "labels");
        json_t *j;

        codec_process(&b, &p, bytes);
        REQUIRE(!fuzz_has_control(strbuf_text(&b)) && strlen(strbuf_text(&b)) == b.len);
        j = json_loadb(strbuf_text(&b), b.len, JSON_REJECT_DUPLICATES, NULL);
        REQUIRE(j);
        REQUIRE(!s->name || !strcmp(json_string_value(json_object_get(j, "name")), s->name));
        REQUIRE(json_equal(json_object_get(j, "labels"), labels) ||
                (!labels && !json_object_size(json_object_get(j, "labels"))));
        check_shown_argv(json_object_get(j, "argv"), s->argv);
        json_decref(j);
        strbuf_done(&b);
}

/* A request that is kept until the process is started means the same then. */
static void check_stored(const struct spec *s, const json_t *doc)
{
        char *text = json_dumps(doc, JSON_COMPACT);
        struct spec *again = NULL;
        json_t *j = NULL;
        struct err e = {0};

        REQUIRE(text && document_read(text, strlen(text), &j, &e) == 0);
        REQUIRE(codec_spec(j, &again, &e) == 0 && same_spec(s, again));
        spec_free(again);
        json_decref(j);
        count_free(text);
}

static void check_launch(const struct spec *s)
{
        static const char *const env[] = {"CRECHE_ID=7", NULL};
        const struct account a = {.uid = 1000, .name = "u", .home = "/home/u", .shell = "/bin/sh"};
        const struct launch_context c = {.account = &a, .env = env, .cwd = s->cwd ? s->cwd : "/"};
        struct launch *l = launch_new(s, &c);

        REQUIRE(l);
        launch_relocate(l);
        REQUIRE(same_list(l->argv.list, s->argv) && !strcmp(l->cwd.text, c.cwd));
        /* No path is too long to be one: then there is none to be tried. */
        REQUIRE(*l->paths.list || strlen(s->argv[0]) > PATH_MAX / 2);
        REQUIRE(!strcmp(l->envp.list[0], env[0]) && !l->out_path.text);
        launch_free(l);
}

static void check_request(const json_t *doc)
{
        struct spec *s = NULL;
        struct err e = {0};

        if (codec_spec(doc, &s, &e) < 0) {
                fuzz_check_refusal(&e);
                REQUIRE(!s && e.kind == ERR_INVALID && e.has_pointer);
                return;
        }
        check_spec(s);
        check_process(s, doc);
        check_stored(s, doc);
        check_launch(s);
        spec_free(s);
}

static void check_members(const json_t *doc)
{
        int64_t us = -7;
        bool b = false;
        struct err e = {0};

        if (document_timeout(doc, "timeout", &us, &e) < 0) {
                fuzz_check_refusal(&e);
                REQUIRE(us == -7);
        } else {
                REQUIRE(us >= -1 || us == -7);
        }
        if (document_bool(doc, "start", &b, &e) < 0)
                fuzz_check_refusal(&e);
        if (document_only(doc, "timeout start", &e) < 0)
                fuzz_check_refusal(&e);
}

/* Each byte string has one form. */
static void check_base64(const char *s, size_t n)
{
        char *bytes = fuzz_alloc(n / 4 * 3 + 1);
        ptrdiff_t len = base64_decode(s, n, bytes);
        struct strbuf b = {0};

        if (len > 0 && !utf8_is_valid(bytes, (size_t)len)) {
                strbuf_json_bytes(&b, bytes, (size_t)len);
                REQUIRE(b.len == n + strlen("{\"base64\":\"\"}"));
                REQUIRE(!memcmp(b.s + strlen("{\"base64\":\""), s, n));
        }
        strbuf_done(&b);
        free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char *text = fuzz_text(data, size);
        json_t *doc = NULL;
        struct err e = {0};

        json_set_alloc_funcs(count_alloc, count_free);
        held = held_max = 0;
        if (document_read(text, size, &doc, &e) < 0) {
                fuzz_check_refusal(&e);
                REQUIRE(!doc);
        }
        REQUIRE(held_max <= BYTES_PER_BYTE * size + BYTES_ANYWAY);
        if (doc) {
                check_request(doc);
                check_members(doc);
        }
        json_decref(doc);
        REQUIRE(!held);
        check_base64(text, size);
        free(text);
        return 0;
}
