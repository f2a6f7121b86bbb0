/* SPDX-License-Identifier: MIT */
/* model/pattern.h
 * What a value must be like: a POSIX extended regular expression, which has to match all of it.
 *
 * An admin writes the pattern, anybody the value; so neither may cost much. regcomp(3) makes a copy of a group for each
 * of its repetitions, and regexec(3) has a state for each byte of a value in the worst case: a pattern is bounded by
 * the characters that it stands for when its repetitions are written out, and a value by its length.
 *
 * A pattern is of the C locale: it is about bytes, and "[a-z]" is those 26. What POSIX leaves undefined is refused,
 * because it means something else elsewhere: a backslash before a letter or a digit (so no "\d", and no
 * back-references), a brace that is no repetition, a parenthesis without the other. So is a repetition without end of
 * what can be empty, "(a*)*": it says no more than without, and regcomp() can take years for some of them.
 *
 * Threads: any; a compiled pattern, one at a time.
 */
#ifndef CRECHE_MODEL_PATTERN_H
#define CRECHE_MODEL_PATTERN_H

#include <regex.h>

#include "base/err.h"

enum {
        PATTERN_MAX = 256,         /* bytes of a pattern */
        PATTERN_WRITTEN_OUT = 512, /* characters, with all repetitions */
        PATTERN_GROUPS = 16,       /* within each other */
        PATTERN_VALUE_MAX = 4096,  /* bytes of a value */
};

/** Compile @text into @out, to be given to regfree(). ERR_INVALID, with @out untouched: what is wrong with it. */
int pattern_compile(const char *text, regex_t *out, struct err *e);

/** Whether all of @value, of at most PATTERN_VALUE_MAX bytes, is like @pattern. 1, 0, or -1: ERR_UNAVAILABLE, out of
 * memory. */
int pattern_matches(const regex_t *pattern, const char *value, struct err *e);

#endif
