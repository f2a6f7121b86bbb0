/* SPDX-License-Identifier: MIT */
/* From the words on the command line to the command, and from what came of it to the exit status. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cmd.h"
#include "cli/command.h"
#include "cli/help.h"
#include "cli/text.h"

/* ------------------------------------------------------------------------------------- finding a command */

/* Whether @name, of one word or two, is what @argv begins with; the number of words. */
static int match_words(const char *name, int argc, char *const *argv)
{
        const char *space = strchr(name, ' ');
        size_t n = space ? (size_t)(space - name) : strlen(name);

        if (argc < 1 || strlen(argv[0]) != n || strncmp(argv[0], name, n) != 0)
                return 0;
        if (!space)
                return 1;
        return argc > 1 && !strcmp(argv[1], space + 1) ? 2 : 0;
}

static bool has_alias(const struct command *command, const char *word)
{
        size_t n = strlen(word);

        for (const char *at = command->aliases; at && *at; at += strcspn(at, " "), at += *at == ' ')
                if (strcspn(at, " ") == n && !strncmp(at, word, n))
                        return n > 0;
        return false;
}

const struct command *command_find(int argc, char *const *argv, int *used)
{
        for (const struct command *c = commands; c->name; c++) {
                *used = match_words(c->name, argc, argv);
                if (!*used && argc > 0 && has_alias(c, argv[0]))
                        *used = 1;
                if (*used)
                        return c;
        }
        return NULL;
}

static void guess_first_word(struct guess *guess, const char *word, const char *name)
{
        struct guess first = {.word = NULL};
        char text[32];

        snprintf(text, sizeof(text), "%.*s", (int)strcspn(name, " "), name);
        text_guess(&first, word, text);
        if (first.word && (!guess->word || first.distance < guess->distance))
                *guess = (struct guess){name, first.distance};
}

const char *command_like(const char *word)
{
        struct guess guess = {.word = NULL};
        size_t n = strlen(word);

        for (const struct command *c = commands; c->name; c++) {
                if (c->flags & COMMAND_HIDDEN)
                        continue;
                text_guess(&guess, word, c->name);
                guess_first_word(&guess, word, c->name);
                /* The beginning of a name, or the first word of two. */
                if (n > 1 && !strncmp(word, c->name, n) && (!guess.word || guess.distance > 1))
                        guess = (struct guess){c->name, 1};
        }
        return guess.word;
}

/* `creche token`, without a word that says what; @argv: what comes then. */
static int refuse_family(const char *word, char *const *argv, struct fail *f)
{
        struct strbuf b = {0};

        if (*argv && **argv != '-')
                fail_usage(f, "there is no command '%s %s'", word, *argv);
        else
                fail_usage(f, "'creche %s' needs to know what to do", word);
        help_add_family(word, &b);
        fail_hint(f, "there are %s; 'creche help %s' says what they do", strbuf_text(&b), word);
        strbuf_done(&b);
        return -1;
}

static bool asks_for_help(char *const *argv)
{
        return *argv && (!strcmp(*argv, "--help") || !strcmp(*argv, "-h"));
}

static int refuse_command(char *const *argv, struct fail *f)
{
        const char *word = argv[0], *like = command_like(word);

        if (help_is_family(word))
                return asks_for_help(argv + 1) ? help_family(word, f) : refuse_family(word, argv + 1, f);
        fail_usage(f, "there is no command '%s'", word);
        if (like)
                return fail_hint(f, "did you mean: creche %s", like);
        return fail_hint(f, "'creche help' lists the commands; to start a program: creche run -- %s", word);
}

/* --------------------------------------------------------------------------------------------- running */

/* The options that are settings, on either side of the command. */
static int read_options(struct settings *s, const struct args *before, const struct args *a, struct fail *f)
{
        for (const struct option_spec *o = options_global.options; o->name; o++) {
                const char *text = args_get(a, o->name) ?: args_get(before, o->name);
                struct err e;

                if (!text || !o->setting || (o->value && !*text))
                        continue;
                if (settings_option(s, SECTION_CRECHE, setting_find(SECTION_CRECHE, o->name),
                                    o->value ? text : "yes", &e) < 0) {
                        fail_usage(f, "%s", e.msg);
                        return fail_hint(f, "it is %s: %s", setting_value(o->setting), o->help);
                }
        }
        return 0;
}

int cli_settings(struct cli *c, struct fail *f)
{
        struct err e;

        if (settings_read_files(&c->settings, false, &e) == 0 &&
            settings_read_variables(&c->settings, SECTION_CRECHE, &e) == 0)
                return 0;
        fail_usage(f, "%s", e.msg);
        return fail_hint(f,
                         "'creche config --check' tells all that is wrong, 'man creche.ini' what can be set");
}

