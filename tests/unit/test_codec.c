/* SPDX-License-Identifier: MIT */
/* tests/unit/test_codec.c: JSON into the model and back. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "http/codec.h"
#include "http/document.h"
#include "test.h"

/* The spec of a request that is right. */
static struct spec *spec_of(const char *text)
{
        CLEANUP(json_decrefp) json_t *doc = NULL;
        struct spec *s = NULL;
        struct err e = {0};

        CHECK_INT(document_read(text, strlen(text), &doc, &e), 0);
        if (codec_spec(doc, &s, &e) < 0)
                fail_msg("%s: %s %s", text, e.pointer, e.msg);
        return s;
}

/* Where a request that is wrong is wrong; kind and pointer stay until the next call. */
static const struct err *refusal(const char *text, size_t n)
{
        static struct err e;
        CLEANUP(json_decrefp) json_t *doc = NULL;
        struct spec *s = NULL;

        e = (struct err){0};
        if (document_read(text, n, &doc, &e) == 0 && codec_spec(doc, &s, &e) == 0)
                fail_msg("%s was taken", text);
        CHECK(e.has_pointer);
        return &e;
}

static void assert_malformed(const char *text, const char *pointer)
{
        const struct err *e = refusal(text, strlen(text));

        CHECK_INT(e->kind, ERR_MALFORMED);
        CHECK_STR(e->pointer, pointer);
}

/* @field: a member of a request that is right but for it. */
static void assert_invalid(const char *field, const char *pointer)
{
        char text[512];
        const struct err *e;

        snprintf(text, sizeof(text), "{\"argv\":[\"true\"],%s}", field);
        e = refusal(text, strlen(text));
        CHECK_INT(e->kind, ERR_INVALID);
        CHECK_STR(e->pointer, pointer);
}

/* ------------------------------------------------------------------------------------------ syntax */

TEST(a_syntax_error_is_pointed_to)
{
        assert_malformed("", "");
        assert_malformed("{", "");
        assert_malformed("{'a':1}", "");
        assert_malformed("{\"a\":tru}", "/a");
        assert_malformed("{\"a\":[1,2,{\"b\":?}]}", "/a/2/b");
        assert_malformed("{\"a\":[1,}", "/a/1");
        assert_malformed("{\"a\":,\"b\":1}", "/a");
        assert_malformed("{\"a\":[1,,2]}", "/a/1");
        assert_malformed("{\"a~/b\":nul}", "/a~0~1b");
        assert_malformed("{\"a\":\"]}\\\"\",\"b\":[[],[x]]}", "/b/1/0");
}

TEST(nothing_may_follow_the_document)
{
        assert_malformed("{\"argv\":[\"true\"]} {}", "");
        assert_malformed("{\"argv\":[\"true\"]}x", "");
}

TEST(a_key_that_comes_twice_is_pointed_to)
{
        assert_malformed("{\"argv\":[\"a\"],\"argv\":[\"b\"]}", "/argv");
        assert_malformed("{\"env\":{\"A\":\"1\",\"A\":\"2\"}}", "/env/A");
}

TEST(a_nul_is_pointed_to)
{
        const char raw[] = "{\"argv\":[\"a\0b\"]}";

        assert_malformed("{\"argv\":[\"a\",\"b\\u0000\"]}", "/argv/1");
        CHECK_INT(refusal(raw, sizeof(raw) - 1)->kind, ERR_MALFORMED);
}

TEST(bytes_that_are_not_utf_8_are_refused)
{
        assert_malformed("{\"argv\":[\"\xff\"]}", "/argv/0");
        assert_malformed("{\"argv\":[\"\xed\xa0\x80\"]}", "/argv/0");
}

TEST(nesting_without_end_is_refused)
{
        char text[100000];

        memset(text, '[', sizeof(text));
        CHECK_INT(refusal(text, sizeof(text))->kind, ERR_MALFORMED);
}

