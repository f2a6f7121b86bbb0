/* SPDX-License-Identifier: MIT */
/* What begins with a launch request: creating, changing and starting a process. */
#include "http/handle.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/secret.h"
#include "http/codec.h"
#include "http/document.h"
#include "http/reply.h"
#include "registry/targets.h"

/* The model knows nothing of the document. */
_Static_assert((int)CREATE_PROCESS_NAME_MAX == (int)SPEC_NAME_MAX, "openapi.json: name: maxLength");

/* ---------------------------------------------------------------------------------------- create */

static void created(struct request *r)
{
        char location[48];

        snprintf(location, sizeof(location), "/v1/processes/%" PRId64, r->ticket.id);
        reply_process(r, MHD_HTTP_CREATED, r->ticket.id);
        if (r->status != MHD_HTTP_CREATED)
                return;
        reply_header(r, "Location", location);
        if (r->ticket.replayed)
                reply_header(r, "Idempotency-Replayed", "true");
}

/* Fills @idem from the header; *has: there is one. */
static int read_key(struct request *r, struct idempotency *idem, bool *has, struct err *e)
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

/* What is kept of a request until the process is started. */
static char *stored_text(json_t *doc)
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

/* The spec of a request, and in @doc what can be kept of it. */
static int read_launch(struct request *r, json_t **doc, struct spec **spec, struct err *e)
{
        CLEANUP(freep) char *target = NULL;

        if (call_target(r, doc, &target, e) < 0 || codec_spec(*doc, spec, e) < 0)
                return -1;
        (*spec)->target = TAKE_PTR(target);
        return 0;
}

/* Whether @e can have come of the target, which was another one when the request was made first. */
static bool may_be_repeat(const struct err *e, const json_t *doc)
{
        return e->kind == ERR_INVALID && json_is_string(json_object_get(doc, "target"));
}

/* What else an answer shows: a folder, of which each byte may be escaped, and names. */
enum { ANSWER_REST = 32768 };

/* Room for the answer, which shows what was asked for, before anything runs: who is told to try again has started
 * nothing. */
static int hold_answer(struct request *r, const struct spec *s, struct err *e)
{
        size_t shown = strlen(s->argv_json) + strlen(s->env_json) + strlen(s->labels_json);

        return request_hold_answer(r, shown + ANSWER_REST, e);
}

void handle_create_process(struct request *r)
{
        CLEANUP(json_decrefp) json_t *doc = NULL;
        CLEANUP(spec_freep) struct spec *spec = NULL;
        CLEANUP(secret_freep) char *stored = NULL;
        struct idempotency idem;
        bool has_key;
        struct err e = {0};

        if (read_key(r, &idem, &has_key, &e) < 0 || handle_body(r, &doc, &e) < 0) {
                reply_problem(r, &e);
                return;
        }
        if (read_launch(r, &doc, &spec, &e) < 0) {
                if (has_key && may_be_repeat(&e, doc))
                        request_await(r,
                                      registry_repeat(request_registry(r), &r->caller, &idem, &e,
                                                      request_ticket(r)),
                                      IMPATIENT, created);
                else
                        reply_problem(r, &e);
                return;
        }
        if (hold_answer(r, spec, &e) < 0) {
                reply_problem(r, &e);
                return;
        }
        if (!spec->start && !(stored = stored_text(doc))) {
                reply_refuse(r, ERR_INTERNAL, "out of memory");
                return;
        }
        request_await(r,
                      registry_create(request_registry(r), &r->caller, TAKE_PTR(spec), stored,
                                      has_key ? &idem : NULL, request_ticket(r)),
                      IMPATIENT, created);
}

/* --------------------------------------------------------------------------------------- stored */

/* The request that created r->id, as an object. */
static int read_stored(struct request *r, const char *again, json_t **out, struct err *e)
{
        CLEANUP(secret_freep) char *text = NULL;

        if (registry_request(request_registry(r), &r->caller, r->id, again, &text, e) < 0)
                return -1;
        if (document_read(text, strlen(text), out, e) < 0)
                return err_set(e, ERR_INTERNAL, 0,
                               "the stored request of process %" PRId64 " is not readable", r->id);
        return 0;
}

