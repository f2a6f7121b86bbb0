/* SPDX-License-Identifier: MIT */
/* http/router.h
 * Which operation a method and a path name. The table of all operations is made from api/openapi.json by
 * api/generate.c, and so are the prototypes of its functions: see routes.h in the folder gen/ of the build.
 *
 * Threads: any; no state.
 */
#ifndef CRECHE_HTTP_ROUTER_H
#define CRECHE_HTTP_ROUTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct request;

enum { ROUTE_PATH_MAX = 512, ROUTE_NAME_MAX = 128, ROUTE_ALLOW_MAX = 64 };

enum route_body {
        ROUTE_BODY_NONE,     /* what comes is not looked at */
        ROUTE_BODY_OPTIONAL, /* JSON or nothing */
        ROUTE_BODY_REQUIRED, /* JSON */
        ROUTE_BODY_STREAM,   /* bytes, without limit: see ->open */
};

/* One operation. */
struct route {
        const char *method, *pattern;
        const char *param;         /* the segment of the pattern that varies, "{id}"; NULL: none */
        const char *param_pattern; /* it is a name, like this (extended regular expression); NULL: an id */
        size_t param_max;          /* bytes of a name, at most ROUTE_NAME_MAX */
        unsigned scope;            /* enum scope; 0: nobody is asked who he is */
        enum route_body body;
        size_t body_max;     /* bytes of JSON */
        const char *members; /* of the JSON, "a b c" */
        bool tagged;         /* a single resource: ETag, 304 */
        const char *query;   /* its parameters, as query_check() takes them; NULL: none */
        /* The whole request is here: answer it, or wait. See http/request.h. */
        void (*handle)(struct request *r);
        /* ROUTE_BODY_STREAM: the head is here. -1: refused. */
        int (*open)(struct request *r, struct err *e);
        /* Some of the body is here: take some of it. Returns how much, or -1: refused. */
        ptrdiff_t (*receive)(struct request *r, const char *data, size_t n, struct err *e);
};

struct match {
        const struct route *route;
        int64_t id;                    /* of the path; 0: it has none */
        char name[ROUTE_NAME_MAX + 1]; /* of the path; "": it has none */
        char allow[ROUTE_ALLOW_MAX];   /* the methods of the path */
};

/** Find the operation in @table, whose last row has no pattern, and where literal paths go before those with a
 * parameter that would match as well. @path is raw and ends before the query. HEAD is GET. Returns 0, or -1: ERR_NOT_FOUND, ERR_METHOD_NOT_ALLOWED (->allow is set), ERR_BAD_REQUEST. */
int router_find(const struct route *table, const char *method, const char *path, size_t path_n,
                struct match *m, struct err *e);

/** The operations of this server. */
extern const struct route routes[];

#endif
