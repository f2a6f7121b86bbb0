/* SPDX-License-Identifier: MIT */
#include "cli/help.h"

#include <stdio.h>
#include <string.h>

#include "cli/cmd.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ------------------------------------------------------------------------------------------- topics */

/* ->shown: NULL: the number. */
static const struct exit_code own_codes[] = {
        {0, NULL, "done"},
        {EXIT_FAILED, NULL, "failed"},
        {EXIT_USAGE, NULL,
         "wrong words on the command line or in the settings; a name that could mean several"},
        {EXIT_NO_DAEMON, NULL, "no daemon answers"},
        {EXIT_NO_PROCESS, NULL, "there is no such process, target or token"},
        {EXIT_WRONG_STATE, NULL, "the process, or the daemon, is in a state in which that cannot be done"},
        {EXIT_DENIED, NULL, "denied: the token, the user or the policy does not allow it"},
        {EXIT_TIMED_OUT, NULL, "the time given with --timeout is over"},
        {EXIT_NOT_EXECUTABLE, NULL, "the program cannot be executed"},
        {EXIT_NO_PROGRAM, NULL, "the program was not found"},
        {0},
};

static const struct exit_code child_codes[] = {
        {0, "0-255", "the child's own exit code"},
        {EXIT_TIMED_OUT, NULL,
         "the time given with --timeout is over: 'run' has ended it, else it runs still"},
        {EXIT_OURS, NULL, "we failed, for whatever reason; also: nobody knows how it ended (lost)"},
        {EXIT_NOT_EXECUTABLE, NULL, "the program cannot be executed"},
        {EXIT_NO_PROGRAM, NULL, "the program was not found"},
        {0, "128+N", "it was killed by signal N"},
        {0},
};

const struct exit_code *const help_exit_codes[] = {own_codes, child_codes};

const char help_of_child[] =
        "Of 'run --wait', 'run --follow', 'join' and 'wait-any', which give that of the child. Of\n"
        "several, 'join' gives the first, in the order in which they were named, that is not 0:";

static void add_codes(const struct exit_code *codes, struct strbuf *b)
{
        for (; codes->text; codes++)
                if (codes->shown)
                        strbuf_printf(b, "  %-6s %s\n", codes->shown, codes->text);
                else
                        strbuf_printf(b, "  %-6d %s\n", codes->status, codes->text);
}

static void add_exit_codes(struct strbuf *b)
{
        strbuf_str(b, "Exit codes of creche:\n\n");
        add_codes(own_codes, b);
        strbuf_printf(b, "\n%s\n\n", help_of_child);
        add_codes(child_codes, b);
}

static void add_processes(struct strbuf *b)
{
        strbuf_str(b, "Which processes a command means:\n\n"
                      "  17           the one with this id\n"
                      "  hello        the one with this name; of several, the one that has not ended\n"
                      "  he           the one whose name begins so, when it is the only one\n"
                      "  'web-*'      all whose names match: * ? [abc]\n"
                      "  @last        the one that was started last\n"
                      "  -l app=web   all with this label; -l app: with any value\n\n"
                      "Commands that end or signal mean, by names and globs, those that run. When a name\n"
                      "could mean several, they are listed, nothing is done, and the exit code is 2.\n");
}

static void add_setting(const struct setting *s, struct strbuf *b)
{
        char variable[VARIABLE_MAX];

        setting_variable(s, variable);
        strbuf_printf(b, "  %-18s %s (--%s)\n", variable, s->help, s->name);
}

static void add_environment(struct strbuf *b)
{
        strbuf_str(b, "Options go before variables, and variables before creche.ini, which is looked for in\n"
                      "$XDG_CONFIG_HOME/creche (~/.config/creche) and then in /etc/creche:\n\n");
        for (int i = 0; i < CRECHE_SETTINGS; i++)
                add_setting(&setting_lists[SECTION_CRECHE].settings[i], b);
        strbuf_str(b, "  CRECHE_AUTHKEY     the token of a process that Creche has started; set by it, with\n"
                      "                     CRECHE_SOCKET, CRECHE_URL and CRECHE_ID\n"
                      "  NO_COLOR           no colours\n"
                      "  COLUMNS            the width of tables on a terminal\n\n"
                      "'creche config' shows what is in force, and why. Of the daemon: creched --help\n");
}

static const struct {
        const char *name, *summary;
        void (*add)(struct strbuf *b);
} topics[] = {
        {"exit-codes", "what creche exits with", add_exit_codes},
        {"processes", "how to say which processes are meant", add_processes},
        {"environment", "the variables and files that are looked at", add_environment},
};

const char *help_topic(size_t i)
{
        return i < COUNT(topics) ? topics[i].name : NULL;
}

void help_add_topic(size_t i, struct strbuf *b)
{
        topics[i].add(b);
}

