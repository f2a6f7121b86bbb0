/* SPDX-License-Identifier: MIT */
/* A VFS around SQLite's own, which is the default from before main() on: its write-ahead log is written and
 * synced through the seam. */
#include "seam_vfs.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>

/* The real file lies behind it in memory. */
struct file {
        sqlite3_file base;
        bool is_wal;
        sqlite3_file real[];
};

static sqlite3_file *real_of(sqlite3_file *f)
{
        return ((struct file *)f)->real;
}

#define FORWARD(method, parameters, arguments)                                                               \
        static int method parameters                                                                         \
        {                                                                                                    \
                return real_of(f)->pMethods->x##method arguments;                                            \
        }

FORWARD(Close, (sqlite3_file * f), (real_of(f)))
FORWARD(Read, (sqlite3_file * f, void *buf, int n, sqlite3_int64 at), (real_of(f), buf, n, at))
FORWARD(Truncate, (sqlite3_file * f, sqlite3_int64 size), (real_of(f), size))
FORWARD(FileSize, (sqlite3_file * f, sqlite3_int64 *size), (real_of(f), size))
FORWARD(Lock, (sqlite3_file * f, int how), (real_of(f), how))
FORWARD(Unlock, (sqlite3_file * f, int how), (real_of(f), how))
FORWARD(CheckReservedLock, (sqlite3_file * f, int *out), (real_of(f), out))
FORWARD(FileControl, (sqlite3_file * f, int op, void *arg), (real_of(f), op, arg))
FORWARD(SectorSize, (sqlite3_file * f), (real_of(f)))
FORWARD(DeviceCharacteristics, (sqlite3_file * f), (real_of(f)))
FORWARD(ShmLock, (sqlite3_file * f, int offset, int n, int flags), (real_of(f), offset, n, flags))
FORWARD(ShmUnmap, (sqlite3_file * f, int delete), (real_of(f), delete))

static void ShmBarrier(sqlite3_file *f)
{
        real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static int Write(sqlite3_file *f, const void *buf, int n, sqlite3_int64 at)
{
        struct seam_call call = {.name = "wal_write", .fd = -1};
        int errnum = ((struct file *)f)->is_wal ? seam_enter(&call) : 0;

        if (errnum)
                return errnum == ENOSPC ? SQLITE_FULL : SQLITE_IOERR_WRITE;
        return real_of(f)->pMethods->xWrite(real_of(f), buf, n, at);
}

static int Sync(sqlite3_file *f, int flags)
{
        struct seam_call call = {.name = "commit", .fd = -1};
        bool is_wal = ((struct file *)f)->is_wal;
        int errnum = is_wal ? seam_enter(&call) : 0, rc;

        if (errnum)
                return errnum == ENOSPC ? SQLITE_FULL : SQLITE_IOERR_FSYNC;
        rc = real_of(f)->pMethods->xSync(real_of(f), flags);
        if (is_wal)
                seam_leave(&call, rc);
        return rc;
}

static int ShmMap(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
        struct seam_call call = {.name = "index_grow", .fd = -1};

        if (extend && page && seam_enter(&call))
                return SQLITE_IOERR_SHMSIZE;
        return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, out);
}

static const sqlite3_io_methods methods = {
        .iVersion = 2,
        .xClose = Close,
        .xRead = Read,
        .xWrite = Write,
        .xTruncate = Truncate,
        .xSync = Sync,
        .xFileSize = FileSize,
        .xLock = Lock,
        .xUnlock = Unlock,
        .xCheckReservedLock = CheckReservedLock,
        .xFileControl = FileControl,
        .xSectorSize = SectorSize,
        .xDeviceCharacteristics = DeviceCharacteristics,
        .xShmMap = ShmMap,
        .xShmLock = ShmLock,
        .xShmBarrier = ShmBarrier,
        .xShmUnmap = ShmUnmap,
};

static sqlite3_vfs *real_vfs, vfs;

static int open_file(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *out_flags)
{
        int rc = real_vfs->xOpen(real_vfs, name, real_of(f), flags, out_flags);

        (void)v;
        ((struct file *)f)->is_wal = flags & SQLITE_OPEN_WAL;
        f->pMethods = real_of(f)->pMethods ? &methods : NULL;
        return rc;
}

__attribute__((constructor)) static void register_vfs(void)
{
        if (sqlite3_initialize() != SQLITE_OK)
                abort();
        real_vfs = sqlite3_vfs_find(NULL);
        vfs = *real_vfs; /* its other methods take no file */
        vfs.zName = "seam";
        vfs.szOsFile = (int)sizeof(struct file) + real_vfs->szOsFile;
        vfs.xOpen = open_file;
        vfs.pNext = NULL;
        if (sqlite3_vfs_register(&vfs, 1) != SQLITE_OK)
                abort();
}
