/* SPDX-License-Identifier: MIT */
/* config: what is set, and where. */
#include "cli/cmd.h"

#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/json.h"
#include "cli/text.h"
#include "cli/view.h"

static json_t *setting_row(const struct settings *s, enum section section, int i)
{
        const struct setting_list *list = &setting_lists[section];
        const struct setting *setting = &list->settings[i];
        const char *text = settings_text(s, section, i);
        struct strbuf key = {0}, origin = {0};
        char variable[VARIABLE_MAX];
        json_t *row;

        setting_variable(setting, variable);
        settings_add_origin(s, section, i, &origin);
        strbuf_printf(&key, "%s.%s", list->name, setting->name);
        row = json_pack("{s:s, s:s, s:s, s:s?, s:s, s:s, s:s}", "key", strbuf_text(&key), "section",
                        list->name, "name", setting->name, "value",
                        text && setting->kind == SETTING_SECRET ? "..." : text, "origin",
                        strbuf_text(&origin), "variable", variable, "help", setting->help);
        strbuf_done(&origin);
        strbuf_done(&key);
        return row;
}

static int show(struct cli *c, const struct args *a, struct fail *f)
{
        CLEANUP(json_putp) json_t *rows = json_array();
        struct err e;

        if (cli_settings(c, f) < 0)
                return -1;
        if (settings_read_variables(&c->settings, SECTION_CRECHED, &e) < 0) {
                fail_usage(f, "%s", e.msg);
                return fail_hint(f, "creche config --check");
        }
        for (int section = 0; section < SECTIONS; section++)
                for (int i = 0; i < setting_lists[section].n; i++)
                        if (json_array_append_new(rows, setting_row(&c->settings, (enum section)section, i)) <
                            0)
                                return fail_set(f, ERR_INTERNAL, 0, "a setting that is no UTF-8 text");
        return view_list(c, a, &view_settings, rows, f);
}

/* --------------------------------------------------------------------------------------------- --check */

static void tell(void *arg, const char *message)
{
        struct strbuf b = {0};

        text_escape(&b, message, strlen(message), false);
        talk("%s", strbuf_text(&b));
        strbuf_done(&b);
        ++*(int *)arg;
}

static int tell_file(const char *path, bool there, struct fail *f)
{
        struct strbuf b = {0};
        int rc;

        text_escape(&b, path, strlen(path), false);
        rc = output_line(f, "%s: %s", strbuf_text(&b),
                         there ? "good" : "there is none, or its folder is closed to us");
        strbuf_done(&b);
        return rc;
}

/* One file by itself, which need not be where it will be, nor whose. */
static int check_named(struct settings *s, const char *path, struct fail *f)
{
        struct err e;
        int rc = settings_read_path(s, path, ORIGIN_USER_FILE, false, &e);

        if (rc == 1) {
                fail_usage(f, "there is no file %s", path);
                return fail_hint(f, "'creche config' shows which files are read");
        }
        return rc < 0 ? 0 : tell_file(path, true, f);
}

/* As creched would read them. */
static int check_all(struct settings *s, int *wrong, struct fail *f)
{
        struct err e;
        int rc = 0;

        for (enum origin from = ORIGIN_SYSTEM_FILE; rc == 0 && from <= ORIGIN_USER_FILE; from++) {
                const char *path = s->files[from];
                int before = *wrong, found;

                found = *path ? settings_read_path(s, path, from, geteuid() == 0, &e) : 1;
                if (*path && *wrong == before)
                        rc = tell_file(path, found == 0, f);
        }
        for (int section = 0; section < SECTIONS; section++)
                settings_read_variables(s, (enum section)section, &e);
        return rc;
}

static int check(const struct args *a, struct fail *f)
{
        int wrong = 0, rc;
        struct settings s = {.complain = tell, .arg = &wrong};
        struct err e;

        if (settings_begin(&s, &e) < 0)
                rc = fail_set(f, ERR_INTERNAL, 0, "%s", e.msg);
        else
                rc = a->operands_n ? check_named(&s, a->operands[0], f) : check_all(&s, &wrong, f);
        if (rc == 0 && !wrong && settings_check_creched(&s, &e) < 0)
                tell(&wrong, e.msg);
        settings_done(&s);
        if (rc < 0 || !wrong)
                return rc;
        fail_usage(f, "%d mistake%s", wrong, wrong == 1 ? "" : "s");
        return fail_hint(f, "'man creche.ini' and 'creche config --columns name,help' tell what can be set");
}

int cmd_config(struct cli *c, const struct args *a, struct fail *f)
{
        if (args_has(a, "check"))
                return check(a, f);
        if (!a->operands_n)
                return view_check(a, &view_settings, f) < 0 ? -1 : show(c, a, f);
        fail_usage(f, "'%s' is too much for 'creche config'", a->operands[0]);
        return fail_hint(f, "to check a file: creche config --check %s", a->operands[0]);
}
