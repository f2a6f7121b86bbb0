/* SPDX-License-Identifier: MIT */
/* doctor: is all as it should be, and if not, what is to be done. */
#include "cli/cmd.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/doctor.h"
#include "cli/json.h"
#include "cli/text.h"
#include "cli/view.h"

static const struct {
        const char *name, *shown;
        enum color color;
} findings[] = {
        [FINDING_OK] = {"ok", "ok", COLOR_GREEN},
        [FINDING_WARNING] = {"warning", "warn", COLOR_YELLOW},
        [FINDING_FAILURE] = {"failure", "FAIL", COLOR_RED},
};

const char *doctor_finding_name(enum finding finding)
{
        return findings[finding].name;
}

/* Paths and names may be no text; JSON is. */
static __attribute__((format(printf, 1, 0))) json_t *text_of(const char *fmt, va_list ap)
{
        struct strbuf shown = {0};
        char raw[1024];
        json_t *text;

        vsnprintf(raw, sizeof(raw), fmt, ap);
        text_escape(&shown, raw, strlen(raw), false);
        text = json_string(strbuf_text(&shown));
        strbuf_done(&shown);
        return text;
}

void doctor_found(struct doctor *d, enum finding finding, const char *check, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        json_array_append_new(d->checks,
                              json_pack("{s:s, s:s, s:o, s:n}", "check", check, "finding",
                                        doctor_finding_name(finding), "detail", text_of(fmt, ap), "fix"));
        va_end(ap);
        d->worst = finding > d->worst ? finding : d->worst;
}

void doctor_fix(struct doctor *d, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        json_object_set_new(json_array_get(d->checks, json_array_size(d->checks) - 1), "fix",
                            text_of(fmt, ap));
        va_end(ap);
}

static void add_check(const struct doctor *d, const json_t *check, struct strbuf *b)
{
        const struct output *out = &d->c->out;
        const char *name = json_text(check, "finding") ?: "";
        size_t i = FINDING_OK;

        while (strcmp(findings[i].name, name) != 0)
                i++;
        strbuf_printf(b, "%s%-4s%s  %-12s %s\n", output_color(out, findings[i].color), findings[i].shown,
                      output_color(out, COLOR_NONE), json_text(check, "check") ?: "",
                      json_text(check, "detail") ?: "");
        if (json_text(check, "fix"))
                strbuf_printf(b, "%19s-> %s\n", "", json_text(check, "fix"));
}

static int print(const struct doctor *d, const struct args *a, struct fail *f)
{
        CLEANUP(json_putp) json_t *report = NULL;
        struct strbuf b = {0};
        int rc;

        if (view_wants_json(a)) {
                report = json_pack("{s:s, s:O}", "finding", doctor_finding_name(d->worst), "checks",
                                   d->checks);
                return view_object(report, f);
        }
        for (size_t i = 0; i < json_array_size(d->checks); i++)
                add_check(d, json_array_get(d->checks, i), &b);
        rc = output_str(&b, f);
        strbuf_done(&b);
        return rc;
}

static void examine_settings(struct doctor *d)
{
        const struct err *e = &d->c->unset;

        if (e->kind == ERR_NONE) {
                doctor_found(d, FINDING_OK, "settings", "creche.ini and variables can be read");
                return;
        }
        doctor_found(d, FINDING_FAILURE, "settings", "%s", e->msg);
        doctor_fix(d, "creche config --check");
}

int cmd_doctor(struct cli *c, const struct args *a, struct fail *f)
{
        struct doctor d = {.c = c, .checks = json_array()};
        int rc;

        examine_settings(&d);
        doctor_daemon(&d);
        if (*d.state)
                doctor_state(&d);
        doctor_machine(&d);
        rc = print(&d, a, f);
        json_decref(d.checks);
        json_decref(d.info);
        return rc < 0 ? -1 : d.worst == FINDING_FAILURE ? EXIT_FAILED : 0;
}
