/* SPDX-License-Identifier: MIT */
#include "daemon/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/killpoint.h"
#include "base/paths.h"
#include "base/secret.h"
#include "daemon/door.h"
#include "daemon/keys.h"
#include "daemon/notify.h"
#include "daemon/oom.h"
#include "daemon/outage.h"
#include "daemon/privileges.h"
#include "daemon/sockets.h"
#include "daemon/tls.h"
#include "daemon/watchdog.h"
#include "http/server.h"
#include "registry/lifecycle.h"

enum { HTTP_THREADS = 2, WAITED_SHOWN = 8, STUCK_LOOK_MS = 3000 };

#define HTTP_GRACE_US  (CLOCK_US_PER_S)
#define FATAL_GRACE_US (CLOCK_US_PER_S / 5)
/* No creched that finds a broken disk lives for less than this. */
#define FATAL_LIFE_US (CLOCK_US_PER_S)
/* To write down how everybody ended, and to close. */
#define STOP_SPARE_US (30 * CLOCK_US_PER_S)

struct server {
        const struct config *config;
        struct sockets sockets;
        int state_fd; /* the state directory; for as long as we live */
        int init_fd;  /* -1: none; the registry has a duplicate, which it closes when creche-init dies */
        int signals, fatal;
        int lost; /* readable: the privileged forkserver has died */
        struct privileges privileges;
        uint32_t restarts;
        bool was_ready;        /* an earlier creched under this creche-init has said READY */
        struct rlimit nofile;  /* as it was when we were started */
        struct rlimit core;    /* the same */
        char oom_score_adj[8]; /* the same; "": we have left it alone */
        char token[TOKEN_MAX];
        char address[256], url[300];     /* "": TCP is not served */
        struct certificate *certificate; /* NULL: plain */
        bool no_tcp;                     /* it should be served, and cannot be */
        struct logs *logs;
        struct registry *registry;
        struct http *http;
        struct notify notify;
        struct watchdog watchdog;
};

static int take_number(const char *variable, int fallback)
{
        const char *text = getenv(variable);
        int v = text ? atoi(text) : fallback;

        unsetenv(variable);
        return v;
}

/* Nothing is ignored and all is blocked: threads and children begin with that, and signals come by signalfd.
 * SIGPIPE stays blocked for good: a write to somebody who left fails with EPIPE. */
static int take_signals(struct server *s, struct err *e)
{
        sigset_t all, ours;

        for (int signo = 1; signo < NSIG; signo++)
                signal(signo, SIG_DFL);
        sigfillset(&all);
        /* Faults are not events. */
        sigdelset(&all, SIGSEGV);
        sigdelset(&all, SIGBUS);
        sigdelset(&all, SIGFPE);
        sigdelset(&all, SIGILL);
        sigdelset(&all, SIGABRT);
        sigprocmask(SIG_SETMASK, &all, NULL);
        sigemptyset(&ours);
        sigaddset(&ours, SIGTERM);
        sigaddset(&ours, SIGINT);
        sigaddset(&ours, SIGHUP);
        s->signals = signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
        s->fatal = eventfd(0, EFD_CLOEXEC);
        s->lost = eventfd(0, EFD_CLOEXEC);
        return s->signals < 0 || s->fatal < 0 || s->lost < 0
                       ? err_set(e, ERR_INTERNAL, errno, "preparing for signals")
                       : 0;
}

static void raise_file_limit(struct server *s)
{
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
                s->nofile = limit;
                limit.rlim_cur = limit.rlim_max;
                setrlimit(RLIMIT_NOFILE, &limit);
        }
}

static void on_fatal(void *arg)
{
        eventfd_write(((struct server *)arg)->fatal, 1);
}

static void on_forkserver_lost(void *arg)
{
        eventfd_write(((struct server *)arg)->lost, 1);
}

static void on_progress(void *arg)
{
        notify_progress(&((struct server *)arg)->notify);
}

static int inherit(struct server *s, struct err *e)
{
        s->init_fd = take_number("CRECHE_INIT_FD", -1);
        s->restarts = (uint32_t)take_number("CRECHE_INIT_RESTARTS", 0);
        s->was_ready = take_number("CRECHE_INIT_READY", 0);
        oom_inherit(s->oom_score_adj);
        if (s->init_fd >= 0)
                fcntl(s->init_fd, F_SETFD, FD_CLOEXEC);
        return sockets_inherit(&s->sockets, e);
}

