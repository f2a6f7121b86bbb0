/* SPDX-License-Identifier: MIT */
#include "cli/stream.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/output.h"
#include "cli/text.h"

enum { STAMP_WIDTH = 24 };

struct stream_style stream_style(bool follow, int64_t tail, bool raw)
{
        return (struct stream_style){
                .follow = follow,
                .tail = tail,
                .escape = {!raw && isatty(STDOUT_FILENO), !raw && isatty(STDERR_FILENO)}};
}

static int put(struct stream *s, const struct strbuf *b, struct fail *f)
{
        int fd = s->is_stderr ? STDERR_FILENO : STDOUT_FILENO;

        if (!b->len || output_all(fd, b->s, b->len) == 0)
                return 0;
        fail_set(f, ERR_INTERNAL, errno, "writing to %s", s->is_stderr ? "stderr" : "stdout");
        return fail_hint(f, "'creche logs %" PRId64 "' has it all", s->id);
}

static void add_shown(const struct stream *s, const char *bytes, size_t n, struct strbuf *out)
{
        if (s->style.escape[s->is_stderr])
                text_escape(out, bytes, n, true);
        else
                strbuf_add(out, bytes, n);
}

static bool goes_by_lines(const struct stream *s)
{
        return s->style.prefix || s->style.stamped;
}

/* How much of @n bytes can be shown now. */
static size_t ready_bytes(const struct stream *s, const char *bytes, size_t n)
{
        const char *end = goes_by_lines(s) ? memrchr(bytes, '\n', n) : NULL;

        if (goes_by_lines(s))
                return end ? (size_t)(end - bytes) + 1 : 0;
        return s->style.escape[s->is_stderr] ? text_whole(bytes, n) : n;
}

/* "2026-01-02T03:04:05.678Z", of a line that ends at @offset. */
static void add_stamp(const struct stream *s, int64_t offset, struct strbuf *out)
{
        char text[CLOCK_TEXT_MAX];

        if (offset <= s->style.old)
                strbuf_printf(out, "%-*s ", STAMP_WIDTH, "-");
        else
                strbuf_printf(out, "%.*sZ ", STAMP_WIDTH - 1, clock_text(clock_now_us(), text));
}

static void add_lines(const struct stream *s, const char *bytes, size_t n, struct strbuf *out)
{
        int64_t offset = s->offset - (int64_t)s->held.len;

        while (n) {
                const char *end = memchr(bytes, '\n', n);
                size_t len = end ? (size_t)(end - bytes) : n;

                offset += (int64_t)(len + (end != NULL));
                if (s->style.stamped)
                        add_stamp(s, offset, out);
                strbuf_str(out, s->style.prefix ?: "");
                add_shown(s, bytes, len, out);
                strbuf_char(out, '\n');
                bytes += len + (end != NULL);
                n -= len + (end != NULL);
        }
}

static int show(struct stream *s, const char *bytes, size_t n, struct fail *f)
{
        struct strbuf out = {0};
        int rc;

        if (goes_by_lines(s))
                add_lines(s, bytes, n, &out);
        else
                add_shown(s, bytes, n, &out);
        rc = strbuf_failed(&out) ? fail_set(f, ERR_INTERNAL, ENOMEM, "showing output") : put(s, &out, f);
        strbuf_done(&out);
        return rc;
}

static int take(struct exchange *x, const char *bytes, size_t n)
{
        struct stream *s = x->arg;
        size_t ready;
        int rc;

        if (x->log_offset >= 0)
                s->offset = x->log_offset;
        x->log_offset = -1;
        s->offset += (int64_t)n;
        strbuf_add(&s->held, bytes, n);
        ready = ready_bytes(s, strbuf_text(&s->held), s->held.len);
        rc = show(s, strbuf_text(&s->held), ready, &x->fail);
        if (ready && s->held.len > ready)
                memmove(s->held.s, s->held.s + ready, s->held.len - ready);
        s->held.len -= ready;
        return rc;
}

static void set_target(struct stream *s)
{
        struct strbuf *t = &s->x.target;

        strbuf_reset(t);
        strbuf_printf(t, "/v1/processes/%" PRId64 "/logs?stream=%s", s->id,
                      s->is_stderr ? "stderr" : "stdout");
        if (s->offset >= 0)
                strbuf_printf(t, "&offset=%" PRId64, s->offset);
        else if (s->style.tail >= 0)
                strbuf_printf(t, "&tail=%" PRId64, s->style.tail);
        if (s->style.follow)
                strbuf_str(t, "&follow=1");
}

static void resume(struct exchange *x)
{
        struct stream *s = x->arg;

        if (x->log_offset >= 0)
                s->offset = x->log_offset;
        set_target(s);
}

void stream_begin(struct stream *s, struct client *c, int64_t id, bool is_stderr,
                  const struct stream_style *style)
{
        *s = (struct stream){.style = *style, .id = id, .offset = -1, .is_stderr = is_stderr};
        exchange_init(&s->x, "GET", "%s", "");
        s->x.repeatable = true;
        s->x.patient = style->follow;
        s->x.take = take;
        s->x.resume = resume;
        s->x.arg = s;
        set_target(s);
        client_send(c, &s->x);
}

int stream_finish(struct stream *s, struct fail *f)
{
        if (s->x.failed && s->x.fail.err.kind != ERR_NO_LOG) {
                *f = s->x.fail;
                return -1;
        }
        return s->held.len ? show(s, strbuf_text(&s->held), s->held.len, f) : 0;
}

void stream_done(struct stream *s)
{
        exchange_done(&s->x);
        strbuf_done(&s->held);
}
