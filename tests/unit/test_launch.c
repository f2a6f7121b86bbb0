/* SPDX-License-Identifier: MIT */
/* tests/unit/test_launch.c: what a child is given, before there is one; and as whom it shall run. */
#include "test.h"

#include <grp.h>
#include <pwd.h>

#include "base/cleanup.h"
#include "start/account.h"
#include "start/launch.h"

static struct account root_account = {.uid = 0, .name = "root", .home = "/root", .shell = "/bin/bash"};

static void launch_freep(struct launch **l)
{
        launch_free(*l);
}

static struct launch *launched(char **argv, char **env, const char *const *ours)
{
        static const char *const none[] = {NULL};
        struct spec spec = {.argv = argv, .env = env, .umask = 027, .out = OUTPUT_LOG, .err = OUTPUT_STDOUT};
        struct launch_context c = {.account = &root_account,
                                   .env = ours ? ours : none,
                                   .cwd = "/cwd",
                                   .out_path = "/o",
                                   .err_path = "/e"};
        struct launch *l = launch_new(&spec, &c);

        assert_non_null(l);
        launch_relocate(l);
        return l;
}

static void check_list(char **list, const char *const *wanted)
{
        size_t i;

        for (i = 0; wanted[i]; i++) {
                if (!list[i])
                        fail_msg("'%s' is missing", wanted[i]);
                CHECK_STR(list[i], wanted[i]);
        }
        if (list[i])
                fail_msg("'%s' is too much", list[i]);
}

TEST(arguments_are_exactly_those_of_the_request)
{
        static char longest[SPEC_ARGUMENT_MAX + 1];
        const char *argv[] = {"/bin/x", "", "two words", "new\nline", "\"'\\", "\xff\xfe", longest, NULL};
        CLEANUP(launch_freep) struct launch *l = NULL;

        memset(longest, 'a', sizeof(longest) - 1);
        l = launched((char **)argv, NULL, NULL);
        check_list(l->argv.list, argv);
        check_list(l->paths.list, (const char *const[]){"/bin/x", NULL});
        CHECK_STR(l->cwd.text, "/cwd");
        CHECK_STR(l->out_path.text, "/o");
        CHECK_STR(l->err_path.text, "/e");
        CHECK_INT(l->umask, 027);
        CHECK_INT(l->out, OUTPUT_LOG);
        CHECK_INT(l->err, OUTPUT_STDOUT);
}

TEST(a_launch_points_nowhere_but_into_itself)
{
        const char *argv[] = {"sh", "-c", "x", NULL};
        CLEANUP(launch_freep) struct launch *l = launched((char **)argv, NULL, NULL);
        const char *all[64];
        size_t n = 0;

        for (char **s = l->argv.list; *s; s++)
                all[n++] = *s;
        for (char **s = l->envp.list; *s; s++)
                all[n++] = *s;
        for (char **s = l->paths.list; *s; s++)
                all[n++] = *s;
        all[n++] = l->cwd.text;
        for (size_t i = 0; i < n; i++)
                CHECK(all[i] > (char *)l && all[i] + strlen(all[i]) < (char *)l + l->size);

        launch_relocate(l); /* a second time does nothing */
        CHECK_STR(l->argv.list[0], "sh");
}

TEST(a_launch_may_be_copied_elsewhere_before_it_is_relocated)
{
        const char *argv[] = {"sh", "-c", NULL};
        static const char *const none[] = {NULL};
        struct spec spec = {.argv = (char **)argv};
        struct launch_context c = {.account = &root_account, .env = none, .cwd = "/"};
        struct launch *l = launch_new(&spec, &c), *copy = malloc(l->size);

        memcpy(copy, l, l->size);
        launch_free(l);
        launch_relocate(copy);
        CHECK_STR(copy->argv.list[1], "-c");
        CHECK_NULL(copy->out_path.text);
        launch_free(copy);
}

/* A launch, not relocated, in which 8 bytes at @at are @value. */
static bool is_sound_with(size_t at, uint64_t value)
{
        const char *argv[] = {"sh", "-c", NULL};
        static const char *const none[] = {NULL};
        struct spec spec = {.argv = (char **)argv};
        struct launch_context c = {.account = &root_account, .env = none, .cwd = "/"};
        struct launch *l = launch_new(&spec, &c);
        size_t size = l->size;
        bool sound;

        CHECK(launch_is_sound(l, size));
        CHECK(!launch_is_sound(l, size - 1));
        CHECK(!launch_is_sound(l, sizeof(*l) - 1));
        memcpy((char *)l + at, &value, sizeof(value));
        sound = launch_is_sound(l, size);
        l->size = size;
        launch_free(l);
        return sound;
}

