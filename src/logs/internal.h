/* SPDX-License-Identifier: MIT */
/* logs/internal.h
 * What logs.c and watch.c share.
 */
#ifndef CRECHE_LOGS_INTERNAL_H
#define CRECHE_LOGS_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>

#include "base/list.h"
#include "logs/logs.h"

#define LOGS_BASE_ATTRIBUTE "user.creche.base"

enum { TRACK_BUCKETS = 1024 };

/* A folder that inotify watches. */
struct folder {
        int64_t number;
        int wd;
};

/* A stream that was written to: its size when we last looked, by which a truncation is known. */
struct track {
        struct track *next;
        int64_t id;
        enum stream stream;
        int64_t size, base;
};

struct logs {
        char *dir; /* the path of fd, for children */
        int fd;
        int64_t budget;
        int inotify, wakefd;
        pthread_t thread;
        bool runs, no_punch;
        pthread_mutex_t lock; /* guards the rest */
        struct folder *folders;
        size_t folders_n, folders_cap;
        struct list followers;
        struct track *tracks[TRACK_BUCKETS];
};

void *logs_main(void *logs);
int logs_stream_of(const char *name);
int logs_open_folder(struct logs *l, int64_t number);

int64_t tracks_base(struct logs *l, int64_t id, enum stream stream);
void tracks_set(struct logs *l, int64_t id, enum stream stream, int64_t base, int64_t size);
void tracks_forget(struct logs *l, int64_t id);
void tracks_done(struct logs *l);

#endif
