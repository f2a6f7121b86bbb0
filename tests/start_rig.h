/* SPDX-License-Identifier: MIT */
/* tests/start_rig.h
 * Children of a starter, without a registry.
 *
 * The program under test is often the test itself: as "--probe FILE" it writes down what it finds itself to be.
 */
#ifndef CRECHE_TESTS_START_RIG_H
#define CRECHE_TESTS_START_RIG_H

#include "test.h"

#include <dirent.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/procfs.h"
#include "base/socket.h"
#include "base/zombie.h"
#include "start/forkserver.h"
#include "start/start.h"

/* ---- the probe ---- */

static inline void probe_status(FILE *f)
{
        char line[512];
        FILE *status = fopen("/proc/self/status", "re");

        while (status && fgets(line, sizeof(line), status))
                if (!strncmp(line, "SigBlk:", 7) || !strncmp(line, "SigIgn:", 7) ||
                    !strncmp(line, "Groups:", 7) || !strncmp(line, "Uid:", 4) || !strncmp(line, "Gid:", 4) ||
                    !strncmp(line, "NoNewPrivs:", 11) || !strncmp(line, "Cap", 3))
                        fputs(line, f);
        if (status)
                fclose(status);
}

static inline int probe_main(int argc, char **argv)
{
        extern char **environ;
        struct rlimit limit;
        char cwd[256], fds[1024] = "";
        size_t n = 0;
        FILE *f;

        for (int fd = 0; fd < 256; fd++)
                if (fcntl(fd, F_GETFD) >= 0)
                        n += (size_t)snprintf(fds + n, sizeof(fds) - n, " %d", fd);
        f = fopen(argv[2], "we");
        if (!f)
                return 99;
        fprintf(f, "fds:%s\n", fds);
        fprintf(f, "session: %d\n", getsid(0) == getpid() && getpgrp() == getpid());
        fprintf(f, "umask: %03o\n", umask(0));
        fprintf(f, "cwd: %s\n", getcwd(cwd, sizeof(cwd)) ? cwd : "?");
        fprintf(f, "nice: %d\n", getpriority(PRIO_PROCESS, 0));
        getrlimit(RLIMIT_NOFILE, &limit);
        fprintf(f, "nofile: %llu %llu\n", (unsigned long long)limit.rlim_cur,
                (unsigned long long)limit.rlim_max);
        probe_status(f);
        for (int i = 3; i < argc; i++)
                fprintf(f, "arg: '%s'\n", argv[i]);
        for (char **v = environ; *v; v++)
                fprintf(f, "env: %s\n", *v);
        fclose(f);
        fputs("to stdout\n", stdout);
        fflush(stdout);
        fputs("to stderr\n", stderr);
        return 7;
}

/* ---- the rig ---- */

struct rig {
        int cgroup;                /* what children are started in; 0: nothing */
        const char *oom_score_adj; /* what children have; NULL: what we have */
        struct journal *journal;
        struct forkserver *forkserver;
        struct forkserver_peer peer; /* the last that was born */
        int born;
        struct bootstrap_parent parent;
        struct starter starter;
        struct journal_slot *slot;
        struct start_result result;
        sigset_t mask;
};

static inline void on_born(const struct forkserver_peer *peer, void *arg)
{
        struct rig *r = arg;

        if (r->born) { /* it has died, or there would be no other; the test may have reaped it */
                waitpid(r->peer.pid, NULL, 0);
                close(r->peer.zombie_fd);
                close(r->peer.pidfd);
        }
        r->peer = *peer;
        r->born++;
}

static inline void rig_begin(struct rig *r)
{
        struct err e = {0};
        sigset_t all;

        *r = (struct rig){0};
        sigfillset(&all);
        sigdelset(&all, SIGALRM);
        sigprocmask(SIG_SETMASK, &all, &r->mask);
        prctl(PR_SET_CHILD_SUBREAPER, 1); /* as creche-init: what a dead forkserver leaves comes to us */
        MUST(journal_open(test_dir_fd(), "spawn.journal", &r->journal, &e));
        journal_clear(r->journal);
        r->forkserver = forkserver_new("/proc/self/exe", r->journal, on_born, r);
        MUST(bootstrap_parent_init(&r->parent, &e));
        MUST(starter_init(&r->starter, &r->parent, r->forkserver, r->journal, &e));
}

static inline void rig_end(struct rig *r)
{
        forkserver_free(r->forkserver);
        if (r->born) {
                CHECK_INT(waitpid(r->peer.pid, NULL, 0), r->peer.pid);
                close(r->peer.zombie_fd);
                close(r->peer.pidfd);
        }
        starter_done(&r->starter);
        bootstrap_parent_done(&r->parent);
        journal_close(r->journal);
        prctl(PR_SET_CHILD_SUBREAPER, 0);
        sigprocmask(SIG_SETMASK, &r->mask, NULL);
}

