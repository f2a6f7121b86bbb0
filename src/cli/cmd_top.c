/* SPDX-License-Identifier: MIT */
/* top: all processes, as they come and go. The list is asked for once; from then on the events say which processes are to
 * be asked for again, at most once in the time between two looks, however many there are. */
#include "cli/cmd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "cli/json.h"
#include "cli/sse.h"
#include "cli/text.h"
#include "cli/top.h"

enum { PAGE = 1000, ONE_BY_ONE = 32 /* more than that are asked for by the page */, TURN_MS = 1000 };
#define DRAW_US (CLOCK_US_PER_S / 5)

static const int taken[] = {SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGWINCH};

enum fetch { FETCH_NONE, FETCH_ALL, FETCH_NEWEST, FETCH_ONE };

struct ids {
        int64_t *all;
        size_t n, room;
};

struct top {
        struct cli *c;
        struct top_look look;
        struct screen screen;
        struct sse events;
        enum fetch fetching;
        struct exchange fetch;
        struct ids changed, due; /* due: being asked for now, the least first */
        bool reload;
        struct exchange act;
        bool acting;
        bool with_closed, batch, stale; /* stale: what is shown is not what there is */
        long long looks;                /* left; -1: no end */
        int64_t delay_us, round_at_us, draw_at_us;
        int signals, signo; /* signo: we end of it */
        bool over;
};

/* -------------------------------------------------------------------------------------- what to ask for */

static bool ids_add(struct ids *s, int64_t id)
{
        size_t room = s->room ? 2 * s->room : 64;
        int64_t *all;

        if (s->n && s->all[s->n - 1] == id)
                return true;
        if (s->n == s->room) {
                all = reallocarray(s->all, room, sizeof(*all));
                if (!all)
                        return false;
                s->all = all;
                s->room = room;
        }
        s->all[s->n++] = id;
        return true;
}

static int compare_ids(const void *a, const void *b)
{
        int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

        return (x > y) - (x < y);
}

/* In order, each once. */
static void ids_arrange(struct ids *s)
{
        size_t n = 0;

        qsort(s->all, s->n, sizeof(*s->all), compare_ids);
        for (size_t i = 0; i < s->n; i++)
                if (!n || s->all[n - 1] != s->all[i])
                        s->all[n++] = s->all[i];
        s->n = n;
}

static int take_event(void *arg, json_t *event, struct fail *f)
{
        struct top *t = arg;
        const char *type = json_text(event, "type") ?: "";

        if (!event)
                t->reload = true;
        else if (!strcmp(type, "deleted") || (!strcmp(type, "closed") && !t->with_closed))
                rows_drop(&t->look.rows, json_number(event, "process"));
        else if (!ids_add(&t->changed, json_number(event, "process")))
                return fail_set(f, ERR_INTERNAL, ENOMEM, "following events");
        t->stale = true;
        return 0;
}

static const char *states_of(const struct top *t)
{
        return t->with_closed ? "" : "&state=initial,starting,started,stopped,failed,lost";
}

static void ask(struct top *t, enum fetch what, const char *cursor)
{
        struct strbuf *target = &t->fetch.target;

        exchange_init(&t->fetch, "GET", "%s", "");
        if (what == FETCH_ONE) {
                strbuf_printf(target, "/v1/processes/%" PRId64, t->due.all[t->due.n - 1]);
        } else {
                strbuf_printf(target, "/v1/processes?limit=%d%s%s", PAGE, states_of(t),
                              what == FETCH_ALL ? "&order=asc" : "");
                strbuf_str(target, cursor ? "&cursor=" : "");
                url_encode(target, cursor ?: "");
        }
        t->fetch.repeatable = t->fetch.patient = true;
        t->fetching = what;
        client_send(&t->c->client, &t->fetch);
}

/* Begin to ask for all that has changed since the last time. */
static void begin_round(struct top *t)
{
        const struct ids none = t->due;

        if (t->reload) {
                t->reload = false;
                t->look.loading = true;
                rows_clear(&t->look.rows);
                ask(t, FETCH_ALL, NULL);
                return;
        }
        if (!t->changed.n)
                return;
        t->due = t->changed;
        t->changed = none;
        t->changed.n = 0;
        ids_arrange(&t->due);
        ask(t, t->due.n > ONE_BY_ONE ? FETCH_NEWEST : FETCH_ONE, NULL);
}

/* ------------------------------------------------------------------------------------------ what came */

