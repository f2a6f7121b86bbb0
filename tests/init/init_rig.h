/* SPDX-License-Identifier: MIT */
/* tests/init/init_rig.h
 * What test_init.c stands on: creche-init, started in a directory of its own, and the creched that it starts.
 *
 * That creched is this very program: a puppet that reports to the test, over a socket of its own, what it
 * gets from creche-init, and does what the test orders. Every wait ends after PATIENCE_MS and fails the test.
 */
#ifndef CRECHE_TESTS_UNIT_INIT_RIG_H
#define CRECHE_TESTS_UNIT_INIT_RIG_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/zombie.h"

enum { TEST_SECONDS = 30, PATIENCE_MS = 10000, CHILD_PAUSES = 1000, CHILD_BURNS, BURN_MS = 50, FD_SEEN = 64 };

enum order_op { ORDER_SEND, ORDER_CHILD, ORDER_ORPHAN, ORDER_EXIT, ORDER_CLOSE, ORDER_LET_WAIT, ORDER_PING };

struct order { /* test -> puppet */
        enum order_op op;
        int arg; /* CHILD, ORPHAN: its exit status, or CHILD_*; EXIT: status; SEND, LET_WAIT: size of @packet */
        pid_t pid; /* ORPHAN: its pid, 0 for any */
        char packet[sizeof(struct zombie_msg) + 1];
};

enum report_op { REPORT_HELLO = 1, REPORT_RELAY, REPORT_SIGNAL, REPORT_CHILD, REPORT_PONG };

struct report { /* puppet -> test */
        enum report_op op;
        pid_t pid, pgid; /* the puppet's, or the child's */
        int signal;
        struct zombie_msg msg;
        struct hello {
                char listen_fds[16], listen_pid[16], names[32], restarts[16], ready[16], stale[16], other[16];
                uint64_t open;   /* descriptors, bit by bit */
                ino_t listen[2]; /* what 3 and 4 are */
                bool null[3];    /* stdio is /dev/null */
                bool blocked;    /* any signal is */
        } hello;
};

static bool packet_send(int sock, const void *data, size_t size, int fd)
{
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(sizeof fd)];
        } u = {.header = {CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS}};
        struct iovec iov = {(void *)(uintptr_t)data, size};
        struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};

        if (fd >= 0) {
                memcpy(CMSG_DATA(&u.header), &fd, sizeof fd);
                h.msg_control = &u;
                h.msg_controllen = sizeof u.space;
        }
        return sendmsg(sock, &h, MSG_NOSIGNAL) >= 0;
}

static ssize_t packet_receive(int sock, void *data, size_t size, int *fd)
{
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(sizeof *fd)];
        } u;
        struct iovec iov = {data, size};
        struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &u, .msg_controllen = sizeof u};
        ssize_t n = recvmsg(sock, &h, MSG_CMSG_CLOEXEC);

        *fd = -1;
        if (n >= 0 && CMSG_FIRSTHDR(&h))
                memcpy(fd, CMSG_DATA(&u.header), sizeof *fd);
        return n;
}

/* ------------------------------------------------------------------------------------------ puppet */

static void puppet_copy(char *to, size_t size, const char *name)
{
        const char *value = getenv(name);

        snprintf(to, size, "%s", value ? value : "unset");
}

static struct report puppet_hello(void)
{
        struct report r = {.op = REPORT_HELLO, .pid = getpid(), .pgid = getpgrp()};
        struct hello *h = &r.hello;
        struct stat st;
        sigset_t mask;

