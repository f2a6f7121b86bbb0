/* SPDX-License-Identifier: MIT */
/* tests/seam/test_peers.c: children whose parents are creche-init and forkservers, when one of those dies at the
 * worst moment. The test is creche-init: it makes the control socket. */
#include "left_rig.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/sys.h"

TEST(creche_init_is_who_made_the_control_socket_whoever_is_the_parent_now)
{
        struct journal_slot slot = {.id = 1};
        struct err e = {0};
        struct keeper k;
        struct rig r;
        int release;

        rig_prepare(&r);
        keeper_begin(&k, &r);
        slot.pid = fork_unexeced(&release);
        leave_start(&r, slot.pid, false, &slot);
        MUST(registry_open(&r.config, &r.registry, &e));
        CHECK_INT(rig_select("SELECT state = 'started' FROM process"), 1);
        close(release);
        rig_join(&r, 1);
        rig_end(&r);
        keeper_end(&k);
}

TEST(a_child_that_never_became_its_program_has_failed_also_when_its_start_was_recorded_before_a_crash)
{
        struct journal_slot slot = {.id = 1, .stage = STAGE_EXEC, .errnum = ENOENT};
        struct err e = {0};
        struct keeper k;
        struct rig r;
        int release;

        rig_prepare(&r);
        keeper_begin(&k, &r);
        slot.pid = fork_unexeced(&release);
        leave_start(&r, slot.pid, true, &slot);
        MUST(registry_open(&r.config, &r.registry, &e));
        close(release);
        rig_join(&r, 1);
        CHECK_INT(rig_select("SELECT state = 'failed' AND exitcode IS NULL AND exit_errno = 'ENOENT' FROM "
                             "process"),
                  1);
        rig_end(&r);
        keeper_end(&k);
}

static void stand_still(const struct seam_call *call, void *arg)
{
        (void)call;
        wait_sem(arg);
        sem_post(arg);
}

TEST(a_stdin_that_creche_init_kept_is_there_before_anybody_can_ask_for_it)
{
        struct zombie_msg kept = {.op = ZOMBIE_KEPT, .id = 1};
        struct journal_slot slot = {.id = 1};
        struct err e = {0};
        int release, pipes[2], fd;
        struct keeper k;
        sem_t go_on;
        struct rig r;

        rig_prepare(&r);
        keeper_begin(&k, &r);
        slot.pid = fork_unexeced(&release);
        leave_start(&r, slot.pid, true, &slot);
        CHECK_INT(pipe2(pipes, O_CLOEXEC), 0);
        MUST(socket_send(k.control[0], &kept, sizeof(kept), &pipes[1], 1, 0));
        sem_init(&go_on, 0, 0);
        seam_before("epoll_wait", stand_still, &go_on); /* the reaper is late */
        MUST(registry_open(&r.config, &r.registry, &e));
        fd = registry_stdin(r.registry, &rig_operator, 1, &e);
        CHECK(fd >= 0);
        close(fd);
        sem_post(&go_on);
        seam_before("epoll_wait", NULL, NULL);
        close(release);
        rig_join(&r, 1);
        rig_end(&r);
        keeper_end(&k);
        close(pipes[0]);
        close(pipes[1]);
}

/* A child that runs a program and exits with 3 when @release is closed. */
static pid_t fork_execed(int *release)
{
        struct procfs_stat st = {.never_execed = true};
        int pipes[2];
        pid_t pid;

        CHECK_INT(pipe2(pipes, O_CLOEXEC), 0);
        pid = fork();
        if (pid == 0) {
                dup2(pipes[0], STDIN_FILENO);
                execlp("sh", "sh", "-c", "read x; exit 3", NULL);
                _exit(127);
        }
        close(pipes[0]);
        while (st.never_execed) {
                CHECK_INT(procfs_stat(pid, &st), 0);
                sched_yield();
        }
        *release = pipes[1];
        return pid;
}