TEST(a_launch_that_points_out_of_itself_is_not_sound)
{
        static const size_t lists[] = {offsetof(struct launch, argv), offsetof(struct launch, envp),
                                       offsetof(struct launch, paths)};
        static const size_t texts[] = {offsetof(struct launch, cwd), offsetof(struct launch, log_root),
                                       offsetof(struct launch, out_path), offsetof(struct launch, err_path)};

        for (int i = 0; i < 3; i++) {
                CHECK(!is_sound_with(lists[i], 0));
                CHECK(!is_sound_with(lists[i], sizeof(struct launch) + 1));
                CHECK(!is_sound_with(lists[i], 1 << 20));
                CHECK(!is_sound_with(lists[i], UINT64_MAX - 7));
        }
        for (int i = 0; i < 4; i++) {
                CHECK_INT(is_sound_with(texts[i], 0), i > 0); /* there is a working directory */
                CHECK(!is_sound_with(texts[i], 1 << 20));
                CHECK(!is_sound_with(texts[i], UINT64_MAX));
        }
        CHECK(!is_sound_with(sizeof(struct launch), 1 << 20)); /* the first string of argv */
        CHECK(!is_sound_with(sizeof(struct launch), 0));       /* there is none */
}

TEST(a_launch_whose_log_is_not_below_the_folder_of_logs_is_not_sound)
{
        static const char *const none[] = {NULL}, *const paths[] = {"/s/logs/1", "/s", "/st/1", ""};
        const char *argv[] = {"sh", NULL};

        for (int i = 0; i < 8; i++) {
                struct spec spec = {.argv = (char **)argv,
                                    .out = i % 2 ? OUTPUT_LOG : OUTPUT_NULL,
                                    .err = i % 2 ? OUTPUT_NULL : OUTPUT_LOG};
                struct launch_context c = {.account = &root_account,
                                           .env = none,
                                           .cwd = "/",
                                           .log_root = "/s",
                                           .out_path = i % 2 ? paths[i / 2] : "",
                                           .err_path = i % 2 ? "" : paths[i / 2]};
                struct launch *l = launch_new(&spec, &c);

                CHECK_INT(launch_is_sound(l, l->size), i < 2);
                launch_free(l);
        }
}

/* What is in two lists would be relocated twice. */
TEST(a_launch_whose_lists_overlap_is_not_sound)
{
        CHECK(!is_sound_with(offsetof(struct launch, envp), sizeof(struct launch)));
        CHECK(!is_sound_with(offsetof(struct launch, paths), sizeof(struct launch) + 8));
}

TEST(a_launch_that_counts_beyond_its_places_is_not_sound)
{
        CHECK(!is_sound_with(offsetof(struct launch, size), 7));
        CHECK(!is_sound_with(offsetof(struct launch, relocated), 1));
        CHECK(!is_sound_with(offsetof(struct launch, no_new_privs), 2));
        CHECK(!is_sound_with(offsetof(struct launch, limits_last), 2));
        CHECK(!is_sound_with(offsetof(struct launch, umask), 01000));
        CHECK(!is_sound_with(offsetof(struct launch, out), OUTPUT_COUNT));
        CHECK(!is_sound_with(offsetof(struct launch, out), (uint64_t)OUTPUT_COUNT << 32));
        CHECK(!is_sound_with(offsetof(struct launch, groups_n), ACCOUNT_GROUPS_MAX + 1));
        CHECK(!is_sound_with(offsetof(struct launch, rlimits_n), SPEC_RLIMITS_MAX + 1));
        CHECK(!is_sound_with(offsetof(struct launch, oom_score_adj), UINT64_MAX));
}

TEST(a_program_without_a_slash_is_looked_for_along_path)
{
        const char *argv[] = {"tool", NULL}, *env[] = {"PATH=/a:/b/c::/d", NULL};
        CLEANUP(launch_freep) struct launch *l = launched((char **)argv, (char **)env, NULL);

        check_list(l->paths.list, (const char *const[]){"/a/tool", "/b/c/tool", "./tool", "/d/tool", NULL});
}

TEST(path_may_be_one_folder_or_end_in_a_colon_or_be_empty)
{
        static const struct {
                const char *path, *wanted[4];
        } table[] = {
                {"PATH=/a", {"/a/tool"}},
                {"PATH=/a:", {"/a/tool", "./tool"}},
                {"PATH=:/a", {"./tool", "/a/tool"}},
                {"PATH=", {"./tool"}},
        };
        const char *argv[] = {"tool", NULL};

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                const char *env[] = {table[i].path, NULL};
                CLEANUP(launch_freep) struct launch *l = launched((char **)argv, (char **)env, NULL);

                check_list(l->paths.list, table[i].wanted);
        }
}

