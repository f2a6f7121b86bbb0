/* SPDX-License-Identifier: MIT */
/* http/handle.h
 * The functions of the operations, one file for each resource. The operation that api/openapi.json calls X is
 * handle_X(); when its body is streamed, open_X() and receive_X() go with it. Their prototypes are generated, so
 * that one too many does not compile and one too few does not link: see http/router.h.
 */
#ifndef CRECHE_HTTP_HANDLE_H
#define CRECHE_HTTP_HANDLE_H

#include "http/document.h"
#include "http/request.h"
#include "model/filter.h"
#include "routes.h"

/** The body as an object, empty when there is none; with nothing but the members that are declared. Owned by the
 * caller, also after a failure. */
int handle_body(struct request *r, json_t **out, struct err *e);
/** order, limit and cursor of the query. */
int handle_page(const struct query *q, struct page *out, struct err *e);
/** Append "],\"next\":...}", the end of a page whose last row is @last; @more: there are more. */
void handle_page_end(struct strbuf *b, int64_t last, bool more);
/** Always returns -1. */
int handle_no_memory(struct err *e);
/** A continuation: answer 200 with the process r->id. */
void handle_shown(struct request *r);

#endif