static bool is_yes(const struct settings *s, enum creche_setting i)
{
        return !strcmp(settings_text(s, SECTION_CRECHE, (int)i), "yes");
}

static int ask(struct cli *c, const struct args *a, struct fail *f)
{
        int status;

        if (connect_decide(&c->client.where, &c->settings, f) < 0 || client_begin(&c->client, f) < 0)
                return -1;
        c->client.verbose = is_yes(&c->settings, CRECHE_VERBOSE);
        status = a->command->run(c, a, f);
        client_done(&c->client);
        return status;
}

static int run_command(struct cli *c, const struct args *before, struct args *a, struct fail *f)
{
        bool asks = !(a->command->flags & COMMAND_OFFLINE);

        if (args_has(a, "help"))
                return help_command(a->command, f);
        if (asks && cli_settings(c, f) < 0) {
                if (!(a->command->flags & COMMAND_EXAMINES))
                        return -1;
                c->unset = f->err;
                settings_read_variables(&c->settings, SECTION_CRECHE, &f->err);
                *f = (struct fail){.status = EXIT_FAILED};
        }
        if (read_options(&c->settings, before, a, f) < 0)
                return -1;
        output_begin(&c->out, settings_text(&c->settings, SECTION_CRECHE, CRECHE_COLOR));
        if (!asks)
                return a->command->run(c, a, f);
        if (a->command->flags & COMMAND_LISTS)
                a->format = settings_text(&c->settings, SECTION_CRECHE, CRECHE_OUTPUT);
        return ask(c, a, f);
}

/* Where the status is the child's, a failure of ours has to have one of its own. */
static void own_status(const struct args *a, struct fail *f)
{
        unsigned flags = a->command->flags;
        bool stays = flags & COMMAND_STAYS && (args_has(a, "wait") || args_has(a, "follow"));

        if ((flags & COMMAND_STATUS || stays) && f->status < EXIT_TIMED_OUT)
                f->status = EXIT_OURS;
}

static int dispatch(struct cli *c, const struct args *before, struct fail *f)
{
        const struct command *command;
        struct args a;
        int used, rc;

        command = command_find(before->operands_n, before->operands, &used);
        if (!command)
                return refuse_command(before->operands, f);
        if (command->flags & COMMAND_PASSES)
                return command->pass(c, before->operands_n, before->operands, f);
        rc = args_parse(&a, command, before->operands_n - used + 1, before->operands + used - 1, f);
        if (rc == 0)
                rc = run_command(c, before, &a, f);
        if (rc < 0) {
                own_status(&a, f);
                fail_hint_command(f, command->name);
        }
        args_done(&a);
        return rc;
}

static int print_overview(int status)
{
        struct strbuf b = {0};
        struct fail f;
        int rc;

        help_overview(&b);
        if (status)
                rc = fputs(strbuf_text(&b), stderr) < 0 ? -1 : 0;
        else
                rc = output_str(&b, &f);
        strbuf_done(&b);
        if (rc < 0 && !status && !output_reader_left(&f))
                fail_tell(&f);
        return rc < 0 ? EXIT_FAILED : status;
}

/* What is closed is not to become a socket; a write to it still has to fail. */
static void open_standard_files(void)
{
        static const int flags[] = {O_RDONLY, O_RDONLY, O_WRONLY};

        for (int fd = 0; fd < 3; fd++)
                if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", flags[fd]) != fd)
                        abort();
}

static int begin(struct cli *c, int argc, char **argv, struct fail *f)
{
        struct args before;
        int rc = args_parse(&before, NULL, argc, argv, f);

        if (rc == 0 && args_has(&before, "help"))
                rc = print_overview(0);
        else if (rc == 0 && args_has(&before, "version"))
                rc = output_line(f, "creche %s", CRECHE_VERSION);
        else if (rc == 0 && !before.operands_n)
                rc = print_overview(EXIT_USAGE);
        else if (rc == 0)
                rc = dispatch(c, &before, f);
        args_done(&before);
        return rc;
}

int cli_main(int argc, char **argv)
{
        struct fail f = {.status = EXIT_FAILED};
        struct cli c = {0};
        int status;

        open_standard_files();
        text_begin();
        options_begin();
        status = settings_begin(&c.settings, &f.err) < 0 ? -1 : begin(&c, argc, argv, &f);
        settings_done(&c.settings);
        if (status >= 0)
                return status;
        if (!output_reader_left(&f))
                fail_tell(&f);
        return f.status;
}
