/* SPDX-License-Identifier: MIT */
#include "transport/watch.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "transport/idle.h"
#include "transport/tap.h"

/* Events name the number of the socket, which no address of libmicrohttpd's looks like: one that is left over from a
 * connection that is no more finds nobody, or somebody who reads in vain. */
#define NUMBER (UINT64_C(0xfd) << 56)

static int kernel_ctl(const struct connection *c, int op)
{
        const uint32_t room = c->watch.full ? EPOLLOUT : 0;
        struct epoll_event ev = {.events = EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLET | room,
                                 .data.u64 = NUMBER | (uint32_t)c->fd};

        return (int)syscall(SYS_epoll_ctl, c->watch.epoll_fd, op, c->fd, &ev);
}

void watch_begin(struct connection *c)
{
        c->watch = (struct watch){.begun = true, .epoll_fd = -1};
}

/* What libmicrohttpd takes for being in its set it takes out itself. To be closed is not enough: a child before its exec
 * holds the file, too. */
void watch_end(struct connection *c)
{
        if (!c->watch.is_in && c->watch.epoll_fd >= 0)
                kernel_ctl(c, EPOLL_CTL_DEL);
        c->watch.begun = false;
}

/* What came while it slept, unless that has been read already. */
static bool is_due(const struct connection *c)
{
        const struct watch *w = &c->watch;

        return w->asleep && (w->missed & EPOLLOUT || (w->missed && c->wire.unread));
}

static int put_in(struct connection *c, int epoll_fd, void *handle)
{
        struct watch *w = &c->watch;
        bool due = is_due(c);

        w->handle = handle;
        w->is_in = true;
        w->asleep = false;
        if (w->epoll_fd == epoll_fd)
                return due ? kernel_ctl(c, EPOLL_CTL_MOD) : 0;
        w->epoll_fd = epoll_fd;
        c->wire.watched = c->wire.unread = true;
        return kernel_ctl(c, EPOLL_CTL_ADD);
}

static void fall_asleep(struct watch *w)
{
        w->missed = w->asleep ? w->missed : 0;
        w->asleep = true;
}

int watch_ctl(struct connection *c, int epoll_fd, int op, const struct epoll_event *ev)
{
        if (op == EPOLL_CTL_ADD)
                return put_in(c, epoll_fd, ev->data.ptr);
        if (op != EPOLL_CTL_DEL || c->watch.epoll_fd != epoll_fd || !c->watch.is_in) {
                errno = ENOENT;
                return -1;
        }
        c->watch.is_in = false;
        fall_asleep(&c->watch);
        return 0;
}

static void note(struct connection *c, uint32_t events)
{
        struct watch *w = &c->watch;

        w->full = w->full && !(events & EPOLLOUT);
        w->left = w->left || events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);
        wire_arrived(&c->wire, w->left);
        if (w->left && w->on_left)
                w->on_left(w->arg);
}

bool watch_event(struct epoll_event *ev)
{
        struct connection *c;

        if (ev->data.u64 >> 32 << 32 != NUMBER)
                return true;
        c = tap_find((int)(uint32_t)ev->data.u64);
        if (!c || !c->watch.begun)
                return false;
        c->watch.missed |= ev->events;
        note(c, ev->events);
        ev->data.ptr = c->watch.handle;
        /* There is room unless there was none: that is what it has been told of a socket that is never full. */
        ev->events |= c->watch.full ? 0 : EPOLLOUT;
        return !c->watch.asleep;
}

void watch_full(struct connection *c)
{
        int saved = errno;

        c->watch.full = true;
        if (c->watch.epoll_fd >= 0)
                kernel_ctl(c, EPOLL_CTL_MOD);
        errno = saved;
}

bool watch_sleep(struct connection *c, void (*on_left)(void *arg), void *arg)
{
        fall_asleep(&c->watch);
        c->watch.on_left = on_left;
        c->watch.arg = arg;
        return c->watch.left;
}

void watch_wake(struct connection *c)
{
        c->watch.asleep = false;
        c->watch.on_left = NULL;
}
