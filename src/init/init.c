/* SPDX-License-Identifier: MIT */
/* init/init.c
 * creche-init /path/to/creched [args...]: keeps the listening sockets open and starts creched, again whenever
 * it dies other than by its own wish. As subreaper it inherits what a dead creched leaves behind; zombies stay
 * until a living creched has recorded them and says so (base/zombie.h). Gives each creched LISTEN_FDS as it
 * came, CRECHE_INIT_FD: its end of the control socket, CRECHE_INIT_RESTARTS: how many went before it, and
 * CRECHE_INIT_READY: 1 if one of them has served. Exits as creched does, but 75 and death by a signal mean
 * "again"; with 127 if there is nothing to execute, with 1 if creched only ever dies.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/zombie.h"

enum { FIRST_FD = 3, EXIT_AGAIN = 75, EXIT_EXEC = 127, CRASHES_MAX = 5 };
enum { CALM_S = 10, BACKOFF_MIN_MS = 50, BACKOFF_MAX_MS = 5000, ENV_MAX = 1 << 20 /* execve() takes less */ };
enum { KEPT_MAX = 1024, FDS_SPARE = 8 }; /* spare: the next creched needs a socketpair */

static struct creched {
        pid_t pid;   /* 0: none is running */
        int control; /* our end; -1 if it closed its own */
        bool ready;  /* it serves, and can take signals */
        bool look;   /* there may be a zombie that it does not know of */
        pid_t told;  /* the zombie that it was told of last */
} creched;

static struct kept {
        int64_t id;
        int fd;
} kept[KEPT_MAX];
static size_t kept_count, refused_count;
static unsigned started, crashes, ever_ready;
static int owed; /* to each creched that gets ready: SIGTERM or SIGINT, once we had it */
static int backoff_ms, listen_fds;
static sigset_t passed; /* the signals we pass on */

struct rights { /* struct cmsghdr and one descriptor */
        size_t len;
        int level, type, fd;
};

/* Not dprintf(), which may allocate. No line is longer. That nobody reads it any more is no reason to die. */
static char line[512];
#define say(...) ((void)!write(STDERR_FILENO, line, (size_t)snprintf(line, sizeof line, __VA_ARGS__)))

/* What there is to say about a child, which is left as it is: EXIT, GONE, or nothing (.op = 0). Asks the
 * kernel itself, because waitid(3) gives no rusage. */
static struct zombie_msg child_peek(idtype_t type, pid_t pid)
{
        struct zombie_msg m = {.pid = pid};
        siginfo_t si = {0};

        if (syscall(SYS_waitid, type, pid, &si, WEXITED | WNOHANG | WNOWAIT, &m.rusage) < 0)
                m.op = ZOMBIE_GONE;
        else if (si.si_pid > 0)
                m = (struct zombie_msg){ZOMBIE_EXIT, si.si_pid, si.si_code, si.si_status, 0, m.rusage};
        return m;
}

/* Sends @m, if it says anything, and @fd, if any. May block. False: creched is dying, the next hears it all. */
static bool control_send(struct zombie_msg m, int fd)
{
        struct rights r = {CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS, fd};
        struct iovec iov = {&m, sizeof m};
        struct msghdr h = {NULL, 0, &iov, 1, fd < 0 ? NULL : &r, fd < 0 ? 0 : sizeof r, 0};

        return m.op != 0 && sendmsg(creched.control, &h, MSG_NOSIGNAL) >= 0;
}

/* Holds @fd for @id, nothing if that is -1, instead of what was held. */
static void kept_set(int64_t id, int fd)
{
        struct rlimit files = {RLIM_INFINITY, RLIM_INFINITY};
        size_t i = 0;

        while (i < kept_count && kept[i].id != id)
                i++;
        if (i < kept_count) {
                close(kept[i].fd);
                kept[i] = kept[--kept_count];
        }
        getrlimit(RLIMIT_NOFILE, &files);
        if (fd >= 0 && kept_count < KEPT_MAX && (rlim_t)fd + FDS_SPARE < files.rlim_cur) {
                kept[kept_count++] = (struct kept){id, fd};
        } else if (fd >= 0) {
                close(fd);
                if (refused_count++ == 0)
                        say("event=init.keep_refused id=%lld kept=%zu\n", (long long)id, kept_count);
        }
}

