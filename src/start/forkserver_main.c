/* SPDX-License-Identifier: MIT */
/* The forkserver's own side: see forkserver.h. One thread, two sockets, no state but its children. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/killpoint.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/socket.h"
#include "base/sys.h"
#include "base/zombie.h"
#include "start/bootstrap.h"
#include "start/forkserver.h"
#include "start/journal.h"
#include "start/privileged.h"
#include "start/start.h"

/* As the kernel's own vfork users do: nothing may be delivered between clone and exec. */
static void block_signals(void)
{
        sigset_t all;

        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, NULL);
}

struct server {
        struct journal_slot *slots;
        struct privileged *privileged; /* NULL: it is as good as the daemon */
        int daemon;                    /* a pidfd, if privileged; else -1 */
        struct bootstrap_parent parent;
};

/* What is asked for, as far as it can be used: the files in their order, and a copy of the launch that nobody can
 * change. NULL with @e set. */
static struct launch *take_request(const struct forkserver_request *req, const int *fds, struct bootstrap *b,
                                   struct err *e)
{
        const int sealed = F_SEAL_WRITE | F_SEAL_SHRINK;
        int n = 1, seals = fcntl(fds[0], F_GET_SEALS); /* -1: not a file that can be sealed */
        struct launch *l;

        b->stdin_fd = req->has_stdin ? fds[n++] : -1;
        b->cgroup_fd = req->has_cgroup ? fds[n++] : -1;
        b->out_fd = req->has_out ? fds[n++] : 0;
        b->err_fd = req->has_err ? fds[n++] : 0;
        if (fds[n - 1] < 0) {
                err_set(e, ERR_TRY_AGAIN, EMFILE, "receiving files");
                return NULL;
        }
        if (seals < 0 || (seals & sealed) != sealed || req->size < sizeof(*l) ||
            req->size >= LAUNCH_BYTES_MAX) {
                err_set(e, ERR_INVALID, EINVAL, "a launch that can change");
                return NULL;
        }
        l = mmap(NULL, req->size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fds[0], 0);
        if (l == MAP_FAILED) {
                err_set(e, ERR_TRY_AGAIN, errno, "mapping the launch");
                return NULL;
        }
        return l;
}

/* The file is at least as long as it says: to read behind its end would kill us. */
static bool is_whole(int fd, size_t size)
{
        struct stat st;

        return fstat(fd, &st) == 0 && st.st_size >= 0 && (size_t)st.st_size >= size;
}

static pid_t fork_child(const struct server *s, const struct forkserver_request *req, const int *fds,
                        int *pidfd, struct err *e)
{
        struct bootstrap b = {.slot = &s->slots[req->slot], .parent = &s->parent};
        struct launch *l = take_request(req, fds, &b, e);
        pid_t pid = -1;

        if (!l)
                return -1;
        b.launch = l;
        if (!is_whole(fds[0], req->size) || !launch_is_sound(l, req->size)) {
                err_set(e, ERR_INVALID, EINVAL, "no launch");
        } else if (!s->privileged || privileged_vet(s->privileged, l, &b, e) == 0) {
                launch_relocate(l);
                pid = start_clone(0, NULL, &b, pidfd);
                if (pid < 0)
                        err_set(e, ERR_TRY_AGAIN, errno, "cloning");
        }
        munmap(l, req->size);
        return pid;
}

/* False when the daemon has gone. */
static bool serve_start(const struct server *s)
{
        struct forkserver_request req;
        struct forkserver_reply reply = {.pid = -1, .errnum = EINVAL};
        CLEANUP(closep) int pidfd = -1;
        struct err e = {0};
        int fds[SOCKET_FDS_MAX];
        ssize_t got = socket_recv(FORKSERVER_START_FD, &req, sizeof(req), fds, 0);

        if (got <= 0)
                return false;
        KILLPOINT("forkserver.start");
        if (got == sizeof(req) && req.slot < JOURNAL_SLOTS && req.has_stdin <= 1 && req.has_cgroup <= 1 &&
            req.has_out <= 1 && req.has_err <= 1) {
                reply.pid = fork_child(s, &req, fds, &pidfd, &e);
                reply.errnum = reply.pid < 0 ? e.errnum : 0;
                if (e.kind == ERR_POLICY)
                        snprintf(reply.refusal, sizeof(reply.refusal), "%.*s", (int)sizeof(reply.refusal) - 1,
                                 e.msg);
        }
        socket_close_files(fds);
        KILLPOINT("forkserver.started");
        if (socket_send(FORKSERVER_START_FD, &reply, sizeof(reply), &pidfd, pidfd >= 0, 0) < 0)
                return false;
        KILLPOINT("forkserver.told");
        return true;
}

