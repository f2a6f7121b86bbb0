/* SPDX-License-Identifier: MIT */
#include "cli/fail.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "cli/json.h"
#include "cli/progress.h"
#include "cli/text.h"

/* The hints of base/err.h speak HTTP. These are for the command line; a kind without one keeps the other. */
static const struct {
        enum err_kind kind;
        const char *hint;
} hints[] = {
        {ERR_INTERNAL, "'creche info' says what is wrong with its health; the daemon's log has more"},
        {ERR_UNAUTHENTICATED, "give a token: --token TOKEN or CRECHE_TOKEN; 'creche token mint' makes one"},
        {ERR_TOKEN_EXPIRED, "ask the operator for another: creche token mint NAME --scope SCOPE"},
        {ERR_TOKEN_REVOKED, "ask the operator for another: creche token mint NAME --scope SCOPE"},
        {ERR_FORBIDDEN, "'creche token mint NAME --scope SCOPE', by the operator, makes a token that may"},
        {ERR_NOT_PARENT,
         "only its parent joins a process; 'creche logs -f PROCESS' also lasts until it ends"},
        {ERR_DAEMON_NO_CHILDREN, "run the parent without --daemon if it shall have children"},
        {ERR_NOT_FOUND, "'creche ps -a' lists all there are"},
        {ERR_NO_LOG,
         "start it with '--stdout log' and '--stderr log', which are the defaults, to keep its output"},
        {ERR_NO_TCP, "start the daemon with a TCP address: creche serve --listen 127.0.0.1:7117"},
        {ERR_ALREADY_STARTED, "run it anew: creche run -- COMMAND"},
        {ERR_NOT_STARTED, "start it first: creche start PROCESS"},
        {ERR_CLOSED, "a closed process is history: 'creche show' shows it, 'creche rm' forgets it"},
        {ERR_STILL_RUNNING,
         "end it first, 'creche terminate PROCESS', or wait for it, 'creche join PROCESS'"},
        {ERR_STOPPED, "it has ended: 'creche show PROCESS' says how"},
        {ERR_NO_STDIN, "start it with '--stdin pipe'"},
        {ERR_FULL, "make room on the disk of the state directory, which 'creche info' names"},
        {ERR_INVALID, "'creche help run' explains the options"},
        {ERR_STOPPING, "'creche serve -d' starts the daemon again when it has stopped"},
        {ERR_TRY_AGAIN, "try again in a moment"},
        {ERR_UNAVAILABLE, "the daemon's log says why; it goes on by itself when that is mended"},
        {ERR_TOO_MANY, "try again when fewer wait at the same time"},
        {ERR_EVENTS_GONE, "go on without --since; 'creche ps' shows how things are"},
};

static const char *hint_of(enum err_kind kind)
{
        for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
                if (hints[i].kind == kind)
                        return hints[i].hint;
        return err_info(kind)->hint;
}

static void set(struct fail *f, enum err_kind kind, int errnum, const char *message)
{
        err_set(&f->err, kind, errnum, "%s", message);
        f->status = (int)err_info(kind)->exit;
        snprintf(f->hint, sizeof(f->hint), "%s", hint_of(kind));
}

int fail_set(struct fail *f, enum err_kind kind, int errnum, const char *fmt, ...)
{
        char message[sizeof(f->err.msg)];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(message, sizeof(message), fmt, ap);
        va_end(ap);
        set(f, kind, errnum, message);
        return -1;
}

int fail_usage(struct fail *f, const char *fmt, ...)
{
        char message[sizeof(f->err.msg)];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(message, sizeof(message), fmt, ap);
        va_end(ap);
        set(f, ERR_INVALID, 0, message);
        f->status = EXIT_USAGE;
        snprintf(f->hint, sizeof(f->hint), "'creche help' lists the commands");
        return -1;
}

int fail_hint(struct fail *f, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(f->hint, sizeof(f->hint), fmt, ap);
        va_end(ap);
        return -1;
}

void fail_hint_command(struct fail *f, const char *command)
{
        enum err_kind kind = f->err.kind;

        if ((kind == ERR_INVALID || kind == ERR_INVALID_QUERY) && !strcmp(f->hint, hint_of(kind)))
                fail_hint(f, "'creche help %s' explains the options", command);
}

/* Which of the members of the body was wrong: its name is that of an option. */
static void add_place(const json_t *problem, char *message, size_t size)
{
        const char *pointer = json_text(json_array_get(json_object_get(problem, "errors"), 0), "pointer");
        const char *detail = json_text(problem, "detail") ?: "";

        if (!pointer || !*pointer)
                snprintf(message, size, "%s", detail);
        else if (!strncmp(detail, pointer, strlen(pointer)))
                snprintf(message, size, "%s", detail + 1);
        else
                snprintf(message, size, "%s: %s", pointer + 1, detail);
}

/* exec_failed: not found and not executable are two statuses, as in a shell. */
static void set_exec_failure(const json_t *problem, struct fail *f)
{
        const json_t *process = json_object_get(problem, "process"), *exit = json_object_get(process, "exit");
        const char *program = json_string_value(json_array_get(json_object_get(process, "argv"), 0));
        const char *name = json_text(exit, "errno"), *reason = json_text(exit, "reason") ?: "";

        fail_set(f, ERR_EXEC_FAILED, 0, "cannot start '%s': %s", program ?: "it",
                 json_text(problem, "detail") ?: "");
        /* Its directory, its limits, ...: the program itself may be all right. */
        if (strcmp(reason, "exec_failed") != 0)
                f->status = EXIT_FAILED;
        else if (name && !strcmp(name, "ENOENT"))
                f->status = EXIT_NO_PROGRAM;
        fail_hint(f, "check the name of the program, PATH and --cwd; 'creche show %lld' has the whole story",
                  (long long)json_number(process, "id"));
}

int fail_problem(struct fail *f, long status, const char *body, size_t n)
{
        json_t *problem = json_loadb(body, n, 0, NULL);
        const char *code = json_text(problem, "code"), *hint = json_text(problem, "hint");
        enum err_kind kind = code ? err_kind_of_code(code) : ERR_NONE;
        char message[sizeof(f->err.msg)];

        if (!code) {
                fail_set(f, ERR_INTERNAL, 0, "an answer with status %ld that is not creched's", status);
                fail_hint(
                        f,
                        "does a creched listen there? --url wants the address that it printed when it began");
        } else {
                add_place(problem, message, sizeof(message));
                set(f, kind, 0, message);
                if (kind == ERR_NONE && hint)
                        fail_hint(f, "%s", hint);
                if (kind == ERR_EXEC_FAILED && json_object_get(problem, "process"))
                        set_exec_failure(problem, f);
        }
        json_decref(problem);
        return -1;
}

void fail_tell(const struct fail *f)
{
        struct strbuf b = {0};

        progress_hide();
        /* Both may quote what a server said, and be on a terminal. */
        strbuf_str(&b, "creche: ");
        text_escape(&b, f->err.msg, strlen(f->err.msg), false);
        if (*f->hint)
                strbuf_str(&b, "\n        ");
        text_escape(&b, f->hint, strlen(f->hint), false);
        fprintf(stderr, "%s\n", strbuf_text(&b));
        strbuf_done(&b);
}

void talk(const char *fmt, ...)
{
        char line[1024];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(line, sizeof(line), fmt, ap);
        va_end(ap);
        progress_hide();
        fprintf(stderr, "creche: %s\n", line);
}
