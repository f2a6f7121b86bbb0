/* SPDX-License-Identifier: MIT */
#include "http/request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "http/auth.h"
#include "http/reply.h"
#include "registry/access.h"
#include "routes.h"

/* How much is read of a body that is refused before the answer is given, not after it. */
enum { SWALLOW_MAX = 1024 * 1024 };

/* Of smaller answers there cannot be too many: connections are counted. */
enum { ANSWER_LARGE_MIN = 65536 };

static struct connection *connection_of(struct MHD_Connection *conn)
{
        const union MHD_ConnectionInfo *info =
                MHD_get_connection_info(conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

        return info ? info->socket_context : NULL;
}

/* As it was before the wire hid the query. */
static char *copy_target(const char *target)
{
        char *copy = strdup(target), *query = copy ? strchr(copy, WIRE_QUERY) : NULL;

        if (query)
                *query = '?';
        return copy;
}

struct request *request_new(struct listener *l, struct MHD_Connection *conn, const char *target)
{
        struct request *r = calloc(1, sizeof(*r));

        if (!r)
                return NULL;
        r->listener = l;
        r->http = l->http;
        r->conn = conn;
        r->refs = 1;
        r->body.secret = true;
        r->pipe_fd = -1;
        r->connection = connection_of(conn);
        r->nth = r->connection ? ++r->connection->begun : 0;
        r->target = copy_target(target);
        ticket_init(&r->ticket, NULL);
        if (r->target)
                return r;
        free(r);
        return NULL;
}

void request_ref(struct request *r)
{
        atomic_fetch_add(&r->refs, 1);
}

/* The last reference may be that of an operation which outlived the server: nothing of ->http here. */
static void request_free(struct request *r)
{
        if (r->state_free)
                r->state_free(r->state);
        strbuf_done(&r->body);
        query_done(&r->query);
        ticket_done(&r->ticket);
        free(r->target);
        free(r);
}

void request_unref(struct request *r)
{
        if (atomic_fetch_sub(&r->refs, 1) == 1)
                request_free(r);
}

void request_keep(struct request *r, void *state, void (*state_free)(void *state))
{
        r->state = state;
        r->state_free = state_free;
}

/* -------------------------------------------------------------------------------------- the head */

/* The wire has hidden a cookie, too. */
static enum MHD_Result add_header(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
        (void)kind;
        head_add(arg, *name == WIRE_QUERY ? "Cookie" : name, value);
        return MHD_YES;
}

static int find_route(struct request *r, struct err *e)
{
        const char *path = head_path(&r->head, r->listener->guard.certificate);
        int rc = router_find(routes, r->head.method, path, strcspn(path, "?"), &r->match, e);

        r->route = r->match.route;
        r->id = r->match.id;
        return rc;
}

static int read_query(struct request *r, struct err *e)
{
        const char *query = strchr(r->target, '?');

        if (query_parse(&r->query, query ? query + 1 : NULL, e) < 0)
                return -1;
        return query_check(&r->query, r->route->query, e);
}

_Static_assert((int)LIMITS_BODY_MAX == (int)ROUTES_BODY_MAX,
               "--max-body is up to what api/openapi.json declares");

/* Of a body that is not streamed; one that nobody asked for is bounded as well. */
static size_t body_max(const struct request *r)
{
        size_t max = (size_t)r->http->config.limits.body_bytes;

        return r->route->body != ROUTE_BODY_NONE && r->route->body_max < max ? r->route->body_max : max;
}

static int refuse_size(const struct request *r, struct err *e)
{
        return err_set(e, ERR_TOO_LARGE, 0, "the body is longer than %zu bytes", body_max(r));
}

static int check_declared_body(const struct request *r, struct err *e)
{
        if (r->route->body != ROUTE_BODY_STREAM && head_body(&r->head) > (int64_t)body_max(r))
                return refuse_size(r, e);
        return 0;
}

/* What the wire has to say. */
static int check_wire(const struct request *r, struct err *e)
{
        const struct err *verdict;

        if (!r->connection || r->nth > r->connection->wire.heads)
                return err_set(e, ERR_INTERNAL, 0, "libmicrohttpd has read past the guard");
        verdict = wire_verdict(&r->connection->wire, r->nth);
        if (!verdict)
                return 0;
        *e = *verdict;
        return -1;
}

/* Who asks. A session is a matter of TCP: on the unix socket the kernel says it. */
static int identify(struct request *r, bool open, struct err *e)
{
        const struct http_config *c = &r->http->config;
        int session = open || r->connection->is_unix
                              ? 0
                              : session_caller(&r->http->sessions, &r->head, &r->caller, e);

        if (session > 0) {
                auth_note_address(r->connection->fd, &r->caller);
                /* The token that it was made with may have been revoked. */
                return registry_recheck(c->registry, &r->caller, e);
        }
        if (session < 0)
                return -1;
        return auth_check(c, r->connection, &r->head, open, &r->caller, e);
}

/* Everything that can be said before the body is here. A path that is none is told to those only who may
 * know. */
static int check_head(struct request *r, struct err *e)
{
        const struct http_config *c = &r->http->config;
        struct err lost = {0};
        int found;

        if (check_wire(r, e) < 0 || guard_check(&r->listener->guard, &r->head, e) < 0)
                return -1;
        if (atomic_load(&r->http->stopping))
                return err_set(e, ERR_STOPPING, 0, "the server is stopping");
        if (c->refusal) {
                *e = *c->refusal;
                return -1;
        }
        found = find_route(r, &lost);
        if (identify(r, !found && !r->route->scope, e) < 0)
                return -1;
        if (found < 0) {
                *e = lost;
                return -1;
        }
        if (auth_may(&r->caller, r->route->scope, e) < 0 || read_query(r, e) < 0 ||
            check_declared_body(r, e) < 0)
                return -1;
        return r->route->open ? r->route->open(r, e) : 0;
}

/* Whether a refusal can wait until the body is through. An answer that goes out while the client still
 * sends is lost when its socket is closed on unread data; who waits for "100 Continue" does not send. */
static bool can_swallow(const struct request *r)
{
        const char *expect = head_get(&r->head, HEADER_EXPECT);

        return r->err.kind != ERR_BAD_REQUEST && head_body(&r->head) <= r->http->config.limits.body_bytes &&
               !expect;
}

static void count_busy(struct http *h, bool more)
{
        pthread_mutex_lock(&h->lock);
        h->busy += more ? 1 : -1UL;
        if (!h->busy)
                pthread_cond_broadcast(&h->quiet);
        pthread_mutex_unlock(&h->lock);
}

/* Now the body is waited for. */
static void begin_body(struct request *r)
{
        bool stream = !r->refused && r->route->body == ROUTE_BODY_STREAM;

        if (head_body(&r->head))
                idle_enter(r->connection, stream ? IDLE_STREAM : IDLE_BODY);
}

enum MHD_Result request_head(struct request *r, const char *method, const char *version)
{
        r->begun = true;
        r->begun_us = clock_mono_us();
        count_busy(r->http, true);
        if (r->connection)
                idle_leave(r->connection);
        r->head.method = method;
        r->head.version = version;
        r->head.target = r->target;
        MHD_get_connection_values(r->conn, MHD_HEADER_KIND, add_header, &r->head);
        r->refused = check_head(r, &r->err) < 0;
        if (r->refused && !can_swallow(r))
                return request_go_on(r);
        begin_body(r);
        return MHD_YES;
}

/* -------------------------------------------------------------------------------------- the body */

static enum MHD_Result swallow(struct request *r, size_t *n)
{
        r->swallowed += *n;
        *n = 0;
        /* libmicrohttpd takes no answer in the middle of a body: it is made to see the end of it. */
        if (r->swallowed > SWALLOW_MAX)
                wire_abort(&r->connection->wire, r->nth, &r->err);
        return MHD_YES;
}

static enum MHD_Result stream(struct request *r, const char *data, size_t *n)
{
        ptrdiff_t taken;

