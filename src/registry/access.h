/* SPDX-License-Identifier: MIT */
/* registry/access.h
 * Who may call: tokens that are minted, shown and revoked; and who has done what.
 *
 * What is here does not ask whether the caller may: the scope `admin` is asked for before. Tickets and returns as in
 * registry.h.
 */
#ifndef CRECHE_REGISTRY_ACCESS_H
#define CRECHE_REGISTRY_ACCESS_H

#include "model/audit.h"
#include "model/token.h"
#include "registry/registry.h"

/* "creche_" and 256 random bits as hexadecimal: programs that look for secrets find it by its beginning. */
#define TOKEN_PREFIX "creche_"
enum { TOKEN_TEXT_MAX = sizeof(TOKEN_PREFIX) + 2 * 32 };

typedef void (*access_show_token_fn)(const struct token *t, void *arg);

/** A new token. ERR_INTERNAL: no random numbers. */
int registry_token_make(char out[TOKEN_TEXT_MAX], struct err *e);

/** Mint @text, from registry_token_make(), as @wanted says: name, scopes, targets, expires_us. t->id: its id.
 * ERR_INVALID: targets with the scope admin. ERR_FORBIDDEN: it would outdo the token of the caller, in scopes or time; without a time it gets that one's.
 * ERR_FULL, ERR_UNAVAILABLE. */
int registry_token_mint(struct registry *r, const struct caller *who, const struct token *wanted,
                        const char *text, struct ticket *t);

/** Revoke @id. When this is done, no request is let in with it, and none that waits goes on. Revoking again does
 * nothing. ERR_NOT_FOUND. */
int registry_token_revoke(struct registry *r, const struct caller *who, int64_t id, struct ticket *t);

/** Show token @id. ERR_NOT_FOUND. */
int registry_token_show(struct registry *r, int64_t id, access_show_token_fn show, void *arg, struct err *e);

/** Show a page of tokens, those that were revoked or have expired too. 1: there are more. */
int registry_tokens_list(struct registry *r, const struct page *page, access_show_token_fn show, void *arg,
                         struct err *e);

typedef void (*access_show_audit_fn)(const struct audit *a, void *arg);

/** Show a page of the audit trail. 1: there are more. */
int registry_audit(struct registry *r, const struct audit_filter *f, access_show_audit_fn show, void *arg,
                   struct err *e);

/** Whether @who, who was let in, may still go on. ERR_TOKEN_REVOKED, ERR_TOKEN_EXPIRED, ERR_UNAUTHENTICATED: it was the
 * token of a process that has ended. */
int registry_recheck(struct registry *r, const struct caller *who, struct err *e);

#endif
