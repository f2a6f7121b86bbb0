/* SPDX-License-Identifier: MIT */
/* tests/unit/test_session.c: codes, sessions and cookies, by a clock of the test's own. */
#include "http/session.h"
#include "test.h"

static const int64_t NOW = 1000 * CLOCK_US_PER_S;

static struct sessions sessions;
static char code[SESSION_SECRET_MAX], secret[SESSION_SECRET_MAX];

static void begin(void)
{
        sessions = (struct sessions){0};
        sessions_init(&sessions, "5c0e-7f", false);
}

static void offer(void)
{
        const struct caller by = {.scopes = SCOPE_ALL, .who = "uid 0"};
        struct err e = {0};

        CHECK_INT(sessions_offer(&sessions, &by, SCOPE_READ, NOW, code, &e), 0);
}

static enum err_kind exchange(int64_t now_us)
{
        struct err e = {0};

        sessions_begin(&sessions, code, now_us, secret, &e);
        return e.kind;
}

static enum err_kind use(int64_t now_us, struct caller *who)
{
        struct caller unused;
        int64_t expires_us;
        struct err e = {0};

        sessions_find(&sessions, secret, now_us, who ? who : &unused, &expires_us, &e);
        return e.kind;
}

TEST(a_session_stands_for_who_asked_for_the_code_with_the_scopes_that_he_gave)
{
        struct caller who = {0};

        begin();
        offer();
        CHECK_INT(exchange(NOW), ERR_NONE);
        CHECK_INT(use(NOW, &who), ERR_NONE);
        CHECK_INT(who.scopes, SCOPE_READ);
        CHECK_INT(who.process, 0);
        CHECK_STR(who.who, "session of uid 0");
}

TEST(nobody_gives_a_session_a_scope_that_he_lacks)
{
        const struct caller by = {.scopes = SCOPE_READ | SCOPE_ADMIN, .who = "token 3"};
        struct err e = {0};

        begin();
        CHECK_INT(sessions_offer(&sessions, &by, SCOPE_READ | SCOPE_LOGS, NOW, code, &e), -1);
        CHECK_INT(e.kind, ERR_FORBIDDEN);
        CHECK_INT(sessions_offer(&sessions, &by, SCOPE_READ, NOW, code, &e), 0);
}

TEST(a_code_and_a_secret_are_256_random_bits_and_none_is_kept_as_it_is)
{
        char other[SESSION_SECRET_MAX];

        begin();
        offer();
        strcpy(other, code);
        offer();
        CHECK(strcmp(code, other) != 0);
        CHECK_INT(strlen(code), 64);
        CHECK_INT(exchange(NOW), ERR_NONE);
        CHECK_INT(strlen(secret), 64);
        CHECK(strcmp(secret, code) != 0);
        CHECK(memmem(&sessions, sizeof(sessions), other, 16) == NULL);
        CHECK(memmem(&sessions, sizeof(sessions), secret, 16) == NULL);
}

TEST(a_code_is_good_once)
{
        begin();
        offer();
        CHECK_INT(exchange(NOW), ERR_NONE);
        CHECK_INT(exchange(NOW), ERR_UNAUTHENTICATED);
        CHECK_INT(use(NOW, NULL), ERR_UNAUTHENTICATED);
}

TEST(a_code_is_good_for_a_minute)
{
        begin();
        offer();
        CHECK_INT(exchange(NOW + 60 * CLOCK_US_PER_S), ERR_UNAUTHENTICATED);
        offer();
        CHECK_INT(exchange(NOW + 60 * CLOCK_US_PER_S - 1), ERR_NONE);
}

TEST(a_code_that_is_unknown_is_refused)
{
        begin();
        offer();
        code[0] = code[0] == '0' ? '1' : '0';
        CHECK_INT(exchange(NOW), ERR_UNAUTHENTICATED);
        *code = '\0';
        CHECK_INT(exchange(NOW), ERR_UNAUTHENTICATED);
}

