/* SPDX-License-Identifier: MIT */
#include "http/accept.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "http/request.h"

enum {
        FILES_SPARE = 32, /* for the daemon's own work: databases, pidfds, logs that are read */
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

/* Returns 0, 1: somebody who left again; -1: there is no room. */
static int take(struct listener *l)
{
        struct sockaddr_storage from;
        socklen_t n = sizeof(from);
        struct MHD_Daemon *d = choose(l);
        int fd;

        if (!d || fd_is_short(FILES_SPARE))
                return -1;
        fd = accept4(l->fd, (struct sockaddr *)&from, &n, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
                return errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM ? -1 : 1;
        MHD_add_connection(d, fd, (struct sockaddr *)&from, n); /* which closes it when it fails */
        return 0;
}

/* False when it is time to end. */
static bool nap(const struct acceptor *a)
{
        struct pollfd stop = {.fd = a->stop_fd, .events = POLLIN};

        return poll(&stop, 1, NAP_MS) <= 0;
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

static void *acceptor_main(void *arg)
{
        struct acceptor *a = arg;
        struct http *h = a->http;
        struct pollfd polled[3] = {{.fd = a->stop_fd, .events = POLLIN}};
        int64_t said_us = -SAY_AGAIN_US;

        pthread_setname_np(pthread_self(), "creche-accept");
        for (size_t i = 0; i < h->listeners_n; i++)
                polled[1 + i] = (struct pollfd){.fd = h->listeners[i].fd, .events = POLLIN};
        while (poll(polled, 1 + h->listeners_n, -1) < 0 || !polled[0].revents) {
                bool room = true;

                for (size_t i = 0; i < h->listeners_n; i++)
                        if (polled[1 + i].revents && take(&h->listeners[i]) < 0)
                                room = false;
                if (room)
                        continue;
                say_no_room(&said_us);
                idle_sweep(&h->idle, IDLE_MAX_US);
                if (!nap(a))
                        break;
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
