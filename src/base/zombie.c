/* SPDX-License-Identifier: MIT */
#include "base/zombie.h"

#include <errno.h>
#include <sys/wait.h>

#include "base/sys.h"

bool zombie_serve(struct zombie_msg *msg)
{
        siginfo_t si;
        struct rusage ru = {0};

        if (msg->pid <= 0)
                return false;
        if (msg->op == ZOMBIE_REAP) {
                sys_waitid(P_PID, (id_t)msg->pid, &si, WEXITED | WNOHANG, NULL);
                return false;
        }
        if (msg->op != ZOMBIE_PEEK)
                return false;
        if (sys_waitid(P_PID, (id_t)msg->pid, &si, WEXITED | WNOHANG | WNOWAIT, &ru) < 0) {
                msg->op = ZOMBIE_GONE;
                return errno == ECHILD;
        }
        msg->op = ZOMBIE_EXIT;
        msg->code = si.si_code;
        msg->status = si.si_status;
        msg->rusage = ru;
        return si.si_pid != 0;
}