static int put(struct top *t, const json_t *process, struct fail *f)
{
        if (rows_put(&t->look.rows, process))
                return 0;
        return fail_set(f, ERR_INTERNAL, ENOMEM, "keeping the list");
}

/* What was due and is not in the part of the list that the page covers is not there any more. */
static int take_page(struct top *t, const json_t *page, struct fail *f)
{
        const json_t *list = json_object_get(page, "processes");
        const char *next = json_text(page, "next");
        size_t n = json_array_size(list);
        int64_t last = next ? json_number(json_array_get(list, n - 1), "id") : 0;
        enum fetch what = t->fetching;

        while (what == FETCH_NEWEST && t->due.n && t->due.all[t->due.n - 1] >= last)
                rows_drop(&t->look.rows, t->due.all[--t->due.n]);
        for (size_t i = 0; i < n; i++)
                if (put(t, json_array_get(list, i), f) < 0)
                        return -1;
        exchange_done(&t->fetch);
        t->fetching = FETCH_NONE;
        if (next && (what == FETCH_ALL || t->due.n))
                ask(t, what, next);
        else
                t->look.loading = false;
        return 0;
}

static int take_one(struct top *t, const json_t *process, struct fail *f)
{
        int64_t id = t->due.all[--t->due.n];

        if (!process || (!t->with_closed && !strcmp(json_text(process, "state") ?: "", "closed")))
                rows_drop(&t->look.rows, id);
        else if (put(t, process, f) < 0)
                return -1;
        exchange_done(&t->fetch);
        t->fetching = FETCH_NONE;
        if (t->due.n)
                ask(t, FETCH_ONE, NULL);
        return 0;
}

static int take_answer(struct top *t, struct fail *f)
{
        CLEANUP(json_putp) json_t *answer = NULL;
        bool one = t->fetching == FETCH_ONE;

        if (t->fetch.failed && !(one && t->fetch.fail.err.kind == ERR_NOT_FOUND)) {
                *f = t->fetch.fail;
                return -1;
        }
        if (!t->fetch.failed && exchange_json(&t->fetch, &answer, f) < 0)
                return -1;
        t->stale = true;
        return one ? take_one(t, answer, f) : take_page(t, answer, f);
}

/* ---------------------------------------------------------------------------------------------- keys */

static void say(struct top *t, const char *text)
{
        strbuf_reset(&t->look.message);
        text_escape(&t->look.message, text, strlen(text), false);
}

static void terminate(struct top *t)
{
        if (t->acting)
                return;
        exchange_init(&t->act, "POST", "/v1/processes/%" PRId64 "/terminate", t->look.chosen);
        t->acting = true;
        client_send(&t->c->client, &t->act);
}

static void finish_act(struct top *t)
{
        struct strbuf b = {0};

        if (t->act.failed)
                strbuf_printf(&b, "%s: %s", t->act.fail.err.msg, t->act.fail.hint);
        else
                strbuf_str(&b, "SIGTERM is sent");
        say(t, strbuf_text(&b));
        strbuf_done(&b);
        exchange_done(&t->act);
        t->acting = false;
        t->stale = true;
}

static void ask_to_terminate(struct top *t)
{
        const struct row *row = t->look.rows.shown_n ? t->look.rows.shown[top_place(&t->look)] : NULL;

        if (!row)
                say(t, "there is none");
        else if (strcmp(row_states[row->rank], "started") != 0)
                say(t, "it does not run");
        else
                t->look.mode = TOP_ASKS;
        /* It is meant, though another one should come first by then. */
        if (row)
                t->look.chosen = row->id;
}

/* A character may be several bytes. */
static void erase_last(char *text)
{
        size_t n = strlen(text);

        while (n && ((unsigned char)text[--n] & 0xc0) == 0x80)
                ;
        text[n] = '\0';
}

static void filter_key(struct top *t, int key)
{
        struct top_look *l = &t->look;
        size_t n = strlen(l->filter);

        if (key == KEY_ENTER || key == KEY_ESCAPE)
                l->mode = TOP_LOOKS;
        if (key == KEY_ESCAPE)
                *l->filter = '\0';
        else if (key == KEY_ERASE)
                erase_last(l->filter);
        else if (key >= ' ' && key <= 0xff && n + 1 < sizeof(l->filter)) {
                l->filter[n] = (char)key;
                l->filter[n + 1] = '\0';
        }
        l->rows.changed = true;
}

