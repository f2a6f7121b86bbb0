/* SPDX-License-Identifier: MIT */
/* transport/limits.h
 * How much one client, and all of them, may ask of the server. Each is an option of creched.
 */
#ifndef CRECHE_TRANSPORT_LIMITS_H
#define CRECHE_TRANSPORT_LIMITS_H

#include <stdint.h>

enum { LIMITS_BODY_MAX = 262144 }; /* bytes: no operation takes more JSON */

struct limits {
        int64_t head_us;          /* from the first byte of a head to its last */
        int64_t body_us;          /* from the end of the head to that of a body that is not streamed */
        int64_t stream_us;        /* without a byte of a body that is streamed */
        int64_t head_bytes;       /* first line and headers together */
        int64_t body_bytes;       /* of a body that is not streamed */
        int64_t bodies_bytes;     /* of all bodies, and of all large answers; a quarter is for operators */
        int64_t connections;      /* of each listener */
        int64_t peer_connections; /* of one address on TCP, of one uid on the unix socket, operators' excepted */
        int64_t parked;           /* requests that wait: for an exit, output, events, more of a stdin */
        int64_t caller_parked;    /* the same of one caller */
};

#define LIMITS_DEFAULT                                                                                       \
        {                                                                                                    \
                .head_us = 10000000, .body_us = 30000000, .stream_us = INT64_C(3600000000),                  \
                .head_bytes = 16384, .body_bytes = LIMITS_BODY_MAX, .bodies_bytes = 67108864,                \
                .connections = 32768, .peer_connections = 16384, .parked = 16384, .caller_parked = 12288,    \
        }

/** The requests that may wait: some connections of each listener are always left for those that do not. */
static inline int64_t limits_parked(const struct limits *l)
{
        int64_t most = l->connections - l->connections / 4;

        return l->parked < most ? l->parked : most;
}

#endif
