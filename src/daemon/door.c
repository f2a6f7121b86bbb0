/* SPDX-License-Identifier: MIT */
#include "daemon/door.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"

struct name {
        char text[PATH_MAX + 8];
};

static struct name second(const char *path)
{
        struct name n;

        snprintf(n.text, sizeof(n.text), "%s.keep", path);
        return n;
}

void door_keep(const char *path)
{
        struct name keep = second(path);
        struct stat st;

        if (lstat(keep.text, &st) == 0 && S_ISSOCK(st.st_mode)) /* of one that was killed */
                unlink(keep.text);
        if (link(path, keep.text) < 0)
                log_warn("socket.no_second_name", "path=%s errno=%s", log_quote(keep.text),
                         err_errno_name(errno));
}

static void mend(const char *path)
{
        struct name keep = second(path);
        struct stat st;

        if (lstat(path, &st) == 0 || errno != ENOENT)
                return;
        if (link(keep.text, path) == 0)
                log_warn("socket.made_anew", "path=%s", log_quote(path));
        else
                log_error("socket.lost", "path=%s errno=%s", log_quote(path), err_errno_name(errno));
}

int door_watch(const char *path)
{
        int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        char dir[PATH_MAX];
        char *slash;

        snprintf(dir, sizeof(dir), "%s", path);
        slash = strrchr(dir, '/');
        slash[slash == dir] = '\0';
        if (fd < 0 || inotify_add_watch(fd, dir, IN_DELETE | IN_MOVED_FROM | IN_ONLYDIR) < 0)
                log_warn("socket.not_watched", "path=%s errno=%s", log_quote(path), err_errno_name(errno));
        mend(path);
        return fd;
}

void door_mend(int watch, const char *path)
{
        char events[4096];

        while (read(watch, events, sizeof(events)) > 0)
                ;
        mend(path);
}

void door_remove(const char *path)
{
        struct name keep = second(path);

        unlink(path);
        unlink(keep.text);
}