TEST(codes_that_wait_are_bounded_and_make_room_as_they_get_old)
{
        const struct caller by = {.scopes = SCOPE_READ, .who = "uid 0"};
        struct err e = {0};

        begin();
        for (int i = 0; i < SESSION_CODES_MAX; i++)
                offer();
        CHECK_INT(sessions_offer(&sessions, &by, SCOPE_READ, NOW, code, &e), -1);
        CHECK_INT(e.kind, ERR_TOO_MANY);
        CHECK_INT(sessions_offer(&sessions, &by, SCOPE_READ, NOW + SESSION_CODE_US, code, &e), 0);
}

TEST(a_session_ends_after_an_hour_without_a_request)
{
        begin();
        offer();
        CHECK_INT(exchange(NOW), ERR_NONE);
        CHECK_INT(use(NOW + SESSION_IDLE_US - 1, NULL), ERR_NONE);
        CHECK_INT(use(NOW + 2 * SESSION_IDLE_US - 2, NULL), ERR_NONE);
        CHECK_INT(use(NOW + 3 * SESSION_IDLE_US - 2, NULL), ERR_UNAUTHENTICATED);
        CHECK_INT(use(NOW, NULL), ERR_UNAUTHENTICATED);
}

TEST(a_session_ends_after_twelve_hours_whatever_it_does)
{
        int64_t now_us = NOW;

        begin();
        offer();
        CHECK_INT(exchange(NOW), ERR_NONE);
        for (; now_us < NOW + SESSION_LIFE_US; now_us += SESSION_IDLE_US / 2)
                CHECK_INT(use(now_us, NULL), ERR_NONE);
        CHECK_INT(use(now_us, NULL), ERR_UNAUTHENTICATED);
}

TEST(a_session_that_was_ended_is_over)
{
        begin();
        offer();
        CHECK_INT(exchange(NOW), ERR_NONE);
        sessions_end(&sessions, secret);
        CHECK_INT(use(NOW, NULL), ERR_UNAUTHENTICATED);
        sessions_end(&sessions, secret);
}

TEST(one_session_too_many_ends_the_one_that_was_used_least_recently)
{
        char first[SESSION_SECRET_MAX], second[SESSION_SECRET_MAX];

        begin();
        for (int i = 0; i < SESSIONS_MAX; i++) {
                offer();
                CHECK_INT(exchange(NOW + i), ERR_NONE);
                if (i < 2)
                        strcpy(i ? second : first, secret);
        }
        strcpy(secret, first);
        CHECK_INT(use(NOW + SESSIONS_MAX, NULL), ERR_NONE);
        offer();
        CHECK_INT(exchange(NOW + SESSIONS_MAX), ERR_NONE);
        CHECK_INT(use(NOW + SESSIONS_MAX, NULL), ERR_NONE);
        strcpy(secret, first);
        CHECK_INT(use(NOW + SESSIONS_MAX, NULL), ERR_NONE);
        strcpy(secret, second);
        CHECK_INT(use(NOW + SESSIONS_MAX, NULL), ERR_UNAUTHENTICATED);
}

/* ------------------------------------------------------------------------------------- the cookie */

static int cookie(const char *value, char out[SESSION_SECRET_MAX])
{
        struct head h = {.method = "GET"};
        struct err e = {0};

        head_add(&h, "Cookie", value);
        return session_secret(&sessions, &h, out, &e);
}

TEST(the_cookie_of_a_session_is_found_among_others_by_its_whole_name)
{
        char got[SESSION_SECRET_MAX];

        begin();
        CHECK_INT(cookie("a=b; creche_5c0e7f=abc; creche_other=x", got), 1);
        CHECK_STR(got, "abc");
        CHECK_INT(cookie("creche_5c0e7f=abc;", got), 1);
        CHECK_STR(got, "abc");
        CHECK_INT(cookie("", got), 0);
        CHECK_INT(cookie("xcreche_5c0e7f=abc", got), 0);
        CHECK_INT(cookie("creche_5c0e7fx=abc", got), 0);
        CHECK_INT(cookie("creche_5c0e7f", got), 0);
        CHECK_INT(cookie("CRECHE_5C0E7F=abc", got), 0);
        CHECK_INT(cookie("a=creche_5c0e7f=abc", got), 0);
}

