/* SPDX-License-Identifier: MIT */
/* settings/choose.h
 * The one door to what is chosen; for this folder only.
 */
#ifndef CRECHE_SETTINGS_CHOOSE_H
#define CRECHE_SETTINGS_CHOOSE_H

#include "settings/settings.h"

/** Take a copy of @text, which has been checked, unless something that counts more was taken before. Returns 0, or -1 with @e set. */
int settings_choose(struct chosen *c, const char *text, enum origin origin, unsigned line, struct err *e);

#endif
