/* SPDX-License-Identifier: MIT */
/* The standard input of a process: from the socket into its pipe, as fast as it reads. */
#include "http/handle.h"

#include <errno.h>
#include <stdlib.h>

#include "base/fd.h"
#include "base/sys.h"
#include "http/reply.h"
#include "registry/access.h"

/* The pipe stands in r->pipe_fd, where request_park() finds it. */
static void close_pipe(void *state)
{
        struct request *r = state;

        closep(&r->pipe_fd);
}

int open_write_stdin(struct request *r, struct err *e)
{
        bool eof = false;

        if (query_bool(&r->query, "eof", &eof, e) < 0 || request_admit(r, e) < 0 ||
            request_spare_file(r, e) < 0)
                return -1;
        r->pipe_fd = registry_stdin(request_registry(r), &r->caller, r->id, e);
        if (r->pipe_fd < 0)
                return -1;
        request_keep(r, r, close_pipe);
        r->patient = true;
        /* Whoever types may think for a while. */
        MHD_set_connection_option(r->conn, MHD_CONNECTION_OPTION_TIMEOUT, 0U);
        return 0;
}

ptrdiff_t receive_write_stdin(struct request *r, const char *data, size_t n, struct err *e)
{
        size_t done = 0;

        if (registry_recheck(request_registry(r), &r->caller, e) < 0)
                return -1;
        while (done < n) {
                ssize_t w = sys_write(r->pipe_fd, data + done, n - done);

                if (w >= 0)
                        done += (size_t)w;
                else if (errno == EAGAIN)
                        break;
                else if (errno != EINTR)
                        return err_set(e, errno == EPIPE ? ERR_STOPPED : ERR_INTERNAL,
                                       errno == EPIPE ? 0 : errno,
                                       "nobody reads the standard input any more");
        }
        return (ptrdiff_t)done;
}

void handle_write_stdin(struct request *r)
{
        bool eof = false;
        struct err e = {0};

        query_bool(&r->query, "eof", &eof, NULL);
        closep(&r->pipe_fd);
        if (registry_recheck(request_registry(r), &r->caller, &e) < 0)
                reply_problem(r, &e);
        else if (eof && registry_stdin_close(request_registry(r), &r->caller, r->id, &e) < 0)
                reply_problem(r, &e);
        else
                reply_empty(r, MHD_HTTP_NO_CONTENT);
}
