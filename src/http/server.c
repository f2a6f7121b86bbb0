/* SPDX-License-Identifier: MIT */
#include "http/server.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include <microhttpd.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/document.h"
#include "http/request.h"
#include "transport/tap.h"

enum {
        STALL_SECONDS_MAX = 60, /* a connection on which nothing moves, and that is not suspended */
        POOL_BYTES_MIN = 32768, /* memory of libmicrohttpd for a connection */
        LAST_WORDS_US = 500000, /* for the answers to those who were woken last */
};

/* -------------------------------------------------------------------- what libmicrohttpd calls */

/* The first line of a request is here, in which nothing has been decoded. */
static void *on_target(void *cls, const char *target, struct MHD_Connection *conn)
{
        return request_new(cls, conn, target ? target : "");
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *conn, const char *url, const char *method,
                                  const char *version, const char *data, size_t *n, void **context)
{
        struct request *r = *context;

        (void)cls;
        (void)conn;
        (void)url;
        if (!r)
                return MHD_NO;
        if (!r->begun)
                return request_head(r, method, version);
        return *n ? request_body(r, data, n) : request_go_on(r);
}

static void on_completed(void *cls, struct MHD_Connection *conn, void **context,
                         enum MHD_RequestTerminationCode how)
{
        (void)cls;
        (void)conn;
        (void)how;
        if (*context)
                request_end(*context);
        *context = NULL;
}

/* Whether the client may still be sending: to close at once could cost him the answer. */
static bool is_sending(const struct connection *c)
{
        int unread = 0;

        return !c->wire.ended && (!wire_is_between(&c->wire) || (!ioctl(c->fd, FIONREAD, &unread) && unread));
}

static void on_connection(void *cls, struct MHD_Connection *conn, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
        struct listener *l = cls;
        int fd = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        struct connection *c;

        if (what == MHD_CONNECTION_NOTIFY_STARTED) {
                *context = c = tap_find(fd);
                if (c) {
                        watch_begin(c);
                        idle_begin(c);
                }
                return;
        }
        c = tap_take(fd);
        if (c)
                watch_end(c);
        if (c && (is_sending(c) || atomic_load(&c->wire.late)))
                linger_keep(&l->http->linger, fd, atomic_load(&c->wire.late));
        accept_forget(l, c);
}

/* What is not decoded cannot be decoded wrongly. */
static size_t leave_escaped(void *cls, struct MHD_Connection *conn, char *s)
{
        (void)cls;
        (void)conn;
        return strlen(s);
}

/* Mostly clients that went away. */
__attribute__((format(printf, 2, 0))) static void on_message(void *cls, const char *fmt, va_list ap)
{
        char text[256];

        (void)cls;
        vsnprintf(text, sizeof(text), fmt, ap);
        text[strcspn(text, "\n")] = '\0';
        log_debug("http.library", "text=%s", log_quote(text));
}

static void on_panic(void *cls, const char *file, unsigned int line, const char *reason)
{
        (void)cls;
        log_error("http.panic", "file=%s line=%u reason=%s", log_quote(file), line,
                  log_quote(reason ? reason : ""));
        abort();
}

/* ------------------------------------------------------------------------------------- starting */

/* Our own deadlines come first. */
static unsigned stall_seconds(const struct limits *l)
{
        int64_t longest = l->head_us > l->body_us ? l->head_us : l->body_us;

        return (unsigned)(longest / CLOCK_US_PER_S) + STALL_SECONDS_MAX;
}

/* A head, what is made of it, and the head of the answer. */
static size_t pool_bytes(const struct limits *l)
{
        size_t n = (size_t)l->head_bytes * 2;

        return n > POOL_BYTES_MIN ? n : POOL_BYTES_MIN;
}

/* One thread, which the acceptor brings its connections. */
static struct MHD_Daemon *start_daemon(struct listener *l)
{
        const struct limits *limits = &l->http->config.limits;
        const unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
                               MHD_USE_ITC | MHD_USE_NO_LISTEN_SOCKET;

        return MHD_start_daemon(
                flags, 0, NULL, NULL, on_request, l, MHD_OPTION_EXTERNAL_LOGGER, on_message, NULL,
                MHD_OPTION_URI_LOG_CALLBACK, on_target, l, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
                MHD_OPTION_NOTIFY_CONNECTION, on_connection, l, MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped,
                NULL, MHD_OPTION_CONNECTION_TIMEOUT, stall_seconds(limits),
                MHD_OPTION_CONNECTION_MEMORY_LIMIT, pool_bytes(limits), MHD_OPTION_CONNECTION_LIMIT,
                (unsigned)limits->connections * 2, MHD_OPTION_END);
}

