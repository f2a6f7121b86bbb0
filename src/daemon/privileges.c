/* SPDX-License-Identifier: MIT */
#include "daemon/privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "start/place.h"

#define DEFAULT_USER "creche"
#define NO_USER      "none"

static struct {
        gid_t groups[NGROUPS_MAX];
        int n;
} roots; /* groups, while we pretend */

/* -------------------------------------------------------------------------------------- deciding */

static int find_user(const char *name, struct account *a, struct err *e)
{
        account_has_privileged_server(); /* there will be one */
        if (account_resolve(name, NULL, a, e) < 0)
                return err_wrap(e, "--user %s", name);
        if (a->uid == 0)
                return err_set(e, ERR_INVALID, 0, "--user %s is root: say none to serve as root", name);
        return 0;
}

/* -1: there is one, which cannot be used; or there must be one. 1: there is none. */
static int read_policy(const struct config *c, int *fd, struct policy *p, struct err *e)
{
        *p = (struct policy){0};
        *fd = policy_open(c->policy, e);
        if (*fd >= 0)
                return policy_read(*fd, p, e);
        return e->kind == ERR_NOT_FOUND && !c->policy_given ? 1 : err_wrap(e, "--policy");
}

int privileges_decide(struct config *c, struct account *a, struct err *e)
{
        CLEANUP(closep) int fd = -1;
        struct policy p;

        if (geteuid() != 0 && *c->user && strcmp(c->user, NO_USER) != 0)
                return err_set(e, ERR_INVALID, 0, "--user: only root can become somebody else");
        if (geteuid() != 0)
                return 1;
        if (!*c->user)
                strcpy(c->user, getpwnam(DEFAULT_USER) ? DEFAULT_USER : NO_USER);
        setenv("CRECHE_USER", c->user, 1);
        if (!strcmp(c->user, NO_USER)) {
                log_warn("privileges.kept", "uid=0 hint=%s",
                         log_quote("creched serves with all rights of root: see --user"));
                return 1;
        }
        if (find_user(c->user, a, e) < 0 || read_policy(c, &fd, &p, e) < 0)
                return -1;
        policy_done(&p);
        return 0;
}

/* ------------------------------------------------------------------------------------- pretending */

int privileges_pretend(const struct account *a, struct err *e)
{
        roots.n = getgroups(NGROUPS_MAX, roots.groups);
        if (roots.n < 0 || setgroups(a->groups_n, a->groups) < 0 || setegid(a->gid) < 0 ||
            seteuid(a->uid) < 0)
                return err_set(e, ERR_INTERNAL, errno, "making files as %s", a->name);
        return 0;
}

int privileges_resume(struct err *e)
{
        if (seteuid(0) < 0 || setegid(0) < 0 || setgroups((size_t)roots.n, roots.groups) < 0)
                return err_set(e, ERR_INTERNAL, errno, "becoming root again");
        return 0;
}

/* --------------------------------------------------------------------------------------- dropping */

static int drop_capabilities(struct err *e)
{
        struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0}, left[_LINUX_CAPABILITY_U32S_3];

        if (syscall(SYS_capset, &head, none) < 0 || syscall(SYS_capget, &head, left) < 0)
                return err_set(e, ERR_INTERNAL, errno, "dropping capabilities");
        if (memcmp(none, left, sizeof(none)) != 0)
                return err_set(e, ERR_INTERNAL, 0, "capabilities are left");
        return 0;
}

/* It executes nothing any more: all processes are the forkserver's. */
static int renounce(struct err *e)
{
        int held;

        for (unsigned long cap = 0; (held = prctl(PR_CAPBSET_READ, cap, 0, 0, 0)) >= 0; cap++)
                if (held && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
                        return err_set(e, ERR_INTERNAL, errno, "dropping capability %lu", cap);
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return err_set(e, ERR_INTERNAL, errno, "PR_SET_NO_NEW_PRIVS");
        return 0;
}

static int become(const struct account *a, struct err *e)
{
        uid_t ruid, euid, suid;
        gid_t rgid, egid, sgid;
        gid_t groups[ACCOUNT_GROUPS_MAX];
        int n;

        if (setgroups(a->groups_n, a->groups) < 0 || setresgid(a->gid, a->gid, a->gid) < 0 ||
            setresuid(a->uid, a->uid, a->uid) < 0 || getresgid(&rgid, &egid, &sgid) < 0 ||
            getresuid(&ruid, &euid, &suid) < 0)
                return err_set(e, ERR_INTERNAL, errno, "becoming %s", a->name);
        n = getgroups(ACCOUNT_GROUPS_MAX, groups);
        if (ruid != a->uid || euid != a->uid || suid != a->uid || rgid != a->gid || egid != a->gid ||
            sgid != a->gid || n != (int)a->groups_n || setresuid(0, 0, 0) == 0)
                return err_set(e, ERR_INTERNAL, 0, "becoming %s did not work", a->name);
        return 0;
}

static pid_t maker_of(int init_fd)
{
        struct ucred maker = {0};
        socklen_t n = sizeof(maker);

        return getsockopt(init_fd, SOL_SOCKET, SO_PEERCRED, &maker, &n) < 0 ? 0 : maker.pid;
}

int privileges_drop(const struct config *c, int init_fd, const char *oom_score_adj, struct privileges *p,
                    struct err *e)
{
        struct forkserver_rights rights = {
                .user = c->user, .init_pid = maker_of(init_fd), .oom_score_adj = oom_score_adj};
        CLEANUP(closep) int policy_fd = -1;
        struct account a;
        int rc;

        if (geteuid() != 0 || !*c->user || !strcmp(c->user, NO_USER))
                return 0;
        if (find_user(c->user, &a, e) < 0 || (rc = read_policy(c, &policy_fd, &p->policy, e)) < 0)
                return -1;
        p->has_policy = rc == 0;
        p->policy.own_uid = a.uid;
        p->policy.own_gid = a.gid;
        rights.policy_fd = policy_fd;
        if (place_delegate(&a, p->leaves, sizeof(p->leaves)) < 0)
                p->leaves[0] = '\0';
        if (forkserver_launch_privileged("/proc/self/exe", &rights, &p->forkserver, e) < 0)
                return -1;
        if (renounce(e) < 0 || become(&a, e) < 0 || drop_capabilities(e) < 0)
                return -1;
        p->separated = true;
        log_info("privileges.dropped", "user=%s uid=%u forkserver=%d policy=%s", log_quote(a.name), a.uid,
                 p->forkserver.pid, log_quote(p->has_policy ? c->policy : ""));
        return 0;
}