        puppet_copy(h->listen_fds, sizeof h->listen_fds, "LISTEN_FDS");
        puppet_copy(h->listen_pid, sizeof h->listen_pid, "LISTEN_PID");
        puppet_copy(h->names, sizeof h->names, "LISTEN_FDNAMES");
        puppet_copy(h->restarts, sizeof h->restarts, "CRECHE_INIT_RESTARTS");
        puppet_copy(h->ready, sizeof h->ready, "CRECHE_INIT_READY");
        puppet_copy(h->stale, sizeof h->stale, "CRECHE_INIT_STALE");
        puppet_copy(h->other, sizeof h->other, "TEST_OTHER");
        for (int fd = 0; fd < FD_SEEN; fd++) {
                if (fstat(fd, &st) < 0)
                        continue;
                h->open |= 1ULL << fd;
                if (fd < 3)
                        h->null[fd] = S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
                else if (fd < 5)
                        h->listen[fd - 3] = st.st_ino;
        }
        sigprocmask(SIG_BLOCK, NULL, &mask);
        for (int sig = 1; sig < NSIG; sig++)
                h->blocked |= sigismember(&mask, sig) == 1;
        return r;
}

_Noreturn static void puppet_child(int kind)
{
        struct timespec t = {0};
        sigset_t none;

        close_range(3, ~0U, 0); /* else it would keep the puppet's sockets open */
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        alarm(TEST_SECONDS);
        while (kind == CHILD_PAUSES)
                pause();
        while (kind == CHILD_BURNS && t.tv_sec == 0 && t.tv_nsec < BURN_MS * 1000000L)
                clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        _exit(kind == CHILD_BURNS ? 7 : kind);
}

/* A child of creche-init: its parent, a child of ours, is gone before this returns. */
static pid_t puppet_orphan(const struct order *o)
{
        pid_t wanted = o->pid, pid = -1, parent;
        struct clone_args args = {.exit_signal = SIGCHLD, .set_tid = (uintptr_t)&wanted, .set_tid_size = 1};
        int fds[2];

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -1;
        parent = fork();
        if (parent == 0) {
                pid = wanted ? (pid_t)syscall(SYS_clone3, &args, sizeof args) : fork();
                if (pid == 0)
                        puppet_child(o->arg);
                _exit(write(fds[1], &pid, sizeof pid) != sizeof pid);
        }
        if (read(fds[0], &pid, sizeof pid) != sizeof pid)
                pid = -1;
        waitpid(parent, NULL, 0);
        close(fds[0]);
        close(fds[1]);
        return pid;
}

static void puppet_obey(int driver, int control, const struct order *o, int fd)
{
        struct report r = {.op = REPORT_CHILD};
        struct pollfd readable = {control, POLLIN, 0};

        switch (o->op) {
        case ORDER_SEND: packet_send(control, o->packet, (size_t)o->arg, fd); return;
        case ORDER_EXIT: _exit(o->arg);
        case ORDER_CLOSE: close(control); return;
        case ORDER_ORPHAN: r.pid = puppet_orphan(o); break;
        case ORDER_CHILD:
                r.pid = fork();
                if (r.pid == 0)
                        puppet_child(o->arg);
                break;
        case ORDER_LET_WAIT:
                packet_send(control, o->packet, (size_t)o->arg, fd);
                poll(&readable, 1, -1); /* fall through */
        case ORDER_PING: r.op = REPORT_PONG; break;
        }
        packet_send(driver, &r, sizeof r, -1);
}

/* Signals come first, so that what was sent before a message is also reported before it. */
static void puppet_step(int driver, int control, int signals)
{
        struct pollfd fds[] = {{signals, POLLIN, 0}, {control, POLLIN, 0}, {driver, POLLIN, 0}};
        struct signalfd_siginfo si;
        struct report r = {0};
        struct order o;
        int fd;

        poll(fds, 3, -1);
        if (fds[0].revents) {
                r.op = REPORT_SIGNAL;
                if (read(signals, &si, sizeof si) == sizeof si)
                        r.signal = (int)si.ssi_signo;
                packet_send(driver, &r, sizeof r, -1);
        } else if (fds[2].revents) {
                if (packet_receive(driver, &o, sizeof o, &fd) != sizeof o)
                        _exit(0);
                puppet_obey(driver, control, &o, fd);
                close(fd);
        } else if (fds[1].revents & POLLIN) {
                r.op = REPORT_RELAY;
                if (packet_receive(control, &r.msg, sizeof r.msg, &fd) == sizeof r.msg)
                        packet_send(driver, &r, sizeof r, fd);
                close(fd);
        } else if (fds[1].revents & POLLHUP) {
                usleep(1000); /* creche-init is dead; the test knows */
        }
}