static bool order(struct top_look *l)
{
        return !l->rows.changed || rows_order(&l->rows, l->sort, l->reverse, l->filter);
}

static void look_key(struct top *t, int key)
{
        struct top_look *l = &t->look;
        int64_t page = t->screen.rows > 4 ? t->screen.rows - 4 : 1;

        strbuf_reset(&l->message);
        switch (key) {
        case 'q': t->over = true; return;
        case 's':
                l->sort = (l->sort + 1) % SORTS;
                l->rows.changed = true;
                return;
        case 'r':
                l->reverse = !l->reverse;
                l->rows.changed = true;
                return;
        case '/': l->mode = TOP_FILTERS; return;
        case 'k': ask_to_terminate(t); return;
        case KEY_UP: top_move(l, -1); return;
        case KEY_DOWN: top_move(l, 1); return;
        case KEY_PAGE_UP: top_move(l, -page); return;
        case KEY_PAGE_DOWN: top_move(l, page); return;
        case KEY_HOME: l->chosen = 0; return;
        case KEY_END: top_move(l, INT32_MAX); return;
        default: return;
        }
}

/* A key is for what there is now. */
static void on_key(void *arg)
{
        struct top *t = arg;
        int key;

        while (!t->over && order(&t->look) && (key = screen_key(&t->screen)) != KEY_NONE) {
                t->stale = true;
                t->draw_at_us = 0;
                if (key == KEY_GONE) {
                        t->over = true;
                } else if (t->look.mode == TOP_FILTERS) {
                        filter_key(t, key);
                } else if (t->look.mode == TOP_ASKS) {
                        t->look.mode = TOP_LOOKS;
                        if (key == 'y' || key == 'Y')
                                terminate(t);
                } else {
                        look_key(t, key);
                }
        }
}

/* ------------------------------------------------------------------------------------------- signals */

/* As the shell expects: the terminal is its own meanwhile. */
static void sleep_until_continued(struct top *t)
{
        struct fail f;

        screen_give_back(&t->screen);
        kill(getpid(), SIGSTOP);
        if (screen_take(&t->screen, &f) < 0)
                t->over = true;
}

static void on_signal(void *arg)
{
        struct signalfd_siginfo si;
        struct top *t = arg;

        if (read(t->signals, &si, sizeof(si)) != sizeof(si))
                return;
        t->stale = true;
        t->draw_at_us = 0;
        if (si.ssi_signo == SIGWINCH) {
                screen_measure(&t->screen);
        } else if (si.ssi_signo == SIGTSTP) {
                sleep_until_continued(t);
        } else {
                t->signo = (int)si.ssi_signo;
                t->over = true;
        }
}

static int take_signals(struct top *t, struct fail *f)
{
        sigset_t set;

        sigemptyset(&set);
        for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
                sigaddset(&set, taken[i]);
        sigprocmask(SIG_BLOCK, &set, NULL);
        t->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        t->c->client.watches[0] = (struct watch){.fd = t->signals, .ready = on_signal, .arg = t};
        return t->signals < 0 ? fail_set(f, ERR_INTERNAL, errno, "preparing for signals") : 0;
}

/* ------------------------------------------------------------------------------------------- looking */

static bool is_settled(const struct top *t)
{
        return t->fetching == FETCH_NONE && !t->look.loading && !t->reload;
}

/* One look at all there is. Returns 0, or -1. */
static int show(struct top *t, struct fail *f)
{
        struct top_look *l = &t->look;
        struct strbuf b = {0};
        int rc = 0;

        l->waiting = exchange_is_waiting(&t->events.x);
        /* Times go on by themselves. */
        l->rows.changed = l->rows.changed || l->sort == SORT_TIME;
        if (!order(l))
                return fail_set(f, ERR_INTERNAL, ENOMEM, "sorting");
        if (t->batch) {
                top_print(l, &b);
                rc = output_str(&b, f);
        } else {
                top_draw(l, &t->screen, &t->c->out, &b);
                screen_show(&t->screen, &b);
        }
        strbuf_done(&b);
        t->stale = false;
        return rc;
}

/* In a batch at its time, on a screen also when something has changed. */
static int look(struct top *t, struct fail *f)
{
        int64_t now = clock_mono_us();
        bool due = now >= t->draw_at_us;

        if (!due || (t->batch && !is_settled(t)))
                return 0;
        t->draw_at_us = now + (t->batch || t->looks > 0 ? t->delay_us : DRAW_US);
        if (show(t, f) < 0)
                return -1;
        if (t->looks > 0 && is_settled(t) && --t->looks == 0)
                t->over = true;
        return 0;
}

