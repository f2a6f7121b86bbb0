/* SPDX-License-Identifier: MIT */
/* cli/client.h
 * HTTP to the daemon, several requests at a time, on one thread.
 *
 * A request is repeated until it has its answer, where that can do no harm (see ->repeatable): when the daemon says
 * 503 with Retry-After, or closes the connection, as it does when it is started anew. creche-init keeps the socket
 * meanwhile. A daemon that is gone for good is noticed by the socket.
 */
#ifndef CRECHE_CLI_CLIENT_H
#define CRECHE_CLI_CLIENT_H

#include <stdint.h>

#include <curl/curl.h>
#include <jansson.h>

#include "base/list.h"
#include "base/strbuf.h"
#include "cli/connect.h"

struct exchange;

/* A file to read from when there is something, or its end, beside the answers. */
struct watch {
        int fd;   /* -1: none */
        bool off; /* not now */
        void (*ready)(void *arg);
        void *arg;
};

enum { WATCHES_MAX = 2 };

struct client {
        struct connection where;
        CURLM *multi;
        bool verbose;
        bool silent;  /* nothing is said of a daemon that does not answer: exchange_is_waiting() does */
        bool reached; /* there has been a daemon: when it is missing, it may be on its way */
        struct list exchanges;
        struct watch watches[WATCHES_MAX];
};

/* A request and its answer. Zeroed but for what is set; exchange_done() at the end. */
struct exchange {
        const char *method;
        struct strbuf target; /* "/v1/..." */
        struct strbuf body;   /* JSON; empty: none */
        const char *key;      /* Idempotency-Key; NULL: none */
        const char *accept;   /* NULL: whatever comes */
        bool repeatable;      /* asked twice it is as asked once */
        bool patient;         /* and for as long as it takes */
        int64_t last_event;   /* Last-Event-ID; 0: none */

        /* Before it is repeated: make it what is still wanted. */
        void (*resume)(struct exchange *x);
        /* Of an answer that is no failure: take some of it. -1: no more, f is set. NULL: it is put into ->answer. */
        int (*take)(struct exchange *x, const char *bytes, size_t n);
        /* What to send instead of a body: up to @n bytes; 0: the end; -1: nothing yet, see client_unpause(). */
        ssize_t (*give)(struct exchange *x, char *bytes, size_t n);
        void *arg;

        long status; /* HTTP; 0: no answer */
        struct strbuf answer;
        int64_t log_offset; /* Creche-Log-Offset; -1: none was told */
        bool done;
        int failed; /* done: -1, and ->fail says why */
        struct fail fail;

        /* client.c's own. */
        struct list node;
        struct client *client;
        CURL *easy;
        struct curl_slist *headers;
        bool running;
        int64_t retry_after_us; /* -1: none was told */
        int64_t again_at_us, began_us, silent_since_us;
        int tries;
        bool told;
};

int client_begin(struct client *c, struct fail *f);
void client_done(struct client *c);

/** Send it. It belongs to the caller and stays where it is until exchange_done(). */
void client_send(struct client *c, struct exchange *x);
/** Wait until something has happened, at most @timeout_ms, and see to it. */
void client_turn(struct client *c, int timeout_ms);
/** Send it and wait for the answer. Returns 0, or -1 with @f set. */
int client_ask(struct client *c, struct exchange *x, struct fail *f);
/** Whether the daemon does not answer @x now, so that it is to be sent again. */
bool exchange_is_waiting(const struct exchange *x);
/** It has something to give again. */
void client_unpause(struct exchange *x);

/** A request without a body. */
void exchange_init(struct exchange *x, const char *method, const char *target, ...)
        __attribute__((format(printf, 3, 4)));
void exchange_done(struct exchange *x);

/** Ask and parse: @out is the caller's; NULL: the answer does not matter. @body NULL: none; else it is left empty. What
 * is no POST is repeatable; POSTs are not. */
int client_json(struct client *c, const char *method, const char *target, struct strbuf *body, json_t **out,
                struct fail *f);
/** The same with GET of a target that is printed. */
int client_get(struct client *c, json_t **out, struct fail *f, const char *target, ...)
        __attribute__((format(printf, 4, 5)));
/** All pages of the list at @target, whose rows are in the member @rows. */
int client_list(struct client *c, const char *target, const char *rows, json_t **out, struct fail *f);
/** Parse the answer that has come. */
int exchange_json(const struct exchange *x, json_t **out, struct fail *f);

/** Append @s with all but unreserved characters percent-encoded. */
void url_encode(struct strbuf *b, const char *s);

#endif
