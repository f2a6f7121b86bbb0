/* SPDX-License-Identifier: MIT */
/* tests/unit/test_lists.c: which rows are shown to whom, page by page; and the public views. */
#include "store_rig.h"

#include "base/cleanup.h"
#include "base/strbuf.h"

struct seen {
        struct strbuf ids;
        int n;
};

static void note_id(const struct process *p, void *arg)
{
        struct seen *seen = arg;

        strbuf_printf(&seen->ids, "%s%" PRId64, seen->n++ ? " " : "", p->id);
}

static const struct caller the_operator = {.scopes = SCOPE_ALL, .who = "uid 0"};

/* The ids that the list shows, "3 2 1". */
static const char *listed(struct store *s, const struct caller *who, struct process_filter f)
{
        static char text[4096];
        struct seen seen = {0};
        struct err e = {0};

        MUST(store_list(s, who, &f, note_id, &seen, &e));
        snprintf(text, sizeof(text), "%s", strbuf_text(&seen.ids));
        strbuf_done(&seen.ids);
        return text;
}

/* 1 started, top; 2 its child, daemonic, fork, label; 3 child of 2; 4 initial, top; 5 stopped, joined;
 * 6 stopped, dangling, a label; 7 lost; 8 closed. */
static struct store *open_with_a_family(void)
{
        struct store *s = rig_open();

        for (int64_t id = 1; id <= 8; id++) {
                struct process p = rig_process(id, id == 4 ? PROCESS_INITIAL : PROCESS_STARTING);
                struct move m = {.id = id, .to = PROCESS_STARTED};

                if (id == 2) {
                        p.parent = 1;
                        p.lineage = (char *)"1/";
                        p.daemon = true;
                        p.start_method = START_FORK;
                        p.labels_json = (char *)"{\"app\":\"web\",\"tier\":\"1\"}";
                } else if (id == 3) {
                        p.parent = 2;
                        p.lineage = (char *)"1/2/";
                        p.name = (char *)"worker";
                } else if (id == 6) {
                        p.labels_json = (char *)"{\"app\":\"db\"}";
                        p.argv_json = (char *)"[\"sleep\",\"100\"]";
                }
                rig_insert(s, &p);
                if (id != 4)
                        rig_write(s, move_run, &m);
                m.to = id == 7 ? PROCESS_LOST : PROCESS_STOPPED;
                if (id >= 5)
                        rig_write(s, move_run, &m);
        }
        rig_write(s, exec_run, (void *)"UPDATE process SET joined_at = 1 WHERE id = 5");
        rig_write(s, exec_run, (void *)"UPDATE process SET state = 'closed' WHERE id = 8");
        return s;
}

static const char *with(struct store *s, struct process_filter f)
{
        return listed(s, &the_operator, f);
}

/* FILTER(f.daemon = 1; f.limit = 3): all, but for what the statements say. */
#define FILTER(statements)                                                                                   \
        ({                                                                                                   \
                struct process_filter f = PROCESS_FILTER_ALL;                                                \
                statements;                                                                                  \
                f;                                                                                           \
        })

TEST(a_list_shows_what_its_filter_says)
{
        struct store *s = open_with_a_family();

        CHECK_STR(with(s, FILTER()), "8 7 6 5 4 3 2 1");
        CHECK_STR(with(s, FILTER(f.ascending = true)), "1 2 3 4 5 6 7 8");
        CHECK_STR(with(s, FILTER(f.states = 1U << PROCESS_STARTED)), "3 2 1");
        CHECK_STR(with(s, FILTER(f.states = 1U << PROCESS_STARTING; f.ascending = true)), "1 2 3");
        CHECK_STR(with(s, FILTER(f.states = 1U << PROCESS_STOPPED | 1U << PROCESS_INITIAL)), "6 5 4");
        CHECK_STR(with(s, FILTER(f.name = "worker")), "3");
        CHECK_STR(with(s, FILTER(f.name = "work")), "");
        CHECK_STR(with(s, FILTER(f.daemon = 1)), "2");
        CHECK_STR(with(s, FILTER(f.daemon = 0; f.states = 1U << PROCESS_STARTED)), "3 1");
        CHECK_STR(with(s, FILTER(f.parent = 0)), "8 7 6 5 4 1");
        CHECK_STR(with(s, FILTER(f.parent = 1)), "2");
        CHECK_STR(with(s, FILTER(f.parent = 2; f.ascending = true)), "3");
        CHECK_STR(with(s, FILTER(f.parent = 99)), "");
        CHECK_STR(with(s, FILTER(f.start_method = START_FORK)), "2");
        CHECK_STR(with(s, FILTER(f.since_us = 3000; f.until_us = 5000)), "4 3");
        CHECK_STR(with(s, FILTER(f.q = "sleep")), "6");
        CHECK_STR(with(s, FILTER(f.q = "ork")), "3");
        CHECK_STR(with(s, FILTER(f.q = "%")), "");
        CHECK_STR(with(s, FILTER(f.dangling = true)), "7 6");
        store_close(s);
}

