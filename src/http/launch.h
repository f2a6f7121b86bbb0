/* SPDX-License-Identifier: MIT */
/* http/launch.h
 * A launch request, alone or one of many: from its JSON to what the registry is asked for.
 *
 * Threads: the connection's own.
 */
#ifndef CRECHE_HTTP_LAUNCH_H
#define CRECHE_HTTP_LAUNCH_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/err.h"
#include "http/request.h"
#include "model/spec.h"

/** Fill @idem, whose key is the header's, from the Idempotency-Key; *@has: there is one. ERR_BAD_REQUEST. */
int launch_key(struct request *r, struct idempotency *idem, bool *has, struct err *e);

/** The spec of the request *@doc, the caller's, and in *@doc what can be kept of it: where it names a target, what that
 * makes of it takes its place. ERR_INVALID with the pointer of the place; ERR_FORBIDDEN: the caller may not run it. */
int launch_read(struct request *r, json_t **doc, struct spec **spec, struct err *e);

/** Whether @e, of launch_read(), can have come of the target, which was another one when @doc was sent first. */
bool launch_may_be_repeat(const struct err *e, const json_t *doc);

/** What is kept of a request until the process is started, malloc()ed; NULL: out of memory. A secret. */
char *launch_stored(json_t *doc);

/** The bytes of @s that an answer shows, but for names and the folder. */
size_t launch_shown(const struct spec *s);

#endif
