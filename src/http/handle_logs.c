/* SPDX-License-Identifier: MIT */
/* What a process wrote: straight from the file to the socket, a block at a time. */
#include "http/handle.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "http/reply.h"
#include "registry/access.h"

/* A log that is being read. */
struct log_read {
        struct request *request;
        struct logs *logs;
        int fd;
        enum stream stream;
        int64_t base;       /* offset of the file's beginning */
        int64_t at, end;    /* positions in the file; end: INT64_MAX while it may grow */
        int64_t limit;      /* bytes; 0: none */
        int64_t tail;       /* lines; -1: by offset */
        bool follow, ended; /* ended: nothing will be written any more */
        struct follower follower;
        bool following;
};

static void log_free(void *state)
{
        struct log_read *l = state;

        if (l->following)
                logs_unfollow(l->logs, &l->follower);
        closep(&l->fd);
        free(l);
}

static struct log_read *log_new(struct request *r)
{
        struct log_read *l = calloc(1, sizeof(*l));

        if (!l)
                return NULL;
        *l = (struct log_read){.request = r, .logs = r->http->config.logs, .fd = -1, .tail = -1};
        request_keep(r, l, log_free);
        return l;
}

static int read_query(const struct query *q, struct log_read *l, struct err *e)
{
        const char *stream = query_get(q, "stream");

        if (stream && strcmp(stream, "stdout") != 0 && strcmp(stream, "stderr") != 0)
                return err_set(e, ERR_INVALID_QUERY, 0, "'stream' must be stdout or stderr");
        if (query_get(q, "tail") && query_get(q, "offset"))
                return err_set(e, ERR_INVALID_QUERY, 0, "'tail' and 'offset' exclude each other");
        l->stream = stream && !strcmp(stream, "stderr") ? STREAM_STDERR : STREAM_STDOUT;
        if (query_int(q, "offset", 0, INT64_MAX, &l->at, e) < 0 ||
            query_int(q, "limit", 1, READ_LOGS_LIMIT_MAX, &l->limit, e) < 0 ||
            query_int(q, "tail", 0, READ_LOGS_TAIL_MAX, &l->tail, e) < 0 ||
            query_bool(q, "follow", &l->follow, e) < 0)
                return -1;
        return 0;
}

/* Find the offsets to read from and to. */
static int find_range(struct log_read *l, struct err *e)
{
        struct stat st;

        l->base = logs_base(l->fd);
        l->at = l->at > l->base ? l->at - l->base : 0;
        if (l->tail >= 0)
                l->at = logs_tail(l->fd, l->tail, e);
        if (l->at < 0)
                return -1;
        l->at = logs_first(l->fd, l->at);
        if (fstat(l->fd, &st) < 0)
                return err_set(e, ERR_INTERNAL, errno, "log");
        l->end = l->follow ? INT64_MAX : st.st_size > l->at ? st.st_size : l->at;
        if (l->limit && l->limit < l->end - l->at)
                l->end = l->at + l->limit;
        return 0;
}

/* Nothing to read: end, or wait for more. */
static ssize_t read_nothing(struct log_read *l)
{
        struct request *r = l->request;

        if (l->ended)
                return MHD_CONTENT_READER_END_OF_STREAM;
        /* A file that became shorter, a client that left, a server that stops: not the end of the log, and
         * the client can tell. */
        if (!l->follow || request_take(r, REQUEST_LEFT | REQUEST_STOP) || !request_park(r))
                return MHD_CONTENT_READER_END_WITH_ERROR;
        return 0;
}

/* The child has begun its log anew: follow it there. */
static bool was_truncated(struct log_read *l)
{
        int64_t base = logs_base(l->fd);

        if (base == l->base)
                return false;
        l->base = base;
        l->at = 0;
        return true;
}

static ssize_t read_log(void *cls, uint64_t pos, char *buf, size_t max)
{
        struct log_read *l = cls;
        struct request *r = l->request;
        ssize_t n;

        (void)pos;
        if (l->at == l->end)
                return MHD_CONTENT_READER_END_OF_STREAM;
        if (registry_recheck(request_registry(r), &r->caller, NULL) < 0)
                return MHD_CONTENT_READER_END_WITH_ERROR;
        if ((int64_t)max > l->end - l->at)
                max = (size_t)(l->end - l->at);
        /* First what says that there is more, then the reading, so that nothing falls between. */
        request_take(r, REQUEST_MORE);
        if (request_take(r, REQUEST_DONE) && r->ticket.err.kind == ERR_NONE)
                l->ended = true;
        n = pread(l->fd, buf, max, l->at);
        if (n == 0 && l->follow && was_truncated(l))
                n = pread(l->fd, buf, max, l->at);
        if (n == 0)
                return read_nothing(l);
        /* Bytes that were punched away before they were read are read as zeros: do not invent output. */
        if (n < 0 || logs_first(l->fd, l->at) != l->at)
                return MHD_CONTENT_READER_END_WITH_ERROR;
        l->at += n;
        return n;
}

static void wake(struct follower *f)
{
        request_wake(container_of(f, struct log_read, follower)->request, REQUEST_MORE);
}

/* Be told of output and of the end. */
static int follow(struct request *r, struct log_read *l)
{
        int rc = request_admit(r, &r->ticket.err);

        if (rc < 0)
                return -1;
        rc = registry_wait(request_registry(r), &r->caller, r->id, -1, request_ticket(r));
        if (request_started(r, rc, PATIENT) < 0)
                return -1;
        r->patient = true;
        l->ended = rc == 0;
        l->follower = (struct follower){.wake = wake, .id = r->id};
        logs_follow(l->logs, &l->follower);
        l->following = true;
        return 0;
}

static void ignore(const struct process *p, void *arg)
{
        (void)p;
        (void)arg;
}

static int open_log(struct request *r, struct log_read *l, struct err *e)
{
        if (read_query(&r->query, l, e) < 0 ||
            registry_show(request_registry(r), &r->caller, r->id, ignore, NULL, e) < 0 ||
            request_spare_file(r, e) < 0)
                return -1;
        l->fd = logs_open(l->logs, r->id, l->stream, e);
        return l->fd < 0 ? -1 : find_range(l, e);
}

void handle_read_logs(struct request *r)
{
        struct log_read *l = log_new(r);
        char offset[24];
        struct err e = {0};

        if (!l) {
                reply_refuse(r, ERR_INTERNAL, "out of memory");
                return;
        }
        if (open_log(r, l, &e) < 0) {
                reply_problem(r, &e);
                return;
        }
        if (l->follow && follow(r, l) < 0) {
                reply_problem(r, &r->ticket.err);
                return;
        }
        snprintf(offset, sizeof(offset), "%" PRId64, logs_offset(l->base, l->at));
        reply_stream(r, "text/plain; charset=utf-8",
                     l->follow ? MHD_SIZE_UNKNOWN : (uint64_t)(l->end - l->at), read_log, l);
        reply_header(r, "Creche-Log-Offset", offset);
}
