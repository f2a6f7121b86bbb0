/* SPDX-License-Identifier: MIT */
#include "make_certificate.h"

#include <arpa/inet.h>
#include <time.h>

#include <gnutls/x509.h>

#include "test.h"

#define GOOD(call) CHECK_INT((call) < 0, false)

static const char *write_file(const char *name, const char *suffix, const gnutls_datum_t *text)
{
        char leaf[64];
        const char *path;
        int fd;

        snprintf(leaf, sizeof(leaf), "%s.%s", name, suffix);
        path = test_path(leaf);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        CHECK_INT(write(fd, text->data, text->size), text->size);
        close(fd);
        return path;
}

static void read_maker(const struct made *by, gnutls_x509_crt_t crt, gnutls_x509_privkey_t key)
{
        gnutls_datum_t text;

        GOOD(gnutls_load_file(by->cert, &text));
        GOOD(gnutls_x509_crt_import(crt, &text, GNUTLS_X509_FMT_PEM));
        gnutls_free(text.data);
        GOOD(gnutls_load_file(by->key, &text));
        GOOD(gnutls_x509_privkey_import(key, &text, GNUTLS_X509_FMT_PEM));
        gnutls_free(text.data);
}

static void fill(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key, const struct wanted *w)
{
        const unsigned char serial[] = {1, (unsigned char)*w->name}, address[] = {192, 0, 2, 7};
        time_t now = time(NULL);

        GOOD(gnutls_x509_crt_set_version(crt, 3));
        GOOD(gnutls_x509_crt_set_serial(crt, serial, sizeof(serial)));
        GOOD(gnutls_x509_crt_set_key(crt, key));
        GOOD(gnutls_x509_crt_set_activation_time(crt, now + w->from_s));
        GOOD(gnutls_x509_crt_set_expiration_time(crt, now + w->to_s));
        GOOD(gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, w->name,
                                           (unsigned)strlen(w->name)));
        GOOD(gnutls_x509_crt_set_ca_status(crt, !w->host));
        if (w->purpose)
                GOOD(gnutls_x509_crt_set_key_purpose_oid(crt, w->purpose, 0));
        if (!w->host)
                return;
        GOOD(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, w->host, (unsigned)strlen(w->host),
                                                  GNUTLS_FSAN_SET));
        GOOD(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, address, sizeof(address),
                                                  GNUTLS_FSAN_APPEND));
}

struct made make_certificate(const struct wanted *w)
{
        gnutls_x509_crt_t crt, by_crt;
        gnutls_x509_privkey_t key, by_key;
        gnutls_datum_t text;
        struct made made;

        GOOD(gnutls_x509_crt_init(&crt));
        GOOD(gnutls_x509_crt_init(&by_crt));
        GOOD(gnutls_x509_privkey_init(&key));
        GOOD(gnutls_x509_privkey_init(&by_key));
        GOOD(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
                                          GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0));
        fill(crt, key, w);
        if (w->by)
                read_maker(w->by, by_crt, by_key);
        GOOD(gnutls_x509_crt_sign2(crt, w->by ? by_crt : crt, w->by ? by_key : key, GNUTLS_DIG_SHA256, 0));
        GOOD(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &text));
        made.cert = write_file(w->name, "crt", &text);
        gnutls_free(text.data);
        GOOD(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &text));
        made.key = write_file(w->name, "key", &text);
        gnutls_free(text.data);
        gnutls_x509_privkey_deinit(key);
        gnutls_x509_privkey_deinit(by_key);
        gnutls_x509_crt_deinit(crt);
        gnutls_x509_crt_deinit(by_crt);
        return made;
}

struct certificate *make_loaded_certificate(void)
{
        const struct wanted w = {.name = "server", .host = "creche.example", .from_s = -60, .to_s = 3600};
        struct made made = make_certificate(&w);
        const struct certificate_files files = {.cert = made.cert, .key = made.key};
        struct certificate *c;
        struct err e = {0};

        MUST(certificate_load(&files, &c, &e));
        return c;
}
