/* SPDX-License-Identifier: MIT */
/* The yardsticks that need no server: how fast this kernel starts and reaps a program, and how fast this disk
 * syncs.
 *
 *   spawn posix SECONDS THREADS PROGRAM    posix_spawn() and waitpid(), as a loop
 *   spawn clone SECONDS THREADS PROGRAM    clone(CLONE_VM | CLONE_VFORK | CLONE_PIDFD), execve() and waitid()
 *   spawn own   SECONDS THREADS PROGRAM    the same in a session of its own, with nothing open but /dev/null: as creched does
 *   spawn sync  SECONDS FILE               write() of 4 KiB at the end of FILE and fdatasync()
 *   spawn touch SECONDS THREADS PROGRAM    posix, with 1 GiB touched in this process before
 *   spawn keep  COUNT PROGRAM              so many at once, each in a session of its own, with /dev/null; prints a line when
 *                                          they are there, and ends them when its standard input ends
 *
 * Prints {"per_s": N, "p50_us": N, "p99_us": N}.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <linux/close_range.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

static char *program;
static char *const environment[] = {NULL};
static double deadline_s;

typedef void (*work_fn)(void);

static void spawn_posix(void)
{
        char *argv[] = {program, NULL};
        pid_t pid;
        int status;

        if (posix_spawn(&pid, program, NULL, NULL, argv, environment))
                die("posix_spawn");
        if (waitpid(pid, &status, 0) != pid || status)
                die("waitpid");
}

static int child(void *unused)
{
        char *argv[] = {program, NULL};

        (void)unused;
        execve(program, argv, environment);
        _exit(127);
}

static int null_fd;

static int own_child(void *unused)
{
        if (close_range((unsigned)null_fd + 1, ~0U, CLOSE_RANGE_UNSHARE) || dup3(null_fd, 0, 0) < 0 ||
            dup3(null_fd, 1, 0) < 0 || dup3(null_fd, 2, 0) < 0 || close_range(3, ~0U, 0) || setsid() < 0)
                _exit(127);
        return child(unused);
}

/* The C library's clone() has no wrapper for clone3(), and costs the same. */
static void spawn(int (*fn)(void *), int flags)
{
        static __thread char stack[16384] __attribute__((aligned(16)));
        siginfo_t info;
        int pidfd = -1;

        if (clone(fn, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | CLONE_PIDFD | flags | SIGCHLD, NULL,
                  &pidfd) < 0)
                die("clone");
        if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) || info.si_code != CLD_EXITED || info.si_status)
                die("waitid");
        close(pidfd);
}

static void spawn_clone(void)
{
        spawn(child, 0);
}

static void spawn_own(void)
{
        spawn(own_child, CLONE_FILES);
}

struct worker {
        pthread_t thread;
        work_fn work;
        struct samples samples;
};

static void *work(void *arg)
{
        struct worker *w = arg;

        for (double before = now_s(), after; before < deadline_s; before = after) {
                w->work();
                after = now_s();
                samples_add(&w->samples, after - before);
        }
        return NULL;
}

static void run_threads(work_fn fn, double seconds, int threads)
{
        struct worker *workers = calloc((size_t)threads, sizeof(*workers));
        struct samples all = {0};
        double began = now_s(), took;

        if (!workers)
                die("calloc");
        deadline_s = began + seconds;
        for (int i = 0; i < threads; i++) {
                workers[i].work = fn;
                if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
                        die("pthread_create");
        }
        for (int i = 0; i < threads; i++)
                pthread_join(workers[i].thread, NULL);
        took = now_s() - began;
        for (int i = 0; i < threads; i++)
                samples_take(&all, &workers[i].samples);
        printf("{\"per_s\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f}\n", (double)all.n / took,
               samples_us(&all, 0.5), samples_us(&all, 0.99));
        samples_done(&all);
        free(workers);
}

static int sync_fd;

static void sync_once(void)
{
        static char page[4096];

        if (write(sync_fd, page, sizeof(page)) != (ssize_t)sizeof(page) || fdatasync(sync_fd))
                die("fdatasync");
}

/* With posix_spawn(), that costs nothing; with fork(), the copy of the page tables. */
static void touch(void)
{
        size_t n = 1 << 30;
        char *m = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (m == MAP_FAILED)
                die("mmap");
        memset(m, 1, n);
}

/* What a process is to the kernel by itself. */
static void keep(size_t n)
{
        pid_t *pids = calloc(n, sizeof(*pids));
        posix_spawn_file_actions_t files;
        char *argv[] = {program, NULL};
        posix_spawnattr_t attr;

        if (!pids || posix_spawnattr_init(&attr) || posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID) ||
            posix_spawn_file_actions_init(&files))
                die("calloc");
        for (int fd = 0; fd < 3; fd++)
                posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_RDWR, 0);
        for (size_t i = 0; i < n; i++)
                if (posix_spawn(&pids[i], program, &files, &attr, argv, environment))
                        die("posix_spawn");
        puts("kept");
        fflush(stdout);
        while (getchar() != EOF)
                ;
        for (size_t i = 0; i < n; i++)
                kill(pids[i], SIGKILL);
        for (size_t i = 0; i < n; i++)
                waitpid(pids[i], NULL, 0);
        free(pids);
}

int main(int argc, char **argv)
{
        const char *what = argc > 3 ? argv[1] : "";
        double seconds = argc > 3 ? atof(argv[2]) : 0;
        int threads = argc > 4 ? atoi(argv[3]) : 1;

        program = argc > 4 ? argv[4] : NULL;
        if (argc == 4 && !strcmp(what, "keep")) {
                program = argv[3];
                keep(strtoul(argv[2], NULL, 10));
        } else if (!strcmp(what, "sync")) {
                sync_fd = open(argv[3], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
                if (sync_fd < 0)
                        die(argv[3]);
                run_threads(sync_once, seconds, 1);
        } else if (program && !strcmp(what, "posix")) {
                run_threads(spawn_posix, seconds, threads);
        } else if (program && !strcmp(what, "touch")) {
                touch();
                run_threads(spawn_posix, seconds, threads);
        } else if (program && !strcmp(what, "clone")) {
                run_threads(spawn_clone, seconds, threads);
        } else if (program && !strcmp(what, "own")) {
                null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
                if (null_fd < 0)
                        die("/dev/null");
                run_threads(spawn_own, seconds, threads);
        } else {
                fprintf(stderr, "usage: spawn posix|clone|own|touch SECONDS THREADS PROGRAM | spawn sync "
                                "SECONDS FILE | "
                                "spawn keep COUNT PROGRAM\n");
                return 2;
        }
        return 0;
}
