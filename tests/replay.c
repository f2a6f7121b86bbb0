/* SPDX-License-Identifier: MIT */
/* tests/replay.c: gives a fuzz target the files of its corpus, in TAP: TARGET FOLDER
 * One that does not come back ends the program; what is planned and not reported counts as failed. */
#include <dirent.h>
#include <unistd.h>

#include "fuzz/fuzz.h"

enum { SECONDS = 60 };

static int is_input(const struct dirent *d)
{
        return *d->d_name != '.';
}

/* Returns 0, or -1. */
static int replay(const char *folder, const char *name)
{
        char path[4096];
        FILE *f;
        long n;
        void *bytes;

        snprintf(path, sizeof(path), "%s/%s", folder, name);
        f = fopen(path, "re");
        if (!f || fseek(f, 0, SEEK_END) < 0 || (n = ftell(f)) < 0) {
                perror(path);
                return -1;
        }
        rewind(f);
        /* Exactly as long as the input: reading on is seen. */
        bytes = fuzz_alloc((size_t)n);
        if (fread(bytes, 1, (size_t)n, f) != (size_t)n) {
                perror(path);
                return -1;
        }
        fclose(f);
        alarm(SECONDS);
        LLVMFuzzerTestOneInput(bytes, (size_t)n);
        free(bytes);
        return 0;
}

int main(int argc, char **argv)
{
        struct dirent **names = NULL;
        int n = argc == 2 ? scandir(argv[1], &names, is_input, alphasort) : -1;
        int failed = n <= 0;

        setvbuf(stdout, NULL, _IOLBF, 0);
        printf("1..%d\n", n > 0 ? n : 1);
        for (int i = 0; i < n; i++) {
                int rc;

                fprintf(stderr, "# %s\n", names[i]->d_name);
                rc = replay(argv[1], names[i]->d_name);
                printf("%s %d - %s\n", rc ? "not ok" : "ok", i + 1, names[i]->d_name);
                failed |= rc;
                free(names[i]);
        }
        free(names);
        return failed != 0;
}
