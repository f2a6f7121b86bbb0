/* SPDX-License-Identifier: MIT */
/* tests/crash/forbid.c: "forbid CALL ERRNO COMMAND..." runs COMMAND in a world where the system call fails so,
 * as on an old kernel (ENOSYS) or under the seccomp filter of an old container runtime (EPERM). */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
        const char *name;
        unsigned number;
} calls[] = {
        {"clone3", SYS_clone3},
        {"pidfd_open", SYS_pidfd_open},
        {"pidfd_send_signal", SYS_pidfd_send_signal},
        {"openat2", SYS_openat2},
        {"close_range", SYS_close_range},
};

static unsigned number_of(const char *name)
{
        for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
                if (!strcmp(calls[i].name, name))
                        return calls[i].number;
        fprintf(stderr, "forbid: no such call: %s\n", name);
        exit(2);
}

static int forbid(unsigned number, unsigned errnum)
{
        struct sock_filter code[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | errnum),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

        return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0
                       ? -1
                       : prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

int main(int argc, char **argv)
{
        if (argc < 4)
                return 2;
        if (forbid(number_of(argv[1]), strcmp(argv[2], "EPERM") ? ENOSYS : EPERM) < 0) {
                perror("forbid: seccomp");
                return 3;
        }
        execvp(argv[3], argv + 3);
        perror(argv[3]);
        return 2;
}
