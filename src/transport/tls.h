/* SPDX-License-Identifier: MIT */
/* transport/tls.h
 * TLS on one connection: GnuTLS between the socket and the wire.
 *
 * libmicrohttpd could do it, but then it would parse what it has decrypted before anybody else has seen it, and it
 * would shake hands in the threads that serve requests, with its own notion of time. So libmicrohttpd stays plain and
 * knows nothing of TLS: the handshake is over before it gets the connection (handshake.h), what it reads is plaintext
 * that the wire has checked, and what it writes is encrypted where it calls the C library (tap.h). There is one way
 * in and one way out for both kinds of connection.
 *
 * Sessions are not resumed: there is no key of tickets to be kept or stolen, and each connection proves its certificate
 * anew. No renegotiation, no early data, no compression.
 *
 * Threads: one at a time.
 */
#ifndef CRECHE_TRANSPORT_TLS_H
#define CRECHE_TRANSPORT_TLS_H

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "transport/certificate.h"

struct tls;

/** A session of the server on @fd, which does not block and stays the caller's. NULL: out of memory. */
struct tls *tls_new(const struct certificate *c, int fd);
/** Does not touch the socket. @t may be NULL. */
void tls_free(struct tls *t);

/** Go on with the handshake as far as it goes. Returns 0: done; 1: the socket must become readable or writable; -1: it
 * has failed, and the client was told; *why, in static storage. */
int tls_shake_hands(struct tls *t, const char **why);

/** As recv(). EAGAIN only when the socket has no more, as an edge-triggered reader takes for granted. A client that
 * closes without saying so in TLS is at its end as one that does: what it has sent must be complete in itself. */
ssize_t tls_read(struct tls *t, void *out, size_t n);

/** As writev(), but that fewer bytes than there are go only when the socket takes no more. Some of the bytes behind the
 * result may be on their way then: the next call must begin with the same bytes, and have as many. */
ssize_t tls_write(struct tls *t, const struct iovec *v, size_t n);

/** Say the end, unless it is too late for that. */
void tls_end(struct tls *t);

#endif
