/* SPDX-License-Identifier: MIT */
#include "http/router.h"

#include <stdio.h>
#include <string.h>

#include "http/query.h"

/* An id: digits, not beginning with 0, that fit. 0: it is none. */
static int64_t parse_id(const char *s, size_t n)
{
        int64_t id = 0;

        if (!n || n > 18 || *s == '0')
                return 0;
        for (; n; n--, s++) {
                if (*s < '0' || *s > '9')
                        return 0;
                id = id * 10 + (*s - '0');
        }
        return id;
}

/* Whether @path is of @pattern; *id is that of the path. */
static bool matches(const char *pattern, const char *path, int64_t *id)
{
        const char *var = strstr(pattern, "{id}");
        size_t before, n;

        *id = 0;
        if (!var)
                return !strcmp(pattern, path);
        before = (size_t)(var - pattern);
        if (strncmp(pattern, path, before) != 0)
                return false;
        path += before;
        n = strcspn(path, "/");
        *id = parse_id(path, n);
        return *id && !strcmp(var + strlen("{id}"), path + n);
}

static void allow(struct match *m, const char *method)
{
        size_t n = strlen(m->allow);

        snprintf(m->allow + n, sizeof(m->allow) - n, "%s%s", n ? ", " : "", method);
}

int router_find(const struct route *table, const char *method, const char *path, size_t path_n,
                struct match *m, struct err *e)
{
        const char *wanted = !strcmp(method, "HEAD") ? "GET" : method;
        char decoded[ROUTE_PATH_MAX];
        int64_t id;

        *m = (struct match){0};
        if (path_n >= sizeof(decoded))
                return err_set(e, ERR_NOT_FOUND, 0, "there is no such path");
        if (percent_decode(path, path_n, false, decoded) < 0)
                return err_set(e, ERR_BAD_REQUEST, 0, "the path is not percent-encoded");
        for (const struct route *r = table; r->pattern; r++) {
                if (!matches(r->pattern, decoded, &id))
                        continue;
                /* A literal path stands before a pattern that it would match as well. */
                if (!strcmp(r->method, wanted)) {
                        m->route = r;
                        m->id = id;
                        return 0;
                }
                allow(m, r->method);
                if (!strcmp(r->method, "GET"))
                        allow(m, "HEAD");
        }
        if (*m->allow)
                return err_set(e, ERR_METHOD_NOT_ALLOWED, 0, "%.32s is not a method of %s", method, decoded);
        return err_set(e, ERR_NOT_FOUND, 0, "there is no path %s", decoded);
}