/* A request for @argv with nothing special about it. */
static inline struct spec plain(const char **argv)
{
        return (struct spec){.argv = (char **)argv, .umask = 022, .out = OUTPUT_NULL, .err = OUTPUT_NULL};
}

static inline int start(struct rig *r, enum start_method m, const struct spec *spec, int in, struct err *e)
{
        static const char *const ours[] = {"CRECHE_ID=17", NULL};
        struct account a;
        char out[300], err[300];
        struct launch_context c = {.account = &a,
                                   .env = ours,
                                   .oom_score_adj = r->oom_score_adj,
                                   .cwd = spec->cwd ? spec->cwd : "/",
                                   .out_path = out,
                                   .err_path = err};
        struct launch *l;
        int rc;

        snprintf(out, sizeof(out), "%s", test_path("out"));
        snprintf(err, sizeof(err), "%s", test_path("err"));
        if (account_resolve(spec->user, spec->group, &a, e) < 0)
                return -1;
        l = launch_new(spec, &c);
        r->slot = journal_claim(r->journal, 17, NULL);
        rc = starter_start(&r->starter, m, l, r->slot,
                           (struct start_files){.in = in, .cgroup = r->cgroup > 0 ? r->cgroup : -1},
                           &r->result, e);
        launch_free(l);
        return rc;
}

/* How the child ended, seen and then reaped: by us, or by its forkserver. @si as of waitid(). */
static inline void end_of(struct rig *r, siginfo_t *si)
{
        struct pollfd p = {.fd = r->result.pidfd, .events = POLLIN};
        struct zombie_msg msg = {.op = ZOMBIE_PEEK, .pid = r->result.pid};
        int fds[SOCKET_FDS_MAX];

        CHECK_INT(poll(&p, 1, -1), 1);
        *si = (siginfo_t){0};
        if (!r->result.forkserver || r->result.forkserver != r->peer.generation) {
                CHECK_INT(waitid(P_PIDFD, (id_t)r->result.pidfd, si, WEXITED), 0);
        } else {
                CHECK_INT(socket_send(r->peer.zombie_fd, &msg, sizeof(msg), NULL, 0, 0), 0);
                CHECK_INT(socket_recv(r->peer.zombie_fd, &msg, sizeof(msg), fds, 0), sizeof(msg));
                CHECK_INT(msg.op, ZOMBIE_EXIT);
                CHECK_INT(msg.pid, r->result.pid);
                si->si_code = msg.code;
                si->si_status = msg.status;
                msg = (struct zombie_msg){.op = ZOMBIE_REAP, .pid = r->result.pid};
                CHECK_INT(socket_send(r->peer.zombie_fd, &msg, sizeof(msg), NULL, 0, 0), 0);
        }
        close(r->result.pidfd);
        journal_release(r->journal, r->slot);
}

static inline int exitcode_of(struct rig *r)
{
        siginfo_t si;

        end_of(r, &si);
        return si.si_code == CLD_EXITED ? si.si_status : -si.si_status;
}

/* Each test once for each start method. */
#define for_each_method(m) for (enum start_method m = START_SPAWN; m < START_METHOD_COUNT; m++)

static const char *probe_argv[] = {"/proc/self/exe", "--probe", NULL, "one", "", "t w o", NULL};

/* Starts the probe by @m; what it has to say. */
static inline const char *probed(struct rig *r, enum start_method m, struct spec *spec, int in)
{
        char report[300];
        struct err e = {0};

        snprintf(report, sizeof(report), "%s", test_path("report"));
        probe_argv[2] = report;
        spec->argv = (char **)probe_argv;
        MUST(start(r, m, spec, in, &e));
        CHECK_INT(r->result.stage, STAGE_NONE);
        CHECK_INT(exitcode_of(r), 7);
        return test_read(report);
}

static inline void check_line(const char *report, const char *line)
{
        char wanted[512];

        snprintf(wanted, sizeof(wanted), "%s\n", line);
        if (!strstr(report, wanted))
                fail_msg("'%s' is not in:\n%s", line, report);
}

/* The main() of a test of these. */
static inline int start_main(const char *group, int argc, char **argv)
{
        if (!strcmp(argv[0], FORKSERVER_NAME))
                return forkserver_main(argc, argv);
        if (argc > 2 && !strcmp(argv[1], "--probe"))
                return probe_main(argc, argv);
        return test_run(group, argc, argv);
}

#endif
