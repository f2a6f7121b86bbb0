/* SPDX-License-Identifier: MIT */
/* The reaper: one thread in epoll over the pidfds of all children, the sockets of their other parents, and
 * the timers. With no child ending and no timer due it sleeps. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/procfs.h"
#include "base/sys.h"
#include "registry/internal.h"

enum { EVENTS = 256 };

/* A zombie whose parent is not ours is reaped at once, by any parent that is worth the name. */
#define UNREAPED_US (5 * CLOCK_US_PER_S)

void reaper_wake(struct registry *r)
{
        uint64_t one = 1;

        if (write(r->wakefd, &one, sizeof(one)) < 0 && errno != EAGAIN)
                log_error("reaper.wake_failed", "errno=%s", err_errno_name(errno));
}

void reaper_watch(struct child *c)
{
        struct registry *r = c->registry;
        struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &c->source};

        pthread_mutex_lock(&r->lock);
        if (!c->exit_seen && c->pidfd >= 0) {
                c->watched = true;
                if (sys_epoll_ctl(r->epfd, EPOLL_CTL_ADD, c->pidfd, &ev) < 0) {
                        /* Never seen on a pidfd of ours; a daemon that is started anew adopts the child. */
                        log_error("reaper.watch_failed", "id=%ld errno=%s", (long)c->rec.id,
                                  err_errno_name(errno));
                        abort();
                }
        }
        pthread_mutex_unlock(&r->lock);
}

/* Explicitly, before the pidfd is closed: a child between clone and exec may hold the same file, and epoll
 * would go on to tell about it. */
void reaper_unwatch(struct child *c)
{
        if (c->watched)
                sys_epoll_ctl(c->registry->epfd, EPOLL_CTL_DEL, c->pidfd, NULL);
        c->watched = false;
}

static bool see(struct child *c)
{
        bool first;

        pthread_mutex_lock(&c->registry->lock);
        first = exit_seen(c);
        pthread_mutex_unlock(&c->registry->lock);
        return first;
}

static void own_child_ended(struct child *c)
{
        struct rusage ru = {0};
        siginfo_t si;

        if (sys_waitid(P_PIDFD, (id_t)c->pidfd, &si, WEXITED | WNOHANG | WNOWAIT, &ru) < 0) {
                if (errno == ECHILD && see(c))
                        exit_lost(c, "its exit status was taken by somebody else");
                return;
        }
        if (si.si_pid && see(c))
                exit_from_parent(c, si.si_code, si.si_status, &ru);
}

/* Its parent when we looked was about to die: a forkserver, for instance. */
static bool moved_to_init(const struct child *c)
{
        struct procfs_stat st;

        return c->registry->init.number && procfs_stat_patiently(c->rec.pid, &st) == 0 &&
               st.start_ticks == c->rec.start_ticks && st.ppid == c->registry->init_pid;
}

/* Under the lock: hear of @events of its pidfd only, and of EPOLLHUP: it is reaped. */
static void watch_for(struct child *c, uint32_t events)
{
        struct epoll_event ev = {.events = events, .data.ptr = &c->source};

        if (c->watched)
                sys_epoll_ctl(c->registry->epfd, EPOLL_CTL_MOD, c->pidfd, &ev);
}

static void on_unreaped(struct timer *timer, void *done)
{
        struct child *c = container_of(timer, struct child, timer);

        (void)done;
        c->unreaped = true;
        watch_for(c, EPOLLIN);
}

/* Wait for whoever is its parent now to reap it. False: that has been too long. */
static bool await_reaping(struct child *c)
{
        struct registry *r = c->registry;
        bool waits;

        pthread_mutex_lock(&r->lock);
        c->timer.fire = on_unreaped;
        waits = !c->unreaped && registry_set_timer(r, &c->timer, clock_mono_us() + UNREAPED_US) == 0;
        if (waits)
                watch_for(c, 0);
        pthread_mutex_unlock(&r->lock);
        return waits;
}

/* creche-init was killed, and its children are with a parent that tells us nothing. Only the kernel may; of one that
 * may never have become its program, it tells too little. */
static void stray_ended(struct child *c)
{
        int status, rc = c->unexeced ? -1 : sys_pidfd_exit_status(c->pidfd, &status);

        if ((rc == 1 && await_reaping(c)) || !see(c))
                return;
        if (rc == 0)
                exit_from_status(c, status);
        else
                exit_lost(c, "its parent, a process of Creche, was killed before it ended");
}

