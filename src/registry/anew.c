/* SPDX-License-Identifier: MIT */
/* A daemon that has executed itself anew (an upgrade) is still the parent of its children, but knows of none of
 * them: those that recovery does not find in the database are looked at here. Any other daemon begins without
 * children. */
#include <stdlib.h>
#include <sys/wait.h>

#include "base/log.h"
#include "base/procfs.h"
#include "base/sys.h"
#include "registry/internal.h"

void anew_end_forkservers(void)
{
        pid_t *pids;
        ssize_t n = procfs_children(&pids);
        siginfo_t si;

        for (ssize_t i = 0; i < n; i++) {
                if (!procfs_is_named(pids[i], FORKSERVER_NAME))
                        continue;
                kill(pids[i], SIGKILL); /* our own child, which nobody has reaped: the number is its */
                sys_waitid(P_PID, (id_t)pids[i], &si, WEXITED, NULL);
        }
        free(n < 0 ? NULL : pids);
}

static bool is_known(struct registry *r, pid_t pid)
{
        bool known;

        pthread_mutex_lock(&r->lock);
        known = table_find_pid(r, pid) || journal_has_pid(r->journal, pid);
        pthread_mutex_unlock(&r->lock);
        return known;
}

void anew_reap(struct registry *r)
{
        pid_t *pids;
        ssize_t n = procfs_children(&pids);
        siginfo_t si;

        for (ssize_t i = 0; i < n; i++) {
                if (is_known(r, pids[i]))
                        continue;
                log_debug("anew.reaped", "pid=%d", pids[i]);
                sys_waitid(P_PID, (id_t)pids[i], &si, WEXITED | WNOHANG, NULL);
        }
        free(n < 0 ? NULL : pids);
}
