/* SPDX-License-Identifier: MIT */
/* Completion: the shells ask us, by a hidden command, what a word can become; so it knows options and names of processes
 * as they are now. */
#include "cli/cmd.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/command.h"
#include "cli/help.h"
#include "cli/json.h"
#include "cli/select.h"
#include "cli/text.h"
#include "cli/view.h"

enum { SECONDS = 2, NAMES_MAX = 200 };

/* A candidate is a line, "WORD<tab>what it is". ":file" and ":program" are for the shell to complete itself. */
static const struct {
        const char *shell, *script;
} shells[] = {
        {"bash", "# source <(creche completion bash)\n"
                 "_creche() {\n"
                 "  local cur=${COMP_WORDS[COMP_CWORD]} line\n"
                 "  COMPREPLY=()\n"
                 "  while IFS= read -r line; do\n"
                 "    case $line in\n"
                 "    :file) compopt -o default ;;\n"
                 "    :program) mapfile -t -O \"${#COMPREPLY[@]}\" COMPREPLY < <(compgen -c -- \"$cur\") ;;\n"
                 "    *) printf -v line %q \"${line%%$'\\t'*}\" && COMPREPLY+=(\"$line\") ;;\n"
                 "    esac\n"
                 "  done < <(\"${COMP_WORDS[0]}\" __complete \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\n"
                 "}\n"
                 "complete -F _creche creche\n"},
        {"zsh", "#compdef creche\n"
                "# source <(creche completion zsh), after compinit\n"
                "_creche() {\n"
                "  local -a candidates\n"
                "  local line\n"
                "  while IFS= read -r line; do\n"
                "    case $line in\n"
                "    :file) _files ;;\n"
                "    :program) _command_names -e ;;\n"
                "    *) candidates+=(\"${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}\") ;;\n"
                "    esac\n"
                "  done < <(\"${words[1]}\" __complete \"${(@)words[2,CURRENT]}\" 2>/dev/null)\n"
                "  (( $#candidates )) && _describe creche candidates\n"
                "}\n"
                "compdef _creche creche\n"},
        {"fish", "# creche completion fish | source\n"
                 "function __creche_complete\n"
                 "  set -l words (commandline -opc) (commandline -ct)\n"
                 "  for line in ($words[1] __complete $words[2..] 2>/dev/null)\n"
                 "    switch $line\n"
                 "      case :file\n"
                 "        __fish_complete_path (commandline -ct)\n"
                 "      case :program\n"
                 "        __fish_complete_command\n"
                 "      case '*'\n"
                 "        echo $line\n"
                 "    end\n"
                 "  end\n"
                 "end\n"
                 "complete -c creche -f -a '(__creche_complete)'\n"},
};

int cmd_completion(struct cli *c, const struct args *a, struct fail *f)
{
        (void)c;
        for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++)
                if (!strcmp(shells[i].shell, a->operands[0]))
                        return output_write(shells[i].script, strlen(shells[i].script), f);
        fail_usage(f, "there is no completion for '%s'", a->operands[0]);
        return fail_hint(f, "there is for bash, zsh and fish: source <(creche completion bash)");
}

/* -------------------------------------------------------------------------------------- what to say */

struct asked {
        const char *word; /* that is being typed */
        struct strbuf out;
};

/* On one line, whatever it is. */
static void add(struct asked *q, const char *word, const char *what)
{
        if (strncmp(word, q->word, strlen(q->word)) != 0 || strpbrk(word, "\t\n"))
                return;
        strbuf_printf(&q->out, "%s\t", word);
        text_escape(&q->out, what, strlen(what), false);
        strbuf_char(&q->out, '\n');
}

static void add_words(struct asked *q, const char *words)
{
        char word[64];

        for (size_t n; *words; words += n + (words[n] == '|')) {
                n = strcspn(words, "|");
                snprintf(word, sizeof(word), "%.*s", (int)n, words);
                add(q, word, "");
        }
}

static void add_processes(struct cli *c, struct asked *q, const char *states)
{
        CLEANUP(json_putp) json_t *all = NULL;
        struct fail f;

        if (select_list(c, states, NAMES_MAX, &all, &f) < 0)
                return;
        for (size_t i = 0; i < json_array_size(all); i++) {
                const json_t *p = json_array_get(all, i);
                struct strbuf what = {0};

                strbuf_printf(&what, "%" PRId64 ", ", json_number(p, "id"));
                view_status(p, &what);
                add(q, json_text(p, "name") ?: "", strbuf_text(&what));
                strbuf_done(&what);
        }
}

static void add_tokens(struct cli *c, struct asked *q)
{
        CLEANUP(json_putp) json_t *page = NULL;
        struct fail f;
        char id[24];

        if (client_get(&c->client, &page, &f, "/v1/tokens") < 0)
                return;
        for (size_t i = 0; i < json_array_size(json_object_get(page, "tokens")); i++) {
                const json_t *t = json_array_get(json_object_get(page, "tokens"), i);

                snprintf(id, sizeof(id), "%" PRId64, json_number(t, "id"));
                add(q, id, json_text(t, "name") ?: "");
        }
}

