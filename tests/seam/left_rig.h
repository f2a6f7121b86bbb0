/* SPDX-License-Identifier: MIT */
/* tests/seam/left_rig.h
 * What a dead daemon leaves to the next one: a row, a slot in the spawn journal, a child. The test is creche-init,
 * if there is one: it makes the control socket.
 */
#ifndef CRECHE_TESTS_SEAM_LEFT_RIG_H
#define CRECHE_TESTS_SEAM_LEFT_RIG_H

#include "rig.h"

#include <sys/socket.h>

#include "base/fd.h"
#include "base/procfs.h"
#include "base/socket.h"

/* A number that no process has. */
enum { NOBODYS_PID = 0x7fffffff };

/* creche-init's side of the zombie protocol. */
struct keeper {
        int control[2];
        pthread_t thread;
};

static inline void *keep(void *arg)
{
        struct keeper *k = arg;
        struct zombie_msg msg;
        int fds[SOCKET_FDS_MAX];

        while (socket_recv(k->control[0], &msg, sizeof(msg), fds, 0) == sizeof(msg)) {
                closep(&fds[0]);
                if (msg.op == ZOMBIE_HELLO || zombie_serve(&msg))
                        socket_send(k->control[0], &msg, sizeof(msg), NULL, 0, 0);
        }
        return NULL;
}

static inline void control_begin(struct keeper *k, struct rig *r)
{
        CHECK_INT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, k->control), 0);
        r->config.init_fd = k->control[1];
}

static inline void keeper_begin(struct keeper *k, struct rig *r)
{
        control_begin(k, r);
        CHECK_INT(pthread_create(&k->thread, NULL, keep, k), 0);
}

/* After the registry was shut. */
static inline void keeper_end(struct keeper *k)
{
        shutdown(k->control[0], SHUT_RDWR);
        pthread_join(k->thread, NULL);
        close(k->control[0]);
        close(k->control[1]);
}

/* A child that never becomes a program and exits with 127 when @release is closed. */
static inline pid_t fork_unexeced(int *release)
{
        int pipes[2];
        pid_t pid;
        char c;

        CHECK_INT(pipe2(pipes, O_CLOEXEC), 0);
        pid = fork();
        if (pid == 0) {
                close(pipes[1]);
                while (read(pipes[0], &c, 1) < 0)
                        ;
                _exit(127);
        }
        close(pipes[0]);
        *release = pipes[1];
        return pid;
}

/* The row of process 1, as the last daemon left it. */
struct left {
        pid_t pid;
        uint64_t start_ticks;            /* 0: those of @pid */
        bool recorded;                   /* the row says started and has the pid; else it says starting */
        bool other_boot;                 /* it is of another boot of the machine */
        const char *key;                 /* its Idempotency-Key; NULL: none */
        const struct journal_slot *slot; /* NULL: the journal is empty */
        bool no_journal;                 /* somebody has removed it */
};

static inline int left_run(struct db *db, void *arg, struct err *e)
{
        static const unsigned char fingerprint[32];
        const struct left *l = arg;
        const struct record_extras x = {.idempotency_key = l->key,
                                        .fingerprint = l->key ? fingerprint : NULL};
        struct process p = rig_process(1, PROCESS_STARTING);

        p.pid = l->pid;
        p.start_ticks = l->start_ticks;
        return record_insert(db, &p, &x, e) < 0 || (l->recorded && record_started(db, &p, e) < 0) ? -1 : 0;
}

static inline void leave(struct rig *r, struct left l)
{
        struct boot boot = {.pid_ns = procfs_pid_ns()};
        const struct store_config c = {
                .dir = test_dir_fd(), .path = r->config.database, .boot = &boot, .fatal = rig_fatal};
        const struct journal_slot none = {0};
        struct procfs_stat st = {0};
        struct store *s = NULL;
        struct err e = {0};

        MUST(procfs_boot_id(boot.boot_id, sizeof(boot.boot_id), &e));
        if (l.other_boot)
                boot = rig_boot;
        if (!l.start_ticks && procfs_stat(l.pid, &st) == 0)
                l.start_ticks = st.start_ticks;
        MUST(store_open(&c, &s, &e));
        rig_write(s, left_run, &l);
        store_close(s);
        if (!l.no_journal)
                test_write(test_path("spawn.journal"), 0600, l.slot ? l.slot : &none, sizeof(none));
}

/* What a daemon leaves that dies while it starts process 1 as @pid; @recorded: after the row said so. */
static inline void leave_start(struct rig *r, pid_t pid, bool recorded, const struct journal_slot *slot)
{
        struct procfs_stat st = {0};

        CHECK_INT(procfs_stat(pid, &st), 0);
        CHECK(st.never_execed);
        leave(r, (struct left){.pid = pid, .recorded = recorded, .slot = slot});
}

#endif