TEST(a_cookie_that_is_too_long_is_one_that_nobody_has)
{
        char got[SESSION_SECRET_MAX], text[200] = "creche_5c0e7f=";

        begin();
        memset(text + strlen(text), 'a', 100);
        CHECK_INT(cookie(text, got), 1);
        CHECK_STR(got, "");
}

TEST(of_two_cookies_of_one_name_none_is_believed)
{
        struct head h = {.method = "GET"};
        char got[SESSION_SECRET_MAX];
        struct err e = {0};

        begin();
        CHECK_INT(cookie("creche_5c0e7f=abc; creche_5c0e7f=def", got), -1);
        head_add(&h, "Cookie", "a=b");
        head_add(&h, "Cookie", "creche_5c0e7f=abc");
        CHECK_INT(session_secret(&sessions, &h, got, &e), -1);
        CHECK_INT(e.kind, ERR_UNAUTHENTICATED);
}

TEST(an_authorization_goes_before_a_cookie)
{
        struct head h = {.method = "GET"};
        char got[SESSION_SECRET_MAX];

        begin();
        head_add(&h, "Cookie", "creche_5c0e7f=abc");
        head_add(&h, "Authorization", "Bearer x");
        CHECK_INT(session_secret(&sessions, &h, got, NULL), 0);
}

TEST(a_cookie_is_for_no_script_and_no_other_site_and_by_tls_for_nothing_else)
{
        char text[SESSION_SET_COOKIE_MAX];

        begin();
        CHECK_STR(session_set_cookie(&sessions, "abc", text),
                  "creche_5c0e7f=abc; Path=/; HttpOnly; SameSite=Strict");
        CHECK_STR(session_set_cookie(&sessions, "", text),
                  "creche_5c0e7f=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
        sessions_init(&sessions, "5c0e-7f", true);
        CHECK_STR(session_set_cookie(&sessions, "abc", text),
                  "__Host-creche_5c0e7f=abc; Path=/; HttpOnly; SameSite=Strict; Secure");
}

/* ----------------------------------------------------------------------------------- the evidence */

static bool is_page(const char *method, const char *site, const char *mode, const char *origin)
{
        struct head h = {.method = method};
        struct err e = {0};

        if (site)
                head_add(&h, "Sec-Fetch-Site", site);
        if (mode)
                head_add(&h, "Sec-Fetch-Mode", mode);
        if (origin)
                head_add(&h, "Origin", origin);
        if (session_check_page(&h, &e) == 0)
                return true;
        CHECK_INT(e.kind, ERR_CROSS_ORIGIN);
        return false;
}

TEST(a_page_of_ours_is_believed_when_the_browser_says_so)
{
        CHECK(is_page("GET", "same-origin", "cors", NULL));
        CHECK(is_page("HEAD", "same-origin", NULL, NULL));
        CHECK(!is_page("GET", NULL, NULL, NULL));
        CHECK(!is_page("GET", "same-site", NULL, NULL));
        CHECK(!is_page("GET", "cross-site", "navigate", NULL));
}

TEST(what_changes_something_needs_an_origin_too)
{
        CHECK(is_page("POST", "same-origin", "cors", "http://127.0.0.1:7117"));
        CHECK(!is_page("POST", "same-origin", "cors", NULL));
        CHECK(!is_page("DELETE", "same-origin", "cors", NULL));
        CHECK(!is_page("POST", NULL, NULL, "http://127.0.0.1:7117"));
}

TEST(an_address_that_was_typed_may_read)
{
        CHECK(is_page("GET", "none", "navigate", NULL));
        CHECK(!is_page("GET", "none", "cors", NULL));
        CHECK(!is_page("GET", "none", NULL, NULL));
        CHECK(!is_page("POST", "none", "navigate", "http://127.0.0.1:7117"));
}

TEST_MAIN("session")
