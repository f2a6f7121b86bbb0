/* SPDX-License-Identifier: MIT */
/* base/kernel.h
 * What the kernel must have for any of this to work.
 *
 * Threads: any.
 */
#ifndef CRECHE_BASE_KERNEL_H
#define CRECHE_BASE_KERNEL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/** Try the call number @i, from 0 on, of those that nothing of ours works without, in a way that does nothing. Returns
 * what it is called, NULL: there are no more; *@works, and errno where it does not. */
const char *kernel_call(size_t i, bool *works);

/** Try each call and file, before anything is written. ERR_INTERNAL: the message names what is missing and what may be
 * the cause. */
int kernel_check(struct err *e);

#endif
