/* SPDX-License-Identifier: MIT */
/* http/server.h
 * The REST API over HTTP: libmicrohttpd on the unix socket and on TCP, a small pool of threads each, none of
 * which ever blocks: a request that must wait is suspended and resumed by its ticket.
 *
 * The contract is api/openapi.json. Each operation is a row of the route table, which is made from it, and a
 * function in handle_<resource>.c.
 *
 * Threads: http_start() and http_stop() from main.
 */
#ifndef CRECHE_HTTP_SERVER_H
#define CRECHE_HTTP_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "transport/certificate.h"
#include "transport/limits.h"
#include "model/retention.h"
#include "logs/logs.h"
#include "registry/registry.h"

struct http;

struct http_config {
        const struct err *refusal; /* every request gets this, and there is no registry; NULL: serve */
        struct registry *registry;
        struct logs *logs;
        int unix_fd; /* listening; stays the caller's */
        int tcp_fd;  /* listening, or -1; stays the caller's */
        /* For /v1/info and for the guard; borrowed for the life of the server. */
        const char *token; /* the operator's */
        const char *state_dir, *database, *socket_path;
        const char *url;                       /* "http://HOST:PORT", or https; NULL without TCP */
        const char *host;                      /* "HOST:PORT" as given to --listen; NULL without TCP */
        const struct certificate *certificate; /* TCP is served by TLS; borrowed; NULL: plain */
        bool no_tcp;                           /* it should be served by TLS, and cannot be */
        const char *policy; /* the file that says as whom processes may run; NULL: there is none */
        uint32_t restarts;  /* of creched under this creche-init */
        int threads;        /* per listener */
        struct limits limits;
        struct retention keep; /* what is told of it */
};

/** Serve. ERR_INTERNAL when libmicrohttpd cannot. */
int http_start(const struct http_config *c, struct http **out, struct err *e);

/** Answer each suspended request (503 `stopping`), let what is being sent go out for at most @grace_us, end
 * the threads. New requests are refused from the beginning of this call. @h may be NULL. */
void http_stop(struct http *h, int64_t grace_us);

#endif
