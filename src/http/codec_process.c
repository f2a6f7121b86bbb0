/* SPDX-License-Identifier: MIT */
/* Records and errors into JSON, written straight into the buffer: a list is this a thousand times. */
#include "http/codec.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "http/members.h"

/* One line for people, of any end but the commonest. */
static const char *exit_detail(const struct process_exit *x, char *out, size_t size)
{
        switch (x->reason) {
        case EXIT_SIGNALED:
                snprintf(out, size, "killed by %s%s", signal_name(-x->exitcode),
                         x->core_dumped ? ", core dumped" : "");
                return out;
        case EXIT_EXEC_FAILED:
        case EXIT_START_FAILED:
                if (x->detail)
                        return x->detail;
                snprintf(out, size, "%s: %s", x->stage ? x->stage : "start",
                         (x->errnum ? strerrordesc_np(x->errnum) : NULL) ?: "failed");
                return out;
        case EXIT_NONE:
        case EXIT_EXITED:
        case EXIT_LOST:
        case EXIT_REASON_COUNT: break;
        }
        return x->detail ? x->detail : "its end was not observed";
}

static void add_detail(struct strbuf *b, const struct process_exit *x)
{
        char text[128];

        if (x->reason == EXIT_EXITED) {
                add_int_or_null(b, ",\"detail\":\"exited with ", true, x->exitcode);
                strbuf_char(b, '"');
        } else {
                add_string_or_null(b, ",\"detail\":", exit_detail(x, text, sizeof(text)));
        }
}

static void add_exit(struct strbuf *b, const struct process *p)
{
        const struct process_exit *x = &p->exit;

        if (x->reason == EXIT_NONE) {
                strbuf_str(b, ",\"exit\":null");
                return;
        }
        add_string_or_null(b, ",\"exit\":{\"reason\":", exit_reason_name(x->reason));
        add_int_or_null(b, ",\"code\":", x->reason == EXIT_EXITED, x->exitcode);
        add_string_or_null(b, ",\"signal\":", x->reason == EXIT_SIGNALED ? signal_name(-x->exitcode) : NULL);
        add_bool(b, ",\"core_dumped\":", x->core_dumped);
        add_bool(b, ",\"oom\":", x->oom);
        add_string_or_null(b, ",\"errno\":", x->errnum ? err_errno_name(x->errnum) : NULL);
        add_string_or_null(b, ",\"stage\":", x->stage);
        add_string_or_null(b, ",\"requested_by\":", p->requested_by);
        add_detail(b, x);
        strbuf_char(b, '}');
}

static void add_seconds(struct strbuf *b, const char *key, int64_t us)
{
        char fraction[] = ".000000";

        add_int_or_null(b, key, true, us / CLOCK_US_PER_S);
        us %= CLOCK_US_PER_S;
        for (size_t i = 6; us; us /= 10)
                fraction[i--] += (char)(us % 10);
        strbuf_str(b, fraction);
}

static void add_rusage(struct strbuf *b, const struct process *p)
{
        const struct usage *u = &p->usage;

        if (!p->has_usage) {
                strbuf_str(b, ",\"rusage\":null");
                return;
        }
        add_seconds(b, ",\"rusage\":{\"user_s\":", u->user_us);
        add_seconds(b, ",\"system_s\":", u->system_us);
        add_int_or_null(b, ",\"maxrss_bytes\":", true, u->maxrss_bytes);
        add_int_or_null(b, ",\"minflt\":", true, u->minflt);
        add_int_or_null(b, ",\"majflt\":", true, u->majflt);
        add_int_or_null(b, ",\"inblock\":", true, u->inblock);
        add_int_or_null(b, ",\"oublock\":", true, u->oublock);
        add_int_or_null(b, ",\"nvcsw\":", true, u->nvcsw);
        add_int_or_null(b, ",\"nivcsw\":", true, u->nivcsw);
        strbuf_char(b, '}');
}