TEST(an_end_that_no_process_can_have_is_not_recorded)
{
        struct zombie_msg lies[] = {{.op = ZOMBIE_EXIT, .code = CLD_EXITED, .status = 256},
                                    {.op = ZOMBIE_EXIT, .code = CLD_EXITED, .status = -1},
                                    {.op = ZOMBIE_EXIT, .code = CLD_KILLED, .status = 0},
                                    {.op = ZOMBIE_EXIT, .code = CLD_DUMPED, .status = 65},
                                    {.op = ZOMBIE_EXIT, .code = CLD_STOPPED, .status = SIGSTOP}};
        struct err e = {0};
        struct keeper k;
        struct rig r;
        int release;
        pid_t pid;

        rig_prepare(&r);
        keeper_begin(&k, &r);
        pid = fork_execed(&release);
        leave(&r, (struct left){.pid = pid, .recorded = true});
        MUST(registry_open(&r.config, &r.registry, &e));
        for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
                lies[i].pid = pid;
                CHECK_INT(socket_send(k.control[0], &lies[i], sizeof(lies[i]), NULL, 0, 0), 0);
        }
        close(release);
        rig_join(&r, 1);
        CHECK_INT(rig_select("SELECT state = 'stopped' AND exitcode = 3 FROM process"), 1);
        rig_end(&r);
        keeper_end(&k);
}

static int64_t start_by_forkserver(struct rig *r, const char *script)
{
        struct spec *spec = rig_spec(script);
        struct wait w;

        wait_init(&w);
        spec->start_method = START_FORKSERVER;
        CHECK_INT(
                wait_for_ticket(&w, registry_create(r->registry, &rig_operator, spec, NULL, NULL, &w.ticket)),
                ERR_NONE);
        return w.ticket.id;
}

/* A forkserver that dies with its first child cloned, a child that is reaped by whoever inherits it: a number
 * that no process has. */
static const char dying_server[] =
        "#!/bin/sh\n"
        "echo >>\"${0%/*}/launched\"\n"
        "printf '\\377\\377\\377\\177' | dd of=/proc/self/fd/5 bs=1 seek=8 conv=notrunc 2>&-\n";

TEST(a_child_of_which_nobody_can_tell_any_more_is_lost_and_is_not_started_a_second_time)
{
        char exe[300];
        struct err e = {0};
        struct stat st;
        struct rig r;
        int64_t id;
        int fd;

        rig_prepare(&r);
        snprintf(exe, sizeof(exe), "%s", test_path("server"));
        fd = open(exe, O_CREAT | O_WRONLY | O_CLOEXEC, 0700);
        CHECK_INT(write(fd, dying_server, sizeof(dying_server) - 1), sizeof(dying_server) - 1);
        close(fd);
        r.config.exe = exe;
        MUST(registry_open(&r.config, &r.registry, &e));
        id = start_by_forkserver(&r, "exit 7");
        rig_join(&r, id);
        CHECK_INT(rig_select("SELECT state = 'lost' AND exitcode IS NULL FROM process"), 1);
        CHECK_INT(stat(test_path("launched"), &st), 0);
        CHECK_INT(st.st_size, 1);
        rig_end(&r);
}

struct held {
        struct rig *rig;
        struct rig_gate gate;
        bool opened;
};

/* In the reaper, which waits for the end of the forkserver: the exit that waits for the writer is recorded. */
static void record_now(const struct seam_call *call, void *arg)
{
        struct held *h = arg;

        (void)call;
        if (h->opened)
                return;
        h->opened = true;
        rig_gate_open(&h->gate);
        rig_flush(h->rig);
}

/* Its exit is known and waits for the writer. */
static void await_end(struct rig *r, int64_t id)
{
        bool known = false;

        while (!known) {
                pthread_mutex_lock(&r->registry->lock);
                known = table_find(r->registry, id)->end != NULL;
                pthread_mutex_unlock(&r->registry->lock);
                sched_yield();
        }
}

