/* SPDX-License-Identifier: MIT */
/* tests/unit/test_query.c: what a query may say. */
#include "http/base64.h"
#include "http/query.h"
#include "test.h"

static struct query parsed(const char *raw)
{
        struct query q;

        CHECK_INT(query_parse(&q, raw, NULL), 0);
        return q;
}

static void assert_no_query(const char *raw)
{
        struct err e = {0};
        struct query q;

        CHECK_INT(query_parse(&q, raw, &e), -1);
        CHECK_INT(e.kind, ERR_INVALID_QUERY);
        query_done(&q);
}

/* -1 and ERR_INVALID_QUERY, or 0. */
static int checked(const char *raw, const char *allowed)
{
        struct query q = parsed(raw);
        struct err e = {0};
        int rc = query_check(&q, allowed, &e);

        CHECK_INT(e.kind, rc < 0 ? ERR_INVALID_QUERY : ERR_NONE);
        query_done(&q);
        return rc;
}

TEST(names_and_values_are_decoded)
{
        struct query q = parsed("n%61me=a+b%2B%c3%a9&flag&empty=&&x=1=2");

        CHECK_INT(q.n, 4);
        CHECK_STR(query_get(&q, "name"), "a b+\xc3\xa9");
        CHECK_STR(query_get(&q, "flag"), "");
        CHECK_STR(query_get(&q, "empty"), "");
        CHECK_STR(query_get(&q, "x"), "1=2");
        CHECK_NULL(query_get(&q, "y"));
        query_done(&q);
}

TEST(no_query_and_an_empty_one_have_no_parameters)
{
        struct query none = parsed(NULL), empty = parsed("");

        CHECK_INT(none.n, 0);
        CHECK_INT(empty.n, 0);
}

TEST(what_is_not_percent_encoded_utf_8_is_refused)
{
        assert_no_query("a=%");
        assert_no_query("a=%4");
        assert_no_query("a=%zz");
        assert_no_query("a=%00");
        assert_no_query("a=%ff");
        assert_no_query("%ed%a0%80=surrogate");
}

TEST(as_many_parameters_as_there_is_room_for)
{
        char raw[4 * QUERY_MAX + 4];
        size_t n = 0;

        for (int i = 0; i < QUERY_MAX; i++)
                n += (size_t)snprintf(raw + n, sizeof(raw) - n, "%sa=b", i ? "&" : "");
        CHECK_INT(checked(raw, "a*"), 0);
        snprintf(raw + n, sizeof(raw) - n, "&c");
        assert_no_query(raw);
}

TEST(an_unknown_parameter_is_refused)
{
        CHECK_INT(checked("state=started&limit=1", "state limit"), 0);
        CHECK_INT(checked("stat=started", "state limit"), -1);
        CHECK_INT(checked("state+limit=1", "state limit"), -1);
        CHECK_INT(checked("=1", "state"), -1);
        CHECK_INT(checked("state", NULL), -1);
}

TEST(a_parameter_is_repeated_only_where_it_may_be)
{
        CHECK_INT(checked("label=a&label=b", "name label*"), 0);
        CHECK_INT(checked("name=a&name=a", "name label*"), -1);
        CHECK_INT(checked("label*=a", "name label*"), -1);
}

TEST(integers_are_whole_and_within_their_bounds)
{
        struct query q =
                parsed("ok=7&low=0&big=99999999999999999999&float=1.5&text=x&empty=&plus=%2B1&hex=0x1");
        int64_t v = 42;

        CHECK_INT(query_int(&q, "absent", 1, 10, &v, NULL), 0);
        CHECK_INT(v, 42);
        CHECK_INT(query_int(&q, "ok", 1, 10, &v, NULL), 0);
        CHECK_INT(v, 7);
        CHECK_INT(query_int(&q, "low", 1, 10, &v, NULL), -1);
        CHECK_INT(query_int(&q, "big", 1, INT64_MAX, &v, NULL), -1);
        CHECK_INT(query_int(&q, "float", 1, 10, &v, NULL), -1);
        CHECK_INT(query_int(&q, "text", 1, 10, &v, NULL), -1);
        CHECK_INT(query_int(&q, "empty", 1, 10, &v, NULL), -1);
        CHECK_INT(query_int(&q, "plus", 1, 10, &v, NULL), -1);
        CHECK_INT(query_int(&q, "hex", 0, 10, &v, NULL), -1);
        CHECK_INT(v, 7);
        query_done(&q);
}

