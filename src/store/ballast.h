/* SPDX-License-Identifier: MIT */
/* store/ballast.h
 * Room that is kept for the day on which the disk is full: a file beside the database that is given back then,
 * so that the ends of what runs can still be recorded.
 *
 * How much: a full disk lets no new process in, so all there is to write is the ends of those that live. With
 * the small batches and the early checkpoints that the writer then makes, its log needs some 2 MiB, again and
 * again the same ones; the database itself grows by less than 300 bytes for each end (its part of a row, its
 * event). The other 6 MiB are the ends of 20,000 processes.
 *
 * Threads: the writer's, or before it has begun.
 */
#ifndef CRECHE_STORE_BALLAST_H
#define CRECHE_STORE_BALLAST_H

#include <stdbool.h>

enum {
        BALLAST_BYTES = 8 * 1024 * 1024,
        BALLAST_LOG_BYTES = 2 * 1024 * 1024,   /* of it, what goes to the write-ahead log at once */
        BALLAST_SPARE_BYTES = 2 * 1024 * 1024, /* must be free beside it before it is taken again */
};

#define BALLAST_NAME "ballast"

/** Whether the file is there in @dir, with all its bytes. */
bool ballast_is_held(int dir);

/** Make the file in @dir, if there is room for it and a little more. False, errno: there is not. */
bool ballast_take(int dir);

/** Give its room back. The write-ahead log @log gets its part in the same moment: whoever filled the disk
 * may still be at it. False: there was nothing to give. */
bool ballast_give(int dir, const char *log);

#endif