static void control_obey(const struct zombie_msg *m, int fd)
{
        bool about_child = m->pid > 0 && m->pid != creched.pid;

        if (fd >= 0 && m->op != ZOMBIE_KEEP) {
                close(fd);
        } else if (m->op == ZOMBIE_KEEP || m->op == ZOMBIE_DROP) {
                kept_set(m->id, fd);
        } else if (m->op == ZOMBIE_HELLO) {
                for (struct kept *k = kept; k < kept + kept_count; k++)
                        control_send((struct zombie_msg){.op = ZOMBIE_KEPT, .id = k->id}, k->fd);
                control_send(*m, -1);
                creched.told = 0; /* to one that has executed itself anew, all is news */
                creched.look = true;
        } else if (m->op == ZOMBIE_READY) {
                if (!creched.ready && owed)
                        kill(creched.pid, owed);
                backoff_ms = ever_ready ? MIN(backoff_ms, BACKOFF_MIN_MS) : 0;
                ever_ready = creched.ready = true;
                alarm(CALM_S); /* until then, one that is killed again and again must not cost a processor */
        } else if (m->op == ZOMBIE_PEEK && about_child) {
                control_send(child_peek(P_PID, m->pid), -1);
        } else if (m->op == ZOMBIE_REAP && about_child) {
                waitid(P_PID, (id_t)m->pid, NULL, WEXITED | WNOHANG);
                creched.told = creched.told == m->pid ? 0 : creched.told; /* its next owner is news */
                creched.look = true;
        }
}

/* Obeys one packet. Returns false if there is none: creched has said all, or closed its end. */
static bool control_receive(void)
{
        struct zombie_msg m = {0};
        struct rights r = {.fd = -1};
        struct iovec iov = {&m, sizeof m};
        struct msghdr h = {NULL, 0, &iov, 1, &r, CMSG_LEN(sizeof r.fd), 0}; /* CMSG_SPACE would let in two */
        ssize_t n = recvmsg(creched.control, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC | MSG_TRUNC);

        /* A creched that died with unread mail has reset the connection; its own mail comes after that. */
        if (n < 0)
                return errno == ECONNRESET || errno == EINTR;
        m.op = n == sizeof m ? m.op : 0;
        control_obey(&m, r.fd);
        return n > 0;
}

static void signal_take(int sig)
{
        if (sig == SIGALRM || sig == SIGHUP) /* it has served for a while, or somebody wants the next one */
                backoff_ms = 0;
        if (!sigismember(&passed, sig))
                creched.look = true; /* SIGCHLD; or what means nothing to us */
        else if (sig != SIGHUP || owed == 0)
                owed = sig;
        if (sigismember(&passed, sig) && creched.ready) /* before that it would die of it */
                kill(creched.pid, sig);
}

_Noreturn static void child_exec(char **argv, int control)
{
        static char vars[4][48], *env[ENV_MAX + 5];
        int fd = FIRST_FD + listen_fds;
        size_t n = 0;

        for (char **var = environ; *var; var++)
                if (strncmp(*var, "LISTEN_PID=", 11) != 0 && strncmp(*var, "CRECHE_INIT_", 12) != 0)
                        env[n++] = *var;
        snprintf(env[n++] = vars[0], sizeof vars[0], "LISTEN_PID=%d", getpid());
        snprintf(env[n++] = vars[1], sizeof vars[1], "CRECHE_INIT_FD=%d", fd);
        snprintf(env[n++] = vars[2], sizeof vars[2], "CRECHE_INIT_RESTARTS=%u", started);
        snprintf(env[n++] = vars[3], sizeof vars[3], "CRECHE_INIT_READY=%u", ever_ready);
        setpgid(0, 0); /* a terminal's Ctrl-C is for us, who pass it on once */
        if (dup2(control, fd) == fd && fcntl(fd, F_SETFD, 0) == 0) {
                close_range((unsigned)fd + 1, ~0U, 0);
                sigprocmask(SIG_SETMASK, &(sigset_t){0}, NULL);
                execve(argv[0], argv, env);
        }
        say("event=init.exec_failed path=\"%.256s\" error=\"%m\"\n", argv[0]);
        _exit(EXIT_EXEC);
}

