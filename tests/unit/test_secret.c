/* SPDX-License-Identifier: MIT */
/* tests/unit/test_secret.c: a process that holds secrets leaves no core, whatever its children do. */
#include "start_rig.h"

#include "base/secret.h"

/* Whether a process that has called @before dumps core when it aborts. In a folder of its own, and with no limit. */
static bool dumps(void (*before)(void))
{
        pid_t pid = fork();
        int status = 0;

        if (pid == 0) {
                struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};

                if (chdir(test_path(".")) < 0 || setrlimit(RLIMIT_CORE, &all) < 0)
                        _exit(1);
                if (before)
                        before();
                signal(SIGABRT, SIG_DFL);
                abort();
        }
        waitpid(pid, &status, 0);
        CHECK(WIFSIGNALED(status));
        return WCOREDUMP(status);
}

static void keep_secrets(void)
{
        struct rlimit had;

        secret_process(&had);
}

/* The limit alone, as for one that is not root. */
static void keep_secrets_but_be_dumpable(void)
{
        keep_secrets();
        prctl(PR_SET_DUMPABLE, 1);
}

TEST(a_process_that_holds_secrets_leaves_no_core)
{
        if (!dumps(NULL)) {
                print_message("no process leaves a core here: nothing to be seen\n");
                skip();
        }
        CHECK(!dumps(keep_secrets));
        CHECK(!dumps(keep_secrets_but_be_dumpable));
}

TEST(the_limit_of_before_is_told_and_one_of_nothing_stays)
{
        struct rlimit had, now, saved;

        getrlimit(RLIMIT_CORE, &saved);
        secret_process(&had);
        CHECK_INT(had.rlim_cur, saved.rlim_cur);
        CHECK_INT(had.rlim_max, saved.rlim_max);
        getrlimit(RLIMIT_CORE, &now);
        CHECK_INT(now.rlim_cur, saved.rlim_max ? 1 : 0);
        CHECK_INT(now.rlim_max, saved.rlim_max);
        setrlimit(RLIMIT_CORE, &saved);
        prctl(PR_SET_DUMPABLE, 1);
}

/* It shares our memory until it has its program, and the kernel may make memory dumpable when ids change. */
TEST(a_child_that_becomes_another_user_makes_nobody_dumpable)
{
        const char *argv[] = {"true", NULL};
        struct spec spec = plain(argv);
        struct rlimit had;
        struct err e = {0};
        struct rig r;

        if (geteuid() != 0)
                skip();
        spec.user = spec.group = (char *)"65534";
        rig_begin(&r);
        secret_process(&had);
        for_each_method(m)
        {
                MUST(start(&r, m, &spec, -1, &e));
                CHECK_INT(r.result.stage, STAGE_NONE);
                CHECK_INT(exitcode_of(&r), 0);
                CHECK_INT(prctl(PR_GET_DUMPABLE), 0);
        }
        rig_end(&r);
        setrlimit(RLIMIT_CORE, &had);
        prctl(PR_SET_DUMPABLE, 1);
}

TEST(memory_that_grows_keeps_its_bytes)
{
        char *s = secret_grow(NULL, 0, 4);

        memcpy(s, "abc", 4);
        s = secret_grow(s, 4, 100000);
        CHECK_STR(s, "abc");
        secret_free_all(s);
        secret_free_all(NULL);
        secret_free(NULL, 0);
}

int main(int argc, char **argv)
{
        return start_main("secret", argc, argv);
}
