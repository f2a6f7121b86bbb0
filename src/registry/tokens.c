/* SPDX-License-Identifier: MIT */
/* Tokens: minted, used, revoked. */
#include <gnutls/crypto.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/killpoint.h"
#include "base/log.h"
#include "registry/access.h"
#include "registry/internal.h"
#include "store/tokens.h"

/* A change of a token on its way to the disk. */
struct token_op {
        struct store_job job;
        struct registry *registry;
        struct ticket *ticket; /* NULL: nobody waits for it */
        struct token token;
        struct actor actor;
        char name[TOKEN_NAME_MAX + 1], targets[TARGETS_TEXT_MAX];
        unsigned char hash[TOKEN_HASH_BYTES];
        int64_t at_us;
};

static struct token_op *op_new(struct registry *r, int64_t id, struct ticket *t)
{
        struct token_op *op = calloc(1, sizeof(*op));

        if (!op)
                return NULL;
        op->registry = r;
        op->ticket = t;
        op->token.id = id;
        op->at_us = clock_now_us();
        return op;
}

static int submit(struct token_op *op, int (*run)(struct store_job *, struct db *, struct err *),
                  void (*done)(struct store_job *, const struct err *), bool grows)
{
        op->job = (struct store_job){.run = run, .done = done, .grows = grows};
        store_submit(op->registry->store, &op->job);
        return 1;
}

static void finish(struct token_op *op, const struct err *e)
{
        struct ticket *t = op->ticket;

        if (e)
                t->err = *e;
        t->id = op->token.id;
        free(op);
        t->done(t);
}

static void hash_of(const char *text, unsigned char out[TOKEN_HASH_BYTES])
{
        gnutls_hash_fast(GNUTLS_DIG_SHA256, text, strlen(text), out);
}

static int audit_token(const struct token_op *op, struct db *db, const char *verb, const char *detail,
                       struct err *e)
{
        struct audit entry = audit_by(&op->actor);

        entry.verb = verb;
        entry.token = op->token.id;
        entry.detail = detail;
        entry.outcome = AUDIT_DONE;
        return record_audit(db, &entry, e);
}

/* ------------------------------------------------------------------------------------------ mint */

int registry_token_make(char out[TOKEN_TEXT_MAX], struct err *e)
{
        unsigned char key[32];
        int n = snprintf(out, TOKEN_TEXT_MAX, TOKEN_PREFIX);

        if (gnutls_rnd(GNUTLS_RND_KEY, key, sizeof(key)) < 0)
                return err_set(e, ERR_INTERNAL, 0, "no random numbers");
        for (size_t i = 0; i < sizeof(key); i++)
                n += snprintf(out + n, TOKEN_TEXT_MAX - (size_t)n, "%02x", key[i]);
        gnutls_memset(key, 0, sizeof(key));
        return 0;
}

/* Nobody gives what he has not. */
static int check_grant(const struct caller *who, const struct token *wanted, struct err *e)
{
        unsigned more = wanted->scopes & ~who->scopes;

        if (more) /* the lowest of them */
                return err_set_at(e, ERR_FORBIDDEN, "/scopes", "%s has not the scope '%s' to give", who->who,
                                  scope_name((enum scope)(more & -more)));
        /* What rules the daemon would not be kept within targets. */
        if (wanted->targets && wanted->scopes & SCOPE_ADMIN)
                return err_set_at(e, ERR_INVALID, "/targets", "a token with the scope admin has no targets");
        if (who->expires_us && wanted->expires_us > who->expires_us)
                return err_set_at(e, ERR_FORBIDDEN, "/expires_at", "%s expires before that", who->who);
        return 0;
}

static int mint_run(struct store_job *job, struct db *db, struct err *e)
{
        struct token_op *op = container_of(job, struct token_op, job);

        char scopes[SCOPES_TEXT_MAX], detail[SCOPES_TEXT_MAX + TARGETS_TEXT_MAX + 16];

        if (record_token_insert(db, &op->token, op->hash, &op->token.id, e) < 0)
                return -1;
        snprintf(detail, sizeof(detail), "%s%s%s", scopes_text(op->token.scopes, scopes),
                 op->token.targets ? " targets " : "", op->token.targets ?: "");
        return audit_token(op, db, "token.mint", detail, e);
}

static void mint_done(struct store_job *job, const struct err *e)
{
        struct token_op *op = container_of(job, struct token_op, job);
        struct err own = {0};

        KILLPOINT("token.minted");
        if (!e && token_table_add(&op->registry->tokens, &op->token, op->hash, op->at_us, &own) < 0)
                e = &own;
        finish(op, e);
}

int registry_token_mint(struct registry *r, const struct caller *who, const struct token *wanted,
                        const char *text, struct ticket *t)
{
        struct token_op *op;

        if (check_grant(who, wanted, &t->err) < 0)
                return -1;
        op = op_new(r, 0, t);
        if (!op)
                return err_set(&t->err, ERR_UNAVAILABLE, 0, "out of memory");
        snprintf(op->name, sizeof(op->name), "%s", wanted->name);
        snprintf(op->targets, sizeof(op->targets), "%s", wanted->targets ?: "");
        op->actor = caller_actor(who);
        hash_of(text, op->hash);
        op->token = (struct token){.name = op->name,
                                   .scopes = wanted->scopes,
                                   .targets = wanted->targets ? op->targets : NULL,
                                   .created_by = op->actor.who,
                                   .created_us = op->at_us,
                                   .expires_us = wanted->expires_us ? wanted->expires_us : who->expires_us};
        return submit(op, mint_run, mint_done, true);
}

