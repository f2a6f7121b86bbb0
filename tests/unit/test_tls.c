/* SPDX-License-Identifier: MIT */
/* tests/unit/test_tls.c: TLS between a socket and the wire. */
#include "transport/tls.h"

#include <sys/socket.h>

#include <gnutls/x509.h>

#include "transport/idle.h"
#include "transport/tap.h"
#include "transport/wire.h"
#include "make_certificate.h"
#include "test.h"

enum { ROOM = 4 * 1024 * 1024 };

static const struct limits LIMITS = LIMITS_DEFAULT;

/* A server's session, and its client. */
struct rig {
        struct certificate *certificate;
        struct tls *tls;
        gnutls_session_t client;
        gnutls_certificate_credentials_t with;
        int pair[2]; /* the client's, ours */
};

static struct rig *rig(struct certificate *certificate, const char *priorities)
{
        struct rig *r = calloc(1, sizeof(*r));

        r->certificate = certificate ? certificate : make_loaded_certificate();
        CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, r->pair), 0);
        r->tls = tls_new(r->certificate, r->pair[1]);
        CHECK(r->tls);
        gnutls_init(&r->client, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);
        gnutls_certificate_allocate_credentials(&r->with);
        gnutls_credentials_set(r->client, GNUTLS_CRD_CERTIFICATE, r->with);
        CHECK_INT(gnutls_priority_set_direct(r->client, priorities ? priorities : "NORMAL", NULL), 0);
        gnutls_transport_set_int(r->client, r->pair[0]);
        return r;
}

static void rig_free(struct rig *r)
{
        tls_free(r->tls);
        gnutls_deinit(r->client);
        gnutls_certificate_free_credentials(r->with);
        certificate_free(r->certificate);
        close(r->pair[0]);
        close(r->pair[1]);
        free(r);
}

/* Both shake hands until they are done or one has failed. Returns what the server says. */
static int shake(struct rig *r)
{
        const char *why;
        int ours = 1, theirs = GNUTLS_E_AGAIN;

        while (ours > 0 || (ours == 0 && theirs == GNUTLS_E_AGAIN)) {
                if (theirs == GNUTLS_E_AGAIN || theirs == GNUTLS_E_INTERRUPTED)
                        theirs = gnutls_handshake(r->client);
                if (ours > 0)
                        ours = tls_shake_hands(r->tls, &why);
                if (ours > 0 && theirs < 0 && gnutls_error_is_fatal(theirs))
                        shutdown(r->pair[0], SHUT_WR);
        }
        return ours == 0 && theirs == 0 ? 0 : -1;
}

static struct rig *connected(const char *priorities)
{
        struct rig *r = rig(NULL, priorities);

        CHECK_INT(shake(r), 0);
        return r;
}

static void say(struct rig *r, const char *text)
{
        CHECK_INT(gnutls_record_send(r->client, text, strlen(text)), strlen(text));
}

static const char *const VERSIONS[] = {"NORMAL:-VERS-ALL:+VERS-TLS1.3", "NORMAL:-VERS-ALL:+VERS-TLS1.2"};

TEST(tls_1_2_and_1_3_shake_hands_and_older_versions_do_not)
{
        const char *old[] = {"NORMAL:-VERS-ALL:+VERS-TLS1.1:%COMPAT",
                             "NORMAL:-VERS-ALL:+VERS-TLS1.0:%COMPAT"};

        for (int i = 0; i < 2; i++) {
                struct rig *r = rig(NULL, VERSIONS[i]);

                CHECK_INT(shake(r), 0);
                rig_free(r);
                r = rig(NULL, old[i]);
                CHECK_INT(shake(r), -1);
                rig_free(r);
        }
}

TEST(a_key_exchange_without_forward_secrecy_and_a_cipher_without_authentication_are_refused)
{
        const char *weak[] = {"NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+RSA",
                              "NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-128-CBC",
                              "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+ANON-ECDH"};

        for (int i = 0; i < 3; i++) {
                struct rig *r = rig(NULL, weak[i]);

                CHECK_INT(shake(r), -1);
                rig_free(r);
        }
}

