/* SPDX-License-Identifier: MIT */
#include "transport/tls.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { RECORD_MAX = 16384, HANDSHAKE_MAX = 64 * 1024 };

struct tls {
        gnutls_session_t session;
        int fd;
        bool dry;     /* the socket has no more now */
        bool ended;   /* and never will */
        bool full;    /* the socket takes no more */
        bool pending; /* a record is on its way: it has to go before the next */
        bool broken;
};

/* ------------------------------------------------------------------------------------- the socket */

/* GnuTLS's own would call recv(), which is the tap's. The end is kept from GnuTLS: to a client that sends no more, but
 * has not said so in TLS, it would write no more either. */
static ssize_t pull(gnutls_transport_ptr_t arg, void *out, size_t n)
{
        struct tls *t = arg;
        ssize_t got = recvfrom(t->fd, out, n, 0, NULL, NULL);

        t->ended = t->ended || got == 0;
        t->dry = t->ended || (got < 0 && errno == EAGAIN);
        if (got)
                return got;
        errno = EAGAIN;
        return -1;
}

static ssize_t push(gnutls_transport_ptr_t arg, const giovec_t *v, int n)
{
        struct tls *t = arg;
        ssize_t sent = 0;

        for (int i = 0; i < n; i++) {
                ssize_t more = sendto(t->fd, v[i].iov_base, v[i].iov_len, MSG_NOSIGNAL, NULL, 0);

                t->full = more < 0 && errno == EAGAIN;
                if (more < 0)
                        return sent ? sent : -1;
                sent += more;
                if ((size_t)more < v[i].iov_len)
                        break;
        }
        return sent;
}

struct tls *tls_new(const struct certificate *c, int fd)
{
        const unsigned flags = GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL | GNUTLS_NO_TICKETS;
        struct tls *t = calloc(1, sizeof(*t));

        if (!t || gnutls_init(&t->session, flags) < 0 || certificate_use(c, t->session) < 0) {
                tls_free(t);
                return NULL;
        }
        t->fd = fd;
        gnutls_handshake_set_max_packet_length(t->session, HANDSHAKE_MAX);
        gnutls_transport_set_ptr(t->session, t);
        gnutls_transport_set_pull_function(t->session, pull);
        gnutls_transport_set_vec_push_function(t->session, push);
        return t;
}

void tls_free(struct tls *t)
{
        if (!t)
                return;
        if (t->session)
                gnutls_deinit(t->session);
        free(t);
}

/* ------------------------------------------------------------------------------------- both ways */

/* GnuTLS says so too when it has read a record that is not for us, and there may be more. */
static bool is_again(int rc)
{
        return rc == GNUTLS_E_AGAIN || rc == GNUTLS_E_INTERRUPTED;
}

static ssize_t break_off(struct tls *t, int rc)
{
        if (!t->broken)
                gnutls_alert_send_appropriate(t->session, rc);
        t->broken = true;
        errno = ECONNRESET;
        return -1;
}

int tls_shake_hands(struct tls *t, const char **why)
{
        int rc;

        do {
                t->dry = t->full = false;
                rc = gnutls_handshake(t->session);
        } while (is_again(rc) && !t->dry && !t->full);
        if (rc == 0)
                return 0;
        if (is_again(rc) && !t->ended)
                return 1;
        *why = t->ended ? "the client has left" : gnutls_strerror(rc);
        return (int)break_off(t, rc);
}

/* A client that wants to renegotiate is told no by the end of the connection. */
ssize_t tls_read(struct tls *t, void *out, size_t n)
{
        ssize_t rc;

        if (t->broken)
                return break_off(t, 0);
        do {
                t->dry = false;
                rc = gnutls_record_recv(t->session, out, n);
        } while (is_again((int)rc) && !t->dry);
        if (rc >= 0)
                return rc;
        if (!is_again((int)rc))
                return break_off(t, (int)rc);
        if (t->ended)
                return 0;
        errno = EAGAIN;
        return -1;
}

/* The bytes of @v from @at on, as many as one record holds: where they are, or in @room when they are in pieces. */
static size_t gather(const struct iovec *v, size_t n, size_t at, char room[RECORD_MAX], const char **out)
{
        size_t len = 0;

        for (size_t i = 0; i < n && len < RECORD_MAX; i++) {
                const char *s = v[i].iov_base;
                size_t more = v[i].iov_len;

                if (at >= more) {
                        at -= more;
                        continue;
                }
                s += at;
                more -= at;
                at = 0;
                if (!len && (more >= RECORD_MAX || i + 1 == n)) {
                        *out = s;
                        return more < RECORD_MAX ? more : RECORD_MAX;
                }
                if (more > RECORD_MAX - len)
                        more = RECORD_MAX - len;
                memcpy(room + len, s, more);
                len += more;
        }
        *out = room;
        return len;
}

static size_t length(const struct iovec *v, size_t n)
{
        size_t all = 0;

        for (size_t i = 0; i < n; i++)
                all += v[i].iov_len;
        return all;
}

/* Write the next record, or what is left of the last, which goes as it is, whatever comes now. *done grows by its
 * bytes. Returns 0; 1: the socket takes no more; -1 with errno set. */
static int write_record(struct tls *t, const struct iovec *v, size_t n, char room[RECORD_MAX], size_t *done)
{
        const char *s = NULL;
        size_t len = t->pending ? 0 : gather(v, n, *done, room, &s);
        ssize_t rc;

        t->full = false;
        rc = gnutls_record_send(t->session, s, len);
        t->pending = is_again((int)rc);
        if (t->pending)
                return t->full;
        if (rc <= 0 || (size_t)rc > length(v, n) - *done)
                return (int)break_off(t, rc < 0 ? (int)rc : GNUTLS_E_INTERNAL_ERROR);
        *done += (size_t)rc;
        return 0;
}

ssize_t tls_write(struct tls *t, const struct iovec *v, size_t n)
{
        size_t all = length(v, n), done = 0;
        char room[RECORD_MAX];
        int rc = 0;

        if (t->broken)
                return break_off(t, 0);
        while (rc == 0 && done < all)
                rc = write_record(t, v, n, room, &done);
        explicit_bzero(room, sizeof(room));
        if (done || rc == 0)
                return (ssize_t)done;
        if (rc > 0)
                errno = EAGAIN;
        return -1;
}

void tls_end(struct tls *t)
{
        if (!t->broken)
                gnutls_bye(t->session, GNUTLS_SHUT_WR);
        t->broken = true;
}
