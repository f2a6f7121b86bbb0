/* SPDX-License-Identifier: MIT */
#include "http/handshake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/sys.h"
#include "http/refuse.h"
#include "http/request.h"

enum { EVENTS_MAX = 64, TLS_HANDSHAKE = 22 /* the first byte of a client that speaks TLS */ };

struct handshake {
        struct list link;
        struct connection *c;
        struct sockaddr_storage from;
        socklen_t from_n;
        int fd;
};

/* It is in the set no more, and nobody's. */
static void forget(struct handshakes *s, struct handshake *h)
{
        pthread_mutex_lock(&s->lock);
        list_remove(&h->link);
        pthread_mutex_unlock(&s->lock);
        sys_epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, h->fd, NULL);
        idle_leave(h->c);
}

static void drop(struct handshakes *s, struct handshake *h)
{
        forget(s, h);
        accept_forget(s->listener, h->c);
        close(h->fd);
        free(h);
}

static void hand_over(struct handshakes *s, struct handshake *h)
{
        forget(s, h);
        accept_hand_over(s->listener, h->fd, h->c, (struct sockaddr *)&h->from, h->from_n);
        free(h);
}

/* Whether the first byte is that of TLS. Returns 1; 0: nothing has come; -1: it is not, or the client has left. */
static int look(const struct handshake *h)
{
        unsigned char first;
        ssize_t n = recvfrom(h->fd, &first, 1, MSG_PEEK, NULL, NULL);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n == 1 && first != TLS_HANDSHAKE) {
                struct err e = {0};

                err_set(&e, ERR_BAD_REQUEST, 0, "%s", "this port speaks TLS: say https");
                refuse_at_once(h->fd, &e);
        }
        return n == 1 && first == TLS_HANDSHAKE ? 1 : -1;
}

/* Returns 0: done; 1: more must come; -1: it is over, *why. */
static int step(const struct handshakes *s, struct handshake *h, const char **why)
{
        int rc;

        if (atomic_load(&h->c->wire.late)) {
                *why = "too slow";
                return -1;
        }
        if (!h->c->tls) {
                *why = "not TLS";
                rc = look(h);
                if (rc <= 0)
                        return rc < 0 ? -1 : 1;
                *why = "out of memory";
                idle_encrypt(h->c, tls_new(s->listener->guard.certificate, h->fd));
                if (!h->c->tls)
                        return -1;
        }
        return tls_shake_hands(h->c->tls, why);
}

static void go_on(struct handshakes *s, struct handshake *h)
{
        const char *why;
        int rc = step(s, h, &why);

        if (rc == 0)
                hand_over(s, h);
        if (rc >= 0)
                return;
        log_debug("http.handshake_failed", "reason=%s", log_quote(why));
        linger_keep(&s->listener->http->linger, h->fd, atomic_load(&h->c->wire.late));
        drop(s, h);
}

/* Who is in the set is taken out by this thread alone. */
static void *run(void *arg)
{
        struct handshakes *s = arg;
        struct epoll_event events[EVENTS_MAX];

        pthread_setname_np(pthread_self(), "creche-tls");
        for (;;) {
                int n = sys_epoll_wait(s->epoll_fd, events, EVENTS_MAX, -1);

                for (int i = 0; i < n; i++) {
                        if (!events[i].data.ptr)
                                return NULL;
                        go_on(s, events[i].data.ptr);
                }
        }
}

int handshakes_begin(struct handshakes *s, struct listener *l, struct err *e)
{
        struct epoll_event ev = {.events = EPOLLIN};
        int rc;

        *s = (struct handshakes){
                .listener = l, .epoll_fd = epoll_create1(EPOLL_CLOEXEC), .wake_fd = eventfd(0, EFD_CLOEXEC)};
        pthread_mutex_init(&s->lock, NULL);
        list_init(&s->all);
        if (s->epoll_fd < 0 || s->wake_fd < 0 ||
            sys_epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->wake_fd, &ev) < 0)
                return err_set(e, ERR_INTERNAL, errno, "the epoll set of handshakes");
        rc = pthread_create(&s->thread, NULL, run, s);
        if (rc)
                return err_set(e, ERR_INTERNAL, rc, "the thread of handshakes");
        s->running = true;
        return 0;
}

void handshakes_end(struct handshakes *s)
{
        if (!s->listener)
                return;
        if (s->running) {
                eventfd_write(s->wake_fd, 1);
                pthread_join(s->thread, NULL);
        }
        while (!list_empty(&s->all))
                drop(s, container_of(s->all.next, struct handshake, link));
        closep(&s->epoll_fd);
        closep(&s->wake_fd);
        pthread_mutex_destroy(&s->lock);
        s->listener = NULL;
}

/* Each change is reported once, and a handshake goes as far as it can each time. */
static bool watch(const struct handshakes *s, struct handshake *h)
{
        struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = h};

        return sys_epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, h->fd, &ev) == 0;
}

void handshakes_take(struct handshakes *s, int fd, struct connection *c, const struct sockaddr *from,
                     socklen_t n)
{
        struct handshake *h = calloc(1, sizeof(*h));

        if (!h) {
                accept_forget(s->listener, c);
                close(fd);
                return;
        }
        *h = (struct handshake){.c = c, .fd = fd, .from_n = n};
        memcpy(&h->from, from, n);
        pthread_mutex_lock(&s->lock);
        list_append(&s->all, &h->link);
        pthread_mutex_unlock(&s->lock);
        idle_begin(c);
        if (!watch(s, h))
                drop(s, h);
}
