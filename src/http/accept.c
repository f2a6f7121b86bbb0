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
#include "http/tap.h"

enum {
        FILES_SPARE = 32,    /* for the daemon's own work: databases, pidfds, logs that are read */
        FILES_OPERATOR = 64, /* for the unix socket, however many come by TCP */
        EVICT_UNIX = 8,
        NAP_MS = 50,
};

/* Connections that are only kept open stand in the way of others no longer than this. */
#define IDLE_MAX_US (5 * CLOCK_US_PER_S)

#define SAY_AGAIN_US (60 * CLOCK_US_PER_S)

/* The next daemon of @l that has room; NULL: all are full. */
static struct MHD_Daemon *choose(struct listener *l)
{
        for (size_t i = 0; i < l->daemons_n; i++) {
                struct MHD_Daemon *d = l->daemons[l->next++ % l->daemons_n];

                if (MHD_get_daemon_info(d, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)->num_connections <
                    l->connections_max)
                        return d;
        }
        return NULL;
}

/* Who connects: "uid 0", "192.0.2.7". */
static void name_peer(int fd, const struct sockaddr *from, socklen_t n, char *out, size_t size)
{
        struct ucred peer = {.uid = (uid_t)-1};
        socklen_t peer_n = sizeof(peer);

        if (from->sa_family != AF_UNIX &&
            !getnameinfo(from, n, out, (socklen_t)size, NULL, 0, NI_NUMERICHOST))
                return;
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_n);
        snprintf(out, size, "uid %u", (unsigned)peer.uid);
}

void accept_forget(struct http *h, struct connection *c)
{
        if (!c)
                return;
        tally_leave(&h->peers, c->peer);
        idle_closed(c);
}

static void refuse(struct http *h, int fd)
{
        struct err e = {0};

        err_set(&e, ERR_TOO_MANY, 0, "%s", "this client has too many connections");
        refuse_at_once(fd, &e);
        linger_keep(&h->linger, fd, false);
        close(fd);
}

/* Hand @fd to libmicrohttpd, which closes it also when it fails. */
static void hand_over(struct listener *l, struct MHD_Daemon *d, int fd, struct connection *c,
                      const struct sockaddr *from, socklen_t n)
{
        /* One that libmicrohttpd has closed without a word. */
        accept_forget(l->http, tap_take(fd));
        if (!tap_put(fd, c)) {
                close(fd);
                accept_forget(l->http, c);
        } else if (MHD_add_connection(d, fd, from, n) != MHD_YES) {
                accept_forget(l->http, tap_take(fd));
        }
}

/* Returns 0, 1: somebody who left again; -1: there is no room. */
static int take(struct listener *l)
{
        struct http *h = l->http;
        struct sockaddr_storage from;
        socklen_t n = sizeof(from);
        struct MHD_Daemon *d = choose(l);
        struct connection *c;
        char peer[TALLY_KEY_MAX];
        int fd;

        if (!d || fd_is_short(l->guard.is_unix ? FILES_SPARE : FILES_SPARE + FILES_OPERATOR))
                return -1;
        fd = accept4(l->fd, (struct sockaddr *)&from, &n, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
                return errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM ? -1 : 1;
        name_peer(fd, (struct sockaddr *)&from, n, peer, sizeof(peer));
        c = idle_accepted(&h->idle, fd, l->guard.is_unix, &h->config.limits);
        if (c)
                c->peer = tally_enter(&h->peers, peer, h->config.limits.peer_connections);
        if (c && c->peer) {
                hand_over(l, d, fd, c, (struct sockaddr *)&from, n);
                return 0;
        }
        refuse(h, fd);
        accept_forget(h, c);
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
                idle_evict(&l->http->idle, true, 0, EVICT_UNIX);
        else
                idle_evict(&l->http->idle, false, IDLE_MAX_US, UINT_MAX);
}

/* Listen to those for whom there is room; to the others again after a nap. */
static void *acceptor_main(void *arg)
{
        struct acceptor *a = arg;
        struct http *h = a->http;
        struct pollfd polled[3] = {{.fd = a->stop_fd, .events = POLLIN}};
        int64_t said_us = -SAY_AGAIN_US;
        int nap = -1;

        pthread_setname_np(pthread_self(), "creche-accept");
        for (size_t i = 0; i < h->listeners_n; i++)
                polled[1 + i] = (struct pollfd){.fd = h->listeners[i].fd, .events = POLLIN};
        while (poll(polled, 1 + h->listeners_n, nap) < 0 || !polled[0].revents) {
                nap = -1;
                for (size_t i = 0; i < h->listeners_n; i++) {
                        struct listener *l = &h->listeners[i];
                        bool room = polled[1 + i].fd >= 0 && (!polled[1 + i].revents || take(l) >= 0);

                        if (polled[1 + i].fd >= 0 && !room)
                                make_room(l, &said_us);
                        polled[1 + i].fd = room || polled[1 + i].fd < 0 ? l->fd : -1;
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
