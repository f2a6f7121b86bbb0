/* SPDX-License-Identifier: MIT */
#include "http/document.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/secret.h"

enum { DEPTH_MAX = 32 };

/* One more step of a pointer, escaped. */
static void add_step(char *out, size_t size, const char *key, size_t n)
{
        size_t at = strlen(out);

        if (at + 1 < size)
                out[at++] = '/';
        for (; n; n--, key++) {
                bool escape = *key == '~' || *key == '/';

                if (at + escape + 1 >= size)
                        break;
                if (escape)
                        out[at++] = '~';
                out[at++] = *key == '~' ? '0' : *key == '/' ? '1' : *key;
        }
        out[at] = '\0';
}

static void add_index(char *out, size_t size, size_t index)
{
        char digits[24];
        int n = snprintf(digits, sizeof(digits), "%zu", index);

        add_step(out, size, digits, (size_t)n);
}

void place_pointer(const struct place *at, char *out, size_t size)
{
        if (!at || !at->up) {
                *out = '\0';
                return;
        }
        place_pointer(at->up, out, size);
        if (at->key)
                add_step(out, size, at->key, strlen(at->key));
        else
                add_index(out, size, at->index);
}

int place_refuse(const struct place *at, struct err *e, const char *fmt, ...)
{
        char pointer[sizeof(e->pointer)], msg[sizeof(e->msg)];
        va_list ap;

        place_pointer(at, pointer, sizeof(pointer));
        va_start(ap, fmt);
        vsnprintf(msg, sizeof(msg), fmt, ap);
        va_end(ap);
        return err_set_at(e, ERR_INVALID, pointer, "%s", msg);
}

/* Where a parser stood: a stack of containers, each with the key or the index that it is at. */
struct scan {
        struct {
                bool object, wants_key;
                const char *key;
                size_t key_n, index;
        } levels[DEPTH_MAX];
        size_t depth; /* may be more than there are levels */
};

static void scan_open(struct scan *s, bool object)
{
        if (s->depth < DEPTH_MAX) {
                memset(&s->levels[s->depth], 0, sizeof(s->levels[0]));
                s->levels[s->depth].object = s->levels[s->depth].wants_key = object;
        }
        s->depth++;
}

static void scan_close(struct scan *s, bool object)
{
        if (s->depth > DEPTH_MAX || (s->depth && s->levels[s->depth - 1].object == object))
                s->depth--;
}

/* @p is a quotation mark; returns the one that closes it, or @end. */
static const char *scan_string(struct scan *s, const char *p, const char *end)
{
        const char *from = p + 1;

        for (p = from; p < end && *p != '"'; p++)
                if (*p == '\\' && p + 1 < end)
                        p++;
        if (s->depth && s->depth <= DEPTH_MAX && s->levels[s->depth - 1].wants_key) {
                s->levels[s->depth - 1].key = from;
                s->levels[s->depth - 1].key_n = (size_t)(p - from);
                s->levels[s->depth - 1].wants_key = false;
        }
        return p;
}

static void scan_comma(struct scan *s)
{
        if (!s->depth || s->depth > DEPTH_MAX)
                return;
        s->levels[s->depth - 1].index++;
        s->levels[s->depth - 1].key = NULL;
        s->levels[s->depth - 1].wants_key = s->levels[s->depth - 1].object;
}

/* A key as it stands in a text, with its escapes; those of one that is no string remain. */
static void add_key(char *out, size_t size, const char *key, size_t n)
{
        CLEANUP(json_decrefp) json_t *s = NULL;
        CLEANUP(freep) char *quoted = NULL;
        int len = asprintf(&quoted, "\"%.*s\"", (int)n, key);

        if (len > 0)
                s = json_loadb(quoted, (size_t)len, JSON_DECODE_ANY, NULL);
        else
                quoted = NULL;
        add_step(out, size, s ? json_string_value(s) : key, s ? json_string_length(s) : n);
}