TEST(a_document_is_an_object)
{
        const char *const texts[] = {"[]", "\"x\"", "null", "1"};

        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                CHECK_INT(refusal(texts[i], strlen(texts[i]))->kind, ERR_INVALID);
}

TEST(a_key_with_escapes_is_pointed_to_as_what_it_means)
{
        assert_malformed("{\"\\u00e9\\n\\\"/\":[}", "/\xc3\xa9\n\"~1/0");
        assert_malformed("{\"a\\u0000\":1}", "/a\\u0000");
        assert_malformed("{\"cut off", "/cut off");
}

TEST(a_pointer_that_does_not_fit_is_cut_off)
{
        char text[1000] = "{\"";

        memset(text + 2, '/', 900);
        strcpy(text + 902, "\":1}");
        assert_in_range(strlen(refusal(text, strlen(text))->pointer), 100,
                        sizeof(((struct err *)0)->pointer) - 1);
}

/* ------------------------------------------------------------------------------------------ values */

TEST(a_request_needs_argv_only)
{
        CLEANUP(spec_freep) struct spec *s = spec_of("{\"argv\":[\"sleep\",\"10\"]}");

        CHECK_STR(s->argv[0], "sleep");
        CHECK_STR(s->argv[1], "10");
        CHECK_NULL(s->argv[2]);
        CHECK_NULL(s->env[0]);
        CHECK_NULL(s->name);
        CHECK_NULL(s->cwd);
        CHECK_INT(s->daemon, -1);
        CHECK_INT(s->umask, SPEC_UMASK_DEFAULT);
        CHECK_INT(s->stdin_mode, STDIN_NULL);
        CHECK_INT(s->out, OUTPUT_LOG);
        CHECK_INT(s->err, OUTPUT_LOG);
        CHECK_INT(s->timeout_us, 0);
        CHECK_INT(s->grace_us, 10 * CLOCK_US_PER_S);
        CHECK_INT(s->start_method, START_SPAWN);
        CHECK(s->start);
        CHECK_STR(s->argv_json, "[\"sleep\",\"10\"]");
        CHECK_STR(s->env_json, "[]");
        CHECK_STR(s->labels_json, "{}");
}

TEST(each_field_arrives)
{
        CLEANUP(spec_freep)
        struct spec *s = spec_of(
                "{\"argv\":[\"a\"],\"name\":\"n\",\"identity\":\"1:2\",\"daemon\":true,\"cwd\":\"/tmp\","
                "\"umask\":\"077\",\"stdin\":\"pipe\",\"stdout\":\"null\",\"stderr\":\"stdout\",\"user\":7,"
                "\"group\":\"g\",\"rlimits\":{\"nofile\":[1,2],\"core\":[0,null]},\"nice\":-5,"
                "\"labels\":{\"k\":\"v\"},\"timeout\":1.5,\"grace\":0,\"start_method\":\"fork\","
                "\"on_parent_death\":\"SIGTERM\",\"start\":false}");

        CHECK_STR(s->name, "n");
        CHECK_STR(s->identity, "1:2");
        CHECK_INT(s->daemon, 1);
        CHECK_STR(s->cwd, "/tmp");
        CHECK_INT(s->umask, 077);
        CHECK_INT(s->stdin_mode, STDIN_PIPE);
        CHECK_INT(s->out, OUTPUT_NULL);
        CHECK_INT(s->err, OUTPUT_STDOUT);
        CHECK_STR(s->user, "7");
        CHECK_STR(s->group, "g");
        CHECK_INT(s->rlimits_n, 2);
        CHECK_INT(s->rlimits[0].resource, RLIMIT_NOFILE);
        CHECK_INT(s->rlimits[0].limit.rlim_max, 2);
        CHECK(s->rlimits[1].limit.rlim_max == RLIM_INFINITY);
        CHECK(s->has_nice);
        CHECK_INT(s->nice, -5);
        CHECK_STR(s->labels_json, "{\"k\":\"v\"}");
        CHECK_INT(s->timeout_us, 1500000);
        CHECK_INT(s->grace_us, 0);
        CHECK_INT(s->start_method, START_FORK);
        CHECK_INT(s->on_parent_death, SIGTERM);
        CHECK(!s->start);
}

