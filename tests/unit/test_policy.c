/* SPDX-License-Identifier: MIT */
/* The policy of privilege separation: what is taken for one, and what it allows. For root only: nobody else can make
 * a file of root's. */
#include "test.h"

#include <grp.h>
#include <pwd.h>

#include "start/policy.h"

static void require_root(void)
{
        if (geteuid() == 0)
                return;
        print_message("# not root: a policy is root's, its rules were NOT tested\n");
        skip();
}

static const char *written(const char *text, mode_t mode)
{
        const char *path = test_path("policy.json");

        test_write(path, mode, text, strlen(text));
        return path;
}

static int read_at(const char *path, struct policy *p, struct err *e)
{
        int fd = policy_open(path, e), rc;

        if (fd < 0)
                return -1;
        rc = policy_read(fd, p, e);
        close(fd);
        return rc;
}

/* The policy that @text says, of a daemon that is games. */
static struct policy policy_of(const char *text)
{
        const struct passwd *games = getpwnam("games");
        struct policy p;
        struct err e = {0};

        MUST(read_at(written(text, 0644), &p, &e));
        p.own_uid = games->pw_uid;
        p.own_gid = games->pw_gid;
        return p;
}

/* Whether @p lets something run as these. */
static bool allows(const struct policy *p, const char *user, const char *group)
{
        struct account a;
        struct err e = {0};
        int rc;

        MUST(account_resolve(user, group, &a, &e));
        rc = policy_check(p, &a, &e);
        CHECK(rc == 0 || e.kind == ERR_POLICY);
        return rc == 0;
}

TEST(a_policy_that_others_can_write_to_is_refused)
{
        struct policy p;
        struct err e = {0};

        require_root();
        CHECK_FAILS(read_at(written("{\"users\": []}", 0664), &p, &e), ERR_INVALID);
        CHECK_FAILS(read_at(written("{\"users\": []}", 0646), &p, &e), ERR_INVALID);
        e = (struct err){0};
        MUST(read_at(written("{\"users\": []}", 0600), &p, &e));
}

TEST(a_policy_of_somebody_elses_is_refused)
{
        struct policy p;
        struct err e = {0};

        require_root();
        CHECK_INT(chown(written("{\"users\": []}", 0644), 1, 0), 0);
        CHECK_FAILS(read_at(test_path("policy.json"), &p, &e), ERR_INVALID);
}

TEST(a_policy_in_a_folder_that_others_can_change_is_refused)
{
        struct policy p;
        struct err e = {0};

        require_root();
        written("{\"users\": []}", 0644);
        CHECK_INT(chmod(test_dir(), 0777), 0);
        CHECK_FAILS(read_at(test_path("policy.json"), &p, &e), ERR_INVALID);
        CHECK_INT(chmod(test_dir(), 0700), 0);
        CHECK_INT(chown(test_dir(), 1, 1), 0);
        CHECK_FAILS(read_at(test_path("policy.json"), &p, &e), ERR_INVALID);
        CHECK_INT(chown(test_dir(), 0, 0), 0);
}

TEST(a_link_a_fifo_and_nothing_are_no_policy)
{
        struct policy p;
        struct err e = {0};

        require_root();
        CHECK_INT(symlink(written("{\"users\": []}", 0644), test_path("link")), 0);
        CHECK_FAILS(read_at(test_path("link"), &p, &e), ERR_INVALID);
        CHECK_INT(mkfifo(test_path("fifo"), 0600), 0);
        CHECK_FAILS(read_at(test_path("fifo"), &p, &e), ERR_INVALID);
        CHECK_FAILS(read_at(test_path("nothing"), &p, &e), ERR_NOT_FOUND);
        CHECK_FAILS(read_at(test_path("no/folder"), &p, &e), ERR_NOT_FOUND);
}

TEST(what_is_not_understood_is_refused)
{
        static const char *const wrong[] = {
                "",
                "{",
                "[]",
                "{}",
                "{\"users\": \"nobody\"}",
                "{\"users\": [true]}",
                "{\"users\": [\"no-such-user\"]}",
                "{\"users\": [-1]}",
                "{\"users\": [4294967295]}",
                "{\"users\": [], \"users\": []}",
                "{\"users\": [], \"user\": []}",
                "{\"users\": [], \"groups\": [\"no-such-group\"]}",
                "{\"users\": [], \"groups\": {}}",
                "{\"users\": [], \"root\": 1}",
                "{\"users\": [], \"raise_limits\": \"yes\"}",
                "{\"users\": [], \"executables\": [\"sh\"]}",
                "{\"users\": [], \"executables\": \"/bin/sh\"}",
                "{\"users\": []} more",
        };
        struct policy p;
        struct err e = {0};

        require_root();
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
                if (read_at(written(wrong[i], 0644), &p, &e) == 0 || e.kind != ERR_INVALID)
                        fail_msg("taken for a policy: %s", wrong[i]);
}

TEST(a_policy_allows_whom_it_lists_and_the_daemon_itself)
{
        struct policy p;

        require_root();
        p = policy_of("{\"users\": [\"nobody\", 1234567]}");
        CHECK(allows(&p, "nobody", NULL));
        CHECK(allows(&p, "games", NULL));
        CHECK(!allows(&p, "daemon", NULL));
        CHECK(!allows(&p, "1234567", "7654321")); /* whose group is nobody's */
        CHECK(!allows(&p, "root", NULL));
}

TEST(a_policy_allows_the_groups_of_the_user_and_those_that_it_lists)
{
        struct policy p;

        require_root();
        p = policy_of("{\"users\": [\"nobody\", 1234567], \"groups\": [\"video\", 7654321]}");
        CHECK(allows(&p, "nobody", "nogroup"));
        CHECK(allows(&p, "nobody", "video"));
        CHECK(allows(&p, "1234567", "7654321"));
        CHECK(!allows(&p, "nobody", "games"));
        CHECK(!allows(&p, "nobody", "root"));
        CHECK(!allows(&p, "games", "daemon"));
}

TEST(root_is_allowed_only_when_the_policy_says_so_twice)
{
        struct policy p;

        require_root();
        p = policy_of("{\"users\": [\"root\", \"nobody\"], \"groups\": [0]}");
        CHECK(!allows(&p, "root", NULL));
        CHECK(!allows(&p, "nobody", "root"));
        CHECK(!policy_may_signal(&p, 0));
        p = policy_of("{\"users\": [\"nobody\"], \"root\": true}");
        CHECK(!allows(&p, "root", NULL));
        CHECK(!policy_may_signal(&p, 0));
        p = policy_of("{\"users\": [\"root\"], \"root\": true}");
        CHECK(allows(&p, "root", NULL));
        CHECK(policy_may_signal(&p, 0));
}

TEST(executables_are_any_or_those_that_are_listed)
{
        struct policy p;

        require_root();
        p = policy_of("{\"users\": []}");
        CHECK(policy_may_execute(&p, "/bin/sh"));
        p = policy_of("{\"users\": [], \"executables\": [\"/bin/true\"]}");
        CHECK(policy_may_execute(&p, "/bin/true"));
        CHECK(!policy_may_execute(&p, "/bin/sh"));
        CHECK(!policy_may_execute(&p, "bin/true"));
        policy_done(&p);
}

TEST_MAIN("policy")
