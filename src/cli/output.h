/* SPDX-License-Identifier: MIT */
/* cli/output.h
 * stdout: how wide, how coloured, and whether it took what we wrote.
 */
#ifndef CRECHE_CLI_OUTPUT_H
#define CRECHE_CLI_OUTPUT_H

#include <stdbool.h>

#include "base/strbuf.h"
#include "cli/fail.h"

enum color {
        COLOR_NONE,
        COLOR_RED,
        COLOR_GREEN,
        COLOR_YELLOW,
        COLOR_BLUE,
        COLOR_MAGENTA,
        COLOR_CYAN,
        COLOR_DIM
};

struct output {
        bool is_terminal;
        bool colored;
        size_t width; /* columns; 0: as many as it takes */
};

/** Look at stdout. @color: "auto", "always", "never". */
void output_begin(struct output *o, const char *color);

/** The sequence that turns @c on, COLOR_NONE: all off; "" where there are no colours. */
const char *output_color(const struct output *o, enum color c);

/** Write all to @fd, which may have been made non-blocking by others who have it. 0, or -1 with errno set. */
int output_all(int fd, const char *bytes, size_t n);

/** Write all to stdout. -1: @f says why; one whose reader has left says nothing, but fails. */
int output_write(const char *bytes, size_t n, struct fail *f);
int output_str(const struct strbuf *b, struct fail *f);

/** A line of a format. */
int output_line(struct fail *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** Whether @f is about a reader who has left: nothing to tell. */
bool output_reader_left(const struct fail *f);

#endif
