/* SPDX-License-Identifier: MIT */
/* The parents of children that are not ours: creche-init, which has those of dead daemons, and forkservers.
 * They tell us of zombies; we tell them when to reap. See base/zombie.h. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/killpoint.h"
#include "base/log.h"
#include "base/procfs.h"
#include "base/socket.h"
#include "base/sys.h"
#include "registry/internal.h"

enum { GREET_MS = 5000 };

/* A message that waits to be sent. */
struct letter {
        struct list link;
        uint32_t number;
        struct zombie_msg msg;
};

static struct peer *find(struct registry *r, uint32_t number)
{
        if (number == PEER_INIT)
                return r->init.number ? &r->init : NULL;
        for (int i = 0; i < FORKSERVERS_MAX; i++)
                if (r->forkservers[i].number == number)
                        return &r->forkservers[i];
        return NULL;
}

bool peer_lives(struct registry *r, uint32_t number)
{
        return number >= PEER_INIT && number != PEER_NOBODY && find(r, number);
}

static void watch(struct registry *r, struct peer *p)
{
        struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &p->source};

        if (sys_epoll_ctl(r->epfd, EPOLL_CTL_ADD, p->fd, &ev) < 0)
                log_error("peer.watch_failed", "errno=%s", err_errno_name(errno));
}

/* Who made the socket. Our parent is somebody else when creche-init has died since. */
static pid_t maker_of(int fd)
{
        struct ucred maker = {0};
        socklen_t n = sizeof(maker);

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &maker, &n) < 0)
                log_error("init.unknown", "errno=%s", err_errno_name(errno));
        return maker.pid;
}

void peers_init(struct registry *r, int init_fd)
{
        if (init_fd < 0)
                return;
        r->init = (struct peer){.source = {SOURCE_PEER}, .number = PEER_INIT, .fd = init_fd, .pidfd = -1};
        r->init_pid = maker_of(init_fd);
        watch(r, &r->init);
}

void peers_done(struct registry *r)
{
        struct list *node;

        while ((node = list_pop(&r->outbox)))
                free(container_of(node, struct letter, link));
        for (int i = 0; i < FORKSERVERS_MAX; i++) {
                struct peer *p = &r->forkservers[i];
                siginfo_t si;

                if (!p->number)
                        continue;
                sys_waitid(P_PID, (id_t)p->pid, &si, WEXITED, NULL);
                closep(&p->fd);
                closep(&p->pidfd);
        }
}

void peer_post(struct registry *r, uint32_t number, enum zombie_op op, pid_t pid, int64_t id)
{
        struct letter *l;

        if (!peer_lives(r, number))
                return;
        l = malloc(sizeof(*l));
        if (!l) {
                log_error("out_of_memory", "pid=%d", pid);
                abort(); /* nothing is lost: see exits.c */
        }
        *l = (struct letter){.number = number, .msg = {.op = op, .pid = pid, .id = id}};
        if (list_empty(&r->outbox))
                reaper_wake(r);
        list_append(&r->outbox, &l->link);
}

/* Send @l. False: there is no room now. */
static bool deliver(struct registry *r, struct letter *l)
{
        struct peer *p = find(r, l->number);

        if (!p)
                return true;
        if (p->full)
                return false;
        KILLPOINT("peer.send");
        if (socket_send(p->fd, &l->msg, sizeof(l->msg), NULL, 0, MSG_DONTWAIT) == 0) {
                KILLPOINT("peer.sent");
                return true;
        }
        if (errno == EAGAIN) {
                struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT, .data.ptr = &p->source};

                p->full = true;
                sys_epoll_ctl(r->epfd, EPOLL_CTL_MOD, p->fd, &ev);
        }
        return false; /* it is dying otherwise: whoever inherits its children gets its letters, see give_up() */
}

void peers_flush(struct registry *r)
{
        pthread_mutex_lock(&r->lock);
        list_for_each_safe (node, &r->outbox) {
                struct letter *l = container_of(node, struct letter, link);

                if (!deliver(r, l))
                        continue;
                list_remove(&l->link);
                free(l);
        }
        pthread_mutex_unlock(&r->lock);
}

