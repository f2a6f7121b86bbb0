/* SPDX-License-Identifier: MIT */
/* store/files.h
 * The files of a database, by name and by identity. SQLite goes on in a file that was removed, and whoever
 * opens the name again finds another one: what was acknowledged after that would be nowhere. So the writer
 * looks before each transaction, which costs microseconds beside an fsync.
 *
 * Threads: any, once files_remember() has returned.
 */
#ifndef CRECHE_STORE_FILES_H
#define CRECHE_STORE_FILES_H

#include <limits.h>
#include <sys/types.h>

#include "base/err.h"

enum store_file { FILE_DATABASE, FILE_LOG, FILE_INDEX, FILE_COUNT };

struct files {
        char paths[FILE_COUNT][PATH_MAX]; /* for SQLite, which knows of paths only: without any link */
        const char *names[FILE_COUNT];    /* the same in dir */
        int dir;                          /* borrowed */
        char backup[PATH_MAX];            /* while one is being taken */
        struct {
                dev_t dev;
                ino_t ino;
        } ids[FILE_COUNT];
};

/** The names that belong to the database at @path, whose folder is open as @dir. ERR_INVALID: it is too long, its
 * folder is another one, or something stands there that is not a file of ours. */
int files_name(struct files *f, int dir, const char *path, struct err *e);

/** From now on they are to be these. They are open. ERR_UNAVAILABLE: one is not there. */
int files_remember(struct files *f, struct err *e);

/** Whether the names still stand for what was remembered. ERR_UNAVAILABLE: one was removed or replaced. */
int files_check(const struct files *f, struct err *e);

#endif
