/* SPDX-License-Identifier: MIT */
/* http/handle.h
 * The functions of the operations: what the route table points to, one file for each resource.
 */
#ifndef CRECHE_HTTP_HANDLE_H
#define CRECHE_HTTP_HANDLE_H

#include "http/document.h"
#include "http/request.h"

enum { HANDLE_JOIN_MAX = 1000 }; /* ids */

/** The body as an object, empty when there is none; with nothing but the members @allowed, "a b c", unless that
 * is NULL. Owned by the caller, also after a failure. */
int handle_body(struct request *r, const char *allowed, json_t **out, struct err *e);
/** Always returns -1. */
int handle_no_memory(struct err *e);
/** A continuation: answer 200 with the process r->id. */
void handle_shown(struct request *r);

/* handle_info.c */
void handle_healthz(struct request *r);
void handle_readyz(struct request *r);
void handle_openapi(struct request *r);
void handle_info(struct request *r);

/* handle_create.c */
void handle_create(struct request *r);
void handle_update(struct request *r);
void handle_start(struct request *r);

/* handle_processes.c */
void handle_list(struct request *r);
void handle_children(struct request *r);
void handle_active_children(struct request *r);
void handle_get(struct request *r);
void handle_self(struct request *r);
void handle_parent(struct request *r);

/* handle_lifecycle.c */
void handle_join(struct request *r);
void handle_join_many(struct request *r);
void handle_verb(struct request *r);
void handle_signal(struct request *r);
void handle_close(struct request *r);
void handle_delete(struct request *r);

/* handle_logs.c */
void handle_logs(struct request *r);

/* handle_stdin.c */
int stdin_open(struct request *r, struct err *e);
ptrdiff_t stdin_receive(struct request *r, const char *data, size_t n, struct err *e);
void handle_stdin(struct request *r);

#endif
