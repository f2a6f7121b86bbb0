/* SPDX-License-Identifier: MIT */
/* transport/tap.h
 * How libmicrohttpd is made to read through a wire, and to write through TLS.
 *
 * It calls recv() of the C library and can be told of no other function. A program's own function goes before
 * that of a library, so the recv() here is what libmicrohttpd calls: for a socket that has been put here it is
 * wire_read(), for all others the kernel's. Should it ever read in another way, wires would stay silent, and
 * request_head() refuses what no wire has seen.
 *
 * It is the same with all that it writes by: send() and sendmsg() encrypt where the connection is, sendfile() says that
 * it cannot, and then libmicrohttpd reads the file, and shutdown() says the end in TLS before it says it to the
 * kernel. That it has no other way out is a test (tests/api/tls.bats).
 *
 * By setsockopt() it hears of a unix socket that it is none of TCP, and does not try again.
 *
 * epoll_ctl() and epoll_wait() are transport/watch.h's. Of epoll_wait() it gets one event less than it asks for: with
 * all of them, 128, it would wait for more before it looks at any (tests/api/load.bats).
 *
 * Threads: a socket is put here before it is handed to libmicrohttpd, and is read by one thread.
 */
#ifndef CRECHE_TRANSPORT_TAP_H
#define CRECHE_TRANSPORT_TAP_H

#include <stdbool.h>

struct connection;

/** Read @fd through the wire of @c from now on. False: the number of @fd is too large. */
bool tap_put(int fd, struct connection *c);
/** Who reads @fd; NULL: nobody. */
struct connection *tap_find(int fd);
/** No more. Returns who it was. */
struct connection *tap_take(int fd);

#endif
