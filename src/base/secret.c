/* SPDX-License-Identifier: MIT */
#include "base/secret.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* 1 is less than any core in a file needs, and the one limit at which the kernel starts no program that collects
 * cores either: to that, 0 would be no limit.
 *
 * Who is not dumpable does not own its files in /proc, /proc/self/oom_score_adj among them: nobody but root could
 * give children their score back. */
void secret_process(struct rlimit *had)
{
        struct rlimit least;

        if (getrlimit(RLIMIT_CORE, had) == 0) {
                least = *had;
                least.rlim_cur = least.rlim_max > 0;
                setrlimit(RLIMIT_CORE, &least);
        }
        if (geteuid() == 0)
                prctl(PR_SET_DUMPABLE, 0);
}

void secret_free(void *p, size_t n)
{
        if (p)
                explicit_bzero(p, n);
        free(p);
}

void *secret_grow(void *p, size_t n, size_t new_n)
{
        void *larger = malloc(new_n);

        if (!larger)
                return NULL;
        if (p)
                memcpy(larger, p, n);
        secret_free(p, n);
        return larger;
}

void secret_free_all(void *p)
{
        secret_free(p, malloc_usable_size(p));
}

void secret_freep(char **s)
{
        secret_free_all(*s);
}
