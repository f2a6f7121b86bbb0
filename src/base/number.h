/* SPDX-License-Identifier: MIT */
/* base/number.h
 * Whole numbers as people and programs write them.
 *
 * Threads: any.
 */
#ifndef CRECHE_BASE_NUMBER_H
#define CRECHE_BASE_NUMBER_H

#include <stdint.h>

/**
 * All of @text as a decimal number from @min to @max into @out: digits, with a '-' before them where @min is
 * below 0. No sign else, no space, no unit.
 *
 * Returns 0, or -1 with @out untouched.
 */
int number_parse(const char *text, int64_t min, int64_t max, int64_t *out);

#endif