/* Whether TCP is served, and how. Never in plain what was to be encrypted: not even that there is trouble. */
static int prepare_tcp(struct server *s, struct err *e)
{
        if (tls_load(s->config, &s->certificate, e) < 0 ||
            sockets_check_plain(s->config, &s->sockets, e) < 0) {
                if (!s->was_ready)
                        return -1;
                s->no_tcp = true;
                log_error("tcp.not_served", "error=%s hint=%s", log_quote(e->msg),
                          log_quote("mend it, and send SIGHUP to creche-init"));
                return 0;
        }
        if (s->sockets.tcp_fd >= 0 && sockets_address(s->sockets.tcp_fd, s->address, sizeof(s->address)) == 0)
                snprintf(s->url, sizeof(s->url), "%s://%s", s->certificate ? "https" : "http", s->address);
        return 0;
}

/* None, when children have @limit anyway: because we have. */
static struct rlimit unless_ours(int resource, struct rlimit limit)
{
        struct rlimit ours;

        if (getrlimit(resource, &ours) == 0 && ours.rlim_cur == limit.rlim_cur &&
            ours.rlim_max == limit.rlim_max)
                return (struct rlimit){0};
        return limit;
}

static int open_registry(struct server *s, struct err *e)
{
        const struct config *c = s->config;
        struct registry_config rc = {.state_dir = c->state_dir,
                                     .database = c->database,
                                     .socket_path = c->socket_path,
                                     .url = *s->url ? s->url : NULL,
                                     .exe = "/proc/self/exe",
                                     .nofile = unless_ours(RLIMIT_NOFILE, s->nofile),
                                     .core = unless_ours(RLIMIT_CORE, s->core),
                                     .oom_score_adj = s->oom_score_adj,
                                     .leaves = true,
                                     .init_fd = s->init_fd < 0 ? -1 : fcntl(s->init_fd, F_DUPFD_CLOEXEC, 3),
                                     .must_exist = s->was_ready,
                                     .keep = c->keep,
                                     .fatal = on_fatal,
                                     .progress = on_progress,
                                     .fatal_arg = s};

        if (s->privileges.separated) {
                rc.leaves = *s->privileges.leaves;
                rc.leaves_base = s->privileges.leaves;
                rc.privileged = &s->privileges.forkserver;
                rc.policy = &s->privileges.policy;
                rc.forkserver_lost = on_forkserver_lost;
        }
        rc.state_fd = s->state_fd = beneath_root(c->state_dir, e);
        if (s->state_fd < 0 || keys_load(s->state_fd, s->token, rc.secret, e) < 0 ||
            logs_begin(s->state_fd, c->state_dir, c->log_budget, &s->logs, e) < 0)
                return -1;
        rc.logs = s->logs;
        return registry_open(&rc, &s->registry, e);
}

static struct http_config http_config(const struct server *s)
{
        return (struct http_config){.registry = s->registry,
                                    .logs = s->logs,
                                    .unix_fd = s->sockets.unix_fd,
                                    .tcp_fd = *s->url ? s->sockets.tcp_fd : -1,
                                    .token = s->token,
                                    .state_dir = s->config->state_dir,
                                    .database = s->config->database,
                                    .socket_path = s->config->socket_path,
                                    .url = *s->url ? s->url : NULL,
                                    .host = *s->url ? s->address : NULL,
                                    .certificate = s->certificate,
                                    .no_tcp = s->no_tcp,
                                    .policy = s->privileges.has_policy ? s->config->policy : NULL,
                                    .restarts = s->restarts,
                                    .threads = HTTP_THREADS,
                                    .limits = s->config->limits,
                                    .keep = s->config->keep};
}

static int open_http(struct server *s, struct err *e)
{
        const struct http_config hc = http_config(s);

        return http_start(&hc, &s->http, e);
}

/* "creche", and how it finds our socket where nobody would look for it. */
static void name_client(const struct server *s, char out[PATH_MAX + 32])
{
        char usual[PATH_MAX];

        paths_socket(usual);
        if (!strcmp(usual, s->config->socket_path))
                snprintf(out, PATH_MAX + 32, "creche");
        else
                snprintf(out, PATH_MAX + 32, "creche --socket %s", s->config->socket_path);
}

