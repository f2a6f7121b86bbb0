/* SPDX-License-Identifier: MIT */
#include "start/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "start/cgroup.h"

#define RECORD "cgroup"
#define PROBE  "probe"

bool place_works(int dir)
{
        CLEANUP(closep) int fd = -1;
        bool works;

        if (mkdirat(dir, PROBE, 0755) < 0 && errno != EEXIST)
                return false;
        fd = openat(dir, PROBE, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        works = fd >= 0 && cgroup_takes_clones(fd);
        cgroup_remove(dir, PROBE);
        return works;
}

/* What the kernel's text on delegation says that the new owner has: the directory, and these files. */
static int give(int dir, const struct account *a)
{
        static const char *const files[] = {"cgroup.procs", "cgroup.threads", "cgroup.subtree_control"};

        for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
                if (fchownat(dir, files[i], a->uid, a->gid, AT_SYMLINK_NOFOLLOW) < 0)
                        return -1;
        return fchown(dir, a->uid, a->gid);
}

/* Of a directory that is not ours alone. */
static void share_memory_of(const char *base)
{
        CLEANUP(closep) int fd = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd >= 0)
                cgroup_share_memory(fd);
}

int place_delegate(const struct account *a, char *out, size_t size)
{
        CLEANUP(closep) int fd = -1;
        char base[PATH_MAX - 64];
        int rc = cgroup_base(base, sizeof(base));

        if (rc < 0 || (size_t)snprintf(out, size, "%s/creche-of-%u", base, a->uid) >= size)
                return -1;
        if (rc > 0)
                share_memory_of(base);
        if ((mkdir(out, 0755) < 0 && errno != EEXIST) || chmod(out, 0755) < 0)
                return -1;
        fd = open(out, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || !place_works(fd))
                return -1;
        cgroup_share_memory(fd);
        return give(fd, a);
}

/* Where the last daemon had them, if anybody is still there; else @out is left alone. One that is locked is that
 * of a server whose database has been copied. */
static void stay_where_survivors_are(int state_dir, char out[PATH_MAX])
{
        char old[PATH_MAX];
        CLEANUP(closep) int fd = -1;

        if (beneath_read(state_dir, RECORD, old, sizeof(old)) <= 0 || *old != '/')
                return;
        old[strcspn(old, "\n")] = '\0';
        fd = strcmp(old, out) != 0 ? open(old, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && cgroup_remove(AT_FDCWD, old) < 0)
                snprintf(out, PATH_MAX, "%s", old);
}

/* Before the directory is made: no crash leaves one of which nobody knows. */
static int remember(int state_dir, const char *path)
{
        char old[PATH_MAX];
        struct err e = {0};

        if (beneath_read(state_dir, RECORD, old, sizeof(old)) > 0 && !strcmp(old, path))
                return 0;
        return fd_write_file(state_dir, RECORD, 0600, path, strlen(path), &e);
}

const char *place_find(int state_dir, const char *instance, const char *delegated, char out[PATH_MAX])
{
        char base[PATH_MAX - 64];
        int rc;

        rc = delegated ? 0 : cgroup_base(base, sizeof(base));
        if (rc < 0)
                return "there is no cgroup2 hierarchy";
        if (delegated)
                snprintf(base, sizeof(base), "%s", delegated);
        if (access(base, W_OK) < 0)
                return "the cgroup2 hierarchy may not be written to";
        snprintf(out, PATH_MAX, "%s/creche-%.40s", base, instance);
        stay_where_survivors_are(state_dir, out);
        if (remember(state_dir, out) < 0)
                return "where it is cannot be written down";
        if (rc > 0)
                share_memory_of(base);
        return NULL;
}
