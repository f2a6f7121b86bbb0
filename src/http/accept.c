/* SPDX-License-Identifier: MIT */
#include "http/accept.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "http/refuse.h"
#include "http/request.h"
#include "transport/tap.h"

enum {
        FILES_SPARE = 32, /* for the daemon's own work: databases, pidfds, logs that are read */
        /* For the unix socket, however many come by TCP: what those have asked for opens files after they have come. */
        FILES_OPERATOR = 128,
        EVICT_UNIX = 64,
        NAP_MS = 50,
};

/* Connections that are only kept open stand in the way of others no longer than this. */
#define IDLE_MAX_US (5 * CLOCK_US_PER_S)

/* The same on the unix socket: time enough for a head to come. */
#define IDLE_UNIX_US (CLOCK_US_PER_S / 4)

#define SAY_AGAIN_US (60 * CLOCK_US_PER_S)

bool accept_has_file(const struct listener *l)
{
        return !fd_is_short(l->guard.is_unix ? FILES_SPARE : FILES_SPARE + FILES_OPERATOR);
}

/* Whether there is room for one more. libmicrohttpd counts a connection only when its thread has got it, and 0.9.75
 * waits for itself for ever when it finds that there is one too many: so its own limit is never reached. */
static bool has_room(struct listener *l)
{
        return atomic_load(&l->connections) < l->http->config.limits.connections && accept_has_file(l);
}

/* Who is behind a unix socket: the kernel says it of the moment of connect(), so once is enough. */
static void note_client(struct connection *c)
{
        socklen_t n = sizeof(c->client);

        if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &c->client, &n) < 0)
                c->client = (struct ucred){.uid = (uid_t)-1, .gid = (gid_t)-1};
}

/* Count a connection for whoever it is of, "uid 7" or "192.0.2.7". Operators on the unix socket are not limited: with
 * many connections of theirs, all waiting, there must be room for one that ends that. NULL: he has too many. */
static struct tally_entry *count_peer(struct listener *l, struct connection *c, const struct sockaddr *from,
                                      socklen_t n)
{
        int64_t max = l->http->config.limits.peer_connections;
        char peer[TALLY_KEY_MAX] = "?";

        if (l->guard.is_unix) {
                note_client(c);
                snprintf(peer, sizeof(peer), "uid %u", (unsigned)c->client.uid);
                if (c->client.uid == 0 || c->client.uid == geteuid())
                        max = INT64_MAX;
        } else {
                getnameinfo(from, n, peer, sizeof(peer), NULL, 0, NI_NUMERICHOST);
        }
        return tally_enter(&l->http->peers, peer, max);
}

void accept_forget(struct listener *l, struct connection *c)
{
        if (!c)
                return;
        atomic_fetch_sub(&l->connections, 1);
        tally_leave(&l->http->peers, c->peer);
        idle_closed(c);
}

/* What is no TLS says nothing to a client that expects it. */
static void refuse(struct listener *l, int fd)
{
        struct err e = {0};

        err_set(&e, ERR_TOO_MANY, 0, "%s", "this client has too many connections");
        if (!l->guard.certificate)
                refuse_at_once(fd, &e);
        linger_keep(&l->http->linger, fd, false);
        close(fd);
}

static void serve(struct listener *l, int fd, struct connection *c, const struct sockaddr *from, socklen_t n)
{
        if (l->guard.certificate)
                handshakes_take(&l->http->handshakes, fd, c, from, n);
        else
                accept_hand_over(l, fd, c, from, n);
}

/* libmicrohttpd closes it also when it fails. */
void accept_hand_over(struct listener *l, int fd, struct connection *c, const struct sockaddr *from,
                      socklen_t n)
{
        struct MHD_Daemon *d = l->daemons[l->next++ % l->daemons_n];

        if (!tap_put(fd, c)) {
                accept_forget(l, c);
                close(fd);
        } else if (MHD_add_connection(d, fd, from, n) != MHD_YES) {
                accept_forget(l, tap_take(fd));
        }
}