/* creche-init tells of the first zombie that it has, and of the next when that is reaped. While it is one whose
 * end cannot be recorded, orphans that nobody waits for would pile up behind it: so ask for them. */
void peers_find_orphans(struct registry *r)
{
        CLEANUP(freep) char *line = NULL;
        struct procfs_stat st;
        char path[64];
        size_t room = 0;
        FILE *children;

        if (!r->init.number)
                return;
        snprintf(path, sizeof(path), "/proc/%d/task/%d/children", r->init_pid, r->init_pid);
        children = fopen(path, "re");
        if (!children)
                return;
        while (getdelim(&line, &room, ' ', children) > 0) {
                pid_t pid = (pid_t)strtol(line, NULL, 10);
                bool zombie = pid > 0 && procfs_stat(pid, &st) == 0 && st.state == 'Z';

                pthread_mutex_lock(&r->lock);
                if (zombie && !table_find_pid(r, pid))
                        peer_post(r, PEER_INIT, ZOMBIE_PEEK, pid, 0);
                pthread_mutex_unlock(&r->lock);
        }
        fclose(children);
}

/* An exit status that waitid() gives: what is none is recorded of nobody. */
static bool is_end(const struct zombie_msg *msg)
{
        if (msg->code == CLD_EXITED)
                return msg->status >= 0 && msg->status <= 255;
        return (msg->code == CLD_KILLED || msg->code == CLD_DUMPED) && msg->status >= 1 &&
               msg->status < _NSIG;
}

static void on_exit_message(struct registry *r, struct peer *p, const struct zombie_msg *msg)
{
        CLEANUP(child_unrefp) struct child *c = NULL;
        bool news = false;

        KILLPOINT("peer.exit_heard");
        pthread_mutex_lock(&r->lock);
        c = table_find_pid(r, msg->pid);
        if (c) {
                child_ref(c);
                exit_seen(c);
                news = !c->end && !c->told;
                c->told = true;
        } else if (!journal_has_pid(r->journal, msg->pid)) {
                /* A double-forked orphan, or a child that was recorded before the last daemon could say so. One
                 * that is being started right now is in the journal: it will be asked for. */
                counter_add(&r->stats.orphans, 1);
                log_debug("orphan.reaped", "pid=%d", msg->pid);
                peer_post(r, p->number, ZOMBIE_REAP, msg->pid, 0);
        }
        pthread_mutex_unlock(&r->lock);
        if (!news)
                return;
        exit_from_parent(c, msg->code, msg->status, &msg->rusage);
}

static void on_gone_message(struct registry *r, const struct zombie_msg *msg)
{
        CLEANUP(child_unrefp) struct child *c = NULL;
        bool news = false;

        pthread_mutex_lock(&r->lock);
        c = table_find_pid(r, msg->pid);
        if (c) {
                child_ref(c);
                news = c->exit_seen && !c->end && !c->told;
                c->told = c->told || news;
        }
        pthread_mutex_unlock(&r->lock);
        if (news)
                exit_lost(c, "its exit status was not there any more");
}

/* The writing end of a child's stdin, which creche-init kept through the death of the last daemon. */
static void on_kept_message(struct registry *r, const struct zombie_msg *msg, int *fd)
{
        struct child *c;

        KILLPOINT("peer.kept_heard");
        pthread_mutex_lock(&r->lock);
        c = table_find(r, msg->id);
        if (c && c->stdin_fd < 0 && *fd >= 0) {
                c->stdin_fd = TAKE_FD(*fd);
                c->kept_stdin = true;
        } else if (!c) {
                peer_post(r, PEER_INIT, ZOMBIE_DROP, 0, msg->id);
        }
        pthread_mutex_unlock(&r->lock);
}

static void receive(struct registry *r, struct peer *p, const struct zombie_msg *msg, int *fd)
{
        switch ((enum zombie_op)msg->op) {
        case ZOMBIE_EXIT:
                if (is_end(msg))
                        on_exit_message(r, p, msg);
                break;
        case ZOMBIE_GONE: on_gone_message(r, msg); break;
        case ZOMBIE_KEPT: on_kept_message(r, msg, fd); break;
        case ZOMBIE_PEEK:
        case ZOMBIE_REAP:
        case ZOMBIE_READY:
        case ZOMBIE_KEEP:
        case ZOMBIE_DROP:
        case ZOMBIE_HELLO: break;
        }
}

