/* SPDX-License-Identifier: MIT */
/* stop, upgrade: signals to creche-init, and waiting until it is as was wanted. */
#include "cli/cmd.h"
#include "cli/command.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/sys.h"
#include "cli/json.h"
#include "cli/progress.h"
#include "cli/select.h"

enum { SHOWN = 5, LOOK_MS = 50, TURN_MS = 1000, LIST_MAX = 1000, UPGRADE_S = 60 };

/* The main process of the daemon that answers us. */
struct main_process {
        json_t *info;
        pid_t pid;
        int pidfd;
};

static void main_done(struct main_process *m)
{
        json_decref(m->info);
        closep(&m->pidfd);
}

static pid_t main_pid(const json_t *info)
{
        int64_t init = json_number(info, "init_pid");

        return (pid_t)(init ? init : json_number(info, "pid"));
}

/* The number may have got another owner between the answer and the opening: so it is asked for twice. */
static int main_find(struct cli *c, struct main_process *m, struct fail *f)
{
        CLEANUP(json_putp) json_t *again = NULL;

        *m = (struct main_process){.pidfd = -1};
        if (c->client.where.url) {
                fail_usage(f, "a daemon is stopped and upgraded on its own machine");
                return fail_hint(f, "log in there; without --url and CRECHE_URL its unix socket is used");
        }
        if (client_get(&c->client, &m->info, f, "/v1/info") < 0)
                return -1;
        m->pid = main_pid(m->info);
        m->pidfd = sys_pidfd_open(m->pid, 0);
        if (m->pidfd < 0)
                return fail_set(f, ERR_INTERNAL, errno, "finding the daemon, pid %d", (int)m->pid);
        if (client_get(&c->client, &again, f, "/v1/info") < 0)
                return -1;
        if (main_pid(again) != m->pid)
                return fail_set(f, ERR_TRY_AGAIN, 0, "the daemon was just started anew");
        return 0;
}

static int main_signal(const struct main_process *m, int signo, struct fail *f)
{
        if (sys_pidfd_send_signal(m->pidfd, signo, 0) == 0 || errno == ESRCH)
                return 0;
        fail_set(f, errno == EPERM ? ERR_FORBIDDEN : ERR_INTERNAL, errno, "signalling the daemon, pid %d",
                 (int)m->pid);
        return fail_hint(f, "do it as the user who has started it, or as root: sudo creche ...");
}

/* ------------------------------------------------------------------------------------------------ stop */

/* Those whom a stop waits for: all that run and are not daemonic. */
static int list_waited(struct cli *c, json_t **out, struct fail *f)
{
        return select_list(c, "&state=starting,started&daemon=0", 0, out, f);
}

static void tell_waited(const json_t *waited)
{
        size_t n = json_array_size(waited);
        struct strbuf b = {0};

        for (size_t i = 0; i < n && i < SHOWN; i++) {
                strbuf_str(&b, i ? ", " : "");
                select_name(json_array_get(waited, i), &b);
        }
        talk("it waits for %zu process%s to end: %s%s", n, n == 1 ? "" : "es", strbuf_text(&b),
             n > SHOWN ? ", ..." : "");
        talk("Ctrl-C leaves it waiting; 'creche terminate' or 'creche kill' end them, 'creche stop "
             "--terminate' all");
        strbuf_done(&b);
}

static int end_all(struct cli *c, const json_t *waited, const char *operation, struct fail *f)
{
        for (size_t i = 0; i < json_array_size(waited); i++) {
                char target[64];

                snprintf(target, sizeof(target), "/v1/processes/%" PRId64 "/%s",
                         json_number(json_array_get(waited, i), "id"), operation);
                if (client_json(&c->client, "POST", target, NULL, NULL, f) < 0 && f->status == EXIT_NO_DAEMON)
                        return -1;
        }
        return 0;
}

/* A daemon that is stopping. */
struct stopping {
        struct cli *c;
        bool ended;
        struct exchange look; /* who is left */
        bool looking;
        int64_t look_at_us;
        size_t waited;
};

static void on_end(void *arg)
{
        struct stopping *s = arg;

        s->ended = true;
        s->c->client.watches[0].off = true;
}

/* How many have ended: once a second, if somebody looks at it. It answers as long as it can: once is enough. */
static void look(struct stopping *s)
{
        CLEANUP(json_putp) json_t *page = NULL;
        struct fail f;

        if (s->looking && s->look.done) {
                if (!s->look.failed && exchange_json(&s->look, &page, &f) == 0)
                        progress_set(s->waited - json_array_size(json_object_get(page, "processes")));
                exchange_done(&s->look);
                s->looking = false;
        }
        if (s->looking || !progress_is_on() || clock_mono_us() < s->look_at_us)
                return;
        exchange_init(&s->look, "GET", "/v1/processes?state=starting,started&daemon=0&limit=1000");
        client_send(&s->c->client, &s->look);
        s->looking = true;
        s->look_at_us = clock_mono_us() + CLOCK_US_PER_S;
}