        if (request_take(r, REQUEST_LEFT | REQUEST_STOP))
                return MHD_NO;
        request_take(r, REQUEST_MORE);
        idle_enter(r->connection, IDLE_STREAM);
        taken = r->route->receive(r, data, *n, &r->err);
        if (taken < 0) {
                r->refused = true;
                return swallow(r, n);
        }
        *n -= (size_t)taken;
        return !*n || request_park(r) ? MHD_YES : MHD_NO;
}

/* By the unix socket, and not with a token, which a process has as well. */
static bool is_local_operator(const struct request *r)
{
        return r->listener->guard.is_unix && !r->caller.process && !r->caller.token;
}

/* How much of what all may hold there is for @r: operators are kept a quarter. */
static int64_t share(const struct request *r, int64_t all)
{
        return is_local_operator(r) ? all : all - all / 4;
}

/* Keep some more of a body. */
static int keep(struct request *r, const char *data, size_t n, struct err *e)
{
        int64_t all = share(r, r->http->config.limits.bodies_bytes);

        if (r->body.len + n > body_max(r))
                return refuse_size(r, e);
        if (atomic_fetch_add(&r->http->bodies, (long long)n) + (long long)n > all) {
                atomic_fetch_sub(&r->http->bodies, (long long)n);
                return err_set(e, ERR_TRY_AGAIN, 0, "too many bodies are coming in");
        }
        strbuf_add(&r->body, data, n);
        if (!strbuf_failed(&r->body))
                return 0;
        atomic_fetch_sub(&r->http->bodies, (long long)n);
        return err_set(e, ERR_TRY_AGAIN, ENOMEM, "the body");
}

int request_hold_answer(struct request *r, size_t n, struct err *e)
{
        int64_t all = share(r, r->http->config.limits.bodies_bytes), held;

        if (n < ANSWER_LARGE_MIN || n <= r->held)
                return 0;
        n -= r->held;
        held = atomic_fetch_add(&r->http->answers_held, (long long)n);
        /* One alone may be larger than all may be together. */
        if (!r->held && held && held + (int64_t)n > all) {
                atomic_fetch_sub(&r->http->answers_held, (long long)n);
                return err_set(e, ERR_TRY_AGAIN, 0, "too many large answers wait to be read");
        }
        r->held += n;
        return 0;
}

static void forget_body(struct request *r)
{
        atomic_fetch_sub(&r->http->bodies, (long long)r->body.len);
        strbuf_done(&r->body);
}

enum MHD_Result request_body(struct request *r, const char *data, size_t *n)
{
        if (!r->refused && wire_verdict(&r->connection->wire, r->nth)) {
                /* What comes now may be made up, to get to the end of it. */
                r->err = r->connection->wire.err;
                r->refused = true;
        }
        if (r->refused)
                return swallow(r, n);
        if (r->route->body == ROUTE_BODY_STREAM)
                return stream(r, data, n);
        if (keep(r, data, *n, &r->err) == 0) {
                *n = 0;
                return MHD_YES;
        }
        r->refused = true;
        forget_body(r);
        return swallow(r, n);
}

static bool is_json(const char *type)
{
        const char json[] = "application/json";
        size_t n = sizeof(json) - 1;

        return type && !strncasecmp(type, json, n) && (!type[n] || strchr("; \t", type[n]));
}

static int check_body(const struct request *r, struct err *e)
{
        enum route_body body = r->route->body;

        if (body == ROUTE_BODY_REQUIRED && !r->body.len)
                return err_set_at(e, ERR_MALFORMED, "", "the body is empty");
        if (r->body.len && body != ROUTE_BODY_NONE &&
            (r->head.headers[HEADER_CONTENT_TYPE].n > 1 || !is_json(head_get(&r->head, HEADER_CONTENT_TYPE))))
                return err_set(e, ERR_UNSUPPORTED_MEDIA_TYPE, 0, "the body is not application/json");
        return 0;
}

/* ---------------------------------------------------------------------------- handling and waiting */

static void handle(struct request *r)
{
        r->handled = true;
        if (r->connection)
                idle_leave(r->connection);
        if (!r->refused && check_wire(r, &r->err) < 0)
                r->refused = true;
        if (r->refused || check_body(r, &r->err) < 0)
                reply_problem(r, &r->err);
        else
                r->route->handle(r);
        /* Who waits holds none of the memory for bodies. */
        forget_body(r);
}

/* An operation is done. */
static void go_on(struct request *r)
{
        struct err e = {0};

        /* Who waited may have lost his token meanwhile. What is done already is answered as it is. */
        if (r->patient && registry_recheck(request_registry(r), &r->caller, &e) < 0)
                reply_problem(r, &e);
        else if (r->ticket.err.kind != ERR_NONE)
                reply_problem_of(r, &r->ticket.err, r->ticket.id);
        else
                r->then(r);
}

int request_spare_file(const struct request *r, struct err *e)
{
        return accept_has_file(r->listener) ? 0
                                            : err_set(e, ERR_TRY_AGAIN, 0, "too many files are open already");
}

int request_admit(struct request *r, struct err *e)
{
        if (!r->place)
                r->place = park_admit(&r->http->park, r->caller.who, r->caller.process || r->caller.token, e);
        return r->place ? 0 : -1;
}

enum MHD_Result request_go_on(struct request *r)
{
        struct err e = {0};

