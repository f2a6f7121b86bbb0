/* SPDX-License-Identifier: MIT */
/* The threads that clone. Each blocks until its child has exec'ed. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/killpoint.h"
#include "registry/internal.h"

enum {
        PATH_BYTES = 4096,
        FILES_SPARE =
                64, /* more than the acceptor leaves: who can start nothing more can still be told to end */
};

/* The reading end, or the file, that becomes the child's stdin; -1 with @e clear: /dev/null. The writing end
 * of a pipe goes to the child's record, and to creche-init, so that our death is no end of file. */
static int open_stdin(struct start_op *op, struct err *e)
{
        const struct spec *s = op->spec;
        struct child *c = op->child;
        int fd, pipes[2];

        switch (s->stdin_mode) {
        case STDIN_NULL: return -1;
        case STDIN_BYTES:
                fd = memfd_create("creche-stdin", MFD_CLOEXEC);
                if (fd < 0 || fd_write_all(fd, s->stdin_bytes, s->stdin_len) < 0 ||
                    lseek(fd, 0, SEEK_SET) < 0) {
                        err_set(e, ERR_TRY_AGAIN, errno, "making the standard input");
                        closep(&fd);
                }
                return fd;
        case STDIN_PIPE: break;
        }
        if (pipe2(pipes, O_CLOEXEC) < 0)
                return err_set(e, ERR_TRY_AGAIN, errno, "making the standard input");
        fcntl(pipes[1], F_SETFL, O_NONBLOCK);
        KILLPOINT("start.keep_stdin");
        pthread_mutex_lock(&c->registry->lock);
        c->stdin_fd = pipes[1];
        c->kept_stdin = peers_keep_stdin(c->registry, c->rec.id, pipes[1]) == 0;
        pthread_mutex_unlock(&c->registry->lock);
        return pipes[0];
}

static struct launch *make_launch(struct start_op *op, struct err *e)
{
        struct registry *r = op->registry;
        const struct process *p = &op->child->rec;
        char out[PATH_BYTES] = "", err[PATH_BYTES] = "";
        char id[48], authkey[160], socket[PATH_BYTES + 16], url[300];
        const char *env[5] = {id, authkey, socket};
        struct launch_context c = {.account = &op->account,
                                   .env = env,
                                   .cwd = p->cwd,
                                   .nofile = r->config.nofile,
                                   .core = r->config.core,
                                   .oom_score_adj = r->config.oom_score_adj,
                                   .log_root = r->config.state_dir,
                                   .out_path = out,
                                   .err_path = err};
        struct launch *l;

        if (p->out == OUTPUT_LOG &&
            logs_prepare(r->config.logs, p->id, STREAM_STDOUT, out, sizeof(out), e) < 0)
                return NULL;
        if (p->err == OUTPUT_LOG &&
            logs_prepare(r->config.logs, p->id, STREAM_STDERR, err, sizeof(err), e) < 0)
                return NULL;
        snprintf(id, sizeof(id), "CRECHE_ID=%" PRId64, p->id);
        registry_authkey(r, p, authkey, sizeof(authkey));
        snprintf(socket, sizeof(socket), "CRECHE_SOCKET=%s", r->config.socket_path);
        if (r->config.url) {
                snprintf(url, sizeof(url), "CRECHE_URL=%s", r->config.url);
                env[3] = url;
        }
        l = launch_new(op->spec, &c);
        explicit_bzero(authkey, sizeof(authkey));
        if (!l)
                err_set(e, ERR_UNAVAILABLE, 0, "out of memory");
        return l;
}

/* The privileged forkserver opens no path for us. */
static int open_logs(const struct start_op *op, const struct launch *l, int *out, int *err, struct err *e)
{
        const struct registry_config *c = &op->registry->config;
        int64_t id = op->child->rec.id;

        if (!c->privileged)
                return 0;
        if (l->out == OUTPUT_LOG && (*out = logs_create(c->logs, id, STREAM_STDOUT, e)) < 0)
                return -1;
        return l->err == OUTPUT_LOG && (*err = logs_create(c->logs, id, STREAM_STDERR, e)) < 0 ? -1 : 0;
}

static void launch_freep(struct launch **l)
{
        launch_free(*l);
}

