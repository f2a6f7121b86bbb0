/* SPDX-License-Identifier: MIT */
/* tests/unit/test_leaves.c: the control groups of processes, in the real hierarchy. */
#include "start_rig.h"

#include <sys/resource.h>
#include <sys/xattr.h>

#include "start/cgroup.h"
#include "start/leaves.h"

static const char *sleeps[] = {"sleep", "1000", NULL};

/* Where the leaves are. */
static const char *place(void)
{
        return test_read(test_path("cgroup"));
}

static bool is_there(const char *leaf)
{
        char path[PATH_MAX];

        snprintf(path, sizeof(path), "%s/%s", place(), leaf);
        return access(path, F_OK) == 0;
}

/* Leaves of this test alone; where there can be none it is skipped. */
static struct leaves *open_leaves_of(pid_t test)
{
        struct leaves *l = NULL;
        struct err e = {0};
        char name[32];

        snprintf(name, sizeof(name), "test-%d", test);
        if (leaves_open(test_dir_fd(), name, NULL, &l, &e) == 1) {
                print_message("# no cgroup2 hierarchy that may be written to: not tested\n");
                skip();
        }
        return l;
}

static struct leaves *open_leaves(void)
{
        return open_leaves_of(getpid());
}

/* For a start that does not come. */
static bool claimed(struct leaves *l, int64_t id)
{
        bool has = leaves_claim(l, id) >= 0;

        leaves_cloned(l, id);
        return has;
}

/* Starts one that sleeps in a leaf of its own. */
static struct start_result start_in(struct rig *r, struct leaves *l, int64_t id)
{
        struct spec spec = plain(sleeps);
        struct err e = {0};

        r->cgroup = leaves_claim(l, id);
        CHECK(r->cgroup >= 0);
        MUST(start(r, START_SPAWN, &spec, -1, &e));
        leaves_cloned(l, id);
        journal_release(r->journal, r->slot);
        return r->result;
}

static void ends(const struct start_result *who, int signo)
{
        siginfo_t si = {0};

        CHECK_INT(waitid(P_PIDFD, (id_t)who->pidfd, &si, WEXITED), 0);
        CHECK_INT(si.si_status, signo);
        close(who->pidfd);
}

static void killed(const struct start_result *who)
{
        kill(who->pid, SIGKILL);
        ends(who, SIGKILL);
}

/* Until the kernel has told of a leaf that it may be empty, and again until @leaf is gone. */
static void await_gone(struct leaves *l, const char *leaf)
{
        struct pollfd p = {.fd = leaves_fd(l), .events = POLLIN};

        while (is_there(leaf)) {
                poll(&p, 1, -1);
                leaves_event(l);
        }
}

TEST(each_process_has_a_leaf_of_its_own_also_when_their_ids_fall_together)
{
        struct start_result a, b;
        struct leaves *l = open_leaves();
        struct rig r;

        rig_begin(&r);
        a = start_in(&r, l, 1);
        b = start_in(&r, l, 1 + 4096);
        CHECK(leaves_populated(l, 1) && leaves_populated(l, 1 + 4096) && !leaves_populated(l, 1 + 2 * 4096));
        CHECK(!leaves_signal(l, 1 + 2 * 4096, SIGTERM, 0));
        CHECK(leaves_signal(l, 1, SIGTERM, 0));
        ends(&a, SIGTERM);
        leaves_ended(l, 1, false);
        CHECK(!leaves_populated(l, 1) && leaves_populated(l, 1 + 4096));
        CHECK(leaves_signal(l, 1 + 4096, SIGKILL, 0));
        ends(&b, SIGKILL);
        leaves_ended(l, 1 + 4096, true);
        leaves_close(l);
        CHECK_INT(access(place(), F_OK), -1);
        rig_end(&r);
}

TEST(a_leaf_with_survivors_goes_when_the_last_of_them_has_ended)
{
        struct start_result a, b;
        struct leaves *l = open_leaves();
        struct rig r;

        rig_begin(&r);
        a = start_in(&r, l, 1);
        b = start_in(&r, l, 2);
        leaves_ended(l, 1, false); /* who is in them now was left behind */
        leaves_ended(l, 2, false);
        leaves_ended(l, 2, false);
        CHECK(is_there("1") && is_there("2"));
        killed(&b);
        await_gone(l, "2");
        CHECK(is_there("1") && leaves_populated(l, 1));
        killed(&a);
        await_gone(l, "1");
        leaves_close(l);
        CHECK_INT(access(place(), F_OK), -1);
        rig_end(&r);
}

static bool is_second(int64_t id, void *arg)
{
        (void)arg;
        return id == 2;
}

