/* SPDX-License-Identifier: MIT */
/* tests/unit/test_cgroup.c: where our control group is, and what its files say. The files are ordinary ones. */
#include "start/cgroup.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "start/leaves.h"
#include "test.h"

#define UNIFIED "35 25 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"

static const char *directory(const char *line, const char *membership)
{
        static char out[PATH_MAX];

        return cgroup_directory(line, membership, out, sizeof(out)) == 0 ? out : "none";
}

TEST(our_group_is_below_the_mount_of_version_2)
{
        CHECK_STR(directory(UNIFIED, "0::/system.slice/creche.service\n"),
                  "/sys/fs/cgroup/system.slice/creche.service");
        CHECK_STR(directory(UNIFIED, "0::/\n"), "/sys/fs/cgroup");
        CHECK_STR(directory("41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n",
                            "9:name=systemd:/x\n4:memory:/y/0::z\n0::/a\n"),
                  "/sys/fs/cgroup/unified/a");
}

TEST(a_mount_that_shows_a_part_of_the_hierarchy_is_taken_for_that_part)
{
        const char *line = "35 25 0:30 /docker/1 /cg rw - cgroup2 cgroup2 rw\n";

        CHECK_STR(directory(line, "0::/docker/1/inner\n"), "/cg/inner");
        CHECK_STR(directory(line, "0::/docker/1\n"), "/cg");
        CHECK_STR(directory(line, "0::/docker/10\n"), "none");
        CHECK_STR(directory(line, "0::/\n"), "none");
}

TEST(there_is_no_group_of_ours_where_there_is_none)
{
        CHECK_STR(directory("33 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n", "0::/a\n"),
                  "none");
        CHECK_STR(directory("33 31 0:29 / /a\\040b rw - cgroup2 cgroup2 rw\n", "0::/a\n"), "none");
        CHECK_STR(directory("nonsense", "0::/a\n"), "none");
        CHECK_STR(directory(UNIFIED, "4:memory:/a\n"), "none");
        CHECK_STR(directory(UNIFIED, ""), "none");
        /* Outside of our cgroup namespace. */
        CHECK_STR(directory(UNIFIED, "0::/../other\n"), "none");
}

