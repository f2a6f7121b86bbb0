/* SPDX-License-Identifier: MIT */
#include "http/park.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/sys.h"
#include "transport/idle.h"
#include "http/request.h"

enum { SLOTS_FIRST = 64, EVENTS_MAX = 128 };

struct park_slot {
        struct request *request; /* NULL: free */
        uint32_t turn;           /* how often it was taken */
        size_t next_free;
};

/* An event names its slot, and the slot's turn. */
static uint64_t cookie(const struct park *p, size_t slot)
{
        return (uint64_t)p->slots[slot].turn << 32 | slot;
}

static const uint64_t STOP_COOKIE = UINT64_MAX, IDLE_COOKIE = UINT64_MAX - 1;

/* The request that an event is about, with a reference; NULL when it has left. */
static struct request *find(struct park *p, uint64_t event)
{
        size_t slot = (uint32_t)event;
        struct request *r = NULL;

        pthread_mutex_lock(&p->lock);
        if (p->slots[slot].turn == event >> 32 && p->slots[slot].request) {
                r = p->slots[slot].request;
                request_ref(r);
        }
        pthread_mutex_unlock(&p->lock);
        return r;
}

/* The timer is read first: what it is set to meanwhile is another event. */
static void sweep(struct park *p)
{
        uint64_t expired;

        if (read(p->timer_fd, &expired, sizeof(expired)) == sizeof(expired))
                idle_sweep(p->idle);
}

/* Hand on what an event says. False: it is the end. */
static bool dispatch(struct park *p, uint64_t event)
{
        struct request *r;

        if (event == STOP_COOKIE)
                return false;
        if (event == IDLE_COOKIE) {
                sweep(p);
                return true;
        }
        r = find(p, event);
        if (!r)
                return true;
        request_wake(r, REQUEST_MORE);
        request_unref(r);
        return true;
}

static void *run(void *arg)
{
        struct park *p = arg;
        struct epoll_event events[EVENTS_MAX];

        for (;;) {
                int n = sys_epoll_wait(p->epoll_fd, events, EVENTS_MAX, -1);

                for (int i = 0; i < n; i++)
                        if (!dispatch(p, events[i].data.u64))
                                return NULL;
        }
}

int park_open(struct park *p, struct idle *idle, const struct limits *limits, struct err *e)
{
        struct epoll_event stop = {.events = EPOLLIN, .data.u64 = STOP_COOKIE};
        struct epoll_event timer = {.events = EPOLLIN, .data.u64 = IDLE_COOKIE};
        int rc;

        *p = (struct park){.idle = idle,
                           .limits = limits,
                           .epoll_fd = epoll_create1(EPOLL_CLOEXEC),
                           .stop_fd = eventfd(0, EFD_CLOEXEC),
                           .timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)};
        tally_init(&p->callers);
        pthread_mutex_init(&p->lock, NULL);
        pthread_cond_init(&p->changed, NULL);
        if (p->epoll_fd < 0 || p->stop_fd < 0 || p->timer_fd < 0 ||
            sys_epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, p->stop_fd, &stop) < 0 ||
            sys_epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, p->timer_fd, &timer) < 0)
                return err_set(e, ERR_INTERNAL, errno, "the park's epoll set");
        idle_set_timer(idle, p->timer_fd);
        rc = pthread_create(&p->thread, NULL, run, p);
        if (rc)
                return err_set(e, ERR_INTERNAL, rc, "the park's thread");
        p->running = true;
        return 0;
}

static int count_patient(struct park *p, int more, bool modest)
{
        int64_t max = limits_parked(p->limits);
        bool full;

        max -= modest ? max / 4 : 0;
        pthread_mutex_lock(&p->lock);
        full = more > 0 && p->patient >= max;
        if (!full)
                p->patient += more;
        pthread_mutex_unlock(&p->lock);
        return full ? -1 : 0;
}

struct tally_entry *park_admit(struct park *p, const char *caller, bool modest, struct err *e)
{
        struct tally_entry *place = tally_enter(&p->callers, caller, p->limits->caller_parked);

