/* SPDX-License-Identifier: MIT */
#include "model/process.h"

#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"

#define BIT(s) (1U << (s))

/* The transition table: a state, its name, and where it may go. */
static const struct {
        const char *name;
        unsigned next;
} states[PROCESS_STATE_COUNT] = {
        /* initial -> initial: a rename. starting -> initial: see registry/recover.h (R7). */
        [PROCESS_INITIAL] = {"initial", BIT(PROCESS_STARTING) | BIT(PROCESS_CLOSED)},
        [PROCESS_STARTING] = {"starting", BIT(PROCESS_INITIAL) | BIT(PROCESS_STARTED) | BIT(PROCESS_STOPPED) |
                                                  BIT(PROCESS_FAILED) | BIT(PROCESS_LOST)},
        [PROCESS_STARTED] = {"started", BIT(PROCESS_STOPPED) | BIT(PROCESS_FAILED) | BIT(PROCESS_LOST)},
        [PROCESS_STOPPED] = {"stopped", BIT(PROCESS_CLOSED)},
        [PROCESS_FAILED] = {"failed", BIT(PROCESS_CLOSED)},
        [PROCESS_LOST] = {"lost", BIT(PROCESS_CLOSED)},
        [PROCESS_CLOSED] = {"closed", 0},
};

static const char *const method_names[START_METHOD_COUNT] = {"spawn", "fork", "forkserver"};
static const char *const output_names[OUTPUT_COUNT] = {"log", "null", "stdout"};
static const char *const reason_names[EXIT_REASON_COUNT] = {
        "", "exited", "signaled", "exec_failed", "start_failed", "lost"};

static int lookup(const char *const *names, int n, const char *name)
{
        for (int i = 0; i < n; i++)
                if (!strcmp(names[i], name))
                        return i;
        return -1;
}

const char *process_state_name(enum process_state s)
{
        return states[s].name;
}

int process_state_parse(const char *name)
{
        for (int i = 0; i < PROCESS_STATE_COUNT; i++)
                if (!strcmp(states[i].name, name))
                        return i;
        return -1;
}

bool process_state_may(enum process_state from, enum process_state to)
{
        return states[from].next & BIT(to);
}

bool process_state_is_open(enum process_state s)
{
        return s == PROCESS_STARTING || s == PROCESS_STARTED;
}

bool process_state_is_ended(enum process_state s)
{
        return s == PROCESS_STOPPED || s == PROCESS_FAILED || s == PROCESS_LOST || s == PROCESS_CLOSED;
}

const char *start_method_name(enum start_method m)
{
        return method_names[m];
}

int start_method_parse(const char *name)
{
        return lookup(method_names, START_METHOD_COUNT, name);
}

const char *output_name(enum output o)
{
        return output_names[o];
}

int output_parse(const char *name)
{
        return lookup(output_names, OUTPUT_COUNT, name);
}

const char *exit_reason_name(enum exit_reason r)
{
        return reason_names[r];
}

int exit_reason_parse(const char *name)
{
        return lookup(reason_names, EXIT_REASON_COUNT, name);
}

const char *signal_name(int signo)
{
        static _Thread_local char name[24];
        const char *abbrev = sigabbrev_np(signo);

        if (abbrev)
                snprintf(name, sizeof(name), "SIG%s", abbrev);
        else if (signo >= SIGRTMIN && signo <= SIGRTMAX)
                snprintf(name, sizeof(name), "SIGRTMIN+%d", signo - SIGRTMIN);
        else
                snprintf(name, sizeof(name), "SIG%d", signo);
        return name;
}

int signal_parse(const char *name)
{
        int64_t n;

        if (isdigit((unsigned char)*name))
                return number_parse(name, 1, SIGRTMAX, &n) < 0 ? -1 : (int)n;
        if (!strncmp(name, "SIG", 3))
                name += 3;
        if (!strncmp(name, "RTMIN+", 6))
                return number_parse(name + 6, 0, SIGRTMAX - SIGRTMIN, &n) < 0 ? -1 : SIGRTMIN + (int)n;
        /* Has two names; libc tells the other one, SIGPOLL. */
        if (!strcmp(name, "IO"))
                return SIGIO;
        for (int s = 1; s < SIGRTMIN; s++)
                if (sigabbrev_np(s) && !strcmp(sigabbrev_np(s), name))
                        return s;
        return -1;
}

