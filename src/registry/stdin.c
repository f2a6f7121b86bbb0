/* SPDX-License-Identifier: MIT */
/* The standard input of a process. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/killpoint.h"
#include "registry/internal.h"

/* Under the lock: @id as one whose stdin can be used. */
static struct child *find_stdin(struct registry *r, const struct caller *who, int64_t id)
{
        struct child *c = table_find(r, id);

        return c && c->durable && caller_sees(who, &c->rec) && c->rec.state == PROCESS_STARTED ? c : NULL;
}

static int no_stdin(struct registry *r, const struct caller *who, int64_t id, struct err *e)
{
        CLEANUP(process_freep) struct process *p = registry_find(r, who, id, e);

        if (!p)
                return -1;
        if (p->state == PROCESS_CLOSED)
                return err_set(e, ERR_CLOSED, 0, "process object is closed");
        if (p->state == PROCESS_INITIAL || p->state == PROCESS_STARTING)
                return err_set(e, ERR_NOT_STARTED, 0, "process %" PRId64 " has not been started", id);
        if (process_state_is_ended(p->state))
                return err_set(e, ERR_STOPPED, 0, "process %" PRId64 " has ended", id);
        return err_set(e, ERR_NO_STDIN, 0,
                       "the standard input of process %" PRId64 " is no pipe, or was closed", id);
}

int registry_stdin(struct registry *r, const struct caller *who, int64_t id, struct err *e)
{
        const struct actor actor = caller_actor(who);
        struct child *c;
        int fd = -1, errnum = 0;
        bool first = false, may = true;

        pthread_mutex_lock(&r->lock);
        c = find_stdin(r, who, id);
        /* What is read may be what is run. */
        if (c)
                may = caller_may_run(who, c->rec.target, e) == 0;
        if (c && may && c->stdin_fd >= 0) {
                fd = fcntl(c->stdin_fd, F_DUPFD_CLOEXEC, 3);
                errnum = errno;
                first = fd >= 0 && (!c->stdin_by || strcmp(c->stdin_by, who->who) != 0);
        }
        if (first) {
                free(c->stdin_by);
                c->stdin_by = strdup(who->who);
        }
        pthread_mutex_unlock(&r->lock);
        if (!may)
                return -1;
        if (first)
                audit_note(r, &actor, "stdin", id, NULL, AUDIT_DONE);
        if (fd >= 0)
                return fd;
        return errnum ? err_set(e, ERR_TRY_AGAIN, errnum, "opening the standard input")
                      : no_stdin(r, who, id, e);
}

/* An end of file that was acknowledged is one, even if we are killed at once. */
int registry_stdin_close(struct registry *r, const struct caller *who, int64_t id, struct err *e)
{
        bool closed = false, stuck = false;
        struct child *c;

        pthread_mutex_lock(&r->lock);
        c = find_stdin(r, who, id);
        if (c && c->stdin_fd >= 0) {
                stuck = c->kept_stdin && peers_drop_stdin(r, id) < 0;
                closed = !stuck;
        }
        if (closed) {
                KILLPOINT("stdin.dropped");
                closep(&c->stdin_fd);
                c->kept_stdin = false;
        }
        pthread_mutex_unlock(&r->lock);
        if (stuck)
                return err_set(e, ERR_TRY_AGAIN, 0, "creche-init has no time");
        return closed ? 0 : no_stdin(r, who, id, e);
}