TEST(env_and_secrets_reach_the_child_and_only_their_names_are_kept)
{
        CLEANUP(spec_freep)
        struct spec *s =
                spec_of("{\"argv\":[\"a\"],\"secrets\":{\"P\":\"x=y\"},\"env\":{\"B\":\"1\",\"A\":\"\"}}");

        CHECK_STR(s->env[0], "B=1");
        CHECK_STR(s->env[1], "A=");
        CHECK_STR(s->env[2], "P=x=y");
        CHECK_NULL(s->env[3]);
        CHECK_STR(s->env_json, "[\"B\",\"A\",\"P\"]");
}

TEST(a_string_that_is_not_utf_8_comes_as_base64_and_goes_as_it_came)
{
        CLEANUP(spec_freep)
        struct spec *s = spec_of("{\"argv\":[\"a\",{\"base64\":\"/w==\"},{\"base64\":\"YQ==\"}],"
                                 "\"env\":{\"A\":{\"base64\":\"/w==\"}}}");

        CHECK_STR(s->argv[1], "\xff");
        CHECK_STR(s->argv[2], "a");
        CHECK_STR(s->env[0], "A=\xff");
        CHECK_STR(s->argv_json, "[\"a\",{\"base64\":\"/w==\"},\"a\"]");
}

TEST(an_argument_may_be_as_long_as_the_kernel_takes)
{
        static char text[SPEC_ARGUMENT_MAX + 64];
        struct spec *s;

        snprintf(text, sizeof(text), "{\"argv\":[\"a\",\"%0*d\"]}", SPEC_ARGUMENT_MAX, 0);
        s = spec_of(text);
        CHECK_INT(strlen(s->argv[1]), SPEC_ARGUMENT_MAX);
        spec_free(s);
        snprintf(text, sizeof(text), "{\"argv\":[\"a\",\"%0*d\"]}", SPEC_ARGUMENT_MAX + 1, 0);
        CHECK_STR(refusal(text, strlen(text))->pointer, "/argv/1");
}

TEST(stdin_may_be_text_or_bytes_with_a_nul)
{
        CLEANUP(spec_freep) struct spec *text = spec_of("{\"argv\":[\"a\"],\"stdin\":{\"text\":\"\"}}");
        CLEANUP(spec_freep)
        struct spec *bytes = spec_of("{\"argv\":[\"a\"],\"stdin\":{\"base64\":\"AAE=\"}}");

        CHECK_INT(text->stdin_mode, STDIN_BYTES);
        CHECK_INT(text->stdin_len, 0);
        CHECK_INT(bytes->stdin_len, 2);
        assert_memory_equal(bytes->stdin_bytes, "\0\1", 2);
}

TEST(the_empty_name_is_the_default)
{
        CLEANUP(spec_freep) struct spec *s = spec_of("{\"argv\":[\"a\"],\"name\":\"\"}");

        CHECK_NULL(s->name);
}

TEST(a_short_timeout_is_not_none_and_a_long_one_fits)
{
        CLEANUP(spec_freep) struct spec *brief = spec_of("{\"argv\":[\"a\"],\"timeout\":1e-9}");
        CLEANUP(spec_freep) struct spec *ages = spec_of("{\"argv\":[\"a\"],\"timeout\":1e300}");

        CHECK_INT(brief->timeout_us, 1);
        CHECK(ages->timeout_us > 0 && ages->timeout_us < INT64_MAX / 4);
}

