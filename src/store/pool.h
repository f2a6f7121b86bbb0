/* SPDX-License-Identifier: MIT */
/* store/pool.h
 * The reading connections of a store: taken for one query, given back, opened when there is none.
 */
#ifndef CRECHE_STORE_POOL_H
#define CRECHE_STORE_POOL_H

#include "store/db.h"
#include "store/store.h"

/** NULL with @e set: ERR_UNAVAILABLE. */
struct db *pool_take(struct store *s, struct err *e);
void pool_give(struct store *s, struct db *db);

/** Bind what a caller that is a process may see: :self, :subtree and :subtree_end. @end holds the last until @q is
 * reset. */
void pool_bind_subtree(sqlite3_stmt *q, const struct caller *who, char end[CALLER_SUBTREE_MAX]);

#endif
