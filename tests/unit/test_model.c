/* SPDX-License-Identifier: MIT */
/* tests/unit/test_model.c: states, names, signals, identities, and who sees whom. */
#include "test.h"

#include <jansson.h>
#include <sqlite3.h>

#include "base/cleanup.h"
#include "model/caller.h"
#include "model/process.h"
#include "model/spec.h"
#include "openapi.h"
#include "sql.h"

TEST(a_state_goes_where_the_table_says_and_nowhere_else)
{
        /* In the order of enum process_state: initial starting started stopped failed lost closed. */
        static const char *const may[PROCESS_STATE_COUNT] = {
                [PROCESS_INITIAL] = "-s----c", [PROCESS_STARTING] = "i-sxxx-", [PROCESS_STARTED] = "---xxx-",
                [PROCESS_STOPPED] = "------c", [PROCESS_FAILED] = "------c",   [PROCESS_LOST] = "------c",
                [PROCESS_CLOSED] = "-------",
        };

        for (int from = 0; from < PROCESS_STATE_COUNT; from++)
                for (int to = 0; to < PROCESS_STATE_COUNT; to++)
                        if (process_state_may((enum process_state)from, (enum process_state)to) !=
                            (may[from][to] != '-'))
                                fail_msg("%s -> %s", process_state_name((enum process_state)from),
                                         process_state_name((enum process_state)to));
}

TEST(an_ended_state_leads_to_closed_only_and_an_open_one_does_not)
{
        for (int s = 0; s < PROCESS_STATE_COUNT; s++) {
                bool ended = process_state_is_ended((enum process_state)s);

                CHECK_INT(ended, s >= PROCESS_STOPPED);
                for (int to = 0; to < PROCESS_STATE_COUNT; to++)
                        if (ended && to != PROCESS_CLOSED)
                                CHECK(!process_state_may((enum process_state)s, (enum process_state)to));
        }
}

TEST(names_go_there_and_back)
{
        for (int i = 0; i < PROCESS_STATE_COUNT; i++)
                CHECK_INT(process_state_parse(process_state_name((enum process_state)i)), i);
        for (int i = 0; i < START_METHOD_COUNT; i++)
                CHECK_INT(start_method_parse(start_method_name((enum start_method)i)), i);
        for (int i = 0; i < OUTPUT_COUNT; i++)
                CHECK_INT(output_parse(output_name((enum output)i)), i);
        for (int i = 0; i < EXIT_REASON_COUNT; i++)
                CHECK_INT(exit_reason_parse(exit_reason_name((enum exit_reason)i)), i);
        CHECK_INT(process_state_parse("Started"), -1);
        CHECK_INT(process_state_parse(""), -1);
        CHECK_INT(start_method_parse("vfork"), -1);
        CHECK_INT(output_parse("logs"), -1);
        CHECK_INT(exit_reason_parse("killed"), -1);
}

/* "'log','null'" for the words of the enum in the CHECK of @column, as the migrations make the table. */
static void sql_words(const char *column, char *out, size_t size)
{
        sqlite3 *db;
        sqlite3_stmt *s;
        char mark[64];
        const char *p;
        size_t n = 0;

        CHECK_INT(sqlite3_open(":memory:", &db), SQLITE_OK);
        for (int i = 0; i < sql_migrations_count; i++)
                CHECK_INT(sqlite3_exec(db, sql_migrations[i].text, NULL, NULL, NULL), SQLITE_OK);
        sqlite3_prepare_v2(db, "SELECT sql FROM sqlite_schema WHERE name = 'process'", -1, &s, NULL);
        CHECK_INT(sqlite3_step(s), SQLITE_ROW);
        snprintf(mark, sizeof(mark), "CHECK (%s ", column);
        p = strstr((const char *)sqlite3_column_text(s, 0), mark);
        assert_non_null(p);
        *out = '\0';
        for (p += strlen(mark); (p += strcspn(p, "')")) && *p == '\''; p += strcspn(p, "'") + 1) {
                p++;
                n += (size_t)snprintf(out + n, size - n, "%s'%.*s'", n ? "," : "", (int)strcspn(p, "'"), p);
        }
        sqlite3_finalize(s);
        sqlite3_close(db);
}

static void check_sql(const char *column, const char *(*name)(int), int first, int count)
{
        char words[512], mine[512];
        size_t n = 0;

        sql_words(column, words, sizeof(words));
        for (int i = first; i < count; i++)
                n += (size_t)snprintf(mine + n, sizeof(mine) - n, "%s'%s'", i > first ? "," : "", name(i));
        CHECK_STR(words, mine);
}

static const char *state_name(int i)
{
        return process_state_name((enum process_state)i);
}

static const char *method_name(int i)
{
        return start_method_name((enum start_method)i);
}

static const char *stream_name(int i)
{
        return output_name((enum output)i);
}

static const char *reason_name(int i)
{
        return exit_reason_name((enum exit_reason)i);
}