TEST(a_client_that_asks_for_another_protocol_is_refused)
{
        const gnutls_datum_t h2 = {(unsigned char *)"h2", 2}, h1 = {(unsigned char *)"http/1.1", 8};
        struct rig *r = rig(NULL, NULL);

        gnutls_alpn_set_protocols(r->client, &h2, 1, 0);
        CHECK_INT(shake(r), -1);
        rig_free(r);
        r = rig(NULL, NULL);
        gnutls_alpn_set_protocols(r->client, (gnutls_datum_t[]){h2, h1}, 2, 0);
        CHECK_INT(shake(r), 0);
        rig_free(r);
}

TEST(no_session_can_be_resumed)
{
        for (int i = 0; i < 2; i++) {
                struct rig *r = connected(VERSIONS[i]);
                gnutls_datum_t session;
                char c;

                CHECK_INT(gnutls_record_recv(r->client, &c, 1), GNUTLS_E_AGAIN);
                CHECK(!(gnutls_session_get_flags(r->client) & GNUTLS_SFLAGS_SESSION_TICKET));
                if (gnutls_session_get_data2(r->client, &session) == 0) {
                        struct rig *again = rig(NULL, VERSIONS[i]);

                        gnutls_session_set_data(again->client, session.data, session.size);
                        shake(again);
                        CHECK(!gnutls_session_is_resumed(again->client));
                        rig_free(again);
                        gnutls_free(session.data);
                }
                rig_free(r);
        }
}

TEST(all_that_has_come_is_read_before_the_socket_is_waited_for)
{
        for (int i = 0; i < 2; i++) {
                struct rig *r = connected(VERSIONS[i]);
                char room[64];

                for (int n = 0; n < 3; n++)
                        say(r, "some bytes");
                for (int n = 0; n < 30; n++)
                        CHECK_INT(tls_read(r->tls, room, 1), 1);
                CHECK_INT(tls_read(r->tls, room, 1), -1);
                CHECK_INT(errno, EAGAIN);
                rig_free(r);
        }
}

/* GnuTLS says "again" once for each record that has no data in it. */
static ssize_t hear(struct rig *r, char *room, size_t n)
{
        ssize_t rc = GNUTLS_E_AGAIN;

        for (int i = 0; i < 3 && rc == GNUTLS_E_AGAIN; i++)
                rc = gnutls_record_recv(r->client, room, n);
        return rc;
}

TEST(a_new_key_of_the_client_is_no_end_of_what_has_come)
{
        struct rig *r = connected(VERSIONS[0]);
        char room[64];

        say(r, "before");
        CHECK_INT(gnutls_session_key_update(r->client, GNUTLS_KU_PEER), 0);
        say(r, "behind");
        CHECK_INT(tls_read(r->tls, room, sizeof(room)), 6);
        CHECK_INT(tls_read(r->tls, room, sizeof(room)), 6);
        CHECK_INT(tls_write(r->tls, &(struct iovec){"answer", 6}, 1), 6);
        CHECK_INT(hear(r, room, sizeof(room)), 6);
        rig_free(r);
}

TEST(who_wants_to_renegotiate_is_cut_off)
{
        struct rig *r = connected(VERSIONS[1]);
        char room[64];

        CHECK_INT(gnutls_handshake(r->client), GNUTLS_E_AGAIN);
        CHECK_INT(tls_read(r->tls, room, sizeof(room)), -1);
        CHECK_INT(errno, ECONNRESET);
        CHECK_INT(tls_write(r->tls, &(struct iovec){"x", 1}, 1), -1);
        CHECK_INT(errno, ECONNRESET);
        rig_free(r);
}

TEST(bytes_that_are_not_what_they_were_cut_the_connection_off)
{
        struct rig *r = connected(NULL);
        char room[64] = {23, 3, 3, 0, 32};

        CHECK_INT(sendto(r->pair[0], room, 37, 0, NULL, 0), 37);
        CHECK_INT(tls_read(r->tls, room, sizeof(room)), -1);
        CHECK_INT(errno, ECONNRESET);
        rig_free(r);
}

