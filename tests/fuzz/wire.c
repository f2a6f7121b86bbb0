/* SPDX-License-Identifier: MIT */
/* tests/fuzz/wire.c: what a connection brings, from its first byte to its end.
 *
 * Input: a byte that says how much is sent, and one that says how much is read, at a time; then what is sent. However it
 * comes, the same is handed on. The verdict may differ: who has sent all of a line that is too long can also be told
 * what else is wrong with it. */
#include "fuzz.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transport/wire.h"

enum { SENT_MAX = 60000, HANDED_ON_MAX = 1 << 22, AT_ONCE = 32768 };

struct run {
        struct wire wire;
        int client, server;
        char *out;
        size_t n;
        bool ended, reset;
};

static void begin(struct run *r, const struct limits *limits, char *out)
{
        int pair[2];

        REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
        *r = (struct run){.client = pair[0], .server = pair[1], .out = out};
        wire_init(&r->wire, limits);
}

/* Read as libmicrohttpd does: until less comes than it asked for. */
static void read_some(struct run *r, size_t step)
{
        ssize_t n = (ssize_t)step;

        while (!r->ended && n == (ssize_t)step) {
                REQUIRE(r->n + step <= HANDED_ON_MAX);
                errno = 0;
                n = wire_read(&r->wire, r->server, r->out + r->n, step);
                REQUIRE(n <= (ssize_t)step);
                r->reset = n < 0 && errno == ECONNRESET;
                r->ended = n == 0 || r->reset;
                r->n += n > 0 ? (size_t)n : 0;
        }
        REQUIRE(r->wire.size <= AT_ONCE * 2);
}

/* Send @n bytes at @s, @piece at a time, then the end. */
static void run(struct run *r, const void *s, size_t n, size_t piece, size_t step)
{
        for (size_t i = 0; i < n; i += piece) {
                size_t more = n - i < piece ? n - i : piece;

                REQUIRE(send(r->client, (const char *)s + i, more, MSG_DONTWAIT) == (ssize_t)more);
                read_some(r, step);
                /* Nobody reads the rest of what was cut: the socket would be full. */
                if (r->ended)
                        break;
        }
        shutdown(r->client, SHUT_WR);
        while (!r->ended)
                read_some(r, step);
}

static void done(struct run *r)
{
        wire_done(&r->wire);
        close(r->client);
        close(r->server);
}

/* A line that is handed on holds nothing that another parser could take for its end. */
static void check_head(const struct run *r)
{
        const char *end = memmem(r->out, r->n, "\r\n\r\n", 4);

        for (const char *s = r->out; end && s < end; s++) {
                REQUIRE(*s);
                REQUIRE(*s != '\n' || (s > r->out && s[-1] == '\r'));
                REQUIRE(*s != '\r' || s[1] == '\n');
        }
        REQUIRE(end || !r->wire.heads);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static char whole[HANDED_ON_MAX], pieces[HANDED_ON_MAX];
        const struct limits limits = LIMITS_DEFAULT;
        struct run a, b;

        if (size < 2 || size > SENT_MAX)
                return 0;
        begin(&a, &limits, whole);
        run(&a, data + 2, size - 2, SENT_MAX, AT_ONCE);
        begin(&b, &limits, pieces);
        run(&b, data + 2, size - 2, 1U + data[0], 1U + data[1]);
        check_head(&a);
        REQUIRE(a.wire.heads == b.wire.heads);
        REQUIRE((a.wire.state == WIRE_CUT) == (b.wire.state == WIRE_CUT));
        if (a.wire.state == WIRE_CUT)
                fuzz_check_refusal(wire_verdict(&a.wire, a.wire.heads));
        /* What is too much to make up is not even begun by one that is asked for little. */
        if (!a.reset && !b.reset)
                REQUIRE(a.n == b.n && memcmp(whole, pieces, a.n) == 0);
        done(&a);
        done(&b);
        return 0;
}
