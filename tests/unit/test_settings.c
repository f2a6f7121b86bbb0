/* SPDX-License-Identifier: MIT */
/* tests/unit/test_settings.c: what can be set, how it is said, and what counts. */
#include "test.h"

#include <getopt.h>

#include "daemon/config.h"
#include "settings/settings.h"

#define FILE_NAME "creche.ini"

static void write_file(const char *text)
{
        char path[128];
        FILE *f;

        snprintf(path, sizeof(path), "%s/creche", test_dir());
        mkdir(path, 0700);
        snprintf(path, sizeof(path), "%s/creche/" FILE_NAME, test_dir());
        f = fopen(path, "we");
        CHECK(f && fputs(text, f) >= 0);
        fclose(f);
        setenv("XDG_CONFIG_HOME", test_dir(), 1);
}

/* What is wrong with @text, without the name of the file; "": nothing. */
static const char *refusal(const char *text)
{
        static struct err e;
        struct settings s = {.complain = NULL};
        int rc;

        write_file(text);
        CHECK_INT(settings_begin(&s, &e), 0);
        rc = settings_read_path(&s, s.files[ORIGIN_USER_FILE], ORIGIN_USER_FILE, false, &e);
        settings_done(&s);
        return rc ? strstr(e.msg, FILE_NAME) : "";
}

static struct settings read_settings(const char *text, const char *option)
{
        struct settings s = {.complain = NULL};
        struct err e = {0};

        write_file(text);
        CHECK_INT(settings_begin(&s, &e), 0);
        CHECK_INT(settings_read_files(&s, false, &e), 0);
        CHECK_INT(settings_read_variables(&s, SECTION_CRECHED, &e), 0);
        if (option)
                CHECK_INT(settings_option(&s, SECTION_CRECHED, CRECHED_LISTEN, option, &e), 0);
        return s;
}

static void check_listen(const char *text, const char *option, const char *value, const char *origin)
{
        struct settings s = read_settings(text, option);
        struct strbuf b = {0};

        CHECK_STR(settings_text(&s, SECTION_CRECHED, CRECHED_LISTEN), value);
        settings_add_origin(&s, SECTION_CRECHED, CRECHED_LISTEN, &b);
        CHECK(strlen(strbuf_text(&b)) >= strlen(origin));
        CHECK_STR(strbuf_text(&b) + b.len - strlen(origin), origin);
        strbuf_done(&b);
        settings_done(&s);
}

TEST(an_option_goes_before_a_variable_before_a_file_before_the_default)
{
        static const char text[] = "[creched]\n\nlisten = h:3\n";

        unsetenv("CRECHE_LISTEN");
        check_listen("", NULL, "127.0.0.1:7117", "default");
        check_listen(text, NULL, "h:3", "/creche/creche.ini:3");
        setenv("CRECHE_LISTEN", "h:2", 1);
        check_listen(text, NULL, "h:2", "CRECHE_LISTEN");
        check_listen(text, "h:1", "h:1", "--listen");
        unsetenv("CRECHE_LISTEN");
}

TEST(what_was_said_more_directly_is_not_overridden_by_what_is_read_later)
{
        struct settings s = read_settings("", "h:1");
        struct err e;

        write_file("[creched]\nlisten = h:3\n");
        CHECK_INT(settings_read_files(&s, false, &e), 0);
        CHECK_STR(settings_text(&s, SECTION_CRECHED, CRECHED_LISTEN), "h:1");
        settings_done(&s);
}

TEST(what_is_wrong_is_told_with_its_line)
{
        CHECK_STR(refusal("[creched]\n# x\nlisten = 7\n"), "creche.ini:3: listen: not a HOST:PORT|none: '7'");
        CHECK_STR(refusal("[creched]\nlisen = none\n"), "creche.ini:2: there is no 'lisen' in [creched]");
        CHECK_STR(refusal("listen = none\n"),
                  "creche.ini:1: 'listen' stands before any section: [creche] or [creched]");
        CHECK_STR(refusal("[creched]\nlisten = none\n\nlisten = none\n"),
                  "creche.ini:4: listen: given twice, first in line 2");
        CHECK_STR(refusal("[creched]\nlisten\n"), "creche.ini:2: neither [SECTION] nor KEY = VALUE");
        CHECK_STR(refusal("[creche]\nurl = x\nsocket = /s\n"),
                  "creche.ini:3: socket and url exclude each other");
        CHECK_STR(refusal("[creche] x\n"), "creche.ini:1: what is that, behind [creche]?");
}