static void print_next_steps(const struct server *s)
{
        char creche[PATH_MAX + 32];

        name_client(s, creche);
        fprintf(stderr,
                "\nCreche is ready. In another terminal:\n\n"
                "  # start a program, wait for it, see its output\n"
                "  %s run --name hello -- sh -c 'echo hello; exit 7'\n"
                "  %s join hello\n"
                "  %s logs hello\n\n"
                "  # the same by HTTP: /openapi.json has it all\n"
                "  curl -s --unix-socket %s http://creche/v1/processes/1\n\n"
                "  # what has run here, in SQL\n"
                "  sqlite3 %s 'SELECT id, name, pid, daemon, exitcode FROM processes'\n\n",
                creche, creche, creche, s->config->socket_path, s->config->database);
        if (*s->url)
                fprintf(stderr,
                        "  # over TCP, with the operator's token\n"
                        "  curl -s%s%s -H \"Authorization: Bearer $(cat %s/token)\" %s/v1/info\n\n"
                        "  # in a browser: a link that signs it in, for one minute\n"
                        "  %s open\n\n",
                        s->certificate ? " --cacert " : "", s->config->tls_cert, s->config->state_dir, s->url,
                        creche);
        fprintf(stderr, "Ctrl-C stops it.\n\n");
}

/* Once for each creche-init: who waits for the line has read it. */
static void say_ready(struct server *s)
{
        KILLPOINT("serve.ready");
        log_info("ready", "socket=%s url=%s pid=%d restarts=%u", log_quote(s->config->socket_path),
                 log_quote(s->url), getpid(), s->restarts);
        if (!s->was_ready) {
                print_next_steps(s);
                printf("READY unix:%s%s%s\n", s->config->socket_path, *s->url ? " " : "", s->url);
                fflush(stdout);
        }
        notify_say(&s->notify, "READY=1\nSTATUS=Serves unix:%s%s%s", s->config->socket_path,
                   *s->url ? " and " : "", s->url);
        watchdog_begin(&s->watchdog, &s->notify, s->registry);
        registry_ready(s->registry);
        KILLPOINT("serve.told_ready");
}

/* The signal that has come; 0: none. */
static int take_signal(struct server *s)
{
        struct signalfd_siginfo si;

        return read(s->signals, &si, sizeof(si)) == sizeof(si) ? (int)si.ssi_signo : 0;
}

static void say_whom_we_wait_for(struct server *s, size_t n, const int64_t *ids)
{
        char list[256] = "";
        size_t shown = n < WAITED_SHOWN ? n : WAITED_SHOWN;
        int at = 0;

        for (size_t i = 0; i < shown && ids[i]; i++)
                at += snprintf(list + at, sizeof(list) - (size_t)at, "%s%" PRId64, i ? "," : "", ids[i]);
        log_info("stop.waiting", "processes=%zu ids=%s%s%s", n, list, n > shown ? ",..." : "",
                 s->config->stop_timeout_us < 0 ? " hint=\"a second signal terminates them\"" : "");
}

/* Each further signal hurries: SIGTERM to all, then SIGKILL. */
static void hurry(struct server *s, int *signals)
{
        int signo = take_signal(s);

        if (!signo)
                return;
        /* Who wants the next creched, or has closed the terminal, wants nobody ended. */
        if (signo == SIGHUP) {
                log_warn("restart.refused", "detail=%s", log_quote("it is stopping"));
                return;
        }
        ++*signals;
        if (*signals == 2)
                log_info("stop.terminating", "reason=%s", log_quote("second signal"));
        else
                log_warn("stop.killing", "reason=%s", log_quote("third signal"));
        registry_signal_all(s->registry, *signals == 2 ? SIGTERM : SIGKILL, false, "stop");
}

static int milliseconds_until(int64_t deadline_us)
{
        int64_t left = (deadline_us - clock_mono_us() + 999) / 1000;

        return left < 0 ? 0 : left > 1000000 ? 1000000 : (int)left;
}

static void put_number(const char *variable, int v)
{
        char text[16];

        snprintf(text, sizeof(text), "%d", v);
        setenv(variable, text, 1);
}

/* An upgrade: become the program that lies on the disk now, as creche-init would start it. We stay the parent of
 * our children all the time, so that even creche-init may be killed meanwhile. Returns if it cannot be executed. */
