/* SPDX-License-Identifier: MIT */
/* tests/unit/test_ticks.c: when a process began. */
#include "start_rig.h"

#include <sys/prctl.h>

#include "base/clock.h"
#include "start/ticks.h"

enum { STARTS = 3000, SURE = 20 };

static uint64_t ticks_of_proc(pid_t pid)
{
        struct procfs_stat st;

        CHECK_INT(procfs_stat(pid, &st), 0);
        return st.start_ticks;
}

TEST(the_start_of_each_of_thousands_is_what_proc_says)
{
        static const char *argv[] = {"true", NULL};
        struct spec spec = plain(argv);
        struct err e = {0};
        struct rig r;

        rig_begin(&r);
        for (int i = 0; i < STARTS; i++) {
                /* A zombie has it still. */
                MUST(start(&r,
                           i % 50    ? START_SPAWN
                           : i % 100 ? START_FORK
                                     : START_FORKSERVER,
                           &spec, -1, &e));
                if (r.result.start_ticks != ticks_of_proc(r.result.pid))
                        fail_msg("start %d: %ju is not %ju", i, (uintmax_t)r.result.start_ticks,
                                 (uintmax_t)ticks_of_proc(r.result.pid));
                CHECK_INT(exitcode_of(&r), 0);
        }
        CHECK(!r.starter.ticks.differs);
        CHECK(r.starter.ticks.agreed < STARTS / 2); /* and most of them were not looked up */
        rig_end(&r);
}

/* A child that does nothing, and when it was made. */
static pid_t forked(int64_t *before_us, int64_t *after_us)
{
        pid_t pid;

        *before_us = clock_boot_us();
        pid = fork();
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL); /* when a check fails */
                pause();
                _exit(0);
        }
        *after_us = clock_boot_us();
        return pid;
}

static void end(pid_t pid)
{
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
}

TEST(where_a_kernel_counts_otherwise_it_is_asked_for_ever)
{
        const int64_t wrong_us = 5 * CLOCK_US_PER_S;
        struct ticks t = {0};
        int64_t before, after;

        for (int i = 0; i < SURE; i++) {
                pid_t pid = forked(&before, &after);

                CHECK(ticks_of(&t, pid, before, after) == ticks_of_proc(pid));
                end(pid);
        }
        CHECK(!t.differs);
        /* Once it is sure it is found out by the first start over a tick's end. */
        for (int i = 0; i < SURE; i++) {
                pid_t pid = forked(&before, &after);

                CHECK(ticks_of(&t, pid, before + wrong_us - 20000, after + wrong_us) == ticks_of_proc(pid));
                CHECK(t.differs);
                CHECK(ticks_of(&t, pid, before, after) == ticks_of_proc(pid));
                end(pid);
        }
}

TEST(from_the_beginning_a_kernel_that_counts_otherwise_is_not_believed_otherwise)
{
        struct ticks t = {0};
        int64_t before, after;
        pid_t pid = forked(&before, &after);

        for (int i = 0; i < SURE; i++)
                CHECK(ticks_of(&t, pid, before + CLOCK_US_PER_S, after + CLOCK_US_PER_S) ==
                      ticks_of_proc(pid));
        CHECK(t.differs);
        end(pid);
}

TEST(when_a_tick_ends_during_the_clone_proc_is_asked)
{
        struct ticks t = {.agreed = SURE};
        int64_t before, after;
        pid_t pid = forked(&before, &after);

        CHECK(ticks_of(&t, pid, before - 10000, after) == ticks_of_proc(pid));
        CHECK(ticks_of(&t, pid, before, after + 10000) == ticks_of_proc(pid));
        end(pid);
        CHECK_INT(ticks_of(&t, pid, before - 10000, after), 0); /* nobody knows any more */
        CHECK(!t.differs);
}

TEST(a_long_while_proves_nothing)
{
        struct ticks t = {0};
        int64_t before, after;
        pid_t pid = forked(&before, &after);

        for (int i = 0; i < SURE; i++)
                CHECK(ticks_of(&t, pid, before - 100000, after + 100000) == ticks_of_proc(pid));
        /* Two ticks beside it. */
        CHECK(ticks_of(&t, pid, before + 20000, after + 20000) == ticks_of_proc(pid));
        CHECK(t.differs);
        end(pid);
}

int main(int argc, char **argv)
{
        return start_main("ticks", argc, argv);
}
