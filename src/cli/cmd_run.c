/* SPDX-License-Identifier: MIT */
/* run: start a program and, if that is wanted, stay with it: its output, our signals, its exit code. */
#include "cli/cmd.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "cli/stdin_feed.h"
#include "cli/json.h"
#include "cli/select.h"
#include "cli/signals.h"
#include "cli/spec.h"
#include "cli/stream.h"
#include "cli/target.h"
#include "cli/view.h"
#include "cli/wait.h"

enum { FORWARDS = 8, KEY_MAX = 40, INTERRUPTS_MAX = 3 };

static const int forwarded[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};

/* A start and what belongs to it. */
struct run {
        struct cli *c;
        const struct args *a;
        json_t *process; /* NULL: not started yet */
        int64_t id;
        int signals; /* -1: they are not forwarded */
        struct exchange forwards[FORWARDS];
        bool forwarding[FORWARDS];
        int interrupts; /* signals since the last time that all had been answered */
        bool given_up;
        struct wait wait;
        struct stream streams[2];
        struct stdin_feed feed;
        bool waits, follows, feeds;
};

/* ------------------------------------------------------------------------------------------- signals */

static int take_signals(struct run *r, struct fail *f)
{
        sigset_t set;

        sigemptyset(&set);
        for (size_t i = 0; i < sizeof(forwarded) / sizeof(forwarded[0]); i++)
                sigaddset(&set, forwarded[i]);
        sigprocmask(SIG_BLOCK, &set, NULL);
        r->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        return r->signals < 0 ? fail_set(f, ERR_INTERNAL, errno, "preparing for signals") : 0;
}

static struct exchange *free_forward(struct run *r)
{
        for (int i = 0; i < FORWARDS; i++) {
                if (r->forwarding[i] && !r->forwards[i].done)
                        continue;
                if (r->forwarding[i])
                        exchange_done(&r->forwards[i]);
                r->forwarding[i] = true;
                return &r->forwards[i];
        }
        return NULL;
}

/* @tree: to all that it has started, too. */
static void forward(struct run *r, int signo, bool tree)
{
        struct exchange *x = free_forward(r);
        char name[SIGNAL_NAME_MAX];

        if (!x)
                return;
        signals_name(signo, name);
        exchange_init(x, "POST", "/v1/processes/%" PRId64 "/signal", r->id);
        strbuf_printf(&x->body, "{\"signal\":\"%s\",\"tree\":%s}", name, tree ? "true" : "false");
        client_send(&r->c->client, x);
}

static bool awaits_answer(const struct run *r)
{
        for (int i = 0; i < FORWARDS; i++)
                if (r->forwarding[i] && !r->forwards[i].done)
                        return true;
        return false;
}

/* Who presses Ctrl-C again and again while nobody answers wants out. */
static void on_signal(void *arg)
{
        struct signalfd_siginfo si;
        struct run *r = arg;

        if (read(r->signals, &si, sizeof(si)) != sizeof(si))
                return;
        r->interrupts = awaits_answer(r) ? r->interrupts + 1 : 1;
        /* What is typed is for all in the foreground: a shell waits for what it runs before it obeys a Ctrl-C. */
        if (r->process)
                forward(r, (int)si.ssi_signo, si.ssi_code == SI_KERNEL);
        r->given_up = !r->process || r->interrupts >= INTERRUPTS_MAX;
}

/* -------------------------------------------------------------------------------------------- the start */

static int make_key(char key[KEY_MAX], struct fail *f)
{
        unsigned char random[16];

        if (getrandom(random, sizeof(random), 0) != sizeof(random))
                return fail_set(f, ERR_INTERNAL, errno, "making an Idempotency-Key");
        for (size_t i = 0; i < sizeof(random); i++)
                snprintf(key + 2 * i, 3, "%02x", random[i]);
        return 0;
}

/* Under a key, so that it can be repeated until there is an answer and yet happens once. */
static int create(struct run *r, bool start, struct fail *f)
{
        char made[KEY_MAX];
        const char *key = args_get(r->a, "idempotency-key");
        struct exchange x;
        int rc;

        exchange_init(&x, "POST", "/v1/processes");
        if (!key && make_key(made, f) < 0)
                return -1;
        x.key = key ?: made;
        x.repeatable = x.patient = true;
        rc = spec_write(r->c, r->a, start, &x.body, f);
        if (rc == 0) {
                client_send(&r->c->client, &x);
                while (!x.done && !r->given_up)
                        client_turn(&r->c->client, 1000);
                if (x.failed)
                        *f = x.fail;
                rc = x.failed || !x.done ? -1 : exchange_json(&x, &r->process, f);
        }
        if (rc < 0 && r->given_up && !x.failed) {
                fail_set(f, ERR_UNAVAILABLE, 0, "interrupted before the daemon answered");
                fail_hint(f, "'creche ps' shows whether it was started");
        }
        exchange_done(&x);
        r->id = json_number(r->process, "id");
        return rc;
}

static int print_started(const struct run *r, struct fail *f)
{
        if (view_wants_json(r->a))
                return view_object(r->process, f);
        return output_line(f, "%" PRId64, r->id);
}