static void add_targets(struct cli *c, struct asked *q)
{
        CLEANUP(json_putp) json_t *all = NULL;
        struct fail f;

        if (client_list(&c->client, "/v1/targets", view_targets.list, &all, &f) < 0)
                return;
        for (size_t i = 0; i < json_array_size(all); i++) {
                const json_t *t = json_array_get(all, i);

                add(q, json_text(t, "name") ?: "", json_text(t, "description") ?: "");
        }
}

/* The word at @at of names, those of two words with @first before it. */
static void add_commands(struct asked *q, const char *first)
{
        char word[64];

        for (const struct command *c = commands; c->name; c++) {
                const char *space = strchr(c->name, ' ');
                size_t n = space ? (size_t)(space - c->name) : strlen(c->name);

                if (c->flags & COMMAND_HIDDEN)
                        continue;
                if (first && (!space || strlen(first) != n || strncmp(c->name, first, n) != 0))
                        continue;
                snprintf(word, sizeof(word), "%.*s", first ? (int)sizeof(word) - 1 : (int)n,
                         first ? space + 1 : c->name);
                add(q, word, c->summary);
        }
}

static void add_options(struct asked *q, const struct command *command)
{
        const struct option_group *group;
        char word[64];

        for (size_t i = 0; (group = command_group(command, i)); i++)
                for (const struct option_spec *s = group->options; s->name; s++) {
                        snprintf(word, sizeof(word), "--%s", s->name);
                        add(q, word, s->help);
                }
}

static void add_kind(struct cli *c, struct asked *q, enum completes kind, const char *words,
                     const char *states)
{
        switch (kind) {
        case COMPLETES_PROCESS: add_processes(c, q, states); break;
        case COMPLETES_TOKEN: add_tokens(c, q); break;
        case COMPLETES_TARGET: add_targets(c, q); break;
        case COMPLETES_WORDS: add_words(q, words); break;
        case COMPLETES_FILE: strbuf_str(&q->out, ":file\n"); break;
        case COMPLETES_PROGRAM: strbuf_str(&q->out, ":program\n"); break;
        case COMPLETES_COMMAND:
                add_commands(q, NULL);
                for (size_t i = 0; help_topic(i); i++)
                        add(q, help_topic(i), "a topic");
                break;
        case COMPLETES_NOTHING: break;
        }
}

/* The option that @word is, if its value is the next word. */
static const struct option_spec *option_before(const struct command *command, const char *word)
{
        const struct option_group *group;

        for (size_t i = 0; (group = command_group(command, i)); i++)
                for (const struct option_spec *s = group->options; s->name; s++)
                        if (s->value && ((!strncmp(word, "--", 2) && !strcmp(word + 2, s->name)) ||
                                         (s->letter && word[0] == '-' && word[1] == s->letter && !word[2])))
                                return s;
        return NULL;
}

/* Whether a command line of somebody else's has begun. */
static bool is_in_argv(const struct command *command, int argc, char **argv)
{
        if (!(command->flags & COMMAND_ARGV))
                return false;
        for (int i = 0; i < argc; i++) {
                if (!strcmp(argv[i], "--"))
                        return true;
                if (*argv[i] != '-')
                        return true;
                if (option_before(command, argv[i]))
                        i++;
        }
        return false;
}

/* @argv: the words before the one that is typed, from the command's name on. */
static void complete_command(struct cli *c, struct asked *q, int argc, char **argv)
{
        const struct option_spec *option;
        int used;
        const struct command *command = command_find(argc, argv, &used);

        if (!command) {
                add_commands(q, argv[0]);
                return;
        }
        option = argc > used ? option_before(command, argv[argc - 1]) : NULL;
        if (is_in_argv(command, argc - used, argv + used))
                add_kind(c, q, *q->word == '-' ? COMPLETES_NOTHING : COMPLETES_FILE, NULL, NULL);
        else if (option)
                add_kind(c, q, option->completes, option->value, "");
        else if (*q->word == '-')
                add_options(q, command);
        else
                add_kind(c, q, command->completes, command->arguments, command->states ?: "");
}

/* Skip the options that stand before the command. */
static int skip_options(int argc, char **argv)
{
        int i = 0;

        while (i < argc && *argv[i] == '-')
                i += option_before(NULL, argv[i]) ? 2 : 1;
        return i;
}

static void complete(struct cli *c, struct asked *q, int argc, char **argv)
{
        const struct option_spec *option = argc ? option_before(NULL, argv[argc - 1]) : NULL;
        int skipped = skip_options(argc, argv);

        if (skipped < argc)
                complete_command(c, q, argc - skipped, argv + skipped);
        else if (option)
                add_kind(c, q, option->completes, option->value, "");
        else if (*q->word == '-')
                add_options(q, NULL);
        else
                add_commands(q, NULL);
}

/* Nobody waits for long behind a key. */
int cmd_complete(struct cli *c, int argc, char **argv, struct fail *f)
{
        struct asked q = {.word = argc > 1 ? argv[argc - 1] : ""};
        int rc;

        alarm(SECONDS);
        if (cli_settings(c, f) < 0 || connect_decide(&c->client.where, &c->settings, f) < 0 ||
            client_begin(&c->client, f) < 0)
                return -1;
        complete(c, &q, argc > 1 ? argc - 2 : 0, argv + 1);
        client_done(&c->client);
        rc = output_str(&q.out, f);
        strbuf_done(&q.out);
        return rc;
}
