/* SPDX-License-Identifier: MIT */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct err_info infos[ERR_KIND_COUNT] = {
        [ERR_NONE] = {500, "internal", "Internal error", "Look at the server's log.", EXIT_FAILED},
        [ERR_MALFORMED] = {400, "malformed", "Malformed body",
                           "Send one valid JSON object, encoded in UTF-8.", EXIT_USAGE},
        [ERR_INVALID_QUERY] = {400, "invalid_query", "Invalid query",
                               "See the parameters of this path in /openapi.json.", EXIT_USAGE},
        [ERR_BAD_REQUEST] = {400, "bad_request", "Bad request", "Send a well-formed HTTP/1.1 request.",
                             EXIT_FAILED},
        [ERR_UNAUTHENTICATED] = {401, "unauthenticated", "Unauthenticated",
                                 "Send 'Authorization: Bearer TOKEN'; the operator's token is in the file "
                                 "'token' of the state directory.",
                                 EXIT_DENIED},
        [ERR_TOKEN_EXPIRED] = {401, "token_expired", "Token expired", "Mint a new one: POST /v1/tokens.",
                               EXIT_DENIED},
        [ERR_TOKEN_REVOKED] = {401, "token_revoked", "Token revoked", "Ask the operator for another one.",
                               EXIT_DENIED},
        [ERR_FORBIDDEN] = {403, "forbidden", "Forbidden", "Use a credential that may do this.", EXIT_DENIED},
        [ERR_POLICY] = {403, "policy_refused", "Refused by the policy",
                        "Root can allow it in the policy file that privileges.policy of GET /v1/info names, "
                        "and restart creched.",
                        EXIT_DENIED},
        [ERR_CROSS_ORIGIN] = {403, "cross_origin", "Cross-origin request refused",
                              "Call from the same origin, or from outside a browser.", EXIT_DENIED},
        [ERR_NOT_PARENT] = {403, "not_parent", "Not the parent",
                            "GET /v1/processes/ID?wait=SECONDS waits for any process that you may see.",
                            EXIT_DENIED},
        [ERR_NOT_CREATOR] = {403, "not_creator", "Not the creator",
                             "Only the creator of a process may start it.", EXIT_DENIED},
        [ERR_DAEMON_NO_CHILDREN] = {403, "daemon_no_children", "Daemonic process",
                                    "Start the parent with \"daemon\": false if it shall have children.",
                                    EXIT_DENIED},
        [ERR_NOT_FOUND] = {404, "not_found", "Not found",
                           "GET the list that it would be in, as /v1/processes, to see what there is.",
                           EXIT_NO_PROCESS},
        [ERR_NO_PARENT] = {404, "no_parent", "No parent",
                           "The process was started by an operator, not by another process.",
                           EXIT_NO_PROCESS},
        [ERR_NO_PROCESS] = {404, "no_process", "Not a process",
                            "Call with the token of a process (its CRECHE_AUTHKEY).", EXIT_NO_PROCESS},
        [ERR_NO_LOG] = {404, "no_log", "No log",
                        "Start the process with \"stdout\": \"log\" to keep its output.", EXIT_WRONG_STATE},
        [ERR_NO_TCP] = {409, "no_tcp", "Not on TCP",
                        "Start creched with --listen HOST:PORT: a browser cannot use a unix socket.",
                        EXIT_FAILED},
        [ERR_METHOD_NOT_ALLOWED] = {405, "method_not_allowed", "Method not allowed", "See the header Allow.",
                                    EXIT_FAILED},
        [ERR_ALREADY_STARTED] = {409, "already_started", "Already started", "Create a new process.",
                                 EXIT_WRONG_STATE},
        [ERR_NOT_STARTED] = {409, "not_started", "Not started", "POST /v1/processes/ID/start first.",
                             EXIT_WRONG_STATE},
        [ERR_CLOSED] = {409, "closed", "Closed", "A closed process is history: it can be read or deleted.",
                        EXIT_WRONG_STATE},
        [ERR_STILL_RUNNING] = {409, "still_running", "Still running", "Join or terminate it first.",
                               EXIT_WRONG_STATE},
        [ERR_STOPPED] = {409, "stopped", "Stopped", "The process has ended: GET it to see how.",
                         EXIT_WRONG_STATE},
        [ERR_NO_STDIN] = {409, "no_stdin", "No standard input", "Start the process with \"stdin\": \"pipe\".",
                          EXIT_WRONG_STATE},
        [ERR_NEEDS_REPEAT] = {409, "needs_repeat", "Waits for its client",
                              "Repeat the POST that created it, with the same Idempotency-Key.",
                              EXIT_WRONG_STATE},
        [ERR_TIMEOUT] = {408, "request_timeout", "Request timeout",
                         "Send the whole request within the time in limits of GET /v1/info.", EXIT_FAILED},
        [ERR_EVENTS_GONE] = {410, "events_gone", "Events gone",
                             "GET /v1/processes to see how things are, and go on without 'since'.",
                             EXIT_FAILED},
        [ERR_TOO_LARGE] =
                {413, "too_large", "Too large",
                 "See limits in GET /v1/info; larger input goes through PUT /v1/processes/ID/stdin.",
                 EXIT_FAILED},
        [ERR_URI_TOO_LONG] = {414, "uri_too_long", "URI too long", "Shorten the request target.",
                              EXIT_FAILED},
        [ERR_UNSUPPORTED_MEDIA_TYPE] = {415, "unsupported_media_type", "Unsupported media type",
                                        "Send 'Content-Type: application/json'.", EXIT_FAILED},
        [ERR_EXPECTATION] = {417, "expectation_failed", "Expectation failed",
                             "Expect nothing, or 100-continue.", EXIT_FAILED},
        [ERR_MISDIRECTED] = {421, "misdirected", "Misdirected request",
                             "Use the address that the server printed when it became ready as Host.",
                             EXIT_FAILED},
        [ERR_INVALID] = {422, "invalid", "Invalid request", "Correct the field that errors[0].pointer names.",
                         EXIT_USAGE},
        [ERR_EXEC_FAILED] = {422, "exec_failed", "Cannot execute",
                             "Check argv[0], PATH, cwd and permissions.", EXIT_NOT_EXECUTABLE},
        [ERR_IDEMPOTENCY_MISMATCH] = {422, "idempotency_mismatch", "Idempotency key reused",
                                      "Use a new Idempotency-Key for a different request.", EXIT_USAGE},
        [ERR_TOO_MANY] = {429, "too_many", "Too many requests", "Try again later.", EXIT_FAILED},
        [ERR_HEAD_TOO_LARGE] = {431, "header_too_large", "Header too large", "Send fewer or shorter headers.",
                                EXIT_FAILED},
        [ERR_INTERNAL] = {500, "internal", "Internal error", "Look at the server's log.", EXIT_FAILED},
        [ERR_TRY_AGAIN] = {503, "try_again", "Try again", "Try again after the time in Retry-After.",
                           EXIT_FAILED},
        [ERR_STOPPING] = {503, "stopping", "Stopping", "The server stops; try again when it is back.",
                          EXIT_FAILED},
        [ERR_UNAVAILABLE] = {503, "unavailable", "Unavailable", "Try again after the time in Retry-After.",
                             EXIT_FAILED},
        [ERR_HTTP_VERSION] = {505, "version_not_supported", "HTTP version not supported",
                              "Send an HTTP/1.1 request.", EXIT_FAILED},
        [ERR_FULL] = {507, "insufficient_storage", "Insufficient storage",
                      "Make room on the disk of the state directory.", EXIT_FAILED},
};

