/* SPDX-License-Identifier: MIT */
/* tests/fuzz/query.c: the queries of lists and logs, down to the rows and the bytes that they select.
 *
 * Input: lines: the query; the base that a log file says of itself; "c": a process asks, not an operator. */
#include "fuzz.h"

#include <sys/mman.h>
#include <sys/xattr.h>

#include "base/clock.h"
#include "http/base64.h"
#include "http/handle_logs.c"
#include "http/handle_processes.c"
#include "store_rig.h"

enum { ROWS = 24 };

static struct process rows[ROWS + 1]; /* by id */
static struct store *store;
static int log_fd;
static const char *log_base;

static const struct caller operators = {.scopes = SCOPE_ALL, .who = "uid 0"};
static const struct caller child = {.process = 1, .scopes = SCOPE_ALL, .identity = "1", .subtree = "1/"};

/* A process owns its log, and may write there what it likes. */
ssize_t fgetxattr(int fd, const char *name, void *value, size_t size)
{
        size_t n = log_base ? strlen(log_base) : 0;

        (void)fd;
        (void)name;
        if (!log_base || n > size) {
                errno = log_base ? ERANGE : ENODATA;
                return -1;
        }
        memcpy(value, log_base, n);
        return (ssize_t)n;
}

static struct process row(int64_t id)
{
        static const char *const names[] = {"web", "100%", "a_b", "\xc3\xa4\"'", ""};
        static const char *const labels[] = {"{}", "{\"k\":\"v\"}", "{\"k\":\"w\",\"a.b\":\"\"}"};
        struct process p = rig_process(id, PROCESS_STARTING);

        p.name = (char *)(uintptr_t)names[id % 5];
        p.labels_json = (char *)(uintptr_t)labels[id % 3];
        p.argv_json = (char *)(uintptr_t)(id % 2 ? "[\"true\"]" : "[\"sh\",\"-c\",\"x\"]");
        p.daemon = id % 4 == 0;
        p.target = id % 7 == 0 ? (char *)(uintptr_t) "resize" : NULL;
        p.start_method = (enum start_method)(id % 3);
        if (id > ROWS / 2) {
                p.parent = 1;
                p.lineage = (char *)(uintptr_t) "1/";
        }
        return p;
}

static void remove_folder(void)
{
        store_close(store);
        test_end(NULL);
}

static void set_up(void)
{
        static const char text[] = "one\ntwo\n\nfour";
        static const enum process_state ends[] = {PROCESS_STOPPED, PROCESS_FAILED, PROCESS_LOST};

        store = rig_open();
        atexit(remove_folder);
        for (int64_t id = 1; id <= ROWS; id++) {
                struct move m = {.id = id};

                rows[id] = row(id);
                rig_insert(store, &rows[id]);
                if (id % 6 < 3) {
                        m.to = rows[id].state = ends[id % 6];
                        rig_write(store, move_run, &m);
                }
        }
        log_fd = memfd_create("log", MFD_CLOEXEC);
        REQUIRE(log_fd >= 0 && pwrite(log_fd, text, sizeof(text) - 1, 0) > 0);
        REQUIRE(pwrite(log_fd, text, sizeof(text) - 1, 40000) > 0);
}

static bool has_labels(const struct process *p, const struct process_filter *f)
{
        json_t *labels = json_loads(p->labels_json, 0, NULL);
        bool all = true;

        for (size_t i = 0; i < f->labels_n; i++) {
                const char *value = json_string_value(json_object_get(labels, f->label_keys[i]));

                all &= value && (!f->label_values[i] || !strcmp(value, f->label_values[i]));
        }
        json_decref(labels);
        return all;
}

static bool has_argument(const struct process *p, const char *part)
{
        json_t *argv = json_loads(p->argv_json, 0, NULL), *v;
        bool any = false;
        size_t i;

        json_array_foreach(argv, i, v)
        {
                any |= strstr(json_string_value(v), part) != NULL;
        }
        json_decref(argv);
        return any;
}

static bool fits_the_rest(const struct process *p, const struct process_filter *f)
{
        return (!f->q || strstr(p->name, f->q) || has_argument(p, f->q)) &&
               (!f->since_us || p->created_us >= f->since_us) &&
               (!f->until_us || p->created_us < f->until_us) &&
               (!f->dangling || !process_state_is_open(p->state)) && has_labels(p, f);
}

