/* SPDX-License-Identifier: MIT */
/* cli/screen.h
 * The whole terminal, for as long as a program wants it: a frame at a time, keys one by one, and all as it was when it is
 * given back. What is needed of a terminal is what each has had since the VT220.
 */
#ifndef CRECHE_CLI_SCREEN_H
#define CRECHE_CLI_SCREEN_H

#include <stdbool.h>
#include <termios.h>

#include "base/strbuf.h"
#include "cli/fail.h"

/* Keys that are no characters. */
enum key {
        KEY_NONE = 0, /* no more now */
        KEY_ENTER = '\r',
        KEY_ESCAPE = 27,
        KEY_ERASE = 127,
        KEY_UP = 0x110000,
        KEY_DOWN,
        KEY_PAGE_UP,
        KEY_PAGE_DOWN,
        KEY_HOME,
        KEY_END,
        KEY_GONE, /* the terminal is */
        KEY_OTHER,
};

struct screen {
        struct termios before;
        bool taken;
        int rows, columns;
        char typed[64]; /* bytes that are no key yet */
        size_t typed_n;
        bool gone;
};

/** Take the terminal of stdin and stdout. EXIT_USAGE: they are none. */
int screen_take(struct screen *s, struct fail *f);
/** Give it back as it was; twice does no harm. */
void screen_give_back(struct screen *s);

/** See how large it is now. */
void screen_measure(struct screen *s);

/** Show @frame: lines, each no wider than the terminal; at most as many as it has. */
void screen_show(struct screen *s, const struct strbuf *frame);

/** The next key that was typed: a byte of a character, or one of enum key. Never waits. */
int screen_key(struct screen *s);

#endif
