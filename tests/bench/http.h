/* SPDX-License-Identifier: MIT */
/* A client of many connections to one unix socket, in one thread: as little as can be done, because it shares the
 * processors with what is measured. It keeps connections, sends what a callback writes, and takes answers that have a
 * Content-Length; anything else ends the program. */
#ifndef CRECHE_BENCH_HTTP_H
#define CRECHE_BENCH_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct client {
        int fd;
        int phase;    /* the caller's */
        int64_t id;   /* the caller's */
        double since; /* when the request was sent: now_s() */
        double began; /* the caller's */
        char head[512];
        char *in;
        size_t in_len, in_size;
};

/** An answer is complete. @body is valid during the call, with a NUL behind it. */
typedef void (*answer_fn)(struct client *c, int status, const char *body, size_t n);

struct clients {
        struct client *all;
        int n;
        int epoll;
        int waiting; /* how many have a request that is not answered */
};

/** Connect @n clients to the socket @path. */
void clients_open(struct clients *cs, const char *path, int n);
void clients_close(struct clients *cs);

/** Send a request; @body may be NULL. Not while one is under way on this connection. */
void client_send(struct clients *cs, struct client *c, const char *method, const char *target,
                 const char *body);

/** Take answers, and call @answer for each, until none is waited for. It may send again. */
void clients_run(struct clients *cs, answer_fn answer);

/** The value of the member @name, a number, in the JSON @body. Ends the program when there is none. */
int64_t json_number(const char *body, const char *name);

#endif
