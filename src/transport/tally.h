/* SPDX-License-Identifier: MIT */
/* transport/tally.h
 * How often each of many is there: connections by peer, waiting requests by caller.
 *
 * Threads: tally_enter() and tally_leave() from any.
 */
#ifndef CRECHE_TRANSPORT_TALLY_H
#define CRECHE_TRANSPORT_TALLY_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

enum { TALLY_BUCKETS = 256, TALLY_KEY_MAX = 64 };

struct tally {
        pthread_mutex_t lock;
        struct list buckets[TALLY_BUCKETS];
};

struct tally_entry;

void tally_init(struct tally *t);
/** Everybody has left. */
void tally_done(struct tally *t);

/** One more of @key, text that is cut off at TALLY_KEY_MAX. Returns what tally_leave() takes; NULL: there are
 * @max already, or no memory. */
struct tally_entry *tally_enter(struct tally *t, const char *key, int64_t max);
/** One less. @e may be NULL. */
void tally_leave(struct tally *t, struct tally_entry *e);

#endif