TEST(the_leaves_of_a_daemon_that_died_are_its_successors_and_those_whose_process_has_ended_go)
{
        struct start_result a, b;
        struct leaves *dead = open_leaves(), *l;
        struct rig r;

        rig_begin(&r);
        a = start_in(&r, dead, 1);
        b = start_in(&r, dead, 2);
        killed(&a);
        leaves_close(dead); /* not all of them are empty: they stay, as after a SIGKILL */
        CHECK(is_there("1") && is_there("2"));
        l = open_leaves();
        CHECK(leaves_populated(l, 2));
        leaves_sweep(l, is_second, NULL);
        CHECK(!is_there("1") && is_there("2"));
        CHECK(leaves_signal(l, 2, SIGKILL, 0));
        ends(&b, SIGKILL);
        leaves_ended(l, 2, true);
        leaves_close(l);
        CHECK_INT(access(place(), F_OK), -1);
        rig_end(&r);
}

static void die_with_leaves(void)
{
        struct leaves *l = open_leaves();

        if (!claimed(l, 1))
                _exit(1);
        leaves_ended(l, 1, false);
        _exit(!claimed(l, 2) || !is_there("1") || is_there("2") || !claimed(l, 3));
}

TEST(a_leaf_that_was_used_again_is_its_last_processs_after_a_crash)
{
        pid_t pid = fork();
        struct leaves *l;
        int status;

        if (pid == 0)
                die_with_leaves();
        CHECK_INT(waitpid(pid, &status, 0), pid);
        CHECK_INT(status, 0);
        l = open_leaves_of(pid);
        CHECK(is_there("1") && is_there("2"));
        leaves_sweep(l, is_second, NULL);
        CHECK(is_there("1") && !is_there("2"));
        leaves_close(l);
        unlink(test_path("leaves"));
        l = open_leaves_of(pid); /* and without their tags all are nobody's */
        CHECK(!is_there("1"));
        leaves_close(l);
}

TEST(a_leaf_in_which_its_process_has_made_groups_is_not_used_again)
{
        char path[PATH_MAX];
        struct leaves *l = open_leaves();

        CHECK(claimed(l, 1));
        snprintf(path, sizeof(path), "%s/1/inner", place());
        CHECK_INT(mkdir(path, 0755), 0);
        leaves_ended(l, 1, false);
        CHECK(!is_there("1"));
        leaves_close(l);
}

static int files_open(void)
{
        int n = 0;

        for (int fd = 0; fd < 1024; fd++)
                n += fcntl(fd, F_GETFD) >= 0;
        return n;
}

TEST(the_leaves_that_were_used_last_stay_open_as_far_as_files_suffice)
{
        const struct rlimit few = {.rlim_cur = 160, .rlim_max = 160}; /* ten leaves */
        pid_t pid = fork();
        int status, before;
        struct leaves *l;

        if (pid == 0) {
                setrlimit(RLIMIT_NOFILE, &few);
                l = open_leaves();
                before = files_open();
                for (int64_t id = 1; id <= 30; id++)
                        CHECK(claimed(l, id));
                CHECK_INT(files_open(), before + 20);
                for (int64_t id = 1; id <= 30; id++)
                        leaves_ended(l, id, false);
                CHECK_INT(files_open(), before + 20);
                for (int64_t id = 31; id <= 60; id++)
                        CHECK(claimed(l, id) && !is_there("31"));
                for (int64_t id = 31; id <= 60; id++)
                        leaves_ended(l, id, true);
                CHECK_INT(files_open(), before);
                leaves_close(l);
                _exit(0);
        }
        CHECK_INT(waitpid(pid, &status, 0), pid);
        CHECK_INT(status, 0);
}

TEST(who_cannot_look_at_a_leaf_for_want_of_files_leaves_it_to_its_survivors)
{
        struct leaves *l = open_leaves();
        struct rlimit limit, none;
        struct start_result a;
        struct rig r;

        rig_begin(&r);
        a = start_in(&r, l, 1);
        CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
        /* Then it is no more among those that stay open. */
        for (int64_t id = 2; id < 2 + 300; id++)
                CHECK(claimed(l, id));
        none = (struct rlimit){.rlim_cur = 3, .rlim_max = limit.rlim_max};
        CHECK_INT(setrlimit(RLIMIT_NOFILE, &none), 0);
        leaves_ended(l, 1, false);
        CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
        CHECK(leaves_populated(l, 1));
        CHECK(leaves_signal(l, 1, SIGKILL, 0));
        ends(&a, SIGKILL);
        await_gone(l, "1");
        for (int64_t id = 2; id < 2 + 300; id++)
                leaves_ended(l, id, false);
        leaves_close(l);
        CHECK_INT(access(place(), F_OK), -1);
        rig_end(&r);
}

