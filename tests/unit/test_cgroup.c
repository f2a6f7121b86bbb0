/* SPDX-License-Identifier: MIT */
/* tests/unit/test_cgroup.c: where our control group is, and what its files say. The files are ordinary ones. */
#include "start/cgroup.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

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
        int fd = fake_group();

        CHECK(cgroup_is_pristine(fd, "g", true));
        CHECK(!cgroup_is_populated(fd, "g"));
        put("g/cgroup.events", "populated 1\nfrozen 0\n");
        CHECK(!cgroup_is_pristine(fd, "g", true));
        CHECK(cgroup_is_populated(fd, "g"));
        put("g/cgroup.events", "populated 0\nfrozen 1\n");
        CHECK(!cgroup_is_pristine(fd, "g", true));
        put("g/cgroup.events", "populated 0\nfrozen 0\n");
        put("g/memory.max", "16777216\n");
        CHECK(!cgroup_is_pristine(fd, "g", true));
        CHECK(cgroup_is_pristine(fd, "g", false));
        put("g/memory.max", "max\n");
        put("g/memory.events", "low 0\nhigh 0\nmax 7\noom 1\noom_kill 1\noom_group_kill 0\n");
        CHECK(!cgroup_is_pristine(fd, "g", true));
        CHECK(!cgroup_is_pristine(fd, "none", false));
        close(fd);
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
