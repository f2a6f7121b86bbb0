/* SPDX-License-Identifier: MIT */
#include "transport/tally.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tally_entry {
        struct list link;
        int64_t n;
        char key[TALLY_KEY_MAX];
};

void tally_init(struct tally *t)
{
        pthread_mutex_init(&t->lock, NULL);
        for (size_t i = 0; i < TALLY_BUCKETS; i++)
                list_init(&t->buckets[i]);
}

void tally_done(struct tally *t)
{
        pthread_mutex_destroy(&t->lock);
}

/* Who can choose many keys that fall together has many addresses, and finds a list of them. */
static struct list *bucket(struct tally *t, const char *key)
{
        uint32_t hash = 2166136261;

        for (; *key; key++)
                hash = (hash ^ (unsigned char)*key) * 16777619;
        return &t->buckets[hash % TALLY_BUCKETS];
}

static struct tally_entry *find_or_add(struct tally *t, const char *key)
{
        struct list *b = bucket(t, key);
        struct tally_entry *e;

        list_for_each (pos, b) {
                e = container_of(pos, struct tally_entry, link);
                if (!strcmp(e->key, key))
                        return e;
        }
        e = calloc(1, sizeof(*e));
        if (!e)
                return NULL;
        snprintf(e->key, sizeof(e->key), "%s", key);
        list_append(b, &e->link);
        return e;
}

struct tally_entry *tally_enter(struct tally *t, const char *key, int64_t max)
{
        char cut[TALLY_KEY_MAX];
        struct tally_entry *e;

        snprintf(cut, sizeof(cut), "%s", key);
        pthread_mutex_lock(&t->lock);
        e = max > 0 ? find_or_add(t, cut) : NULL;
        if (e && e->n >= max)
                e = NULL;
        if (e)
                e->n++;
        pthread_mutex_unlock(&t->lock);
        return e;
}

void tally_leave(struct tally *t, struct tally_entry *e)
{
        if (!e)
                return;
        pthread_mutex_lock(&t->lock);
        if (!--e->n) {
                list_remove(&e->link);
                free(e);
        }
        pthread_mutex_unlock(&t->lock);
}