TEST(a_list_is_filtered_by_labels_and_all_of_them_must_be_there)
{
        struct store *s = open_with_a_family();

        CHECK_STR(with(s, FILTER(f.label_keys[0] = "app"; f.labels_n = 1)), "6 2");
        CHECK_STR(with(s, FILTER(f.label_keys[0] = "app"; f.label_values[0] = "web"; f.labels_n = 1)), "2");
        CHECK_STR(with(s, FILTER(f.label_keys[0] = "app"; f.label_keys[1] = "tier"; f.label_values[0] = "web";
                                 f.label_values[1] = NULL; f.labels_n = 2)),
                  "2");
        CHECK_STR(with(s, FILTER(f.label_keys[0] = "app"; f.label_keys[1] = "tier"; f.label_values[0] = "db";
                                 f.label_values[1] = NULL; f.labels_n = 2)),
                  "");
        CHECK_STR(with(s, FILTER(f.label_keys[0] = "none"; f.labels_n = 1)), "");
        CHECK_STR(with(s, FILTER(f.label_keys[0] = "a\"p"; f.labels_n = 1)), "");
        store_close(s);
}

TEST(pages_follow_each_other_and_one_row_more_tells_that_there_are_more)
{
        struct store *s = open_with_a_family();

        CHECK_STR(with(s, FILTER(f.limit = 3)), "8 7 6 5");
        CHECK_STR(with(s, FILTER(f.limit = 3; f.after = 6)), "5 4 3 2");
        CHECK_STR(with(s, FILTER(f.limit = 3; f.after = 3)), "2 1");
        CHECK_STR(with(s, FILTER(f.limit = 3; f.after = 1)), "");
        CHECK_STR(with(s, FILTER(f.limit = 3; f.after = 6; f.ascending = true)), "7 8");
        CHECK_STR(with(s, FILTER(f.limit = 1; f.after = 1; f.ascending = true;
                                 f.states = 1U << PROCESS_STARTED)),
                  "2 3");
        store_close(s);
}

TEST(a_process_lists_its_subtree_only)
{
        struct store *s = open_with_a_family();
        struct caller one = {.process = 1, .subtree = "1/"}, two = {.process = 2, .subtree = "1/2/"};

        CHECK_STR(listed(s, &one, FILTER()), "3 2 1");
        CHECK_STR(listed(s, &one, FILTER(f.ascending = true; f.limit = 1)), "1 2");
        CHECK_STR(listed(s, &two, FILTER()), "3 2");
        CHECK_STR(listed(s, &two, FILTER(f.parent = 2)), "3");
        CHECK_STR(listed(s, &two, FILTER(f.parent = 0)), "");
        CHECK_STR(listed(s, &two, FILTER(f.states = 1U << PROCESS_STOPPED)), "");
        CHECK_STR(listed(s, &two, FILTER(f.after = 3)), "2");
        store_close(s);
}

TEST(a_process_finds_itself_among_its_siblings_whatever_the_page)
{
        struct store *s = open_with_a_family();
        struct caller two = {.process = 2, .subtree = "1/2/"};

        for (int64_t id = 20; id < 24; id++) {
                struct process p = rig_process(id, PROCESS_STARTING);

                p.parent = 1;
                p.lineage = (char *)"1/";
                rig_insert(s, &p);
        }
        CHECK_STR(listed(s, &two, FILTER(f.parent = 1; f.limit = 2)), "2");
        store_close(s);
}

static void note_open(const struct open_row *row, void *arg)
{
        struct seen *seen = arg;

        strbuf_printf(&seen->ids, "%s%" PRId64 "%s%s", seen->n++ ? " " : "", row->process->id,
                      row->same_boot ? "" : "(other boot)", row->has_key ? "(key)" : "");
}

