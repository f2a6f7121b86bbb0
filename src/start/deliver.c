/* SPDX-License-Identifier: MIT */
#include "start/deliver.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/socket.h"
#include "base/sys.h"
#include "start/forkserver.h"

#ifndef PIDFD_SIGNAL_PROCESS_GROUP
#define PIDFD_SIGNAL_PROCESS_GROUP (1U << 2)
#endif

static struct {
        bool is_there;        /* never changes once there are threads */
        pthread_mutex_t lock; /* one question at a time; guards fd */
        int fd;               /* -1: it has not answered */
} server = {.lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1};

void deliver_through(int fd)
{
        closep(&server.fd);
        server.fd = fd;
        server.is_there = fd >= 0;
}

/* Under the lock. An answer that does not come would be taken for that to the next question: so there is none. */
static int ask(int pidfd, const struct forkserver_signal *question)
{
        int fds[SOCKET_FDS_MAX];
        int32_t answer = EPERM;

        if (server.fd < 0)
                return EPERM;
        if (socket_send(server.fd, question, sizeof(*question), &pidfd, 1, 0) == 0 &&
            socket_recv(server.fd, &answer, sizeof(answer), fds, 0) == sizeof(answer))
                return answer;
        log_error("signal.no_answer", "detail=%s", log_quote("the privileged forkserver does not answer"));
        closep(&server.fd);
        return EPERM;
}

static int ask_server(int pidfd, int signo, bool group)
{
        const struct forkserver_signal question = {.signo = signo, .group = group};
        int errnum;

        pthread_mutex_lock(&server.lock);
        errnum = ask(pidfd, &question);
        pthread_mutex_unlock(&server.lock);
        if (errnum == EPERM)
                log_warn("signal.refused", "signo=%d errno=EPERM", signo);
        errno = errnum;
        return errnum ? -1 : 0;
}

int deliver_signal(int pidfd, int signo)
{
        int rc = sys_pidfd_send_signal(pidfd, signo, 0);

        return rc < 0 && errno == EPERM && server.is_there ? ask_server(pidfd, signo, false) : rc;
}

/* With a server it is the server's business at once: we might reach some of the group, and the kernel would call
 * that a success. */
int deliver_to_group(int pidfd, pid_t pid, int signo)
{
        if (server.is_there)
                return ask_server(pidfd, signo, true);
        if (sys_pidfd_send_signal(pidfd, signo, PIDFD_SIGNAL_PROCESS_GROUP) == 0)
                return 0;
        return errno == EINVAL ? kill(-pid, signo) : -1;
}
