/* SPDX-License-Identifier: MIT */
/* store/tokens.h
 * The tokens that were minted, as rows.
 *
 * record_token_*() are called from a store_job's ->run, that is on the writer's thread; store_token*() from any.
 */
#ifndef CRECHE_STORE_TOKENS_H
#define CRECHE_STORE_TOKENS_H

#include "model/token.h"
#include "store/store.h"

/** Insert @t, whose id is given in *id. */
int record_token_insert(struct db *db, const struct token *t, const unsigned char hash[TOKEN_HASH_BYTES],
                        int64_t *id, struct err *e);
/** Revoke @id at @at_us. 0; 1: it had been revoked; ERR_NOT_FOUND. */
int record_token_revoke(struct db *db, int64_t id, int64_t at_us, struct err *e);
int record_token_used(struct db *db, int64_t id, int64_t at_us, struct err *e);

/* @t is valid during the call. */
typedef void (*token_show_fn)(const struct token *t, void *arg);
/* The same, with the hash of the token. */
typedef void (*token_live_fn)(const struct token *t, const unsigned char hash[TOKEN_HASH_BYTES], void *arg);

/** Show token @id. 0, 1: there is none, -1. */
int store_token(struct store *s, int64_t id, token_show_fn show, void *arg, struct err *e);
int store_token_by_hash(struct store *s, const unsigned char hash[TOKEN_HASH_BYTES], token_show_fn show,
                        void *arg, struct err *e);

/** Show a page of tokens, and one more if there is one. */
int store_tokens(struct store *s, const struct page *page, token_show_fn show, void *arg, struct err *e);

/** Show those that may be used at @now_us. */
int store_tokens_live(struct store *s, int64_t now_us, token_live_fn show, void *arg, struct err *e);

#endif
