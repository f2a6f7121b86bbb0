/* SPDX-License-Identifier: MIT */
/* base/err.h
 * What went wrong, on the caller's stack.
 *
 * A function that can fail takes a struct err as its last parameter, returns -1 and sets it. err_set()
 * raises, err_wrap() says where. The kinds are few and closed; the table in err.c maps each to an HTTP
 * status, to the stable code of a problem document, to a hint what to do next and to the exit status of
 * `creche`. A message is one line: control characters, which can only come from what it quotes, become '?'.
 *
 * Threads: a struct err belongs to one thread at a time.
 */
#ifndef CRECHE_BASE_ERR_H
#define CRECHE_BASE_ERR_H

enum err_kind {
        ERR_NONE,
        /* The request is wrong. */
        ERR_MALFORMED,
        ERR_INVALID_QUERY,
        ERR_BAD_REQUEST,
        ERR_UNAUTHENTICATED,
        ERR_TOKEN_EXPIRED,
        ERR_TOKEN_REVOKED,
        ERR_FORBIDDEN,
        ERR_POLICY,
        ERR_CROSS_ORIGIN,
        ERR_NOT_PARENT,
        ERR_NOT_CREATOR,
        ERR_DAEMON_NO_CHILDREN,
        ERR_NOT_FOUND,
        ERR_NO_PARENT,
        ERR_NO_PROCESS,
        ERR_NO_LOG,
        ERR_NO_TCP,
        ERR_METHOD_NOT_ALLOWED,
        ERR_ALREADY_STARTED,
        ERR_NOT_STARTED,
        ERR_CLOSED,
        ERR_STILL_RUNNING,
        ERR_STOPPED,
        ERR_NO_STDIN,
        ERR_NEEDS_REPEAT,
        ERR_TIMEOUT,
        ERR_EVENTS_GONE,
        ERR_TOO_LARGE,
        ERR_URI_TOO_LONG,
        ERR_UNSUPPORTED_MEDIA_TYPE,
        ERR_EXPECTATION,
        ERR_MISDIRECTED,
        ERR_INVALID,
        ERR_EXEC_FAILED,
        ERR_IDEMPOTENCY_MISMATCH,
        ERR_TOO_MANY,
        ERR_HEAD_TOO_LARGE,
        /* We could not. */
        ERR_INTERNAL,
        ERR_TRY_AGAIN,
        ERR_STOPPING,
        ERR_UNAVAILABLE,
        ERR_HTTP_VERSION,
        ERR_FULL,
        ERR_KIND_COUNT,
};

struct err {
        enum err_kind kind;
        int errnum;        /* errno where the kernel said no, else 0 */
        char pointer[128]; /* JSON pointer to the offending place, "" the whole; see has_pointer */
        int has_pointer;
        char msg[480];
};

/* What `creche` exits with; "creche help exit-codes" says when. */
enum exit_status {
        EXIT_FAILED = 1,
        EXIT_USAGE = 2,
        EXIT_NO_DAEMON = 3,
        EXIT_NO_PROCESS = 4,
        EXIT_WRONG_STATE = 5,
        EXIT_DENIED = 6,
        /* Where the status is that of a child: as with timeout(1) and env(1). */
        EXIT_TIMED_OUT = 124,
        EXIT_OURS = 125,
        EXIT_NOT_EXECUTABLE = 126,
        EXIT_NO_PROGRAM = 127,
        EXIT_SIGNAL = 128, /* + its number */
};

struct err_info {
        int status;       /* HTTP */
        const char *code; /* stable, snake_case */
        const char *title;
        const char *hint; /* what to do next, one line */
        enum exit_status exit;
};

/** What is known of @kind. Never NULL. */
const struct err_info *err_info(enum err_kind kind);

/** The kind whose problem documents carry @code; ERR_NONE: none that this program knows. */
enum err_kind err_kind_of_code(const char *code);

/** Set @e (may be NULL). Always returns -1. A non-zero @errnum is appended as its text. */
int err_set(struct err *e, enum err_kind kind, int errnum, const char *fmt, ...)
        __attribute__((format(printf, 4, 5)));

/** Like err_set(), with the JSON pointer of the place that is wrong. */
int err_set_at(struct err *e, enum err_kind kind, const char *pointer, const char *fmt, ...)
        __attribute__((format(printf, 4, 5)));

/** Whether something ran short (memory, tasks, files) that may be there in a while. */
int err_is_shortage(const struct err *e);

/** Put "where: " before the message of @e. Always returns -1. */
int err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** The name of an errno ("ENOENT"), in static storage; "E?" when it has none. */
const char *err_errno_name(int errnum);
/** ENOENT for "ENOENT"; 0 when it is no name of an errno. */
int err_errno_parse(const char *name);

#endif
