/* SPDX-License-Identifier: MIT */
#include "store/files.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int files_name(struct files *f, const char *path, struct err *e)
{
        static const char *const suffixes[FILE_COUNT] = {"", "-wal", "-shm"};
        const char *slash = strrchr(path, '/');
        int folder = slash ? (int)(slash - path) + 1 : 0;

        *f = (struct files){0};
        for (int i = 0; i < FILE_COUNT; i++)
                if (snprintf(f->paths[i], PATH_MAX, "%s%s", path, suffixes[i]) >= PATH_MAX)
                        return err_set(e, ERR_INVALID, 0, "the path of the database is too long");
        if (snprintf(f->ballast, PATH_MAX, "%.*sballast", folder, path) >= PATH_MAX ||
            snprintf(f->backup, PATH_MAX, "%s.backup", path) >= PATH_MAX)
                return err_set(e, ERR_INVALID, 0, "the path of the database is too long");
        return 0;
}

int files_remember(struct files *f, struct err *e)
{
        struct stat st;

        for (int i = 0; i < FILE_COUNT; i++) {
                if (stat(f->paths[i], &st) < 0)
                        return err_set(e, ERR_UNAVAILABLE, errno, "%s", f->paths[i]);
                f->ids[i].dev = st.st_dev;
                f->ids[i].ino = st.st_ino;
        }
        return 0;
}

int files_check(const struct files *f, struct err *e)
{
        struct stat st;

        for (int i = 0; i < FILE_COUNT; i++) {
                if (stat(f->paths[i], &st) < 0)
                        return err_set(e, ERR_UNAVAILABLE, errno, "%s is not there any more", f->paths[i]);
                if (st.st_dev != f->ids[i].dev || st.st_ino != f->ids[i].ino)
                        return err_set(e, ERR_UNAVAILABLE, 0, "%s was replaced by another file", f->paths[i]);
        }
        return 0;
}