static int puppet(void)
{
        struct report hello = puppet_hello();
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        int driver = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0),
            control = atoi(getenv("CRECHE_INIT_FD"));
        sigset_t set;
        int signals;

        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGHUP);
        sigprocmask(SIG_BLOCK, &set, NULL);
        signals = signalfd(-1, &set, SFD_CLOEXEC);

        snprintf(a.sun_path, sizeof a.sun_path, "%s", getenv("TEST_DRIVER"));
        if (connect(driver, (struct sockaddr *)&a, sizeof a) < 0)
                return 99;
        packet_send(driver, &hello, sizeof hello, -1);
        for (;;)
                puppet_step(driver, control, signals);
}

/* ----------------------------------------------------------------------------------------- fixture */

static char creche_init[4096];

static struct fixture {
        char dir[64];
        int server;      /* where puppets report */
        int driver;      /* the one that is running */
        pid_t init;      /* 0: none, or its end was seen */
        pid_t creched;   /* as we see it: in a pid namespace it has another number */
        pid_t pids[256]; /* whatever there may be to kill in the end */
        size_t pid_count;
        struct report hello;
} fix;

struct launch {
        const char *creched; /* NULL: the puppet */
        int listen[2];       /* unless 0 */
        bool without_stdio, sigchld_ignored, pid_1;
        rlim_t files; /* unless 0 */
};

static const char *path(const char *name)
{
        static char buffer[4][128];
        static unsigned next;
        char *p = buffer[next++ % 4];

        snprintf(p, sizeof buffer[0], "%s/%s", fix.dir, name);
        return p;
}

