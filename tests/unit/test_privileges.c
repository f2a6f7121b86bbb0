/* SPDX-License-Identifier: MIT */
/* tests/unit/test_privileges.c: what a child may do, and may never do again, by each start method. */
#include "start_rig.h"

#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/syscall.h>

#define NO_CAPABILITY "\t0000000000000000"

static void check_set(const char *report, const char *set, const char *value)
{
        char line[64];

        snprintf(line, sizeof(line), "%s:%s", set, value);
        check_line(report, line);
}

/* "\t000001ffffffffff": what /proc/self/status says about @set of ours. */
static const char *own_set(const char *set)
{
        static char line[128];
        FILE *f = fopen("/proc/self/status", "re");
        size_t n = strlen(set);

        while (fgets(line, sizeof(line), f))
                if (!strncmp(line, set, n) && line[n] == ':')
                        break;
        fclose(f);
        line[strcspn(line, "\n")] = '\0';
        return line + n + 1;
}

TEST(no_child_gains_privileges_unless_that_is_asked_for)
{
        struct rig r;

        rig_begin(&r);
        for_each_method(m)
        {
                struct spec spec = plain(NULL);

                check_line(probed(&r, m, &spec, -1), "NoNewPrivs:\t1");
                spec.may_gain_privileges = true;
                check_line(probed(&r, m, &spec, -1), "NoNewPrivs:\t0");
        }
        rig_end(&r);
}

TEST(a_child_that_is_not_root_has_no_capability_and_never_gets_one)
{
        static const char *const sets[] = {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"};
        struct rig r;

        if (geteuid() != 0)
                skip();
        chmod(test_path("."), 0777);
        rig_begin(&r);
        for_each_method(m)
        {
                struct spec spec = plain(NULL);
                const char *report;

                unlink(test_path("report"));
                spec.user = (char *)"65534";
                spec.group = (char *)"65534";
                report = probed(&r, m, &spec, -1);
                for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
                        check_set(report, sets[i], NO_CAPABILITY);
        }
        rig_end(&r);
}

/* One that shall be able to run sudo needs what sudo needs. */
TEST(a_child_that_may_gain_privileges_keeps_the_bounding_set)
{
        struct rig r;

        if (geteuid() != 0)
                skip();
        chmod(test_path("."), 0777);
        rig_begin(&r);
        for_each_method(m)
        {
                struct spec spec = plain(NULL);
                const char *report;

                unlink(test_path("report"));
                spec.user = (char *)"65534";
                spec.group = (char *)"65534";
                spec.may_gain_privileges = true;
                report = probed(&r, m, &spec, -1);
                check_set(report, "CapBnd", own_set("CapBnd"));
                check_set(report, "CapEff", NO_CAPABILITY);
        }
        rig_end(&r);
}

/* As systemd does for AmbientCapabilities=. */
static void raise_ambient(unsigned long cap)
{
        struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct sets[2];

        CHECK_INT(syscall(SYS_capget, &head, sets), 0);
        sets[0].inheritable |= 1U << cap;
        CHECK_INT(syscall(SYS_capset, &head, sets), 0);
        CHECK_INT(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0), 0);
}

static void lower_inheritable(void)
{
        struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct sets[2];

        CHECK_INT(syscall(SYS_capget, &head, sets), 0);
        sets[0].inheritable = sets[1].inheritable = 0;
        CHECK_INT(syscall(SYS_capset, &head, sets), 0); /* takes the ambient ones along */
}

TEST(what_the_daemon_was_given_to_pass_on_is_not_passed_on_and_root_stays_root)
{
        struct rig r;

        if (geteuid() != 0)
                skip();
        raise_ambient(CAP_KILL);
        rig_begin(&r);
        for_each_method(m)
        {
                struct spec spec = plain(NULL);
                const char *report = probed(&r, m, &spec, -1);

                check_set(report, "CapInh", NO_CAPABILITY);
                check_set(report, "CapAmb", NO_CAPABILITY);
                check_set(report, "CapBnd", own_set("CapBnd"));
                check_set(report, "CapEff", own_set("CapEff"));
        }
        rig_end(&r);
        lower_inheritable();
}

/* From here on, @call fails with EPERM; prctl() for PR_SET_NO_NEW_PRIVS only. */
static int forbid(int call)
{
        struct sock_filter code[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call, 0, 4),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 2),
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PR_SET_NO_NEW_PRIVS, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

        return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
                               prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0
                       ? -1
                       : 0;
}

/* In a process of its own, because a filter stays. The number of start methods that told @stage and EPERM. */
static int told_under(int call, enum bootstrap_stage stage)
{
        const char *argv[] = {"true", NULL};
        pid_t pid = fork();
        int status, told = 0;

        if (pid == 0) {
                struct spec spec = plain(argv);
                struct err e = {0};
                struct rig r;

                if (call == SYS_capset) /* else there is nothing to drop */
                        raise_ambient(CAP_KILL);
                rig_begin(&r);
                if (forbid(call) < 0)
                        _exit(100);
                for_each_method(m) if (start(&r, m, &spec, -1, &e) == 0)
                {
                        told += r.result.stage == stage && r.result.errnum == EPERM;
                        exitcode_of(&r);
                }
                _exit(told);
        }
        waitpid(pid, &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(privileges_that_cannot_be_dropped_are_a_start_that_fails_and_says_where)
{
        CHECK_INT(told_under(SYS_prctl, STAGE_NO_NEW_PRIVS), START_METHOD_COUNT);
        CHECK_STR(bootstrap_stage_name(STAGE_CAPABILITIES), "capabilities");
        CHECK_STR(bootstrap_stage_name(STAGE_NO_NEW_PRIVS), "no_new_privs");
        if (geteuid() != 0)
                skip();
        CHECK_INT(told_under(SYS_capset, STAGE_CAPABILITIES), START_METHOD_COUNT);
}

int main(int argc, char **argv)
{
        return start_main("privileges", argc, argv);
}
