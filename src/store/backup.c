/* SPDX-License-Identifier: MIT */
/* A snapshot of the database: see store.h. Through a reading connection: the writer goes on, and nobody else ever
 * checkpoints. The log cannot begin anew for as long as it takes. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "store/backup.h"
#include "store/pool.h"

enum { LOOK_EVERY = 1000 /* steps of SQLite's machine */ };

/* What has to be left over for those who write. */
#define SPARE_BYTES (INT64_C(32) << 20)

void backup_forget(const struct files *f)
{
        static const char journal[] = "-journal";
        char path[PATH_MAX + sizeof(journal)];

        snprintf(path, sizeof(path), "%s%s", f->backup, journal);
        unlink(f->backup);
        unlink(path);
}

static int64_t size_of(const char *path)
{
        struct stat st;

        return stat(path, &st) == 0 ? st.st_size : 0;
}

/* What is written is not larger than what is read. */
static int check_room(const struct files *f, struct err *e)
{
        int64_t needed = size_of(f->paths[FILE_DATABASE]) + size_of(f->paths[FILE_LOG]) + SPARE_BYTES;
        struct statvfs fs;

        if (statvfs(f->paths[FILE_DATABASE], &fs) < 0)
                return err_set(e, ERR_UNAVAILABLE, errno, "looking for room");
        if ((int64_t)fs.f_bavail * (int64_t)fs.f_frsize < needed)
                return err_set(e, ERR_FULL, 0, "a backup needs %lld MiB of room in the state directory",
                               (long long)(needed >> 20));
        return 0;
}

struct watch {
        struct store *store;
        const atomic_bool *stop;
};

/* It gives way: to the end of the server, and to those who must write on a disk that became full. */
static int is_in_the_way(void *arg)
{
        const struct watch *w = arg;

        return atomic_load(w->stop) || store_troubles(w->store) & STORE_FULL;
}

static int write_snapshot(struct db *db, const struct files *f, const struct watch *w, struct err *e)
{
        sqlite3_stmt *q = db_stmt(db, SQL_BACKUP);
        int rc;

        /* The connection is for reading all the same; this is about the file that it writes, and that needs to
         * survive nothing. */
        if (db_pragma(db, "PRAGMA query_only = OFF", e) < 0 ||
            db_pragma(db, "PRAGMA synchronous = OFF", e) < 0)
                return -1;
        sqlite3_progress_handler(db->sqlite, LOOK_EVERY, is_in_the_way, (void *)(uintptr_t)w);
        db_bind_text(q, ":path", f->backup);
        rc = db_run(db, q, e) < 0 ? -1 : 0;
        if (rc < 0 && atomic_load(w->stop))
                return err_set(e, ERR_STOPPING, 0, "the server stops");
        if (rc < 0 && store_troubles(w->store) & STORE_FULL)
                return err_set(e, ERR_FULL, 0, "the disk became full during the backup");
        return rc;
}

/* The file has no name any more when it is handed out, so nothing is left of it, whoever dies then. */
static int take_snapshot(struct store *s, const struct files *f, const atomic_bool *stop, struct err *e)
{
        const struct watch w = {s, stop};
        struct db *db = pool_take(s, e);
        int fd = -1;

        if (!db)
                return -1;
        if (write_snapshot(db, f, &w, e) == 0) {
                fd = open(f->backup, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
                if (fd < 0)
                        err_set(e, ERR_UNAVAILABLE, errno, "opening the backup");
        }
        backup_forget(f);
        db_close(db);
        free(db);
        return fd;
}

int backup_take(struct store *s, const struct files *f, const atomic_bool *stop, struct err *e)
{
        backup_forget(f);
        if (check_room(f, e) < 0)
                return -1;
        return take_snapshot(s, f, stop, e);
}
