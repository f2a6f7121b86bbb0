/* SPDX-License-Identifier: MIT */
/* tests/seam/seam_vfs.h
 * What the two halves of the seam share. See seam.h.
 */
#ifndef CRECHE_TESTS_SEAM_VFS_H
#define CRECHE_TESTS_SEAM_VFS_H

#include "seam.h"

/* Around each call: returns the errno with which it shall fail, 0: it shall be made. */
int seam_enter(struct seam_call *call);
void seam_leave(struct seam_call *call, long result);

#endif