/* Returns 0, 1: somebody who left again; -1: there is no room. */
static int take(struct listener *l)
{
        struct http *h = l->http;
        struct sockaddr_storage from;
        socklen_t n = sizeof(from);
        struct connection *c;
        int fd;

        if (!has_room(l))
                return -1;
        fd = accept4(l->fd, (struct sockaddr *)&from, &n, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
                return errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM ? -1 : 1;
        /* One that libmicrohttpd has closed without a word. */
        accept_forget(l, tap_take(fd));
        c = idle_accepted(&h->idle, fd, l->guard.is_unix, &h->config.limits);
        if (c)
                atomic_fetch_add(&l->connections, 1);
        if (c)
                c->peer = count_peer(l, c, (struct sockaddr *)&from, n);
        if (c && c->peer) {
                serve(l, fd, c, (struct sockaddr *)&from, n);
                return 0;
        }
        refuse(l, fd);
        accept_forget(l, c);
        return 0;
}

/* Not for each client that comes and goes. */
static void say_no_room(int64_t *said_us)
{
        int64_t now = clock_mono_us();

        if (now - *said_us < SAY_AGAIN_US)
                return;
        *said_us = now;
        log_warn("http.no_room", "detail=%s",
                 log_quote("too many connections or open files: new clients wait"));
}

/* There is no room for those who come to @l. On the unix socket come those who must be able to mend that. */
static void make_room(struct listener *l, int64_t *said_us)
{
        say_no_room(said_us);
        if (l->guard.is_unix)
                idle_evict(&l->http->idle, true, IDLE_UNIX_US, EVICT_UNIX);
        else
                idle_evict(&l->http->idle, false, IDLE_MAX_US, UINT_MAX);
}

/* Listen to those for whom there is room; to the others again when their nap is over. */
static void *acceptor_main(void *arg)
{
        struct acceptor *a = arg;
        struct http *h = a->http;
        struct pollfd polled[3] = {{.fd = a->stop_fd, .events = POLLIN}, {.fd = -1}, {.fd = -1}};
        int64_t said_us = -SAY_AGAIN_US, until_us[2] = {0, 0};
        int nap = 0;

        pthread_setname_np(pthread_self(), "creche-accept");
        while (poll(polled, 1 + h->listeners_n, nap) < 0 || !polled[0].revents) {
                int64_t now = clock_mono_us();

                nap = -1;
                for (size_t i = 0; i < h->listeners_n; i++) {
                        struct listener *l = &h->listeners[i];

                        if (polled[1 + i].fd >= 0 && polled[1 + i].revents && take(l) < 0) {
                                make_room(l, &said_us);
                                until_us[i] = now + NAP_MS * INT64_C(1000);
                        }
                        polled[1 + i] =
                                (struct pollfd){.fd = now < until_us[i] ? -1 : l->fd, .events = POLLIN};
                        if (polled[1 + i].fd < 0)
                                nap = NAP_MS;
                }
        }
        return NULL;
}

int accept_begin(struct acceptor *a, struct http *h, struct err *e)
{
        int rc;

        *a = (struct acceptor){.http = h, .stop_fd = eventfd(0, EFD_CLOEXEC)};
        if (a->stop_fd < 0)
                return err_set(e, ERR_INTERNAL, errno, "making an eventfd");
        rc = pthread_create(&a->thread, NULL, acceptor_main, a);
        if (rc) {
                closep(&a->stop_fd);
                return err_set(e, ERR_INTERNAL, rc, "starting the thread that accepts");
        }
        a->running = true;
        return 0;
}

void accept_end(struct acceptor *a)
{
        if (!a->running)
                return;
        a->running = false;
        eventfd_write(a->stop_fd, 1);
        pthread_join(a->thread, NULL);
        closep(&a->stop_fd);
}
