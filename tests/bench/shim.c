/* SPDX-License-Identifier: MIT */
/* Loaded into creched before its libraries (LD_PRELOAD), to see what something costs that it has, or has not:
 *
 *   BENCH_NORMAL=1       the database is not synced at each commit: what synchronous=FULL costs. It loses what it
 *                        promised when the power fails, which is why creched itself has no such option
 *   BENCH_TOUCH=BYTES    so much memory is its own
 *
 * Says on stderr what it has done.
 */
#include <dlfcn.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

int sqlite3_exec(sqlite3 *db, const char *sql, int (*fn)(void *, int, char **, char **), void *arg,
                 char **error)
{
        static __typeof__(sqlite3_exec) *real;

        if (!real)
                real = (__typeof__(real))dlsym(RTLD_NEXT, "sqlite3_exec");
        if (getenv("BENCH_NORMAL") && !strcmp(sql, "PRAGMA synchronous = FULL")) {
                sql = "PRAGMA synchronous = NORMAL";
                fprintf(stderr, "bench: synchronous NORMAL\n");
        }
        return real(db, sql, fn, arg, error);
}

__attribute__((constructor)) static void touch(void)
{
        const char *bytes = getenv("BENCH_TOUCH");
        size_t n = bytes && !strcmp(program_invocation_short_name, "creched") ? strtoull(bytes, NULL, 10) : 0;
        void *memory;

        if (!n)
                return;
        memory = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED)
                abort();
        memset(memory, 1, n);
        fprintf(stderr, "bench: touched %zu bytes\n", n);
}
