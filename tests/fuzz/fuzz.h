/* SPDX-License-Identifier: MIT */
/* tests/fuzz/fuzz.h
 * What the fuzz targets share. A target is one file: it takes bytes that somebody else wrote, hands them to the code
 * that takes them in the product, and says with REQUIRE() what must be true whatever they were.
 *
 * `make fuzz` links a target with libFuzzer; the tests link it with replay.c, which gives it its corpus. What is
 * static in a source is reached by including that source; what it would do to the machine is replaced by a macro.
 */
#ifndef CRECHE_TESTS_FUZZ_H
#define CRECHE_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "http/codec.h"

/** The target. Returns 0, or does not return. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Unlike assert(), in every build. */
#define REQUIRE(condition)                                                                                   \
        do {                                                                                                 \
                if (!(condition)) {                                                                          \
                        fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);            \
                        abort();                                                                             \
                }                                                                                            \
        } while (0)

/* What is left of the input. */
struct input {
        const uint8_t *at;
        size_t n;
};

/** The next byte; 0 at the end. */
static inline uint8_t input_byte(struct input *in)
{
        if (!in->n)
                return 0;
        in->n--;
        return *in->at++;
}

/** The next @n bytes into @out, zeros behind the end. */
static inline void input_copy(struct input *in, void *out, size_t n)
{
        size_t have = n < in->n ? n : in->n;

        memset(out, 0, n);
        if (have)
                memcpy(out, in->at, have);
        in->at += have;
        in->n -= have;
}

static inline void *fuzz_alloc(size_t n)
{
        void *p = malloc(n);

        REQUIRE(p);
        return p;
}

/** @n bytes as a string that ends where its memory does: reading on is seen. To be freed. */
static inline char *fuzz_text(const void *bytes, size_t n)
{
        char *s = fuzz_alloc(n + 1);

        if (n)
                memcpy(s, bytes, n);
        s[n] = '\0';
        return s;
}

/** The next line, without its end; NULL: there is none. To be freed. May contain NULs. */
static inline char *input_line(struct input *in)
{
        const uint8_t *end = in->n ? memchr(in->at, '\n', in->n) : NULL;
        size_t n = end ? (size_t)(end - in->at) : in->n;
        char *s;

        if (!in->n)
                return NULL;
        s = fuzz_text(in->at, n);
        in->at += n + (end != NULL);
        in->n -= n + (end != NULL);
        return s;
}

static inline bool fuzz_has_control(const char *s)
{
        for (; *s; s++)
                if ((unsigned char)*s < ' ' || *s == 0x7f)
                        return true;
        return false;
}

/** A refusal says what it is, in one line, and makes a problem document that can be read. */
static inline void fuzz_check_refusal(const struct err *e)
{
        struct strbuf b = {0};
        json_t *j;

        REQUIRE(e->kind > ERR_NONE && e->kind < ERR_KIND_COUNT);
        REQUIRE(memchr(e->msg, 0, sizeof(e->msg)) && memchr(e->pointer, 0, sizeof(e->pointer)));
        REQUIRE(*e->msg && !fuzz_has_control(e->msg));
        codec_problem(&b, e, NULL);
        REQUIRE(!fuzz_has_control(strbuf_text(&b)));
        j = json_loadb(strbuf_text(&b), b.len, JSON_REJECT_DUPLICATES, NULL);
        REQUIRE(j);
        REQUIRE(!strcmp(json_string_value(json_object_get(j, "code")), err_info(e->kind)->code));
        json_decref(j);
        strbuf_done(&b);
}

#endif
