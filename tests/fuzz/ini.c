/* SPDX-License-Identifier: MIT */
/* tests/fuzz/ini.c: creche.ini.
 *
 * Input: the file. */
#include "fuzz.h"

#include "settings/settings.h"

#define PATH "/etc/creche/creche.ini"

/* "/etc/creche/creche.ini:3: ..." */
static void check_message(const char *message)
{
        char *end;

        REQUIRE(!strncmp(message, PATH ":", sizeof(PATH)));
        REQUIRE(strtol(message + sizeof(PATH), &end, 10) > 0 && !strncmp(end, ": ", 2) && end[2]);
        REQUIRE(!fuzz_has_control(message));
}

static void count(void *arg, const char *message)
{
        check_message(message);
        ++*(size_t *)arg;
}

/* Reads @text, which says nothing beyond its end. */
static int read_text(struct settings *s, const void *text, size_t n, struct err *e)
{
        FILE *f = n ? fmemopen((void *)text, n, "r") : fopen("/dev/null", "re");
        int rc;

        REQUIRE(f && settings_begin(s, e) == 0);
        rc = settings_read_file(s, f, PATH, ORIGIN_SYSTEM_FILE, e);
        fclose(f);
        return rc;
}

static size_t count_lines(const uint8_t *data, size_t size)
{
        size_t n = 1;

        for (size_t i = 0; i < size; i++)
                n += data[i] == '\n';
        return n;
}

/* What was taken is a value, stands in a line that there is, and is no secret. */
static void check_chosen(const struct settings *s, size_t lines)
{
        struct err e;

        for (int section = 0; section < SECTIONS; section++)
                for (int i = 0; i < setting_lists[section].n; i++) {
                        const struct setting *setting = &setting_lists[section].settings[i];
                        const struct chosen *c = &s->chosen[section][i];

                        if (c->origin == ORIGIN_DEFAULT)
                                continue;
                        REQUIRE(c->origin == ORIGIN_SYSTEM_FILE && c->line > 0 && c->line <= lines);
                        REQUIRE(setting_check(setting, c->text, setting->name, &e) == 0);
                        REQUIRE(setting->kind != SETTING_SECRET);
                        REQUIRE(setting->kind != SETTING_PATH || *c->text == '/');
                }
}

/* What was understood, said plainly, is understood as the same. */
static void check_again(const struct settings *s)
{
        static struct settings again;
        struct strbuf b = {0};
        struct err e;

        for (int section = 0; section < SECTIONS; section++) {
                strbuf_printf(&b, "[%s]\n", setting_lists[section].name);
                for (int i = 0; i < setting_lists[section].n; i++)
                        if (s->chosen[section][i].origin != ORIGIN_DEFAULT)
                                strbuf_printf(&b, "%s=%s\n", setting_lists[section].settings[i].name,
                                              s->chosen[section][i].text);
        }
        REQUIRE(read_text(&again, b.s, b.len, &e) == 0);
        for (int section = 0; section < SECTIONS; section++)
                for (int i = 0; i < setting_lists[section].n; i++) {
                        const struct chosen *was = &s->chosen[section][i], *is = &again.chosen[section][i];

                        REQUIRE(was->origin == is->origin && !was->text == !is->text);
                        REQUIRE(!was->text || !strcmp(was->text, is->text));
                }
        settings_done(&again);
        strbuf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static struct settings s, all;
        size_t complaints = 0;
        struct err e = {0}, first = {0};
        int rc = read_text(&s, data, size, &first);

        all.complain = count;
        all.arg = &complaints;
        /* Whoever asks for all that is wrong gets the same first one. */
        REQUIRE(read_text(&all, data, size, &e) == rc && !complaints == !rc);
        if (rc < 0) {
                fuzz_check_refusal(&first);
                check_message(first.msg);
                REQUIRE(!strcmp(first.msg, e.msg));
        } else {
                check_again(&s);
        }
        check_chosen(&s, count_lines(data, size));
        settings_done(&all);
        settings_done(&s);
        return 0;
}