TEST(a_section_without_keys_that_there_is_not_is_refused_too)
{
        CHECK_STR(refusal("\n[crech]\n"),
                  "creche.ini:2: no section of this file: '[crech]': there are [creche] and "
                  "[creched]");
        CHECK_STR(refusal("[creche\n"),
                  "creche.ini:1: no section of this file: '[creche': there are [creche] and "
                  "[creched]");
}

TEST(of_several_mistakes_the_first_in_the_file_is_told)
{
        CHECK_STR(refusal("[creched]\nfoo\nlisten = 7\n"), "creche.ini:2: neither [SECTION] nor KEY = VALUE");
        CHECK_STR(refusal("[creched]\nlisten = 7\nfoo\n"), "creche.ini:2: listen: not a HOST:PORT|none: '7'");
}

TEST(in_a_file_a_path_begins_with_a_slash_and_a_token_does_not_stand)
{
        CHECK_STR(refusal("[creched]\ntls-key = k\n"),
                  "creche.ini:2: tls-key: not a path that begins with a '/': 'k'");
        CHECK_STR(refusal("[creche]\ntoken = secret\n"),
                  "creche.ini:2: token: is not read from a file like this one: say token-file = FILE");
}

TEST(a_line_is_taken_whole_or_refused)
{
        char text[512] = "[creched]\nstate-dir = /";

        memset(text + strlen(text), 'x', 300);
        CHECK_STR(refusal(text), "creche.ini:2: longer than 198 bytes, or with a NUL in it");
        text[10 + 198] = '\0';
        CHECK_STR(refusal(text), "");
}

TEST(an_indented_line_is_a_line_by_itself)
{
        CHECK_STR(refusal("[creched]\nlisten = none\n  user = a\n"), "");
        CHECK_STR(refusal("[creched]\nlisten = none\n  more\n"),
                  "creche.ini:3: neither [SECTION] nor KEY = VALUE");
}

TEST(comments_byte_order_marks_and_carriage_returns_are_no_part_of_a_value)
{
        unsetenv("CRECHE_LISTEN");
        check_listen("\xef\xbb\xbf[creched]\r\nlisten = h:3 ; mine\r\n# x\r\n", NULL, "h:3", ":2");
}

TEST(a_file_that_is_none_is_refused)
{
        struct settings s = {.complain = NULL};
        struct err e;

        CHECK_INT(settings_begin(&s, &e), 0);
        CHECK_INT(settings_read_path(&s, "/nowhere/creche.ini", ORIGIN_USER_FILE, false, &e), 1);
        CHECK_INT(settings_read_path(&s, "/dev", ORIGIN_USER_FILE, false, &e), -1);
        CHECK_STR(e.msg, "/dev: not a file");
        settings_done(&s);
}

TEST(creche_asks_where_creched_is_set_to_listen)
{
        struct settings s = read_settings("[creched]\nsocket = /of/creched\n", NULL);

        unsetenv("CRECHE_SOCKET");
        CHECK_STR(settings_text(&s, SECTION_CRECHE, CRECHE_SOCKET), "/of/creched");
        settings_done(&s);
        s = read_settings("[creched]\nsocket = /of/creched\n[creche]\nsocket = /mine\n", NULL);
        CHECK_STR(settings_text(&s, SECTION_CRECHE, CRECHE_SOCKET), "/mine");
        settings_done(&s);
}

/* ------------------------------------------------------------------------------------------ the table */

