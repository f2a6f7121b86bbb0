/* SPDX-License-Identifier: MIT */
/* model/target.h
 * Named targets: what may be started by its name, with nothing but the values of its placeholders to be chosen. And the
 * lists of such names that a token, or a process, may be limited to.
 *
 * An argument of a template is text with {placeholders}; "{{" and "}}" are braces. What a placeholder stands for is
 * never split and never looked at again: an argument of the template is one argument of the process.
 *
 * Threads: any; no state.
 */
#ifndef CRECHE_MODEL_TARGET_H
#define CRECHE_MODEL_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum {
        TARGET_NAME_MAX = 63,         /* bytes; of a placeholder as well */
        TARGET_PLACEHOLDERS_MAX = 32, /* of one target */
        TARGETS_MAX = 16,             /* names in a list */
        TARGETS_TEXT_MAX = TARGETS_MAX * (TARGET_NAME_MAX + 1),
};

/* A row. Borrowed. */
struct target {
        int64_t id;
        const char *name;
        const char *definition; /* JSON: PutTargetRequest of the OpenAPI document */
        int64_t created_us, updated_us;
};

/** Whether it can be the name of a target: letters, digits, and not first '.', '_' and '-'. */
bool target_name_is_valid(const char *name);
/** Whether it can be the name of a placeholder: that of a variable in Python, in ASCII. */
bool placeholder_name_is_valid(const char *name);

/* A piece of an argument. */
struct piece {
        const char *text; /* borrowed; not ended by a NUL */
        size_t n;
        bool is_placeholder; /* text is its name */
};

/** The next piece of the argument at *@at, which moves on. 1; 0: there is no more; -1: ERR_INVALID, a brace that is
 * neither doubled nor one of two around a name. */
int template_next(const char **at, struct piece *out, struct err *e);

/** Whether @name is in the list "a b c". */
bool targets_have(const char *list, const char *name);
/** The names of @a, of less than TARGETS_TEXT_MAX bytes, that are in @b, too, into @out[TARGETS_TEXT_MAX]. */
void targets_intersect(const char *a, const char *b, char *out);

#endif
