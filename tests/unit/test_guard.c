/* SPDX-License-Identifier: MIT */
/* tests/unit/test_guard.c: which requests get past the door. */
#include "transport/guard.h"
#include "make_certificate.h"
#include "test.h"

static const struct guard TCP = {.host = "127.0.0.1:7117"};
static const struct guard UNIX = {.is_unix = true};

/* A head that is all right but for what a test changes. */
static struct head head(void)
{
        return (struct head){.method = "GET", .target = "/v1/processes", .version = "HTTP/1.1"};
}

static struct head head_with(const char *name, const char *value)
{
        struct head h = head();

        if (strcmp(name, "Host") != 0)
                head_add(&h, "Host", "127.0.0.1:7117");
        head_add(&h, name, value);
        return h;
}

static struct head head_for(const char *target)
{
        struct head h = head_with("Host", "127.0.0.1:7117");

        h.target = target;
        return h;
}

/* ERR_NONE: it passed. */
static enum err_kind verdict(const struct guard *g, struct head h)
{
        struct err e = {0};
        int rc = guard_check(g, &h, &e);

        CHECK_INT(rc, e.kind == ERR_NONE ? 0 : -1);
        return e.kind;
}

static enum err_kind host(const struct guard *g, const char *value)
{
        return verdict(g, head_with("Host", value));
}

TEST(a_host_is_known_by_the_configured_name_and_by_the_names_of_the_loopback)
{
        CHECK_INT(host(&TCP, "127.0.0.1:7117"), ERR_NONE);
        CHECK_INT(host(&TCP, "localhost:7117"), ERR_NONE);
        CHECK_INT(host(&TCP, "LOCALHOST:7117"), ERR_NONE);
        CHECK_INT(host(&TCP, "[::1]:7117"), ERR_NONE);
        CHECK_INT(host(&TCP, "127.0.0.1:7118"), ERR_MISDIRECTED);
        CHECK_INT(host(&TCP, "127.0.0.1"), ERR_MISDIRECTED);
        CHECK_INT(host(&TCP, "rebound.example:7117"), ERR_MISDIRECTED);
}

TEST(the_names_of_the_loopback_are_not_those_of_another_address)
{
        const struct guard lan = {.host = "192.0.2.7:7117"};

        CHECK_INT(host(&lan, "192.0.2.7:7117"), ERR_NONE);
        CHECK_INT(host(&lan, "localhost:7117"), ERR_MISDIRECTED);
}

TEST(who_listens_everywhere_takes_any_address_and_no_name)
{
        const struct guard any = {.host = "0.0.0.0:7117"};

        CHECK_INT(host(&any, "192.0.2.7:8000"), ERR_NONE);
        CHECK_INT(host(&any, "[2001:db8::1]:7117"), ERR_NONE);
        CHECK_INT(host(&any, "localhost:7117"), ERR_NONE);
        CHECK_INT(host(&any, "rebound.example:7117"), ERR_MISDIRECTED);
}

TEST(on_the_unix_socket_any_valid_host_will_do)
{
        CHECK_INT(host(&UNIX, "localhost"), ERR_NONE);
        CHECK_INT(host(&UNIX, "%2Frun%2Fcreche.sock"), ERR_NONE);
        CHECK_INT(host(&UNIX, ""), ERR_BAD_REQUEST);
        CHECK_INT(host(&UNIX, "a b"), ERR_BAD_REQUEST);
        CHECK_INT(host(&UNIX, "user@host"), ERR_BAD_REQUEST);
        CHECK_INT(host(&UNIX, "host:port"), ERR_BAD_REQUEST);
        CHECK_INT(host(&UNIX, "host:99999"), ERR_BAD_REQUEST);
        CHECK_INT(host(&UNIX, "[::1"), ERR_BAD_REQUEST);
}

