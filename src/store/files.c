/* SPDX-License-Identifier: MIT */
#include "store/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/beneath.h"
#include "store/ballast.h"

/* SQLite refuses to follow a link in any part of a path, those above the folder included, which are nobody's
 * business. So it gets the path of the folder that is open, as it is without links. */
static int find_folder(const struct files *f, const char *path, char out[PATH_MAX], struct err *e)
{
        const char *slash = strrchr(path, '/');
        struct stat named, opened;

        if (snprintf(out, PATH_MAX, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".") >=
            PATH_MAX)
                return err_set(e, ERR_INVALID, 0, "the path of the database is too long");
        if (stat(out, &named) < 0 || fstat(f->dir, &opened) < 0)
                return err_set(e, ERR_UNAVAILABLE, errno, "%s", out);
        if (named.st_dev != opened.st_dev || named.st_ino != opened.st_ino)
                return err_set(e, ERR_INVALID, 0, "%s has become another folder", out);
        return 0;
}

static int check_names(const struct files *f, struct err *e)
{
        const char *const all[] = {f->names[FILE_DATABASE], f->names[FILE_LOG], f->names[FILE_INDEX],
                                   BALLAST_NAME};
        struct stat st;

        for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
                if (beneath_check(f->dir, all[i], &st) < 0 && errno != ENOENT) {
                        beneath_fail(e, "looking at", all[i]);
                        return e->kind == ERR_INVALID ? -1 : err_set(e, ERR_UNAVAILABLE, errno, "%s", all[i]);
                }
        return 0;
}

int files_name(struct files *f, int dir, const char *path, struct err *e)
{
        static const char *const suffixes[FILE_COUNT] = {"", "-wal", "-shm"};
        const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
        char named[PATH_MAX], folder[PATH_MAX];

        *f = (struct files){.dir = dir};
        if (find_folder(f, path, named, e) < 0)
                return -1;
        if (!realpath(named, folder))
                return err_set(e, ERR_UNAVAILABLE, errno, "%s", named);
        for (int i = 0; i < FILE_COUNT; i++) {
                if (snprintf(f->paths[i], PATH_MAX, "%s/%s%s", folder, name, suffixes[i]) >= PATH_MAX)
                        return err_set(e, ERR_INVALID, 0, "the path of the database is too long");
                f->names[i] = strrchr(f->paths[i], '/') + 1;
        }
        if (snprintf(f->backup, PATH_MAX, "%s.backup", f->paths[FILE_DATABASE]) >= PATH_MAX)
                return err_set(e, ERR_INVALID, 0, "the path of the database is too long");
        return check_names(f, e);
}

int files_remember(struct files *f, struct err *e)
{
        struct stat st;

        for (int i = 0; i < FILE_COUNT; i++) {
                if (beneath_check(f->dir, f->names[i], &st) < 0)
                        return err_set(e, ERR_UNAVAILABLE, errno, "%s", f->names[i]);
                f->ids[i].dev = st.st_dev;
                f->ids[i].ino = st.st_ino;
        }
        return files_check(f, e);
}

/* By path, as SQLite opens them: the folder may have been replaced as well. */
int files_check(const struct files *f, struct err *e)
{
        struct stat st;

        for (int i = 0; i < FILE_COUNT; i++) {
                if (lstat(f->paths[i], &st) < 0)
                        return err_set(e, ERR_UNAVAILABLE, errno, "%s is not there any more", f->paths[i]);
                if (st.st_dev != f->ids[i].dev || st.st_ino != f->ids[i].ino)
                        return err_set(e, ERR_UNAVAILABLE, 0, "%s was replaced by another file", f->paths[i]);
        }
        return 0;
}