TEST(a_program_with_a_slash_is_not_looked_for)
{
        const char *argv[] = {"./tool", NULL}, *env[] = {"PATH=/a:/b", NULL};
        CLEANUP(launch_freep) struct launch *l = launched((char **)argv, (char **)env, NULL);

        check_list(l->paths.list, (const char *const[]){"./tool", NULL});
}

TEST(an_element_of_path_that_is_too_long_is_left_out)
{
        static char path[6000] = "PATH=/a:";
        const char *argv[] = {"tool", NULL}, *env[] = {path, NULL};
        CLEANUP(launch_freep) struct launch *l = NULL;

        memset(path + 8, 'x', 5000);
        strcpy(path + 5008, ":/b");
        l = launched((char **)argv, (char **)env, NULL);
        check_list(l->paths.list, (const char *const[]){"/a/tool", "/b/tool", NULL});
}

TEST(the_environment_is_ours_then_the_requests_then_the_defaults)
{
        const char *argv[] = {"x", NULL}, *env[] = {"HOME=/elsewhere", "A=1", "LANG=", NULL};
        const char *ours[] = {"CRECHE_ID=17", "CRECHE_URL=u", NULL};
        CLEANUP(launch_freep) struct launch *l = launched((char **)argv, (char **)env, ours);

        check_list(l->envp.list,
                   (const char *const[]){"CRECHE_ID=17", "CRECHE_URL=u", "HOME=/elsewhere", "A=1", "LANG=",
                                         "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                         "USER=root", "LOGNAME=root", "SHELL=/bin/bash", NULL});
}

TEST(a_name_that_only_begins_like_a_default_does_not_replace_it)
{
        const char *argv[] = {"x", NULL}, *env[] = {"PATHS=x", "HOMER=y", "USE=z", NULL};
        CLEANUP(launch_freep) struct launch *l = launched((char **)argv, (char **)env, NULL);
        int found = 0;

        for (char **s = l->envp.list; *s; s++)
                found += !strncmp(*s, "PATH=", 5) || !strncmp(*s, "HOME=", 5) || !strncmp(*s, "USER=", 5);
        CHECK_INT(found, 3);
}

TEST(who_is_not_root_has_no_sbin_in_its_path)
{
        const char *argv[] = {"x", NULL};
        static const char *const none[] = {NULL};
        struct account a = {.uid = 1000,
                            .gid = 1000,
                            .name = "u",
                            .home = "/h",
                            .shell = "/s",
                            .switches = true,
                            .groups = {1000, 27},
                            .groups_n = 2};
        struct spec spec = {.argv = (char **)argv};
        struct launch_context c = {.account = &a, .env = none, .cwd = "/"};
        CLEANUP(launch_freep) struct launch *l = launch_new(&spec, &c);

        launch_relocate(l);
        check_list(l->envp.list,
                   (const char *const[]){"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/h", "USER=u",
                                         "LOGNAME=u", "SHELL=/s", "LANG=C.UTF-8", NULL});
        CHECK(l->has_ids);
        CHECK_INT(l->uid, 1000);
        CHECK_INT(l->groups_n, 2);
        CHECK_INT(l->groups[1], 27);
}

TEST(no_user_and_no_group_is_the_daemon_itself)
{
        struct account a;
        struct err e = {0};

        MUST(account_resolve(NULL, NULL, &a, &e));
        CHECK(!a.switches);
        CHECK_INT(a.uid, geteuid());
        CHECK_INT(a.gid, getegid());
        CHECK(*a.home == '/');
}

TEST(a_user_that_does_not_exist_is_refused_by_name)
{
        struct account a;
        struct err e;

        CHECK_FAILS(account_resolve("no-such-user", NULL, &a, &e), ERR_INVALID);
        CHECK_STR(e.pointer, "/user");
        CHECK_FAILS(account_resolve(NULL, "no-such-group", &a, &e), ERR_INVALID);
        CHECK_STR(e.pointer, "/group");
        CHECK_FAILS(account_resolve("4294967295", "0", &a, &e), ERR_INVALID); /* (uid_t)-1 means "leave it" */
        CHECK_FAILS(account_resolve("12x", NULL, &a, &e), ERR_INVALID);
        CHECK_FAILS(account_resolve("", NULL, &a, &e), ERR_INVALID);
        CHECK_FAILS(account_resolve("1234567", NULL, &a, &e), ERR_INVALID); /* not in passwd: which group? */
}

TEST(root_may_name_a_user_a_number_or_a_group)
{
        const struct passwd *pw = getpwnam("nobody");
        struct account a;
        struct err e = {0};

        if (geteuid() != 0 || !pw)
                skip();
        MUST(account_resolve("nobody", NULL, &a, &e));
        CHECK(a.switches);
        CHECK_INT(a.uid, pw->pw_uid);
        CHECK_INT(a.gid, pw->pw_gid);
        CHECK_INT(a.groups[0], pw->pw_gid);
        MUST(account_resolve("1234567", "7654321", &a, &e));
        CHECK_INT(a.uid, 1234567);
        CHECK_INT(a.gid, 7654321);
        CHECK_STR(a.home, "/");
        MUST(account_resolve(NULL, "1", &a, &e));
        CHECK_INT(a.uid, 0);
        CHECK_INT(a.gid, 1);
        CHECK(a.switches);
}

TEST(who_is_not_root_may_name_itself_and_nobody_else)
{
        const struct passwd *pw = getpwnam("nobody");
        struct account a;
        struct err e = {0};

        if (geteuid() != 0 || !pw)
                skip();
        CHECK_INT(seteuid(pw->pw_uid), 0);
        CHECK_FAILS(account_resolve("root", NULL, &a, &e), ERR_INVALID);
        CHECK_STR(e.pointer, "/user");
        CHECK_FAILS(account_resolve(NULL, "1", &a, &e), ERR_INVALID);
        CHECK_STR(e.pointer, "/group");
        e = (struct err){0};
        MUST(account_resolve("nobody", "0", &a, &e)); /* its own group, for now */
        CHECK_INT(a.uid, pw->pw_uid);
        CHECK(!a.switches);
        CHECK_INT(seteuid(0), 0);
}

TEST(a_daemon_whose_user_is_in_no_passwd_goes_by_its_number)
{
        struct account a;
        struct err e = {0};

        if (geteuid() != 0)
                skip();
        CHECK_INT(seteuid(1234567), 0);
        MUST(account_resolve(NULL, NULL, &a, &e));
        CHECK_INT(seteuid(0), 0);
        CHECK_INT(a.uid, 1234567);
        CHECK_STR(a.name, "1234567");
        CHECK_STR(account_directory(&a), "/");
        CHECK(!a.switches);
}

static struct launch *launch_to_break(void)
{
        static const char *const argv[] = {"sh", "-c", "true", NULL};
        static const char *const env[] = {"CRECHE_ID=17", NULL};
        struct spec spec = {.argv = (char **)argv, .umask = 022};
        struct account a;
        struct launch_context c = {
                .account = &a, .env = env, .cwd = "/", .out_path = "/out", .err_path = "/err"};
        struct err e = {0};

        MUST(account_resolve(NULL, NULL, &a, &e));
        return launch_new(&spec, &c);
}

TEST(a_launch_that_we_have_made_is_sound)
{
        struct launch *l = launch_to_break();

        CHECK(launch_is_sound(l, l->size));
        launch_relocate(l);
        CHECK(!launch_is_sound(l, l->size)); /* pointers are nobody else's business */
        launch_free(l);
}

TEST(a_launch_that_is_cut_off_anywhere_is_not_sound)
{
        struct launch *l = launch_to_break();

        for (size_t n = 0; n < l->size; n++) {
                struct launch *cut = malloc(n ? n : 1);

                memcpy(cut, l, n);
                CHECK(!launch_is_sound(cut, n));
                if (n >= sizeof(*cut)) { /* and says so itself */
                        cut->size = n;
                        CHECK(!launch_is_sound(cut, n));
                }
                free(cut);
        }
        launch_free(l);
}

/* The address sanitizer sees what a reader of a launch that was found to be sound reads outside of it. */
TEST(whatever_is_found_to_be_sound_can_be_relocated_and_read)
{
        uint64_t seed = 7;

        for (int i = 0; i < 20000; i++) {
                struct launch *l = launch_to_break();
                size_t size = l->size, total = 0;

                for (unsigned n = test_random(&seed) % 4; n <= 4; n++) {
                        uint64_t value = test_random(&seed) % 3 ? test_random(&seed) % (2 * size)
                                                                : UINT64_MAX - test_random(&seed) % 16;

                        memcpy((char *)l + test_random(&seed) % (size / 8) * 8, &value, sizeof(value));
                }
                if (launch_is_sound(l, size)) {
                        launch_relocate(l);
                        for (char **list = l->argv.list; *list; list++)
                                total += strlen(*list);
                        for (char **list = l->paths.list; *list; list++)
                                total += strlen(*list);
                        total += strlen(l->cwd.text) + (l->out_path.text ? strlen(l->out_path.text) : 0);
                        CHECK(total < size * size);
                }
                free(l);
        }
}

TEST_MAIN("launch")