TEST(sql_knows_the_same_words)
{
        check_sql("state", state_name, 0, PROCESS_STATE_COUNT);
        check_sql("start_method", method_name, 0, START_METHOD_COUNT);
        check_sql("stdout", stream_name, 0, OUTPUT_STDOUT);
        check_sql("stderr", stream_name, 0, OUTPUT_COUNT);
        check_sql("exit_reason", reason_name, EXIT_NONE + 1, EXIT_REASON_COUNT);
}

static void check_openapi(const json_t *words, const char *(*name)(int), int first, int count)
{
        CHECK_INT(json_array_size(words), count - first);
        for (int i = first; i < count; i++)
                CHECK_STR(json_string_value(json_array_get(words, (size_t)(i - first))), name(i));
}

TEST(openapi_knows_the_same_words)
{
        json_t *api = json_loadb((const char *)openapi_json, openapi_json_len, 0, NULL);
        json_t *schemas = json_object_get(json_object_get(api, "components"), "schemas");
        json_t *words = NULL;

        check_openapi(json_object_get(json_object_get(schemas, "ProcessState"), "enum"), state_name, 0,
                      PROCESS_STATE_COUNT);
        check_openapi(json_object_get(json_object_get(schemas, "StartMethod"), "enum"), method_name, 0,
                      START_METHOD_COUNT);
        CHECK_INT(json_unpack(schemas, "{s:{s:{s:{s:o}}}}", "Exit", "properties", "reason", "enum", &words),
                  0);
        check_openapi(words, reason_name, EXIT_NONE + 1, EXIT_REASON_COUNT);
        CHECK_INT(json_unpack(schemas, "{s:{s:{s:{s:o}}}}", "CreateProcessRequest", "properties", "stdout",
                              "enum", &words),
                  0);
        check_openapi(words, stream_name, 0, OUTPUT_STDOUT);
        CHECK_INT(json_unpack(schemas, "{s:{s:{s:{s:o}}}}", "CreateProcessRequest", "properties", "stderr",
                              "enum", &words),
                  0);
        check_openapi(words, stream_name, 0, OUTPUT_COUNT);
        json_decref(api);
}

TEST(a_signal_is_named_as_the_shell_names_it)
{
        CHECK_STR(signal_name(SIGKILL), "SIGKILL");
        CHECK_STR(signal_name(SIGRTMIN), "SIGRTMIN+0");
        CHECK_STR(signal_name(SIGRTMIN + 1), "SIGRTMIN+1");
        CHECK_STR(signal_name(32), "SIG32");
}

TEST(a_signal_is_read_in_all_its_forms)
{
        CHECK_INT(signal_parse("SIGTERM"), SIGTERM);
        CHECK_INT(signal_parse("TERM"), SIGTERM);
        CHECK_INT(signal_parse("15"), SIGTERM);
        CHECK_INT(signal_parse("SIGRTMIN+2"), SIGRTMIN + 2);
        CHECK_INT(signal_parse("RTMIN+2"), SIGRTMIN + 2);
        CHECK_INT(signal_parse("64"), 64);
        CHECK_INT(signal_parse("SIGIO"), SIGIO);
        CHECK_INT(signal_parse("SIGPOLL"), SIGIO);
        for (int s = 1; s <= SIGRTMAX; s++)
                if (s < 32 || s >= SIGRTMIN)
                        CHECK_INT(signal_parse(signal_name(s)), s);
}

TEST(what_is_no_signal_is_refused)
{
        static const char *const wrong[] = {
                "",       "0",        "65",         "-1",         "+9",
                "9x",     "SIG",      "sigterm",    "TERMINATE",  "SIGRTMIN+31",
                "RTMIN+", "RTMIN+-1", "SIGSIGTERM", "4294967305", "99999999999999999999"};

        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
                if (signal_parse(wrong[i]) != -1)
                        fail_msg("'%s' was taken for signal %d", wrong[i], signal_parse(wrong[i]));
}

TEST(an_identity_extends_its_parents_by_one_number)
{
        CHECK(identity_extends("7", ""));
        CHECK(identity_extends("1:2", "1"));
        CHECK(identity_extends("1:2:10", "1:2"));
        CHECK(identity_extends("999999999999999999", ""));
        CHECK(!identity_extends("", ""));
        CHECK(!identity_extends("0", ""));
        CHECK(!identity_extends("07", ""));
        CHECK(!identity_extends("1:2", ""));
        CHECK(!identity_extends("1", "1"));
        CHECK(!identity_extends("1:", "1"));
        CHECK(!identity_extends("12", "1"));
        CHECK(!identity_extends("12:3", "1"));
        CHECK(!identity_extends("1:2:3", "1"));
        CHECK(!identity_extends("1:+2", "1"));
        CHECK(!identity_extends("1:2 ", "1"));
        CHECK(!identity_extends("2:1", "1"));
        CHECK(!identity_extends("1000000000000000000", ""));
}

