/* SPDX-License-Identifier: MIT */
#include "cli/options.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/strbuf.h"
#include "cli/command.h"
#include "cli/text.h"

enum { OPTIONS_MAX = 96, LONG = 1000 };

/* Those of the settings that are options of every command, and what else is. */
static struct option_spec global[CRECHE_SETTINGS + 2];

const struct option_group options_global = {"Everywhere", global};

static enum completes completion_of(const struct setting *s)
{
        return s->kind == SETTING_PATH   ? COMPLETES_FILE
               : s->kind == SETTING_WORD ? COMPLETES_WORDS
                                         : COMPLETES_NOTHING;
}

void options_begin(void)
{
        struct option_spec *o = global;

        for (int i = 0; i < CRECHE_SETTINGS; i++) {
                const struct setting *s = &setting_lists[SECTION_CRECHE].settings[i];

                if (i != CRECHE_OUTPUT)
                        *o++ = (struct option_spec)OPTION(s->name, s->letter, s->value, s->help,
                                                          .completes = completion_of(s), .setting = s);
        }
        *o = (struct option_spec)OPTION("help", 'h', NULL, "what the command does, with examples");
}

static const struct option_spec first[] = {
        OPTION("version", 'V', NULL, "the version"),
        {0},
};

static const struct option_group options_first = {"Before a command", first};

const struct option_group *command_group(const struct command *command, size_t at)
{
        static const struct option_group *const before[OPTION_GROUPS_MAX] = {&options_first};
        const struct option_group *const *groups = command ? command->groups : before;
        size_t n = 0;

        while (n < OPTION_GROUPS_MAX && groups[n])
                n++;
        return at < n ? groups[at] : at == n ? &options_global : NULL;
}

/* What getopt_long() wants, of all groups. */
struct grammar {
        const struct option_spec *specs[OPTIONS_MAX];
        struct option longs[OPTIONS_MAX + 1];
        char shorts[2 * OPTIONS_MAX + 4];
        int n;
};

static void grammar_add(struct grammar *g, const struct option_spec *s)
{
        assert(g->n < OPTIONS_MAX);
        g->specs[g->n] = s;
        g->longs[g->n] =
                (struct option){s->name, s->value ? required_argument : no_argument, NULL, LONG + g->n};
        g->n++;
        if (s->letter) {
                size_t at = strlen(g->shorts);

                g->shorts[at] = s->letter;
                if (s->value)
                        g->shorts[at + 1] = ':';
        }
}

static void grammar_make(struct grammar *g, const struct command *command)
{
        const struct option_group *group;

        *g = (struct grammar){0};
        strcpy(g->shorts, !command || command->flags & COMMAND_ARGV ? "+:" : ":");
        for (size_t i = 0; (group = command_group(command, i)); i++)
                for (const struct option_spec *s = group->options; s->name; s++)
                        grammar_add(g, s);
}

static const struct option_spec *spec_of(const struct grammar *g, int opt)
{
        if (opt >= LONG)
                return g->specs[opt - LONG];
        for (int i = 0; i < g->n; i++)
                if (g->specs[i]->letter == opt)
                        return g->specs[i];
        return NULL;
}

static const char *name_of(const struct command *command)
{
        return command ? command->name : "";
}

/* getopt_long() does not tell why it refuses @name: it begins several, it takes no value, or there is none. */
static void explain_long(const struct grammar *g, const char *name, struct guess *guess, struct fail *f)
{
        struct strbuf begun = {0};
        int n = 0;

        for (int i = 0; i < g->n; i++) {
                text_guess(guess, name, g->specs[i]->name);
                if (strncmp(g->specs[i]->name, name, strlen(name)) != 0)
                        continue;
                strbuf_printf(&begun, "%s--%s", n++ ? ", " : "", g->specs[i]->name);
        }
        if (n)
                *guess = (struct guess){.word = NULL};
        if (n > 1)
                fail_usage(f, "--%s could be any of %s", name, strbuf_text(&begun));
        else if (n)
                fail_usage(f, "%s takes no value", strbuf_text(&begun));
        else
                fail_usage(f, "there is no option --%s", name);
        strbuf_done(&begun);
}

static int refuse_unknown(const struct grammar *g, const struct command *command, const char *word,
                          struct fail *f)
{
        struct guess guess = {.word = NULL};
        char name[64];