TEST(an_umask_is_a_number_or_octal_digits)
{
        const struct {
                const char *text;
                unsigned umask;
        } all[] = {{"18", 022}, {"511", 0777}, {"\"022\"", 022}, {"\"7\"", 07}, {"\"0777\"", 0777}};

        for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
                char text[64];
                struct spec *s;

                snprintf(text, sizeof(text), "{\"argv\":[\"a\"],\"umask\":%s}", all[i].text);
                s = spec_of(text);
                CHECK_INT(s->umask, all[i].umask);
                spec_free(s);
        }
        assert_invalid("\"umask\":512", "/umask");
        assert_invalid("\"umask\":\"1777\"", "/umask");
        assert_invalid("\"umask\":\"8\"", "/umask");
        assert_invalid("\"umask\":\"\"", "/umask");
}

TEST(what_is_wrong_is_pointed_to)
{
        assert_invalid("\"colour\":1", "/colour");
        assert_invalid("\"a/b~c\":1", "/a~1b~0c");
        assert_invalid("\"name\":null", "/name");
        assert_invalid("\"identity\":\"1:\"", "/identity");
        assert_invalid("\"identity\":\"01\"", "/identity");
        assert_invalid("\"identity\":\"\"", "/identity");
        assert_invalid("\"daemon\":\"yes\"", "/daemon");
        assert_invalid("\"cwd\":\"tmp\"", "/cwd");
        assert_invalid("\"stdin\":\"file\"", "/stdin");
        assert_invalid("\"stdin\":{\"text\":\"a\",\"base64\":\"YQ==\"}", "/stdin");
        assert_invalid("\"stdin\":{\"base64\":\"YQ\"}", "/stdin/base64");
        assert_invalid("\"stdout\":\"stdout\"", "/stdout");
        assert_invalid("\"stderr\":1", "/stderr");
        assert_invalid("\"user\":-1", "/user");
        assert_invalid("\"user\":4294967295", "/user");
        assert_invalid("\"group\":\"\"", "/group");
        assert_invalid("\"rlimits\":{\"files\":[1,2]}", "/rlimits/files");
        assert_invalid("\"rlimits\":{\"nofile\":[1]}", "/rlimits/nofile");
        assert_invalid("\"rlimits\":{\"nofile\":[2,1]}", "/rlimits/nofile/0");
        assert_invalid("\"rlimits\":{\"nofile\":[1,\"2\"]}", "/rlimits/nofile/1");
        assert_invalid("\"nice\":20", "/nice");
        assert_invalid("\"nice\":99999999999999999999", "/nice");
        assert_invalid("\"labels\":{\"a\":1}", "/labels/a");
        assert_invalid("\"labels\":{\"a=b\":\"\"}", "/labels/a=b");
        assert_invalid("\"timeout\":0", "/timeout");
        assert_invalid("\"grace\":-0.1", "/grace");
        assert_invalid("\"start_method\":\"slurm\"", "/start_method");
        assert_invalid("\"on_parent_death\":\"SIGNOTHING\"", "/on_parent_death");
        assert_invalid("\"on_parent_death\":\"9\"", "/on_parent_death");
        assert_invalid("\"start\":0", "/start");
}

TEST(a_name_of_the_environment_is_given_once_and_is_not_ours)
{
        assert_invalid("\"env\":{\"\":\"1\"}", "/env/");
        assert_invalid("\"env\":{\"A=B\":\"1\"}", "/env/A=B");
        assert_invalid("\"env\":{\"A\":1}", "/env/A");
        assert_invalid("\"env\":{\"A\":{\"base64\":\"AA==\"}}", "/env/A");
        assert_invalid("\"env\":{\"CRECHE_AUTHKEY\":\"1\"}", "/env/CRECHE_AUTHKEY");
        assert_invalid("\"env\":{\"A\":\"1\"},\"secrets\":{\"A\":\"1\"}", "/secrets/A");
}

TEST(secrets_are_not_kept_for_a_later_start)
{
        assert_invalid("\"start\":false,\"secrets\":{\"A\":\"1\"}", "/secrets");
}