static int64_t now_ms(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

#define UNTIL(condition)                                                                                     \
        do {                                                                                                 \
                int64_t end_ = now_ms() + PATIENCE_MS;                                                       \
                while (!(condition)) {                                                                       \
                        if (now_ms() > end_)                                                                 \
                                fail_msg("waited in vain for: %s", #condition);                              \
                        usleep(1000);                                                                        \
                }                                                                                            \
        } while (0)

/* The state and the processor time (in ticks) of a process, state 0 if there is none. */
static char state_of(pid_t pid, unsigned long *ticks)
{
        char name[32], text[512] = "", *p, state = 0;
        unsigned long user = 0, kernel = 0;
        FILE *f;

        snprintf(name, sizeof name, "/proc/%d/stat", pid);
        f = fopen(name, "re");
        p = f && fgets(text, sizeof text, f) ? strrchr(text, ')') : NULL;
        if (p)
                sscanf(p, ") %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &state, &user, &kernel);
        if (f)
                fclose(f);
        if (ticks)
                *ticks = user + kernel;
        return state;
}

static int said(const char *what)
{
        static char text[65536];
        int fd = open(path("log"), O_RDONLY | O_CLOEXEC), count = 0;
        ssize_t n = read(fd, text, sizeof text - 1);

        close(fd);
        text[n > 0 ? n : 0] = '\0';
        for (const char *p = text; (p = strstr(p, what)); p++)
                count++;
        return count;
}

static int listener(const char *name, int type)
{
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

        snprintf(a.sun_path, sizeof a.sun_path, "%s", path(name));
        assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
        assert_int_equal(listen(fd, 8), 0);
        return fd;
}

static void poll_in(int fd)
{
        struct pollfd p = {fd, POLLIN, 0};

        if (poll(&p, 1, PATIENCE_MS) != 1)
                fail_msg("nothing came");
}

static struct report report_next(int *fd)
{
        struct report r = {0};
        int ignored;

        poll_in(fix.driver);
        if (packet_receive(fix.driver, &r, sizeof r, fd ? fd : &ignored) != sizeof r)
                fail_msg("the puppet is gone");
        return r;
}

static void remember(pid_t pid)
{
        assert_true(pid > 0 && fix.pid_count < sizeof fix.pids / sizeof *fix.pids);
        fix.pids[fix.pid_count++] = pid;
}

/* The next creched is running. */
static void creched_awaited(void)
{
        struct ucred who;
        socklen_t size = sizeof who;

        close(fix.driver);
        poll_in(fix.server);
        fix.driver = accept4(fix.server, NULL, NULL, SOCK_CLOEXEC);
        assert_int_equal(getsockopt(fix.driver, SOL_SOCKET, SO_PEERCRED, &who, &size), 0);
        fix.creched = who.pid;
        remember(who.pid);
        fix.hello = report_next(NULL);
        assert_int_equal(fix.hello.op, REPORT_HELLO);
}

static void uid_become_root(uid_t uid)
{
        FILE *f = fopen("/proc/self/uid_map", "we");

        if (f) {
                fprintf(f, "0 %u 1\n", uid);
                fclose(f);
        }
}

_Noreturn static void init_exec(const struct launch *l)
{
        struct rlimit files = {l->files, l->files};
        char text[16];
        int log = open(path("log"), O_WRONLY | O_CREAT | O_APPEND, 0600);

        dup2(log, STDERR_FILENO);
        if (l->listen[0]) {
                dup2(l->listen[0], 30);
                dup2(l->listen[1], 4);
                dup2(30, 3);
                setenv("LISTEN_FDS", "2", 1);
                setenv("LISTEN_FDNAMES", "unix:tcp", 1);
        }
        snprintf(text, sizeof text, "%d", getpid());
        setenv("LISTEN_PID", text, 1);
        setenv("CRECHE_INIT_STALE", "1", 1);
        setenv("TEST_OTHER", "kept", 1);
        setenv("TEST_DRIVER", path("driver"), 1);
        dup2(STDERR_FILENO, 40); /* a descriptor that nobody meant to pass on */
        if (l->without_stdio)
                close_range(0, 2, 0);
        if (l->sigchld_ignored)
                signal(SIGCHLD, SIG_IGN);
        if (l->files)
                setrlimit(RLIMIT_NOFILE, &files);
        execl(creche_init, "creche-init", l->creched ? l->creched : path("creched"), "creched", NULL);
        _exit(98);
}

static void init_started(struct launch l)
{
        bool user = l.pid_1 && geteuid() != 0;
        long flags = SIGCHLD | (l.pid_1 ? CLONE_NEWPID : 0) | (user ? CLONE_NEWUSER : 0);
        uid_t uid = geteuid();

        fflush(NULL);
        fix.init = (pid_t)syscall(SYS_clone, flags, 0, 0, 0, 0);
        if (fix.init == 0) {
                if (user) /* else the exec would take the capabilities away */
                        uid_become_root(uid);
                init_exec(&l);
        }
        if (fix.init > 0 && !l.creched)
                creched_awaited();
}

static void init_paused(void)
{
        kill(fix.init, SIGSTOP);
        UNTIL(state_of(fix.init, NULL) == 'T');
}

static int init_status(void)
{
        int status;

        UNTIL(waitpid(fix.init, &status, WNOHANG) == fix.init);
        fix.init = 0;
        return status;
}

static void order_give(struct order o, int fd)
{
        assert_true(packet_send(fix.driver, &o, sizeof o, fd));
}

static void tell_by(enum order_op op, const void *data, size_t size, int fd)
{
        struct order o = {.op = op, .arg = (int)size};

        memcpy(o.packet, data, size);
        order_give(o, fd);
}

#define tell_raw(...) tell_by(ORDER_SEND, __VA_ARGS__)

static void tell(enum zombie_op op, pid_t pid)
{
        tell_raw(&(struct zombie_msg){.op = op, .pid = pid}, sizeof(struct zombie_msg), -1);
}

static void tell_file(enum zombie_op op, int64_t id, int fd)
{
        tell_raw(&(struct zombie_msg){.op = op, .id = id}, sizeof(struct zombie_msg), fd);
}

static struct zombie_msg hears(enum zombie_op op, pid_t pid)
{
        struct report r = report_next(NULL);

        assert_int_equal(r.op, REPORT_RELAY);
        assert_int_equal(r.msg.op, op);
        assert_int_equal(r.msg.pid, pid);
        return r.msg;
}

static void hears_end(pid_t pid, int code, int status)
{
        struct zombie_msg m = hears(ZOMBIE_EXIT, pid);

        assert_int_equal(m.code, code);
        assert_int_equal(m.status, status);
}

static ino_t hears_kept(int64_t id)
{
        struct stat st;
        int fd;
        struct report r = report_next(&fd);

        assert_int_equal(r.op, REPORT_RELAY);
        assert_int_equal(r.msg.op, ZOMBIE_KEPT);
        assert_int_equal(r.msg.id, id);
        assert_int_equal(fstat(fd, &st), 0);
        close(fd);
        return st.st_ino;
}

/* creche-init has done what it was told, and had nothing to say: we are no child of it. */
static void hears_nothing(void)
{
        tell(ZOMBIE_PEEK, getpid());
        hears(ZOMBIE_GONE, getpid());
}

static void gets_signal(int sig)
{
        struct report r = report_next(NULL);

        assert_int_equal(r.op, REPORT_SIGNAL);
        assert_int_equal(r.signal, sig);
}

static pid_t child_of_creched(enum order_op op, int kind)
{
        struct report r;

        order_give((struct order){.op = op, .arg = kind}, -1);
        r = report_next(NULL);
        assert_int_equal(r.op, REPORT_CHILD);
        remember(r.pid);
        return r.pid;
}

static void creched_exits(int status)
{
        order_give((struct order){.op = ORDER_EXIT, .arg = status}, -1);
}

static int files_of_init(void)
{
        char name[64];
        struct stat st;
        int count = 0;

        for (int fd = 0; fd < FD_SEEN; fd++) {
                snprintf(name, sizeof name, "/proc/%d/fd/%d", fix.init, fd);
                count += lstat(name, &st) == 0;
        }
        return count;
}

static int rig_up(void **state)
{
        char puppet_path[4096] = "";

        (void)state;
        alarm(TEST_SECONDS);
        fix = (struct fixture){.server = -1, .driver = -1};
        snprintf(fix.dir, sizeof fix.dir, "/tmp/test_init.XXXXXX");
        if (!mkdtemp(fix.dir) || readlink("/proc/self/exe", puppet_path, sizeof puppet_path - 1) < 0)
                return -1;
        fix.server = listener("driver", SOCK_SEQPACKET);
        return symlink(puppet_path, path("creched"));
}

/* Once creche-init is dead, all that is left is ours (we are a subreaper): no number is anybody else's. */
static int rig_down(void **state)
{
        static const char *const names[] = {"driver", "creched", "log", "unix", "tcp"};

        (void)state;
        if (fix.init > 0) {
                kill(fix.init, SIGKILL);
                waitpid(fix.init, NULL, 0);
        }
        for (size_t i = 0; i < fix.pid_count; i++)
                if (waitid(P_PID, (id_t)fix.pids[i], NULL, WEXITED | WNOHANG | WNOWAIT) == 0) {
                        kill(fix.pids[i], SIGKILL);
                        waitpid(fix.pids[i], NULL, 0);
                }
        close(fix.driver);
        close(fix.server);
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
                unlink(path(names[i]));
        alarm(0);
        return rmdir(fix.dir);
}

#endif