static void execute_anew(struct server *s)
{
        struct err e;

        put_number("CRECHE_INIT_FD", s->init_fd);
        put_number("CRECHE_INIT_RESTARTS", (int)s->restarts + 1);
        put_number("CRECHE_INIT_READY", 1);
        oom_hand_over(s->oom_score_adj);
        if (sockets_hand_over(&s->sockets, &e) == 0 && fcntl(s->init_fd, F_SETFD, 0) == 0 &&
            setrlimit(RLIMIT_NOFILE, &s->nofile) == 0 && setrlimit(RLIMIT_CORE, &s->core) == 0) {
                registry_take_orphans();
                KILLPOINT("restart.exec");
                execv(s->config->argv[0], s->config->argv);
        }
        log_error("restart.exec_failed", "path=%s errno=%s", log_quote(s->config->argv[0]),
                  err_errno_name(errno));
}

/* Crash-only: what comes after us finds everything as it finds it after a SIGKILL. */
static int restart(struct server *s, const char *why, bool in_place, int64_t grace_us)
{
        log_info("restart", "reason=%s", log_quote(why));
        registry_release_waiters(s->registry);
        http_stop(s->http, grace_us);
        KILLPOINT("restart.exit");
        if (in_place)
                execute_anew(s);
        _exit(STATUS_RESTART);
}

/* Without it nobody would start us again if the new program fails, nor keep the stdin of children meanwhile. */
static bool init_lives(const struct server *s)
{
        struct pollfd init = {.fd = s->init_fd};

        return s->init_fd >= 0 && poll(&init, 1, 0) == 0;
}

/* Nobody but creche-init can make another privileged forkserver, by making another creched. Without both, what runs
 * is watched and recorded as before. */
static void replace_forkserver(struct server *s)
{
        eventfd_t ignored;

        eventfd_read(s->lost, &ignored);
        if (init_lives(s))
                restart(s, "the privileged forkserver has died", false, HTTP_GRACE_US);
        log_error("forkserver.lost", "detail=%s",
                  log_quote("creche-init is gone too: nothing can be started until Creche is"));
}

/* As multiprocessing at exit: daemonic children are terminated, all are joined. */
static int join_all(struct server *s)
{
        int64_t deadline =
                s->config->stop_timeout_us < 0 ? INT64_MAX : clock_mono_us() + s->config->stop_timeout_us;
        struct pollfd polled[] = {{.fd = s->signals, .events = POLLIN},
                                  {.fd = registry_ended_fd(s->registry), .events = POLLIN},
                                  {.fd = s->lost, .events = POLLIN},
                                  {.fd = s->watchdog.fd, .events = POLLIN}};
        int64_t ids[WAITED_SHOWN];
        size_t n, said = 0;
        int signals = 1;
        bool killed = false;
        eventfd_t ignored;

        registry_stop(s->registry);
        registry_signal_all(s->registry, SIGTERM, true, "stop (daemonic)");
        while ((n = registry_active(s->registry, ids, WAITED_SHOWN))) {
                if (killed && registry_is_stuck(s->registry)) {
                        log_error("stop.gave_up", "processes=%zu detail=%s", n,
                                  log_quote("all have ended, but their exit codes cannot be written"));
                        return STATUS_FAILED;
                }
                if (n != said)
                        say_whom_we_wait_for(s, n, ids);
                said = n;
                if (clock_mono_us() >= deadline) {
                        log_warn("stop.killing", "reason=%s", log_quote("stop timeout"));
                        registry_signal_all(s->registry, SIGKILL, false, "stop (timeout)");
                        deadline = INT64_MAX;
                        killed = true;
                }
                poll(polled, 4,
                     killed                  ? STUCK_LOOK_MS
                     : deadline == INT64_MAX ? -1
                                             : milliseconds_until(deadline));
                if (polled[1].revents)
                        eventfd_read(polled[1].fd, &ignored);
                if (polled[2].revents)
                        replace_forkserver(s);
                if (polled[3].revents)
                        watchdog_feed(&s->watchdog);
                if (polled[0].revents)
                        hurry(s, &signals);
                killed = killed || signals > 2;
        }
        return EXIT_SUCCESS;
}

/* Whom we are to wait for is our own setting: the manager shall not kill everybody before that is over. */
static void say_stopping(struct server *s)
{
        notify_say(&s->notify, "STOPPING=1\nSTATUS=Waits for the processes that run");
        if (s->config->stop_timeout_us >= 0)
                notify_say(&s->notify, "EXTEND_TIMEOUT_USEC=%" PRId64,
                           s->config->stop_timeout_us + STOP_SPARE_US);
}

