/* SPDX-License-Identifier: MIT */
/* tests/unit/test_tokens.c: tokens as rows, and the table of those that may be used. */
#include "store_rig.h"

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "registry/token_table.h"
#include "store/tokens.h"

/* A hash that begins with @first. */
static const unsigned char *hash(unsigned char first, unsigned char last)
{
        static unsigned char h[TOKEN_HASH_BYTES];

        memset(h, 7, sizeof(h));
        h[0] = first;
        h[TOKEN_HASH_BYTES - 1] = last;
        return h;
}

static struct token token(int64_t id, int64_t expires_us)
{
        return (struct token){.id = id,
                              .name = "ci",
                              .scopes = SCOPE_READ | SCOPE_START,
                              .targets = "a b",
                              .created_by = "uid 0",
                              .created_us = 1000,
                              .expires_us = expires_us};
}

/* ------------------------------------------------------------------------------------------- table */

struct table {
        struct token_table table;
        struct caller who;
        bool note;
        struct err err;
};

static void add(struct table *t, const struct token *token_, const unsigned char *h, int64_t now_us)
{
        struct err e = {0};

        MUST(token_table_add(&t->table, token_, h, now_us, &e));
}

static int find(struct table *t, const unsigned char *h, int64_t now_us)
{
        t->err = (struct err){0};
        return token_table_find(&t->table, h, now_us, &t->who, &t->note, &t->err);
}

static void done(struct table *t)
{
        token_table_done(&t->table);
}

static struct table *table_of(struct token first)
{
        static struct table t;

        t = (struct table){.note = false};
        token_table_init(&t.table);
        add(&t, &first, hash(1, 1), 0);
        return &t;
}

TEST(a_token_is_found_by_the_whole_of_its_hash)
{
        struct table *t = table_of(token(3, 0));

        CHECK_INT(find(t, hash(1, 1), 10), 0);
        CHECK_INT(t->who.token, 3);
        CHECK_INT(t->who.process, 0);
        CHECK_INT(t->who.scopes, SCOPE_READ | SCOPE_START);
        CHECK_STR(t->who.who, "token 3 (ci)");
        CHECK_STR(t->who.targets, "a b");
        CHECK_INT(find(t, hash(1, 2), 10), 1);
        CHECK_INT(find(t, hash(2, 1), 10), 1);
        done(t);
}

TEST(tokens_whose_hashes_begin_alike_are_told_apart)
{
        struct table *t = table_of(token(3, 0));
        struct token other = token(4, 0);

        add(t, &other, hash(1, 2), 0);
        CHECK_INT(find(t, hash(1, 2), 10), 0);
        CHECK_INT(t->who.token, 4);
        token_table_remove(&t->table, 4);
        CHECK_INT(find(t, hash(1, 2), 10), 1);
        CHECK_INT(find(t, hash(1, 1), 10), 0);
        done(t);
}

TEST(a_token_expires_at_its_time_and_not_a_microsecond_before)
{
        struct table *t = table_of(token(3, 1000));

        CHECK_INT(find(t, hash(1, 1), 999), 0);
        CHECK_INT(find(t, hash(1, 1), 1000), -1);
        CHECK_INT(t->err.kind, ERR_TOKEN_EXPIRED);
        done(t);
}

TEST(what_has_expired_goes_when_another_comes)
{
        struct table *t = table_of(token(3, 1000));
        struct token other = token(4, 0);

        add(t, &other, hash(2, 2), 1000);
        CHECK_INT(find(t, hash(1, 1), 999), 1);
        CHECK_INT(find(t, hash(2, 2), 1000), 0);
        done(t);
}

TEST(who_was_let_in_may_go_on_until_the_token_expires_or_is_revoked)
{
        struct table *t = table_of(token(3, 1000));
        const struct caller peer = {.scopes = SCOPE_ALL};
        struct err e = {0};

        CHECK_INT(find(t, hash(1, 1), 10), 0);
        CHECK_INT(token_table_check(&t->table, &t->who, 999, &e), 0);
        CHECK_FAILS(token_table_check(&t->table, &t->who, 1000, &e), ERR_TOKEN_EXPIRED);
        token_table_remove(&t->table, 3);
        CHECK_FAILS(token_table_check(&t->table, &t->who, 999, &e), ERR_TOKEN_REVOKED);
        CHECK_INT(token_table_check(&t->table, &peer, 999, &e), 0);
        done(t);
}

TEST(the_use_of_a_token_is_noted_once_a_minute)
{
        struct token used = token(3, 0);
        struct table *t;

        used.used_us = 5000000;
        t = table_of(used);
        CHECK_INT(find(t, hash(1, 1), 64999999), 0);
        CHECK(!t->note);
        CHECK_INT(find(t, hash(1, 1), 65000000), 0);
        CHECK(t->note);
        CHECK_INT(find(t, hash(1, 1), 65000001), 0);
        CHECK(!t->note);
        done(t);
}

