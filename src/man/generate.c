/* SPDX-License-Identifier: MIT */
/* Makes a manual page for scdoc of a template: generate TEMPLATE api/openapi.json >PAGE.scd
 *
 * A line of the template that begins with '@' is replaced by what the tables say that the programs work by, so that a page
 * cannot say anything else than --help. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/help.h"
#include "cli/json.h"
#include "settings/setting.h"

static const char *contract;

/* What scdoc would take for its own is told that it is not; the lines stay lines. */
static void put_text(const char *text)
{
        for (const char *c = text; *c; c++) {
                if (strchr("\\*_+<>~", *c) || (strchr("#-[|];`&!", *c) && (c == text || c[-1] == '\n')))
                        putchar('\\');
                putchar(*c);
        }
}

static void put_bold(const char *text)
{
        putchar('*');
        put_text(text);
        putchar('*');
}

static void put_value(const char *text)
{
        printf(" _");
        put_text(text);
        putchar('_');
}

static void put_variable(const struct setting *s)
{
        char variable[VARIABLE_MAX];

        setting_variable(s, variable);
        put_bold(variable);
}

static void put_default(const struct setting *s)
{
        struct strbuf b = {0};

        setting_add_default(s, &b);
        put_text(strbuf_text(&b));
        strbuf_done(&b);
}

/* What --help says of a setting: there, "... " goes on with the one before. */
static void put_help(const struct setting *s)
{
        put_text(strncmp(s->help, "... ", 4) ? s->help : s->help + 4);
        put_default(s);
}

/* As it is, without the blanks that help begins its lines with. */
static void put_literal(const char *text)
{
        puts("```");
        while (*text) {
                size_t n = strcspn(text, "\n"), blanks = strspn(text, " ");

                blanks = blanks > 2 ? 2 : blanks;
                printf("%.*s\n", (int)(n > blanks ? n - blanks : 0), text + blanks);
                text += n + (text[n] == '\n');
        }
        puts("```\n");
}

/* -------------------------------------------------------------------------------------------- of creche */

static void put_option(const struct option_spec *o)
{
        char word[64];

        if (o->letter) {
                snprintf(word, sizeof(word), "-%c", o->letter);
                put_bold(word);
                printf(", ");
        }
        snprintf(word, sizeof(word), "--%s", o->name);
        put_bold(word);
        if (o->value)
                put_value(o->value);
        printf("\n\t");
        put_text(o->help);
        if (o->setting) {
                put_default(o->setting);
                printf(": ");
                put_variable(o->setting);
        }
        puts("\n");
}

static void put_options(const struct option_group *group)
{
        for (const struct option_spec *o = group->options; o->name; o++)
                put_option(o);
}

static void put_command(const struct command *c)
{
        const struct option_group *group;

        printf("## creche ");
        put_text(c->name);
        printf("\n\n*creche %s* ", c->name);
        put_text(c->arguments);
        printf("\n\n");
        put_text(c->summary);
        puts(".\n");
        if (c->aliases)
                printf("Also called: %s.\n\n", c->aliases);
        if (c->text) {
                put_text(c->text);
                puts("\n");
        }
        for (size_t i = 0; (group = command_group(c, i)); i++)
                if (group != &options_global)
                        put_options(group);
        put_literal(c->examples);
}

static void put_commands(const char *argument)
{
        (void)argument;
        for (const struct command *c = commands; c->name; c++)
                if (!(c->flags & COMMAND_HIDDEN))
                        put_command(c);
}

static void put_global_options(const char *argument)
{
        (void)argument;
        put_options(command_group(NULL, 0));
        put_options(&options_global);
}

static void put_exit_codes(const char *argument)
{
        (void)argument;
        for (size_t i = 0; i < 2; i++) {
                if (i) {
                        put_text(help_of_child);
                        puts("\n");
                }
                for (const struct exit_code *code = help_exit_codes[i]; code->text; code++) {
                        char number[12];

                        snprintf(number, sizeof(number), "%d", code->status);
                        put_bold(code->shown ?: number);
                        printf("\n\t");
                        put_text(code->text);
                        puts("\n");
                }
        }
}

