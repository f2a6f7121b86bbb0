/* SPDX-License-Identifier: MIT */
/* witness FILE MARK CODE MILLISECONDS [orphan|stdin]
 *
 * The child of a storm. Appends "MARK ID begin PID" to FILE, sleeps (or reads its stdin to the end), appends
 * "MARK ID end CODE" and ends so: with the status CODE, or by the signal -CODE. From the second line on no
 * SIGTERM changes that any more. With "orphan" it leaves a grandchild that nobody waits for.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static int file;
static const char *mark, *id;

/* One write, so that lines of many processes stay whole. */
static void tell(const char *what, int n)
{
        char line[256];
        int len = snprintf(line, sizeof(line), "%s %s %s %d\n", mark, id, what, n);

        if (write(file, line, (size_t)len) != len)
                _exit(111);
}

static void nap(long ms)
{
        struct timespec ts = {ms / 1000, ms % 1000 * 1000000};

        while (nanosleep(&ts, &ts) < 0)
                ;
}

static void leave_orphan(void)
{
        if (fork() != 0)
                return;
        if (setsid() >= 0 && fork() == 0)
                nap(2);
        _exit(0);
}

static void __attribute__((noreturn)) end(int code)
{
        sigset_t only;

        if (code >= 0)
                _exit(code);
        setrlimit(RLIMIT_CORE, &(struct rlimit){0});
        signal(-code, SIG_DFL);
        raise(-code);
        sigemptyset(&only);
        sigaddset(&only, -code);
        sigprocmask(SIG_UNBLOCK, &only, NULL);
        _exit(112);
}

int main(int argc, char **argv)
{
        sigset_t term;
        char c[64];
        int code;

        if (argc < 5 || !(id = getenv("CRECHE_ID")))
                return 110;
        mark = argv[2];
        code = atoi(argv[3]);
        file = open(argv[1], O_WRONLY | O_APPEND | O_CLOEXEC);
        tell("begin", getpid());
        if (argc > 5 && !strcmp(argv[5], "orphan"))
                leave_orphan();
        if (argc > 5 && !strcmp(argv[5], "stdin"))
                while (read(STDIN_FILENO, c, sizeof(c)) > 0)
                        ;
        nap(atol(argv[4]));
        sigemptyset(&term);
        sigaddset(&term, SIGTERM);
        sigprocmask(SIG_BLOCK, &term, NULL);
        tell("end", code);
        end(code);
}
