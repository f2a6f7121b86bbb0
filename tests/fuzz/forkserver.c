/* SPDX-License-Identifier: MIT */
/* tests/fuzz/forkserver.c: what the forkserver reads from its two sockets, down to the clone, which is not made.
 *
 * Input: a byte: files that come along (0 to 6); how much longer or shorter than it is the packet is said to be; the
 * request without its size; then the launch: patches of 2 bytes of place and 8 of value to one that is right, or with
 * the highest bit of the first byte as it stands. With the next bit it is a message of the zombie protocol. */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/socket.h"
#include "start/forkserver.h"
#include "start/start.h"

enum { FILES_MAX = SOCKET_FDS_MAX + 1 };

static int ours = -1, theirs = -1;
static struct journal_slot journal_slots[JOURNAL_SLOTS];

static pid_t fuzz_clone(struct bootstrap *b, int *pidfd);

#define FORKSERVER_START_FD                     theirs
#define FORKSERVER_ZOMBIE_FD                    theirs
#define start_clone(flags, stack, child, pidfd) fuzz_clone(child, pidfd)
#include "start/forkserver_main.c"

static size_t read_list(char *const *list)
{
        size_t n = 0;

        for (; *list; list++)
                n += strlen(*list) + 1;
        return n;
}

/* What the child would do with it: read everything. */
static pid_t fuzz_clone(struct bootstrap *b, int *pidfd)
{
        const struct launch *l = b->launch;
        size_t n = read_list(l->argv.list) + read_list(l->envp.list) + read_list(l->paths.list);

        n += strlen(l->cwd.text) + (l->log_root.text ? strlen(l->log_root.text) : 0);
        n += l->out_path.text ? strlen(l->out_path.text) : 0;
        n += l->err_path.text ? strlen(l->err_path.text) : 0;
        n += strlen(l->oom_score_adj);
        REQUIRE(n < 4 * l->size * l->size);
        REQUIRE(l->groups_n <= ACCOUNT_GROUPS_MAX && l->rlimits_n <= SPEC_RLIMITS_MAX);
        REQUIRE(l->argv.list[0] && (unsigned)l->out < OUTPUT_COUNT && (unsigned)l->err < OUTPUT_COUNT);
        REQUIRE(b->slot >= journal_slots && b->slot < journal_slots + JOURNAL_SLOTS);
        REQUIRE(b->stdin_fd == -1 || fcntl(b->stdin_fd, F_GETFD) >= 0);
        REQUIRE(b->cgroup_fd == -1 || fcntl(b->cgroup_fd, F_GETFD) >= 0);
        REQUIRE(b->out_fd == 0 || fcntl(b->out_fd, F_GETFD) >= 0);
        REQUIRE(b->err_fd == 0 || fcntl(b->err_fd, F_GETFD) >= 0);
        *pidfd = dup(STDERR_FILENO);
        return 4242;
}

static struct launch *sound_launch(void)
{
        static const char *const env[] = {"CRECHE_ID=7", "CRECHE_URL=x", NULL};
        const struct account a = {.uid = 1000, .name = "u", .home = "/home/u", .shell = "/bin/sh"};
        const struct launch_context c = {.account = &a,
                                         .env = env,
                                         .cwd = "/",
                                         .log_root = "/s",
                                         .out_path = "/s/o",
                                         .err_path = "/s/e"};
        char *argv[] = {(char *)"sh", (char *)"-c", (char *)"x", NULL};
        struct spec s = {.argv = argv};

        return launch_new(&s, &c);
}

static int file_of(const void *bytes, size_t n)
{
        int fd = memfd_create("launch", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        REQUIRE(fd >= 0 && fd_write_all(fd, bytes, n) == 0);
        REQUIRE(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK) == 0);
        return fd;
}

/* The file of a launch with patches; @size: how long it is. */
static int patched_launch(struct input *in, uint64_t *size)
{
        struct launch *l = sound_launch();
        int fd;

        *size = l->size;
        while (in->n) {
                uint64_t value;
                uint16_t at;

                input_copy(in, &at, sizeof(at));
                input_copy(in, &value, sizeof(value));
                memcpy((char *)l + at % (*size - sizeof(value)), &value, sizeof(value));
        }
        fd = file_of(l, *size);
        free(l);
        return fd;
}

/* The socket's answer, and nothing open that was not open before. */
static void serve(bool zombie)
{
        const struct server server = {.slots = journal_slots, .daemon = -1};
        struct forkserver_reply reply;
        struct zombie_msg msg;
        int fds[SOCKET_FDS_MAX];

        if (zombie) {
                REQUIRE(serve_zombie());
                if (socket_recv(ours, &msg, sizeof(msg), fds, MSG_DONTWAIT) > 0)
                        REQUIRE(msg.pid > 0 && (msg.op == ZOMBIE_EXIT || msg.op == ZOMBIE_GONE));
                return;
        }
        REQUIRE(serve_start(&server));
        REQUIRE(socket_recv(ours, &reply, sizeof(reply), fds, MSG_DONTWAIT) == sizeof(reply));
        REQUIRE(reply.pid == 4242 || (reply.pid == -1 && reply.errnum > 0));
        REQUIRE((reply.pid > 0) == (fds[0] >= 0));
        socket_close_files(fds);
}

/* More files than socket_send() would send. */
static void send_packet(const void *packet, size_t n, int file, size_t files)
{
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(FILES_MAX * sizeof(int))];
        } control = {0};
        int fds[FILES_MAX];
        struct iovec iov = {(void *)(uintptr_t)packet, n};
        struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};

        for (size_t i = 0; i < FILES_MAX; i++)
                fds[i] = file;
        if (files) {
                control.align = (struct cmsghdr){CMSG_LEN(files * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
                memcpy(CMSG_DATA(&control.align), fds, files * sizeof(int));
                h.msg_control = &control;
                h.msg_controllen = CMSG_SPACE(files * sizeof(int));
        }
        REQUIRE(sendmsg(ours, &h, MSG_NOSIGNAL) == (ssize_t)n);
}

static void ask_for_start(struct input *in, unsigned how)
{
        int8_t longer = (int8_t)input_byte(in), cut = (int8_t)input_byte(in);
        struct forkserver_request req;
        int file;

        input_copy(in, &req, offsetof(struct forkserver_request, size));
        req.size = in->n;
        file = how & 0x80 ? file_of(in->at, in->n) : patched_launch(in, &req.size);
        req.size += (uint64_t)longer * 64;
        send_packet(&req, sizeof(req) - (cut == 1), file, how % 0x40 % (FILES_MAX + 1));
        close(file);
        serve(false);
}

static void ask_for_zombie(struct input *in, unsigned how)
{
        struct zombie_msg msg;

        input_copy(in, &msg, sizeof(msg));
        /* What is a child of this very process is nobody's zombie here. */
        send_packet(&msg, in->n ? sizeof(msg) - 1 : sizeof(msg), STDERR_FILENO, how % 0x40 % (FILES_MAX + 1));
        serve(true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct input in = {data, size};
        unsigned how = input_byte(&in);
        int pair[2], before = dup(STDERR_FILENO), after;

        close(before);
        REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
        ours = pair[0];
        theirs = pair[1];
        if (how & 0x40)
                ask_for_zombie(&in, how);
        else
                ask_for_start(&in, how);
        close(ours);
        close(theirs);
        after = dup(STDERR_FILENO);
        close(after);
        REQUIRE(before == after);
        return 0;
}
