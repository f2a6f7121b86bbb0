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

enum { UNLIKE = 3 };

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

const char *command_like(const char *word)
{
        const char *best = NULL;
        size_t least = UNLIKE;

        for (const struct command *c = commands; c->name; c++) {
                size_t d = text_distance(word, c->name);
                size_t n = strlen(word);

                if (c->flags & COMMAND_HIDDEN)
                        continue;
                /* The beginning of a name, or the first word of two. */
                if (n > 1 && !strncmp(word, c->name, n))
                        d = 1;
                if (d < least) {
                        least = d;
                        best = c->name;
                }
        }
        return best;
}

static int refuse_command(const char *word, struct fail *f)
{
        const char *like = command_like(word);

        fail_usage(f, "there is no command '%s'", word);
        if (like)
                return fail_hint(f, "did you mean: creche %s", like);
        return fail_hint(f, "'creche help' lists the commands; to start a program: creche run -- %s", word);
}

/* --------------------------------------------------------------------------------------------- running */

static const char *option_of(const struct args *before, const struct args *a, const char *name)
{
        return args_get(a, name) ?: args_get(before, name);
}

static int run_command(struct cli *c, const struct args *before, const struct args *a, struct fail *f)
{
        int status;

        if (args_has(a, "help"))
                return help_command(a->command, f);
        if (output_begin(&c->out, option_of(before, a, "color"), f) < 0 ||
            connect_decide(&c->client.where, before, a, f) < 0 || client_begin(&c->client, f) < 0)
                return -1;
        c->client.verbose = option_of(before, a, "verbose") != NULL;
        status = a->command->run(c, a, f);
        client_done(&c->client);
        return status;
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
                return refuse_command(before->operands[0], f);
        if (command->flags & COMMAND_PASSES)
                return command->pass(c, before->operands_n, before->operands, f);
        rc = args_parse(&a, command, before->operands_n - used + 1, before->operands + used - 1, f);
        if (rc == 0)
                rc = run_command(c, before, &a, f);
        if (rc < 0)
                own_status(&a, f);
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
        struct cli c = {0};
        struct fail f = {.status = EXIT_FAILED};
        int status;

        open_standard_files();
        text_begin();
        status = begin(&c, argc, argv, &f);
        if (status >= 0)
                return status;
        if (!output_reader_left(&f))
                fail_tell(&f);
        return f.status;
}