static void child_event(struct child *c)
{
        struct registry *r = c->registry;
        bool stray = false, moved;
        uint32_t peer;

        pthread_mutex_lock(&r->lock);
        peer = c->peer;
        pthread_mutex_unlock(&r->lock);
        moved = peer == PEER_NOBODY && moved_to_init(c);
        pthread_mutex_lock(&r->lock);
        if (c->peer != PEER_SELF && !c->exit_seen) {
                if (c->peer == PEER_NOBODY && moved)
                        c->peer = PEER_INIT;
                stray = !peer_lives(r, c->peer);
                if (!stray && exit_seen(c))
                        peer_post(r, c->peer, ZOMBIE_PEEK, c->rec.pid, 0);
        }
        peer = c->peer;
        pthread_mutex_unlock(&r->lock);
        if (peer == PEER_SELF)
                own_child_ended(c);
        else if (stray)
                stray_ended(c);
}

static void drain(int fd)
{
        uint64_t count;

        if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
                log_error("reaper.read_failed", "errno=%s", err_errno_name(errno));
}

static void dispatch(struct registry *r, const struct epoll_event *ev)
{
        struct source *source = ev->data.ptr;

        switch (source->kind) {
        case SOURCE_CHILD: child_event(container_of(source, struct child, source)); break;
        case SOURCE_PEER: peer_event(r, container_of(source, struct peer, source), ev->events); break;
        case SOURCE_WAKE: drain(r->wakefd); break;
        case SOURCE_LEAVES: leaves_event(r->leaves); break;
        case SOURCE_STRAY: anew_stray_ended(source); break;
        }
}

static void expire_timers(struct registry *r)
{
        struct list done = LIST_INIT(done);
        struct timer *timer;

        pthread_mutex_lock(&r->lock);
        while ((timer = timers_expire(&r->timers, clock_mono_us())))
                timer->fire(timer, &done);
        pthread_mutex_unlock(&r->lock);
        tickets_finish(&done);
}

/* Milliseconds until the next timer, rounded up; -1: for ever. 0 when somebody waits for what the next look
 * will see. */
static int sleep_ms(struct registry *r)
{
        int64_t next, left;
        bool heard;

        pthread_mutex_lock(&r->lock);
        heard = settle_heard(r);
        next = timers_next(&r->timers);
        r->sleeping_until = next;
        pthread_mutex_unlock(&r->lock);
        if (heard)
                return 0;
        if (next == INT64_MAX)
                return -1;
        left = (next - clock_mono_us() + 999) / 1000;
        return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

static void settle(struct registry *r)
{
        struct list done = LIST_INIT(done);

        pthread_mutex_lock(&r->lock);
        settle_drained(r, &done);
        pthread_mutex_unlock(&r->lock);
        tickets_finish(&done);
}

static void *reaper_main(void *arg)
{
        struct registry *r = arg;
        struct epoll_event events[EVENTS];

        pthread_setname_np(pthread_self(), "creche-reaper");
        while (__atomic_load_n(&r->reaper_runs, __ATOMIC_ACQUIRE)) {
                int n = sys_epoll_wait(r->epfd, events, EVENTS, sleep_ms(r));

                for (int i = 0; i < n; i++)
                        dispatch(r, &events[i]);
                expire_timers(r);
                if (r->seek_orphans)
                        peers_find_orphans(r);
                r->seek_orphans = false;
                exits_reap(r);
                peers_flush(r);
                /* Interrupted, or a full array: there is more to see before anything can be called settled. */
                if (n >= 0 && n < EVENTS)
                        settle(r);
        }
        exits_reap(r);
        peers_flush(r);
        return NULL;
}

int reaper_begin(struct registry *r, struct err *e)
{
        int rc;

        __atomic_store_n(&r->reaper_runs, true, __ATOMIC_RELEASE);
        rc = pthread_create(&r->reaper, NULL, reaper_main, r);
        if (rc) {
                __atomic_store_n(&r->reaper_runs, false, __ATOMIC_RELEASE);
                return err_set(e, ERR_INTERNAL, rc, "starting the reaper");
        }
        return 0;
}

void reaper_end(struct registry *r)
{
        if (!__atomic_exchange_n(&r->reaper_runs, false, __ATOMIC_ACQ_REL))
                return;
        reaper_wake(r);
        pthread_join(r->reaper, NULL);
}
