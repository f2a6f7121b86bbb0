/* SPDX-License-Identifier: MIT */
/* tests/unit/test_err.c: kinds of failure, and what a client is told of them. */
#include "test.h"

#include <jansson.h>

#include "openapi.h"

TEST(every_kind_has_a_status_a_code_a_title_and_a_hint)
{
        for (int k = 0; k < ERR_KIND_COUNT; k++) {
                const struct err_info *i = err_info((enum err_kind)k);

                if (i->status < 400 || i->status > 599)
                        fail_msg("kind %d has status %d", k, i->status);
                if (!i->code || !*i->code || !i->title || !*i->title || !i->hint || !*i->hint)
                        fail_msg("kind %d lacks a code, a title or a hint", k);
                if (strspn(i->code, "abcdefghijklmnopqrstuvwxyz_") != strlen(i->code))
                        fail_msg("code '%s' is not snake_case", i->code);
                if (strchr(i->hint, '\n'))
                        fail_msg("the hint of '%s' is more than one line", i->code);
        }
}

TEST(every_kind_has_an_exit_status_of_the_command_line)
{
        for (int k = 0; k < ERR_KIND_COUNT; k++)
                if (err_info((enum err_kind)k)->exit < EXIT_FAILED)
                        fail_msg("'%s' exits with %d", err_info((enum err_kind)k)->code,
                                 (int)err_info((enum err_kind)k)->exit);
}

TEST(a_code_leads_back_to_its_kind)
{
        for (int k = ERR_NONE + 1; k < ERR_KIND_COUNT; k++)
                CHECK_INT(err_kind_of_code(err_info((enum err_kind)k)->code), k);
        CHECK_INT(err_kind_of_code("of_a_later_version"), ERR_NONE);
}

TEST(no_two_kinds_share_a_code)
{
        for (int a = ERR_NONE + 1; a < ERR_KIND_COUNT; a++)
                for (int b = a + 1; b < ERR_KIND_COUNT; b++)
                        if (!strcmp(err_info((enum err_kind)a)->code, err_info((enum err_kind)b)->code))
                                fail_msg("two kinds are called '%s'", err_info((enum err_kind)a)->code);
}

static const json_t *problem_codes(json_t *api)
{
        const json_t *schemas = json_object_get(json_object_get(api, "components"), "schemas");

        return json_object_get(json_object_get(schemas, "ProblemCode"), "enum");
}

static bool lists(const json_t *codes, const char *code)
{
        for (size_t i = 0; i < json_array_size(codes); i++)
                if (!strcmp(json_string_value(json_array_get(codes, i)), code))
                        return true;
        return false;
}

TEST(the_codes_are_those_of_the_openapi_document)
{
        json_t *api = json_loadb((const char *)openapi_json, openapi_json_len, 0, NULL);
        const json_t *codes = problem_codes(api);

        CHECK_INT(json_array_size(codes), ERR_KIND_COUNT - 1);
        for (int k = ERR_NONE + 1; k < ERR_KIND_COUNT; k++)
                if (!lists(codes, err_info((enum err_kind)k)->code))
                        fail_msg("openapi.json does not know '%s'", err_info((enum err_kind)k)->code);
        json_decref(api);
}

TEST(err_set_keeps_kind_errno_and_message_and_says_what_the_errno_means)
{
        struct err e = {.has_pointer = 1, .pointer = "/old"};

        CHECK_INT(err_set(&e, ERR_FULL, ENOSPC, "writing %s", "it"), -1);
        CHECK_INT(e.kind, ERR_FULL);
        CHECK_INT(e.errnum, ENOSPC);
        CHECK_INT(e.has_pointer, 0);
        CHECK_STR(e.pointer, "");
        CHECK_STR(e.msg, "writing it: No space left on device");
        err_set(&e, ERR_INTERNAL, 0, "plain");
        CHECK_STR(e.msg, "plain");
        err_set(&e, ERR_INTERNAL, 99999, "odd");
        CHECK_STR(e.msg, "odd: unknown error");
        CHECK_INT(err_set(NULL, ERR_INTERNAL, 0, "nobody listens"), -1);
}

TEST(err_set_at_names_the_place)
{
        struct err e = {0};

        CHECK_INT(err_set_at(&e, ERR_INVALID, "/argv/0", "is %s", "empty"), -1);
        CHECK_INT(e.has_pointer, 1);
        CHECK_STR(e.pointer, "/argv/0");
        CHECK_STR(e.msg, "is empty");
        CHECK_INT(e.errnum, 0);
}

TEST(err_wrap_says_where_and_keeps_the_rest)
{
        struct err e = {0};

        err_set(&e, ERR_TRY_AGAIN, EAGAIN, "clone3");
        CHECK_INT(err_wrap(&e, "starting %d", 17), -1);
        CHECK_STR(e.msg, "starting 17: clone3: Resource temporarily unavailable");
        CHECK_INT(e.kind, ERR_TRY_AGAIN);
        CHECK_INT(e.errnum, EAGAIN);
}

TEST(a_message_that_is_too_long_is_cut_and_ends)
{
        struct err e = {0};
        char text[2000];

        memset(text, 'x', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        err_set(&e, ERR_INTERNAL, ENOENT, "%s", text);
        CHECK_INT(strlen(e.msg), sizeof(e.msg) - 1);
        err_wrap(&e, "%s", text);
        CHECK_INT(strlen(e.msg), sizeof(e.msg) - 1);
        err_set_at(&e, ERR_INVALID, text, "%s", text);
        CHECK_INT(strlen(e.pointer), sizeof(e.pointer) - 1);
}

/* They quote what others wrote, and are printed. */
TEST(a_message_is_one_line_without_control_characters)
{
        struct err e = {0};

        err_set(&e, ERR_INVALID, 0, "not a '%s'", "\x1b[2J\nevent=forged\x7f\xc3\xa4");
        CHECK_STR(e.msg, "not a '?[2J?event=forged?\xc3\xa4'");
        err_wrap(&e, "a\tb");
        CHECK_STR(e.msg, "a?b: not a '?[2J?event=forged?\xc3\xa4'");
        err_set_at(&e, ERR_INVALID, "/a\nb", "%s", "\r");
        CHECK_STR(e.msg, "?");
        CHECK_STR(e.pointer, "/a\nb"); /* it must name the place as it is; JSON escapes it */
}

TEST(the_names_of_errnos_go_there_and_back)
{
        CHECK_STR(err_errno_name(ENOENT), "ENOENT");
        CHECK_STR(err_errno_name(0x7fff), "E?");
        CHECK_INT(err_errno_parse("EACCES"), EACCES);
        CHECK_INT(err_errno_parse("EHWPOISON"), EHWPOISON);
        CHECK_INT(err_errno_parse("ENOTHING"), 0);
        CHECK_INT(err_errno_parse(""), 0);
        for (int i = 1; i <= EHWPOISON; i++)
                if (strcmp(err_errno_name(i), "E?") != 0)
                        CHECK_INT(err_errno_parse(err_errno_name(i)), i);
}

TEST_MAIN("err")
