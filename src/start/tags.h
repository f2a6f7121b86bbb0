/* SPDX-License-Identifier: MIT */
/* start/tags.h
 * Whose each leaf is: a shared file mapping with the id of a process for the number of each leaf.
 *
 * To write a tag is a store to memory that survives us, as the spawn journal does. It does not survive the machine, nor
 * does any control group.
 *
 * Threads: one at a time.
 */
#ifndef CRECHE_START_TAGS_H
#define CRECHE_START_TAGS_H

#include <stdint.h>

#include "base/err.h"

struct tags;

/** Map the tags @name in @dir, which are made, all 0, when they are missing. They are those of the leaves in the directory
 * @leaves, which is marked with them; where they are those of others, as a copy of the file is, or an older one, they
 * are forgotten. ERR_INTERNAL, ERR_FULL, ERR_INVALID; ERR_UNAVAILABLE. */
int tags_open(int dir, const char *name, int leaves, struct tags **out, struct err *e);
void tags_close(struct tags *t);

/** The numbers that there is room for now: below this one. */
uint32_t tags_room(const struct tags *t);
/** The process that leaf @number is of; 0: nobody's. */
int64_t tags_get(const struct tags *t, uint32_t number);
/** Say that it is @id's. 0; -1 with errno set: there is no room on the disk for so many. Never of a number for which there
 * is room. */
int tags_set(struct tags *t, uint32_t number, int64_t id);

#endif
