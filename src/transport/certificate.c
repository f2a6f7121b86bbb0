/* SPDX-License-Identifier: MIT */
#include "transport/certificate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <gnutls/x509.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/secret.h"

enum { FILE_MAX = 1024 * 1024 };

/* Nothing that is not authenticated, without forward secrecy, or older than TLS 1.2. */
#define PRIORITIES                                                                                           \
        "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-DHE-RSA:-CIPHER-ALL:+AES-256-GCM:+AES-128-GCM:" \
        "+CHACHA20-POLY1305"

struct certificate {
        gnutls_certificate_credentials_t with;
        gnutls_priority_t priorities;
        gnutls_x509_crt_t own;
        bool asks_clients;
};

/* -------------------------------------------------------------------------------------- the files */

static int check_file(int fd, const char *path, bool secret, struct err *e)
{
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return err_set(e, ERR_INTERNAL, errno, "reading %s", path);
        if (!S_ISREG(st.st_mode))
                return err_set(e, ERR_INVALID, 0, "%s is no regular file", path);
        if (secret && (st.st_mode & S_IRWXO))
                return err_set(e, ERR_INVALID, 0, "others have access to the key %s: chmod o= %s", path,
                               path);
        return 0;
}

/* The text of a file; NULL with @e set. */
static char *read_text(const char *path, bool secret, struct err *e)
{
        CLEANUP(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        CLEANUP(secret_freep) char *text = NULL;

        if (check_file(fd, path, secret, e) < 0)
                return NULL;
        text = calloc(1, FILE_MAX);
        if (!text || fd_read_all(fd, text, FILE_MAX) < 0) {
                err_set(e, ERR_INTERNAL, errno, "reading %s", path);
                return NULL;
        }
        return TAKE_PTR(text);
}

static gnutls_datum_t datum(char *text)
{
        return (gnutls_datum_t){.data = (unsigned char *)text, .size = (unsigned)strlen(text)};
}

static int load_pair(struct certificate *c, const struct certificate_files *f, struct err *e)
{
        CLEANUP(secret_freep) char *cert = read_text(f->cert, false, e);
        CLEANUP(secret_freep) char *key = cert ? read_text(f->key, true, e) : NULL;
        gnutls_datum_t cert_datum, key_datum;
        int rc;

        if (!key)
                return -1;
        cert_datum = datum(cert);
        key_datum = datum(key);
        rc = gnutls_certificate_set_x509_key_mem(c->with, &cert_datum, &key_datum, GNUTLS_X509_FMT_PEM);
        if (rc < 0)
                return err_set(e, ERR_INVALID, 0, "the certificate %s with the key %s: %s", f->cert, f->key,
                               gnutls_strerror(rc));
        return 0;
}

/* The server's own certificate, for its names and its time. */
static int find_own(struct certificate *c, const char *path, struct err *e)
{
        gnutls_x509_crt_t *chain;
        unsigned n;
        int rc = gnutls_certificate_get_x509_crt(c->with, 0, &chain, &n);

        if (rc < 0)
                return err_set(e, ERR_INVALID, 0, "%s: %s", path, gnutls_strerror(rc));
        c->own = chain[0];
        for (unsigned i = 1; i < n; i++)
                gnutls_x509_crt_deinit(chain[i]);
        gnutls_free(chain);
        return 0;
}

static int load_authorities(struct certificate *c, const char *path, struct err *e)
{
        CLEANUP(secret_freep) char *text = NULL;
        gnutls_datum_t all;
        int rc;

        if (!path)
                return 0;
        text = read_text(path, false, e);
        if (!text)
                return -1;
        all = datum(text);
        rc = gnutls_certificate_set_x509_trust_mem(c->with, &all, GNUTLS_X509_FMT_PEM);
        if (rc <= 0)
                return err_set(e, ERR_INVALID, 0, "the authorities %s: %s", path,
                               rc < 0 ? gnutls_strerror(rc) : "there is no certificate in it");
        c->asks_clients = true;
        return 0;
}

int certificate_load(const struct certificate_files *files, struct certificate **out, struct err *e)
{
        struct certificate *c = calloc(1, sizeof(*c));

        if (!c || gnutls_certificate_allocate_credentials(&c->with) < 0 ||
            gnutls_priority_init(&c->priorities, PRIORITIES, NULL) < 0)
                err_set(e, ERR_INTERNAL, 0, "GnuTLS cannot begin");
        else if (load_pair(c, files, e) == 0 && find_own(c, files->cert, e) == 0 &&
                 load_authorities(c, files->client_ca, e) == 0) {
                *out = c;
                return 0;
        }
        certificate_free(c);
        return -1;
}

void certificate_free(struct certificate *c)
{
        if (!c)
                return;
        if (c->own)
                gnutls_x509_crt_deinit(c->own);
        if (c->priorities)
                gnutls_priority_deinit(c->priorities);
        if (c->with)
                gnutls_certificate_free_credentials(c->with);
        free(c);
}

/* ------------------------------------------------------------------------------------------- use */

int64_t certificate_expires_us(const struct certificate *c)
{
        return gnutls_x509_crt_get_expiration_time(c->own) * CLOCK_US_PER_S;
}

int certificate_check_time(const struct certificate *c, int64_t now_us, struct err *e)
{
        int64_t begins_us = gnutls_x509_crt_get_activation_time(c->own) * CLOCK_US_PER_S;
        char when[CLOCK_TEXT_MAX];

        if (now_us >= certificate_expires_us(c))
                return err_set(e, ERR_INVALID, 0, "the certificate has expired: %s",
                               clock_text(certificate_expires_us(c), when));
        if (now_us < begins_us)
                return err_set(e, ERR_INVALID, 0, "the certificate is not valid before %s",
                               clock_text(begins_us, when));
        return 0;
}

bool certificate_is_for(const struct certificate *c, const char *name)
{
        return gnutls_x509_crt_check_hostname(c->own, name);
}

/* The handshake fails without a certificate that one of the authorities has signed, for a client and for now. */
static void demand_certificate(gnutls_session_t s)
{
        static gnutls_typed_vdata_st for_clients = {
                .type = GNUTLS_DT_KEY_PURPOSE_OID,
                .data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT};

        gnutls_certificate_server_set_request(s, GNUTLS_CERT_REQUIRE);
        gnutls_session_set_verify_cert2(s, &for_clients, 1, 0);
}

int certificate_use(const struct certificate *c, gnutls_session_t s)
{
        const gnutls_datum_t protocol = {.data = (unsigned char *)(uintptr_t) "http/1.1", .size = 8};
        int rc = gnutls_priority_set(s, c->priorities);

        if (rc >= 0)
                rc = gnutls_credentials_set(s, GNUTLS_CRD_CERTIFICATE, c->with);
        if (rc >= 0)
                rc = gnutls_alpn_set_protocols(s, &protocol, 1, GNUTLS_ALPN_MANDATORY);
        if (rc >= 0 && c->asks_clients)
                demand_certificate(s);
        return rc;
}
