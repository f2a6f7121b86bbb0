/* SPDX-License-Identifier: MIT */
#include "transport/linger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/sys.h"

enum {
        SOCKETS_MAX = 512,
        EVENTS_MAX = 64,
        BLOCK = 65536,
        BLOCKS_A_TURN = 16,
        FILES_SPARE = 128,
        TICK_MS = 500
};

#define KEEP_US (5 * CLOCK_US_PER_S)

struct lingerer {
        struct list link;
        int fd;
        int64_t until_us;
};

static void release(struct lingering *l, struct lingerer *s)
{
        list_remove(&s->link);
        l->n--;
        /* libmicrohttpd may have the socket open still, and then it would stay in the set. */
        sys_epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, s->fd, NULL);
        close(s->fd);
        free(s);
}

static void drop(struct lingering *l, struct lingerer *s)
{
        pthread_mutex_lock(&l->lock);
        release(l, s);
        pthread_mutex_unlock(&l->lock);
}

/* Whether the client has seen the end, or broken off. */
static bool drain(int fd)
{
        static char nowhere[BLOCK]; /* one thread writes to it, nobody reads it */

        for (int i = 0; i < BLOCKS_A_TURN; i++) {
                ssize_t n = recvfrom(fd, nowhere, sizeof(nowhere), MSG_DONTWAIT, NULL, NULL);

                if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
                        return true;
                if (n < 0)
                        return false;
                explicit_bzero(nowhere, (size_t)n);
        }
        return false;
}

/* Whether some are left. */
static bool drop_old(struct lingering *l, int64_t now)
{
        bool left;

        pthread_mutex_lock(&l->lock);
        while (!list_empty(&l->sockets)) {
                struct lingerer *s = container_of(l->sockets.next, struct lingerer, link);

                if (s->until_us > now)
                        break;
                release(l, s);
        }
        left = !list_empty(&l->sockets);
        pthread_mutex_unlock(&l->lock);
        return left;
}

/* Who is in the set is released by this thread alone, so that reading needs no lock. */
static void *run(void *arg)
{
        struct lingering *l = arg;
        struct epoll_event events[EVENTS_MAX];
        bool waits = false;

        pthread_setname_np(pthread_self(), "creche-linger");
        while (atomic_load(&l->running)) {
                int n = sys_epoll_wait(l->epoll_fd, events, EVENTS_MAX, waits ? TICK_MS : -1);

                for (int i = 0; i < n; i++) {
                        struct lingerer *s = events[i].data.ptr;
                        eventfd_t ignored;

                        if (!s)
                                eventfd_read(l->wake_fd, &ignored);
                        else if (drain(s->fd))
                                drop(l, s);
                }
                waits = drop_old(l, clock_mono_us());
        }
        drop_old(l, INT64_MAX);
        return NULL;
}

int linger_begin(struct lingering *l, struct err *e)
{
        struct epoll_event ev = {.events = EPOLLIN};
        int rc;

        *l = (struct lingering){.epoll_fd = epoll_create1(EPOLL_CLOEXEC), .wake_fd = eventfd(0, EFD_CLOEXEC)};
        pthread_mutex_init(&l->lock, NULL);
        list_init(&l->sockets);
        if (l->epoll_fd < 0 || l->wake_fd < 0 ||
            sys_epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->wake_fd, &ev) < 0)
                return err_set(e, ERR_INTERNAL, errno, "the epoll set of closing connections");
        atomic_store(&l->running, true);
        rc = pthread_create(&l->thread, NULL, run, l);
        if (!rc)
                return 0;
        atomic_store(&l->running, false);
        return err_set(e, ERR_INTERNAL, rc, "the thread of closing connections");
}

static bool watch(const struct lingering *l, struct lingerer *s)
{
        struct epoll_event ev = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = s};

        return sys_epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, s->fd, &ev) == 0;
}

void linger_keep(struct lingering *l, int fd, bool deaf)
{
        CLEANUP(closep) int copy = -1;
        CLEANUP(freep) struct lingerer *s = NULL;

        shutdown(fd, SHUT_WR);
        if (!atomic_load(&l->running) || fd_is_short(FILES_SPARE))
                return;
        copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        s = malloc(sizeof(*s));
        if (copy < 0 || !s)
                return;
        *s = (struct lingerer){.fd = copy, .until_us = clock_mono_us() + KEEP_US};
        list_init(&s->link);
        pthread_mutex_lock(&l->lock);
        if (l->n < SOCKETS_MAX && (deaf || watch(l, s))) {
                list_append(&l->sockets, &s->link);
                l->n++;
                TAKE_FD(copy);
                TAKE_PTR(s);
                eventfd_write(l->wake_fd, 1);
        }
        pthread_mutex_unlock(&l->lock);
}

void linger_end(struct lingering *l)
{
        if (atomic_exchange(&l->running, false)) {
                eventfd_write(l->wake_fd, 1);
                pthread_join(l->thread, NULL);
        }
        closep(&l->epoll_fd);
        closep(&l->wake_fd);
        pthread_mutex_destroy(&l->lock);
}