        if (!r->handled)
                handle(r);
        else
                watch_wake(r->connection);
        while (!r->response) {
                request_take(r, REQUEST_MORE);
                if (request_take(r, REQUEST_DONE))
                        go_on(r);
                else if (request_take(r, REQUEST_LEFT))
                        return MHD_NO;
                else if (request_take(r, REQUEST_STOP))
                        reply_refuse(r, ERR_STOPPING, "the server is stopping");
                else if (r->patient && request_admit(r, &e) < 0)
                        reply_problem(r, &e);
                else if (request_park(r))
                        return MHD_YES;
                else
                        reply_refuse(r, ERR_STOPPING, "the server is stopping");
        }
        return reply_send(r);
}

unsigned request_take(struct request *r, unsigned mask)
{
        unsigned taken = atomic_load(&r->events) & mask;

        if (taken)
                atomic_fetch_and(&r->events, ~taken);
        if (taken & REQUEST_DONE)
                r->pending = false;
        return taken;
}

static void resume(struct request *r)
{
        struct http *h = r->http;

        park_leave(&h->park, &r->parked);
        MHD_resume_connection(r->conn);
        park_left(&h->park);
}

void request_wake(struct request *r, unsigned events)
{
        unsigned old = atomic_load(&r->events);

        while (!atomic_compare_exchange_weak(&r->events, &old, (old | events) & ~(unsigned)REQUEST_PARKED))
                ;
        if (old & REQUEST_PARKED)
                resume(r);
}

static void on_left(void *arg)
{
        request_wake(arg, REQUEST_LEFT);
}

/* Who waits for a commit goes on when his client has left. */
static void look_out(struct request *r)
{
        if (watch_sleep(r->connection, r->patient ? on_left : NULL, r) && r->patient)
                atomic_fetch_or(&r->events, REQUEST_LEFT);
}

bool request_park(struct request *r)
{
        unsigned none = 0;

        if (!park_enter(&r->http->park, r, &r->parked, r->pipe_fd))
                return false;
        MHD_suspend_connection(r->conn);
        look_out(r);
        /* From here on whoever brings an event resumes; one that is there already, we must see ourselves. */
        if (!atomic_compare_exchange_strong(&r->events, &none, REQUEST_PARKED))
                resume(r);
        return true;
}

static void done(struct ticket *t)
{
        struct request *r = container_of(t, struct request, ticket);

        request_wake(r, REQUEST_DONE);
        request_unref(r);
}

struct ticket *request_ticket(struct request *r)
{
        ticket_done(&r->ticket);
        ticket_init(&r->ticket, done);
        request_ref(r);
        return &r->ticket;
}

int request_started(struct request *r, int rc, enum patience patience)
{
        r->pending = rc > 0;
        r->patient = patience == PATIENT;
        if (rc <= 0)
                request_unref(r);
        return rc;
}

void request_await(struct request *r, int rc, enum patience patience, void (*then)(struct request *r))
{
        r->then = then;
        if (request_started(r, rc, patience) <= 0)
                go_on(r);
}

static void log_it(const struct request *r)
{
        const char *target = r->target ? r->target : "";
        char path[256];

        if (!log_wants(LOG_DEBUG))
                return;
        snprintf(path, sizeof(path), "%.*s", (int)strcspn(target, "?"), target);
        log_debug("http.request", "method=%s path=%s status=%d us=%lld", log_quote(r->head.method),
                  log_quote(path), r->status, (long long)(clock_mono_us() - r->begun_us));
}

void request_end(struct request *r)
{
        if (r->connection)
                watch_wake(r->connection);
        if (r->pending && r->patient && registry_cancel(request_registry(r), &r->ticket))
                request_unref(r);
        park_dismiss(&r->http->park, r->place);
        forget_body(r);
        atomic_fetch_sub(&r->http->answers_held, (long long)r->held);
        if (r->begun) {
                log_it(r);
                if (r->status >= 100 && r->status < 100 * (HTTP_CLASSES + 1))
                        counter_add(&r->http->answers[r->status / 100 - 1], 1);
                if (r->connection)
                        idle_enter(r->connection,
                                   wire_is_between(&r->connection->wire) ? IDLE_QUIET : IDLE_HEAD);
                count_busy(r->http, false);
        }
        request_unref(r);
}
