/* SPDX-License-Identifier: MIT */
/* base/log.h
 * logfmt on stderr: the event's name first, ids under the same key always.
 *
 *     log_info("process.stopped", "id=%" PRId64 " pid=%d exitcode=%d", id, pid, code);
 *
 * One line is one write(2), so lines of several threads do not mix. Never an environment value, a token or
 * a header of a request.
 *
 * Threads: any.
 */
#ifndef CRECHE_BASE_LOG_H
#define CRECHE_BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/** Lines above @level are dropped. LOG_INFO until set. Call before threads start. */
void log_set_level(enum log_level level);

/** Whether a line of @level is written: who makes one at some cost asks before. */
bool log_wants(enum log_level level);

/** By the macros below, which evaluate their arguments for a line that is written only. */
void log_write(enum log_level level, const char *event, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));

/** @s as a logfmt value, quoted where it must be, in a buffer of the calling thread (the last 4 calls hold). */
const char *log_quote(const char *s);

#define log_at(level, event, ...)                                                                            \
        do {                                                                                                 \
                if (log_wants(level))                                                                        \
                        log_write(level, event, __VA_ARGS__);                                                \
        } while (0)
#define log_error(event, ...) log_at(LOG_ERROR, event, __VA_ARGS__)
#define log_warn(event, ...)  log_at(LOG_WARN, event, __VA_ARGS__)
#define log_info(event, ...)  log_at(LOG_INFO, event, __VA_ARGS__)
#define log_debug(event, ...) log_at(LOG_DEBUG, event, __VA_ARGS__)

#endif