/* Who does not say in TLS that he sends no more gets his answer, too. */
TEST(a_client_that_has_ended_is_answered)
{
        for (int rude = 0; rude < 2; rude++) {
                struct rig *r = connected(NULL);
                char room[64];

                say(r, "last");
                if (!rude)
                        gnutls_bye(r->client, GNUTLS_SHUT_WR);
                shutdown(r->pair[0], SHUT_WR);
                CHECK_INT(tls_read(r->tls, room, sizeof(room)), 4);
                CHECK_INT(tls_read(r->tls, room, sizeof(room)), 0);
                CHECK_INT(tls_write(r->tls, &(struct iovec){"answer", 6}, 1), 6);
                CHECK_INT(gnutls_record_recv(r->client, room, sizeof(room)), 6);
                tls_end(r->tls);
                CHECK_INT(gnutls_record_recv(r->client, room, sizeof(room)), 0);
                rig_free(r);
        }
}

/* A pattern that tells where it is. */
static char byte_at(size_t i)
{
        return (char)(i ^ i >> 8 ^ i >> 16);
}

/* Read what is there; it must be what comes behind @n bytes. Returns the sum. */
static size_t check_more(struct rig *r, size_t n)
{
        static char room[16384];
        ssize_t got;

        while ((got = gnutls_record_recv(r->client, room, sizeof(room))) > 0)
                for (ssize_t i = 0; i < got; i++, n++)
                        if (room[i] != byte_at(n))
                                fail_msg("byte %zu is wrong", n);
        return n;
}

/* What is left of @n bytes behind @done, as two pieces of which the first ends at @cut. */
static int pieces(struct iovec v[2], char *all, size_t done, size_t cut, size_t n)
{
        if (done >= cut) {
                v[0] = (struct iovec){all + done, n - done};
                return 1;
        }
        v[0] = (struct iovec){all + done, cut - done};
        v[1] = (struct iovec){all + cut, n - cut};
        return 2;
}

TEST(a_socket_that_is_full_loses_doubles_and_changes_nothing)
{
        const size_t cuts[] = {0, 1, 100, 16384, 20000, ROOM};
        char *all = malloc(ROOM);
        size_t turns = 0;

        for (size_t i = 0; i < ROOM; i++)
                all[i] = byte_at(i);
        for (size_t c = 0; c < sizeof(cuts) / sizeof(cuts[0]); c++) {
                struct rig *r = connected(VERSIONS[c % 2]);
                size_t done = 0, got = 0;

                while (done < ROOM) {
                        struct iovec v[2];
                        ssize_t sent = tls_write(r->tls, v, (size_t)pieces(v, all, done, cuts[c], ROOM));

                        CHECK(sent > 0);
                        done += (size_t)sent;
                        if (done < ROOM)
                                CHECK_INT(tls_write(r->tls, v, (size_t)pieces(v, all, done, cuts[c], ROOM)),
                                          -1);
                        CHECK(done == ROOM || errno == EAGAIN);
                        got = check_more(r, got);
                        turns++;
                }
                CHECK_INT(check_more(r, got), ROOM);
                rig_free(r);
        }
        CHECK(turns > 2 * sizeof(cuts) / sizeof(cuts[0]));
        free(all);
}

TEST(a_head_and_a_body_that_fit_go_out_as_one_record)
{
        struct rig *r = connected(NULL);
        char room[64];

        CHECK_INT(tls_write(r->tls, (struct iovec[]){{"head", 4}, {"", 0}, {"body", 4}}, 3), 8);
        CHECK_INT(gnutls_record_recv(r->client, room, sizeof(room)), 8);
        CHECK(!memcmp(room, "headbody", 8));
        CHECK_INT(tls_write(r->tls, &(struct iovec){"", 0}, 1), 0);
        rig_free(r);
}

