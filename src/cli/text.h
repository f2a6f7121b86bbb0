/* SPDX-License-Identifier: MIT */
/* cli/text.h
 * Text of others on our terminal: what it weighs there, and nothing in it that the terminal would obey.
 *
 * A control byte is shown as \n, \x1b and so on; so are bytes that are not UTF-8, C1 controls, and the characters that
 * turn the direction of writing.
 *
 * Threads: one; text_begin() sets the locale.
 */
#ifndef CRECHE_CLI_TEXT_H
#define CRECHE_CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

/** Before all others: characters are UTF-8 from now on. */
void text_begin(void);

/** Append @n bytes, escaped. @lines: line feeds and tabs stay as they are. */
void text_escape(struct strbuf *b, const char *s, size_t n, bool lines);

/** Columns that escaped text takes. */
size_t text_width(const char *s);

/** Append escaped text, cut off to @width columns with a "…" where it is longer. */
void text_cut(struct strbuf *b, const char *s, size_t width);

/** How many of the @n bytes are whole characters: what is left are the first bytes of one that goes on. */
size_t text_whole(const char *s, size_t n);

/** "3 minutes", "2 days": roughly, as people say it. */
void text_duration(struct strbuf *b, int64_t us);

/** Seconds of "90", "1.5", "10s", "5m", "2h", "1d". -1: it is none. */
double text_seconds(const char *s);

/** @s so that a shell reads it as one word. */
void text_quote(struct strbuf *b, const char *s);

/** How many letters must be changed, added, removed or swapped to make @b of @a. */
size_t text_distance(const char *a, const char *b);

/* Which of some words was perhaps meant; zeroed: none yet. */
struct guess {
        const char *word; /* NULL: it is like none */
        size_t distance;
};

/** It was perhaps @word, which is borrowed. */
void text_guess(struct guess *g, const char *said, const char *word);

#endif
