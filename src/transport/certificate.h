/* SPDX-License-Identifier: MIT */
/* transport/certificate.h
 * With what TCP is served by TLS: a certificate, its key, and those who sign the certificates of clients.
 *
 * They are read from files once, by whoever still may, and never change: a new creched reads them again. The key is
 * in memory that base/secret.h keeps out of cores; the text of its file is wiped.
 *
 * Threads: certificate_load() and certificate_free() from main; the others from any.
 */
#ifndef CRECHE_TRANSPORT_CERTIFICATE_H
#define CRECHE_TRANSPORT_CERTIFICATE_H

#include <stdbool.h>
#include <stdint.h>

#include <gnutls/gnutls.h>

#include "base/err.h"

/* Paths of files in PEM. */
struct certificate_files {
        const char *cert;      /* the server's, then those between it and its root, if there are any */
        const char *key;       /* others may neither read nor write it; not encrypted */
        const char *client_ca; /* NULL: clients need none */
};

struct certificate;

/** Read the files and see that they can be used. ERR_INVALID: one is not what it shall be, the key is of another
 * certificate or in the reach of others; ERR_INTERNAL: one cannot be read. The message names the file. */
int certificate_load(const struct certificate_files *files, struct certificate **out, struct err *e);
void certificate_free(struct certificate *c);

/** Whether it is valid at the time @now_us. ERR_INVALID: not any more, or not yet. */
int certificate_check_time(const struct certificate *c, int64_t now_us, struct err *e);

/** When it expires. */
int64_t certificate_expires_us(const struct certificate *c);

/** Whether it is a certificate for the host @name, a name or a literal address without brackets. */
bool certificate_is_for(const struct certificate *c, const char *name);

/** Make @s a session with it: TLS 1.2 or 1.3, "http/1.1", a certificate of the client where they sign some. Returns
 * what GnuTLS says; @c must outlive @s. */
int certificate_use(const struct certificate *c, gnutls_session_t s);

#endif