TEST(what_is_decrypted_goes_through_the_wire)
{
        struct rig *r = connected(NULL);
        struct wire w;
        char room[256];

        wire_init(&w, &LIMITS);
        w.tls = r->tls;
        say(r, "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost : x\r\n\r\n");
        CHECK(wire_read(&w, r->pair[1], room, sizeof(room)) > 0);
        CHECK_NULL(wire_verdict(&w, 1));
        CHECK_INT(wire_verdict(&w, 2)->kind, ERR_BAD_REQUEST);
        wire_done(&w);
        rig_free(r);
}

/* Its writer may be in the middle of a record: whoever makes room leaves the session alone. */
TEST(who_is_cut_off_to_make_room_is_told_nothing_in_tls_by_another_thread)
{
        struct rig *r = connected(NULL);
        struct idle idle;
        struct connection *c;
        char room[64];

        idle_init(&idle, &LIMITS);
        c = idle_accepted(&idle, r->pair[1], false, &LIMITS);
        CHECK(c && tap_put(r->pair[1], c));
        idle_encrypt(c, r->tls);
        idle_enter(c, IDLE_ANSWER);
        c->since_us = 0;
        idle_evict(&idle, false, 0, 1);
        CHECK_INT(gnutls_record_recv(r->client, room, sizeof(room)), GNUTLS_E_PREMATURE_TERMINATION);
        CHECK(tap_take(r->pair[1]) == c);
        idle_closed(c);
        idle_done(&idle);
        r->tls = NULL;
        rig_free(r);
}

/* ------------------------------------------------------------------------------ clients' certificates */

static const struct wanted CA = {.name = "ca", .from_s = -60, .to_s = 3600};

static struct certificate *with_authority(const struct made *ca)
{
        const struct wanted w = {.name = "server", .host = "creche.example", .from_s = -60, .to_s = 3600};
        struct made server = make_certificate(&w);
        const struct certificate_files files = {
                .cert = server.cert, .key = server.key, .client_ca = ca->cert};
        struct certificate *c;
        struct err e = {0};

        MUST(certificate_load(&files, &c, &e));
        return c;
}

/* Whether a client is let in with @made; NULL: with none. */
static bool is_let_in(const struct made *ca, const struct made *made, const char *priorities)
{
        struct rig *r = rig(with_authority(ca), priorities);
        bool in;

        if (made)
                CHECK(gnutls_certificate_set_x509_key_file(r->with, made->cert, made->key,
                                                           GNUTLS_X509_FMT_PEM) >= 0);
        in = shake(r) == 0;
        rig_free(r);
        return in;
}

TEST(only_a_valid_certificate_of_a_client_that_the_authority_has_signed_is_let_in)
{
        struct made ca = make_certificate(&CA);
        struct wanted w = {
                .name = "client", .host = "c", .purpose = GNUTLS_KP_TLS_WWW_CLIENT, .by = &ca, .to_s = 60};
        struct made good = make_certificate(&w), bad;

        for (int i = 0; i < 2; i++) {
                CHECK(is_let_in(&ca, &good, VERSIONS[i]));
                CHECK(!is_let_in(&ca, NULL, VERSIONS[i]));
        }
        w = (struct wanted){.name = "any", .host = "c", .by = &ca, .to_s = 60};
        bad = make_certificate(&w);
        CHECK(is_let_in(&ca, &bad, NULL));
        w = (struct wanted){.name = "expired", .host = "c", .by = &ca, .from_s = -60, .to_s = -1};
        bad = make_certificate(&w);
        CHECK(!is_let_in(&ca, &bad, NULL));
        w = (struct wanted){.name = "own", .host = "c", .to_s = 60};
        bad = make_certificate(&w);
        CHECK(!is_let_in(&ca, &bad, NULL));
        w = (struct wanted){
                .name = "other", .host = "c", .purpose = GNUTLS_KP_TLS_WWW_SERVER, .by = &ca, .to_s = 60};
        bad = make_certificate(&w);
        CHECK(!is_let_in(&ca, &bad, NULL));
}

TEST_MAIN("tls")
