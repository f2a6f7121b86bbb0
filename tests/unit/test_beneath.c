/* SPDX-License-Identifier: MIT */
/* tests/unit/test_beneath.c: what is planted in the place of a file is neither followed nor written to. */
#include "test.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "base/beneath.h"
#include "base/cleanup.h"
#include "base/fd.h"

/* What may lie in the place of "f"; the victim is what they lead to. */
static void plant_link(void)
{
        CHECK_INT(symlink("../victim", test_path("d/f")), 0);
}

static void plant_dangling_link(void)
{
        CHECK_INT(symlink("../none", test_path("d/f")), 0);
}

static void plant_hard_link(void)
{
        CHECK_INT(link(test_path("victim"), test_path("d/f")), 0);
}

static void plant_fifo(void)
{
        CHECK_INT(mkfifo(test_path("d/f"), 0600), 0);
}

static void plant_folder(void)
{
        CHECK_INT(mkdir(test_path("d/f"), 0700), 0);
}

static void plant_socket(void)
{
        CLEANUP(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_un a = {.sun_family = AF_UNIX};

        snprintf(a.sun_path, sizeof(a.sun_path), "%s", test_path("d/f"));
        CHECK_INT(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
}

static const struct {
        void (*plant)(void);
        int errnum;
        const char *word; /* of the message */
} planted[] = {
        {plant_link, ELOOP, "symbolic link"},    {plant_dangling_link, ELOOP, "symbolic link"},
        {plant_hard_link, EMLINK, "hard link"},  {plant_fifo, ENOTSUP, "no regular file"},
        {plant_folder, ENOTSUP, "regular file"}, {plant_socket, ENOTSUP, "no regular file"},
};

enum { PLANTED = sizeof(planted) / sizeof(planted[0]) };

TEST(what_is_planted_is_refused_with_its_name_and_what_it_leads_to_is_left_alone)
{
        static const int flags[] = {O_RDONLY, O_WRONLY, O_RDWR | O_CREAT, O_WRONLY | O_CREAT | O_APPEND};
        CLEANUP(closep) int dir = -1;
        struct stat st;

        CHECK_INT(mkdir(test_path("d"), 0700), 0);
        dir = open(test_path("d"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        test_write(test_path("victim"), 0600, "victim", 6);
        for (size_t i = 0; i < PLANTED; i++) {
                struct err e = {0};

                planted[i].plant();
                for (size_t k = 0; k < sizeof(flags) / sizeof(flags[0]); k++) {
                        CHECK_INT(beneath_open_own(dir, "f", flags[k], 0600), -1);
                        CHECK_INT(errno, planted[i].errnum);
                }
                CHECK_INT(beneath_check(dir, "f", &st), -1);
                CHECK_INT(errno, planted[i].errnum);
                CHECK_FAILS(beneath_fail(&e, "opening", "f"), ERR_INVALID);
                if (!strstr(e.msg, planted[i].word))
                        fail_msg("'%s' is not in '%s'", planted[i].word, e.msg);
                CHECK_INT(remove(test_path("d/f")), 0);
        }
        CHECK_STR(test_read(test_path("victim")), "victim");
        CHECK(access(test_path("none"), F_OK) < 0);
}

TEST(a_path_leaves_its_directory_in_no_way)
{
        char absolute[300];

        CHECK_INT(mkdir(test_path("d"), 0700), 0);
        CHECK_INT(mkdir(test_path("elsewhere"), 0700), 0);
        test_write(test_path("elsewhere/f"), 0600, "x", 1);
        CHECK_INT(symlink("elsewhere", test_path("link")), 0);
        snprintf(absolute, sizeof(absolute), "%s", test_path("elsewhere/f"));
        CHECK(beneath_open(test_dir_fd(), "../f", O_RDONLY, 0) < 0 && errno == EXDEV);
        CHECK(beneath_open(test_dir_fd(), absolute, O_RDONLY, 0) < 0 && errno == EXDEV);
        CHECK(beneath_open(test_dir_fd(), "link/f", O_RDONLY, 0) < 0 && errno == ELOOP);
        CHECK(beneath_folder(test_dir_fd(), "link") < 0);
        CHECK(beneath_make(test_dir_fd(), "link") < 0);
}

TEST(a_file_of_ours_is_made_read_and_written)
{
        CLEANUP(closep) int fd = beneath_open_own(test_dir_fd(), "f", O_WRONLY | O_CREAT, 0640);
        struct stat st;
        char buf[8];

        CHECK(fd >= 0);
        CHECK_INT(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        CHECK_INT(fd_write_all(fd, "text", 4), 0);
        CHECK_INT(beneath_check(test_dir_fd(), "f", &st), 0);
        CHECK_INT(st.st_size, 4);
        CHECK_INT(st.st_mode & 07777, 0640);
        CHECK_INT(beneath_read(test_dir_fd(), "f", buf, sizeof(buf)), 4);
        CHECK_STR(buf, "text");
        CHECK_INT(beneath_read(test_dir_fd(), "none", buf, sizeof(buf)), -1);
        CHECK_INT(errno, ENOENT);
}

TEST(a_file_of_another_user_is_not_ours)
{
        struct stat st;

        if (geteuid() != 0)
                skip();
        test_write(test_path("f"), 0600, "x", 1);
        CHECK_INT(chown(test_path("f"), 65534, 65534), 0);
        CHECK_INT(beneath_open_own(test_dir_fd(), "f", O_RDONLY, 0), -1);
        CHECK_INT(errno, EPERM);
        CHECK_INT(beneath_look(test_dir_fd(), "f", &st), 0);
}

TEST(a_root_is_ours_and_closed_to_others_and_no_link)
{
        struct err e = {0};
        struct stat st;
        int fd;

        CHECK_INT(mkdir(test_path("d"), 0755), 0);
        fd = beneath_root(test_path("d"), &e);
        CHECK(fd >= 0);
        CHECK_INT(fstat(fd, &st), 0);
        CHECK_INT(st.st_mode & 07777, 0700);
        close(fd);
        CHECK_INT(symlink("d", test_path("link")), 0);
        CHECK_FAILS(beneath_root(test_path("link"), &e), ERR_INVALID);
        CHECK_FAILS(beneath_root(test_path("none"), &e), ERR_INTERNAL);
        if (geteuid() != 0)
                return;
        CHECK_INT(chown(test_path("d"), 65534, 65534), 0);
        CHECK_FAILS(beneath_root(test_path("d"), &e), ERR_INVALID);
}

int main(int argc, char **argv)
{
        return test_run("beneath", argc, argv);
}