static int nap_ms(const struct top *t)
{
        int64_t now = clock_mono_us(), until = now + TURN_MS * 1000;

        if ((t->changed.n || t->reload) && t->fetching == FETCH_NONE && t->round_at_us < until)
                until = t->round_at_us;
        if ((t->stale || t->batch || t->looks > 0) && t->draw_at_us < until && is_settled(t))
                until = t->draw_at_us;
        return until > now ? (int)((until - now) / 1000) + 1 : 0;
}

static int go_on(struct top *t, struct fail *f)
{
        int64_t now = clock_mono_us();

        if (t->fetching == FETCH_NONE && now >= t->round_at_us) {
                t->round_at_us = now + t->delay_us;
                begin_round(t);
        }
        client_turn(&t->c->client, nap_ms(t));
        if (t->fetching != FETCH_NONE && t->fetch.done && take_answer(t, f) < 0)
                return -1;
        if (t->acting && t->act.done)
                finish_act(t);
        if (t->events.x.done) {
                *f = t->events.x.fail;
                return t->events.x.failed ? -1 : fail_set(f, ERR_STOPPING, 0, "the events have ended");
        }
        return t->over ? 0 : look(t, f);
}

/* From before the list on: so no event is between the two. */
static int begin_events(struct top *t, struct fail *f)
{
        CLEANUP(json_putp) json_t *page = NULL;
        char since[24];

        if (client_get(&t->c->client, &page, f, "/v1/events?limit=1&order=desc") < 0)
                return -1;
        snprintf(since, sizeof(since), "%" PRId64, json_number(page, "last"));
        sse_begin(&t->events, &t->c->client, since, "");
        t->events.event = take_event;
        t->events.arg = t;
        t->reload = true;
        return 0;
}

static int read_sort(struct top *t, const struct args *a, struct fail *f)
{
        const char *name = args_get(a, "sort") ?: "state";

        t->look.reverse = *name == '-';
        name += *name == '-';
        for (t->look.sort = 0; t->look.sort < SORTS; t->look.sort++)
                if (!strcmp(row_sorts[t->look.sort], name))
                        return 0;
        fail_usage(f, "--sort: '%s' is none of the columns that can be sorted by", name);
        return fail_hint(f, "there are state, id, name, time, cpu and memory");
}

static int read_options(struct top *t, const struct args *a, struct fail *f)
{
        double delay = 1;

        if (read_sort(t, a, f) < 0 || args_number(a, "iterations", 1, INT32_MAX, &t->looks, f) < 0 ||
            args_seconds(a, "delay", &delay, f) < 0)
                return -1;
        snprintf(t->look.filter, sizeof(t->look.filter), "%s", args_get(a, "filter") ?: "");
        t->delay_us = (int64_t)((delay < 0.1 ? 0.1 : delay) * CLOCK_US_PER_S);
        t->with_closed = args_has(a, "all");
        t->batch = args_has(a, "batch");
        return 0;
}

static int begin(struct top *t, struct fail *f)
{
        if (begin_events(t, f) < 0)
                return -1;
        t->c->client.silent = true;
        if (t->batch)
                return 0;
        if (screen_take(&t->screen, f) < 0)
                return f->status == EXIT_USAGE ? fail_hint(f, "for a pipe: creche top -b -n 1") : -1;
        t->c->client.watches[1] = (struct watch){.fd = STDIN_FILENO, .ready = on_key, .arg = t};
        return take_signals(t, f);
}

static void top_done(struct top *t)
{
        screen_give_back(&t->screen);
        if (t->fetching != FETCH_NONE)
                exchange_done(&t->fetch);
        if (t->acting)
                exchange_done(&t->act);
        if (t->events.x.method)
                sse_done(&t->events);
        closep(&t->signals);
        free(t->changed.all);
        free(t->due.all);
        strbuf_done(&t->look.message);
        rows_done(&t->look.rows);
}

int cmd_top(struct cli *c, const struct args *a, struct fail *f)
{
        struct top t = {.c = c, .signals = -1, .looks = -1};
        int rc = read_options(&t, a, f);

        if (rc == 0)
                rc = begin(&t, f);
        while (rc == 0 && !t.over)
                rc = go_on(&t, f);
        top_done(&t);
        return rc < 0 ? -1 : t.signo ? EXIT_SIGNAL + t.signo : 0;
}
