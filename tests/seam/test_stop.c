/* SPDX-License-Identifier: MIT */
/* Stopping while starts are on their way, and the promises that a start makes to who comes later. */
#include "rig.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "base/sys.h"

TEST(a_start_that_was_let_in_counts_as_active_before_it_has_a_row)
{
        struct rig_gate gate;
        struct rig r;
        struct wait w;
        int64_t ids[4];

        rig_begin(&r);
        wait_init(&w);
        rig_gate_shut(r.registry->store, &gate);
        CHECK_INT(registry_create(r.registry, &rig_operator, rig_spec("read x"), NULL, NULL, &w.ticket), 1);
        CHECK_INT(registry_active(r.registry, ids, 4), 1);
        rig_gate_open(&gate);
        CHECK_INT(wait_for_ticket(&w, 1), ERR_NONE);
        CHECK_INT(registry_active(r.registry, ids, 4), 1);
        rig_end(&r);
}

TEST(a_start_that_is_not_cloned_yet_is_undone_by_a_stop_and_leaves_no_row)
{
        struct rig_gate gate;
        struct rig r;
        struct wait w;
        struct pollfd ended;
        int64_t ids[4];

        rig_begin(&r);
        ended = (struct pollfd){.fd = registry_ended_fd(r.registry), .events = POLLIN};
        wait_init(&w);
        rig_gate_shut(r.registry->store, &gate);
        CHECK_INT(registry_create(r.registry, &rig_operator, rig_spec("read x"), NULL, NULL, &w.ticket), 1);
        registry_stop(r.registry);
        rig_gate_open(&gate);
        CHECK_INT(wait_for_ticket(&w, 1), ERR_STOPPING);
        /* Whoever waits for the last process is woken, and finds none. */
        CHECK_INT(poll(&ended, 1, 10000), 1);
        CHECK_INT(registry_active(r.registry, ids, 4), 0);
        CHECK_INT(rig_select("SELECT count(*) FROM process"), 0);
        CHECK_INT(seam_count("clone3"), 0);
        rig_end(&r);
}

TEST(a_stop_refuses_new_starts)
{
        struct rig r;
        struct wait w;

        rig_begin(&r);
        registry_stop(r.registry);
        wait_init(&w);
        CHECK_INT(wait_for_ticket(&w, registry_create(r.registry, &rig_operator, rig_spec("read x"), NULL,
                                                      NULL, &w.ticket)),
                  ERR_STOPPING);
        rig_end(&r);
}

TEST(a_signal_to_all_reaches_who_is_started_after_it)
{
        struct rig r;

        rig_begin(&r);
        registry_signal_all(r.registry, SIGTERM, false, "stop");
        rig_join(&r, rig_start(&r, "read x"));
        CHECK_INT(rig_select("SELECT count(*) FROM process WHERE exitcode = -15"), 1);
        rig_end(&r);
}

TEST(the_journal_waits_until_nobody_of_the_last_daemon_can_write_to_it)
{
        char path[300];
        struct journal *j;
        struct err e = {0};
        pid_t child;
        int fd, go[2];

        snprintf(path, sizeof(path), "%s/spawn.journal", test_dir());
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        CHECK(fd >= 0 && flock(fd, LOCK_EX) == 0 && pipe2(go, O_CLOEXEC) == 0);
        child = fork(); /* what a daemon leaves behind: somebody who holds its file */
        if (child == 0) {
                char x;

                close(go[1]);
                _exit(read(go[0], &x, 1) == 0 ? 0 : 1);
        }
        close(fd);
        fd = open(path, O_RDWR | O_CLOEXEC);
        CHECK_INT(flock(fd, LOCK_EX | LOCK_NB), -1);
        close(go[0]);
        close(go[1]); /* it ends now, and not before */
        CHECK_INT(journal_open(test_dir_fd(), "spawn.journal", &j, &e), 0);
        CHECK_INT(waitpid(child, NULL, 0), child);
        CHECK_INT(flock(fd, LOCK_EX | LOCK_NB), -1); /* it is ours now: the next daemon waits for us */
        journal_close(j);
        close(fd);
}

int main(int argc, char **argv)
{
        return !strcmp(argv[0], FORKSERVER_NAME) ? forkserver_main(argc, argv) : test_run("stop", argc, argv);
}
