/* SPDX-License-Identifier: MIT */
/* http/reply.h
 * Answers. Each request gets exactly one; it goes out when the handler has returned.
 *
 * Threads: the connection's own.
 */
#ifndef CRECHE_HTTP_REPLY_H
#define CRECHE_HTTP_REPLY_H

#include "base/err.h"
#include "base/strbuf.h"
#include "http/request.h"

/** Answer with the JSON in @body, which is emptied. */
void reply_json(struct request *r, int status, struct strbuf *body);
/** Answer 200 with @n bytes of @type that live for ever. */
void reply_bytes(struct request *r, const char *type, const void *bytes, size_t n);
/** Answer 200 with the text of @body, of @type, gzipped if it is long and the client takes that; it is emptied. */
void reply_coded(struct request *r, const char *type, struct strbuf *body);
void reply_empty(struct request *r, int status);

/** Answer with the problem document of @e. */
void reply_problem(struct request *r, const struct err *e);
/** Answer with @e about the process @id, which is shown with it. */
void reply_problem_of(struct request *r, const struct err *e, int64_t id);
/** Answer with a problem that is said here. */
void reply_refuse(struct request *r, enum err_kind kind, const char *msg);

/** Answer 200 with what @reader gives. @size: how much that is, MHD_SIZE_UNKNOWN when it is not known. */
void reply_stream(struct request *r, const char *type, uint64_t size, MHD_ContentReaderCallback reader,
                  void *state);

/** Answer 200 with the @size bytes of the file @fd, which is taken. */
void reply_file(struct request *r, const char *type, int fd, uint64_t size);

/** Add a header to the answer. */
void reply_header(struct request *r, const char *name, const char *value);

/** Append the process @id as it is now. Returns 0, or -1: ERR_NOT_FOUND. */
int reply_show(struct request *r, struct strbuf *b, int64_t id, struct err *e);
/** The same of @id, the @i-th process that the request has waited for: see registry_show_waited(). */
int reply_show_waited(struct request *r, struct strbuf *b, size_t i, int64_t id, struct err *e);
/** Answer with the process @id, for which the request may have waited. */
void reply_process(struct request *r, int status, int64_t id);
/** Append the process @p; a lock may be held. */
void reply_add_process(struct request *r, struct strbuf *b, const struct process *p);

/** Give the answer to libmicrohttpd. */
enum MHD_Result reply_send(struct request *r);

#endif