static void put(const char *name, const char *text)
{
        int fd = open(test_path(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        CHECK(fd >= 0);
        CHECK_INT(fd_write_all(fd, text, strlen(text)), 0);
        close(fd);
}

static int fake_group(void)
{
        CHECK_INT(mkdir(test_path("g"), 0700), 0);
        put("g/cgroup.events", "populated 0\nfrozen 0\n");
        put("g/memory.events", "low 0\nhigh 0\nmax 7\noom 1\noom_kill 0\noom_group_kill 0\n");
        put("g/memory.max", "max\n");
        return open(test_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

TEST(the_kernel_counts_whom_it_has_killed_for_want_of_memory)
{
        int fd = fake_group();

        CHECK_INT(cgroup_oom_kills(fd, "g"), 0);
        put("g/memory.events", "low 0\nhigh 0\nmax 7\noom 1\noom_kill 12\noom_group_kill 3\n");
        CHECK_INT(cgroup_oom_kills(fd, "g"), 12);
        unlink(test_path("g/memory.events"));
        CHECK_INT(cgroup_oom_kills(fd, "g"), -1);
        close(fd);
}

TEST(a_group_is_as_good_as_new_when_nothing_is_left_of_whom_it_was)
{
        int fd = fake_group(), group = openat(fd, "g", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int events = openat(group, "cgroup.events", O_RDONLY | O_CLOEXEC);

        CHECK_INT(cgroup_state(events), CGROUP_EMPTY);
        CHECK_INT(cgroup_state(events), CGROUP_EMPTY);
        CHECK(cgroup_is_untouched(group, true));
        CHECK(!cgroup_is_populated(fd, "g"));
        put("g/cgroup.events", "populated 1\nfrozen 0\n");
        CHECK_INT(cgroup_state(events), CGROUP_POPULATED);
        CHECK(cgroup_is_populated(fd, "g"));
        put("g/cgroup.events", "populated 0\nfrozen 1\n");
        CHECK_INT(cgroup_state(events), CGROUP_UNUSABLE);
        put("g/cgroup.events", "");
        CHECK_INT(cgroup_state(events), CGROUP_UNUSABLE);
        CHECK_INT(cgroup_state(-1), CGROUP_UNUSABLE);
        put("g/memory.max", "16777216\n");
        CHECK(!cgroup_is_untouched(group, true));
        CHECK(cgroup_is_untouched(group, false));
        put("g/memory.max", "max\n");
        put("g/memory.events", "low 0\nhigh 0\nmax 7\noom 1\noom_kill 1\noom_group_kill 0\n");
        CHECK(!cgroup_is_untouched(group, true));
        CHECK_INT(mkdir(test_path("g/inner"), 0700), 0);
        CHECK(!cgroup_is_untouched(group, false));
        CHECK(!cgroup_is_untouched(-1, false));
        close(events);
        close(group);
        close(fd);
}

static enum cgroup_state state_as_of(const char *events)
{
        CLEANUP(closep) int fd = memfd_create("events", MFD_CLOEXEC);

        CHECK_INT(write(fd, events, strlen(events)), strlen(events));
        return cgroup_state(fd);
}

TEST(the_state_of_a_group_is_read_by_its_lines)
{
        CHECK_INT(state_as_of("populated 0\nfrozen 0\n"), CGROUP_EMPTY);
        CHECK_INT(state_as_of("populated 1\nfrozen 0\n"), CGROUP_POPULATED);
        CHECK_INT(state_as_of("populated 1\nfrozen 1\n"), CGROUP_POPULATED);
        CHECK_INT(state_as_of("populated 0\nfrozen 1\n"), CGROUP_UNUSABLE);
        CHECK_INT(state_as_of(""), CGROUP_UNUSABLE);
        /* By a kernel that says more, or less. */
        CHECK_INT(state_as_of("populated 0\nfrozen 0\nlater 1\n"), CGROUP_EMPTY);
        CHECK_INT(state_as_of("populated 0\n"), CGROUP_EMPTY);
}

TEST(a_controller_is_listed_as_a_word)
{
        int fd = open(test_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        put("c", "cpuset cpu io memory_x hugetlb\n");
        CHECK(!cgroup_lists(fd, "c", "memory"));
        CHECK(cgroup_lists(fd, "c", "cpu"));
        put("c", "cpu memory\n");
        CHECK(cgroup_lists(fd, "c", "memory"));
        CHECK(!cgroup_lists(fd, "none", "memory"));
        close(fd);
}

TEST(memory_is_shared_with_the_groups_in_a_group_where_it_is_there_to_be_shared)
{
        int fd = open(test_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        CHECK(!cgroup_share_memory(fd));
        put("cgroup.controllers", "cpu io\n");
        put("cgroup.subtree_control", "cpu\n");
        CHECK(!cgroup_share_memory(fd));
        put("cgroup.controllers", "cpu io memory\n");
        CHECK(cgroup_share_memory(fd));
        CHECK_STR(test_read(test_path("cgroup.subtree_control")),
                  "+memory"); /* a kernel adds what it is told */
        put("cgroup.controllers", "");
        put("cgroup.subtree_control", "cpu memory\n");
        CHECK(cgroup_share_memory(fd));
        CHECK_STR(test_read(test_path("cgroup.subtree_control")), "cpu memory\n");
        unlink(test_path("cgroup.subtree_control"));
        put("cgroup.controllers", "memory\n");
        CHECK(!cgroup_share_memory(fd));
        close(fd);
}

TEST(a_group_goes_with_the_groups_in_it_unless_one_is_in_use)
{
        int fd = open(test_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        CHECK(mkdir(test_path("g"), 0700) == 0 && mkdir(test_path("g/a"), 0700) == 0);
        CHECK(mkdir(test_path("g/a/b"), 0700) == 0 && mkdir(test_path("g/c"), 0700) == 0);
        put("g/c/used", ""); /* as good as a process: the directory cannot be removed */
        CHECK_INT(cgroup_remove(fd, "g"), -1);
        CHECK_INT(access(test_path("g/a"), F_OK), -1);
        CHECK_INT(access(test_path("g/c/used"), F_OK), 0);
        unlink(test_path("g/c/used"));
        CHECK_INT(cgroup_remove(fd, "g"), 0);
        CHECK_INT(access(test_path("g"), F_OK), -1);
        CHECK_INT(cgroup_remove(fd, "g"), 0);
        close(fd);
}

TEST(to_kill_a_group_the_kernel_is_asked_and_only_if_somebody_is_in_it)
{
        int fd = fake_group();

        put("g/cgroup.kill", "");
        CHECK(!cgroup_signal(fd, "g", SIGKILL, 0));
        CHECK_STR(test_read(test_path("g/cgroup.kill")), "");
        put("g/cgroup.events", "populated 1\nfrozen 0\n");
        CHECK(cgroup_signal(fd, "g", SIGKILL, 0));
        CHECK_STR(test_read(test_path("g/cgroup.kill")), "1");
        close(fd);
}

enum { CROWD = 150 };

static void fork_crowd(pid_t *pids, int n)
{
        for (int i = 0; i < n; i++) {
                pids[i] = fork();
                if (pids[i] == 0)
                        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody behind */
                while (pids[i] == 0)
                        pause();
        }
}

static void list_pids(const char *name, const pid_t *pids, int n)
{
        char text[CROWD * 12] = "";
        size_t len = 0;

        for (int i = 0; i < n; i++)
                len += (size_t)snprintf(text + len, sizeof(text) - len, "%d\n", pids[i]);
        put(name, text);
}

TEST(a_signal_reaches_all_in_a_group_and_beneath_but_the_one_who_is_excepted_and_nobody_else)
{
        pid_t pids[CROWD], stranger;
        int fd = fake_group(), status;

        fork_crowd(pids, CROWD);
        fork_crowd(&stranger, 1);
        CHECK(!cgroup_signal(fd, "g", SIGTERM, 0)); /* its cgroup.procs cannot be read */
        CHECK(!cgroup_signal(fd, "none", SIGTERM, 0));
        CHECK_INT(mkdir(test_path("g/in"), 0700), 0);
        list_pids("g/cgroup.procs", pids, CROWD - 1);
        list_pids("g/in/cgroup.procs", pids + CROWD - 1, 1);
        CHECK(cgroup_signal(fd, "g", SIGTERM, pids[0]));
        for (int i = 1; i < CROWD; i++) {
                CHECK_INT(waitpid(pids[i], &status, 0), pids[i]);
                CHECK_INT(status, SIGTERM);
        }
        list_pids("g/cgroup.procs", pids, 1);
        unlink(test_path("g/in/cgroup.procs"));
        CHECK(!cgroup_signal(fd, "g", SIGTERM, pids[0]));
        kill(pids[0], SIGKILL);
        kill(stranger, SIGKILL);
        CHECK_INT(waitpid(pids[0], &status, 0), pids[0]);
        CHECK_INT(status, SIGKILL);
        CHECK_INT(waitpid(stranger, &status, 0), stranger);
        CHECK_INT(status, SIGKILL);
        close(fd);
}

TEST(where_there_are_no_leaves_nothing_happens)
{
        CHECK_INT(leaves_claim(NULL, 1), -1);
        leaves_ended(NULL, 1, true);
        leaves_sweep(NULL, NULL, NULL);
        CHECK_INT(leaves_fd(NULL), -1);
        CHECK(!leaves_populated(NULL, 1));
        CHECK(!leaves_signal(NULL, 1, 9, 0));
        CHECK_INT(leaves_oom(NULL, 1), -1);
        CHECK(!leaves_tell_oom(NULL));
        leaves_close(NULL);
}

TEST_MAIN("cgroup")
