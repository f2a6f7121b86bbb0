/* SPDX-License-Identifier: MIT */
/* A daemon that has executed itself anew (an upgrade) is still the parent of its children, but knows of none of
 * them: those that recovery does not find in the database are looked at here. Any other daemon begins without
 * children.
 *
 * The forkservers of the old program die, and creche-init may die just then: so their children come to us. With
 * them may come orphans that would have been creche-init's. */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/procfs.h"
#include "base/sys.h"
#include "registry/internal.h"

/* An orphan that nobody waits for. */
struct stray {
        struct source source;
        struct list link;
        pid_t pid;
        int pidfd;
};

void registry_take_orphans(void)
{
        prctl(PR_SET_CHILD_SUBREAPER, 1);
}

/* Its newborn children have its name until they exec, which it has done. */
static bool is_forkserver(pid_t pid)
{
        struct procfs_stat st;

        return procfs_is_named(pid, FORKSERVER_NAME) && procfs_stat(pid, &st) == 0 && !st.never_execed;
}

void registry_end_forkservers(void)
{
        pid_t *pids;
        ssize_t n = procfs_children(&pids);
        siginfo_t si;

        for (ssize_t i = 0; i < n; i++) {
                if (!is_forkserver(pids[i]))
                        continue;
                kill(pids[i], SIGKILL); /* our own child, which nobody has reaped: the number is its */
                sys_waitid(P_PID, (id_t)pids[i], &si, WEXITED, NULL);
        }
        free(n < 0 ? NULL : pids);
        prctl(PR_SET_CHILD_SUBREAPER, 0);
}

static bool is_known(struct registry *r, pid_t pid)
{
        bool known;

        pthread_mutex_lock(&r->lock);
        known = table_find_pid(r, pid) || journal_has_pid(r->journal, pid);
        pthread_mutex_unlock(&r->lock);
        return known;
}

static void forget(struct stray *o)
{
        list_remove(&o->link);
        closep(&o->pidfd);
        free(o);
}

/* One that cannot be watched stays a zombie until we end, and is creche-init's then. */
static void watch(struct registry *r, pid_t pid)
{
        struct stray *o = malloc(sizeof(*o));
        struct epoll_event ev = {.events = EPOLLIN};

        if (!o)
                return;
        *o = (struct stray){.source = {SOURCE_STRAY}, .pid = pid, .pidfd = sys_pidfd_open(pid, 0)};
        list_append(&r->strays, &o->link);
        ev.data.ptr = &o->source;
        if (o->pidfd < 0 || sys_epoll_ctl(r->epfd, EPOLL_CTL_ADD, o->pidfd, &ev) < 0) {
                log_warn("orphan.unwatched", "pid=%d errno=%s", pid, err_errno_name(errno));
                forget(o);
        }
}

/* False: it has not ended. */
static bool reap(pid_t pid)
{
        siginfo_t si = {0};

        if (sys_waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG, NULL) == 0 && si.si_pid == 0)
                return false;
        log_debug("orphan.reaped", "pid=%d", pid);
        return true;
}

void anew_reap(struct registry *r)
{
        pid_t *pids;
        ssize_t n = procfs_children(&pids);

        for (ssize_t i = 0; i < n; i++)
                if (!is_known(r, pids[i]) && !reap(pids[i]))
                        watch(r, pids[i]);
        free(n < 0 ? NULL : pids);
}

void anew_stray_ended(struct source *source)
{
        struct stray *o = container_of(source, struct stray, source);

        if (reap(o->pid))
                forget(o);
}

void anew_forget(struct registry *r)
{
        list_for_each_safe (node, &r->strays)
                forget(container_of(node, struct stray, link));
}
