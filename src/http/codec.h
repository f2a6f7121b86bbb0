/* SPDX-License-Identifier: MIT */
/* http/codec.h
 * JSON <-> model: launch requests into struct spec, records into process objects.
 *
 * Threads: any; no state.
 */
#ifndef CRECHE_HTTP_CODEC_H
#define CRECHE_HTTP_CODEC_H

#include <stdint.h>

#include <jansson.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "model/audit.h"
#include "model/event.h"
#include "model/process.h"
#include "model/spec.h"
#include "model/target.h"
#include "model/token.h"

/** Read a launch request (CreateProcessRequest of the OpenAPI document). Returns 0 and a spec that is the
 * caller's, or -1 with @e set, ERR_INVALID with the pointer of the place. */
int codec_spec(const json_t *request, struct spec **out, struct err *e);

/** Check the definition of a target (PutTargetRequest). ERR_INVALID with the pointer of the place. */
int codec_target(const json_t *definition, struct err *e);

/** Append the target object, without the values of its environment. ERR_INTERNAL: its row has been damaged. */
int codec_target_show(struct strbuf *b, const struct target *t, struct err *e);

/** Make a launch request, for codec_spec(), of one that names a target, which @definition is of. ERR_INVALID with the
 * pointer of the place in @request; ERR_INTERNAL: the row of the target has been damaged. */
int codec_call(const json_t *request, const json_t *definition, json_t **out, struct err *e);

/** Append the process object. @bytes: how much it has written so far, by stream. */
void codec_process(struct strbuf *b, const struct process *p, const int64_t bytes[STREAM_COUNT]);

/** Read a request for a token (MintTokenRequest). Its name is borrowed from @request, the list of its targets is in
 * @targets, if it is limited to any. ERR_INVALID. */
int codec_mint(const json_t *request, char targets[TARGETS_TEXT_MAX], struct token *out, struct err *e);

/** Append the token object; @text: the token itself, told once, or NULL. */
void codec_token(struct strbuf *b, const struct token *t, const char *text);

/** Append the entry of the audit trail. */
void codec_audit(struct strbuf *b, const struct audit *a);
/** Append the event object, on one line. */
void codec_event(struct strbuf *b, const struct event *ev);

/** Append the problem document of @e. @process: the object of the process that it is about, or NULL. */
void codec_problem(struct strbuf *b, const struct err *e, const char *process);

#endif