/* The pointer of the place that a parser had reached after @n bytes of @text. */
static void scan_pointer(const char *text, size_t n, char *out, size_t size)
{
        struct scan s = {.depth = 0};

        for (const char *p = text; p < text + n; p++) {
                if (*p == '{' || *p == '[')
                        scan_open(&s, *p == '{');
                else if (*p == '}' || *p == ']')
                        scan_close(&s, *p == '}');
                else if (*p == '"')
                        p = scan_string(&s, p, text + n);
                else if (*p == ',')
                        scan_comma(&s);
        }
        *out = '\0';
        for (size_t i = 0; i < s.depth && i < DEPTH_MAX; i++) {
                if (!s.levels[i].object)
                        add_index(out, size, s.levels[i].index);
                else if (s.levels[i].key)
                        add_key(out, size, s.levels[i].key, s.levels[i].key_n);
                else
                        break;
        }
}

static int refuse_syntax(const char *text, size_t n, json_error_t *je, struct err *e)
{
        size_t at = je->position > 0 && (size_t)je->position <= n ? (size_t)je->position : n;
        char pointer[sizeof(e->pointer)];
        enum json_error_code code = json_error_code(je);
        char *near = strstr(je->text, " near ");
        enum err_kind kind = code == json_error_numeric_overflow ? ERR_INVALID : ERR_MALFORMED;

        /* What follows is a piece of the document, and that may be a secret. */
        if (near)
                *near = '\0';
        /* The token that nobody expected is not on the way to its place. */
        if (code == json_error_invalid_syntax && at && memchr("{}[],", text[at - 1], 5))
                at--;
        scan_pointer(text, at, pointer, sizeof(pointer));
        return err_set_at(e, kind, pointer, "%s (line %d, column %d)", je->text, je->line, je->column);
}

void document_keep_no_secrets(void)
{
        json_set_alloc_funcs(malloc, secret_free_all);
}

int document_read(const char *text, size_t n, json_t **out, struct err *e)
{
        json_error_t je;
        json_t *j = json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &je);

        if (!j)
                return refuse_syntax(text, n, &je, e);
        if (!json_is_object(j)) {
                json_decref(j);
                return err_set_at(e, ERR_INVALID, "", "must be an object");
        }
        *out = j;
        return 0;
}

static bool is_word_of(const char *words, const char *word)
{
        size_t n = strchr(word, ' ') ? 0 : strlen(word);

        for (const char *s = words; n && (s = strstr(s, word)); s += n)
                if ((s == words || s[-1] == ' ') && (!s[n] || s[n] == ' '))
                        return true;
        return false;
}

int document_only(const json_t *object, const char *allowed, struct err *e)
{
        const struct place top = {0};
        const char *key;
        json_t *v;

        json_object_foreach((json_t *)object, key, v)
        {
                if (!is_word_of(allowed, key))
                        return place_refuse(&(struct place){.up = &top, .key = key}, e,
                                            "is not a known field");
        }
        return 0;
}

int document_bool(const json_t *object, const char *key, bool *out, struct err *e)
{
        const json_t *v = json_object_get(object, key);
        const struct place top = {0}, at = {.up = &top, .key = key};

        if (!v)
                return 0;
        if (!json_is_boolean(v))
                return place_refuse(&at, e, "must be true or false");
        *out = json_is_true(v);
        return 0;
}

int64_t seconds_us(double s)
{
        const double max_s = 1e10;
        int64_t us = (int64_t)((s < max_s ? s : max_s) * (double)CLOCK_US_PER_S + 0.5);

        return us || s <= 0 ? us : 1;
}

int document_timeout(const json_t *object, const char *key, int64_t *out_us, struct err *e)
{
        const json_t *v = json_object_get(object, key);
        const struct place top = {0}, at = {.up = &top, .key = key};
        double s;

        if (!v)
                return 0;
        if (json_is_null(v)) {
                *out_us = -1;
                return 0;
        }
        if (!json_is_number(v))
                return place_refuse(&at, e, "must be a number of seconds, or null");
        s = json_number_value(v);
        *out_us = s > 0 ? seconds_us(s) : 0;
        return 0;
}