static bool serve_zombie(void)
{
        struct zombie_msg msg;
        int fds[SOCKET_FDS_MAX];
        ssize_t got = socket_recv(FORKSERVER_ZOMBIE_FD, &msg, sizeof(msg), fds, 0);

        socket_close_files(fds);
        if (got <= 0)
                return false;
        KILLPOINT("forkserver.zombie_heard");
        if (got == sizeof(msg) && zombie_serve(&msg) &&
            socket_send(FORKSERVER_ZOMBIE_FD, &msg, sizeof(msg), NULL, 0, 0) < 0)
                return false;
        KILLPOINT("forkserver.zombie_served");
        return true;
}

/* A request that is still in the socket when the daemon has died must not be served: the next daemon may have
 * found by then that the process never was. */
static int die_with_daemon(void)
{
        struct ucred daemon;
        socklen_t n = sizeof(daemon);

        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
            getsockopt(FORKSERVER_START_FD, SOL_SOCKET, SO_PEERCRED, &daemon, &n) < 0)
                return -1;
        return getppid() == daemon.pid ? 0 : -1;
}

/* Where the daemon will have opened it: of its own file, and it stays open, since it holds the daemon's lock. */
static struct journal_slot *receive_journal(const struct privileged *p)
{
        int fds[SOCKET_FDS_MAX];
        struct stat st;
        char byte;

        if (socket_recv(FORKSERVER_START_FD, &byte, 1, fds, 0) != 1 || fds[0] < 0)
                return NULL;
        if (fstat(fds[0], &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != p->own.uid ||
            !is_whole(fds[0], JOURNAL_SLOTS * sizeof(struct journal_slot)))
                return NULL;
        return journal_map(fds[0], NULL);
}

/* The kernel sends no PDEATHSIG from a daemon that has given up its rights to one that has not. */
static int begin_privileged(struct server *s, int argc, char **argv, struct err *e)
{
        static struct privileged p;

        s->privileged = &p;
        s->daemon = sys_pidfd_open(getppid(), 0);
        if (s->daemon < 0 || die_with_daemon() < 0)
                return err_set(e, ERR_INTERNAL, errno, "watching the daemon");
        if (privileged_begin(&p, argc, argv, e) < 0 || privileged_serve_signals(&p, e) < 0)
                return -1;
        if (socket_send(FORKSERVER_START_FD, "r", 1, NULL, 0, 0) < 0)
                return err_set(e, ERR_INTERNAL, errno, "saying that it is ready");
        s->slots = receive_journal(&p);
        return s->slots ? 0 : err_set(e, ERR_INVALID, 0, "there is no journal");
}

static int begin(struct server *s, int argc, char **argv)
{
        struct rlimit core; /* each launch says which its child has */
        struct err e = {0};

        *s = (struct server){.daemon = -1};
        secret_process(&core);
        block_signals();
        prctl(PR_SET_NAME, FORKSERVER_NAME);
        if (bootstrap_parent_init(&s->parent, &e) < 0 ||
            (argc > 1 && begin_privileged(s, argc, argv, &e) < 0)) {
                log_error("forkserver.failed", "error=%s", log_quote(e.msg));
                return -1;
        }
        if (argc > 1)
                return 0;
        s->slots = journal_map(FORKSERVER_JOURNAL_FD, NULL);
        return s->slots ? die_with_daemon() : -1;
}

int forkserver_main(int argc, char **argv)
{
        struct server s;
        struct pollfd polled[] = {{.fd = FORKSERVER_START_FD, .events = POLLIN},
                                  {.fd = FORKSERVER_ZOMBIE_FD, .events = POLLIN},
                                  {.events = POLLIN}};

        if (begin(&s, argc, argv) < 0)
                return EXIT_FAILURE;
        KILLPOINT("forkserver.begun");
        polled[2].fd = s.daemon;
        for (;;) {
                if (poll(polled, 3, -1) < 0 && errno != EINTR)
                        return EXIT_FAILURE;
                if (polled[2].revents)
                        return EXIT_SUCCESS;
                if (polled[0].revents && !serve_start(&s))
                        return EXIT_SUCCESS;
                if (polled[1].revents && !serve_zombie())
                        return EXIT_SUCCESS;
        }
}
