/* SPDX-License-Identifier: MIT */
#include "base/socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"

union control {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(SOCKET_FDS_MAX * sizeof(int))];
};

int socket_send(int fd, const void *buf, size_t n, const int *fds, size_t fds_n, int flags)
{
        struct iovec iov = {.iov_base = (void *)buf, .iov_len = n};
        struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
        union control control = {0};
        ssize_t sent;

        if (fds_n) {
                struct cmsghdr *c = &control.align;

                msg.msg_control = &control;
                msg.msg_controllen = CMSG_SPACE(fds_n * sizeof(int));
                c->cmsg_level = SOL_SOCKET;
                c->cmsg_type = SCM_RIGHTS;
                c->cmsg_len = CMSG_LEN(fds_n * sizeof(int));
                memcpy(CMSG_DATA(c), fds, fds_n * sizeof(int));
        }
        do
                sent = sendmsg(fd, &msg, flags | MSG_NOSIGNAL);
        while (sent < 0 && errno == EINTR);
        return sent < 0 ? -1 : 0;
}

ssize_t socket_recv(int fd, void *buf, size_t n, int fds[SOCKET_FDS_MAX], int flags)
{
        union control control;
        struct iovec iov = {.iov_base = buf, .iov_len = n};
        /* CMSG_SPACE would let in one more: it is rounded up. */
        struct msghdr msg = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = CMSG_LEN(SOCKET_FDS_MAX * sizeof(int))};
        ssize_t got;

        for (int i = 0; i < SOCKET_FDS_MAX; i++)
                fds[i] = -1;
        do
                got = recvmsg(fd, &msg, flags | MSG_CMSG_CLOEXEC);
        while (got < 0 && errno == EINTR);
        if (got < 0)
                return -1;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
                if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
                        memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
        return got;
}

void socket_close_files(int fds[SOCKET_FDS_MAX])
{
        for (int i = 0; i < SOCKET_FDS_MAX; i++)
                closep(&fds[i]);
}
