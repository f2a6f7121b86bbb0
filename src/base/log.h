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

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/** Lines above @level are dropped. LOG_INFO until set. Call before threads start. */
void log_set_level(enum log_level level);

void log_write(enum log_level level, const char *event, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));

/** @s as a logfmt value, quoted where it must be, in a buffer of the calling thread (the last 4 calls hold). */
const char *log_quote(const char *s);

#define log_error(event, ...) log_write(LOG_ERROR, event, __VA_ARGS__)
#define log_warn(event, ...)  log_write(LOG_WARN, event, __VA_ARGS__)
#define log_info(event, ...)  log_write(LOG_INFO, event, __VA_ARGS__)
#define log_debug(event, ...) log_write(LOG_DEBUG, event, __VA_ARGS__)

#endif
