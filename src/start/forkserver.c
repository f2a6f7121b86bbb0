/* SPDX-License-Identifier: MIT */
#include "start/forkserver.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/killpoint.h"
#include "base/log.h"
#include "base/procfs.h"
#include "base/socket.h"
#include "base/sys.h"
#include "start/deliver.h"

enum { READY_MS = 20000, SIGNAL_S = 5 };
enum { ABOVE = 10 }; /* where files that will become 3, 4 and 5 cannot collide with them */

struct forkserver {
        char *exe;
        struct journal *journal;
        void (*born)(const struct forkserver_peer *peer, void *arg);
        void *arg;
        pthread_mutex_t lock; /* one request at a time; guards the rest */
        int start_fd;         /* -1: not running */
        bool privileged;      /* there will never be another */
        uint32_t generation;
};

struct forkserver *forkserver_new(const char *exe, struct journal *j,
                                  void (*born)(const struct forkserver_peer *peer, void *arg), void *arg)
{
        struct forkserver *fs = malloc(sizeof(*fs));
        char *path = strdup(exe);

        if (!fs || !path) {
                free(fs);
                free(path);
                return NULL;
        }
        *fs = (struct forkserver){.exe = path, .journal = j, .born = born, .arg = arg, .start_fd = -1};
        pthread_mutex_init(&fs->lock, NULL);
        return fs;
}

void forkserver_free(struct forkserver *fs)
{
        if (!fs)
                return;
        closep(&fs->start_fd);
        pthread_mutex_destroy(&fs->lock);
        free(fs->exe);
        free(fs);
}

/* A socketpair whose second end lies above what the child's files become. */
static int make_pair(int *ours, int *theirs)
{
        CLEANUP(closep) int low = -1;
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return -1;
        *ours = pair[0];
        low = pair[1];
        *theirs = fcntl(low, F_DUPFD_CLOEXEC, ABOVE);
        if (*theirs < 0) {
                closep(ours);
                return -1;
        }
        return 0;
}