static struct process a_process(int64_t id, int64_t parent, const char *lineage)
{
        return (struct process){.id = id, .parent = parent, .lineage = (char *)lineage};
}

TEST(an_operator_sees_everything_and_is_the_parent_of_what_is_at_the_top)
{
        struct caller operator= {0};
        struct process top = a_process(1, 0, ""), deep = a_process(3, 2, "1/2/");

        CHECK(caller_sees(&operator, & top));
        CHECK(caller_sees(&operator, & deep));
        CHECK(caller_is_parent(&operator, & top));
        CHECK(!caller_is_parent(&operator, & deep));
}

TEST(a_process_sees_itself_and_what_is_beneath_it_and_nothing_else)
{
        struct caller c = {.process = 2, .subtree = "1/2/"};
        struct process parent = a_process(1, 0, ""), self = a_process(2, 1, "1/"),
                       child = a_process(3, 2, "1/2/"), grandchild = a_process(4, 3, "1/2/3/"),
                       sibling = a_process(5, 1, "1/"), nephew = a_process(6, 5, "1/5/"),
                       alike = a_process(30, 21, "1/21/"), stranger = a_process(7, 0, "");

        CHECK(caller_sees(&c, &self));
        CHECK(caller_sees(&c, &child));
        CHECK(caller_sees(&c, &grandchild));
        CHECK(!caller_sees(&c, &parent));
        CHECK(!caller_sees(&c, &sibling));
        CHECK(!caller_sees(&c, &nephew));
        CHECK(!caller_sees(&c, &alike));
        CHECK(!caller_sees(&c, &stranger));
        CHECK(caller_is_parent(&c, &child));
        CHECK(!caller_is_parent(&c, &grandchild));
        CHECK(!caller_is_parent(&c, &self));
        CHECK(!caller_is_parent(&c, &stranger));
}

TEST(a_copy_of_a_process_shares_nothing_with_it)
{
        char name[] = "n", detail[] = "why", stage[] = "cwd";
        struct process p = {
                .id = 4, .name = name, .exit = {.reason = EXIT_LOST, .stage = stage, .detail = detail}};
        CLEANUP(process_freep) struct process *copy = process_copy(&p);

        name[0] = 'x';
        detail[0] = 'x';
        stage[0] = 'x';
        CHECK_INT(copy->id, 4);
        CHECK_STR(copy->name, "n");
        CHECK_STR(copy->exit.detail, "why");
        CHECK_STR(copy->exit.stage, "cwd");
        CHECK_NULL(copy->identity);
        process_free(NULL);
}

TEST(a_packed_copy_of_a_process_shares_nothing_with_it)
{
        char name[] = "n", by[] = "timeout", detail[] = "why";
        struct process copy, p = {.id = 4, .name = name, .requested_by = by, .exit = {.detail = detail}};

        CHECK_INT(process_copy_packed(&copy, &p), 0);
        name[0] = by[0] = detail[0] = 'x';
        CHECK_INT(copy.id, 4);
        CHECK_STR(copy.name, "n");
        CHECK_STR(copy.requested_by, "timeout");
        CHECK_STR(copy.exit.detail, "why");
        CHECK_NULL(copy.identity);
        process_rename(&copy, strdup("another"));
        CHECK_STR(copy.name, "another");
        process_done(&copy);
}

/* Once, and again: of strings of their own, and of packed ones. */
TEST(a_process_that_is_packed_or_renamed_says_what_it_said)
{
        char name[] = "n", lineage[] = "1/", user[] = "nobody", by[] = "timeout", why[] = "why";
        struct process p = {.name = name,
                            .lineage = lineage,
                            .user = user,
                            .requested_by = by,
                            .exit = {.reason = EXIT_LOST, .detail = why}};
        CLEANUP(process_freep) struct process *copy = process_copy(&p);

        for (int i = 0; i < 2; i++) {
                process_rename(copy, strdup("another"));
                CHECK_STR(copy->name, "another");
                process_pack(copy);
                CHECK_STR(copy->name, "another");
                process_rename(copy, strdup(""));
                CHECK_STR(copy->name, "");
                CHECK_STR(copy->lineage, "1/");
                CHECK_STR(copy->user, "nobody");
                CHECK_STR(copy->requested_by, "timeout");
                CHECK_STR(copy->exit.detail, "why");
                CHECK_NULL(copy->group);
                CHECK_NULL(copy->cwd);
        }
}

TEST(resource_limits_have_the_names_of_setrlimit)
{
        CHECK_INT(rlimit_parse("nofile"), RLIMIT_NOFILE);
        CHECK_INT(rlimit_parse("stack"), RLIMIT_STACK);
        CHECK_INT(rlimit_parse("as"), RLIMIT_AS);
        CHECK_INT(rlimit_parse("NOFILE"), -1);
        CHECK_INT(rlimit_parse(""), -1);
}

TEST_MAIN("model")