TEST(open_rows_that_have_started_come_before_those_that_are_starting)
{
        struct store *s = open_with_a_family();
        struct seen seen = {0};
        struct err e = {0};

        for (int64_t id = 31; id < 35; id++) {
                struct process p = rig_process(id, PROCESS_STARTING);
                struct move m = {.id = id, .to = PROCESS_STARTED};

                rig_insert(s, &p);
                if (id % 2 == 0)
                        rig_write(s, move_run, &m);
        }
        MUST(store_open_rows(s, &rig_boot, note_open, &seen, &e));
        CHECK_STR(strbuf_text(&seen.ids), "1 2 3 32 34 31 33");
        strbuf_done(&seen.ids);
        store_close(s);
}

TEST(open_rows_are_those_that_may_still_run_and_tell_their_boot_and_key)
{
        struct store *s = open_with_a_family();
        struct keyed k = {.id = 9, .x.idempotency_key = "k"};
        struct boot other = rig_boot;
        struct seen seen = {0};
        struct err e = {0};

        rig_write(s, insert_keyed_run, &k);
        MUST(store_open_rows(s, &rig_boot, note_open, &seen, &e));
        CHECK_STR(strbuf_text(&seen.ids), "1 2 3 9(key)");
        strbuf_done(&seen.ids);
        seen.n = 0;
        other.pid_ns++;
        MUST(store_open_rows(s, &other, note_open, &seen, &e));
        CHECK_STR(strbuf_text(&seen.ids), "1(other boot) 2(other boot) 3(other boot) 9(other boot)(key)");
        strbuf_done(&seen.ids);
        store_close(s);
}

TEST(a_request_is_kept_until_the_process_has_started)
{
        struct store *s = open_with_a_family();
        enum process_state state;
        struct err e = {0};
        char *request = NULL;

        CHECK_INT(store_request(s, 4, &state, &request, &e), 0);
        CHECK_INT(state, PROCESS_INITIAL);
        CHECK_STR(request, "{}");
        free(request);
        rig_write(s, move_run, &(struct move){.id = 4, .to = PROCESS_STARTING});
        CHECK_INT(store_request(s, 4, &state, &request, &e), 0);
        CHECK_STR(request, "{}"); /* it may not come to run yet */
        free(request);
        rig_write(s, move_run, &(struct move){.id = 4, .to = PROCESS_STARTED});
        CHECK_INT(store_request(s, 4, &state, &request, &e), 0);
        CHECK_NULL(request);
        CHECK_INT(store_request(s, 99, &state, &request, &e), 1);
        store_close(s);
}

TEST(the_views_keep_their_columns)
{
        store_close(open_with_a_family());
        CHECK_INT(
                rig_select(
                        "SELECT count(*) FROM (SELECT id, name, identity, parent, state, daemon, "
                        "start_method, "
                        "pid, exitcode, exit_reason, exit_errno, exit_stage, exit_detail, core_dumped, oom, "
                        "requested_by, argv, cwd, env, labels, created_at, started_at, stopped_at, "
                        "joined_at, "
                        "user_s, system_s, maxrss_bytes, stdout_bytes, stderr_bytes, boot_id, start_ticks, "
                        "target "
                        "FROM processes)"),
                8);
        CHECK_INT(rig_select("SELECT count(*) FROM active_children"), 3);
        CHECK_INT(rig_select("SELECT count(*) FROM dangling"), 2);
        CHECK_INT(rig_select("SELECT created_at = '1970-01-01T00:00:00.001000Z' FROM processes WHERE id = 1"),
                  1);
        CHECK_INT(rig_select("SELECT boot_id = '00000000-1111-2222-3333-444444444444' FROM processes WHERE "
                             "id = 1"),
                  1);
}

static void note_times(const struct process *p, void *arg)
{
        struct process *times = arg;

        times->usage = p->usage;
        times->has_usage = p->has_usage;
}

TEST(a_time_below_zero_that_somebody_wrote_into_the_database_is_none)
{
        struct store *s = open_with_a_family();
        struct process p = {0};
        struct err e = {0};

        rig_write(s, exec_run, (void *)(uintptr_t) "UPDATE process SET user_us = -1500000 WHERE id = 5");
        MUST(store_get(s, 5, note_times, &p, &e));
        CHECK(p.has_usage);
        CHECK_INT(p.usage.user_us, 0);
        store_close(s);
}

TEST_MAIN("lists")