static int start_listener(struct http *h, int fd, const char *host, struct err *e)
{
        int threads = h->config.threads > 0 ? h->config.threads : 1;
        struct listener *l = &h->listeners[h->listeners_n];

        *l = (struct listener){.http = h,
                               .fd = fd,
                               .guard = {.is_unix = !host,
                                         .host = host,
                                         .certificate = host ? h->config.certificate : NULL}};
        l->daemons = calloc((size_t)threads, sizeof(*l->daemons));
        if (!l->daemons)
                return err_set(e, ERR_INTERNAL, ENOMEM, "HTTP server");
        h->listeners_n++;
        if (l->guard.certificate && handshakes_begin(&h->handshakes, l, e) < 0)
                return -1;
        for (; l->daemons_n < (size_t)threads; l->daemons_n++) {
                l->daemons[l->daemons_n] = start_daemon(l);
                if (!l->daemons[l->daemons_n])
                        return err_set(e, ERR_INTERNAL, errno, "starting libmicrohttpd");
        }
        return 0;
}

static void init_quiet(struct http *h)
{
        pthread_condattr_t attr;

        pthread_condattr_init(&attr);
        pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        pthread_mutex_init(&h->lock, NULL);
        pthread_cond_init(&h->quiet, &attr);
        pthread_condattr_destroy(&attr);
}

/* The cookies of two servers on one host need different names. */
static void init_sessions(struct http *h)
{
        const char *url = h->config.url;
        struct registry_info info = {0};

        if (h->config.registry)
                registry_info(h->config.registry, &info, NULL);
        sessions_init(&h->sessions, info.instance, url && !strncmp(url, "https:", 6));
}

int http_start(const struct http_config *c, struct http **out, struct err *e)
{
        struct http *h = calloc(1, sizeof(*h));

        if (!h)
                return err_set(e, ERR_INTERNAL, ENOMEM, "HTTP server");
        h->config = *c;
        h->started_us = clock_now_us();
        h->started_mono_us = clock_mono_us();
        init_quiet(h);
        idle_init(&h->idle, &h->config.limits);
        tally_init(&h->peers);
        init_sessions(h);
        h->park.epoll_fd = h->park.stop_fd = h->park.timer_fd = h->feed.wake_fd = -1;
        MHD_set_panic_func(on_panic, NULL);
        document_keep_no_secrets();
        if (linger_begin(&h->linger, e) < 0 || park_open(&h->park, &h->idle, &h->config.limits, e) < 0 ||
            feed_open(&h->feed, c->registry, e) < 0 || start_listener(h, c->unix_fd, NULL, e) < 0 ||
            (c->tcp_fd >= 0 && start_listener(h, c->tcp_fd, c->host, e) < 0) ||
            accept_begin(&h->acceptor, h, e) < 0) {
                http_stop(h, 0);
                return -1;
        }
        *out = h;
        return 0;
}

/* ------------------------------------------------------------------------------------- stopping */

static void wait_quiet(struct http *h, int64_t us)
{
        int64_t until = clock_mono_us() + us;
        struct timespec ts = {.tv_sec = until / CLOCK_US_PER_S, .tv_nsec = until % CLOCK_US_PER_S * 1000};

        pthread_mutex_lock(&h->lock);
        while (h->busy && pthread_cond_timedwait(&h->quiet, &h->lock, &ts) != ETIMEDOUT)
                ;
        pthread_mutex_unlock(&h->lock);
}

static void stop_listener(struct listener *l)
{
        for (size_t i = 0; i < l->daemons_n; i++)
                MHD_stop_daemon(l->daemons[i]);
        free(l->daemons);
}

/* Those who wait for an exit will not see it here; those who wait for a commit will, if it comes in time. */
void http_stop(struct http *h, int64_t grace_us)
{
        if (!h)
                return;
        accept_end(&h->acceptor);
        handshakes_end(&h->handshakes);
        atomic_store(&h->stopping, true);
        park_close(&h->park, false);
        wait_quiet(h, grace_us);
        park_close(&h->park, true);
        park_wait(&h->park);
        wait_quiet(h, LAST_WORDS_US);
        for (size_t i = 0; i < h->listeners_n; i++)
                stop_listener(&h->listeners[i]);
        feed_close(&h->feed);
        /* Its thread may have been the last to hold the request of a stream. */
        park_done(&h->park);
        feed_done(&h->feed);
        linger_end(&h->linger);
        pthread_cond_destroy(&h->quiet);
        idle_done(&h->idle);
        sessions_done(&h->sessions);
        tally_done(&h->peers);
        pthread_mutex_destroy(&h->lock);
        free(h);
}