TEST(seconds_are_numbers_and_nothing_that_only_c_calls_one)
{
        struct query q = parsed("ok=0.25&e=1e1&nan=nan&inf=inf&hex=0x1p3&minus=-1&long=86401&dot=.&end=1s");
        int64_t us = 0;

        CHECK_INT(query_seconds(&q, "ok", 86400, &us, NULL), 0);
        CHECK_INT(us, 250000);
        CHECK_INT(query_seconds(&q, "e", 86400, &us, NULL), 0);
        CHECK_INT(us, 10000000);
        CHECK_INT(query_seconds(&q, "nan", 86400, &us, NULL), -1);
        CHECK_INT(query_seconds(&q, "inf", 86400, &us, NULL), -1);
        CHECK_INT(query_seconds(&q, "hex", 86400, &us, NULL), -1);
        CHECK_INT(query_seconds(&q, "minus", 86400, &us, NULL), -1);
        CHECK_INT(query_seconds(&q, "long", 86400, &us, NULL), -1);
        CHECK_INT(query_seconds(&q, "dot", 86400, &us, NULL), -1);
        CHECK_INT(query_seconds(&q, "end", 86400, &us, NULL), -1);
        query_done(&q);
}

TEST(yes_and_no_have_two_spellings_each)
{
        struct query q = parsed("a=true&b=1&c=false&d=0&e=yes&f=");
        bool v = false;

        CHECK_INT(query_bool(&q, "a", &v, NULL), 0);
        CHECK(v);
        CHECK_INT(query_bool(&q, "c", &v, NULL), 0);
        CHECK(!v);
        CHECK_INT(query_bool(&q, "b", &v, NULL), 0);
        CHECK(v);
        CHECK_INT(query_bool(&q, "d", &v, NULL), 0);
        CHECK(!v);
        CHECK_INT(query_bool(&q, "e", &v, NULL), -1);
        CHECK_INT(query_bool(&q, "f", &v, NULL), -1);
        query_done(&q);
}

TEST(a_time_is_rfc_3339)
{
        struct query q = parsed("ok=1970-01-01T00:00:01.5%2B00:00&bad=yesterday");
        int64_t us = 0;

        CHECK_INT(query_time(&q, "ok", &us, NULL), 0);
        CHECK_INT(us, 1500000);
        CHECK_INT(query_time(&q, "bad", &us, NULL), -1);
        query_done(&q);
}

TEST(a_cursor_comes_back_as_the_id_it_was_made_of)
{
        const int64_t ids[] = {1, 63, 64, 4096, 1234567890123, INT64_MAX};
        char text[CURSOR_MAX];

        for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
                CHECK_INT(cursor_parse(cursor_text(ids[i], text)), ids[i]);
}

TEST(what_is_no_cursor_is_refused)
{
        CHECK_INT(cursor_parse(""), 0);
        CHECK_INT(cursor_parse("A"), 0);
        CHECK_INT(cursor_parse("17"), 0);
        CHECK_INT(cursor_parse("AA"), 0);
        CHECK_INT(cursor_parse("AB=="), 0);
        CHECK_INT(cursor_parse("A___________"), 0);
        CHECK_INT(cursor_parse("A_______________"), 0);
}

TEST(a_cursor_that_says_more_than_an_id_can_be_is_not_taken_for_another)
{
        char text[CURSOR_MAX];

        CHECK_STR(cursor_text(INT64_MAX, text), "AH__________");
        CHECK_INT(cursor_parse("AI__________"), 0);
        CHECK_INT(cursor_parse("AQAAAAAAAAAB"), 0); /* 2^64 + 1 */
        CHECK_INT(cursor_parse("A__________B"), 0);
}

TEST(base64_has_one_form_for_each_byte_string)
{
        char out[8];

        CHECK_INT(base64_decode("", 0, out), 0);
        CHECK_INT(base64_decode("aGk=", 4, out), 2);
        assert_memory_equal(out, "hi", 2);
        CHECK_INT(base64_decode("aA==", 4, out), 1);
        CHECK_INT(base64_decode("aGly", 4, out), 3);
        CHECK_INT(base64_decode("aGk", 3, out), -1);
        CHECK_INT(base64_decode("aB==", 4, out), -1);
        CHECK_INT(base64_decode("aGl=", 4, out), -1);
        CHECK_INT(base64_decode("a===", 4, out), -1);
        CHECK_INT(base64_decode("====", 4, out), -1);
        CHECK_INT(base64_decode("aA==aA==", 8, out), -1);
        CHECK_INT(base64_decode("aG_y", 4, out), -1);
        CHECK_INT(base64_decode("aG y", 4, out), -1);
}

TEST_MAIN("query")
