/* SPDX-License-Identifier: MIT */
#include "start/privileged.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/log.h"
#include "base/sys.h"
#include "start/forkserver.h"

enum { ARG_USER = 1, ARG_INIT_PID, ARG_OOM_SCORE_ADJ, ARG_POLICY, ARGS };

int privileged_begin(struct privileged *p, int argc, char **argv, struct err *e)
{
        *p = (struct privileged){.init_pidfd = -1};
        if (argc != ARGS)
                return err_set(e, ERR_INVALID, 0, "the forkserver is started by creched only");
        account_has_privileged_server(); /* which we are */
        if (account_resolve(argv[ARG_USER], NULL, &p->own, e) < 0 ||
            (*argv[ARG_POLICY] && policy_read(FORKSERVER_POLICY_FD, &p->policy, e) < 0))
                return -1;
        p->policy.own_uid = p->own.uid;
        p->policy.own_gid = p->own.gid;
        if (policy_check(&p->policy, &p->own, e) < 0)
                return err_wrap(e, "the daemon's own user");
        snprintf(p->oom_score_adj, sizeof(p->oom_score_adj), "%s", argv[ARG_OOM_SCORE_ADJ]);
        p->init_pid = atoi(argv[ARG_INIT_PID]);
        p->init_pidfd = sys_pidfd_open(p->init_pid, 0); /* -1: it has been killed meanwhile */
        return 0;
}

/* As whom: what account_resolve() makes of the numbers, groups and all. The message names no others. */
static int vet_ids(const struct privileged *p, struct launch *l, struct err *e)
{
        char uid[16], gid[16];
        struct account a = p->own;

        if (l->has_ids && (l->uid != p->own.uid || l->gid != p->own.gid)) {
                snprintf(uid, sizeof(uid), "%u", l->uid);
                snprintf(gid, sizeof(gid), "%u", l->gid);
                if (account_resolve(uid, gid, &a, e) < 0)
                        return -1;
                if (policy_check(&p->policy, &a, e) < 0) {
                        log_warn("policy.refused", "uid=%u gid=%u reason=%s", l->uid, l->gid,
                                 log_quote(e->msg));
                        return -1;
                }
        }
        l->has_ids = true;
        l->uid = a.uid;
        l->gid = a.gid;
        l->groups_n = a.groups_n;
        memcpy(l->groups, a.groups, sizeof(l->groups));
        return 0;
}

/* Before it is relocated: the offsets are what was found to be sound. */
static int vet_executables(const struct privileged *p, const struct launch *l, struct err *e)
{
        const uint64_t *paths = (const void *)((const char *)l + l->paths.offset);

        for (; *paths; paths++) {
                const char *path = (const char *)l + *paths;

                if (!policy_may_execute(&p->policy, path))
                        return err_set(e, ERR_POLICY, 0, "the policy does not list the executable %.100s",
                                       path);
        }
        return 0;
}

/* Folders of the cgroup2 hierarchy belong to the daemon where root has given it a part of it, nowhere else. */
static bool is_own_group(const struct privileged *p, int fd)
{
        struct statfs fs;
        struct stat st;

        return fstatfs(fd, &fs) == 0 && (unsigned long)fs.f_type == CGROUP2_SUPER_MAGIC &&
               fstat(fd, &st) == 0 && st.st_uid == p->own.uid;
}

int privileged_vet(const struct privileged *p, struct launch *l, const struct bootstrap *b, struct err *e)
{
        if (vet_ids(p, l, e) < 0)
                return -1;
        /* Who is root may do what it likes; it is for others that what they run can be named. */
        if (l->uid != p->own.uid && vet_executables(p, l, e) < 0)
                return -1;
        if ((l->out == OUTPUT_LOG) != (b->out_fd > 0) || (l->err == OUTPUT_LOG) != (b->err_fd > 0))
                return err_set(e, ERR_INVALID, 0, "the daemon has to open the logs");
        if (!l->no_new_privs)
                return err_set(e, ERR_POLICY, 0,
                               "with separated privileges nothing gains any, whatever the policy says");
        if (b->cgroup_fd >= 0 && !is_own_group(p, b->cgroup_fd))
                return err_set(e, ERR_POLICY, 0, "the control group is not the daemon's");
        l->log_root.offset = l->out_path.offset = l->err_path.offset = 0;
        l->limits_last = l->limits_last || !p->policy.raise_limits || l->uid == p->own.uid;
        memcpy(l->oom_score_adj, p->oom_score_adj, sizeof(l->oom_score_adj));
        return 0;
}