static int wait_for_end(struct cli *c, const struct main_process *m, size_t waited, double timeout,
                        struct fail *f)
{
        struct stopping s = {.c = c, .waited = waited};
        int64_t until = clock_mono_us() + (int64_t)(timeout * CLOCK_US_PER_S), left = LOOK_MS;

        c->client.watches[0] = (struct watch){.fd = m->pidfd, .ready = on_end, .arg = &s};
        while (!s.ended && left > 0) {
                if (waited && waited <= LIST_MAX)
                        look(&s);
                if (timeout >= 0)
                        left = (until - clock_mono_us()) / 1000;
                client_turn(&c->client,
                            timeout >= 0 && left < TURN_MS ? (int)(left > 0 ? left : 0) : TURN_MS);
        }
        c->client.watches[0].fd = -1;
        if (s.looking)
                exchange_done(&s.look);
        if (s.ended)
                return 0;
        fail_set(f, ERR_TIMEOUT, 0, "the daemon has not stopped yet: it waits for its processes");
        f->status = EXIT_TIMED_OUT;
        return fail_hint(f, "'creche ps' shows them; creche stop --terminate");
}

static int stop(struct cli *c, const struct args *a, const struct main_process *m, struct fail *f)
{
        CLEANUP(json_putp) json_t *waited = NULL;
        const char *operation = args_has(a, "kill") ? "kill" : args_has(a, "terminate") ? "terminate" : NULL;
        double timeout = -1;
        int rc;

        if (args_seconds(a, "timeout", &timeout, f) < 0 || list_waited(c, &waited, f) < 0 ||
            (operation && end_all(c, waited, operation, f) < 0) || main_signal(m, SIGTERM, f) < 0)
                return -1;
        if (!operation && json_array_size(waited))
                tell_waited(waited);
        progress_begin(a, a->command->past, json_array_size(waited));
        rc = wait_for_end(c, m, json_array_size(waited), timeout, f);
        progress_end();
        return rc;
}

int cmd_stop(struct cli *c, const struct args *a, struct fail *f)
{
        struct main_process m;
        int rc;

        if (a->operands_n || args_has(a, "label"))
                return cmd_stop_processes(c, a, f);
        rc = main_find(c, &m, f);
        if (rc == 0)
                rc = stop(c, a, &m, f);
        main_done(&m);
        if (rc == 0)
                talk("the daemon has stopped");
        return rc;
}

/* --------------------------------------------------------------------------------------------- upgrade */

static bool is_another(const json_t *before, const json_t *now)
{
        return json_number(before, "pid") != json_number(now, "pid") ||
               json_number(before, "restarts") != json_number(now, "restarts");
}

static int wait_for_next(struct cli *c, const json_t *before, double timeout, struct fail *f)
{
        const struct timespec nap = {.tv_nsec = LOOK_MS * 1000000L};
        int64_t until = clock_mono_us() + (int64_t)(timeout * CLOCK_US_PER_S);

        for (;;) {
                CLEANUP(json_putp) json_t *now = NULL;

                if (client_get(&c->client, &now, f, "/v1/info") < 0)
                        return -1;
                if (is_another(before, now)) {
                        talk("creched %s serves, where %s did", json_text(now, "version") ?: "",
                             json_text(before, "version") ?: "");
                        return 0;
                }
                if (clock_mono_us() > until)
                        break;
                nanosleep(&nap, NULL);
        }
        fail_set(f, ERR_TIMEOUT, 0, "the daemon that serves is still the old one");
        f->status = EXIT_TIMED_OUT;
        return fail_hint(f, "its log says why");
}

int cmd_upgrade(struct cli *c, const struct args *a, struct fail *f)
{
        struct main_process m;
        double timeout = UPGRADE_S;
        int rc = args_seconds(a, "timeout", &timeout, f);

        if (rc < 0)
                return -1;
        rc = main_find(c, &m, f);
        if (rc == 0 && !json_number(m.info, "init_pid")) {
                fail_set(f, ERR_UNAVAILABLE, 0, "creche-init is gone, and nobody else can start the new one");
                f->status = EXIT_WRONG_STATE;
                rc = fail_hint(f, "creche stop; creche serve -d");
        }
        if (rc == 0 && (rc = main_signal(&m, SIGHUP, f)) == 0)
                rc = wait_for_next(c, m.info, timeout, f);
        main_done(&m);
        return rc;
}
