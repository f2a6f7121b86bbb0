/* SPDX-License-Identifier: MIT */
/* The operations of the API: api/openapi.json, as a table. */
#include <signal.h>

#include "http/handle.h"
#include "http/router.h"
#include "model/caller.h"

#define GET(path, ...)                                                                                       \
        {                                                                                                    \
                .method = "GET", .pattern = path, __VA_ARGS__                                                \
        }
#define POST(path, ...)                                                                                      \
        {                                                                                                    \
                .method = "POST", .pattern = path, __VA_ARGS__                                               \
        }
#define VERB(name, signo)                                                                                    \
        POST("/v1/processes/{id}/" name, .scope = SCOPE_SIGNAL, .body = ROUTE_BODY_OPTIONAL,                 \
             .handle = handle_verb, .number = signo)

const struct route routes[] = {
        GET("/healthz", .handle = handle_healthz),
        GET("/readyz", .handle = handle_readyz),
        GET("/openapi.json", .scope = SCOPE_READ, .tagged = true, .handle = handle_openapi),
        GET("/v1/info", .scope = SCOPE_READ, .handle = handle_info),

        POST("/v1/processes", .scope = SCOPE_START, .body = ROUTE_BODY_REQUIRED, .handle = handle_create),
        GET("/v1/processes", .scope = SCOPE_READ,
            .query = "state name daemon parent label* start_method since until q dangling order limit cursor",
            .handle = handle_list),
        GET("/v1/processes/self", .scope = SCOPE_READ, .tagged = true, .handle = handle_self),
        GET("/v1/processes/{id}", .scope = SCOPE_READ, .tagged = true, .query = "wait", .handle = handle_get),
        {.method = "PATCH",
         .pattern = "/v1/processes/{id}",
         .scope = SCOPE_START,
         .body = ROUTE_BODY_REQUIRED,
         .handle = handle_update},
        {.method = "DELETE", .pattern = "/v1/processes/{id}", .scope = SCOPE_DELETE, .handle = handle_delete},

        POST("/v1/processes/{id}/start", .scope = SCOPE_START, .body = ROUTE_BODY_OPTIONAL,
             .handle = handle_start),
        POST("/v1/processes/{id}/join", .scope = SCOPE_START, .body = ROUTE_BODY_OPTIONAL,
             .handle = handle_join),
        VERB("terminate", SIGTERM),
        VERB("kill", SIGKILL),
        VERB("interrupt", SIGINT),
        POST("/v1/processes/{id}/signal", .scope = SCOPE_SIGNAL, .body = ROUTE_BODY_REQUIRED,
             .handle = handle_signal),
        POST("/v1/processes/{id}/close", .scope = SCOPE_START, .handle = handle_close),

        GET("/v1/processes/{id}/logs", .scope = SCOPE_LOGS, .query = "stream offset limit tail follow",
            .handle = handle_logs),
        {.method = "PUT",
         .pattern = "/v1/processes/{id}/stdin",
         .scope = SCOPE_START,
         .body = ROUTE_BODY_STREAM,
         .query = "eof",
         .open = stdin_open,
         .receive = stdin_receive,
         .handle = handle_stdin},
        GET("/v1/processes/{id}/parent", .scope = SCOPE_READ, .tagged = true, .handle = handle_parent),
        GET("/v1/processes/{id}/children", .scope = SCOPE_READ, .query = "order limit cursor",
            .handle = handle_children),

        POST("/v1/join", .scope = SCOPE_START, .body = ROUTE_BODY_REQUIRED, .handle = handle_join_many),
        GET("/v1/active_children", .scope = SCOPE_READ, .handle = handle_active_children),
        {0},
};
