/* SPDX-License-Identifier: MIT */
/* store/retention.h
 * What is over and old enough to go: see model/retention.h. Deleting a process is record_delete()'s.
 *
 * Threads: those with a struct db from a store_job's ->run, that is on the writer's thread.
 */
#ifndef CRECHE_STORE_RETENTION_H
#define CRECHE_STORE_RETENTION_H

#include <stddef.h>

#include "base/err.h"
#include "model/retention.h"

struct db;
struct store;

enum { RETENTION_EVENTS = 1000 /* that go at once */ };

/** Delete up to RETENTION_EVENTS of the oldest events that are due; @n: how many. -1. */
int retention_prune_events(struct db *db, const struct retention *keep, const struct retention_now *now,
                           int64_t *n, struct err *e);

/** The ids of up to @room processes that are due into @ids; @n: how many. There may be more as long as there are any.
 * -1. */
int retention_due(struct db *db, const struct retention *keep, const struct retention_now *now, int64_t *ids,
                  size_t room, size_t *n, struct err *e);

/** When neither gave any: how long until something may be, in microseconds > 0; INT64_MAX: never, unless something
 * happens. -1 with @e set. */
int retention_wait(struct db *db, const struct retention *keep, const struct retention_now *now,
                   int64_t *wait_us, struct err *e);

/** Call @fn with each process whose deletion was told of by one of the last @events events. Any thread. -1. */
int store_deleted_last(struct store *s, int64_t events, void (*fn)(int64_t id, void *arg), void *arg,
                       struct err *e);

#endif
