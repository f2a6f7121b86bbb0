/* SPDX-License-Identifier: MIT */
/* store/records.h
 * The changes of a registry, as statements in the writer's transaction: the one door through which a state
 * reaches the disk. Each transition is checked by its WHERE, counted in the tally and told in an event, all
 * in the same transaction.
 *
 * Every function is called from a writer_job's ->run, that is on the writer's thread. Each returns -1 with
 * @e set when the database fails (the job is rolled back then).
 */
#ifndef CRECHE_STORE_RECORDS_H
#define CRECHE_STORE_RECORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "model/process.h"

struct db;

/* What a new row has beside the process. */
struct record_extras {
        const char *request;              /* JSON, kept while initial; NULL */
        const char *idempotency_key;      /* NULL: none */
        const unsigned char *fingerprint; /* 32 bytes, with a key */
};

/** Consume the next number under @parent (0: the main process). ERR_NOT_FOUND: no such parent. */
int record_next_child(struct db *db, int64_t parent, int64_t *number, struct err *e);

/** Insert @p in its state, which is initial or starting. */
int record_insert(struct db *db, const struct process *p, const struct record_extras *x, struct err *e);

/* The process that an Idempotency-Key names. */
struct record_key {
        int64_t id;
        enum process_state state;
        bool unstarted; /* initial, but its client wanted it started: the daemon died before it could (R7) */
};

/** Look an Idempotency-Key of @parent's up. Returns 1 with @found set, 0: a new key, or -1:
 * ERR_IDEMPOTENCY_MISMATCH or the database.
 *
 * That of one process of a batch is the batch's, a space and which one it is: no client's key has a space. All of a batch
 * have the same fingerprint: with another one the key is no new one, though this process of it has no row. */
int record_by_key(struct db *db, int64_t parent, const struct record_extras *x, struct record_key *found,
                  struct err *e);

/* The transitions. Each returns 0, or 1 when the row is not in a state from which it may happen (somebody
 * was there before us; nothing is changed). */
int record_claim(struct db *db, const struct process *p, struct err *e);   /* initial -> starting */
int record_started(struct db *db, const struct process *p, struct err *e); /* starting -> started */
/* -> stopped, failed, lost; from `starting` as well: what ran, and has ended before that was recorded, tells both. */
int record_ended(struct db *db, const struct process *p, struct err *e);
int record_unstarted(struct db *db, int64_t id, struct err *e); /* starting -> initial */
int record_discard(struct db *db, int64_t id, struct err *e);   /* starting -> no row */
/* An end or initial -> closed; @was: the state it had, also when it returns 1. ERR_NOT_FOUND. */
int record_close(struct db *db, int64_t id, enum process_state *was, struct err *e);
int record_delete(struct db *db, int64_t id, enum process_state *was, struct err *e);

/* Changes that are no transition. 1: there was nothing to change. */
int record_requested(struct db *db, int64_t id, const char *requested_by, struct err *e);
int record_joined(struct db *db, int64_t id, int64_t at_us, struct err *e);
int record_rename(struct db *db, int64_t id, const char *name, struct err *e);
int record_respecify(struct db *db, const struct process *p, const char *request, struct err *e);

#endif