        if (!place) {
                err_set(e, ERR_TOO_MANY, 0, "%s waits for too much at once", caller);
        } else if (count_patient(p, 1, modest) < 0) {
                tally_leave(&p->callers, place);
                place = NULL;
                err_set(e, ERR_TRY_AGAIN, 0, "too many requests are waiting");
        }
        return place;
}

void park_dismiss(struct park *p, struct tally_entry *place)
{
        if (!place)
                return;
        tally_leave(&p->callers, place);
        count_patient(p, -1, false);
}

/* Make more slots. */
static bool grow(struct park *p)
{
        size_t n = p->slots_n ? p->slots_n * 2 : SLOTS_FIRST;
        struct park_slot *slots = reallocarray(p->slots, n, sizeof(*slots));

        if (!slots)
                return false;
        for (size_t i = p->slots_n; i < n; i++)
                slots[i] = (struct park_slot){.next_free = i + 1};
        p->slots = slots;
        p->free_slot = p->slots_n;
        p->slots_n = n;
        return true;
}

/* Each event is reported once: who was woken watches again when it parks again. */
static void watch(struct park *p, int fd, uint64_t event)
{
        struct epoll_event ev = {.events = EPOLLOUT | EPOLLONESHOT, .data.u64 = event};

        if (fd >= 0 && sys_epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
                log_warn("http.watch_failed", "errno=%s", err_errno_name(errno));
}

bool park_enter(struct park *p, struct request *r, struct parked *at, int pipe_fd)
{
        bool open;

        pthread_mutex_lock(&p->lock);
        open = p->phase <= (r->patient ? PARK_OPEN : PARK_CLOSING);
        open = open && (p->free_slot < p->slots_n || grow(p));
        if (open) {
                size_t slot = p->free_slot;

                p->free_slot = p->slots[slot].next_free;
                p->slots[slot].request = r;
                p->slots[slot].turn++;
                p->standing++;
                *at = (struct parked){.slot = slot + 1, .pipe_fd = pipe_fd};
                watch(p, pipe_fd, cookie(p, slot));
        }
        pthread_mutex_unlock(&p->lock);
        return open;
}

void park_leave(struct park *p, struct parked *at)
{
        size_t slot = at->slot - 1;

        pthread_mutex_lock(&p->lock);
        if (at->pipe_fd >= 0)
                sys_epoll_ctl(p->epoll_fd, EPOLL_CTL_DEL, at->pipe_fd, NULL);
        p->slots[slot].request = NULL;
        p->slots[slot].next_free = p->free_slot;
        p->free_slot = slot;
        *at = (struct parked){0};
        pthread_mutex_unlock(&p->lock);
}

void park_left(struct park *p)
{
        pthread_mutex_lock(&p->lock);
        if (!--p->standing)
                pthread_cond_broadcast(&p->changed);
        pthread_mutex_unlock(&p->lock);
}

void park_close(struct park *p, bool all)
{
        pthread_mutex_lock(&p->lock);
        p->phase = all ? PARK_CLOSED : PARK_CLOSING;
        /* Nobody comes in behind us, so each slot needs to be looked at once. */
        for (size_t i = 0; i < p->slots_n; i++) {
                struct request *r = p->slots[i].request;

                if (!r || (!all && !r->patient))
                        continue;
                request_ref(r);
                pthread_mutex_unlock(&p->lock);
                request_wake(r, REQUEST_STOP);
                request_unref(r);
                pthread_mutex_lock(&p->lock);
        }
        pthread_mutex_unlock(&p->lock);
}

void park_wait(struct park *p)
{
        pthread_mutex_lock(&p->lock);
        while (p->standing)
                pthread_cond_wait(&p->changed, &p->lock);
        pthread_mutex_unlock(&p->lock);
}

void park_done(struct park *p)
{
        if (p->running) {
                eventfd_write(p->stop_fd, 1);
                pthread_join(p->thread, NULL);
        }
        closep(&p->epoll_fd);
        closep(&p->stop_fd);
        closep(&p->timer_fd);
        free(p->slots);
        tally_done(&p->callers);
        pthread_cond_destroy(&p->changed);
        pthread_mutex_destroy(&p->lock);
}