/* Under the lock: the children of @from have moved to creche-init, or to nobody that we know. Those that
 * cannot be asked about any more are appended to @lost, referenced. */
static void move_children(struct registry *r, uint32_t from, uint32_t to, struct child **lost, size_t *lost_n)
{
        list_for_each (node, &r->all) {
                struct child *c = container_of(node, struct child, all);

                if (c->peer != from)
                        continue;
                c->peer = to;
                if (!c->exit_seen || c->told)
                        continue;
                if (to == PEER_INIT) {
                        peer_post(r, to, ZOMBIE_PEEK, c->rec.pid, 0);
                } else {
                        c->told = true;
                        lost[(*lost_n)++] = child_ref(c);
                }
        }
}

/* Under the lock: what @from has not read. What it has read and not done it cannot do any more: the REAPs of
 * its last moments are said again by nobody, and creche-init tells of those zombies anew. */
static void move_letters(struct registry *r, uint32_t from, uint32_t to)
{
        list_for_each_safe (node, &r->outbox) {
                struct letter *l = container_of(node, struct letter, link);

                if (l->number != from)
                        continue;
                l->number = to;
                if (to == PEER_INIT)
                        continue;
                list_remove(&l->link);
                free(l);
        }
}

/* Its parent was killed before it had said how @c ended, and its next one is about to reap it: the kernel may tell
 * then. All of them together are waited for @patience_ms. */
static void end_of_orphan(struct child *c, int *patience_ms)
{
        const struct timespec nap = {.tv_nsec = 1000 * 1000};
        int status, rc = c->unexeced ? -1 : sys_pidfd_exit_status(c->pidfd, &status);

        for (; rc == 1 && *patience_ms > 0; --*patience_ms) {
                nanosleep(&nap, NULL);
                rc = sys_pidfd_exit_status(c->pidfd, &status);
        }
        if (rc == 0)
                exit_from_status(c, status);
        else
                exit_lost(c, "its parent, a process of Creche, was killed before its exit was recorded");
}

static void give_up(struct registry *r, struct peer *p)
{
        uint32_t number = p->number, to;
        CLEANUP(freep) struct child **lost = NULL;
        int patience_ms = 1000;
        size_t lost_n = 0;

        pthread_mutex_lock(&r->lock);
        lost = calloc(r->all_n + 1, sizeof(*lost));
        if (!lost)
                abort();
        sys_epoll_ctl(r->epfd, EPOLL_CTL_DEL, p->fd, NULL);
        closep(&p->fd);
        closep(&p->pidfd);
        p->number = 0;
        to = number != PEER_INIT && r->init.number ? PEER_INIT : PEER_NOBODY;
        move_children(r, number, to, lost, &lost_n);
        move_letters(r, number, to);
        pthread_mutex_unlock(&r->lock);
        for (size_t i = 0; i < lost_n; i++) {
                end_of_orphan(lost[i], &patience_ms);
                child_unref(lost[i]);
        }
}

/* Its socket closes a moment before its children move: they have when it is a zombie. */
static void bury_forkserver(struct registry *r, struct peer *p)
{
        siginfo_t si;

        KILLPOINT("forkserver.bury");
        sys_pidfd_send_signal(p->pidfd, SIGKILL, 0);
        sys_waitid(P_PID, (id_t)p->pid, &si, WEXITED, NULL);
        log_warn("forkserver.ended", "pid=%d", p->pid);
        give_up(r, p);
        KILLPOINT("forkserver.buried");
        if (r->config.privileged)
                r->config.forkserver_lost(r->config.fatal_arg);
}

static void lose_peer(struct registry *r, struct peer *p)
{
        if (p->number != PEER_INIT) {
                bury_forkserver(r, p);
                return;
        }
        log_error("init.lost", "detail=%s",
                  log_quote("creche-init was killed; nothing is lost as long as creched lives"));
        give_up(r, p);
}

