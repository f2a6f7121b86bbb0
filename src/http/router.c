/* SPDX-License-Identifier: MIT */
#include "http/router.h"

#include <regex.h>
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

/* Such parameters are few and seldom asked for: none is worth an expression that is kept. */
static bool is_like(const char *name, const char *pattern)
{
        regex_t regex;
        bool is;

        if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0)
                return false;
        is = !regexec(&regex, name, 0, NULL, 0);
        regfree(&regex);
        return is;
}

/* Whether @n bytes at @s can be the parameter of @r, which @m gets then. */
static bool take_param(const struct route *r, const char *s, size_t n, struct match *m)
{
        if (!r->param_pattern) {
                m->id = parse_id(s, n);
                return m->id;
        }
        if (!n || n > r->param_max)
                return false;
        memcpy(m->name, s, n);
        m->name[n] = '\0';
        return is_like(m->name, r->param_pattern);
}

/* Whether @path is of @r; @m gets its parameter. */
static bool matches(const struct route *r, const char *path, struct match *m)
{
        size_t before, n;
        const char *var;

        if (!r->param)
                return !strcmp(r->pattern, path);
        var = strstr(r->pattern, r->param);
        before = (size_t)(var - r->pattern);
        if (strncmp(r->pattern, path, before) != 0)
                return false;
        path += before;
        n = strcspn(path, "/");
        return !strcmp(var + strlen(r->param), path + n) && take_param(r, path, n, m);
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
        bool literal = false;

        *m = (struct match){0};
        if (path_n >= sizeof(decoded))
                return err_set(e, ERR_NOT_FOUND, 0, "there is no such path");
        if (percent_decode(path, path_n, false, decoded) < 0)
                return err_set(e, ERR_BAD_REQUEST, 0, "the path is not percent-encoded");
        for (const struct route *r = table; r->pattern; r++) {
                /* What is a path by itself is not the name of something. */
                if ((r->param && literal) || !matches(r, decoded, m))
                        continue;
                if (!strcmp(r->method, wanted)) {
                        m->route = r;
                        return 0;
                }
                literal = !r->param;
                allow(m, r->method);
                if (!strcmp(r->method, "GET"))
                        allow(m, "HEAD");
        }
        if (*m->allow)
                return err_set(e, ERR_METHOD_NOT_ALLOWED, 0, "%.32s is not a method of %s", method, decoded);
        return err_set(e, ERR_NOT_FOUND, 0, "there is no path %s", decoded);
}
