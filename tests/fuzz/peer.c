/* SPDX-License-Identifier: MIT */
/* tests/fuzz/peer.c: what creched hears from creche-init and from a forkserver, about its children and strangers.
 *
 * Input: steps of 8 bytes: whose socket, and whether the packet is whole; op; which pid; which id; code; status (2);
 * files that come along. */
#include "fuzz.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "registry/internal.h"

static void fuzz_exit_from_parent(struct child *c, int code, int status);
static void fuzz_exit_lost(struct child *c);

#undef log_error
#undef log_warn
#define log_error(event, ...)                     ((void)0)
#define log_warn(event, ...)                      ((void)0)
#define exit_from_parent(child, code, status, ru) fuzz_exit_from_parent(child, code, status)
#define exit_lost(child, why)                     fuzz_exit_lost(child)
#define exit_seen(child)                          ((child)->exit_seen = true)
#define reaper_wake(registry)                     ((void)(registry))
#include "registry/peers.c"
#include "test.h"

enum { CHILDREN = 4, FIRST_PID = 0x3ffffff0, IN_FLIGHT = FIRST_PID + CHILDREN, STEP = 8 };

static struct registry registry;
static struct child *children[CHILDREN];
static int ended[CHILDREN];
static int init_end, server_end;

static size_t number_of(const struct child *c)
{
        return (size_t)(c->rec.pid - FIRST_PID);
}

/* An end is told once, and is one that a process can have. */
static void fuzz_exit_from_parent(struct child *c, int code, int status)
{
        REQUIRE(number_of(c) < CHILDREN && ended[number_of(c)]++ == 0);
        if (code == CLD_EXITED)
                REQUIRE(status >= 0 && status <= 255);
        else
                REQUIRE((code == CLD_KILLED || code == CLD_DUMPED) && status >= 1 && status <= 64);
}

static void fuzz_exit_lost(struct child *c)
{
        REQUIRE(number_of(c) < CHILDREN && ended[number_of(c)]++ == 0);
}

static void remove_folder(void)
{
        test_end(NULL);
}

static void set_up(void)
{
        struct err e = {0};

        REQUIRE(journal_open(test_dir_fd(), "spawn.journal", &registry.journal, &e) == 0);
        atexit(remove_folder);
        journal_clear(registry.journal);
        journal_claim(registry.journal, 99, &e)->pid = IN_FLIGHT;
        pthread_mutex_init(&registry.lock, NULL);
        list_init(&registry.all);
        list_init(&registry.outbox);
        registry.epfd = -1;
}

static void begin(void)
{
        int a[2], b[2];

        REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, a) == 0);
        REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, b) == 0);
        registry.init = (struct peer){.source = {SOURCE_PEER}, .number = PEER_INIT, .fd = a[0], .pidfd = -1};
        registry.forkservers[0] = (struct peer){.source = {SOURCE_PEER},
                                                .number = PEER_FORKSERVER + 1,
                                                .fd = b[0],
                                                .pid = 0x3fffffff,
                                                .pidfd = -1};
        init_end = a[1];
        server_end = b[1];
        for (int i = 0; i < CHILDREN; i++) {
                struct child *c = children[i] = child_new(&registry);

                c->rec = (struct process){.id = i + 1, .pid = FIRST_PID + i, .state = PROCESS_STARTED};
                c->peer = i % 2 ? PEER_FORKSERVER + 1 : PEER_INIT;
                table_insert(&registry, c);
                table_insert_pid(&registry, c);
                ended[i] = 0;
        }
}

static void end(void)
{
        struct list *node;

        while ((node = list_pop(&registry.outbox)))
                free(container_of(node, struct letter, link));
        closep(&registry.init.fd);
        closep(&registry.forkservers[0].fd);
        close(init_end);
        close(server_end);
        for (int i = 0; i < CHILDREN; i++) {
                table_remove(&registry, children[i]);
                child_unref(children[i]);
        }
}

/* Nobody is told to reap a child whose end is not recorded, nor one that is being started. */
static void check_letters(void)
{
        list_for_each (node, &registry.outbox) {
                const struct letter *l = container_of(node, struct letter, link);

                if (l->msg.op == ZOMBIE_REAP)
                        REQUIRE(!table_find_pid(&registry, l->msg.pid) && l->msg.pid != IN_FLIGHT);
                else if (l->msg.op == ZOMBIE_DROP)
                        REQUIRE(!table_find(&registry, l->msg.id));
                else
                        REQUIRE(l->msg.op == ZOMBIE_PEEK);
        }
}

static void send_step(const uint8_t *s)
{
        static const pid_t others[] = {0, -1, 1, IN_FLIGHT, FIRST_PID - 1, INT32_MIN, INT32_MAX};
        size_t which = s[2] % (CHILDREN + 7);
        struct zombie_msg msg = {.op = s[1] % 12,
                                 .pid = which < CHILDREN ? FIRST_PID + (pid_t)which
                                                         : others[which - CHILDREN],
                                 .code = (int8_t)s[4],
                                 .status = (int16_t)(s[5] | s[6] << 8),
                                 .id = (int8_t)s[3]};
        int to = s[0] & 1 ? server_end : init_end;
        int fds[SOCKET_FDS_MAX] = {STDERR_FILENO, STDERR_FILENO, STDERR_FILENO};
        char longer[sizeof(msg) + 1] = {0};
        size_t n = s[0] & 2 ? s[5] % (sizeof(longer) + 1) : sizeof(msg);

        memcpy(longer, &msg, sizeof(msg));
        /* It may be a message of 0 bytes: the end. */
        socket_send(to, longer, n, fds, s[7] % 4, MSG_DONTWAIT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        int before, after;

        if (!registry.journal)
                set_up();
        before = dup(STDERR_FILENO);
        close(before);
        begin();
        for (size_t i = 0; i + STEP <= size && i < 64 * STEP; i += STEP) {
                send_step(data + i);
                if (registry.init.number)
                        peer_event(&registry, &registry.init, EPOLLIN);
                if (registry.forkservers[0].number)
                        peer_event(&registry, &registry.forkservers[0], EPOLLIN);
                check_letters();
        }
        end();
        after = dup(STDERR_FILENO);
        close(after);
        REQUIRE(before == after);
        return 0;
}
