/* SPDX-License-Identifier: MIT */
#include "transport/tap.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "transport/idle.h"

/* The pages that no socket's number falls into cost nothing. */
enum { FILES_MAX = 1 << 20 };

static struct connection *_Atomic table[FILES_MAX];

/* By their names in the object file only: fortified headers have a recv() of their own. */
ssize_t tap_recv(int fd, void *buf, size_t n, int flags) __asm__("recv");
ssize_t tap_send(int fd, const void *buf, size_t n, int flags) __asm__("send");
ssize_t tap_sendmsg(int fd, const struct msghdr *m, int flags) __asm__("sendmsg");
ssize_t tap_sendfile(int fd, int from, off_t *at, size_t n) __asm__("sendfile64");
int tap_shutdown(int fd, int how) __asm__("shutdown");
int tap_setsockopt(int fd, int level, int name, const void *value, socklen_t n) __asm__("setsockopt");
int tap_epoll_ctl(int fd, int op, int socket, struct epoll_event *ev) __asm__("epoll_ctl");
int tap_epoll_wait(int fd, struct epoll_event *evs, int max, int timeout_ms) __asm__("epoll_wait");

ssize_t tap_recv(int fd, void *buf, size_t n, int flags)
{
        struct connection *c = flags & MSG_PEEK ? NULL : tap_find(fd);

        return c ? idle_read(c, buf, n) : recvfrom(fd, buf, n, flags, NULL, NULL);
}

static struct tls *tls_of(int fd)
{
        struct connection *c = tap_find(fd);

        return c ? c->tls : NULL;
}

/* What is returned when of @all bytes @sent have gone out over @fd. */
static ssize_t sent(int fd, ssize_t sent, size_t all)
{
        bool full = sent < 0 ? errno == EAGAIN : (size_t)sent < all;
        struct connection *c = full ? tap_find(fd) : NULL;

        if (c && c->watch.begun)
                watch_full(c);
        return sent;
}

static size_t length(const struct msghdr *m)
{
        size_t n = 0;

        for (size_t i = 0; i < m->msg_iovlen; i++)
                n += m->msg_iov[i].iov_len;
        return n;
}

ssize_t tap_send(int fd, const void *buf, size_t n, int flags)
{
        const struct iovec v = {.iov_base = (void *)(uintptr_t)buf, .iov_len = n};
        struct tls *t = tls_of(fd);

        return sent(fd, t ? tls_write(t, &v, 1) : sendto(fd, buf, n, flags, NULL, 0), n);
}

ssize_t tap_sendmsg(int fd, const struct msghdr *m, int flags)
{
        struct tls *t = tls_of(fd);

        return sent(fd, t ? tls_write(t, m->msg_iov, m->msg_iovlen) : syscall(SYS_sendmsg, fd, m, flags),
                    length(m));
}

ssize_t tap_sendfile(int fd, int from, off_t *at, size_t n)
{
        if (!tls_of(fd))
                return sent(fd, syscall(SYS_sendfile, fd, from, at, n), n);
        errno = EINVAL;
        return -1;
}

/* libmicrohttpd shuts down for writing only. Who cuts a connection off does so from another thread, for reading or
 * both: it leaves the session to whoever may just be writing in it. */
int tap_shutdown(int fd, int how)
{
        struct tls *t = how == SHUT_WR ? tls_of(fd) : NULL;

        if (t)
                tls_end(t);
        return (int)syscall(SYS_shutdown, fd, how);
}

/* libmicrohttpd 0.9.75 takes a socket for one of TCP, and tries to hold back and to push what it sends, each time, until
 * it is told that this is no such protocol. Linux tells it something else. */
int tap_setsockopt(int fd, int level, int name, const void *value, socklen_t n)
{
        const struct connection *c = level == IPPROTO_TCP ? tap_find(fd) : NULL;

        if (!c || !c->is_unix)
                return (int)syscall(SYS_setsockopt, fd, level, name, value, n);
        errno = ENOPROTOOPT;
        return -1;
}

int tap_epoll_ctl(int fd, int op, int socket, struct epoll_event *ev)
{
        struct connection *c = tap_find(socket);

        return c && c->watch.begun ? watch_ctl(c, fd, op, ev)
                                   : (int)syscall(SYS_epoll_ctl, fd, op, socket, ev);
}

/* libmicrohttpd 0.9.75 asks again when it got as many as it asked for, and sleeps on what it has: so it never does. */
int tap_epoll_wait(int fd, struct epoll_event *evs, int max, int timeout_ms)
{
        int n = epoll_pwait(fd, evs, max > 1 ? max - 1 : max, timeout_ms, NULL), kept = 0;

        for (int i = 0; i < n; i++)
                if (watch_event(&evs[i]))
                        evs[kept++] = evs[i];
        return n < 0 ? n : kept;
}

bool tap_put(int fd, struct connection *c)
{
        if (fd < 0 || fd >= FILES_MAX)
                return false;
        atomic_store(&table[fd], c);
        return true;
}

struct connection *tap_find(int fd)
{
        return fd >= 0 && fd < FILES_MAX ? atomic_load(&table[fd]) : NULL;
}

struct connection *tap_take(int fd)
{
        return fd >= 0 && fd < FILES_MAX ? atomic_exchange(&table[fd], NULL) : NULL;
}
