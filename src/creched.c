/* SPDX-License-Identifier: MIT */
/* creched: wiring only. Started by a user it opens what outlives it and becomes creche-init, which starts it
 * again as its child; that one serves. Under its third name it is the forkserver. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/config.h"
#include "base/kernel.h"
#include "daemon/oom.h"
#include "daemon/privileges.h"
#include "daemon/serve.h"
#include "daemon/sockets.h"
#include "daemon/tls.h"
#include "start/forkserver.h"

/* Under creche-init: the sockets are there, and they are for this process. */
static int is_second_stage(void)
{
        const char *pid = getenv("LISTEN_PID");

        return getenv("CRECHE_INIT_FD") && pid && atoi(pid) == (int)getpid();
}

/* The path of this program, and of its neighbour @name. */
static int find_programs(char self[PATH_MAX], char init[PATH_MAX])
{
        ssize_t n = readlink("/proc/self/exe", self, PATH_MAX - 1);
        char *slash;

        if (n < 0)
                return -1;
        self[n] = '\0';
        slash = strrchr(self, '/');
        if (snprintf(init, PATH_MAX, "%.*s/creche-init", (int)(slash - self), self) >= PATH_MAX)
                return -1;
        return 0;
}

static int fail(const struct err *e)
{
        fprintf(stderr, "creched: %s\n", e->msg);
        return e->kind == ERR_TRY_AGAIN ? STATUS_BUSY : STATUS_FAILED;
}

/* Returns only if that fails. */
static void exec_init(const char *init, char *self, int argc, char **argv)
{
        char **init_argv = calloc((size_t)argc + 3, sizeof(*init_argv));

        if (!init_argv)
                return;
        init_argv[0] = (char *)"creche-init";
        init_argv[1] = self;
        memcpy(init_argv + 2, argv + 1, (size_t)argc * sizeof(*argv));
        execv(init, init_argv);
        free(init_argv);
}

/* Who makes files in directories of somebody else's is somebody else meanwhile; low ports are root's. */
static int open_all(struct config *c, struct sockets *s, struct err *e)
{
        struct account owner;
        int rc = privileges_decide(c, &owner, e);
        bool pretends = rc == 0;

        if (rc < 0 || tls_check(c, e) < 0 || sockets_make_dirs(c, pretends ? &owner : NULL, e) < 0 ||
            (pretends && privileges_pretend(&owner, e) < 0) || sockets_lock(c, &s->lock, e) < 0 ||
            sockets_open(c, s, e) < 0 || (pretends && privileges_resume(e) < 0))
                return -1;
        return sockets_open_tcp(c, s, e);
}

/* Become creche-init. */
static int first_stage(struct config *c, int argc, char **argv)
{
        struct sockets s = {-1, -1, -1};
        char self[PATH_MAX], init[PATH_MAX];
        struct err e;

        if (kernel_check(&e) < 0)
                return fail(&e);
        if (find_programs(self, init) < 0) {
                fprintf(stderr, "creched: cannot find its own path: %s\n", strerror(errno));
                return STATUS_FAILED;
        }
        if (open_all(c, &s, &e) < 0 || sockets_hand_over(&s, &e) < 0)
                return fail(&e);
        oom_protect();
        exec_init(init, self, argc, argv);
        fprintf(stderr, "creched: cannot execute %s: %s\n", init, strerror(errno));
        return STATUS_FAILED;
}

/* A daemon that was started with a closed stdin must not take a socket for it. */
static void open_standard_files(void)
{
        int fd;

        do
                fd = open("/dev/null", O_RDWR);
        while (fd >= 0 && fd <= STDERR_FILENO);
        if (fd > STDERR_FILENO)
                close(fd);
}

int main(int argc, char **argv)
{
        struct config c;
        struct err e;
        int rc;

        if (!strcmp(argv[0], FORKSERVER_NAME))
                return forkserver_main(argc, argv);
        open_standard_files();
        rc = config_read(argc, argv, !is_second_stage(), &c, &e);
        if (rc > 0)
                return EXIT_SUCCESS;
        if (rc < 0) {
                fprintf(stderr, "creched: %s\nTry 'creched --help'.\n", e.msg);
                return STATUS_USAGE;
        }
        c.argv = argv;
        log_set_level(c.log_level);
        return is_second_stage() ? serve(&c) : first_stage(&c, argc, argv);
}
