/* SPDX-License-Identifier: MIT */
/* http/request.h
 * One request: its head, its body, whom it waits for, its answer.
 *
 * The handler of an operation is called once, when the whole request is here. It either answers (reply.h) or
 * waits: request_await() for an operation of the registry that is pending. Who waits is suspended, and its
 * thread of libmicrohttpd serves others; the continuation runs on that same thread when it goes on.
 *
 * Going on: each event is a bit of ->events. REQUEST_PARKED is set by the request after it was suspended, and
 * taken away by whoever brings an event; that one resumes the connection. So an event that comes before the
 * request is parked keeps it from parking, and nobody resumes what is not suspended.
 *
 * A request belongs to its connection and, while an operation is pending, to that as well: ->refs.
 *
 * Threads: request_wake(), request_ref() and request_unref() from any; the others from the connection's own.
 */
#ifndef CRECHE_HTTP_REQUEST_H
#define CRECHE_HTTP_REQUEST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <microhttpd.h>

#include "base/err.h"
#include "base/histogram.h"
#include "base/strbuf.h"
#include "http/accept.h"
#include "http/feed.h"
#include "transport/guard.h"
#include "http/handshake.h"
#include "transport/idle.h"
#include "transport/linger.h"
#include "http/park.h"
#include "http/query.h"
#include "http/router.h"
#include "http/server.h"
#include "http/session.h"
#include "transport/tally.h"
#include "registry/registry.h"

enum {
        REQUEST_DONE = 1, /* the ticket is done */
        REQUEST_LEFT = 2, /* the client is gone */
        REQUEST_STOP = 4, /* the server stops */
        REQUEST_MORE = 8, /* there may be more to read, or room to write */
        REQUEST_PARKED = 16,
        REQUEST_BEAT = 32, /* it is time for a sign of life */
};

struct http;

/* One socket that is listened on, and the threads that serve it. */
struct listener {
        struct http *http;
        struct guard guard;
        int fd;                      /* borrowed */
        struct MHD_Daemon **daemons; /* one a thread */
        size_t daemons_n, next;      /* next: whose turn it is, the acceptor's */
        atomic_llong connections;
};

enum { HTTP_CLASSES = 5 /* 1xx to 5xx */ };

/* The server. */
struct http {
        struct http_config config;
        struct listener listeners[2];
        size_t listeners_n;
        struct acceptor acceptor;
        struct handshakes handshakes;
        struct park park;
        struct idle idle;
        struct sessions sessions;
        struct feed feed;
        struct lingering linger;
        struct tally peers;
        atomic_llong bodies;       /* bytes of them that are held */
        atomic_llong answers_held; /* bytes of large answers that are being sent */
        int64_t started_us, started_mono_us;
        atomic_bool stopping;
        counter answers[HTTP_CLASSES]; /* by class of their status */
        pthread_mutex_t lock;
        pthread_cond_t quiet;
        size_t busy; /* requests between head and last byte of the answer; under ->lock */
};

struct request {
        struct listener *listener;
        struct http *http;
        struct MHD_Connection *conn;
        struct connection *connection; /* NULL: it was not read through a wire */
        unsigned nth;                  /* request of its connection */
        atomic_int refs;
        atomic_uint events;
        int64_t begun_us;

        /* The head. Its strings are libmicrohttpd's, and there as long as the connection is. */
        bool begun;
        struct head head;
        char *target;
        const struct route *route;
        struct match match;
        struct query query;
        struct caller caller;

        /* The body. */
        struct strbuf body;
        size_t swallowed;
        bool refused; /* ->err is the answer; what still comes of the body is swallowed */
        struct err err;

        /* Waiting. */
        bool handled, pending, patient;
        struct tally_entry *place; /* among those who wait for an exit or for output */
        struct ticket ticket;
        void (*then)(struct request *r);
        struct parked parked;
        int pipe_fd; /* where there shall be room; -1: nowhere */

        /* The handler's own. */
        int64_t id;
        void *state;
        void (*state_free)(void *state);

        /* The answer. */
        struct MHD_Response *response;
        int status;
        size_t held; /* bytes of it that are counted */
};

/** A request whose first line is here. NULL: out of memory. */
struct request *request_new(struct listener *l, struct MHD_Connection *conn, const char *target);
void request_ref(struct request *r);
void request_unref(struct request *r);

/** The three calls of libmicrohttpd's handler: the head is here; some of the body; all of it, or an event. */
enum MHD_Result request_head(struct request *r, const char *method, const char *version);
enum MHD_Result request_body(struct request *r, const char *data, size_t *n);
enum MHD_Result request_go_on(struct request *r);
/** The connection is through with it. Drops the connection's reference. */
void request_end(struct request *r);

/** Be one of those who wait for an exit, for output, for events or for more of what they stream, until the request
 * ends. Returns 0, also when it is one
 * already, or -1: ERR_TOO_MANY, ERR_TRY_AGAIN. */
int request_admit(struct request *r, struct err *e);

/** Before a file is opened that stays open as long as the client likes. Returns 0, or -1: ERR_TRY_AGAIN, those that
 * are left are for others. */
int request_spare_file(const struct request *r, struct err *e);

/** An answer of @n bytes is in memory until its client has read it. Returns 0, or -1: ERR_TRY_AGAIN, others have so
 * much of it already. Who changes something asks before he does, and is not refused afterwards. */
int request_hold_answer(struct request *r, size_t n, struct err *e);

/** Bring events. @r must be kept alive by the caller. */
void request_wake(struct request *r, unsigned events);
/** Suspend until an event comes; at once when one has come. False: the server stops, wait for nothing. */
bool request_park(struct request *r);
/** Which of @mask have come; they are taken. */
unsigned request_take(struct request *r, unsigned mask);

/** The ticket for the next operation of the registry, whose result goes to request_await(). */
struct ticket *request_ticket(struct request *r);

enum patience {
        PATIENT,   /* it waits for an exit: given up when the client leaves or the server stops */
        IMPATIENT, /* it waits for a commit: always carried through */
};

/** Go on with @then when the operation that returned @rc has succeeded; answer with its error when not. */
void request_await(struct request *r, int rc, enum patience patience, void (*then)(struct request *r));

/** The same without a continuation: REQUEST_DONE tells when it is done. Returns @rc. */
int request_started(struct request *r, int rc, enum patience patience);

/** Hand over what the handler keeps beside the request; freed with it, after its last operation. */
void request_keep(struct request *r, void *state, void (*state_free)(void *state));

static inline struct registry *request_registry(const struct request *r)
{
        return r->http->config.registry;
}

#endif