/* @fds become 3 and up. */
static int exec_server(const char *exe, char *const *argv, const int *fds, int fds_n, pid_t *pid)
{
        posix_spawn_file_actions_t files;
        posix_spawnattr_t attr;
        sigset_t all, none;
        int rc;

        sigfillset(&all);
        sigemptyset(&none);
        posix_spawn_file_actions_init(&files);
        for (int i = 0; i < fds_n; i++)
                posix_spawn_file_actions_adddup2(&files, fds[i], FORKSERVER_START_FD + i);
        posix_spawnattr_init(&attr);
        posix_spawnattr_setflags(&attr,
                                 POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
        posix_spawnattr_setsigdefault(&attr, &all);
        posix_spawnattr_setsigmask(&attr, &none);
        rc = posix_spawn(pid, exe, &files, &attr, argv, killpoint_environ());
        posix_spawn_file_actions_destroy(&files);
        posix_spawnattr_destroy(&attr);
        return rc;
}

static int launch_server(struct forkserver *fs, struct err *e)
{
        CLEANUP(closep) int start = -1;
        CLEANUP(closep) int start_theirs = -1;
        CLEANUP(closep) int zombie = -1;
        CLEANUP(closep) int zombie_theirs = -1;
        CLEANUP(closep) int journal = fcntl(journal_fd(fs->journal), F_DUPFD_CLOEXEC, ABOVE);
        char *const argv[] = {(char *)FORKSERVER_NAME, NULL};
        struct forkserver_peer peer;
        int rc;

        if (journal < 0 || make_pair(&start, &start_theirs) < 0 || make_pair(&zombie, &zombie_theirs) < 0)
                return err_set(e, ERR_TRY_AGAIN, errno, "making sockets for the forkserver");
        rc = exec_server(fs->exe, argv, (const int[]){start_theirs, zombie_theirs, journal}, 3, &peer.pid);
        if (rc)
                return err_set(e, ERR_TRY_AGAIN, rc, "starting the forkserver");
        peer.pidfd = sys_pidfd_open(peer.pid, 0);
        peer.generation = ++fs->generation;
        peer.zombie_fd = TAKE_FD(zombie);
        log_info("forkserver.started", "pid=%d generation=%u", peer.pid, peer.generation);
        fs->start_fd = TAKE_FD(start);
        fs->born(&peer, fs->arg);
        return 0;
}

/* It says that it is ready, or ends. */
static bool await_ready(int start_fd)
{
        struct pollfd p = {.fd = start_fd, .events = POLLIN};
        int fds[SOCKET_FDS_MAX];
        char ready;

        return poll(&p, 1, READY_MS) == 1 && socket_recv(start_fd, &ready, 1, fds, 0) == 1;
}

int forkserver_launch_privileged(const char *exe, const struct forkserver_rights *rights,
                                 struct forkserver_link *link, struct err *e)
{
        CLEANUP(closep) int start = -1;
        CLEANUP(closep) int start_theirs = -1;
        CLEANUP(closep) int zombie = -1;
        CLEANUP(closep) int zombie_theirs = -1;
        CLEANUP(closep) int signals = -1;
        CLEANUP(closep) int signals_theirs = -1;
        CLEANUP(closep) int policy = -1;
        const struct timeval patience = {.tv_sec = SIGNAL_S};
        char init_pid[16];
        char *const argv[] = {(char *)FORKSERVER_NAME,
                              (char *)rights->user,
                              init_pid,
                              (char *)rights->oom_score_adj,
                              (char *)(rights->policy_fd >= 0 ? "policy" : ""),
                              NULL};
        int rc;

        snprintf(init_pid, sizeof(init_pid), "%d", rights->init_pid);
        if (rights->policy_fd >= 0 && (policy = fcntl(rights->policy_fd, F_DUPFD_CLOEXEC, ABOVE)) < 0)
                return err_set(e, ERR_INTERNAL, errno, "handing over the policy");
        if (make_pair(&start, &start_theirs) < 0 || make_pair(&zombie, &zombie_theirs) < 0 ||
            make_pair(&signals, &signals_theirs) < 0 ||
            setsockopt(signals, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
                return err_set(e, ERR_INTERNAL, errno, "making sockets for the forkserver");
        rc = exec_server(exe, argv, (const int[]){start_theirs, zombie_theirs, signals_theirs, policy},
                         policy >= 0 ? 4 : 3, &link->pid);
        if (rc)
                return err_set(e, ERR_INTERNAL, rc, "starting the forkserver");
        closep(&start_theirs);
        if (!await_ready(start))
                return err_set(e, ERR_INTERNAL, 0, "the privileged forkserver does not work: see the log");
        link->pidfd = sys_pidfd_open(link->pid, 0);
        link->start_fd = TAKE_FD(start);
        link->zombie_fd = TAKE_FD(zombie);
        link->signal_fd = TAKE_FD(signals);
        return 0;
}

int forkserver_adopt(struct forkserver *fs, struct forkserver_link *link, struct err *e)
{
        int journal = journal_fd(fs->journal);
        struct forkserver_peer peer = {.generation = ++fs->generation, .pid = link->pid};

        if (socket_send(link->start_fd, "j", 1, &journal, 1, 0) < 0)
                return err_set(e, ERR_TRY_AGAIN, errno, "handing the journal to the forkserver");
        fs->privileged = true;
        fs->start_fd = TAKE_FD(link->start_fd);
        peer.pidfd = TAKE_FD(link->pidfd);
        peer.zombie_fd = TAKE_FD(link->zombie_fd);
        deliver_through(TAKE_FD(link->signal_fd));
        fs->born(&peer, fs->arg);
        return 0;
}

/* Sealed: what the server has looked at is what it uses. */
static int launch_file(const struct launch *l)
{
        int fd = memfd_create("creche-launch", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        if (fd >= 0 &&
            (fd_write_all(fd, l, l->size) < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK) < 0))
                closep(&fd);
        return fd;
}

/* Returns 0 with @reply and @pidfd, 1 when the server has gone, -1. */
static int ask(struct forkserver *fs, const struct launch *l, const struct journal_slot *slot,
               struct start_files files, struct forkserver_reply *reply, int *pidfd, struct err *e)
{
        CLEANUP(closep) int file = launch_file(l);
        struct forkserver_request req = {.slot = journal_number(fs->journal, slot),
                                         .has_stdin = files.in >= 0,
                                         .has_cgroup = files.cgroup >= 0,
                                         .has_out = files.out > 0,
                                         .has_err = files.err > 0,
                                         .size = l->size};
        int fds[SOCKET_FDS_MAX] = {file};
        size_t fds_n = 1;
        ssize_t got;

        if (file < 0)
                return err_set(e, ERR_TRY_AGAIN, errno, "making a file for the forkserver");
        if (req.has_stdin)
                fds[fds_n++] = files.in;
        if (req.has_cgroup)
                fds[fds_n++] = files.cgroup;
        if (req.has_out)
                fds[fds_n++] = files.out;
        if (req.has_err)
                fds[fds_n++] = files.err;
        KILLPOINT("forkserver.ask");
        if (socket_send(fs->start_fd, &req, sizeof(req), fds, fds_n, 0) < 0) {
                if (errno == EPIPE || errno == ECONNRESET)
                        return 1;
                return err_set(e, ERR_TRY_AGAIN, errno, "asking the forkserver");
        }
        KILLPOINT("forkserver.asked");
        got = socket_recv(fs->start_fd, reply, sizeof(*reply), fds, 0);
        if (got == sizeof(*reply))
                *pidfd = TAKE_FD(fds[0]);
        socket_close_files(fds);
        return got == sizeof(*reply) ? 0 : 1;
}

/* The child exists, so it must be watched: when files are short, wait until there is one. Its number is its
 * own as long as nobody tells its parent to reap it. */
static int open_pidfd(pid_t pid)
{
        const struct timespec nap = {.tv_nsec = 10 * 1000 * 1000};
        int fd;

        while ((fd = sys_pidfd_open(pid, 0)) < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
                nanosleep(&nap, NULL);
        return fd;
}

/* Nobody waits in vfork for this child any more: look whether it has become its program, or died before. */
static void await_exec(pid_t pid)
{
        const struct timespec nap = {.tv_nsec = 1000 * 1000};
        struct procfs_stat st;
        int rc;

        while ((rc = procfs_stat(pid, &st)) < 0 || (rc == 0 && st.never_execed && st.state != 'Z'))
                nanosleep(&nap, NULL);
}

/* The server died while it worked for us. The slot knows whether there is a child; if there is one, it
 * has moved to creche-init, as a zombie or alive, and waits there; without creche-init it may have been reaped,
 * by nobody that we know of. It ran all the same, and is not asked for again. */
static int rescue(const struct journal_slot *slot, struct forkserver_reply *reply, int *pidfd)
{
        reply->pid = __atomic_load_n(&slot->pid, __ATOMIC_ACQUIRE);
        if (!reply->pid)
                return 1;
        KILLPOINT("forkserver.rescue");
        await_exec(reply->pid);
        *pidfd = open_pidfd(reply->pid);
        return 0;
}

static int ask_again(struct forkserver *fs, const struct launch *l, const struct journal_slot *slot,
                     struct start_files files, struct forkserver_reply *reply, int *pidfd, struct err *e)
{
        enum { TRIES = 3 };
        int rc = 1;

        for (int i = 0; i < TRIES && rc == 1; i++) {
                if (fs->start_fd < 0 && fs->privileged)
                        return err_set(e, ERR_TRY_AGAIN, 0, "the privileged forkserver has died");
                if (fs->start_fd < 0 && launch_server(fs, e) < 0)
                        return -1;
                rc = ask(fs, l, slot, files, reply, pidfd, e);
                if (rc == 1) {
                        closep(&fs->start_fd);
                        rc = rescue(slot, reply, pidfd);
                }
        }
        return rc == 1 ? err_set(e, ERR_TRY_AGAIN, 0, "the forkserver keeps dying") : rc;
}

int forkserver_start(struct forkserver *fs, struct launch *l, struct journal_slot *slot,
                     struct start_files files, struct start_result *r, struct err *e)
{
        struct forkserver_reply reply = {0};
        uint32_t generation;
        int pidfd = -1, rc;

        pthread_mutex_lock(&fs->lock);
        rc = ask_again(fs, l, slot, files, &reply, &pidfd, e);
        generation = fs->generation;
        pthread_mutex_unlock(&fs->lock);
        if (rc < 0)
                return -1;
        if (reply.pid < 0 && *reply.refusal)
                return err_set(e, ERR_POLICY, 0, "%.*s", (int)sizeof(reply.refusal), reply.refusal);
        if (reply.pid < 0)
                return err_set(e, ERR_TRY_AGAIN, reply.errnum, "the forkserver cannot fork");
        if (pidfd < 0) /* we were too short of files to receive it */
                pidfd = open_pidfd(reply.pid);
        *r = (struct start_result){.pid = reply.pid,
                                   .pidfd = pidfd,
                                   .forkserver = generation,
                                   .stage = (enum bootstrap_stage)slot->stage,
                                   .errnum = slot->errnum};
        return 0;
}