const struct err_info *err_info(enum err_kind kind)
{
        return &infos[kind];
}

enum err_kind err_kind_of_code(const char *code)
{
        for (int k = ERR_NONE + 1; k < ERR_KIND_COUNT; k++)
                if (!strcmp(infos[k].code, code))
                        return (enum err_kind)k;
        return ERR_NONE;
}

/* A message quotes what others wrote and ends up on terminals: no control characters. */
static void clean(char *s)
{
        for (; *s; s++)
                if ((unsigned char)*s < ' ' || *s == 0x7f)
                        *s = '?';
}

static void append_errno(struct err *e, int errnum)
{
        size_t n = strlen(e->msg);

        if (errnum)
                snprintf(e->msg + n, sizeof(e->msg) - n, ": %s", strerrordesc_np(errnum) ?: "unknown error");
}

int err_set(struct err *e, enum err_kind kind, int errnum, const char *fmt, ...)
{
        va_list ap;

        if (!e)
                return -1;

        *e = (struct err){.kind = kind, .errnum = errnum};
        va_start(ap, fmt);
        vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
        va_end(ap);
        clean(e->msg);
        append_errno(e, errnum);
        return -1;
}

int err_set_at(struct err *e, enum err_kind kind, const char *pointer, const char *fmt, ...)
{
        va_list ap;

        if (!e)
                return -1;

        *e = (struct err){.kind = kind, .has_pointer = 1};
        snprintf(e->pointer, sizeof(e->pointer), "%s", pointer);
        va_start(ap, fmt);
        vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
        va_end(ap);
        clean(e->msg);
        return -1;
}

int err_is_shortage(const struct err *e)
{
        return e->kind == ERR_TRY_AGAIN || e->errnum == EAGAIN || e->errnum == ENOMEM ||
               e->errnum == EMFILE || e->errnum == ENFILE;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
        char where[sizeof(e->msg)];
        char what[sizeof(e->msg)];
        va_list ap;

        if (!e)
                return -1;

        va_start(ap, fmt);
        vsnprintf(where, sizeof(where), fmt, ap);
        va_end(ap);
        clean(where);
        memcpy(what, e->msg, sizeof(what));
        if (snprintf(e->msg, sizeof(e->msg), "%s: %s", where, what) >= (int)sizeof(e->msg))
                e->msg[sizeof(e->msg) - 1] = '\0';
        return -1;
}

const char *err_errno_name(int errnum)
{
        return strerrorname_np(errnum) ?: "E?";
}

int err_errno_parse(const char *name)
{
        enum { ERRNO_MAX = 200 };

        for (int i = 1; i < ERRNO_MAX; i++)
                if (strerrorname_np(i) && !strcmp(strerrorname_np(i), name))
                        return i;
        return 0;
}
