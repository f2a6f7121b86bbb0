/* SPDX-License-Identifier: MIT */
/* store/audit.h
 * The audit trail, as rows.
 */
#ifndef CRECHE_STORE_AUDIT_H
#define CRECHE_STORE_AUDIT_H

#include "model/audit.h"
#include "store/store.h"

/** Append @a, at the present time. From a store_job's ->run, beside the change that it tells of. On a full disk,
 * where what is done ends something, it goes to the log instead: what room there is is for the ends. */
int record_audit(struct db *db, const struct audit *a, struct err *e);

/* @a is valid during the call. */
typedef void (*audit_show_fn)(const struct audit *a, void *arg);

/** Show a page of entries, and one more if there is one. Any thread. */
int store_audit(struct store *s, const struct audit_filter *f, audit_show_fn show, void *arg, struct err *e);

#endif
