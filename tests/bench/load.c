/* SPDX-License-Identifier: MIT */
/* The loader: what clients do to Creche, as fast as one thread can ask for it.
 *
 *   load SOCKET start-join CLIENTS SECONDS PROGRAM null|log     each client: start, join, again
 *   load SOCKET batch-join CLIENTS SECONDS PROGRAM SIZE         the same with so many in one request, and a join of them
 *   load SOCKET get        CLIENTS SECONDS TARGET               each client: GET, again
 *   load SOCKET start      CLIENTS COUNT PROGRAM                COUNT processes that nobody joins
 *   load SOCKET park       CLIENTS ID                           a join of each; stays until stdin ends
 *   load SOCKET fanout     CLIENTS ID PID                       a join of each, then SIGKILL to PID: until the last answer
 *
 * Prints one line of JSON: {"per_s", "p50_us", "p99_us", "bytes"}, for fanout {"first_ms", "last_ms"}. An answer that is
 * not what it should be ends it with status 1.
 */
#include "bench.h"
#include "http.h"

#include <inttypes.h>
#include <signal.h>
#include <unistd.h>

enum phase { STARTING, JOINING };

static struct clients clients;
static struct samples samples;
static const char *socket_path, *target;
static char spec[512];
static double deadline_s;
static uint64_t answers, bytes, left;
static double first_s, last_s;

static void expect(bool ok, int status, const char *body)
{
        if (ok)
                return;
        fprintf(stderr, "answered with %d: %s\n", status, body);
        exit(1);
}

static void report(double took)
{
        printf("{\"per_s\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f, \"bytes\": %" PRIu64 "}\n",
               (double)answers / took, samples_us(&samples, 0.5), samples_us(&samples, 0.99), bytes);
}

/* A start is not batched with others by us: each is a request of its own, answered when the row is durable. */
static void make_spec(const char *program, const char *output)
{
        snprintf(spec, sizeof(spec), "{\"argv\":[\"%s\"],\"stdout\":\"%s\",\"stderr\":\"%s\"}", program,
                 output, output);
}

static void send_start(struct client *c)
{
        c->phase = STARTING;
        client_send(&clients, c, "POST", "/v1/processes", spec);
}

static void send_join(struct client *c)
{
        char path[64];

        snprintf(path, sizeof(path), "/v1/processes/%" PRId64 "/join", c->id);
        c->phase = JOINING;
        client_send(&clients, c, "POST", path, NULL);
}

/* --------------------------------------------------------------------------------- start-join */

static void started_or_joined(struct client *c, int status, const char *body, size_t n)
{
        double now;

        if (c->phase == STARTING) {
                expect(status == 201, status, body);
                c->id = json_number(body, "id");
                c->began = c->since;
                send_join(c);
                return;
        }
        expect(status == 200 && json_number(body, "exitcode") == 0, status, body);
        now = now_s();
        samples_add(&samples, now - c->began);
        answers++;
        bytes = n;
        if (now < deadline_s)
                send_start(c);
}

static void start_join(int n, double seconds, const char *program, const char *output)
{
        double began;

        make_spec(program, output);
        clients_open(&clients, socket_path, n);
        began = now_s();
        deadline_s = began + seconds;
        for (int i = 0; i < n; i++)
                send_start(&clients.all[i]);
        clients_run(&clients, started_or_joined);
        report(now_s() - began);
}

/* --------------------------------------------------------------------------------- batch-join */

enum { BATCH_MAX = 1000, ID_DIGITS = 20 };

static size_t batch_n;
static char batch[BATCH_MAX * 200];

static void make_batch(const char *program, size_t n)
{
        size_t len = (size_t)snprintf(batch, sizeof(batch), "{\"processes\":[");

        if (n < 1 || n > BATCH_MAX || strlen(program) > 100)
                die("a batch of another size");
        make_spec(program, "null");
        for (size_t i = 0; i < n; i++)
                len += (size_t)snprintf(batch + len, sizeof(batch) - len, "%s%s", i ? "," : "", spec);
        snprintf(batch + len, sizeof(batch) - len, "]}");
        batch_n = n;
}

static void send_batch(struct client *c)
{
        c->phase = STARTING;
        client_send(&clients, c, "POST", "/v1/processes:batch", batch);
}

/* A join of all that @answer shows. */
static void send_join_of(struct client *c, const char *answer)
{
        static const char ITEM[] = "{\"process\":{\"id\":";
        char ids[BATCH_MAX * ID_DIGITS + 16];
        size_t len = (size_t)snprintf(ids, sizeof(ids), "{\"ids\":["), n = 0;

        for (const char *at = answer; (at = strstr(at, ITEM)); n++) {
                at += sizeof(ITEM) - 1;
                len += (size_t)snprintf(ids + len, sizeof(ids) - len, "%s%lld", n ? "," : "",
                                        strtoll(at, NULL, 10));
        }
        snprintf(ids + len, sizeof(ids) - len, "]}");
        expect(n == batch_n, 200, answer);
        c->phase = JOINING;
        client_send(&clients, c, "POST", "/v1/join", ids);
}

static size_t count_of(const char *text, const char *what)
{
        size_t n = 0;

        for (; (text = strstr(text, what)); text++)
                n++;
        return n;
}

