/* SPDX-License-Identifier: MIT */
/* cli/json.h
 * Members of the objects that the API answers with, where a missing one is as good as null.
 */
#ifndef CRECHE_CLI_JSON_H
#define CRECHE_CLI_JSON_H

#include <stdint.h>

#include <jansson.h>

/** The argument of CLEANUP. */
static inline void json_putp(json_t **j)
{
        json_decref(*j);
}

/** A string; NULL when there is none. Borrowed from @object. */
static inline const char *json_text(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key));
}

/** A number; 0 when there is none. */
static inline int64_t json_number(const json_t *object, const char *key)
{
        return json_integer_value(json_object_get(object, key));
}

#endif
