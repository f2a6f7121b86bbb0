/* SPDX-License-Identifier: MIT */
/* /metrics, for Prometheus. Nothing here reads more than a few rows or waits for anybody. */
#include "http/handle.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/metrics.h"
#include "http/reply.h"
#include "store/store.h"

#define US_PER_S 1e6

static void add_processes(struct strbuf *b, const struct registry_info *info)
{
        metrics_head(b, "creche_processes", "gauge", "Processes in the registry by state.");
        for (int s = 0; s < PROCESS_STATE_COUNT; s++)
                metrics_int(b, "creche_processes", "state", process_state_name((enum process_state)s),
                            info->counts[s]);
        metrics_gauge(b, "creche_active_children", "Processes that run or are being started.",
                      (int64_t)info->active);
        metrics_gauge(b, "creche_unwritten_exits", "Ends that could not be written to the database yet.",
                      (int64_t)info->unwritten);
}

static void add_health(struct strbuf *b, const struct registry_info *info)
{
        const char *name = "creche_degraded";

        metrics_head(b, name, "gauge", "1: it is degraded for this reason.");
        metrics_int(b, name, "reason", "init_gone", !info->init_pid);
        metrics_int(b, name, "reason", "disk_full", info->disk_full);
        metrics_int(b, name, "reason", "database_gone", info->database_gone);
        metrics_int(b, name, "reason", "log_held", info->log_held);
        metrics_int(b, name, "reason", "exits_unwritten", info->unwritten > 0);
}

static void add_lives(struct strbuf *b, const struct registry_stats *s)
{
        metrics_head(b, "creche_starts_total", "counter",
                     "Processes that came to run their program, by start method.");
        for (int m = 0; m < START_METHOD_COUNT; m++)
                metrics_int(b, "creche_starts_total", "method", start_method_name((enum start_method)m),
                            (int64_t)counter_get(&s->starts[m]));
        metrics_head(b, "creche_exits_total", "counter",
                     "Ends that were recorded, by reason; exec_failed and start_failed never ran.");
        for (int x = EXIT_NONE + 1; x < EXIT_REASON_COUNT; x++)
                metrics_int(b, "creche_exits_total", "reason", exit_reason_name((enum exit_reason)x),
                            (int64_t)counter_get(&s->ends[x]));
        metrics_counter(b, "creche_orphans_reaped_total", "Zombies that were nobody's and were reaped.",
                        counter_get(&s->orphans));
        metrics_head(b, "creche_retention_deleted_total", "counter",
                     "What went because it was old enough, or too much; see retention in /v1/info.");
        metrics_int(b, "creche_retention_deleted_total", "kind", "process",
                    (int64_t)counter_get(&s->retired));
        metrics_int(b, "creche_retention_deleted_total", "kind", "event",
                    (int64_t)counter_get(&s->retired_events));
        metrics_head(b, "creche_output_bytes_total", "counter",
                     "Bytes of output of processes that have ended.");
        metrics_int(b, "creche_output_bytes_total", "stream", "stdout",
                    (int64_t)counter_get(&s->output[STREAM_STDOUT]));
        metrics_int(b, "creche_output_bytes_total", "stream", "stderr",
                    (int64_t)counter_get(&s->output[STREAM_STDERR]));
        metrics_histogram(b, "creche_start_duration_seconds", "From the request to the running program.",
                          &s->start_us, &histogram_time, US_PER_S);
        metrics_histogram(b, "creche_join_duration_seconds",
                          "How long joins and waits took that had to wait; until the end, the timeout or the "
                          "client's leaving.",
                          &s->join_us, &histogram_time, US_PER_S);
        metrics_gauge(b, "creche_waiting_joins", "Joins and waits that wait now.",
                      atomic_load(&s->joins_waiting));
}

static void add_store(struct strbuf *b, const struct store_stats *s)
{
        metrics_histogram(b, "creche_commit_batch_jobs", "Changes that shared a commit.", &s->jobs,
                          &histogram_count, 1);
        metrics_histogram(b, "creche_commit_duration_seconds", "Duration of COMMIT, most of it fsync.",
                          &s->commit_us, &histogram_time, US_PER_S);
        metrics_counter(b, "creche_commit_failures_total", "Batches of which nothing was committed.",
                        counter_get(&s->failed));
}