TEST(leaves_stay_where_survivors_are)
{
        struct start_result a;
        struct leaves *dead = open_leaves(), *l;
        struct err e = {0};
        char old[PATH_MAX];
        struct rig r;

        rig_begin(&r);
        a = start_in(&r, dead, 1);
        leaves_close(dead);
        snprintf(old, sizeof(old), "%s", place());
        MUST(leaves_open(test_dir_fd(), "test-elsewhere", NULL, &l, &e)); /* it would be another place */
        CHECK_STR(place(), old);
        CHECK(leaves_populated(l, 1));
        CHECK(leaves_signal(l, 1, SIGKILL, 0));
        ends(&a, SIGKILL);
        leaves_ended(l, 1, true);
        leaves_close(l);
        CHECK_INT(access(old, F_OK), -1);
        rig_end(&r);
}

TEST(a_leaf_that_somebody_removed_is_not_used_again_and_without_their_place_there_are_none)
{
        char path[PATH_MAX];
        struct leaves *l = open_leaves();

        CHECK(claimed(l, 1));
        leaves_ended(l, 1, false);
        CHECK(is_there("1")); /* idle */
        snprintf(path, sizeof(path), "%s/1", place());
        CHECK_INT(rmdir(path), 0);
        CHECK(claimed(l, 2) && is_there("1") && !is_there("2")); /* anew */
        leaves_ended(l, 2, true);
        CHECK(!is_there("1"));
        CHECK_INT(rmdir(place()), 0);
        CHECK_INT(leaves_claim(l, 3), -1);
        CHECK_INT(leaves_claim(l, 4), -1);
        leaves_close(l);
}

TEST(where_their_directory_cannot_be_made_there_are_no_leaves)
{
        struct leaves *l = NULL;
        struct err e = {0};

        CHECK_INT(leaves_open(test_dir_fd(), "no/such", NULL, &l, &e), 1);
        CHECK_INT(leaves_open(-1, "test-none", NULL, &l, &e), 1);
        CHECK_NULL(l);
}

TEST(what_lies_in_the_place_of_their_tags_is_refused)
{
        struct leaves *l = open_leaves();
        struct err e = {0};

        leaves_close(l);
        unlink(test_path("leaves"));
        CHECK_INT(symlink("elsewhere", test_path("leaves")), 0);
        l = NULL;
        CHECK_FAILS(leaves_open(test_dir_fd(), "test-planted", NULL, &l, &e), ERR_INVALID);
        CHECK_NULL(l);
        CHECK_INT(access(place(), F_OK), -1);
}

static void move_to(const char *group)
{
        char path[PATH_MAX], pid[16];
        int n = snprintf(pid, sizeof(pid), "%d", getpid()), fd;

        snprintf(path, sizeof(path), "%s/cgroup.procs", group);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        CHECK(fd >= 0);
        CHECK_INT(write(fd, pid, (size_t)n), n);
        close(fd);
}

TEST(the_group_above_ours_is_taken_when_that_one_was_delegated)
{
        char home[PATH_MAX - 64], above[PATH_MAX - 32], own[PATH_MAX], base[PATH_MAX];
        struct leaves *l = open_leaves();

        leaves_close(l);
        CHECK_INT(cgroup_base(home, sizeof(home)), 0);
        snprintf(above, sizeof(above), "%s/creche-test-%d", home, getpid());
        snprintf(own, sizeof(own), "%s/main", above);
        CHECK(mkdir(above, 0755) == 0 && mkdir(own, 0755) == 0);
        move_to(own);
        CHECK_INT(cgroup_base(base, sizeof(base)), 0);
        CHECK_STR(base, own);
        CHECK_INT(setxattr(above, "user.delegate", "1", 1, 0), 0);
        CHECK_INT(cgroup_base(base, sizeof(base)), 1);
        CHECK_STR(base, above);
        l = open_leaves();
        CHECK(!strncmp(place(), above, strlen(above)) && strncmp(place(), own, strlen(own)) != 0);
        leaves_close(l);
        CHECK_INT(setxattr(own, "user.delegate", "1", 1, 0), 0); /* ours as well: then it is enough */
        CHECK_INT(cgroup_base(base, sizeof(base)), 0);
        CHECK_STR(base, own);
        move_to(home);
        CHECK(rmdir(own) == 0 && rmdir(above) == 0);
}

int main(int argc, char **argv)
{
        return start_main("leaves", argc, argv);
}