TEST(an_argument_is_a_string_without_nul)
{
        const struct {
                const char *text, *pointer;
        } all[] = {{"{}", "/argv"},
                   {"{\"argv\":\"a\"}", "/argv"},
                   {"{\"argv\":[]}", "/argv"},
                   {"{\"argv\":[\"\"]}", "/argv/0"},
                   {"{\"argv\":[\"a\",1]}", "/argv/1"},
                   {"{\"argv\":[\"a\",{\"base64\":\"AA==\"}]}", "/argv/1"},
                   {"{\"argv\":[\"a\",{\"base64\":\"A\"}]}", "/argv/1/base64"}};

        for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
                CHECK_STR(refusal(all[i].text, strlen(all[i].text))->pointer, all[i].pointer);
}

/* ----------------------------------------------------------------------------------------- objects */

static struct process record(void)
{
        return (struct process){
                .id = 17,
                .name = "Process-17",
                .identity = "17",
                .lineage = "",
                .state = PROCESS_STARTED,
                .pid = 4242,
                .exit = {.oom = -1},
                .argv_json = "[\"sleep\",\"10\"]",
                .cwd = "/home/u",
                .env_json = "[\"LANG\",\"PATH\"]",
                .labels_json = "{}",
                .created_us = 1767323045678901,
        };
}

static const char *written(const struct process *p)
{
        static struct strbuf b;
        const int64_t bytes[STREAM_COUNT] = {5, 0};

        strbuf_reset(&b);
        codec_process(&b, p, bytes);
        return strbuf_text(&b);
}

TEST(a_process_is_written_in_the_order_of_the_contract)
{
        struct process p = record();

        CHECK_STR(written(&p),
                  "{\"id\":17,\"name\":\"Process-17\",\"identity\":\"17\",\"parent\":null,\"state\":"
                  "\"started\","
                  "\"daemon\":false,\"start_method\":\"spawn\",\"pid\":4242,\"exitcode\":null,\"exit\":null,"
                  "\"argv\":[\"sleep\",\"10\"],\"target\":null,\"cwd\":\"/home/"
                  "u\",\"env\":[\"LANG\",\"PATH\"],\"labels\":{},"
                  "\"created_at\":\"2026-01-02T03:04:05.678901Z\",\"started_at\":null,\"stopped_at\":null,"
                  "\"joined_at\":null,\"rusage\":null,\"stdout_bytes\":5,\"stderr_bytes\":0}");
}

/* The member of @key of the exit of @p, as JSON. */
static void assert_exit(const struct process *p, const char *exitcode, const char *exit)
{
        const char *text = written(p);
        char expected[400];

        snprintf(expected, sizeof(expected), "\"exitcode\":%s,\"exit\":{%s}", exitcode, exit);
        if (!strstr(text, expected))
                fail_msg("%s is not in %s", expected, text);
}

TEST(an_end_has_an_exit_code_only_if_there_was_one)
{
        struct process p = record();

        p.state = PROCESS_STOPPED;
        p.exit = (struct process_exit){.reason = EXIT_EXITED, .exitcode = 7, .oom = 0};
        assert_exit(&p, "7",
                    "\"reason\":\"exited\",\"code\":7,\"signal\":null,\"core_dumped\":false,\"oom\":false,"
                    "\"errno\":null,\"stage\":null,\"requested_by\":null,\"detail\":\"exited with 7\"");
        p.exit = (struct process_exit){.reason = EXIT_SIGNALED, .exitcode = -9, .oom = -1};
        p.requested_by = "kill by uid 0";
        assert_exit(&p, "-9",
                    "\"reason\":\"signaled\",\"code\":null,\"signal\":\"SIGKILL\",\"core_dumped\":false,"
                    "\"oom\":null,\"errno\":null,\"stage\":null,\"requested_by\":\"kill by uid 0\","
                    "\"detail\":\"killed by SIGKILL\"");
        p.requested_by = NULL;
        p.state = PROCESS_FAILED;
        p.exit = (struct process_exit){
                .reason = EXIT_EXEC_FAILED, .errnum = ENOENT, .stage = "exec", .oom = -1};
        assert_exit(&p, "null",
                    "\"reason\":\"exec_failed\",\"code\":null,\"signal\":null,\"core_dumped\":false,"
                    "\"oom\":null,\"errno\":\"ENOENT\",\"stage\":\"exec\",\"requested_by\":null,"
                    "\"detail\":\"exec: No such file or directory\"");
        p.state = PROCESS_LOST;
        p.exit = (struct process_exit){.reason = EXIT_LOST, .detail = "the machine was restarted", .oom = -1};
        assert_exit(&p, "null",
                    "\"reason\":\"lost\",\"code\":null,\"signal\":null,\"core_dumped\":false,\"oom\":null,"
                    "\"errno\":null,\"stage\":null,\"requested_by\":null,"
                    "\"detail\":\"the machine was restarted\"");
}

