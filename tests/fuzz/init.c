/* SPDX-License-Identifier: MIT */
/* tests/fuzz/init.c: what creche-init is told over its control socket, and what it does to whom.
 *
 * Input: steps of 5 bytes: op; which pid; which id; files that come along; bytes that are missing. */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/param.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/socket.h"

static int fuzz_kill(pid_t pid, int signo);
static int fuzz_waitid(pid_t pid, int options);
static int fuzz_look(idtype_t type, pid_t pid, siginfo_t *si);

/* Its main() is a function, its system calls go to the model below, and it says nothing. */
#define main                                        init_main
#define kill(pid, signo)                            fuzz_kill(pid, signo)
#define waitid(type, pid, si, options)              fuzz_waitid((pid_t)(pid), options)
#define syscall(number, type, pid, si, options, ru) fuzz_look(type, pid, si)
#define alarm(seconds)                              ((void)(seconds))
#define write(fd, text, n)                          ((void)(text), (ssize_t)(n))
int init_main(int argc, char **argv);
#include "init/init.c"
#undef write

enum { DAEMON = 100, FIRST = 101, PIDS = 4, STEP = 5, STEPS_MAX = 64, HELD_MAX = 8 };

static struct {
        bool there, zombie;
} children[PIDS];
static bool reaped_by_order; /* a REAP is being obeyed */

static bool is_child(pid_t pid)
{
        return pid >= FIRST && pid < FIRST + PIDS && children[pid - FIRST].there;
}

/* Nobody but the daemon is ever signalled, and that only when it asked for what it is owed. */
static int fuzz_kill(pid_t pid, int signo)
{
        REQUIRE(pid == DAEMON && signo == SIGTERM);
        return 0;
}

/* It reaps one that it was told of, never all, never the daemon, and never waits. */
static int fuzz_waitid(pid_t pid, int options)
{
        REQUIRE(pid > 0 && pid != DAEMON && options == (WEXITED | WNOHANG) && reaped_by_order);
        if (is_child(pid) && children[pid - FIRST].zombie)
                children[pid - FIRST].there = false;
        return 0;
}

static int fuzz_look(idtype_t type, pid_t pid, siginfo_t *si)
{
        REQUIRE(type == P_PID && pid > 0 && pid != DAEMON);
        if (!is_child(pid)) {
                errno = ECHILD;
                return -1;
        }
        if (children[pid - FIRST].zombie) {
                si->si_pid = pid;
                si->si_code = CLD_EXITED;
                si->si_status = 7;
        }
        return 0;
}

static void send_step(int to, const uint8_t *s)
{
        static const pid_t others[] = {0, -1, DAEMON, 1, INT32_MIN};
        size_t which = s[1] % (PIDS + 5);
        struct zombie_msg m = {.op = s[0] % 12,
                               .pid = which < PIDS ? FIRST + (pid_t)which : others[which - PIDS],
                               .id = s[2] % HELD_MAX};
        int fds[SOCKET_FDS_MAX] = {STDERR_FILENO, STDERR_FILENO, STDERR_FILENO};
        char longer[sizeof(m) + 1] = {0};
        size_t n = s[4] < sizeof(longer) ? sizeof(longer) - s[4] : 0;

        memcpy(longer, &m, sizeof(m));
        reaped_by_order = m.op == ZOMBIE_REAP && n == sizeof(m);
        REQUIRE(socket_send(to, longer, n, fds, s[3] % 4, MSG_DONTWAIT) == 0);
}

/* One file for each id, all of them open, and no other that was not there before. */
static void check_kept(void)
{
        REQUIRE(kept_count <= HELD_MAX);
        for (size_t i = 0; i < kept_count; i++) {
                REQUIRE(fcntl(kept[i].fd, F_GETFD) == FD_CLOEXEC);
                for (size_t k = 0; k < i; k++)
                        REQUIRE(kept[i].id != kept[k].id && kept[i].fd != kept[k].fd);
        }
}

/* It says what it knows, about children, and gives back what it was given. */
static void check_answers(int from, const uint8_t *s)
{
        struct zombie_msg m;
        int fds[SOCKET_FDS_MAX];

        while (socket_recv(from, &m, sizeof(m), fds, MSG_DONTWAIT) > 0) {
                REQUIRE(s[0] % 12 == ZOMBIE_PEEK || s[0] % 12 == ZOMBIE_HELLO);
                if (m.op == ZOMBIE_EXIT)
                        REQUIRE(is_child(m.pid) && m.code == CLD_EXITED && m.status == 7);
                else if (m.op == ZOMBIE_GONE)
                        REQUIRE(m.pid > 0 && !is_child(m.pid));
                else
                        REQUIRE(m.op == ZOMBIE_HELLO || (m.op == ZOMBIE_KEPT && fds[0] >= 0));
                socket_close_files(fds);
        }
}

static void forget_all(void)
{
        while (kept_count)
                close(kept[--kept_count].fd);
        refused_count = 0;
        ever_ready = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        int pair[2], before = dup(STDERR_FILENO), after;

        close(before);
        REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
        creched = (struct creched){.pid = DAEMON, .control = pair[0]};
        owed = SIGTERM;
        for (int i = 0; i < PIDS; i++) {
                children[i].there = i > 0;
                children[i].zombie = i % 2;
        }
        for (size_t i = 0; i + STEP <= size && i < STEPS_MAX * STEP; i += STEP) {
                send_step(pair[1], data + i);
                control_receive();
                check_kept();
                check_answers(pair[1], data + i);
        }
        forget_all();
        close(pair[0]);
        close(pair[1]);
        after = dup(STDERR_FILENO);
        close(after);
        REQUIRE(before == after);
        return 0;
}
