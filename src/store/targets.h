/* SPDX-License-Identifier: MIT */
/* store/targets.h
 * Named targets, as rows.
 *
 * record_target_*() are called from a store_job's ->run, that is on the writer's thread; store_target*() from any.
 */
#ifndef CRECHE_STORE_TARGETS_H
#define CRECHE_STORE_TARGETS_H

#include "model/target.h"
#include "store/store.h"

/** Put @definition under @name at @at_us. 0: it is new; 1: it takes the place of another. */
int record_target_put(struct db *db, const char *name, const char *definition, int64_t at_us, struct err *e);
/** ERR_NOT_FOUND. */
int record_target_delete(struct db *db, const char *name, struct err *e);

/* @t is valid during the call. */
typedef void (*target_show_fn)(const struct target *t, void *arg);

/** Show the target @name. 0, 1: there is none, -1. */
int store_target(struct store *s, const char *name, target_show_fn show, void *arg, struct err *e);

/** Show a page of targets, and one more if there is one. */
int store_targets(struct store *s, const struct page *page, target_show_fn show, void *arg, struct err *e);

#endif
