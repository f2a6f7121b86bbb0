/* SPDX-License-Identifier: MIT */
/* See base/killpoint.h. Linked into the programs of a build with KILLPOINTS=1 only. */
#include "base/killpoint.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define VARIABLE "CRECHE_KILLPOINT="

static struct killpoint own[KILLPOINTS], *armed = own;
static char variable[4096];

static struct killpoint *map_file(const char *path)
{
        int fd = open(path, O_RDWR | O_CLOEXEC);
        void *m = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(own), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

        close(fd);
        if (m == MAP_FAILED) {
                perror(path);
                abort();
        }
        return m;
}

static void __attribute__((constructor)) killpoint_setup(void)
{
        const char *value = getenv("CRECHE_KILLPOINT"), *colon;

        if (!value)
                return;
        snprintf(variable, sizeof(variable), VARIABLE "%s", value);
        if (*value == '@') {
                armed = map_file(value + 1);
                return;
        }
        colon = strchr(value, ':');
        snprintf(own[0].name, sizeof(own[0].name), "%.*s", (int)strcspn(value, ":"), value);
        own[0].left = colon ? atoi(colon + 1) : 1;
}

static void pass(struct killpoint *k, const char *name)
{
        if (__atomic_load_n(&k->left, __ATOMIC_ACQUIRE) <= 0 || strcmp(k->name, name) ||
            __atomic_fetch_sub(&k->left, 1, __ATOMIC_ACQ_REL) != 1)
                return;
        __atomic_fetch_add(&k->fired, 1, __ATOMIC_RELEASE);
        for (;;)
                syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
}

/* Between vfork and exec nothing but raw system calls will do. */
void killpoint(const char *name)
{
        for (int i = 0; i < KILLPOINTS; i++)
                pass(&armed[i], name);
}

char *const *killpoint_environ(void)
{
        static char *env[] = {variable, NULL};

        return env;
}
