/* SPDX-License-Identifier: MIT */
/* Backups: a thread for each, and one at a time. */
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "registry/internal.h"

static void *backup_main(void *arg)
{
        struct backup *b = arg;
        struct registry *r = b->registry;
        int64_t began_us = clock_mono_us();
        struct ticket *t = b->ticket;
        struct err e = {0};

        pthread_setname_np(pthread_self(), "creche-backup");
        *b->fd = store_backup(r->store, &b->stop, &e);
        if (*b->fd < 0)
                log_warn("backup.failed", "error=%s", log_quote(e.msg));
        else
                log_info("backup.taken", "ms=%lld", (long long)((clock_mono_us() - began_us) / 1000));
        t->err = e;
        t->done(t);
        return NULL;
}

/* Under the lock. The thread of the one before has nothing left to do. */
static int begin(struct registry *r, int *fd, struct ticket *t)
{
        struct backup *b = &r->backup;
        int rc;

        if (r->shut)
                return err_set(&t->err, ERR_STOPPING, 0, "the server stops");
        if (b->taken)
                return err_set(&t->err, ERR_TOO_MANY, 0, "a backup is being taken or fetched already");
        if (b->runs)
                pthread_join(b->thread, NULL);
        *b = (struct backup){.registry = r, .fd = fd, .ticket = t};
        rc = pthread_create(&b->thread, NULL, backup_main, b);
        if (rc)
                return err_set(&t->err, ERR_TRY_AGAIN, rc, "starting the thread of the backup");
        b->runs = b->taken = true;
        return 1;
}

int registry_backup(struct registry *r, int *fd, struct ticket *t)
{
        int rc;

        pthread_mutex_lock(&r->lock);
        rc = begin(r, fd, t);
        pthread_mutex_unlock(&r->lock);
        return rc;
}

void registry_backup_fetched(struct registry *r)
{
        pthread_mutex_lock(&r->lock);
        r->backup.taken = false;
        pthread_mutex_unlock(&r->lock);
}

void backup_end(struct registry *r)
{
        atomic_store(&r->backup.stop, true);
        if (r->backup.runs)
                pthread_join(r->backup.thread, NULL);
        r->backup.runs = false;
}