static void add_http(struct strbuf *b, struct http *h)
{
        int64_t connections = 0, parked;

        for (size_t l = 0; l < h->listeners_n; l++)
                for (size_t d = 0; d < h->listeners[l].daemons_n; d++)
                        connections += MHD_get_daemon_info(h->listeners[l].daemons[d],
                                                           MHD_DAEMON_INFO_CURRENT_CONNECTIONS)
                                               ->num_connections;
        pthread_mutex_lock(&h->park.lock);
        parked = (int64_t)h->park.standing;
        pthread_mutex_unlock(&h->park.lock);
        metrics_gauge(b, "creche_http_connections", "Open connections.", connections);
        metrics_gauge(b, "creche_http_parked_requests", "Requests that wait without a thread.", parked);
        metrics_gauge(b, "creche_event_streams", "Clients that follow the events.",
                      (int64_t)atomic_load(&h->feed.streams_n));
        metrics_head(b, "creche_http_requests_total", "counter", "Answers by class of their status.");
        for (int i = 0; i < HTTP_CLASSES; i++) {
                char code[4] = {(char)('1' + i), 'x', 'x', '\0'};

                metrics_int(b, "creche_http_requests_total", "code", code,
                            (int64_t)counter_get(&h->answers[i]));
        }
        metrics_counter(b, "creche_restarts_total", "How often creche-init has started the daemon again.",
                        h->config.restarts);
}

/* Since Linux 6.2 the folder tells how many there are. */
static int64_t open_fds(void)
{
        struct stat st;
        int64_t n = 0;
        DIR *d;

        if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0)
                return st.st_size;
        d = opendir("/proc/self/fd");
        while (d && readdir(d))
                n++;
        if (d)
                closedir(d);
        return n > 3 ? n - 3 : n; /* ".", ".." and the folder's own */
}

static void add_memory(struct strbuf *b)
{
        FILE *f = fopen("/proc/self/statm", "re");
        long long pages[2] = {0};

        if (f && fscanf(f, "%lld %lld", &pages[0], &pages[1]) != 2)
                pages[0] = pages[1] = 0;
        if (f)
                fclose(f);
        metrics_gauge(b, "process_virtual_memory_bytes", "Virtual memory of creched.",
                      pages[0] * sysconf(_SC_PAGESIZE));
        metrics_gauge(b, "process_resident_memory_bytes", "Resident memory of creched.",
                      pages[1] * sysconf(_SC_PAGESIZE));
}

/* What Prometheus's own libraries tell of every process. */
static void add_process(struct strbuf *b, const struct http *h)
{
        struct rlimit limit = {0};
        struct timespec cpu = {0};

        add_memory(b);
        getrlimit(RLIMIT_NOFILE, &limit);
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
        metrics_gauge(b, "process_open_fds", "Open files of creched.", open_fds());
        metrics_gauge(b, "process_max_fds", "Files that creched may have open.", (int64_t)limit.rlim_cur);
        metrics_head(b, "process_cpu_seconds_total", "counter", "CPU time of creched.");
        metrics_float(b, "process_cpu_seconds_total", (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9);
        metrics_head(b, "process_start_time_seconds", "gauge",
                     "When creched began to serve, since the epoch.");
        metrics_float(b, "process_start_time_seconds", (double)h->started_us / US_PER_S);
}

void handle_metrics(struct request *r)
{
        struct registry *registry = request_registry(r);
        struct registry_info info = {0};
        struct strbuf b = {0};
        struct err e = {0};

        if (registry_info(registry, &info, &e) < 0) {
                reply_problem(r, &e);
                return;
        }
        metrics_head(&b, "creche_build_info", "gauge", "Always 1.");
        metrics_int(&b, "creche_build_info", "version", CRECHE_VERSION, 1);
        add_processes(&b, &info);
        add_health(&b, &info);
        add_lives(&b, registry_stats(registry));
        add_store(&b, registry_store_stats(registry));
        add_http(&b, r->http);
        add_process(&b, r->http);
        reply_coded(r, "text/plain; version=0.0.4; charset=utf-8", &b);
}
