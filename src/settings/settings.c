/* SPDX-License-Identifier: MIT */
#include "settings/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/paths.h"
#include "settings/choose.h"

int settings_choose(struct chosen *c, const char *text, enum origin origin, unsigned line, struct err *e)
{
        char *copy;

        if (origin < c->origin)
                return 0;
        copy = strdup(text);
        if (!copy)
                return err_set(e, ERR_INTERNAL, ENOMEM, "reading the settings");
        free(c->text);
        c->text = copy;
        c->origin = origin;
        c->line = line;
        return 0;
}

static int choose_default(struct chosen *c, const struct setting *s, struct err *e)
{
        char path[PATH_MAX] = "";

        if (s->find)
                s->find(path);
        if (!s->fallback && !*path)
                return 0;
        return settings_choose(c, s->fallback ?: path, ORIGIN_DEFAULT, 0, e);
}

int settings_begin(struct settings *s, struct err *e)
{
        memset(s->chosen, 0, sizeof(s->chosen));
        memset(s->files, 0, sizeof(s->files));
        paths_config(s->files[ORIGIN_USER_FILE]);
        strcpy(s->files[ORIGIN_SYSTEM_FILE], SETTINGS_SYSTEM_FILE);
        for (int section = 0; section < SECTIONS; section++)
                for (int i = 0; i < setting_lists[section].n; i++)
                        if (choose_default(&s->chosen[section][i], &setting_lists[section].settings[i], e) <
                            0)
                                return -1;
        return 0;
}

void settings_done(struct settings *s)
{
        for (int section = 0; section < SECTIONS; section++)
                for (int i = 0; i < SETTINGS_MAX; i++) {
                        free(s->chosen[section][i].text);
                        s->chosen[section][i].text = NULL;
                }
}

int settings_read_variables(struct settings *s, enum section section, struct err *e)
{
        char variable[VARIABLE_MAX];
        struct err first;
        int rc = 0;

        for (int i = 0; i < setting_lists[section].n; i++) {
                const struct setting *setting = &setting_lists[section].settings[i];
                const char *text;

                setting_variable(setting, variable);
                text = getenv(variable);
                if (!text || (!*text && section == SECTION_CRECHE))
                        continue;
                if (setting_check(setting, text, variable, &first) == 0) {
                        if (settings_choose(&s->chosen[section][i], text, ORIGIN_VARIABLE, 0, e) < 0)
                                return -1;
                        continue;
                }
                if (rc == 0)
                        *e = first;
                rc = -1;
                if (!s->complain)
                        return -1;
                s->complain(s->arg, first.msg);
        }
        return rc;
}

int settings_option(struct settings *s, enum section section, int i, const char *text, struct err *e)
{
        const struct setting *setting = &setting_lists[section].settings[i];
        char where[VARIABLE_MAX];

        snprintf(where, sizeof(where), "--%s", setting->name);
        if (setting_check(setting, text, where, e) < 0)
                return -1;
        return settings_choose(&s->chosen[section][i], text, ORIGIN_OPTION, 0, e);
}

int settings_check_creched(const struct settings *s, struct err *e)
{
        const struct chosen *c = s->chosen[SECTION_CRECHED];
        const char *cert = c[CRECHED_TLS_CERT].text, *key = c[CRECHED_TLS_KEY].text;

        if (!c[CRECHED_STATE_DIR].text)
                return err_set(e, ERR_INVALID, 0, "no HOME, and no home in passwd: say --state-dir");
        if (!cert != !key)
                return err_set(e, ERR_INVALID, 0, "%s: tls-cert and tls-key go together",
                               cert ? "no tls-key" : "no tls-cert");
        if (c[CRECHED_TLS_CLIENT_CA].text && !cert)
                return err_set(e, ERR_INVALID, 0, "tls-client-ca goes with tls-cert and tls-key");
        return 0;
}

static bool is_of_file(const struct chosen *c)
{
        return c->origin == ORIGIN_SYSTEM_FILE || c->origin == ORIGIN_USER_FILE;
}

int settings_export(const struct settings *s, enum section section, struct err *e)
{
        char variable[VARIABLE_MAX];

        for (int i = 0; i < setting_lists[section].n; i++) {
                const struct chosen *c = &s->chosen[section][i];

                setting_variable(&setting_lists[section].settings[i], variable);
                if (is_of_file(c) && setenv(variable, c->text, 1) < 0)
                        return err_set(e, ERR_INTERNAL, errno, "handing over what %s says",
                                       s->files[c->origin]);
        }
        return 0;
}

void settings_add_origin(const struct settings *s, enum section section, int i, struct strbuf *out)
{
        const struct chosen *c = &s->chosen[section][i];
        char variable[VARIABLE_MAX];

        /* It may come from creched's: see settings_read_files(). */
        if (section == SECTION_CRECHE && i == CRECHE_SOCKET && c->origin == ORIGIN_DEFAULT) {
                section = SECTION_CRECHED;
                i = CRECHED_SOCKET;
                c = &s->chosen[section][i];
        }
        setting_variable(&setting_lists[section].settings[i], variable);
        if (c->origin == ORIGIN_OPTION)
                strbuf_printf(out, "--%s", setting_lists[section].settings[i].name);
        else if (c->origin == ORIGIN_VARIABLE)
                strbuf_str(out, variable);
        else if (is_of_file(c))
                strbuf_printf(out, "%s:%u", s->files[c->origin], c->line);
        else
                strbuf_str(out, "default");
}
