/* SPDX-License-Identifier: MIT */
/* tests/unit/test_router.c: which operation a request names. */
#include "http/router.h"
#include "test.h"

static const struct route table[] = {
        {.method = "GET", .pattern = "/things"},
        {.method = "POST", .pattern = "/things"},
        {.method = "GET", .pattern = "/things/self"},
        {.method = "GET", .pattern = "/targets/default"},
        {.method = "GET", .pattern = "/things/{id}", .param = "{id}"},
        {.method = "DELETE", .pattern = "/things/{id}", .param = "{id}"},
        {.method = "POST", .pattern = "/things/{id}/join", .param = "{id}"},
        {.method = "DELETE",
         .pattern = "/targets/{name}",
         .param = "{name}",
         .param_pattern = "^[a-z][a-z0-9-]*$",
         .param_max = 8},
        {.method = "POST",
         .pattern = "/targets/{name}/check",
         .param = "{name}",
         .param_pattern = "^[a-z][a-z0-9-]*$",
         .param_max = 8},
        {0},
};

/* ERR_NONE: it was found. */
static enum err_kind find(const char *method, const char *path, struct match *m)
{
        struct err e = {0};
        int rc = router_find(table, method, path, strlen(path), m, &e);

        CHECK_INT(rc, e.kind == ERR_NONE ? 0 : -1);
        return e.kind;
}

static enum err_kind get(const char *path)
{
        struct match m;

        return find("GET", path, &m);
}

TEST(method_and_path_name_one_operation)
{
        struct match m;

        CHECK_INT(find("POST", "/things", &m), ERR_NONE);
        CHECK_STR(m.route->method, "POST");
        CHECK_STR(m.route->pattern, "/things");
        CHECK_INT(m.id, 0);
        CHECK_INT(find("POST", "/things/17/join", &m), ERR_NONE);
        CHECK_STR(m.route->pattern, "/things/{id}/join");
        CHECK_INT(m.id, 17);
}

TEST(a_literal_path_goes_before_a_pattern)
{
        struct match m;

        CHECK_INT(find("GET", "/things/self", &m), ERR_NONE);
        CHECK_STR(m.route->pattern, "/things/self");
}

TEST(head_is_get)
{
        struct match m;

        CHECK_INT(find("HEAD", "/things/17", &m), ERR_NONE);
        CHECK_STR(m.route->method, "GET");
        CHECK_STR(m.route->pattern, "/things/{id}");
}

TEST(an_id_is_a_positive_integer_that_fits_and_has_one_spelling)
{
        CHECK_INT(get("/things/1"), ERR_NONE);
        CHECK_INT(get("/things/999999999999999999"), ERR_NONE);
        CHECK_INT(get("/things/0"), ERR_NOT_FOUND);
        CHECK_INT(get("/things/01"), ERR_NOT_FOUND);
        CHECK_INT(get("/things/-1"), ERR_NOT_FOUND);
        CHECK_INT(get("/things/+1"), ERR_NOT_FOUND);
        CHECK_INT(get("/things/1x"), ERR_NOT_FOUND);
        CHECK_INT(get("/things/99999999999999999999"), ERR_NOT_FOUND);
}

TEST(a_name_is_one_segment_like_its_pattern_and_no_longer_than_its_limit)
{
        struct match m;

        CHECK_INT(find("DELETE", "/targets/a", &m), ERR_NONE);
        CHECK_STR(m.name, "a");
        CHECK_INT(m.id, 0);
        CHECK_INT(find("POST", "/targets/eight-ch/check", &m), ERR_NONE);
        CHECK_STR(m.name, "eight-ch");
        CHECK_INT(find("DELETE", "/targets/nine-char", &m), ERR_NOT_FOUND);
        CHECK_INT(find("DELETE", "/targets/", &m), ERR_NOT_FOUND);
        CHECK_INT(find("DELETE", "/targets/1", &m), ERR_NOT_FOUND);
        CHECK_INT(find("DELETE", "/targets/A", &m), ERR_NOT_FOUND);
        CHECK_INT(find("DELETE", "/targets/a_b", &m), ERR_NOT_FOUND);
        CHECK_INT(find("DELETE", "/targets/a%0a", &m), ERR_NOT_FOUND);
        CHECK_INT(find("DELETE", "/targets/a%2fb", &m), ERR_NOT_FOUND);
        CHECK_INT(find("DELETE", "/targets/%61", &m), ERR_NONE);
        CHECK_STR(m.name, "a");
}

TEST(what_is_a_path_by_itself_is_no_name)
{
        struct match m;

        CHECK_INT(find("DELETE", "/targets/default", &m), ERR_METHOD_NOT_ALLOWED);
        CHECK_STR(m.allow, "GET, HEAD");
        CHECK_INT(find("GET", "/targets/other", &m), ERR_METHOD_NOT_ALLOWED);
        CHECK_STR(m.allow, "DELETE");
}

TEST(an_escaped_path_is_the_path)
{
        struct match m;

        CHECK_INT(find("GET", "/%74hings/%31%37", &m), ERR_NONE);
        CHECK_INT(m.id, 17);
        CHECK_INT(get("/things/%"), ERR_BAD_REQUEST);
}

TEST(what_is_no_path_is_not_found)
{
        char path[2 * ROUTE_PATH_MAX];

        CHECK_INT(get("/"), ERR_NOT_FOUND);
        CHECK_INT(get("/thing"), ERR_NOT_FOUND);
        CHECK_INT(get("/things/"), ERR_NOT_FOUND);
        CHECK_INT(get("/things/17/"), ERR_NOT_FOUND);
        CHECK_INT(get("/things/17/joint"), ERR_NOT_FOUND);
        CHECK_INT(get("/things/17/join/"), ERR_NOT_FOUND);
        CHECK_INT(get("//things"), ERR_NOT_FOUND);
        memset(path, '/', sizeof(path));
        path[sizeof(path) - 1] = '\0';
        CHECK_INT(get(path), ERR_NOT_FOUND);
}

TEST(a_known_path_tells_its_methods)
{
        struct match m;

        CHECK_INT(find("BREW", "/things/17", &m), ERR_METHOD_NOT_ALLOWED);
        CHECK_STR(m.allow, "GET, HEAD, DELETE");
        CHECK_INT(find("GET", "/things/17/join", &m), ERR_METHOD_NOT_ALLOWED);
        CHECK_STR(m.allow, "POST");
        CHECK_INT(find("get", "/things", &m), ERR_METHOD_NOT_ALLOWED);
}

TEST(each_operation_of_the_server_is_found_by_its_own_pattern)
{
        for (const struct route *r = routes; r->pattern; r++) {
                const char *var = r->param ? strstr(r->pattern, r->param) : NULL;
                char path[ROUTE_PATH_MAX];
                struct match m;

                strcpy(path, r->pattern);
                /* A name whose pattern forbids "a" needs an example of its own here. */
                if (var)
                        strcpy(stpcpy(path + (var - r->pattern), r->param_pattern ? "a" : "17"),
                               var + strlen(r->param));
                CHECK_INT(router_find(routes, r->method, path, strlen(path), &m, NULL), 0);
                assert_ptr_equal(m.route, r);
                CHECK(r->handle);
                CHECK((r->body == ROUTE_BODY_STREAM) == (r->open && r->receive));
        }
}

TEST_MAIN("router")
