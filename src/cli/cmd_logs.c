/* SPDX-License-Identifier: MIT */
/* logs: what processes have written and write. */
#include "cli/cmd.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
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
        for (int i = 0; i < 2; i++) {
                if (!s->wanted[i])
                        continue;
                style.old = json_number(s->process, i ? "stderr_bytes" : "stdout_bytes");
                stream_begin(&s->streams[i], &l->c->client, json_number(s->process, "id"), i == 1, &style);
        }
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
                if (!strcmp(json_text(s->process, "state") ?: "", "initial"))
                        return fail_set(f, ERR_NOT_STARTED, 0,
                                        "it has said nothing: it has not been started");
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

/* ------------------------------------------------------------------------------------- since when */

/* "2026-01-02T03:04:05Z", or so long ago. */
static int parse_since(const char *text, int64_t *since_us, struct fail *f)
{
        double ago = text_seconds(text);

        if (ago >= 0) {
                *since_us = clock_now_us() - (int64_t)(ago * CLOCK_US_PER_S);
                return 0;
        }
        if (clock_parse(text, since_us) == 0)
                return 0;
        fail_usage(f, "--since: '%s' is no time", text);
        return fail_hint(f, "say 2026-01-02T03:04:05Z, or how long ago: 90, 10m, 2h, 1d");
}

static bool is_before(const json_t *process, const char *member, int64_t us)
{
        const char *text = json_text(process, member);
        int64_t at;

        return text && clock_parse(text, &at) == 0 && at < us;
}

static int refuse_since(const json_t *process, struct fail *f)
{
        struct strbuf b = {0};

        select_name(process, &b);
        fail_usage(f, "%s was running then, and when a line was written is not recorded", strbuf_text(&b));
        fail_hint(f,
                  "'creche logs -n LINES' shows the last ones; 'creche logs -f -t' tells the time of those "
                  "that come");
        strbuf_done(&b);
        return -1;
}

/* Those that were started since then, whole: of the others it is known only when they ended. */
static int drop_older(const struct args *a, json_t *all, struct fail *f)
{
        int64_t since_us = 0;

        if (args_has(a, "since") && parse_since(args_get(a, "since"), &since_us, f) < 0)
                return -1;
        for (size_t i = json_array_size(all); i-- > 0;) {
                const json_t *process = json_array_get(all, i);

                if (!is_before(process, "started_at", since_us))
                        continue;
                if (!is_before(process, "stopped_at", since_us))
                        return refuse_since(process, f);
                json_array_remove(all, i);
        }
        if (!json_array_size(all))
                talk("what is named had ended by then");
        return 0;
}

static int check_stamps(const struct args *a, struct fail *f)
{
        if (!args_has(a, "timestamps") || args_has(a, "follow"))
                return 0;
        fail_usage(f, "when a line was written is not recorded: the processes write their logs themselves");
        return fail_hint(
                f, "'creche logs -f -t' tells when each line comes; 'creche show' when it began and ended");
}

int cmd_logs(struct cli *c, const struct args *a, struct fail *f)
{
        CLEANUP(json_putp) json_t *all = NULL;
        struct logs l = {.c = c};
        long long tail = -1;
        bool wanted[2];
        int rc;

        if (choose_streams(a, wanted, f) < 0 || check_stamps(a, f) < 0 ||
            args_number(a, "tail", 0, 100000, &tail, f) < 0 || select_all(c, a, &all, f) < 0 ||
            drop_older(a, all, f) < 0)
                return -1;
        l.style = stream_style(args_has(a, "follow"), tail, args_has(a, "raw"));
        l.style.stamped = args_has(a, "timestamps");
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