        if (strncmp(word, "--", 2) != 0) {
                fail_usage(f, "there is no option -%c", optopt);
        } else {
                snprintf(name, sizeof(name), "%.*s", (int)strcspn(word + 2, "="), word + 2);
                explain_long(g, name, &guess, f);
        }
        if (guess.word)
                return fail_hint(f, "did you mean --%s?", guess.word);
        return fail_hint(
                f,
                "'creche help%s%s' lists them; a '--' stands before a command line that begins with a dash",
                command ? " " : "", name_of(command));
}

static int refuse_missing(const struct grammar *g, int opt, const char *word, struct fail *f)
{
        const struct option_spec *s = spec_of(g, opt);

        fail_usage(f, "%s needs a value", word);
        return s ? fail_hint(f, "it is %s: %s", s->value, s->help) : -1;
}

static int check_operands(const struct args *a, struct fail *f)
{
        const struct command *command = a->command;

        if (!command || args_has(a, "help"))
                return 0;
        if (a->operands_n > command->max)
                fail_usage(f, "'%s' is too much for 'creche %s'", a->operands[command->max], command->name);
        /* A named target is a program by itself. */
        else if (a->operands_n < command->min && !(args_takes(a, "target") && args_has(a, "target")))
                fail_usage(f, "'creche %s' needs %s", command->name, command->arguments);
        else
                return 0;
        return fail_hint(f, "creche help %s", command->name);
}

int args_parse(struct args *a, const struct command *command, int argc, char **argv, struct fail *f)
{
        struct grammar g;
        int opt;

        grammar_make(&g, command);
        *a = (struct args){.command = command, .given = calloc((size_t)argc + 1, sizeof(*a->given))};
        if (!a->given)
                return fail_set(f, ERR_INTERNAL, ENOMEM, "reading the options");
        opterr = 0;
        optind = 0;
        while ((opt = getopt_long(argc, argv, g.shorts, g.longs, NULL)) != -1) {
                if (opt == '?')
                        return refuse_unknown(&g, command, argv[optind > 1 ? optind - 1 : 1], f);
                if (opt == ':')
                        return refuse_missing(&g, optopt, argv[optind - 1], f);
                a->given[a->given_n++] = (struct given){spec_of(&g, opt), optarg};
        }
        a->operands = argv + optind;
        a->operands_n = argc - optind;
        return check_operands(a, f);
}

void args_done(struct args *a)
{
        free(a->given);
}

bool args_takes(const struct args *a, const char *name)
{
        const struct option_group *group;

        for (size_t i = 0; (group = command_group(a->command, i)); i++)
                for (const struct option_spec *s = group->options; s->name; s++)
                        if (!strcmp(s->name, name))
                                return true;
        return false;
}

const char *args_next(const struct args *a, const char *name, size_t *at)
{
        while (*at < a->given_n) {
                const struct given *g = &a->given[(*at)++];

                if (!strcmp(g->option->name, name))
                        return g->value ?: "";
        }
        return NULL;
}

const char *args_get(const struct args *a, const char *name)
{
        const char *value = NULL, *next;
        size_t at = 0;

        assert(args_takes(a, name));
        while ((next = args_next(a, name, &at)))
                value = next;
        return value;
}

bool args_has(const struct args *a, const char *name)
{
        return args_get(a, name) != NULL;
}

int args_number(const struct args *a, const char *name, long long min, long long max, long long *out,
                struct fail *f)
{
        const char *text = args_get(a, name);
        int64_t v;

        if (!text)
                return 0;
        if (number_parse(text, min, max, &v) < 0) {
                fail_usage(f, "--%s: '%s' is no number from %lld to %lld", name, text, min, max);
                return fail_hint(f, "creche help %s", a->command->name);
        }
        *out = v;
        return 0;
}

int args_seconds(const struct args *a, const char *name, double *out, struct fail *f)
{
        const char *text = args_get(a, name);
        double v;

        if (!text)
                return 0;
        v = text_seconds(text);
        if (v < 0) {
                fail_usage(f, "--%s: '%s' is no time", name, text);
                return fail_hint(f, "say seconds, or a number with its unit: 90, 1.5, 10s, 5m, 2h, 1d");
        }
        *out = v;
        return 0;
}