static void take_target(const struct process *p, void *arg)
{
        *(bool *)arg = p->target;
}

/* Secrets are environment variables, and those of a process of a target are the target's. */
static int check_secrets(struct request *r, const json_t *doc, struct err *e)
{
        bool has_target = false;

        if (!json_object_get(doc, "secrets"))
                return 0;
        if (registry_show(request_registry(r), &r->caller, r->id, take_target, &has_target, e) < 0)
                return -1;
        return has_target ? err_set_at(e, ERR_INVALID, "/secrets", "is fixed by the target") : 0;
}

/* ---------------------------------------------------------------------------------------- update */

static void take_default_name(const struct process *p, void *arg)
{
        if (asprintf(arg, "Process-%s", p->identity) < 0)
                *(char **)arg = NULL;
}

/* The new name, NULL when it stays; the caller's. '' means the default. */
static int read_new_name(struct request *r, const json_t *doc, char **out, struct err *e)
{
        const json_t *name = json_object_get(doc, "name");
        const struct place top = {0}, at = {.up = &top, .key = "name"};

        *out = NULL;
        if (!name)
                return 0;
        if (!json_is_string(name) || json_string_length(name) > SPEC_NAME_MAX)
                return place_refuse(&at, e, "must be a string of at most %d bytes", SPEC_NAME_MAX);
        if (json_string_length(name))
                *out = strdup(json_string_value(name));
        else if (registry_show(request_registry(r), &r->caller, r->id, take_default_name, out, e) < 0)
                return -1;
        return *out ? 0 : handle_no_memory(e);
}

/* The stored request with the members of @doc on top, checked as a whole. */
static int merge(struct request *r, json_t *doc, struct spec **spec, char **body, struct err *e)
{
        CLEANUP(json_decrefp) json_t *stored = NULL;

        if (read_stored(r, "process has already started", &stored, e) < 0)
                return -1;
        json_object_update(stored, doc);
        if (codec_spec(stored, spec, e) < 0)
                return -1;
        (*spec)->start = false;
        *body = stored_text(stored);
        return *body ? 0 : handle_no_memory(e);
}

void handle_update_process(struct request *r)
{
        CLEANUP(json_decrefp) json_t *doc = NULL;
        CLEANUP(spec_freep) struct spec *spec = NULL;
        CLEANUP(secret_freep) char *body = NULL;
        CLEANUP(freep) char *name = NULL;
        struct err e = {0};
        bool only_name;

        if (handle_body(r, &doc, &e) < 0 || read_new_name(r, doc, &name, &e) < 0) {
                reply_problem(r, &e);
                return;
        }
        only_name = json_object_size(doc) == (name ? 1 : 0);
        if (!only_name && merge(r, doc, &spec, &body, &e) < 0) {
                reply_problem(r, &e);
                return;
        }
        request_await(r,
                      registry_update(request_registry(r), &r->caller, r->id, name, TAKE_PTR(spec), body,
                                      request_ticket(r)),
                      IMPATIENT, handle_shown);
}

/* ----------------------------------------------------------------------------------------- start */

static int read_start(struct request *r, struct spec **spec, struct err *e)
{
        CLEANUP(json_decrefp) json_t *doc = NULL, *stored = NULL;
        json_t *secrets;

        if (handle_body(r, &doc, e) < 0 || read_stored(r, NULL, &stored, e) < 0 ||
            check_secrets(r, doc, e) < 0)
                return -1;
        secrets = json_object_get(doc, "secrets");
        if (secrets)
                json_object_set(stored, "secrets", secrets);
        return codec_spec(stored, spec, e);
}

void handle_start_process(struct request *r)
{
        CLEANUP(spec_freep) struct spec *spec = NULL;
        struct err e = {0};

        if (read_start(r, &spec, &e) < 0 || hold_answer(r, spec, &e) < 0)
                reply_problem(r, &e);
        else
                request_await(r,
                              registry_start(request_registry(r), &r->caller, r->id, TAKE_PTR(spec),
                                             request_ticket(r)),
                              IMPATIENT, handle_shown);
}