/* The strings of @p; all but the last, requested_by, are those that process_pack() packs. */
static char **strings_of(struct process *p, size_t i)
{
        char **all[] = {&p->name,  &p->identity, &p->lineage,      &p->argv_json,
                        &p->cwd,   &p->env_json, &p->labels_json,  &p->user,
                        &p->group, &p->target,   &p->only_targets, &p->requested_by};

        return i < sizeof(all) / sizeof(all[0]) ? all[i] : NULL;
}

static char **packed_string(struct process *p, size_t i)
{
        char **s = strings_of(p, i);

        return s == &p->requested_by ? NULL : s;
}

static void free_packed_strings(struct process *p)
{
        char **s;

        /* The name is the first of those that are packed: it is where their memory begins. */
        if (p->packed) {
                free(p->name);
                return;
        }
        for (size_t i = 0; (s = packed_string(p, i)); i++)
                free(*s);
}

/* Copies of its strings, in one piece, instead of them; where they were is left as it is. -1: there is no memory. */
static int pack_strings(struct process *p)
{
        size_t n = 0;
        char **s, *to;

        for (size_t i = 0; (s = packed_string(p, i)); i++)
                n += *s ? strlen(*s) + 1 : 0;
        to = malloc(n);
        if (!to)
                return -1;
        p->packed = true;
        for (size_t i = 0; (s = packed_string(p, i)); i++) {
                const char *from = *s;

                if (!from)
                        continue;
                *s = to;
                to = stpcpy(to, from) + 1;
        }
        return 0;
}

void process_pack(struct process *p)
{
        struct process old = *p;

        if (pack_strings(p) == 0)
                free_packed_strings(&old);
}

void process_rename(struct process *p, char *name)
{
        struct process old = *p;

        p->name = name;
        if (!p->packed) {
                free(old.name);
                return;
        }
        if (pack_strings(p) == 0)
                free_packed_strings(&old);
        else
                p->name = old.name;
        free(name);
}

struct process *process_copy(const struct process *p)
{
        struct process *copy = malloc(sizeof(*copy));
        char **s;

        if (!copy)
                return NULL;
        *copy = *p;
        copy->packed = false;
        for (size_t i = 0; (s = strings_of(copy, i)); i++)
                *s = NULL;
        copy->exit.stage = copy->exit.detail = NULL;
        for (size_t i = 0; (s = strings_of(copy, i)); i++) {
                const char *from = *strings_of((struct process *)p, i);

                if (from && !(*s = strdup(from)))
                        goto fail;
        }
        if (p->exit.stage && !(copy->exit.stage = strdup(p->exit.stage)))
                goto fail;
        if (p->exit.detail && !(copy->exit.detail = strdup(p->exit.detail)))
                goto fail;
        return copy;
fail:
        process_free(copy);
        return NULL;
}

int process_copy_packed(struct process *to, const struct process *from)
{
        struct process_exit *x = &to->exit;

        *to = *from;
        to->packed = false;
        to->requested_by = NULL;
        x->stage = x->detail = NULL;
        if (pack_strings(to) < 0) {
                *to = (struct process){0};
                return -1;
        }
        if ((!from->requested_by || (to->requested_by = strdup(from->requested_by))) &&
            (!from->exit.stage || (x->stage = strdup(from->exit.stage))) &&
            (!from->exit.detail || (x->detail = strdup(from->exit.detail))))
                return 0;
        process_done(to);
        *to = (struct process){0};
        return -1;
}

void process_done(struct process *p)
{
        free_packed_strings(p);
        free(p->requested_by);
        free((char *)p->exit.stage);
        free((char *)p->exit.detail);
}

void process_free(struct process *p)
{
        if (!p)
                return;
        process_done(p);
        free(p);
}

void process_freep(struct process **p)
{
        process_free(*p);
}

bool signal_asks_for_the_end(int signo)
{
        return signo == SIGTERM || signo == SIGKILL || signo == SIGINT || signo == SIGQUIT ||
               signo == SIGHUP || signo == SIGABRT;
}
