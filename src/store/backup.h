/* SPDX-License-Identifier: MIT */
/* store/backup.h
 * Snapshots of the database, in a file beside it that is there only while it is being written.
 */
#ifndef CRECHE_STORE_BACKUP_H
#define CRECHE_STORE_BACKUP_H

#include <stdatomic.h>

#include "store/files.h"
#include "store/store.h"

/** See store_backup(). */
int backup_take(struct store *s, const struct files *f, const atomic_bool *stop, struct err *e);

/** Remove what a daemon left that died meanwhile. */
void backup_forget(const struct files *f);

#endif
