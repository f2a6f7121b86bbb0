/* SPDX-License-Identifier: MIT */
/* logs: what processes have written and write. */
#include "cli/cmd.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/json.h"
#include "cli/select.h"
#include "cli/stream.h"
#include "cli/text.h"

/* All streams of one process. */
struct source {
        const json_t *process;
        struct strbuf prefix;
        struct stream streams[2];
        bool wanted[2];
};

struct logs {
        struct cli *c;
        struct source *sources;
        size_t n;
        struct stream_style style;
};

static int choose_streams(const struct args *a, bool wanted[2], struct fail *f)
{
        const char *which = args_get(a, "stream") ?: "both";

        wanted[0] = !strcmp(which, "both") || !strcmp(which, "stdout");
        wanted[1] = !strcmp(which, "both") || !strcmp(which, "stderr");
        if (wanted[0] || wanted[1])
                return 0;
        fail_usage(f, "--stream: '%s' is none of stdout, stderr, both", which);
        return fail_hint(f, "without it both are shown, on our stdout and stderr");
}

/* Names in one column, each of a colour. */
static void make_prefixes(struct logs *l)
{
        size_t widest = 0, width;

        for (size_t i = 0; i < l->n; i++) {
                width = text_width(json_text(l->sources[i].process, "name") ?: "");
                widest = width > widest ? width : widest;
        }
        for (size_t i = 0; i < l->n; i++) {
                struct source *s = &l->sources[i];
                const char *name = json_text(s->process, "name") ?: "";
                struct strbuf shown = {0};

                text_escape(&shown, name, strlen(name), false);
                width = text_width(strbuf_text(&shown));
                strbuf_printf(&s->prefix, "%s%s%*s |%s ",
                              output_color(&l->c->out, (enum color)(COLOR_RED + i % (COLOR_DIM - COLOR_RED))),
                              strbuf_text(&shown), width < widest ? (int)(widest - width) : 0, "",
                              output_color(&l->c->out, COLOR_NONE));
                strbuf_done(&shown);
        }
}

static void begin(struct logs *l, struct source *s)
{
        struct stream_style style = l->style;

        style.prefix = l->n > 1 ? strbuf_text(&s->prefix) : NULL;
        for (int i = 0; i < 2; i++)
                if (s->wanted[i])
                        stream_begin(&s->streams[i], &l->c->client, json_number(s->process, "id"), i == 1,
                                     &style);
}

static bool is_over(const struct source *s)
{
        return (!s->wanted[0] || s->streams[0].x.done) && (!s->wanted[1] || s->streams[1].x.done);
}

/* That one of the two was not kept is no failure, unless it is the one that was asked for. */
static int finish(struct source *s, struct fail *f)
{
        int kept = 0, rc = 0;

        for (int i = 0; i < 2; i++) {
                if (!s->wanted[i])
                        continue;
                if (stream_finish(&s->streams[i], f) < 0)
                        rc = -1;
                kept += s->streams[i].x.failed == 0;
        }
        if (rc == 0 && !kept) {
                *f = s->streams[s->wanted[0] ? 0 : 1].x.fail;
                return -1;
        }
        return rc;
}

/* Followed, all at the same time; else one after the other, in the order in which they were named. */
static int show_all(struct logs *l, struct fail *f)
{
        bool follow = l->style.follow;

        for (size_t i = 0; follow && i < l->n; i++)
                begin(l, &l->sources[i]);
        for (size_t i = 0; i < l->n; i++) {
                if (!follow)
                        begin(l, &l->sources[i]);
                while (!is_over(&l->sources[i]))
                        client_turn(&l->c->client, 1000);
                if (finish(&l->sources[i], f) < 0)
                        return -1;
        }
        return 0;
}

static void logs_done(struct logs *l)
{
        for (size_t i = 0; i < l->n; i++) {
                for (int k = 0; k < 2; k++)
                        if (l->sources[i].streams[k].x.method)
                                stream_done(&l->sources[i].streams[k]);
                strbuf_done(&l->sources[i].prefix);
        }
        free(l->sources);
}

int cmd_logs(struct cli *c, const struct args *a, struct fail *f)
{
        CLEANUP(json_putp) json_t *all = NULL;
        struct logs l = {.c = c};
        long long tail = -1;
        bool wanted[2];
        int rc;

        if (choose_streams(a, wanted, f) < 0 || args_number(a, "tail", 0, 100000, &tail, f) < 0 ||
            select_all(c, a, &all, f) < 0)
                return -1;
        l.style = stream_style(args_has(a, "follow"), tail, args_has(a, "raw"));
        l.sources = calloc(json_array_size(all) + 1, sizeof(*l.sources));
        if (!l.sources)
                return fail_set(f, ERR_INTERNAL, 0, "out of memory");
        for (l.n = 0; l.n < json_array_size(all); l.n++) {
                l.sources[l.n].process = json_array_get(all, l.n);
                memcpy(l.sources[l.n].wanted, wanted, sizeof(wanted));
        }
        make_prefixes(&l);
        rc = show_all(&l, f);
        logs_done(&l);
        return rc;
}
