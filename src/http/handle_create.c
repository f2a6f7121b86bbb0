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
#include "http/launch.h"
#include "http/reply.h"

/* What else an answer shows: a folder, of which each byte may be escaped, and names. */
enum { ANSWER_REST = 32768 };

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

/* Room for the answer before anything runs: who is told to try again has started nothing. */
static int hold_answer(struct request *r, const struct spec *s, struct err *e)
{
        return request_hold_answer(r, launch_shown(s) + ANSWER_REST, e);
}

void handle_create_process(struct request *r)
{
        CLEANUP(json_decrefp) json_t *doc = NULL;
        CLEANUP(spec_freep) struct spec *spec = NULL;
        CLEANUP(secret_freep) char *stored = NULL;
        struct idempotency idem;
        bool has_key;
        struct err e = {0};

        if (launch_key(r, &idem, &has_key, &e) < 0 || handle_body(r, &doc, &e) < 0) {
                reply_problem(r, &e);
                return;
        }
        if (launch_read(r, &doc, &spec, &e) < 0) {
                if (has_key && launch_may_be_repeat(&e, doc))
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
        if (!spec->start && !(stored = launch_stored(doc))) {
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
        *body = launch_stored(stored);
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