/* Starts creched; after one that did not get to serve, not before the back-off or a signal. */
static void creched_start(char **argv)
{
        struct timespec wait = {backoff_ms / 1000, backoff_ms % 1000 * 1000000L};
        int pair[2] = {-1, -1}, sig = sigtimedwait(&passed, NULL, &wait);
        pid_t pid = -1;

        if (sig > 0)
                signal_take(sig);
        backoff_ms = MIN(MAX(backoff_ms * 2, BACKOFF_MIN_MS), BACKOFF_MAX_MS);
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 || (pid = fork()) < 0) {
                say("event=init.start_failed error=\"%m\" delay_ms=%d\n", backoff_ms);
                close(pair[0]);
                close(pair[1]);
                return;
        }
        if (pid == 0)
                child_exec(argv, pair[1]);
        close(pair[1]);
        started++;
        creched = (struct creched){.pid = pid, .control = pair[0], .look = true};
        owed = owed == SIGHUP ? 0 : owed; /* it asks for a new creched: here it is */
}

/* Sees off a creched that has ended as @m says. Returns what to exit with, -1 to start another. */
static int creched_ended(const struct zombie_msg *m)
{
        bool exited = m->code == CLD_EXITED, again = m->status == EXIT_AGAIN;

        /* Its last words count, KEEP above all; until they are obeyed its pid stays its own. */
        while (control_receive())
                ;
        close(creched.control);
        waitid(P_PID, (id_t)m->pid, NULL, WEXITED);
        again |= m->status != 0 && ever_ready && owed != SIGTERM && owed != SIGINT; /* a bad upgrade? */
        creched = (struct creched){0};
        if (exited && !again)
                return m->status;
        if (!exited && !ever_ready && ++crashes == CRASHES_MAX) {
                say("event=init.gave_up pid=%d signal=%d crashes=%u\n", m->pid, m->status, crashes);
                return EXIT_FAILURE;
        }
        say("event=init.restart pid=%d %s=%d restarts=%u delay_ms=%d\n", m->pid, exited ? "status" : "signal",
            m->status, started, backoff_ms);
        return -1;
}

/* Looks after creched first, then for a zombie to tell it of. Returns what to exit with, or -1. */
static int look(void)
{
        struct zombie_msg m = child_peek(P_PID, creched.pid);

        creched.look = false;
        if (m.op != 0)
                return creched_ended(&m);
        m = child_peek(P_ALL, 0);
        if (m.pid == creched.pid)
                creched.look = true; /* it died after the first look */
        else if (m.op == ZOMBIE_EXIT && m.pid != creched.told && control_send(m, -1))
                creched.told = m.pid;
        return -1;
}

static void wait_for_events(int signals)
{
        struct pollfd fds[] = {{signals, POLLIN, 0}, {creched.control, POLLIN, 0}};
        struct signalfd_siginfo si;

        poll(fds, 2, -1);
        if (fds[0].revents && read(signals, &si, sizeof si) == sizeof si)
                signal_take((int)si.ssi_signo);
        /* An empty packet looks like the end of file: only the hang-up tells them apart. */
        if (fds[1].revents && !control_receive() && (fds[1].revents & POLLHUP)) {
                close(creched.control);
                creched.control = -1;
        }
}

/* Returns the signalfd, -1 if something failed. */
static int set_up(void)
{
        const char *count = getenv("LISTEN_FDS");
        sigset_t set;

        listen_fds = count ? MAX(atoi(count), 0) : 0;
        for (int fd = 0; fd < FIRST_FD + listen_fds; fd++)
                if (fcntl(fd, F_GETFD) < 0 && (fd >= FIRST_FD || open("/dev/null", O_RDWR) != fd))
                        return -1;
        close_range(FIRST_FD + (unsigned)listen_fds, ~0U, 0);
        for (const int *sig = (const int[]){SIGTERM, SIGINT, SIGHUP, 0}; *sig; sig++)
                sigaddset(&passed, *sig);
        sigfillset(&set); /* a fault of ours kills us all the same */
        sigprocmask(SIG_SETMASK, &set, NULL);
        /* Were SIGCHLD ignored, as whoever executed us may have left it, the kernel would reap for us. */
        sigaction(SIGCHLD, &(struct sigaction){.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDSTOP}, NULL);
        return prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 ? -1 : signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int main(int argc, char **argv)
{
        int signals = argc < 2 ? (errno = EINVAL, -1) : set_up(), status = -1;

        if (signals < 0) {
                say("event=init.failed error=\"%m\"\n");
                return EXIT_FAILURE;
        }
        while (status < 0)
                if (creched.pid == 0)
                        creched_start(argv + 1);
                else if (creched.look)
                        status = look();
                else
                        wait_for_events(signals);
        return status;
}