/* ----------------------------------------------------------------------------------------- commands */

void help_overview(struct strbuf *b)
{
        strbuf_str(b, "Usage: creche COMMAND [OPTION]... [ARGUMENT]...\n\n"
                      "  creche serve -d                                    # have a daemon\n"
                      "  creche run --name hello -- sh -c 'echo hi; exit 3'  # start a program\n"
                      "  creche join hello; creche logs hello               # its exit code, its output\n\n"
                      "Commands:\n");
        for (const struct command *c = commands; c->name; c++)
                if (!(c->flags & COMMAND_HIDDEN))
                        strbuf_printf(b, "  %-14s %s\n", c->name, c->summary);
        strbuf_str(b, "\nMore: 'creche help COMMAND', and\n");
        for (size_t i = 0; i < COUNT(topics); i++)
                strbuf_printf(b, "  creche help %-12s %s\n", topics[i].name, topics[i].summary);
}

/* The next after @c; NULL for @c: the first. */
static const struct command *next_of_family(const char *word, const struct command *c)
{
        size_t n = strlen(word);

        for (c = c ? c + 1 : commands; c->name; c++)
                if (!strncmp(c->name, word, n) && c->name[n] == ' ')
                        return c;
        return NULL;
}

bool help_is_family(const char *word)
{
        return next_of_family(word, NULL);
}

void help_add_family(const char *word, struct strbuf *b)
{
        for (const struct command *c = NULL; (c = next_of_family(word, c));)
                strbuf_printf(b, "%s%s", b->len ? ", " : "", c->name);
}

int help_family(const char *word, struct fail *f)
{
        struct strbuf b = {0};
        int rc;

        strbuf_printf(&b, "Usage: creche %s COMMAND [OPTION]... [ARGUMENT]...\n\nCommands:\n", word);
        for (const struct command *c = NULL; (c = next_of_family(word, c));)
                strbuf_printf(&b, "  %-14s %s\n", c->name, c->summary);
        strbuf_printf(&b, "\nMore: 'creche help %s', for one\n", next_of_family(word, NULL)->name);
        rc = output_str(&b, f);
        strbuf_done(&b);
        return rc;
}

static void add_variable(const struct setting *s, struct strbuf *b)
{
        char variable[VARIABLE_MAX];

        setting_variable(s, variable);
        setting_add_default(s, b);
        strbuf_printf(b, " [%s]", variable);
}

static void add_options(const struct option_group *group, struct strbuf *b)
{
        strbuf_printf(b, "\n%s:\n", group->title);
        for (const struct option_spec *s = group->options; s->name; s++) {
                char left[64], letter[8] = "    ";

                if (s->letter)
                        snprintf(letter, sizeof(letter), "-%c, ", s->letter);
                snprintf(left, sizeof(left), "%s--%s%s%s", letter, s->name, s->value ? " " : "",
                         s->value ?: "");
                strbuf_printf(b, "  %-30s %s", left, s->help);
                if (s->setting)
                        add_variable(s->setting, b);
                strbuf_char(b, '\n');
        }
}

int help_command(const struct command *command, struct fail *f)
{
        const struct option_group *group;
        struct strbuf b = {0};
        int rc;

        strbuf_printf(&b, "creche %s: %s\n\n%s\n\nUsage: creche %s %s\n", command->name, command->summary,
                      command->examples, command->name, command->arguments);
        if (command->aliases)
                strbuf_printf(&b, "Also called: %s\n", command->aliases);
        if (command->text)
                strbuf_printf(&b, "\n%s\n", command->text);
        for (size_t i = 0; (group = command_group(command, i)); i++)
                if (!(command->flags & COMMAND_PASSES) || group != &options_global)
                        add_options(group, &b);
        rc = output_str(&b, f);
        strbuf_done(&b);
        return rc;
}

static int print(void (*add)(struct strbuf *b), struct fail *f)
{
        struct strbuf b = {0};
        int rc;

        add(&b);
        rc = output_str(&b, f);
        strbuf_done(&b);
        return rc;
}

int cmd_help(struct cli *c, const struct args *a, struct fail *f)
{
        const struct command *command;
        const char *like;
        int used;

        (void)c;
        if (!a->operands_n)
                return print(help_overview, f);
        for (size_t i = 0; i < COUNT(topics); i++)
                if (!strcmp(topics[i].name, a->operands[0]))
                        return print(topics[i].add, f);
        command = command_find(a->operands_n, a->operands, &used);
        if (command)
                return help_command(command, f);
        if (help_is_family(a->operands[0]))
                return help_family(a->operands[0], f);
        like = command_like(a->operands[0]);
        fail_usage(f, "there is no command and no topic '%s'", a->operands[0]);
        return like ? fail_hint(f, "did you mean: creche help %s", like) : -1;
}