static bool was_told_to_reap(int control, pid_t pid)
{
        struct zombie_msg msg;
        int fds[SOCKET_FDS_MAX];
        bool told = false;

        while (socket_recv(control, &msg, sizeof(msg), fds, MSG_DONTWAIT) == sizeof(msg)) {
                closep(&fds[0]);
                told = told || (msg.op == ZOMBIE_REAP && msg.pid == pid);
        }
        return told;
}

TEST(creche_init_is_told_to_reap_a_child_whose_forkserver_died_while_its_exit_was_recorded)
{
        struct held held = {0};
        struct err e = {0};
        struct keeper k;
        struct rig r;
        int64_t id;
        pid_t pid;

        prctl(PR_SET_CHILD_SUBREAPER, 1);
        rig_prepare(&r);
        control_begin(&k, &r);
        CHECK_INT(send(k.control[0], &(struct zombie_msg){.op = ZOMBIE_HELLO}, sizeof(struct zombie_msg), 0),
                  sizeof(struct zombie_msg));
        MUST(registry_open(&r.config, &r.registry, &e));
        id = start_by_forkserver(&r, "read x");
        pid = rig_pid(&r, id);
        rig_flush(&r);
        held.rig = &r;
        rig_gate_shut(r.registry->store, &held.gate);
        kill(pid, SIGKILL);
        await_end(&r, id);

        seam_before("waitid_reap", record_now, &held);
        kill(r.registry->forkservers[0].pid, SIGKILL);
        rig_join(&r, id);
        rig_shut(&r);
        CHECK(held.opened);
        CHECK(was_told_to_reap(k.control[0], pid));
        CHECK_INT(waitpid(pid, NULL, 0), pid);
        close(k.control[0]);
        close(k.control[1]);
        prctl(PR_SET_CHILD_SUBREAPER, 0);
}

/* As if it had been creche-init's, and that were dead: the parent, who reaps it, is the test. */
static int64_t start_stray(struct rig *r, const char *script)
{
        int64_t id = rig_start(r, script);

        pthread_mutex_lock(&r->registry->lock);
        table_find(r->registry, id)->peer = PEER_NOBODY;
        pthread_mutex_unlock(&r->registry->lock);
        return id;
}

static bool kernel_tells(void)
{
        int status, fd = sys_pidfd_open(getpid(), 0), rc = sys_pidfd_exit_status(fd, &status);

        close(fd);
        return rc >= 0;
}

TEST(the_kernel_tells_the_exit_code_of_a_child_whose_parent_is_nobody_of_ours)
{
        struct rig r;
        int64_t id;
        pid_t pid;

        if (!kernel_tells())
                skip(); /* before Linux 6.15 it does not */
        rig_begin(&r);
        id = start_stray(&r, "read x; exit 7");
        pid = rig_pid(&r, id);
        rig_release(&r, id);
        rig_await_death(&r, id);
        CHECK_INT(waitpid(pid, NULL, 0), pid);
        rig_join(&r, id);
        CHECK_INT(rig_select("SELECT state = 'stopped' AND exitcode = 7 AND user_us IS NULL FROM process"),
                  1);
        rig_end(&r);
}

TEST(a_child_whose_parent_is_nobody_of_ours_is_lost_where_the_kernel_does_not_tell)
{
        struct rig r;
        int64_t id;

        rig_begin(&r);
        seam_fail("pidfd_exit_status", 0, ENOTTY);
        id = start_stray(&r, "read x; exit 7");
        rig_release(&r, id);
        rig_join(&r, id);
        CHECK_INT(rig_select("SELECT state = 'lost' AND exitcode IS NULL FROM process"), 1);
        rig_end(&r);
}

int main(int argc, char **argv)
{
        return !strcmp(argv[0], FORKSERVER_NAME) ? forkserver_main(argc, argv)
                                                 : test_run("peers", argc, argv);
}
