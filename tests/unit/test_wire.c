/* SPDX-License-Identifier: MIT */
/* tests/unit/test_wire.c: what libmicrohttpd gets to read of what came in. */
#include <sys/socket.h>

#include "transport/wire.h"
#include "test.h"

enum { ROOM = 32768 };

static const struct limits LIMITS = LIMITS_DEFAULT;

/* A client, the wire of his connection, and what a reader got out of it. */
struct rig {
        struct wire wire;
        int client, server;
        char got[ROOM + 1];
        size_t n;
};

static struct rig *rig(void)
{
        struct rig *r = calloc(1, sizeof(*r));
        int pair[2];

        CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
        r->client = pair[0];
        r->server = pair[1];
        wire_init(&r->wire, &LIMITS);
        return r;
}

static void rig_free(struct rig *r)
{
        wire_done(&r->wire);
        close(r->client);
        close(r->server);
        free(r);
}

static void say(struct rig *r, const void *bytes, size_t n)
{
        CHECK_INT(send(r->client, bytes, n, 0), n);
}

/* Read as a reader does that is woken once: until fewer bytes come than asked for, @step at a time. */
static void hear(struct rig *r, size_t step)
{
        ssize_t n;

        do {
                n = wire_read(&r->wire, r->server, r->got + r->n, step);
                if (n > 0)
                        r->n += (size_t)n;
        } while (n == (ssize_t)step);
        r->got[r->n] = '\0';
}

/* What comes out when the client says @bytes, and what is wrong with them. */
static enum err_kind heard(const char *bytes, const char *wanted)
{
        struct rig *r = rig();
        enum err_kind kind;

        say(r, bytes, strlen(bytes));
        hear(r, ROOM);
        if (wanted)
                CHECK_STR(r->got, wanted);
        kind = r->wire.err.kind;
        rig_free(r);
        return kind;
}

#define HEAD       "POST / HTTP/1.1\r\nHost: x\r\n"
#define SUBSTITUTE "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

