/* SPDX-License-Identifier: MIT */
/* cli/stream.h
 * What a process writes, as it comes: a log, followed to the end of the process, by offset, so that a restart of the
 * daemon neither repeats nor leaves out a byte.
 */
#ifndef CRECHE_CLI_STREAM_H
#define CRECHE_CLI_STREAM_H

#include "cli/client.h"

/* How it is shown. */
struct stream_style {
        bool follow;
        int64_t tail;       /* lines; -1: from the beginning */
        bool escape[2];     /* per file 1 and 2: it is a terminal */
        const char *prefix; /* before each line; NULL: the bytes as they come */
        bool stamped;       /* before that, when the line came here */
        int64_t old; /* stamped: what ends at this offset or before was there, nobody knows since when */
};

struct stream {
        struct exchange x;
        struct stream_style style;
        int64_t id, offset; /* offset: of the next byte; -1: not known yet */
        bool is_stderr;
        struct strbuf held; /* bytes that wait for the rest of their line, or of their character */
};

/** Ask for it. exchange ->done says when it has ended; ERR_NO_LOG is no failure of the stream. */
void stream_begin(struct stream *s, struct client *c, int64_t id, bool is_stderr,
                  const struct stream_style *style);
/** Write what waits for the rest of a line. Returns 0, or -1 with @f: also what the exchange has failed with. */
int stream_finish(struct stream *s, struct fail *f);
void stream_done(struct stream *s);

/** The style of this terminal, or of what is in its place. @raw: escape nothing. */
struct stream_style stream_style(bool follow, int64_t tail, bool raw);

#endif