void codec_process(struct strbuf *b, const struct process *p, const int64_t bytes[STREAM_COUNT])
{
        bool has_code = p->exit.reason == EXIT_EXITED || p->exit.reason == EXIT_SIGNALED;

        add_int_or_null(b, "{\"id\":", true, p->id);
        add_string_or_null(b, ",\"name\":", p->name);
        add_string_or_null(b, ",\"identity\":", p->identity);
        add_int_or_null(b, ",\"parent\":", p->parent, p->parent);
        add_string_or_null(b, ",\"state\":", process_state_name(p->state));
        add_bool(b, ",\"daemon\":", p->daemon);
        add_string_or_null(b, ",\"start_method\":", start_method_name(p->start_method));
        add_int_or_null(b, ",\"pid\":", p->pid, p->pid);
        add_int_or_null(b, ",\"exitcode\":", has_code, p->exit.exitcode);
        add_exit(b, p);
        strbuf_str(b, ",\"argv\":");
        strbuf_str(b, p->argv_json ? p->argv_json : "[]");
        add_string_or_null(b, ",\"target\":", p->target);
        add_string_or_null(b, ",\"cwd\":", p->cwd);
        strbuf_str(b, ",\"env\":");
        strbuf_str(b, p->env_json ? p->env_json : "[]");
        strbuf_str(b, ",\"labels\":");
        strbuf_str(b, p->labels_json ? p->labels_json : "{}");
        add_time(b, ",\"created_at\":", p->created_us);
        add_time(b, ",\"started_at\":", p->started_us);
        add_time(b, ",\"stopped_at\":", p->stopped_us);
        add_time(b, ",\"joined_at\":", p->joined_us);
        add_rusage(b, p);
        add_int_or_null(b, ",\"stdout_bytes\":", true, bytes[STREAM_STDOUT]);
        add_int_or_null(b, ",\"stderr_bytes\":", true, bytes[STREAM_STDERR]);
        strbuf_char(b, '}');
}

void codec_event(struct strbuf *b, const struct event *ev)
{
        add_int_or_null(b, "{\"id\":", true, ev->id);
        add_time(b, ",\"at\":", ev->at_us);
        add_int_or_null(b, ",\"process\":", true, ev->process);
        add_int_or_null(b, ",\"parent\":", ev->parent, ev->parent);
        add_string_or_null(b, ",\"type\":", ev->type);
        add_string_or_null(b, ",\"name\":", ev->name);
        add_int_or_null(b, ",\"exitcode\":", ev->has_exitcode, ev->exitcode);
        add_string_or_null(b, ",\"reason\":", ev->reason);
        strbuf_char(b, '}');
}

/* A message may have been cut off within a character, or quote what is none. */
static void add_message(struct strbuf *b, const char *key, const char *s)
{
        char clean[sizeof(struct err)];
        size_t n = 0;

        strbuf_str(b, key);
        if (utf8_is_valid(s, strlen(s))) {
                strbuf_json_str(b, s);
                return;
        }
        for (; *s && n + 1 < sizeof(clean); s++)
                clean[n++] = (unsigned char)*s < 0x80 ? *s : '?';
        strbuf_json_bytes(b, clean, n);
}

void codec_problem(struct strbuf *b, const struct err *e, const char *process)
{
        const struct err_info *info = err_info(e->kind);
        char detail[sizeof(e->pointer) + sizeof(e->msg) + 2];

        snprintf(detail, sizeof(detail), "%s%s%s", e->pointer, *e->pointer ? ": " : "", e->msg);
        strbuf_printf(b, "{\"type\":\"urn:creche:problem:%s\"", info->code);
        add_string_or_null(b, ",\"title\":", info->title);
        strbuf_printf(b, ",\"status\":%d", info->status);
        add_message(b, ",\"detail\":", detail);
        add_string_or_null(b, ",\"code\":", info->code);
        add_string_or_null(b, ",\"hint\":", info->hint);
        if (e->has_pointer) {
                add_message(b, ",\"errors\":[{\"pointer\":", e->pointer);
                add_message(b, ",\"detail\":", e->msg);
                strbuf_str(b, "}]");
        }
        if (process) {
                strbuf_str(b, ",\"process\":");
                strbuf_str(b, process);
        }
        strbuf_char(b, '}');
}
