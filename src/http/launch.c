/* SPDX-License-Identifier: MIT */
#include "http/launch.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/secret.h"
#include "http/codec.h"
#include "http/document.h"
#include "http/handle.h"
#include "registry/targets.h"

/* The model knows nothing of the document. */
_Static_assert((int)CREATE_PROCESS_NAME_MAX == (int)SPEC_NAME_MAX, "openapi.json: name: maxLength");
_Static_assert((int)START_BATCH_IDEMPOTENCY_KEY_MAX == (int)CREATE_PROCESS_IDEMPOTENCY_KEY_MAX, "one header");

int launch_key(struct request *r, struct idempotency *idem, bool *has, struct err *e)
{
        const char *key = head_get(&r->head, HEADER_IDEMPOTENCY_KEY);

        *has = key;
        if (!key)
                return 0;
        if (r->head.headers[HEADER_IDEMPOTENCY_KEY].n > 1)
                return err_set(e, ERR_BAD_REQUEST, 0, "more than one Idempotency-Key");
        if (!*key || strlen(key) > CREATE_PROCESS_IDEMPOTENCY_KEY_MAX)
                return err_set(e, ERR_BAD_REQUEST, 0, "Idempotency-Key must have 1 to %d characters",
                               CREATE_PROCESS_IDEMPOTENCY_KEY_MAX);
        for (const char *s = key; *s; s++)
                if (*s < '!' || *s > '~')
                        return err_set(e, ERR_BAD_REQUEST, 0, "Idempotency-Key must be printable ASCII");
        idem->key = key;
        registry_fingerprint(request_registry(r), strbuf_text(&r->body), r->body.len, idem->fingerprint);
        return 0;
}

char *launch_stored(json_t *doc)
{
        json_object_del(doc, "start");
        return json_dumps(doc, JSON_COMPACT);
}

static void take_definition(const struct target *t, void *arg)
{
        *(char **)arg = strdup(t->definition);
}

static int find_target(struct request *r, const char *name, json_t **definition, struct err *e)
{
        CLEANUP(secret_freep) char *text = NULL;

        if (registry_target_show(request_registry(r), name, take_definition, &text, e) < 0)
                return e->kind == ERR_NOT_FOUND
                               ? err_set_at(e, ERR_INVALID, "/target", "there is no target '%s'", name)
                               : -1;
        if (!text)
                return handle_no_memory(e);
        if (document_read(text, strlen(text), definition, e) < 0)
                return err_set(e, ERR_INTERNAL, 0, "the definition of the target '%s' is not readable", name);
        return 0;
}

static int check_is_no_call(const json_t *doc, struct err *e)
{
        static const char *const names[] = {"args", "kwargs"};
        const struct place top = {0};

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                if (json_object_get(doc, names[i]))
                        return place_refuse(&(struct place){.up = &top, .key = names[i]}, e,
                                            "is for a target, and there is none");
        return 0;
}

/* A request that names a target becomes what that makes of it. Returns 1: it has no target. */
static int call_target(struct request *r, json_t **doc, char **target, struct err *e)
{
        CLEANUP(json_decrefp) json_t *definition = NULL;
        const json_t *v = json_object_get(*doc, "target");
        json_t *launch;

        if (!v)
                return check_is_no_call(*doc, e) < 0 ? -1 : 1;
        if (!json_is_string(v))
                return err_set_at(e, ERR_INVALID, "/target", "must be a string");
        if (caller_may_run(&r->caller, json_string_value(v), e) < 0 ||
            find_target(r, json_string_value(v), &definition, e) < 0 ||
            codec_call(*doc, definition, &launch, e) < 0)
                return -1;
        *target = strdup(json_string_value(v));
        json_decref(*doc);
        *doc = launch;
        return *target ? 0 : handle_no_memory(e);
}

int launch_read(struct request *r, json_t **doc, struct spec **spec, struct err *e)
{
        CLEANUP(freep) char *target = NULL;

        if (call_target(r, doc, &target, e) < 0 || codec_spec(*doc, spec, e) < 0)
                return -1;
        (*spec)->target = TAKE_PTR(target);
        return 0;
}

bool launch_may_be_repeat(const struct err *e, const json_t *doc)
{
        return e->kind == ERR_INVALID && json_is_string(json_object_get(doc, "target"));
}

size_t launch_shown(const struct spec *s)
{
        return strlen(s->argv_json) + strlen(s->env_json) + strlen(s->labels_json);
}
