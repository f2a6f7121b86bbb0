/* SPDX-License-Identifier: MIT */
#include "base/strbuf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

enum { FIRST_CAP = 256 };

void strbuf_done(struct strbuf *b)
{
        if (b->secret)
                secret_free(b->s, b->cap);
        else
                free(b->s);
        *b = (struct strbuf){.secret = b->secret};
}

static char *grow(struct strbuf *b, size_t n)
{
        size_t cap = b->cap ? b->cap : FIRST_CAP;
        char *s;

        if (b->failed)
                return NULL;
        while (cap - b->len <= n)
                cap *= 2;
        s = b->secret ? secret_grow(b->s, b->cap, cap) : realloc(b->s, cap);
        if (!s) {
                b->failed = true;
                return NULL;
        }
        s[b->len] = '\0';
        b->s = s;
        b->cap = cap;
        return s + b->len;
}

char *strbuf_reserve(struct strbuf *b, size_t n)
{
        return b->cap - b->len > n ? b->s + b->len : grow(b, n);
}

void strbuf_commit(struct strbuf *b, size_t n)
{
        b->len += n;
        b->s[b->len] = '\0';
}

void strbuf_add(struct strbuf *b, const void *bytes, size_t n)
{
        char *to = b->cap - b->len > n ? b->s + b->len : grow(b, n);

        if (!to || !n)
                return;
        memcpy(to, bytes, n);
        b->len += n;
        b->s[b->len] = '\0';
}

void strbuf_char(struct strbuf *b, char c)
{
        strbuf_add(b, &c, 1);
}

void strbuf_int(struct strbuf *b, int64_t v)
{
        char digits[24];
        size_t n = sizeof(digits);
        uint64_t u = v < 0 ? -(uint64_t)v : (uint64_t)v;

        do
                digits[--n] = (char)('0' + u % 10);
        while (u /= 10);
        if (v < 0)
                digits[--n] = '-';
        strbuf_add(b, digits + n, sizeof(digits) - n);
}

void strbuf_printf(struct strbuf *b, const char *fmt, ...)
{
        va_list ap;
        char *to;
        int n;

        va_start(ap, fmt);
        n = vsnprintf(NULL, 0, fmt, ap);
        va_end(ap);
        to = strbuf_reserve(b, (size_t)n + 1);
        if (!to)
                return;
        va_start(ap, fmt);
        vsnprintf(to, (size_t)n + 1, fmt, ap);
        va_end(ap);
        strbuf_commit(b, (size_t)n);
}

void strbuf_reset(struct strbuf *b)
{
        b->len = 0;
        if (b->s)
                b->s[0] = '\0';
}

char *strbuf_steal(struct strbuf *b)
{
        char *s = b->failed ? NULL : b->s ? b->s : strdup("");

        if (s && s == b->s)
                b->s = NULL;
        strbuf_done(b);
        return s;
}

/* The length of the UTF-8 sequence at @s, of at most @n bytes; 0 when there is none. */
static size_t utf8_length(const unsigned char *s, size_t n)
{
        static const struct {
                unsigned char first_lo, first_hi, second_lo, second_hi, length;
        } forms[] = {
                {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
                {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
                {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
        };

        if (s[0] < 0x80)
                return 1;
        for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
                if (s[0] < forms[i].first_lo || s[0] > forms[i].first_hi)
                        continue;
                if (n < forms[i].length || s[1] < forms[i].second_lo || s[1] > forms[i].second_hi)
                        return 0;
                for (size_t k = 2; k < forms[i].length; k++)
                        if ((s[k] & 0xc0) != 0x80)
                                return 0;
                return forms[i].length;
        }
        return 0;
}

bool utf8_is_valid(const char *s, size_t n)
{
        for (size_t i = 0, k; i < n; i += k) {
                k = utf8_length((const unsigned char *)s + i, n - i);
                if (!k)
                        return false;
        }
        return true;
}

static void add_base64(struct strbuf *b, const unsigned char *s, size_t n)
{
        static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

        for (size_t i = 0; i < n; i += 3) {
                uint32_t v = (uint32_t)s[i] << 16;
                char out[4];

                if (i + 1 < n)
                        v |= (uint32_t)s[i + 1] << 8;
                if (i + 2 < n)
                        v |= s[i + 2];
                out[0] = digits[v >> 18];
                out[1] = digits[v >> 12 & 63];
                out[2] = i + 1 < n ? digits[v >> 6 & 63] : '=';
                out[3] = i + 2 < n ? digits[v & 63] : '=';
                strbuf_add(b, out, 4);
        }
}

static void add_escaped(struct strbuf *b, const char *s, size_t n)
{
        size_t from = 0;

        for (size_t i = 0; i < n; i++) {
                unsigned char c = (unsigned char)s[i];
                char esc[8];

                if (c >= ' ' && c != '"' && c != '\\' && c != 0x7f)
                        continue;
                strbuf_add(b, s + from, i - from);
                from = i + 1;
                if (c == '"' || c == '\\')
                        snprintf(esc, sizeof(esc), "\\%c", c);
                else if (c == '\n')
                        strcpy(esc, "\\n");
                else if (c == '\t')
                        strcpy(esc, "\\t");
                else
                        snprintf(esc, sizeof(esc), "\\u%04x", c);
                strbuf_str(b, esc);
        }
        strbuf_add(b, s + from, n - from);
}

/* Whether it is its own JSON text. */
static bool is_plain(const char *s, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                unsigned char c = (unsigned char)s[i];

                if (c < ' ' || c >= 0x7f || c == '"' || c == '\\')
                        return false;
        }
        return true;
}

static void add_plain(struct strbuf *b, const char *s, size_t n)
{
        char *to = strbuf_reserve(b, n + 2);

        if (!to)
                return;
        to[0] = '"';
        memcpy(to + 1, s, n);
        to[n + 1] = '"';
        strbuf_commit(b, n + 2);
}

void strbuf_json_bytes(struct strbuf *b, const char *s, size_t n)
{
        if (is_plain(s, n)) {
                add_plain(b, s, n);
                return;
        }
        if (!utf8_is_valid(s, n)) {
                strbuf_str(b, "{\"base64\":\"");
                add_base64(b, (const unsigned char *)s, n);
                strbuf_str(b, "\"}");
                return;
        }
        strbuf_char(b, '"');
        add_escaped(b, s, n);
        strbuf_char(b, '"');
}

void strbuf_json_str(struct strbuf *b, const char *s)
{
        strbuf_json_bytes(b, s, strlen(s));
}
