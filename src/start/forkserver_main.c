/* SPDX-License-Identifier: MIT */
/* The forkserver's own side: see forkserver.h. One thread, two sockets, no state but its children. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/killpoint.h"
#include "base/secret.h"
#include "base/socket.h"
#include "base/zombie.h"
#include "start/bootstrap.h"
#include "start/forkserver.h"
#include "start/journal.h"
#include "start/start.h"

/* As the kernel's own vfork users do: nothing may be delivered between clone and exec. */
static void block_signals(void)
{
        sigset_t all;

        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, NULL);
}

/* NULL with errno set. A file that is shorter than was said would kill us when it is read. */
static struct launch *map_launch(int fd, uint64_t size)
{
        struct stat st;
        void *l;

        if (fstat(fd, &st) < 0)
                return NULL;
        if ((uint64_t)st.st_size < size) {
                errno = EPROTO;
                return NULL;
        }
        l = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
        return l == MAP_FAILED ? NULL : l;
}

static pid_t fork_child(struct journal_slot *slots, const struct forkserver_request *req, const int *fds,
                        int *pidfd)
{
        struct launch *l = map_launch(fds[0], req->size);
        struct bootstrap b = {.launch = l,
                              .slot = &slots[req->slot],
                              .stdin_fd = req->has_stdin ? fds[1] : -1,
                              .cgroup_fd = req->has_cgroup ? fds[1 + req->has_stdin] : -1};
        pid_t pid = -1;
        int saved;

        if (!l)
                return -1;
        errno = EPROTO;
        if (launch_is_sound(l, req->size)) {
                launch_relocate(l);
                pid = start_clone(0, NULL, &b, pidfd);
        }
        saved = errno;
        munmap(l, req->size);
        errno = saved;
        return pid;
}

/* False when the daemon has gone. */
static bool serve_start(struct journal_slot *slots)
{
        struct forkserver_request req;
        struct forkserver_reply reply;
        CLEANUP(closep) int pidfd = -1;
        int fds[SOCKET_FDS_MAX];
        ssize_t got = socket_recv(FORKSERVER_START_FD, &req, sizeof(req), fds, 0);

        if (got <= 0)
                return false;
        KILLPOINT("forkserver.start");
        if (got == sizeof(req) && req.slot < JOURNAL_SLOTS && req.has_stdin <= 1 && req.has_cgroup <= 1 &&
            fds[req.has_stdin + req.has_cgroup] >= 0) {
                reply.pid = fork_child(slots, &req, fds, &pidfd);
                reply.errnum = reply.pid < 0 ? errno : 0;
        } else {
                reply = (struct forkserver_reply){.pid = -1, .errnum = EMFILE}; /* the files did not fit */
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

int forkserver_main(void)
{
        struct journal_slot *slots = journal_map(FORKSERVER_JOURNAL_FD, NULL);
        struct rlimit core; /* each launch says which its child has */
        struct pollfd polled[2] = {{.fd = FORKSERVER_START_FD, .events = POLLIN},
                                   {.fd = FORKSERVER_ZOMBIE_FD, .events = POLLIN}};

        if (!slots || die_with_daemon() < 0)
                return EXIT_FAILURE;
        secret_process(&core);
        KILLPOINT("forkserver.begun");
        block_signals();
        prctl(PR_SET_NAME, FORKSERVER_NAME);
        for (;;) {
                if (poll(polled, 2, -1) < 0 && errno != EINTR)
                        return EXIT_FAILURE;
                if (polled[0].revents && !serve_start(slots))
                        return EXIT_SUCCESS;
                if (polled[1].revents && !serve_zombie())
                        return EXIT_SUCCESS;
        }
}
