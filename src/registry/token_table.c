/* SPDX-License-Identifier: MIT */
#include "registry/token_table.h"

#include <gnutls/gnutls.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* How often the use of a token is recorded. */
#define NOTE_US (60 * CLOCK_US_PER_S)

struct token_entry {
        struct token_entry *next;
        unsigned char hash[TOKEN_HASH_BYTES];
        int64_t id, expires_us, noted_us;
        unsigned scopes;
        char name[TOKEN_NAME_MAX + 1], targets[TARGETS_TEXT_MAX];
};

void token_table_init(struct token_table *t)
{
        *t = (struct token_table){0};
        pthread_mutex_init(&t->lock, NULL);
}

static bool has_expired(int64_t expires_us, int64_t now_us)
{
        return expires_us && expires_us <= now_us;
}

/* Under the lock. */
static void remove_if(struct token_table *t, bool (*is)(const struct token_entry *entry, int64_t what),
                      int64_t what)
{
        for (size_t i = 0; i < TOKEN_BUCKETS; i++) {
                struct token_entry **at = &t->buckets[i], *entry;

                while ((entry = *at)) {
                        if (!is(entry, what)) {
                                at = &entry->next;
                                continue;
                        }
                        *at = entry->next;
                        free(entry);
                }
        }
}

static bool is_any(const struct token_entry *entry, int64_t unused)
{
        (void)entry;
        (void)unused;
        return true;
}

static bool is_id(const struct token_entry *entry, int64_t id)
{
        return entry->id == id;
}

static bool is_expired(const struct token_entry *entry, int64_t now_us)
{
        return has_expired(entry->expires_us, now_us);
}

void token_table_done(struct token_table *t)
{
        remove_if(t, is_any, 0);
        pthread_mutex_destroy(&t->lock);
}

int token_table_add(struct token_table *t, const struct token *token,
                    const unsigned char hash[TOKEN_HASH_BYTES], int64_t now_us, struct err *e)
{
        struct token_entry *entry = calloc(1, sizeof(*entry)), **bucket = &t->buckets[hash[0]];

        if (!entry)
                return err_set(e, ERR_UNAVAILABLE, 0, "out of memory");
        entry->id = token->id;
        entry->scopes = token->scopes;
        entry->expires_us = token->expires_us;
        entry->noted_us = token->used_us;
        memcpy(entry->hash, hash, TOKEN_HASH_BYTES);
        snprintf(entry->name, sizeof(entry->name), "%s", token->name);
        snprintf(entry->targets, sizeof(entry->targets), "%s", token->targets ?: "");
        pthread_mutex_lock(&t->lock);
        remove_if(t, is_expired, now_us);
        entry->next = *bucket;
        *bucket = entry;
        pthread_mutex_unlock(&t->lock);
        return 0;
}

void token_table_remove(struct token_table *t, int64_t id)
{
        pthread_mutex_lock(&t->lock);
        remove_if(t, is_id, id);
        pthread_mutex_unlock(&t->lock);
}

/* Under the lock. */
static struct token_entry *find(struct token_table *t, const unsigned char hash[TOKEN_HASH_BYTES])
{
        struct token_entry *entry = t->buckets[hash[0]];

        while (entry && gnutls_memcmp(entry->hash, hash, TOKEN_HASH_BYTES) != 0)
                entry = entry->next;
        return entry;
}

static void be(const struct token_entry *entry, struct caller *who)
{
        *who = (struct caller){.token = entry->id, .scopes = entry->scopes, .expires_us = entry->expires_us};
        memcpy(who->token_hash, entry->hash, TOKEN_HASH_BYTES);
        memcpy(who->targets, entry->targets, sizeof(who->targets));
        snprintf(who->who, sizeof(who->who), "token %" PRId64 " (%s)", entry->id, entry->name);
}

static int expired(struct err *e)
{
        return err_set(e, ERR_TOKEN_EXPIRED, 0, "the token has expired");
}

int token_table_find(struct token_table *t, const unsigned char hash[TOKEN_HASH_BYTES], int64_t now_us,
                     struct caller *who, bool *note, struct err *e)
{
        struct token_entry *entry;
        int rc = 1;

        pthread_mutex_lock(&t->lock);
        entry = find(t, hash);
        if (entry && has_expired(entry->expires_us, now_us)) {
                rc = expired(e);
        } else if (entry) {
                be(entry, who);
                *note = now_us >= entry->noted_us + NOTE_US;
                if (*note)
                        entry->noted_us = now_us;
                rc = 0;
        }
        pthread_mutex_unlock(&t->lock);
        return rc;
}

int token_table_check(struct token_table *t, const struct caller *who, int64_t now_us, struct err *e)
{
        bool known;

        if (!who->token)
                return 0;
        pthread_mutex_lock(&t->lock);
        known = find(t, who->token_hash);
        pthread_mutex_unlock(&t->lock);
        if (has_expired(who->expires_us, now_us))
                return expired(e);
        return known ? 0 : err_set(e, ERR_TOKEN_REVOKED, 0, "the token has been revoked");
}