static void batch_started_or_joined(struct client *c, int status, const char *body, size_t n)
{
        double now;

        if (c->phase == STARTING) {
                expect(status == 200, status, body);
                c->began = c->since;
                send_join_of(c, body);
                return;
        }
        expect(status == 200 && count_of(body, "\"exitcode\":0,") == batch_n, status, body);
        now = now_s();
        samples_add(&samples, now - c->began);
        answers += batch_n;
        bytes = n;
        if (now < deadline_s)
                send_batch(c);
}

static void batch_join(int n, double seconds, const char *program, size_t size)
{
        double began;

        make_batch(program, size);
        clients_open(&clients, socket_path, n);
        began = now_s();
        deadline_s = began + seconds;
        for (int i = 0; i < n; i++)
                send_batch(&clients.all[i]);
        clients_run(&clients, batch_started_or_joined);
        report(now_s() - began);
}

/* ---------------------------------------------------------------------------------------- get */

static void got(struct client *c, int status, const char *body, size_t n)
{
        double now = now_s();

        expect(status == 200, status, body);
        samples_add(&samples, now - c->since);
        answers++;
        bytes = n;
        if (now < deadline_s)
                client_send(&clients, c, "GET", target, NULL);
}

static void get(int n, double seconds)
{
        double began;

        clients_open(&clients, socket_path, n);
        began = now_s();
        deadline_s = began + seconds;
        for (int i = 0; i < n; i++)
                client_send(&clients, &clients.all[i], "GET", target, NULL);
        clients_run(&clients, got);
        report(now_s() - began);
}

/* -------------------------------------------------------------------------------------- start */

static void started(struct client *c, int status, const char *body, size_t n)
{
        (void)n;
        expect(status == 201, status, body);
        samples_add(&samples, now_s() - c->since);
        answers++;
        if (left) {
                left--;
                send_start(c);
        }
}

static void start(int n, uint64_t count, const char *program)
{
        double began = now_s();

        make_spec(program, "null");
        clients_open(&clients, socket_path, n);
        left = count;
        for (int i = 0; i < n && left; i++, left--)
                send_start(&clients.all[i]);
        clients_run(&clients, started);
        report(now_s() - began);
}

/* ----------------------------------------------------------------------------- parked joins */

static uint64_t waiting_joins;

static void count_waiting(struct client *c, int status, const char *body, size_t n)
{
        static const char SAMPLE[] = "\ncreche_waiting_joins ";
        const char *at = strstr(body, SAMPLE);

        (void)c;
        (void)n;
        expect(status == 200 && at, status, body);
        waiting_joins = strtoull(at + sizeof(SAMPLE) - 1, NULL, 10);
}

/* All are parked: an answer that comes now is not one of a request that was still on its way. */
static void park(int n, int64_t id)
{
        struct clients asking;

        clients_open(&clients, socket_path, n);
        for (int i = 0; i < n; i++) {
                clients.all[i].id = id;
                send_join(&clients.all[i]);
        }
        clients_open(&asking, socket_path, 1);
        while (waiting_joins < (uint64_t)n) {
                usleep(20000);
                client_send(&asking, asking.all, "GET", "/metrics", NULL);
                clients_run(&asking, count_waiting);
        }
        clients_close(&asking);
}

static void park_until_told(int n, int64_t id)
{
        char c;

        park(n, id);
        printf("{\"parked\": %d}\n", n);
        fflush(stdout);
        while (read(STDIN_FILENO, &c, 1) > 0)
                ;
}

static void ended(struct client *c, int status, const char *body, size_t n)
{
        (void)c;
        (void)n;
        expect(status == 200 && json_number(body, "exitcode") == -SIGKILL, status, body);
        last_s = now_s();
        if (first_s == 0)
                first_s = last_s;
}

static void fanout(int n, int64_t id, pid_t pid)
{
        double began;

        park(n, id);
        began = now_s();
        if (kill(pid, SIGKILL))
                die("kill");
        clients_run(&clients, ended);
        printf("{\"first_ms\": %.3f, \"last_ms\": %.3f}\n", (first_s - began) * 1e3, (last_s - began) * 1e3);
}

int main(int argc, char **argv)
{
        const char *what = argc > 4 ? argv[2] : "";
        int n = argc > 4 ? atoi(argv[3]) : 0;

        socket_path = argv[1];
        if (argc == 7 && !strcmp(what, "start-join")) {
                start_join(n, atof(argv[4]), argv[5], argv[6]);
        } else if (argc == 7 && !strcmp(what, "batch-join")) {
                batch_join(n, atof(argv[4]), argv[5], strtoul(argv[6], NULL, 10));
        } else if (argc == 6 && !strcmp(what, "get")) {
                target = argv[5];
                get(n, atof(argv[4]));
        } else if (argc == 6 && !strcmp(what, "start")) {
                start(n, strtoull(argv[4], NULL, 10), argv[5]);
        } else if (argc == 5 && !strcmp(what, "park")) {
                park_until_told(n, strtoll(argv[4], NULL, 10));
        } else if (argc == 6 && !strcmp(what, "fanout")) {
                fanout(n, strtoll(argv[4], NULL, 10), atoi(argv[5]));
        } else {
                fprintf(stderr, "usage: see the head of tests/bench/load.c\n");
                return 2;
        }
        clients_close(&clients);
        samples_done(&samples);
        return 0;
}