TEST(every_default_is_a_value)
{
        struct err e;

        for (int section = 0; section < SECTIONS; section++)
                for (int i = 0; i < setting_lists[section].n; i++) {
                        const struct setting *s = &setting_lists[section].settings[i];

                        CHECK(s->name && s->help && *s->help);
                        if (s->fallback)
                                CHECK_INT(setting_check(s, s->fallback, s->name, &e), 0);
                }
}

TEST(the_defaults_are_those_that_the_server_is_tested_with)
{
        static const struct limits limits = LIMITS_DEFAULT;
        static struct config c;
        char *argv[] = {(char *)"creched", NULL};
        struct err e;

        CHECK_INT(config_read(1, argv, false, &c, &e), 0);
        CHECK(!memcmp(&c.limits, &limits, sizeof(limits)));
        CHECK_INT(c.log_level, LOG_INFO);
        CHECK(c.stop_timeout_us == -1 && !c.policy_given && !c.insecure_http && !c.keep.ended_us);
}

/* Another value than the default. */
static const char *other_value(const struct setting *s)
{
        switch (s->kind) {
        case SETTING_PATH: return "/other";
        case SETTING_ADDRESS: return "other:1";
        case SETTING_NAME: return "other";
        case SETTING_YES: return "yes";
        case SETTING_WORD: return "debug";
        case SETTING_NUMBER:
        case SETTING_TIME:
        case SETTING_LIMIT:
        case SETTING_COUNT:
        case SETTING_AGE: return "77777";
        case SETTING_URL:
        case SETTING_SECRET:
        case SETTING_SWITCH: break;
        }
        return NULL;
}

TEST(every_setting_of_creched_arrives)
{
        static struct config before, after;

        for (int i = 0; i < CRECHED_SETTINGS; i++) {
                const struct setting *s = &setting_lists[SECTION_CRECHED].settings[i];
                bool tls = i >= CRECHED_TLS_CERT && i <= CRECHED_TLS_CLIENT_CA;
                char option[64];
                char *argv[] = {(char *)"creched", (char *)"--tls-cert=/c", (char *)"--tls-key=/k", option,
                                NULL};
                char *usual[] = {(char *)"creched", (char *)"--tls-cert=/c", (char *)"--tls-key=/k", NULL};
                struct err e;

                CHECK(tls || other_value(s));
                snprintf(option, sizeof(option), "--%s=%s", s->name, other_value(s));
                optind = 0;
                CHECK_INT(config_read(3, usual, false, &before, &e), 0);
                optind = 0;
                CHECK_INT(config_read(4, argv, false, &after, &e), 0);
                if (!memcmp(&before, &after, sizeof(before)))
                        fail_msg("--%s changes nothing", s->name);
        }
}

TEST(variables_are_called_like_options)
{
        char variable[VARIABLE_MAX];

        setting_variable(&setting_lists[SECTION_CRECHED].settings[CRECHED_KEEP_ENDED_COUNT], variable);
        CHECK_STR(variable, "CRECHE_KEEP_ENDED_COUNT");
}

TEST(an_empty_variable_is_none_to_creche_and_wrong_to_creched)
{
        struct settings s = {.complain = NULL};
        struct err e;

        CHECK_INT(settings_begin(&s, &e), 0);
        setenv("CRECHE_URL", "", 1);
        CHECK_INT(settings_read_variables(&s, SECTION_CRECHE, &e), 0);
        setenv("CRECHE_TLS_CLIENT_CA", "", 1);
        CHECK_INT(settings_read_variables(&s, SECTION_CRECHED, &e), -1);
        CHECK_STR(e.msg, "CRECHE_TLS_CLIENT_CA: not a FILE: ''");
        unsetenv("CRECHE_URL");
        unsetenv("CRECHE_TLS_CLIENT_CA");
        settings_done(&s);
}

TEST(what_goes_together_is_checked_together)
{
        struct settings s = read_settings("[creched]\ntls-cert = /c\n", NULL);
        struct err e;

        CHECK_INT(settings_check_creched(&s, &e), -1);
        CHECK_STR(e.msg, "no tls-key: tls-cert and tls-key go together");
        settings_done(&s);
}

TEST_MAIN("settings")