void peer_event(struct registry *r, struct peer *p, uint32_t events)
{
        if (events & EPOLLOUT) {
                struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &p->source};

                p->full = false;
                sys_epoll_ctl(r->epfd, EPOLL_CTL_MOD, p->fd, &ev);
        }
        while (p->number) {
                int fds[SOCKET_FDS_MAX];
                struct zombie_msg msg;
                ssize_t n = socket_recv(p->fd, &msg, sizeof(msg), fds, MSG_DONTWAIT);

                if (n < 0 && errno == EAGAIN)
                        return;
                if (n < 0 && errno == ECONNRESET)
                        continue; /* what it said before it died comes after this */
                if (n <= 0)
                        lose_peer(r, p);
                else if (n == sizeof(msg))
                        receive(r, p, &msg, &fds[0]);
                socket_close_files(fds);
        }
}

/* A forkserver was started, by a starter. */
void peers_forkserver_born(const struct forkserver_peer *fp, void *arg)
{
        struct registry *r = arg;
        bool placed = false;

        KILLPOINT("forkserver.launched");
        pthread_mutex_lock(&r->lock);
        for (int i = 0; i < FORKSERVERS_MAX && !placed; i++) {
                struct peer *p = &r->forkservers[i];

                if (p->number)
                        continue;
                placed = true;
                *p = (struct peer){.source = {SOURCE_PEER},
                                   .number = PEER_FORKSERVER + fp->generation,
                                   .fd = fp->zombie_fd,
                                   .pid = fp->pid,
                                   .pidfd = fp->pidfd};
                watch(r, p);
        }
        pthread_mutex_unlock(&r->lock);
        if (!placed) { /* so many die at the same time: this one shall not have children */
                siginfo_t si;

                close(fp->zombie_fd);
                close(fp->pidfd);
                kill(fp->pid, SIGKILL);
                sys_waitid(P_PID, (id_t)fp->pid, &si, WEXITED, NULL);
        }
}

/* Until creche-init has said all that it keeps for us: who is served after this finds it. */
void peers_greet(struct registry *r)
{
        struct zombie_msg hello = {.op = ZOMBIE_HELLO}, msg = {0};
        struct pollfd p = {.fd = r->init.fd, .events = POLLIN};

        if (!r->init.number || socket_send(r->init.fd, &hello, sizeof(hello), NULL, 0, 0) < 0)
                return;
        KILLPOINT("peer.greet");
        while (msg.op != ZOMBIE_HELLO && poll(&p, 1, GREET_MS) > 0) {
                int fds[SOCKET_FDS_MAX];
                ssize_t n = socket_recv(r->init.fd, &msg, sizeof(msg), fds, MSG_DONTWAIT);

                if (n == sizeof(msg))
                        receive(r, &r->init, &msg, &fds[0]);
                socket_close_files(fds);
                if (n == 0 || (n < 0 && errno != ECONNRESET && errno != EAGAIN))
                        break; /* the reaper will see that it has died */
        }
        KILLPOINT("peer.greeted");
        if (msg.op != ZOMBIE_HELLO)
                log_warn("init.silent", "pid=%d", r->init_pid);
}

void registry_ready(struct registry *r)
{
        pthread_mutex_lock(&r->lock);
        peer_post(r, PEER_INIT, ZOMBIE_READY, 0, 0);
        pthread_mutex_unlock(&r->lock);
}

/* To creche-init now, past the outbox: what is acknowledged after it must outlive us. */
static int tell_init(struct registry *r, enum zombie_op op, int64_t id, const int *fd)
{
        struct zombie_msg msg = {.op = op, .id = id};

        if (!r->init.number) {
                errno = ENOTCONN;
                return -1;
        }
        return socket_send(r->init.fd, &msg, sizeof(msg), fd, fd ? 1 : 0, MSG_DONTWAIT);
}

int peers_keep_stdin(struct registry *r, int64_t id, int fd)
{
        return tell_init(r, ZOMBIE_KEEP, id, &fd);
}

int peers_drop_stdin(struct registry *r, int64_t id)
{
        return tell_init(r, ZOMBIE_DROP, id, NULL) == 0 || errno != EAGAIN ? 0 : -1;
}