static int clone_into_leaf(struct starter *s, struct start_op *op, struct launch *l, struct start_files files,
                           struct start_result *res, struct err *e)
{
        struct leaves *leaves = op->registry->leaves;
        int64_t id = op->child->rec.id;
        int rc;

        files.cgroup = leaves_claim(leaves, id);
        KILLPOINT("start.leaf_claimed");
        rc = starter_start(s, op->child->rec.start_method, l, op->slot, files, res, e);
        leaves_cloned(leaves, id);
        return rc;
}

/* Returns -1 when no child ever existed. */
static int clone_child(struct starter *s, struct start_op *op, struct start_result *res, struct err *e)
{
        CLEANUP(launch_freep) struct launch *l = NULL;
        CLEANUP(closep) int in = -1;
        CLEANUP(closep) int out = -1;
        CLEANUP(closep) int err = -1;

        if (fd_is_short(FILES_SPARE))
                return err_set(e, ERR_TRY_AGAIN, EMFILE, "too many processes and connections");
        l = make_launch(op, e);
        if (!l || open_logs(op, l, &out, &err, e) < 0)
                return -1;
        KILLPOINT("start.logs_made");
        in = open_stdin(op, e);
        if (e->kind != ERR_NONE)
                return -1;
        op->slot = journal_claim(op->registry->journal, op->child->rec.id, e);
        if (!op->slot)
                return -1;
        KILLPOINT("start.slot_claimed");
        return clone_into_leaf(
                s, op, l, (struct start_files){.in = in, .out = out < 0 ? 0 : out, .err = err < 0 ? 0 : err},
                res, e);
}

static struct start_op *next(struct registry *r)
{
        struct list *node;

        pthread_mutex_lock(&r->queue_lock);
        while (list_empty(&r->queue) && !r->queue_ends)
                pthread_cond_wait(&r->queue_wake, &r->queue_lock);
        node = list_pop(&r->queue);
        pthread_mutex_unlock(&r->queue_lock);
        return node ? container_of(node, struct start_op, link) : NULL;
}

struct starter_arg {
        struct registry *registry;
        struct starter *starter;
};

static void *starter_main(void *arg)
{
        struct starter_arg a = *(struct starter_arg *)arg;
        struct start_op *op;

        free(arg);
        pthread_setname_np(pthread_self(), "creche-starter");
        while ((op = next(a.registry))) {
                struct start_result res;
                struct err e = {0};

                KILLPOINT("start.taken");
                if (clone_child(a.starter, op, &res, &e) < 0)
                        start_op_undo(op, &e);
                else
                        start_op_started(op, &res);
        }
        return NULL;
}

void starters_queue(struct registry *r, struct start_op *op)
{
        pthread_mutex_lock(&r->queue_lock);
        list_append(&r->queue, &op->link);
        pthread_mutex_unlock(&r->queue_lock);
        pthread_cond_signal(&r->queue_wake);
}

int starters_begin(struct registry *r, struct err *e)
{
        for (int i = 0; i < STARTERS; i++) {
                struct starter_arg *arg = malloc(sizeof(*arg));
                int rc;

                if (!arg)
                        return err_set(e, ERR_UNAVAILABLE, 0, "out of memory");
                if (starter_init(&r->starter[i], &r->parent, r->forkserver, r->journal, e) < 0) {
                        free(arg);
                        return -1;
                }
                *arg = (struct starter_arg){.registry = r, .starter = &r->starter[i]};
                rc = pthread_create(&r->starters[i], NULL, starter_main, arg);
                if (rc) {
                        free(arg);
                        starter_done(&r->starter[i]);
                        return err_set(e, ERR_INTERNAL, rc, "starting a starter");
                }
                r->starters_n++;
        }
        return 0;
}

void starters_end(struct registry *r)
{
        pthread_mutex_lock(&r->queue_lock);
        r->queue_ends = true;
        pthread_mutex_unlock(&r->queue_lock);
        pthread_cond_broadcast(&r->queue_wake);
        for (int i = 0; i < r->starters_n; i++) {
                pthread_join(r->starters[i], NULL);
                starter_done(&r->starter[i]);
        }
        r->starters_n = 0;
}
