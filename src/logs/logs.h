/* SPDX-License-Identifier: MIT */
/* logs/logs.h
 * The output of children: one file per stream in DIR/logs, which the child itself writes.
 *
 * Nothing of the output passes through us. One thread sleeps in inotify on the folders: it keeps each file
 * within its budget by punching holes at the head (so offsets stay valid) and wakes those who follow.
 * A process that writes nothing costs nothing.
 *
 * Offsets count bytes since the beginning of the stream. Bytes that were punched away are not there any
 * more: a reader is moved to the first byte that is. A child that truncates its own log starts a new base:
 * offset = base + position in the file. The base is kept with the file, as the attribute user.creche.base.
 *
 * Threads: all functions from any thread.
 */
#ifndef CRECHE_LOGS_LOGS_H
#define CRECHE_LOGS_LOGS_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/list.h"
#include "model/process.h"

struct logs;

/** Keep logs in the folder logs of @state_fd, whose path is @state_dir, each within @budget_bytes of disk. ERR_INTERNAL, ERR_FULL. */
int logs_begin(int state_fd, const char *state_dir, int64_t budget_bytes, struct logs **out, struct err *e);
void logs_end(struct logs *l);

/** The path of a log into @out[@size], making its folder: what a child opens. ERR_INTERNAL, ERR_FULL. */
int logs_prepare(struct logs *l, int64_t id, enum stream stream, char *out, size_t size, struct err *e);
/** Make the log of @id that logs_prepare() was told of, ourselves, for a child that is somebody else: it can open it
 * again as /dev/stdout, since nobody else gets as far as the state directory. The caller's. ERR_FULL, ERR_TRY_AGAIN,
 * ERR_INTERNAL. */
int logs_create(struct logs *l, int64_t id, enum stream stream, struct err *e);
/** The same for a process that writes already: see to its budget and its followers. */
void logs_watch(struct logs *l, int64_t id);
void logs_remove(struct logs *l, int64_t id);
/** The process has ended: what was known of its writing can go. */
void logs_forget(struct logs *l, int64_t id);

/* Someone who follows a stream. ->wake is called, from any thread and with a lock held, when there may be
 * more to read: it must not call into logs.h. */
struct follower {
        void (*wake)(struct follower *f);
        int64_t id;
        struct list link;
};

/** Open the log of @stream of process @id for reading; the file descriptor is the caller's. Positions in the
 * file are offsets less logs_base(). ERR_NO_LOG when there is none. */
int logs_open(struct logs *l, int64_t id, enum stream stream, struct err *e);

/** The offset at which the file @fd begins: what its child has truncated away. */
int64_t logs_base(int fd);

/** The offset of @position in a file that begins at @base. A child can make both as large as it likes: INT64_MAX is
 * the end. */
int64_t logs_offset(int64_t base, int64_t position);

/** The offset at which the stream ends by now, 0 when there is no file. */
int64_t logs_size(struct logs *l, int64_t id, enum stream stream);

/** The first position not before @position at which @fd still has bytes; its size when there is none. */
int64_t logs_first(int fd, int64_t position);

/** The position at which the last @lines lines of @fd begin. -1: ERR_INTERNAL. */
int64_t logs_tail(int fd, int64_t lines, struct err *e);

void logs_follow(struct logs *l, struct follower *f);
void logs_unfollow(struct logs *l, struct follower *f);

#endif