TEST(there_is_exactly_one_host_but_for_http_1_0)
{
        struct head old = head();
        struct head two = head_with("Host", "127.0.0.1:7117");

        CHECK_INT(verdict(&TCP, old), ERR_BAD_REQUEST);
        old.version = "HTTP/1.0";
        CHECK_INT(verdict(&TCP, old), ERR_NONE);
        head_add(&two, "host", "127.0.0.1:7117");
        CHECK_INT(verdict(&TCP, two), ERR_BAD_REQUEST);
}

TEST(of_a_header_that_comes_twice_the_first_is_kept_and_both_are_counted)
{
        struct head h = head_with("Origin", "http://a");

        head_add(&h, "ORIGIN", "http://b");
        CHECK_STR(head_get(&h, HEADER_ORIGIN), "http://a");
        CHECK_INT(h.headers[HEADER_ORIGIN].n, 2);
}

TEST(the_declared_length_of_a_body_is_known)
{
        struct head none = head(), some = head_with("Content-Length", "17"),
                    chunked = head_with("Transfer-Encoding", "chunked");

        CHECK_INT(head_body(&none), 0);
        CHECK_INT(head_body(&some), 17);
        CHECK_INT(head_body(&chunked), -1);
}

TEST(a_length_that_no_number_holds_is_not_taken_for_a_small_one)
{
        struct head max = head_with("Content-Length", "9223372036854775807");
        struct head more = head_with("Content-Length", "9223372036854775808");
        struct head wrapped = head_with("Content-Length", "18446744073709551617");

        CHECK_INT(head_body(&max), INT64_MAX);
        CHECK_INT(head_body(&more), INT64_MAX);
        CHECK_INT(head_body(&wrapped), INT64_MAX);
}

TEST(a_target_holds_no_tricks)
{
        CHECK_INT(verdict(&TCP, head_for("/v1/processes?q=%2F%c3%a9")), ERR_NONE);
        CHECK_INT(verdict(&TCP, head_for("/v1/processes/1%2f2")), ERR_BAD_REQUEST);
        CHECK_INT(verdict(&TCP, head_for("/v1/processes/1%5C2")), ERR_BAD_REQUEST);
        CHECK_INT(verdict(&TCP, head_for("/v1/%00")), ERR_BAD_REQUEST);
        CHECK_INT(verdict(&TCP, head_for("/v1?q=%00")), ERR_BAD_REQUEST);
        CHECK_INT(verdict(&TCP, head_for("/v1/%")), ERR_BAD_REQUEST);
        CHECK_INT(verdict(&TCP, head_for("/v1/%2")), ERR_BAD_REQUEST);
        CHECK_INT(verdict(&TCP, head_for("/v1/%zz")), ERR_BAD_REQUEST);
        CHECK_INT(verdict(&TCP, head_for("/v1/a b")), ERR_BAD_REQUEST);
        CHECK_INT(verdict(&TCP, head_for("/v1/\xc3\xa9")), ERR_BAD_REQUEST);
        CHECK_INT(verdict(&TCP, head_for("/v1#x")), ERR_BAD_REQUEST);
        CHECK_INT(verdict(&TCP, head_for("*")), ERR_BAD_REQUEST);
        CHECK_INT(verdict(&TCP, head_for("")), ERR_BAD_REQUEST);
}

TEST(an_absolute_target_names_us_as_well)
{
        struct head h = head_for("http://localhost:7117/v1/info?x");

        CHECK_INT(verdict(&TCP, h), ERR_NONE);
        CHECK_STR(head_path(&h, false), "/v1/info?x");
        CHECK_INT(verdict(&TCP, head_for("http://rebound.example/v1")), ERR_MISDIRECTED);
        CHECK_INT(verdict(&TCP, head_for("http://localhost:7117")), ERR_BAD_REQUEST);
}

