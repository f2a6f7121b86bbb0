/* SPDX-License-Identifier: MIT */
/* daemon/kernel.h
 * What the kernel must have for any of this to work.
 */
#ifndef CRECHE_DAEMON_KERNEL_H
#define CRECHE_DAEMON_KERNEL_H

#include "base/err.h"

/** Try each call and file that nothing of ours works without, before anything is written. ERR_INTERNAL: the
 * message names what is missing and what may be the cause. */
int kernel_check(struct err *e);

#endif
