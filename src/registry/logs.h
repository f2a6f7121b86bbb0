/* SPDX-License-Identifier: MIT */
/* registry/logs.h
 * The output of children: one file per stream in DIR/logs, which the child itself writes.
 *
 * Nothing of the output passes through us. One thread sleeps in inotify on the folders: it keeps each file
 * within its budget by punching holes at the head (so offsets stay valid) and wakes those who follow.
 * A process that writes nothing costs nothing.
 *
 * Offsets count bytes since the beginning of the stream. Bytes that were punched away are not there any
 * more: a reader is moved to the first byte that is.
 *
 * Threads: all functions from any thread.
 */
#ifndef CRECHE_REGISTRY_LOGS_H
#define CRECHE_REGISTRY_LOGS_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/list.h"
#include "model/process.h"

struct logs;

/* Someone who follows a stream. ->wake is called, from any thread and with a lock held, when there may be
 * more to read: it must not call into logs.h. */
struct follower {
        void (*wake)(struct follower *f);
        int64_t id;
        struct list link;
};

/** Open the log of @stream of process @id for reading; the file descriptor is the caller's.
 * ERR_NO_LOG when there is none. */
int logs_open(struct logs *l, int64_t id, enum stream stream, struct err *e);

/** The size of the stream so far (living processes), 0 when there is no file. */
int64_t logs_size(struct logs *l, int64_t id, enum stream stream);

/** The first offset not before @offset at which @fd still has bytes; its size when there is none. */
int64_t logs_first(int fd, int64_t offset);

/** The offset at which the last @lines lines of @fd begin. -1: ERR_INTERNAL. */
int64_t logs_tail(int fd, int64_t lines, struct err *e);

void logs_follow(struct logs *l, struct follower *f);
void logs_unfollow(struct logs *l, struct follower *f);

#endif
