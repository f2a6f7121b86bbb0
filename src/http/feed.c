/* SPDX-License-Identifier: MIT */
#include "http/feed.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "http/request.h"

static void poke(struct feed *f)
{
        eventfd_write(f->wake_fd, 1);
}

/* The writer's call: nothing, unless somebody follows. */
static void on_events(void *arg)
{
        struct feed *f = arg;

        if (atomic_load(&f->streams_n))
                poke(f);
}

static void wake_all(struct feed *f, unsigned events)
{
        pthread_mutex_lock(&f->lock);
        list_for_each (node, &f->streams)
                request_wake(container_of(node, struct feed_stream, link)->request, events);
        pthread_mutex_unlock(&f->lock);
}

static int milliseconds_to(int64_t at_us)
{
        int64_t left_us = at_us - clock_mono_us();

        return left_us > 0 ? (int)((left_us + 999) / 1000) : 0;
}

static int64_t next_beat(void)
{
        return clock_mono_us() + FEED_BEAT_S * CLOCK_US_PER_S;
}

static void *feed_main(void *arg)
{
        const struct timespec nap = {.tv_nsec = FEED_NAP_MS * 1000 * 1000};
        struct feed *f = arg;
        struct pollfd polled = {.fd = f->wake_fd, .events = POLLIN};
        int64_t beat_us = 0; /* the next one; 0: nobody to hear it */
        eventfd_t ignored;
        bool is_due;

        pthread_setname_np(pthread_self(), "creche-feed");
        while (!atomic_load(&f->ends)) {
                if (poll(&polled, 1, beat_us ? milliseconds_to(beat_us) : -1) > 0)
                        eventfd_read(f->wake_fd, &ignored);
                if (!atomic_load(&f->streams_n)) {
                        beat_us = 0;
                        continue;
                }
                if (!beat_us)
                        beat_us = next_beat();
                is_due = clock_mono_us() >= beat_us;
                if (is_due)
                        beat_us = next_beat();
                wake_all(f, is_due ? REQUEST_MORE | REQUEST_BEAT : REQUEST_MORE);
                nanosleep(&nap, NULL);
        }
        return NULL;
}

int feed_open(struct feed *f, struct registry *registry, struct err *e)
{
        int rc;

        *f = (struct feed){.registry = registry, .wake_fd = eventfd(0, EFD_CLOEXEC)};
        pthread_mutex_init(&f->lock, NULL);
        list_init(&f->streams);
        if (f->wake_fd < 0)
                return err_set(e, ERR_INTERNAL, errno, "making an eventfd");
        if (!registry)
                return 0;
        rc = pthread_create(&f->thread, NULL, feed_main, f);
        if (rc)
                return err_set(e, ERR_INTERNAL, rc, "starting the thread of the events");
        f->running = true;
        registry_watch(registry, on_events, f);
        return 0;
}

void feed_close(struct feed *f)
{
        if (f->running) {
                registry_watch(f->registry, NULL, NULL);
                atomic_store(&f->ends, true);
                poke(f);
                pthread_join(f->thread, NULL);
        }
        f->running = false;
}

void feed_done(struct feed *f)
{
        closep(&f->wake_fd);
        pthread_mutex_destroy(&f->lock);
}

static bool is_same_caller(const struct caller *a, const struct caller *b)
{
        return a->process == b->process && !strcmp(a->who, b->who);
}

int feed_join(struct feed *f, struct feed_stream *s, struct err *e)
{
        size_t n = 0;
        int rc = 0;

        pthread_mutex_lock(&f->lock);
        list_for_each (node, &f->streams) {
                const struct feed_stream *other = container_of(node, struct feed_stream, link);

                n += is_same_caller(&other->request->caller, &s->request->caller);
        }
        if (n >= FEED_STREAMS_MAX) {
                rc = err_set(e, ERR_TOO_MANY, 0, "%s follows the events %zu times already",
                             s->request->caller.who, n);
        } else {
                list_append(&f->streams, &s->link);
                /* Who finds the thread asleep for good tells it that there are beats to count again. */
                if (!atomic_fetch_add(&f->streams_n, 1))
                        poke(f);
        }
        pthread_mutex_unlock(&f->lock);
        return rc;
}

void feed_leave(struct feed *f, struct feed_stream *s)
{
        pthread_mutex_lock(&f->lock);
        list_remove(&s->link);
        atomic_fetch_sub(&f->streams_n, 1);
        pthread_mutex_unlock(&f->lock);
}
