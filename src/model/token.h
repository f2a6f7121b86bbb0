/* SPDX-License-Identifier: MIT */
/* model/token.h
 * A token that was minted: who has it may call, within its scopes, until it expires or is revoked. The token
 * itself is told once and stored nowhere; its SHA-256 is what it is known by.
 *
 * Strings are borrowed, but where the header of a function says otherwise.
 */
#ifndef CRECHE_MODEL_TOKEN_H
#define CRECHE_MODEL_TOKEN_H

#include <stdint.h>

enum {
        TOKEN_HASH_BYTES = 32, /* SHA-256 */
        TOKEN_NAME_MAX = 64,   /* bytes */
};

struct token {
        int64_t id;
        const char *name;    /* UTF-8; not unique */
        unsigned scopes;     /* enum scope */
        const char *targets; /* "a b": it starts these only; NULL: anything */
        const char *created_by;
        int64_t created_us;
        int64_t expires_us; /* 0: never */
        int64_t revoked_us; /* 0: it is not */
        int64_t used_us;    /* about when it was used last; 0: never */
};

#endif