TEST(the_only_expectation_is_100_continue)
{
        struct head twice = head_with("Expect", "100-continue");

        CHECK_INT(verdict(&TCP, head_with("Expect", "100-Continue")), ERR_NONE);
        CHECK_INT(verdict(&TCP, head_with("Expect", "")), ERR_EXPECTATION);
        CHECK_INT(verdict(&TCP, head_with("Expect", "200-ok")), ERR_EXPECTATION);
        head_add(&twice, "Expect", "100-continue");
        CHECK_INT(verdict(&TCP, twice), ERR_EXPECTATION);
}

TEST(a_page_of_another_origin_may_not_call)
{
        CHECK_INT(verdict(&TCP, head_with("Origin", "http://127.0.0.1:7117")), ERR_NONE);
        CHECK_INT(verdict(&TCP, head_with("Origin", "http://evil.example")), ERR_CROSS_ORIGIN);
        CHECK_INT(verdict(&TCP, head_with("Origin", "https://127.0.0.1:7117")), ERR_CROSS_ORIGIN);
        CHECK_INT(verdict(&TCP, head_with("Origin", "http://localhost:7117")), ERR_CROSS_ORIGIN);
        CHECK_INT(verdict(&TCP, head_with("Origin", "null")), ERR_CROSS_ORIGIN);
}

TEST(a_fetch_from_another_site_is_refused)
{
        CHECK_INT(verdict(&TCP, head_with("Sec-Fetch-Site", "same-origin")), ERR_NONE);
        CHECK_INT(verdict(&TCP, head_with("Sec-Fetch-Site", "none")), ERR_NONE);
        CHECK_INT(verdict(&TCP, head_with("Sec-Fetch-Site", "same-site")), ERR_CROSS_ORIGIN);
        CHECK_INT(verdict(&TCP, head_with("Sec-Fetch-Site", "cross-site")), ERR_CROSS_ORIGIN);
}

TEST(by_tls_the_names_of_the_certificate_are_known_at_any_port)
{
        struct certificate *c = make_loaded_certificate();
        const struct guard g = {.host = "198.51.100.1:7117", .certificate = c};

        CHECK_INT(host(&g, "creche.example:7117"), ERR_NONE);
        CHECK_INT(host(&g, "creche.example"), ERR_NONE);
        CHECK_INT(host(&g, "192.0.2.7:8443"), ERR_NONE);
        CHECK_INT(host(&g, "198.51.100.1:7117"), ERR_NONE);
        CHECK_INT(host(&g, "rebound.example:7117"), ERR_MISDIRECTED);
        CHECK_INT(host(&g, "198.51.100.1:7118"), ERR_MISDIRECTED);
        CHECK_INT(host(&g, "localhost:7117"), ERR_MISDIRECTED);
        certificate_free(c);
}

TEST(by_tls_the_own_origin_is_https_and_an_absolute_target_as_well)
{
        struct certificate *c = make_loaded_certificate();
        const struct guard g = {.host = "127.0.0.1:443", .certificate = c};
        const struct {
                const char *origin, *target;
                enum err_kind kind;
        } cases[] = {
                {"https://127.0.0.1", "/v1/info", ERR_NONE},
                {"http://127.0.0.1", "/v1/info", ERR_CROSS_ORIGIN},
                {"https://127.0.0.1:7117", "/v1/info", ERR_CROSS_ORIGIN},
                {"https://127.0.0.1", "https://127.0.0.1:443/v1/info", ERR_NONE},
                {"https://127.0.0.1", "HTTPS://creche.example/v1/info", ERR_NONE},
                {"https://127.0.0.1", "https://127.0.0.1:80/v1/info", ERR_MISDIRECTED},
                {"https://127.0.0.1", "http://127.0.0.1:443/v1/info", ERR_BAD_REQUEST},
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct head h = head();

                head_add(&h, "Host", "127.0.0.1");
                head_add(&h, "Origin", cases[i].origin);
                h.target = cases[i].target;
                CHECK_INT(verdict(&g, h), cases[i].kind);
        }
        certificate_free(c);
}

TEST_MAIN("guard")