static void put_topic(const char *name)
{
        struct strbuf b = {0};

        for (size_t i = 0; help_topic(i); i++)
                if (!strcmp(help_topic(i), name))
                        help_add_topic(i, &b);
        put_literal(strbuf_text(&b));
        strbuf_done(&b);
}

/* ------------------------------------------------------------------------------------------ of settings */

static void put_creched_options(const char *argument)
{
        (void)argument;
        for (int i = 0; i < CRECHED_SETTINGS; i++) {
                const struct setting *s = &setting_lists[SECTION_CRECHED].settings[i];
                char word[64];

                snprintf(word, sizeof(word), "--%s", s->name);
                put_bold(word);
                put_value(s->value);
                printf("\n\t");
                put_help(s);
                printf(": ");
                put_variable(s);
                puts("\n");
        }
}

static void put_keys(const char *section)
{
        const struct setting_list *list =
                &setting_lists[!strcmp(section, "creche") ? SECTION_CRECHE : SECTION_CRECHED];

        for (int i = 0; i < list->n; i++) {
                const struct setting *s = &list->settings[i];

                if (s->kind == SETTING_SECRET)
                        continue;
                put_bold(s->name);
                printf(" =");
                put_value(setting_value(s));
                printf("\n\t");
                put_help(s);
                puts("\n");
        }
}

/* ------------------------------------------------------------------------------------------- of the API */

static void put_operation(const char *method, const char *path, const json_t *operation)
{
        const json_t *scopes = json_object_get(operation, "x-creche-scopes");
        struct strbuf b = {0};

        for (const char *c = method; *c; c++)
                strbuf_char(&b, (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c));
        strbuf_printf(&b, " %s", path);
        put_bold(strbuf_text(&b));
        strbuf_done(&b);
        printf("\n\t");
        put_text(json_text(operation, "summary") ?: "");
        for (size_t i = 0; i < json_array_size(scopes); i++)
                printf("%s%s", i ? ", or " : " Scope: ", json_string_value(json_array_get(scopes, i)));
        puts("\n");
}

static void put_operations(const char *argument)
{
        json_t *document = json_load_file(contract, 0, NULL), *operations, *operation;
        const char *path, *method;

        (void)argument;
        json_object_foreach(json_object_get(document, "paths"), path, operations)
                json_object_foreach(operations, method, operation) if (json_text(operation, "operationId"))
                        put_operation(method, path, operation);
        json_decref(document);
}

/* ---------------------------------------------------------------------------------------- the template */

static const struct {
        const char *name;
        void (*put)(const char *argument);
} parts[] = {
        {"commands", put_commands},
        {"global-options", put_global_options},
        {"exit-codes", put_exit_codes},
        {"topic", put_topic},
        {"creched-options", put_creched_options},
        {"keys", put_keys},
        {"operations", put_operations},
};

/* "@keys creched" */
static int put_part(char *line)
{
        const char *name = strtok(line + 1, " \n"), *argument = strtok(NULL, " \n");

        for (size_t i = 0; name && i < sizeof(parts) / sizeof(parts[0]); i++)
                if (!strcmp(parts[i].name, name)) {
                        parts[i].put(argument);
                        return 0;
                }
        fprintf(stderr, "generate: there is no part '%s'\n", name ?: "");
        return -1;
}

int main(int argc, char **argv)
{
        FILE *f = argc == 3 ? fopen(argv[1], "re") : NULL;
        char line[4096];

        if (!f || access(argv[2], R_OK) < 0) {
                fprintf(stderr, "usage: generate TEMPLATE api/openapi.json >PAGE.scd: %s\n", strerror(errno));
                return 2;
        }
        contract = argv[2];
        options_begin();
        while (fgets(line, sizeof(line), f))
                if (*line != '@')
                        fputs(line, stdout);
                else if (put_part(line) < 0)
                        return 1;
        fclose(f);
        return fflush(stdout) == 0 ? 0 : 1;
}