/* Where somebody looks at it: what can be done next. */
static void suggest(const struct run *r)
{
        struct strbuf b = {0};

        if (!isatty(STDERR_FILENO))
                return;
        select_name(r->process, &b);
        talk("started %s: 'creche join %" PRId64 "' waits for it, 'creche logs -f %" PRId64
             "' shows its output",
             strbuf_text(&b), r->id, r->id);
        strbuf_done(&b);
}

/* -------------------------------------------------------------------------------------------- staying */

static void begin_streams(struct run *r)
{
        const struct stream_style style = stream_style(true, -1, args_has(r->a, "raw"));

        for (int i = 0; r->follows && i < 2; i++)
                stream_begin(&r->streams[i], &r->c->client, r->id, i == 1, &style);
}

static bool is_over(const struct run *r)
{
        if (r->given_up)
                return true;
        if (r->waits && !r->wait.x.done)
                return false;
        if (r->follows && !(r->streams[0].x.done && r->streams[1].x.done))
                return false;
        /* Who has ended reads no more. */
        return r->waits || !r->feeds || r->feed.x.done;
}

static int finish_streams(struct run *r, struct fail *f)
{
        int rc = 0;

        for (int i = 0; r->follows && i < 2; i++)
                if (stream_finish(&r->streams[i], f) < 0)
                        rc = -1;
        return rc;
}

/* It may have ended without reading all. */
static int finish_feed(struct run *r, struct fail *f)
{
        if (!r->feeds || !r->feed.x.done || stdin_feed_finish(&r->feed, f) == 0)
                return 0;
        return f->err.kind == ERR_STOPPED || f->err.kind == ERR_NO_STDIN || f->err.kind == ERR_CLOSED ? 0
                                                                                                      : -1;
}

/* What a child that was told to end makes of that is its own affair, as with timeout(1). */
static int status_of(const json_t *process)
{
        const char *by = json_text(json_object_get(process, "exit"), "requested_by");

        if (!by || strcmp(by, "timeout") != 0)
                return wait_status(process);
        talk("its time is over: --timeout");
        return EXIT_TIMED_OUT;
}

static int finish_wait(struct run *r, struct fail *f)
{
        CLEANUP(json_putp) json_t *answer = NULL;
        const json_t *process;
        int status;

        if (wait_finish(&r->wait, &answer, f) < 0)
                return -1;
        process = json_array_get(json_object_get(answer, "ready"), 0);
        status = status_of(process);
        if (status &&
            (!r->follows || !json_number(process, "exitcode") || json_number(process, "exitcode") < 0))
                wait_tell(process);
        if (view_wants_json(r->a) && view_object(process, f) < 0)
                return -1;
        return status;
}

static int leave(struct run *r, struct fail *f)
{
        fail_set(f, ERR_UNAVAILABLE, 0,
                 "interrupted, and the daemon does not answer: process %" PRId64 " goes on", r->id);
        return fail_hint(f, "creche terminate %" PRId64, r->id);
}

static int stay(struct run *r, struct fail *f)
{
        CLEANUP(json_putp) json_t *ids = json_pack("[I]", (json_int_t)r->id);

        if (r->waits)
                wait_begin(&r->wait, &r->c->client, ids, false, -1);
        begin_streams(r);
        if (r->feeds)
                stdin_feed_begin(&r->feed, &r->c->client, r->id, true);
        while (!is_over(r)) {
                client_turn(&r->c->client, 1000);
                if (finish_feed(r, f) < 0)
                        return -1;
        }
        if (r->given_up)
                return leave(r, f);
        if (finish_streams(r, f) < 0)
                return -1;
        return r->waits ? finish_wait(r, f) : finish_feed(r, f);
}

static void run_done(struct run *r)
{
        for (int i = 0; i < FORWARDS; i++)
                if (r->forwarding[i])
                        exchange_done(&r->forwards[i]);
        for (int i = 0; r->follows && i < 2; i++)
                if (r->streams[i].x.method)
                        stream_done(&r->streams[i]);
        if (r->wait.x.method)
                wait_done(&r->wait);
        if (r->feed.x.method)
                stdin_feed_done(&r->feed);
        closep(&r->signals);
        json_decref(r->process);
}

static int go(struct run *r, struct fail *f)
{
        if (r->waits) {
                if (take_signals(r, f) < 0)
                        return -1;
                r->c->client.watches[1] = (struct watch){.fd = r->signals, .ready = on_signal, .arg = r};
        }
        if (create(r, true, f) < 0)
                return target_explain(r->c, args_get(r->a, "target"), f);
        if (!r->waits || !(view_wants_json(r->a) || r->follows))
                if (print_started(r, f) < 0)
                        return -1;
        if (!r->waits)
                suggest(r);
        return r->waits || r->feeds ? stay(r, f) : 0;
}

int cmd_run(struct cli *c, const struct args *a, struct fail *f)
{
        struct run r = {.c = c, .a = a, .signals = -1};
        int rc;

        r.follows = args_has(a, "follow");
        r.waits = r.follows || args_has(a, "wait");
        r.feeds = spec_feeds_stdin(a);
        rc = go(&r, f);
        run_done(&r);
        return rc;
}

int cmd_create(struct cli *c, const struct args *a, struct fail *f)
{
        struct run r = {.c = c, .a = a, .signals = -1};
        int rc = create(&r, false, f);

        rc = rc < 0 ? target_explain(c, args_get(a, "target"), f) : print_started(&r, f);
        run_done(&r);
        return rc;
}
