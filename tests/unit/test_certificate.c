/* SPDX-License-Identifier: MIT */
/* tests/unit/test_certificate.c: which files TCP is served with by TLS. */
#include "transport/certificate.h"

#include "base/clock.h"
#include "make_certificate.h"
#include "test.h"

static struct made make(const char *name)
{
        const struct wanted w = {.name = name, .host = "creche.example", .from_s = -60, .to_s = 3600};

        return make_certificate(&w);
}

static void put(const char *path, const char *text)
{
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        CHECK_INT(write(fd, text, strlen(text)), strlen(text));
        close(fd);
}

/* @files are refused with @kind, and the message has @text in it. */
static void refused(const struct certificate_files *files, enum err_kind kind, const char *text)
{
        struct certificate *c = NULL;
        struct err e;

        CHECK_FAILS(certificate_load(files, &c, &e), kind);
        CHECK_NULL(c);
        if (!strstr(e.msg, text))
                fail_msg("'%s' says nothing of '%s'", e.msg, text);
}

TEST(a_certificate_with_its_key_can_be_used)
{
        struct certificate *c = make_loaded_certificate();
        struct err e = {0};

        MUST(certificate_check_time(c, clock_now_us(), &e));
        certificate_free(c);
}

TEST(a_file_that_is_not_there_is_named)
{
        struct made a = make("a");

        refused(&(struct certificate_files){.cert = "/nowhere.pem", .key = a.key}, ERR_INTERNAL,
                "/nowhere.pem: No such file");
        refused(&(struct certificate_files){.cert = a.cert, .key = "/nowhere.pem"}, ERR_INTERNAL,
                "/nowhere.pem");
        refused(&(struct certificate_files){.cert = a.cert, .key = a.key, .client_ca = "/nowhere.pem"},
                ERR_INTERNAL, "/nowhere.pem");
        refused(&(struct certificate_files){.cert = test_dir(), .key = a.key}, ERR_INVALID,
                "no regular file");
}

TEST(a_key_that_others_have_access_to_is_refused)
{
        struct made a = make("a");
        const struct certificate_files files = {.cert = a.cert, .key = a.key};
        struct certificate *c;
        struct err e = {0};

        for (mode_t bit = S_IXOTH; bit <= S_IROTH; bit <<= 1) {
                chmod(a.key, 0600 | bit);
                refused(&files, ERR_INVALID, a.key);
        }
        chmod(a.key, 0640);
        MUST(certificate_load(&files, &c, &e));
        certificate_free(c);
}

TEST(the_key_of_another_certificate_is_refused)
{
        struct made a = make("a"), b = make("b");

        refused(&(struct certificate_files){.cert = a.cert, .key = b.key}, ERR_INVALID, b.key);
}

TEST(what_is_no_certificate_or_no_key_is_refused)
{
        struct made a = make("a");
        const char *other = test_path("other");

        put(other, "nothing of the kind\n");
        refused(&(struct certificate_files){.cert = other, .key = a.key}, ERR_INVALID, other);
        refused(&(struct certificate_files){.cert = a.cert, .key = other}, ERR_INVALID, other);
        refused(&(struct certificate_files){.cert = a.cert, .key = a.key, .client_ca = other}, ERR_INVALID,
                other);
        put(other, "");
        refused(&(struct certificate_files){.cert = a.cert, .key = a.key, .client_ca = other}, ERR_INVALID,
                other);
}

TEST(a_certificate_is_good_from_its_first_second_to_its_last)
{
        struct certificate *c = make_loaded_certificate();
        int64_t end_us = certificate_expires_us(c);
        struct err e = {0};

        MUST(certificate_check_time(c, end_us - 1, &e));
        CHECK_FAILS(certificate_check_time(c, end_us, &e), ERR_INVALID);
        CHECK(strstr(e.msg, "has expired"));
        MUST(certificate_check_time(c, end_us - 3660 * CLOCK_US_PER_S, &e));
        CHECK_FAILS(certificate_check_time(c, end_us - 3660 * CLOCK_US_PER_S - 1, &e), ERR_INVALID);
        CHECK(strstr(e.msg, "not valid before"));
        certificate_free(c);
}

TEST(a_certificate_is_for_its_names_and_addresses_alone)
{
        struct certificate *c = make_loaded_certificate();

        CHECK(certificate_is_for(c, "creche.example"));
        CHECK(certificate_is_for(c, "Creche.EXAMPLE"));
        CHECK(certificate_is_for(c, "192.0.2.7"));
        CHECK(!certificate_is_for(c, "www.creche.example"));
        CHECK(!certificate_is_for(c, "server"));
        CHECK(!certificate_is_for(c, "192.0.2.8"));
        CHECK(!certificate_is_for(c, ""));
        certificate_free(c);
}

TEST_MAIN("certificate")
