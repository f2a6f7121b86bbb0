/* SPDX-License-Identifier: MIT */
/* tests/unit/test_tags.c: whose each leaf is. */
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "start/tags.h"

/* In the place of the directory of leaves: any that takes attributes. */
static int folder(const char *name)
{
        int fd;

        CHECK(mkdir(test_path(name), 0700) == 0 || errno == EEXIST);
        fd = open(test_path(name), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        CHECK(fd >= 0);
        return fd;
}

static struct tags *opened(int leaves)
{
        struct tags *t = NULL;
        struct err e = {0};

        MUST(tags_open(test_dir_fd(), "tags", leaves, &t, &e));
        return t;
}

TEST(a_tag_is_there_after_who_wrote_it_was_killed)
{
        int leaves = folder("leaves"), status;
        struct tags *t;
        pid_t pid = fork();

        if (pid == 0) {
                t = opened(leaves);
                tags_set(t, 3, 17);
                tags_set(t, 4, INT64_MAX);
                raise(SIGKILL);
        }
        CHECK_INT(waitpid(pid, &status, 0), pid);
        t = opened(leaves);
        CHECK_INT(tags_get(t, 3), 17);
        CHECK(tags_get(t, 4) == INT64_MAX);
        CHECK_INT(tags_get(t, 5), 0);
        CHECK_INT(tags_set(t, 3, 0), 0);
        CHECK_INT(tags_get(t, 3), 0);
        tags_close(t);
        close(leaves);
}

TEST(there_is_room_for_as_many_as_there_are_leaves)
{
        int leaves = folder("leaves");
        struct tags *t = opened(leaves);
        uint32_t room = tags_room(t);
        struct stat st;

        CHECK_INT(tags_get(t, room), 0);
        CHECK_INT(tags_set(t, 1, 11), 0);
        CHECK_INT(tags_set(t, room * 5, 12), 0);
        CHECK(tags_room(t) > room * 5);
        CHECK_INT(tags_get(t, 1), 11);
        CHECK_INT(stat(test_path("tags"), &st), 0);
        CHECK(st.st_blocks * 512 >=
              (int64_t)tags_room(t) * 8); /* none of it is to be found on the disk only later */
        CHECK_INT(tags_set(t, UINT32_MAX, 13), -1);
        tags_close(t);
        t = opened(leaves);
        CHECK_INT(tags_get(t, 1), 11);
        CHECK_INT(tags_get(t, room * 5), 12);
        CHECK_INT(tags_get(t, UINT32_MAX), 0);
        tags_close(t);
        close(leaves);
}

/* As cp and mv do: what is in it stays, and it is another file. */
static void copy_over(const char *name)
{
        static char bytes[1 << 20];
        CLEANUP(closep) int from = open(test_path(name), O_RDONLY | O_CLOEXEC);
        ssize_t n = read(from, bytes, sizeof(bytes));

        CHECK(n > 0);
        test_write(test_path("copy"), 0600, bytes, (size_t)n);
        CHECK_INT(rename(test_path("copy"), test_path(name)), 0);
}

TEST(the_tags_of_other_leaves_and_a_copy_of_ours_are_forgotten)
{
        int leaves = folder("leaves"), others = folder("others");
        struct tags *t = opened(leaves);

        tags_set(t, 3, 17);
        tags_close(t);
        t = opened(others);
        CHECK_INT(tags_get(t, 3), 0);
        tags_set(t, 3, 18);
        tags_close(t);
        copy_over("tags");
        t = opened(others);
        CHECK_INT(tags_get(t, 3), 0);
        tags_close(t);
        close(leaves);
        close(others);
}

TEST(a_file_that_was_made_anew_in_the_place_of_ours_has_no_tags)
{
        static char bytes[1 << 20];
        int leaves = folder("leaves");
        struct tags *t = opened(leaves);
        struct stat st;
        FILE *f;

        tags_set(t, 3, 17);
        tags_close(t);
        CHECK_INT(stat(test_path("tags"), &st), 0);
        f = fopen(test_path("tags"), "re");
        CHECK_INT(fread(bytes, 1, sizeof(bytes), f), st.st_size);
        fclose(f);
        usleep(20000); /* clocks of file systems are coarse */
        /* Most file systems give it the number of the one that is gone. */
        CHECK_INT(unlink(test_path("tags")), 0);
        test_write(test_path("tags"), 0600, bytes, (size_t)st.st_size);
        t = opened(leaves);
        CHECK_INT(tags_get(t, 3), 0);
        tags_close(t);
        close(leaves);
}

TEST(what_cannot_be_marked_has_no_tags)
{
        struct tags *t = NULL;
        struct err e = {0};

        CHECK_FAILS(tags_open(test_dir_fd(), "tags", -1, &t, &e), ERR_INTERNAL);
        CHECK_NULL(t);
}

TEST_MAIN("tags")
