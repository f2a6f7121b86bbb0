/* SPDX-License-Identifier: MIT */
/* /healthz /readyz /v1/info */
#include "http/handle.h"

#include <unistd.h>

#include "base/clock.h"
#include "http/reply.h"

static void reply_status(struct request *r, const char *status)
{
        struct strbuf b = {0};

        strbuf_printf(&b, "{\"status\":\"%s\"}", status);
        reply_json(r, MHD_HTTP_OK, &b);
}

void handle_healthz(struct request *r)
{
        reply_status(r, "ok");
}

/* Who stops is not asked: the head of his request has been refused. */
void handle_readyz(struct request *r)
{
        reply_status(r, "ready");
}

static void add_string(struct strbuf *b, const char *key, const char *s)
{
        strbuf_printf(b, ",\"%s\":", key);
        if (s)
                strbuf_json_str(b, s);
        else
                strbuf_str(b, "null");
}

static void add_start_methods(struct strbuf *b)
{
        strbuf_str(b, ",\"start_methods\":[");
        for (int m = 0; m < START_METHOD_COUNT; m++)
                strbuf_printf(b, "%s\"%s\"", m ? "," : "", start_method_name((enum start_method)m));
        strbuf_char(b, ']');
}

/* What of the kernel we could have. */
static void add_features(struct strbuf *b, const struct registry_info *info)
{
        strbuf_printf(b, ",\"features\":{\"tree\":\"%s\",\"oom\":%s}",
                      info->leaves ? "control_group" : "process_group", info->tell_oom ? "true" : "false");
}

static void add_counts(struct strbuf *b, const struct registry_info *info)
{
        strbuf_str(b, ",\"counts\":{");
        for (int s = 0; s < PROCESS_STATE_COUNT; s++)
                strbuf_printf(b, "%s\"%s\":%lld", s ? "," : "", process_state_name((enum process_state)s),
                              (long long)info->counts[s]);
        strbuf_char(b, '}');
}

static void add_health(struct strbuf *b, const struct http_config *c, const struct registry_info *info)
{
        const struct {
                bool is;
                const char *text;
        } reasons[] = {
                {!info->init_pid, "creche-init is gone: nobody restarts the daemon"},
                {info->disk_full, "the disk of the state directory is full: starts are refused"},
                {info->database_gone, "the files of the database were removed or replaced: put them back"},
                {info->log_held, "another program reads the database for so long that its log grows"},
                {info->forkserver_dead, "the privileged forkserver has died: nothing can be started"},
                {c->no_tcp, "TCP is not served: its certificate cannot be used, see the log"},
                {info->unwritten, "exits cannot be written to the database: see the log"},
        };
        int n = 0;

        strbuf_str(b, ",\"health_reasons\":[");
        for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
                if (!reasons[i].is)
                        continue;
                if (n++)
                        strbuf_char(b, ',');
                strbuf_json_str(b, reasons[i].text);
        }
        strbuf_printf(b, "],\"health\":\"%s\"", n ? "degraded" : "ok");
}

static void add_daemon(struct strbuf *b, const struct http *h, const struct registry_info *info)
{
        char started[CLOCK_TEXT_MAX];

        strbuf_printf(b, "{\"name\":\"creche\",\"version\":\"%s\",\"api\":\"v1\",\"pid\":%d", CRECHE_VERSION,
                      (int)getpid());
        if (info->init_pid)
                strbuf_printf(b, ",\"init_pid\":%d", info->init_pid);
        else
                strbuf_str(b, ",\"init_pid\":null");
        strbuf_printf(b, ",\"uptime_s\":%.3f", (double)(clock_mono_us() - h->started_mono_us) / 1e6);
        add_string(b, "instance", info->instance);
        add_string(b, "boot_id", info->boot_id);
        add_string(b, "started_at", clock_text(h->started_us, started));
        strbuf_printf(b, ",\"restarts\":%u", h->config.restarts);
}

static void add_limits(struct strbuf *b, const struct limits *l)
{
        const struct {
                const char *name;
                int64_t value;
        } limits[] = {
                {"body_bytes", l->body_bytes},       {"argument_bytes", SPEC_ARGUMENT_MAX},
                {"list_max", FILTER_LIMIT_MAX},      {"join_ids_max", JOIN_PROCESSES_IDS_MAX},
                {"event_streams", FEED_STREAMS_MAX}, {"header_bytes", l->head_bytes},
                {"bodies_bytes", l->bodies_bytes},   {"connections", l->connections},
                {"parked", limits_parked(l)},        {"peer_connections", l->peer_connections},
                {"caller_parked", l->caller_parked},
        };

        strbuf_str(b, ",\"limits\":{");
        for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
                strbuf_printf(b, "\"%s\":%lld,", limits[i].name, (long long)limits[i].value);
        strbuf_printf(b, "\"header_s\":%.3f,\"body_s\":%.3f,\"stream_idle_s\":%.3f}",
                      (double)l->head_us / 1e6, (double)l->body_us / 1e6, (double)l->stream_us / 1e6);
}

/* For ever, all of them: null. */
static void add_retention(struct strbuf *b, const struct retention *keep)
{
        const struct {
                const char *name;
                int64_t value;
        } members[] = {
                {"ended_s", keep->ended_us / CLOCK_US_PER_S},
                {"ended_count", keep->ended_count},
                {"dangling_s", keep->dangling_us / CLOCK_US_PER_S},
                {"events_s", keep->events_us / CLOCK_US_PER_S},
                {"events_count", keep->events_count},
        };

        strbuf_str(b, ",\"retention\":{");
        for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
                strbuf_printf(b, "%s\"%s\":", i ? "," : "", members[i].name);
                if (members[i].value)
                        strbuf_int(b, members[i].value);
                else
                        strbuf_str(b, "null");
        }
        strbuf_char(b, '}');
}

static void add_privileges(struct strbuf *b, const struct http_config *c, const struct registry_info *info)
{
        bool root = geteuid() == 0;

        strbuf_str(b, ",\"privileges\":{\"user\":");
        strbuf_json_str(b, info->user);
        strbuf_printf(b, ",\"uid\":%u,\"separated\":%s", (unsigned)geteuid(),
                      info->separated ? "true" : "false");
        add_string(b, "policy", c->policy);
        add_string(b, "warning", root ? "all of creched has the rights of root: start it with --user" : NULL);
        strbuf_char(b, '}');
}

static void add_places(struct strbuf *b, const struct http_config *c)
{
        add_string(b, "state_dir", c->state_dir);
        add_string(b, "database", c->database);
        add_string(b, "socket", c->socket_path);
        add_string(b, "url", c->url);
}

void handle_info(struct request *r)
{
        struct registry_info info = {0};
        struct strbuf b = {0};
        struct err e = {0};

        if (registry_info(request_registry(r), &info, &e) < 0) {
                reply_problem(r, &e);
                return;
        }
        add_daemon(&b, r->http, &info);
        add_start_methods(&b);
        add_features(&b, &info);
        add_privileges(&b, &r->http->config, &info);
        add_limits(&b, &r->http->config.limits);
        add_retention(&b, &r->http->config.keep);
        add_counts(&b, &info);
        add_health(&b, &r->http->config, &info);
        add_places(&b, &r->http->config);
        strbuf_char(&b, '}');
        reply_json(r, MHD_HTTP_OK, &b);
}
