/* SPDX-License-Identifier: MIT */
#include "daemon/oom.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fd.h"

#define FILE_NAME "/proc/self/oom_score_adj"
#define VARIABLE  "CRECHE_OOM_SCORE_ADJ"

/* Not -1000, which is never: were we what eats the memory, the machine would go under with us. Less than it was
 * at the last time that somebody with CAP_SYS_RESOURCE wrote there is not for everybody; 0 often is. */
static const char *const spared[] = {"-900", "0", NULL};

void oom_protect(void)
{
        CLEANUP(closep) int fd = open(FILE_NAME, O_WRONLY | O_CLOEXEC);
        char had[16];

        unsetenv(VARIABLE);
        if (fd < 0 || fd_read_file(AT_FDCWD, FILE_NAME, had, sizeof(had)) <= 0)
                return;
        had[strcspn(had, "\n")] = '\0';
        for (const char *const *to = spared; *to; to++)
                if (atoi(had) > atoi(*to) && fd_write_all(fd, *to, strlen(*to)) == 0) {
                        setenv(VARIABLE, had, 1);
                        return;
                }
}

void oom_inherit(char out[8])
{
        const char *had = getenv(VARIABLE);

        out[0] = '\0';
        if (had && strlen(had) < 6)
                snprintf(out, 8, "%d", atoi(had));
        unsetenv(VARIABLE);
}

void oom_hand_over(const char *had)
{
        if (*had)
                setenv(VARIABLE, had, 1);
}