TEST(as_many_variables_as_there_may_be_are_all_there_and_one_more_is_refused)
{
        enum { MANY = SPEC_ENV_MAX };
        json_t *request =
                json_pack("{s:[s],s:o,s:{s:s}}", "argv", "a", "env", json_object(), "secrets", "S", "");
        json_t *env = json_object_get(request, "env");
        struct spec *s = NULL;
        struct err e = {0};
        char name[24];

        for (int i = 0; i < MANY; i++) {
                snprintf(name, sizeof(name), "V%d", i);
                json_object_set_new(env, name, json_string(""));
        }
        MUST(codec_spec(request, &s, &e));
        CHECK_STR(s->env[0], "V0=");
        CHECK_STR(s->env[MANY], "S=");
        spec_free(s);
        json_object_set_new(env, "one_more", json_string(""));
        CHECK_FAILS(codec_spec(request, &s, &e), ERR_INVALID);
        json_decref(request);
}

/* A damaged spawn journal says such things. */
TEST(an_error_that_the_system_does_not_know_is_a_failure_all_the_same)
{
        struct process p = record();

        p.state = PROCESS_FAILED;
        p.exit = (struct process_exit){.reason = EXIT_START_FAILED, .errnum = 99999, .oom = -1};
        assert_exit(&p, "null",
                    "\"reason\":\"start_failed\",\"code\":null,\"signal\":null,\"core_dumped\":false,"
                    "\"oom\":null,\"errno\":\"E?\",\"stage\":null,\"requested_by\":null,"
                    "\"detail\":\"start: failed\"");
}

TEST(a_problem_names_its_place_and_what_to_do)
{
        struct strbuf b = {0};
        struct err e = {0};

        err_set_at(&e, ERR_INVALID, "/nice", "must be an integer");
        codec_problem(&b, &e, NULL);
        CHECK_STR(strbuf_text(&b),
                  "{\"type\":\"urn:creche:problem:invalid\",\"title\":\"Invalid request\",\"status\":422,"
                  "\"detail\":\"/nice: must be an integer\",\"code\":\"invalid\","
                  "\"hint\":\"Correct the field that errors[0].pointer names.\","
                  "\"errors\":[{\"pointer\":\"/nice\",\"detail\":\"must be an integer\"}]}");
        strbuf_done(&b);
}

TEST(a_problem_shows_the_process_that_it_is_about)
{
        struct strbuf b = {0};
        struct err e = {0};

        err_set(&e, ERR_EXEC_FAILED, 0, "exec");
        codec_problem(&b, &e, "{\"id\":17}");
        CHECK(strstr(strbuf_text(&b), ",\"process\":{\"id\":17}}"));
        strbuf_done(&b);
}

TEST(a_message_is_always_a_string)
{
        CLEANUP(json_decrefp) json_t *doc = NULL;
        struct strbuf b = {0};
        struct err e = {0};

        err_set(&e, ERR_NOT_FOUND, 0, "cut off within \xc3");
        codec_problem(&b, &e, NULL);
        doc = json_loads(strbuf_text(&b), 0, NULL);
        CHECK(json_is_string(json_object_get(doc, "detail")));
        strbuf_done(&b);
}

TEST_MAIN("codec")