static int stop(struct server *s)
{
        int status;

        log_info("stop.begin", "pid=%d", getpid());
        say_stopping(s);
        KILLPOINT("stop.begun");
        status = join_all(s);
        KILLPOINT("stop.joined");
        registry_release_waiters(s->registry);
        http_stop(s->http, HTTP_GRACE_US);
        registry_shut(s->registry);
        logs_end(s->logs);
        KILLPOINT("stop.shut");
        door_remove(s->config->socket_path);
        log_info("stop.done", "pid=%d status=%d", getpid(), status);
        return status;
}

static int run(struct server *s)
{
        const char *socket = s->config->socket_path;
        int64_t began_us = clock_mono_us();
        struct pollfd polled[] = {{.fd = s->signals, .events = POLLIN},
                                  {.fd = s->fatal, .events = POLLIN},
                                  {.fd = door_watch(socket), .events = POLLIN},
                                  {.fd = s->lost, .events = POLLIN},
                                  {.fd = s->watchdog.fd, .events = POLLIN}};

        for (;;) {
                if (poll(polled, 5, -1) < 0 && errno != EINTR)
                        return STATUS_FAILED;
                if (polled[1].revents) {
                        poll(polled, 1, milliseconds_until(began_us + FATAL_LIFE_US));
                        return restart(s, "the database's state is unknown", false, FATAL_GRACE_US);
                }
                if (polled[2].revents)
                        door_mend(polled[2].fd, socket);
                if (polled[3].revents)
                        replace_forkserver(s);
                if (polled[4].revents)
                        watchdog_feed(&s->watchdog);
                switch (take_signal(s)) {
                case SIGTERM:
                case SIGINT: return stop(s);
                case SIGHUP:
                        /* Who has given up its rights cannot get them again by executing itself. */
                        if (init_lives(s)) {
                                notify_say(&s->notify, "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
                                           clock_mono_us());
                                return restart(s, "SIGHUP", !s->privileges.separated, HTTP_GRACE_US);
                        }
                        log_warn("restart.refused", "detail=%s", log_quote("creche-init is gone"));
                        break;
                default: break;
                }
        }
}

/* One that comes after others has children to come back to, and waits for what has run short. The very first
 * had better say what is wrong. */
static int failed(const struct server *s, const struct err *e, int otherwise)
{
        log_error("start.failed", "error=%s", log_quote(e->msg));
        return e->kind == ERR_TRY_AGAIN || (s->was_ready && err_is_shortage(e)) ? STATUS_RESTART : otherwise;
}

/* What has not just run short has to be mended by somebody. The children of an earlier creched are waited for
 * by nobody else until then: see outage.h. */
static int registry_failed(struct server *s, const struct err *e)
{
        struct outage o = {
                .http = http_config(s), .init_fd = s->init_fd, .notify = &s->notify, .signals = s->signals};
        int status = failed(s, e, STATUS_DATABASE);

        if (status == STATUS_RESTART || !s->was_ready)
                return status;
        if (outage_wait(&o))
                return STATUS_RESTART;
        log_warn("stop.gave_up", "detail=%s", log_quote("whoever still runs is waited for by nobody now"));
        return status;
}

static int begin(struct server *s)
{
        const struct config *c = s->config;
        struct err e = {0};

        if (take_signals(s, &e) == 0 && inherit(s, &e) == 0) {
                registry_end_forkservers();
                if (prepare_tcp(s, &e) < 0)
                        return failed(s, &e, STATUS_FAILED);
                if (privileges_drop(c, s->init_fd, s->oom_score_adj, &s->privileges, &e) < 0)
                        return failed(s, &e, STATUS_FAILED);
                if (open_registry(s, &e) < 0)
                        return registry_failed(s, &e);
                if (open_http(s, &e) == 0) {
                        say_ready(s);
                        return run(s);
                }
        }
        return failed(s, &e, STATUS_FAILED);
}

int serve(const struct config *c)
{
        struct server s = {.config = c, .watchdog.fd = -1};
        int status;

        umask(077);
        secret_process(&s.core);
        raise_file_limit(&s);
        notify_begin(&s.notify, getppid());
        notify_progress(&s.notify);
        status = begin(&s);
        policy_done(&s.privileges.policy);
        certificate_free(s.certificate);
        watchdog_end(&s.watchdog);
        notify_end(&s.notify);
        return status;
}
