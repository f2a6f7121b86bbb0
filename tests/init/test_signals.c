/* SPDX-License-Identifier: MIT */
/* tests/init/test_signals.c: what signals mean to creche-init, and how it slows down who dies too often. */
#pragma GCC diagnostic ignored "-Wunused-function" /* a part of the rig is enough here */
#include "init_rig.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

TEST(sigterm_is_forwarded_once_and_not_before_creched_is_ready)
{
        init_started((struct launch){0});
        kill(fix.init, SIGTERM);
        hears_nothing();
        tell(ZOMBIE_READY, 0);
        gets_signal(SIGTERM);
        tell(ZOMBIE_READY, 0);
        hears_nothing();
        kill(fix.init, SIGTERM);
        gets_signal(SIGTERM);
        hears_nothing();
}

TEST(sigint_and_sighup_are_forwarded_as_they_are)
{
        init_started((struct launch){0});
        tell(ZOMBIE_READY, 0);
        hears_nothing();
        kill(fix.init, SIGHUP);
        gets_signal(SIGHUP);
        kill(fix.init, SIGINT);
        gets_signal(SIGINT);
        hears_nothing();
}

TEST(sighup_is_not_repeated_to_the_creched_that_it_brought)
{
        init_started((struct launch){0});
        kill(fix.init, SIGHUP);
        hears_nothing();
        tell(ZOMBIE_READY, 0);
        gets_signal(SIGHUP);
        creched_exits(75);
        creched_awaited();
        tell(ZOMBIE_READY, 0);
        hears_nothing();
}

TEST(a_stop_is_asked_of_the_next_creched_when_the_first_is_killed)
{
        init_started((struct launch){0});
        tell(ZOMBIE_READY, 0);
        hears_nothing();
        kill(fix.init, SIGTERM);
        gets_signal(SIGTERM);
        kill(fix.creched, SIGKILL);
        creched_awaited();
        hears_nothing();
        tell(ZOMBIE_READY, 0);
        gets_signal(SIGTERM);
        creched_exits(0);
        assert_int_equal(init_status(), 0);
}

TEST(a_creched_that_dies_whenever_it_has_got_ready_is_slowed_down)
{
        int64_t died_ms = 0;

        init_started((struct launch){0});
        for (int i = 0; i < 5; i++) {
                tell(ZOMBIE_READY, 0);
                hears_nothing();
                died_ms = now_ms();
                kill(fix.creched, SIGKILL);
                creched_awaited();
        }
        assert_in_range(now_ms() - died_ms, 50 - 2, PATIENCE_MS);
}

/* Such as a bad upgrade, which has become creched in place. */
TEST(a_creched_that_has_served_and_fails_is_started_again_unless_it_was_told_to_stop)
{
        init_started((struct launch){0});
        for (int status = 1; status < 128; status += 126) {
                tell(ZOMBIE_READY, 0);
                hears_nothing();
                creched_exits(status);
                creched_awaited();
        }
        tell(ZOMBIE_READY, 0);
        hears_nothing();
        kill(fix.init, SIGTERM);
        gets_signal(SIGTERM);
        creched_exits(4);
        assert_int_equal(init_status(), W_EXITCODE(4, 0));
}

TEST(sighup_to_creche_init_is_an_upgrade_and_waits_for_no_back_off)
{
        init_started((struct launch){0});
        for (int i = 0; i < 8; i++) {
                tell(ZOMBIE_READY, 0);
                hears_nothing();
                kill(fix.init, SIGHUP);
                gets_signal(SIGHUP);
                creched_exits(75);
                creched_awaited();
        }
        assert_int_equal(said("status=75 "), 8);
        assert_int_equal(said(" delay_ms=0\n"), 8);
}

TEST(after_a_while_of_service_a_creched_that_dies_is_restarted_at_once)
{
        int64_t died_ms;

        init_started((struct launch){0});
        tell(ZOMBIE_READY, 0);
        hears_nothing();
        for (int i = 0; i < 6; i++) {
                kill(fix.creched, SIGKILL);
                creched_awaited();
        }
        kill(fix.init, SIGALRM); /* the while is over: this is how it tells itself */
        tell(ZOMBIE_PEEK, getpid());
        hears(ZOMBIE_GONE, getpid());
        died_ms = now_ms();
        kill(fix.creched, SIGKILL); /* 1.6 s otherwise */
        creched_awaited();
        assert_in_range(now_ms() - died_ms, 0, 1500);
}

/* A fault of its own still kills it: the kernel lets nobody block that. */
TEST(a_signal_that_means_nothing_does_nothing)
{
        init_started((struct launch){0});
        tell(ZOMBIE_READY, 0);
        hears_nothing();
        for (int i = 0; i < 50; i++)
                for (int sig = 1; sig <= SIGRTMAX;
                     sig = sig == SIGSYS ? SIGRTMIN : sig + 1) /* libc's are its own */
                        if (sig != SIGKILL && sig != SIGSTOP && sig != SIGTERM && sig != SIGINT &&
                            sig != SIGHUP)
                                kill(fix.init, sig);
        hears_nothing();
        hears_end(child_of_creched(ORDER_ORPHAN, 5), CLD_EXITED, 5);
        kill(fix.init, SIGTERM);
        gets_signal(SIGTERM);
        creched_exits(0);
        assert_int_equal(init_status(), 0);
}

#define RIGGED(name) cmocka_unit_test_setup_teardown(name, rig_up, rig_down)

int main(int argc, char **argv)
{
        static const struct CMUnitTest tests[] = {
                RIGGED(sigterm_is_forwarded_once_and_not_before_creched_is_ready),
                RIGGED(sigint_and_sighup_are_forwarded_as_they_are),
                RIGGED(sighup_is_not_repeated_to_the_creched_that_it_brought),
                RIGGED(a_stop_is_asked_of_the_next_creched_when_the_first_is_killed),
                RIGGED(a_creched_that_dies_whenever_it_has_got_ready_is_slowed_down),
                RIGGED(a_creched_that_has_served_and_fails_is_started_again_unless_it_was_told_to_stop),
                RIGGED(sighup_to_creche_init_is_an_upgrade_and_waits_for_no_back_off),
                RIGGED(after_a_while_of_service_a_creched_that_dies_is_restarted_at_once),
                RIGGED(a_signal_that_means_nothing_does_nothing),
        };
        const char *build = getenv("BUILD");
        char relative[2048];

        if (argc == 2 && getenv("CRECHE_INIT_FD"))
                return puppet();

        (void)argv;
        snprintf(relative, sizeof relative, "%s/creche-init", build ? build : "build");
        if (!realpath(relative, creche_init)) {
                perror(relative);
                return 2;
        }
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
