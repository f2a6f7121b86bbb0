/* SPDX-License-Identifier: MIT */
/* A snapshot of the database, taken by a thread of its own and sent from a file without a name. */
#include "http/handle.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/cleanup.h"
#include "http/reply.h"

struct backup_request {
        struct registry *registry;
        int fd;
        bool begun; /* nobody else may take one until this is freed: its file takes room until then */
};

static void backup_free(void *state)
{
        struct backup_request *b = state;

        closep(&b->fd);
        if (b->begun)
                registry_backup_fetched(b->registry);
        free(b);
}

static void send_backup(struct request *r)
{
        struct backup_request *b = r->state;
        struct stat st;

        if (fstat(b->fd, &st) < 0) {
                reply_refuse(r, ERR_INTERNAL, "the backup cannot be read");
                return;
        }
        reply_file(r, "application/vnd.sqlite3", TAKE_FD(b->fd), (uint64_t)st.st_size);
        reply_header(r, "Content-Disposition", "attachment; filename=\"registry.db\"");
}

void handle_backup(struct request *r)
{
        struct backup_request *b = calloc(1, sizeof(*b));
        int rc;

        if (!b) {
                reply_refuse(r, ERR_INTERNAL, "out of memory");
                return;
        }
        *b = (struct backup_request){.registry = request_registry(r), .fd = -1};
        request_keep(r, b, backup_free);
        rc = registry_backup(b->registry, &b->fd, request_ticket(r));
        b->begun = rc > 0;
        request_await(r, rc, PATIENT, send_backup);
}
