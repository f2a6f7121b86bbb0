/* SPDX-License-Identifier: MIT */
/* tests/unit/test_router.c: which operation a request names. */
#include "http/router.h"
#include "test.h"

static const struct route table[] = {
        {.method = "GET", .pattern = "/things"},
        {.method = "POST", .pattern = "/things"},
        {.method = "GET", .pattern = "/things/self"},
        {.method = "GET", .pattern = "/things/{id}"},
        {.method = "DELETE", .pattern = "/things/{id}"},
        {.method = "POST", .pattern = "/things/{id}/join"},
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
        assert_ptr_equal(m.route, &table[1]);
        CHECK_INT(m.id, 0);
        CHECK_INT(find("POST", "/things/17/join", &m), ERR_NONE);
        assert_ptr_equal(m.route, &table[5]);
        CHECK_INT(m.id, 17);
}

TEST(a_literal_path_goes_before_a_pattern)
{
        struct match m;

        CHECK_INT(find("GET", "/things/self", &m), ERR_NONE);
        assert_ptr_equal(m.route, &table[2]);
}

TEST(head_is_get)
{
        struct match m;

        CHECK_INT(find("HEAD", "/things/17", &m), ERR_NONE);
        assert_ptr_equal(m.route, &table[3]);
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
                const char *var = strstr(r->pattern, "{id}");
                char path[ROUTE_PATH_MAX];
                struct match m;

                strcpy(path, r->pattern);
                if (var)
                        strcpy(stpcpy(path + (var - r->pattern), "17"), var + strlen("{id}"));
                CHECK_INT(router_find(routes, r->method, path, strlen(path), &m, NULL), 0);
                assert_ptr_equal(m.route, r);
                CHECK(r->handle);
                CHECK((r->body == ROUTE_BODY_STREAM) == (r->open && r->receive));
        }
}

TEST_MAIN("router")