static bool fits(const struct process *p, const struct process_filter *f, const struct caller *who)
{
        const unsigned open = 1U << PROCESS_STARTING | 1U << PROCESS_STARTED;
        unsigned states = f->states & open ? f->states | open : f->states;

        return caller_sees(who, p) && (!states || states & 1U << p->state) &&
               (!f->name || !strcmp(f->name, p->name)) &&
               (!f->target || (p->target && !strcmp(f->target, p->target))) &&
               (f->daemon < 0 || f->daemon == p->daemon) && (f->parent < 0 || f->parent == p->parent) &&
               (f->start_method < 0 || f->start_method == (int)p->start_method) && fits_the_rest(p, f);
}

struct found {
        int64_t ids[ROWS + 1];
        size_t n;
};

static void note(const struct process *p, void *arg)
{
        struct found *f = arg;

        REQUIRE(f->n <= ROWS);
        f->ids[f->n++] = p->id;
}

/* The same rows, in the same order, as a loop over all of them finds. */
static void check_list(const struct process_filter *f, const struct caller *who)
{
        struct found got = {.n = 0};
        struct err e = {0};
        size_t n = 0;

        REQUIRE(store_list(store, who, f, note, &got, &e) == 0);
        for (int64_t i = 1; i <= ROWS; i++) {
                int64_t id = f->ascending ? i : ROWS + 1 - i;
                bool after = !f->after || (f->ascending ? id > f->after : id < f->after);

                if (!after || n > f->limit || !fits(&rows[id], f, who))
                        continue;
                REQUIRE(n < got.n && got.ids[n] == id);
                n++;
        }
        REQUIRE(n == got.n);
}

static void check_times(const struct process_filter *f)
{
        char text[CLOCK_TEXT_MAX];
        int64_t again;

        if (f->since_us > 0 && f->since_us < INT64_C(253402300800) * CLOCK_US_PER_S) {
                REQUIRE(clock_parse(clock_text(f->since_us, text), &again) == 0);
                REQUIRE(again == f->since_us);
        }
}

static void check_filter(struct query *q, const struct caller *who)
{
        struct process_filter f = PROCESS_FILTER_ALL;
        const char *cursor = query_get(q, "cursor");
        char text[CURSOR_MAX];
        struct err e = {0};

        if (parse_filter(q, &f, &e) < 0) {
                fuzz_check_refusal(&e);
                return;
        }
        /* A cursor that is not as we write them was not written by us. */
        REQUIRE(!cursor || (f.after > 0 && !strcmp(cursor_text(f.after, text), cursor)));
        REQUIRE(f.limit >= 1 && f.limit <= FILTER_LIMIT_MAX && f.labels_n <= FILTER_LABELS_MAX);
        check_times(&f);
        check_list(&f, who);
}

static void check_log(const struct query *q)
{
        struct log_read l = {.fd = log_fd, .tail = -1};
        struct err e = {0};

        if (read_query(q, &l, &e) < 0) {
                fuzz_check_refusal(&e);
                return;
        }
        REQUIRE(l.at >= 0 && l.limit >= 0 && l.limit <= READ_LOGS_LIMIT_MAX);
        REQUIRE(l.tail >= -1 && l.tail <= READ_LOGS_TAIL_MAX);
        REQUIRE(find_range(&l, &e) == 0);
        REQUIRE(l.base >= 0 && l.at >= 0 && l.at <= l.end && logs_offset(l.base, l.at) >= l.base);
        REQUIRE(!l.limit || l.end - l.at <= l.limit);
        REQUIRE(l.follow || l.end <= 40000 + 13);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct input in = {data, size};
        char *raw = input_line(&in), *base = input_line(&in), *who = input_line(&in);
        struct query q;
        struct err e = {0};
        int64_t us = 0;

        if (!store)
                set_up();
        log_base = base;
        if (query_parse(&q, raw, &e) == 0) {
                check_log(&q);
                if (query_seconds(&q, "wait", GET_PROCESS_WAIT_MAX, &us, &e) == 0)
                        REQUIRE(us >= 0 && us <= GET_PROCESS_WAIT_MAX * CLOCK_US_PER_S);
                check_filter(&q, who && *who == 'c' ? &child : &operators);
        } else {
                fuzz_check_refusal(&e);
        }
        query_done(&q);
        free(raw);
        free(base);
        free(who);
        return 0;
}
