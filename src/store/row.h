/* SPDX-License-Identifier: MIT */
/* store/row.h
 * Between a row of the table process and a struct process.
 */
#ifndef CRECHE_STORE_ROW_H
#define CRECHE_STORE_ROW_H

#include <sqlite3.h>

#include "model/process.h"

/* How many columns row_read() reads: what a query adds comes after them. */
extern const int row_columns;

/** The current row of @s. Its strings are borrowed from @s: valid until the next step. */
void row_read(sqlite3_stmt *s, struct process *p);

#endif
