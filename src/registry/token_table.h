/* SPDX-License-Identifier: MIT */
/* registry/token_table.h
 * The tokens that may be used, in memory: authentication asks no database. Loaded when the registry is opened,
 * changed after each commit and before its answer; so a revoked token is refused from the moment on at which
 * anybody is told that it is revoked.
 *
 * Found by SHA-256, compared in constant time: what is measurable is where a hash begins, and nobody learns a
 * token from that.
 *
 * Threads: any; a lock of its own, held for no longer than a look.
 */
#ifndef CRECHE_REGISTRY_TOKEN_TABLE_H
#define CRECHE_REGISTRY_TOKEN_TABLE_H

#include <pthread.h>
#include <stdbool.h>

#include "base/err.h"
#include "model/caller.h"
#include "model/token.h"

enum { TOKEN_BUCKETS = 256 };

struct token_entry;

struct token_table {
        pthread_mutex_t lock;
        struct token_entry *buckets[TOKEN_BUCKETS]; /* by the first byte of the hash */
};

void token_table_init(struct token_table *t);
void token_table_done(struct token_table *t);

/** Copy @token in. What has expired by @now_us goes. ERR_UNAVAILABLE: out of memory. */
int token_table_add(struct token_table *t, const struct token *token,
                    const unsigned char hash[TOKEN_HASH_BYTES], int64_t now_us, struct err *e);

/** Forget the token @id; nothing when it is not there. */
void token_table_remove(struct token_table *t, int64_t id);

/** Whether the token of @hash may be used at @now_us. 0: @who is its caller, and *note says whether this use
 * shall be recorded: once a minute; 1: it is not in the table; -1: ERR_TOKEN_EXPIRED. */
int token_table_find(struct token_table *t, const unsigned char hash[TOKEN_HASH_BYTES], int64_t now_us,
                     struct caller *who, bool *note, struct err *e);

/** Whether @who, whom token_table_find() gave, may still go on. ERR_TOKEN_REVOKED, ERR_TOKEN_EXPIRED. */
int token_table_check(struct token_table *t, const struct caller *who, int64_t now_us, struct err *e);

#endif
