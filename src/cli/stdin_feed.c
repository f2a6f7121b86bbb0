/* SPDX-License-Identifier: MIT */
#include "cli/stdin_feed.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <unistd.h>

/* Who waits for us to read is asked for more; until then the watch is off. */
static void readable(void *arg)
{
        struct stdin_feed *d = arg;

        d->watch->off = true;
        client_unpause(&d->x);
}

static ssize_t give(struct exchange *x, char *bytes, size_t n)
{
        struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
        struct stdin_feed *d = x->arg;
        ssize_t r;

        if (poll(&p, 1, 0) <= 0) {
                d->watch->off = false;
                return -1;
        }
        r = read(STDIN_FILENO, bytes, n);
        if (r < 0 && (errno == EINTR || errno == EAGAIN)) {
                d->watch->off = false;
                return -1;
        }
        d->ended = r <= 0;
        return r < 0 ? 0 : r;
}

void stdin_feed_begin(struct stdin_feed *d, struct client *c, int64_t id, bool close)
{
        *d = (struct stdin_feed){.watch = &c->watches[0]};
        exchange_init(&d->x, "PUT", "/v1/processes/%" PRId64 "/stdin%s", id, close ? "?eof=1" : "");
        d->x.give = give;
        d->x.arg = d;
        *d->watch = (struct watch){.fd = STDIN_FILENO, .off = true, .ready = readable, .arg = d};
        client_send(c, &d->x);
}

int stdin_feed_finish(struct stdin_feed *d, struct fail *f)
{
        if (!d->x.failed)
                return 0;
        *f = d->x.fail;
        if (f->err.kind == ERR_UNAVAILABLE && f->status != EXIT_NO_DAEMON)
                fail_hint(f, "how much it has taken of our stdin is not known: start the process anew");
        return -1;
}

void stdin_feed_done(struct stdin_feed *d)
{
        if (d->watch)
                d->watch->fd = -1;
        exchange_done(&d->x);
}
