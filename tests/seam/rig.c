/* SPDX-License-Identifier: MIT */
#include "rig.h"

#include <poll.h>
#include <sys/eventfd.h>

const struct caller rig_operator = {.scopes = SCOPE_ALL, .who = "uid 0"};

static void on_fatal(void *arg)
{
        struct rig *r = arg;

        r->fatal++;
        sem_post(&r->fatal_called);
}

void rig_prepare(struct rig *r)
{
        struct err e = {0};
        sigset_t all;

        seam_reset();
        *r = (struct rig){0};
        sem_init(&r->fatal_called, 0, 0);
        sigfillset(&all);
        sigdelset(&all, SIGALRM);
        sigdelset(&all, SIGSEGV);
        sigdelset(&all, SIGABRT);
        sigprocmask(SIG_SETMASK, &all, &r->mask);
        snprintf(r->paths[0], sizeof(r->paths[0]), "%s", test_dir());
        snprintf(r->paths[1], sizeof(r->paths[1]), "%s/registry.db", test_dir());
        MUST(logs_begin(test_dir_fd(), r->paths[0], 1 << 20, &r->logs, &e));
        r->config = (struct registry_config){.state_dir = r->paths[0],
                                             .state_fd = test_dir_fd(),
                                             .database = r->paths[1],
                                             .socket_path = "/run/none.sock",
                                             .exe = "/proc/self/exe",
                                             .init_fd = -1,
                                             .logs = r->logs,
                                             .fatal = on_fatal,
                                             .fatal_arg = r};
        memset(r->config.secret, 7, sizeof(r->config.secret));
}

void rig_begin(struct rig *r)
{
        struct err e = {0};

        rig_prepare(r);
        MUST(registry_open(&r->config, &r->registry, &e));
}

void rig_shut(struct rig *r)
{
        seam_reset();
        registry_shut(r->registry);
        logs_end(r->logs);
        sem_destroy(&r->fatal_called);
        sigprocmask(SIG_SETMASK, &r->mask, NULL);
}

void rig_end(struct rig *r)
{
        uint64_t n;

        seam_reset();
        registry_stop(r->registry);
        registry_signal_all(r->registry, SIGKILL, false, "test");
        while (registry_active(r->registry, NULL, 0)) {
                struct pollfd p = {.fd = registry_ended_fd(r->registry), .events = POLLIN};

                poll(&p, 1, 100); /* one that ended before we stopped tells nothing here */
                if (p.revents)
                        eventfd_read(p.fd, &n);
                registry_signal_all(r->registry, SIGKILL, false, "test");
        }
        registry_release_waiters(r->registry);
        rig_shut(r);
}

static void on_done(struct ticket *t)
{
        struct wait *w = container_of(t, struct wait, ticket);

        w->done_n++;
        sem_post(&w->done);
}

void wait_init(struct wait *w)
{
        ticket_init(&w->ticket, on_done);
        sem_init(&w->done, 0, 0);
        w->done_n = 0;
        w->keeps = false;
}

bool is_done(struct wait *w)
{
        return w->done_n > 0;
}

int join_many(struct rig *r, const int64_t *ids, size_t n, bool any, int64_t timeout_us, struct wait *w)
{
        wait_init(w);
        return registry_join_many(r->registry, &rig_operator, ids, n, any, timeout_us, &w->ticket);
}

void wait_sem(sem_t *s)
{
        while (sem_wait(s) < 0)
                ;
}

enum err_kind wait_for_ticket(struct wait *w, int rc)
{
        if (rc == 1)
                wait_sem(&w->done);
        if (rc == -1 && w->ticket.err.kind == ERR_NONE)
                fail_msg("-1 without an error");
        if (!w->keeps && !w->ticket.many)
                ticket_done(&w->ticket);
        return w->ticket.err.kind;
}

struct spec *rig_spec(const char *script)
{
        struct spec *s = calloc(1, sizeof(*s));

        s->argv = calloc(4, sizeof(*s->argv));
        s->argv[0] = strdup("/bin/sh");
        s->argv[1] = strdup("-c");
        s->argv[2] = strdup(script);
        s->env = calloc(1, sizeof(*s->env));
        s->argv_json = strdup("[]");
        s->env_json = strdup("[]");
        s->labels_json = strdup("{}");
        s->cwd = strdup("/");
        s->daemon = -1;
        s->umask = SPEC_UMASK_DEFAULT;
        s->stdin_mode = STDIN_PIPE;
        s->out = s->err = OUTPUT_LOG;
        s->grace_us = 1000000;
        s->start = true;
        return s;
}

int64_t rig_start(struct rig *r, const char *script)
{
        struct wait w;

        wait_init(&w);
        if (wait_for_ticket(
                    &w, registry_create(r->registry, &rig_operator, rig_spec(script), NULL, NULL, &w.ticket)))
                fail_msg("starting: %s", w.ticket.err.msg);
        rig_flush(r);
        return w.ticket.id;
}

void rig_start_readers(struct rig *r, int64_t *ids, size_t n)
{
        for (size_t i = 0; i < n; i++)
                ids[i] = rig_start(r, "read x");
}

int64_t rig_create(struct rig *r, const char *script)
{
        struct spec *s = rig_spec(script);
        struct wait w;

        wait_init(&w);
        s->start = false;
        if (wait_for_ticket(&w, registry_create(r->registry, &rig_operator, s, "{}", NULL, &w.ticket)))
                fail_msg("creating: %s", w.ticket.err.msg);
        return w.ticket.id;
}

enum err_kind rig_start_created(struct rig *r, int64_t id, const char *script)
{
        struct wait w;

        wait_init(&w);
        return wait_for_ticket(&w,
                               registry_start(r->registry, &rig_operator, id, rig_spec(script), &w.ticket));
}

void rig_release(struct rig *r, int64_t id)
{
        struct err e = {0};

        MUST(registry_stdin_close(r->registry, &rig_operator, id, &e));
}

void rig_join(struct rig *r, int64_t id)
{
        struct wait w;

        wait_init(&w);
        if (wait_for_ticket(&w, registry_join(r->registry, &rig_operator, id, -1, &w.ticket)))
                fail_msg("joining: %s", w.ticket.err.msg);
        CHECK(w.ticket.ended);
}

static int nothing_run(struct db *db, void *arg, struct err *e)
{
        (void)db;
        (void)arg;
        (void)e;
        return 0;
}

void rig_flush(struct rig *r)
{
        rig_write(r->registry->store, nothing_run, NULL);
}

static void copy_process(const struct process *p, void *arg)
{
        *(struct process **)arg = process_copy(p);
}

struct process *rig_show(struct rig *r, int64_t id)
{
        struct process *p = NULL;
        struct err e = {0};

        MUST(registry_show(r->registry, &rig_operator, id, copy_process, &p, &e));
        return p;
}

pid_t rig_pid(struct rig *r, int64_t id)
{
        CLEANUP(process_freep) struct process *p = rig_show(r, id);

        return p->pid;
}

void rig_await_death(struct rig *r, int64_t id)
{
        struct pollfd p = {.events = POLLIN};
        struct child *c;

        pthread_mutex_lock(&r->registry->lock);
        c = table_find(r->registry, id);
        p.fd = c && c->pidfd >= 0 ? fcntl(c->pidfd, F_DUPFD_CLOEXEC, 3) : -1;
        pthread_mutex_unlock(&r->registry->lock);
        if (p.fd < 0)
                return; /* it has ended and is recorded */
        while (poll(&p, 1, -1) != 1)
                ;
        close(p.fd);
}