/* ---------------------------------------------------------------------------------------- revoke */

static int revoke_run(struct store_job *job, struct db *db, struct err *e)
{
        struct token_op *op = container_of(job, struct token_op, job);

        int rc = record_token_revoke(db, op->token.id, op->at_us, e);

        if (rc == 0)
                rc = audit_token(op, db, "token.revoke", NULL, e);
        return rc < 0 ? -1 : 0;
}

/* Durable first: a revocation that was answered is one after a crash as well. */
static void revoke_done(struct store_job *job, const struct err *e)
{
        struct token_op *op = container_of(job, struct token_op, job);

        KILLPOINT("token.revoked");
        if (!e)
                token_table_remove(&op->registry->tokens, op->token.id);
        finish(op, e);
}

int registry_token_revoke(struct registry *r, const struct caller *who, int64_t id, struct ticket *t)
{
        struct token_op *op = op_new(r, id, t);

        if (!op)
                return err_set(&t->err, ERR_UNAVAILABLE, 0, "out of memory");
        op->actor = caller_actor(who);
        return submit(op, revoke_run, revoke_done, false);
}

/* ------------------------------------------------------------------------------------------- use */

static int used_run(struct store_job *job, struct db *db, struct err *e)
{
        struct token_op *op = container_of(job, struct token_op, job);

        return record_token_used(db, op->token.id, op->at_us, e);
}

static void used_done(struct store_job *job, const struct err *e)
{
        struct token_op *op = container_of(job, struct token_op, job);

        if (e)
                log_warn("token.use_not_recorded", "id=%" PRId64 " error=%s", op->token.id,
                         log_quote(e->msg));
        free(op);
}

static void take_trouble(const struct token *t, void *arg)
{
        struct err *e = arg;

        if (t->revoked_us)
                err_set(e, ERR_TOKEN_REVOKED, 0, "the token has been revoked");
        else if (t->expires_us && t->expires_us <= clock_now_us())
                err_set(e, ERR_TOKEN_EXPIRED, 0, "the token has expired");
}

/* Only the database remembers what may not be used any more. One that it has and we have not is about to be
 * minted: its owner does not know it yet. */
static int refuse(struct registry *r, const unsigned char hash[TOKEN_HASH_BYTES], struct err *e)
{
        struct err unread;

        err_set(e, ERR_UNAUTHENTICATED, 0, "the token is unknown");
        store_token_by_hash(r->store, hash, take_trouble, e, &unread);
        return -1;
}

int registry_token_use(struct registry *r, const char *text, struct caller *who, struct err *e)
{
        unsigned char hash[TOKEN_HASH_BYTES];
        bool note = false;
        struct token_op *op;
        int rc;

        hash_of(text, hash);
        rc = token_table_find(&r->tokens, hash, clock_now_us(), who, &note, e);
        if (rc)
                return rc < 0 ? -1 : refuse(r, hash, e);
        op = note ? op_new(r, who->token, NULL) : NULL;
        if (op)
                submit(op, used_run, used_done, true);
        return 0;
}

/* ------------------------------------------------------------------------------------------ show */

int registry_token_show(struct registry *r, int64_t id, access_show_token_fn show, void *arg, struct err *e)
{
        int rc = store_token(r->store, id, show, arg, e);

        return rc == 1 ? err_set(e, ERR_NOT_FOUND, 0, "there is no token %" PRId64, id) : rc;
}

struct token_list {
        access_show_token_fn show;
        void *arg;
        size_t left;
        bool more;
};

static void show_within(const struct token *t, void *arg)
{
        struct token_list *l = arg;

        if (!l->left)
                l->more = true;
        else
                l->show(t, l->arg);
        l->left -= l->left > 0;
}

int registry_tokens_list(struct registry *r, const struct page *page, access_show_token_fn show, void *arg,
                         struct err *e)
{
        struct token_list l = {.show = show, .arg = arg, .left = page->limit};

        return store_tokens(r->store, page, show_within, &l, e) < 0 ? -1 : l.more;
}

/* ------------------------------------------------------------------------------------------ open */

struct token_load {
        struct registry *registry;
        struct err *e;
        int rc;
};

static void load_one(const struct token *t, const unsigned char hash[TOKEN_HASH_BYTES], void *arg)
{
        struct token_load *l = arg;

        if (token_table_add(&l->registry->tokens, t, hash, 0, l->e) < 0)
                l->rc = -1;
}

int registry_tokens_load(struct registry *r, struct err *e)
{
        struct token_load l = {.registry = r, .e = e};

        return store_tokens_live(r->store, clock_now_us(), load_one, &l, e) < 0 ? -1 : l.rc;
}
