/* SPDX-License-Identifier: MIT */
/* tests/seam/test_groups.c: a signal to a control group, whose members come and go meanwhile. The group is a
 * directory with ordinary files. */
#include "seam.h"
#include "test.h"

#include <sys/prctl.h>
#include <sys/wait.h>

#include "start/cgroup.h"

static pid_t sleeper(void)
{
        pid_t pid = fork();

        if (pid == 0)
                prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody behind */
        while (pid == 0)
                pause();
        return pid;
}

static void list_member(pid_t pid)
{
        char text[16];
        int n = snprintf(text, sizeof(text), "%d\n", pid);

        test_write(test_path("g/cgroup.procs"), 0600, text, (size_t)n);
}

static int group_of(pid_t pid)
{
        seam_reset();
        CHECK_INT(mkdir(test_path("g"), 0700), 0);
        list_member(pid);
        return open(test_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int killed_by(pid_t pid)
{
        int status = -1;

        CHECK_INT(waitpid(pid, &status, 0), pid);
        return status;
}

/* Between cgroup.procs and pidfd_open(): it has ended, and a stranger has its number. */
static void becomes_a_stranger(const struct seam_call *call, void *arg)
{
        (void)call;
        if (arg)
                unlink(test_path("g/cgroup.procs"));
        else
                test_write(test_path("g/cgroup.procs"), 0600, "", 0);
}

TEST(a_stranger_who_gets_the_pid_of_a_member_is_not_signalled)
{
        pid_t stranger = sleeper();
        int fd = group_of(stranger);

        seam_before("pidfd_open", becomes_a_stranger, NULL);
        CHECK(!cgroup_signal(fd, "g", SIGTERM, 0));
        list_member(stranger);
        seam_before("pidfd_open", becomes_a_stranger, &fd); /* the group itself is gone */
        CHECK(!cgroup_signal(fd, "g", SIGTERM, 0));
        CHECK_INT(seam_count("pidfd_open"), 2);
        CHECK_INT(seam_count("pidfd_send_signal"), 0);
        kill(stranger, SIGKILL);
        CHECK_INT(killed_by(stranger), SIGKILL);
        close(fd);
        seam_reset();
}

struct newcomer {
        pid_t pids[2];
        bool come;
};

static void forks(const struct seam_call *call, void *arg)
{
        struct newcomer *n = arg;
        char text[32];
        int len;

        (void)call;
        if (n->come)
                return;
        n->come = true;
        n->pids[1] = sleeper();
        len = snprintf(text, sizeof(text), "%d\n%d\n", n->pids[0], n->pids[1]);
        test_write(test_path("g/cgroup.procs"), 0600, text, (size_t)len);
}

TEST(who_is_forked_while_a_group_is_told_to_end_is_told_too_and_nobody_twice)
{
        struct newcomer n = {.pids = {sleeper()}};
        int fd = group_of(n.pids[0]);

        seam_after("pidfd_send_signal", forks, &n);
        CHECK(cgroup_signal(fd, "g", SIGTERM, 0));
        CHECK(n.come);
        CHECK_INT(seam_count("pidfd_send_signal"), 2);
        CHECK_INT(killed_by(n.pids[0]), SIGTERM);
        CHECK_INT(killed_by(n.pids[1]), SIGTERM);
        close(fd);
        seam_reset();
}

TEST(a_group_that_takes_no_clone_is_found_out)
{
        int fd = open(test_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        seam_reset();
        CHECK(!cgroup_takes_clones(fd)); /* it is no group */
        seam_fail("clone3", 1, EINVAL);
        CHECK(!cgroup_takes_clones(fd));
        CHECK_INT(seam_count("clone3"), 2);
        CHECK_INT(seam_count("waitid_reap"), 0);
        close(fd);
        seam_reset();
}

TEST_MAIN("groups")