TEST(a_good_request_comes_out_as_it_came_in)
{
        const char *const good[] = {
                "GET / HTTP/1.1\r\n\r\n",
                "GET http://x/ HTTP/1.0\r\nHost: x\r\n\r\n",
                HEAD "content-length:\t2\r\n\r\n{}",
                HEAD "Content-Length: 2\r\n\r\n{}GET / HTTP/1.1\r\n\r\n",
                HEAD "Transfer-Encoding: Chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        };

        for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
                CHECK_INT(heard(good[i], good[i]), ERR_NONE);
}

TEST(a_head_is_held_back_until_it_is_complete)
{
        struct rig *r = rig();
        const char head[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

        for (size_t i = 0; i + 2 < sizeof(head); i++) {
                say(r, head + i, 1);
                hear(r, ROOM);
                CHECK_INT(r->n, 0);
                CHECK(!wire_is_between(&r->wire));
        }
        say(r, head + sizeof(head) - 2, 1);
        hear(r, ROOM);
        CHECK_STR(r->got, head);
        CHECK(wire_is_between(&r->wire));
        CHECK_INT(r->wire.heads, 1);
        rig_free(r);
}

TEST(a_reader_with_little_room_gets_the_same)
{
        static const char all[] =
                HEAD "Transfer-Encoding: chunked\r\n\r\n00A;x=y\r\n0123456789\r\n0\r\nX: y\r\n\r\n" HEAD
                     "Content-Length: 3\r\n\r\nabcGET /";
        static const char out[] = HEAD "Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n" HEAD
                                       "Content-Length: 3\r\n\r\nabc";

        for (size_t step = 1; step < 80; step++) {
                struct rig *r = rig();

                say(r, all, sizeof(all) - 1);
                hear(r, step);
                CHECK_STR(r->got, out);
                rig_free(r);
        }
}

TEST(extensions_and_trailers_are_not_handed_on)
{
        CHECK_INT(heard(HEAD "Transfer-Encoding: chunked\r\n\r\n02;a=\"b\"\r\n{}\r\n00;z\r\nContent-Length: "
                             "5\r\nX: y\r\n\r\n",
                        HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
                  ERR_NONE);
}

/* A chunk of no bytes, whose line has 256, and is refused with one more. */
static enum err_kind heard_line_of(size_t n, size_t first)
{
        struct rig *r = rig();
        char line[512];
        enum err_kind kind;

        CHECK_INT(snprintf(line, sizeof(line), "0;a=%0*d\r\n\r\n", (int)n - 4, 0), n + 4);
        say(r, HEAD "Transfer-Encoding: chunked\r\n\r\n", strlen(HEAD) + 30);
        say(r, line, first);
        hear(r, ROOM);
        say(r, line + first, n + 4 - first);
        hear(r, ROOM);
        kind = r->wire.err.kind;
        rig_free(r);
        return kind;
}

TEST(a_line_is_as_long_as_it_is_wherever_it_is_broken)
{
        for (size_t first = 250; first < 259; first++) {
                CHECK_INT(heard_line_of(256, first), ERR_NONE);
                CHECK_INT(heard_line_of(257, first), ERR_BAD_REQUEST);
        }
}

TEST(a_large_chunk_is_handed_on_in_pieces)
{
        struct rig *r = rig();
        char data[1000];
        size_t sent = 0;

        memset(data, 'x', sizeof(data));
        say(r, HEAD "Transfer-Encoding: chunked\r\n\r\n11170\r\n", strlen(HEAD) + 37);
        for (size_t i = 0; i < 70; i++) {
                say(r, data, sizeof(data));
                hear(r, 4096);
                sent += sizeof(data);
                r->n = r->n > ROOM / 2 ? 0 : r->n;
        }
        CHECK_INT(sent, 0x11170);
        r->n = 0;
        say(r, "\r\n0\r\n\r\n", 7);
        hear(r, 4096);
        CHECK_STR(r->got, "\r\n0\r\n\r\n");
        CHECK(wire_is_between(&r->wire));
        rig_free(r);
}

TEST(a_body_in_small_chunks_is_not_gathered)
{
        static const char chunk[] = {'0', '1', ';', 'a', '\r', '\n', ' ', '\r', '\n'};
        char many[10000 * sizeof(chunk)];
        struct rig *r = rig();

        for (size_t i = 0; i < sizeof(many); i++)
                many[i] = chunk[i % sizeof(chunk)];
        say(r, HEAD "Transfer-Encoding: chunked\r\n\r\n", strlen(HEAD) + 30);
        say(r, many, sizeof(many));
        for (int i = 0; i < 8; i++) {
                r->n = 0;
                r->n = (size_t)wire_read(&r->wire, r->server, r->got, 4000);
                CHECK(r->wire.size <= 16384);
        }
        rig_free(r);
}

TEST(an_empty_line_before_a_request_is_dropped_and_many_are_none)
{
        CHECK_INT(heard("\r\nGET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\n\r\n"), ERR_NONE);
        CHECK_INT(heard("\r\n\r\nGET / HTTP/1.1\r\n\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n",
                        "GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n"),
                  ERR_NONE);
        CHECK_INT(heard("\r\n\r\n\r\n\r\n\r\n", SUBSTITUTE), ERR_BAD_REQUEST);
}

TEST(a_query_and_cookies_are_hidden)
{
        CHECK_INT(heard("GET /a?b?c HTTP/1.1\r\ncookie: d=e\r\n\r\n",
                        "GET /a\001b?c HTTP/1.1\r\n\001ookie: d=e\r\n\r\n"),
                  ERR_NONE);
}

TEST(blanks_behind_a_value_are_dropped)
{
        CHECK_INT(heard(HEAD "X: \t \r\nContent-Length: 2 \t\r\n\r\n{}",
                        HEAD "X: \t \r\nContent-Length: 2\r\n\r\n{}"),
                  ERR_NONE);
}

TEST(a_bad_head_is_replaced_by_one_of_ours)
{
        CHECK_INT(heard("GET /\r\n", SUBSTITUTE), ERR_BAD_REQUEST);
        CHECK_INT(heard("\x16\x03\x01", SUBSTITUTE), ERR_BAD_REQUEST);
        CHECK_INT(heard("GET / HTTP/2.0\r\n", SUBSTITUTE), ERR_HTTP_VERSION);
        CHECK_INT(heard("GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nX : y\r\n",
                        "GET / HTTP/1.1\r\n\r\n" SUBSTITUTE),
                  ERR_BAD_REQUEST);
}

TEST(the_length_of_a_body_is_said_once)
{
        CHECK_INT(heard(HEAD "Content-Length: 2\r\nContent-Length: 2\r\n", SUBSTITUTE), ERR_BAD_REQUEST);
        CHECK_INT(heard(HEAD "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", SUBSTITUTE),
                  ERR_BAD_REQUEST);
        CHECK_INT(heard(HEAD "Transfer-Encoding: chunked\r\ncontent-length: 2\r\n\r\n", SUBSTITUTE),
                  ERR_BAD_REQUEST);
        CHECK_INT(heard(HEAD "Content-Length: +2\r\n", SUBSTITUTE), ERR_BAD_REQUEST);
        CHECK_INT(heard(HEAD "Content-Length:\r\n", SUBSTITUTE), ERR_BAD_REQUEST);
        CHECK_INT(heard(HEAD "Content-Length: 2, 2\r\n", SUBSTITUTE), ERR_BAD_REQUEST);
        CHECK_INT(heard(HEAD "Content-Length: 99999999999999999999\r\n", SUBSTITUTE), ERR_TOO_LARGE);
}

TEST(chunked_is_the_only_transfer_encoding)
{
        CHECK_INT(heard(HEAD "Transfer-Encoding: gzip, chunked\r\n", SUBSTITUTE), ERR_BAD_REQUEST);
        CHECK_INT(heard(HEAD "Transfer-Encoding: identity\r\n", SUBSTITUTE), ERR_BAD_REQUEST);
        CHECK_INT(heard(HEAD "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", SUBSTITUTE),
                  ERR_BAD_REQUEST);
        CHECK_INT(heard("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n", SUBSTITUTE), ERR_BAD_REQUEST);
}

TEST(a_body_that_breaks_off_is_brought_to_an_end)
{
        struct rig *r = rig();

        say(r, HEAD "Content-Length: 5\r\n\r\nab", strlen(HEAD) + 23);
        shutdown(r->client, SHUT_WR);
        hear(r, ROOM);
        CHECK_INT(r->n, strlen(HEAD) + 26);
        CHECK_INT(memcmp(r->got + r->n - 5, "ab\0\0\0", 5), 0);
        CHECK(wire_verdict(&r->wire, 1) != NULL);
        CHECK_INT(wire_verdict(&r->wire, 1)->kind, ERR_BAD_REQUEST);
        CHECK_INT(wire_read(&r->wire, r->server, r->got, ROOM), 0);
        rig_free(r);

        CHECK_INT(heard(HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\n{}X",
                        HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
                  ERR_BAD_REQUEST);
        CHECK_INT(heard(HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\nx",
                        HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
                  ERR_BAD_REQUEST);
        CHECK_INT(heard(HEAD "Transfer-Encoding: chunked\r\n\r\n0\r\n x\r\n",
                        HEAD "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
                  ERR_BAD_REQUEST);
}

TEST(the_verdict_is_about_the_last_request_only)
{
        struct rig *r = rig();

        say(r, "GET / HTTP/1.1\r\n\r\nX\r\n", 21);
        hear(r, ROOM);
        CHECK_NULL(wire_verdict(&r->wire, 1));
        CHECK(wire_verdict(&r->wire, 2) != NULL);
        rig_free(r);
}

TEST(the_last_request_of_who_sends_no_more_is_known)
{
        struct rig *r = rig();

        say(r, "GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n", 36);
        shutdown(r->client, SHUT_WR);
        hear(r, ROOM);
        CHECK(!wire_is_last(&r->wire, 1));
        CHECK(wire_is_last(&r->wire, 2));
        rig_free(r);
}

TEST(who_is_late_is_told_so_and_who_said_nothing_is_not)
{
        struct rig *r = rig();

        say(r, "GET /", 5);
        hear(r, ROOM);
        wire_hurry(&r->wire);
        hear(r, ROOM);
        CHECK_STR(r->got, SUBSTITUTE);
        CHECK_INT(r->wire.err.kind, ERR_TIMEOUT);
        rig_free(r);

        r = rig();
        wire_hurry(&r->wire);
        CHECK_INT(wire_read(&r->wire, r->server, r->got, ROOM), 0);
        CHECK_NULL(wire_verdict(&r->wire, r->wire.heads));
        rig_free(r);
}

TEST(a_body_that_nobody_wants_ends_at_once)
{
        struct rig *r = rig();
        struct err why = {.kind = ERR_TOO_LARGE};
        size_t all = 0;
        ssize_t n;

        say(r, HEAD "Transfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\nab", strlen(HEAD) + 50);
        hear(r, ROOM);
        r->n = 0;
        wire_abort(&r->wire, 2, &why);
        CHECK_NULL(wire_verdict(&r->wire, 1));
        wire_abort(&r->wire, 1, &why);
        CHECK_INT(wire_verdict(&r->wire, 1)->kind, ERR_TOO_LARGE);
        while ((n = wire_read(&r->wire, r->server, r->got, ROOM)) > 0)
                all += (size_t)n;
        /* The rest of the piece of 64 KiB, and the frame's end. */
        CHECK_INT(n, 0);
        CHECK_INT(all, 65536 - 2 + strlen("\r\n0\r\n\r\n"));
        rig_free(r);
}

TEST_MAIN("wire")