/* -------------------------------------------------------------------------------------------- rows */

struct row {
        struct token token;
        unsigned char hash[TOKEN_HASH_BYTES];
        int64_t id, at_us;
        int rc;
};

static int insert_run(struct db *db, void *arg, struct err *e)
{
        struct row *r = arg;

        return record_token_insert(db, &r->token, r->hash, &r->id, e);
}

static int revoke_run(struct db *db, void *arg, struct err *e)
{
        struct row *r = arg;

        r->rc = record_token_revoke(db, r->id, r->at_us, e);
        return r->rc < 0 ? -1 : 0;
}

static int used_run(struct db *db, void *arg, struct err *e)
{
        struct row *r = arg;

        return record_token_used(db, r->id, r->at_us, e);
}

static int64_t insert(struct store *s, unsigned char first, int64_t expires_us)
{
        struct row r = {.token = token(0, expires_us)};

        memcpy(r.hash, hash(first, 0), TOKEN_HASH_BYTES);
        rig_write(s, insert_run, &r);
        return r.id;
}

static void show(const struct token *t, void *arg)
{
        strbuf_printf(arg, "%" PRId64 " %s %u %s %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %s\n", t->id,
                      t->name, t->scopes, t->created_by, t->created_us, t->expires_us, t->revoked_us,
                      t->used_us, t->targets);
}

static void show_live(const struct token *t, const unsigned char h[TOKEN_HASH_BYTES], void *arg)
{
        strbuf_printf(arg, "%" PRId64 " %d,", t->id, h[0]);
}

TEST(a_token_is_read_as_it_was_written)
{
        CLEANUP(strbuf_done) struct strbuf b = {0};
        struct store *s = rig_open();
        struct row r = {.id = insert(s, 1, 5000), .at_us = 3000};
        struct err e = {0};

        rig_write(s, used_run, &r);
        r.at_us = 2000; /* the clock was set back */
        rig_write(s, used_run, &r);
        rig_write(s, revoke_run, &r);
        CHECK_INT(store_token(s, r.id, show, &b, &e), 0);
        CHECK_STR(strbuf_text(&b), "1 ci 3 uid 0 1000 5000 2000 3000 a b\n");
        CHECK_INT(store_token(s, 2, show, &b, &e), 1);
        CHECK_INT(store_token_by_hash(s, hash(1, 0), show, &b, &e), 0);
        CHECK_INT(store_token_by_hash(s, hash(1, 1), show, &b, &e), 1);
        store_close(s);
}

TEST(a_token_is_revoked_once)
{
        struct store *s = rig_open();
        struct row r = {.id = insert(s, 1, 0), .at_us = 2000};
        struct rig_job j;

        rig_write(s, revoke_run, &r);
        CHECK_INT(r.rc, 0);
        r.at_us = 3000;
        rig_write(s, revoke_run, &r);
        CHECK_INT(r.rc, 1);
        CHECK_INT(rig_select("SELECT revoked_at FROM token"), 2000);
        r.id = 4711;
        rig_submit(s, &j, revoke_run, &r);
        CHECK_INT(rig_wait(&j), ERR_NOT_FOUND);
        store_close(s);
}

TEST(those_that_may_be_used_are_neither_expired_nor_revoked)
{
        CLEANUP(strbuf_done) struct strbuf b = {0};
        struct store *s = rig_open();
        struct row revoked = {.at_us = 2000};
        struct err e = {0};

        insert(s, 1, 0);
        insert(s, 2, 3000);
        insert(s, 3, 3001);
        revoked.id = insert(s, 4, 0);
        rig_write(s, revoke_run, &revoked);
        MUST(store_tokens_live(s, 3000, show_live, &b, &e));
        CHECK_STR(strbuf_text(&b), "1 1,3 3,");
        store_close(s);
}

TEST(no_two_tokens_have_one_hash)
{
        struct store *s = rig_open();
        struct row r = {.token = token(0, 0)};
        struct rig_job j;

        insert(s, 1, 0);
        memcpy(r.hash, hash(1, 0), TOKEN_HASH_BYTES);
        rig_submit(s, &j, insert_run, &r);
        CHECK(rig_wait(&j) != ERR_NONE);
        store_close(s);
}

TEST(scopes_go_there_and_back)
{
        char text[SCOPES_TEXT_MAX];

        for (unsigned set = 0; set <= SCOPE_ALL; set++)
                CHECK_INT(scopes_parse(scopes_text(set, text)), set);
        CHECK_STR(scopes_text(SCOPE_ALL, text), "read start signal logs delete admin");
        CHECK_INT(scopes_parse("read nonsense averyveryverylongword admin"), SCOPE_READ | SCOPE_ADMIN);
        CHECK_INT(scope_parse("Read"), 0);
        CHECK_INT(scope_parse(""), 0);
}

TEST_MAIN("tokens")
