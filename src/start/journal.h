/* SPDX-License-Identifier: MIT */
/* start/journal.h
 * The spawn journal: who was being started when the daemon died.
 *
 * A shared file mapping with one slot per start in flight. The kernel writes the child's pid into the
 * slot (CLONE_PARENT_SETTID) before the child runs, so that a slot with an id and no pid proves that
 * the child never existed. The child writes there why it could not exec. Survives the daemon, not the
 * machine; after a reboot it means nothing.
 *
 * Threads: journal_claim() and journal_release() from any; journal_find() before the threads start.
 */
#ifndef CRECHE_START_JOURNAL_H
#define CRECHE_START_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

enum { JOURNAL_SLOTS = 4096 };

struct journal_slot {
        int64_t id;     /* the process; 0: free */
        pid_t pid;      /* written by the kernel; 0: it was never cloned */
        int32_t stage;  /* enum bootstrap_stage at which the child failed; 0: it did not */
        int32_t errnum; /* and why */
        int32_t reserved;
};

struct journal;

/** Map the journal @name in @dir, which is made when it is missing, once nobody of the last daemon can write to it
 * any more. What it left there stays until journal_clear(). ERR_INTERNAL, ERR_FULL; ERR_TRY_AGAIN: a process
 * of the last daemon does not end. */
int journal_open(int dir, const char *name, struct journal **out, struct err *e);
void journal_close(struct journal *j);

/** What the last daemon left of process @id; NULL: it had not begun to start it. */
const struct journal_slot *journal_find(struct journal *j, int64_t id);
/** Before journal_clear(): the child of this slot lives and may still write there; journal_release() it when
 * the child has ended. */
struct journal_slot *journal_keep(struct journal *j, const struct journal_slot *slot);
/** Forget what the last daemon left, but for what was kept. */
void journal_clear(struct journal *j);

/**
 * Reserve a slot for the process @id (> 0); its pid is 0 until the kernel has written it.
 *
 * The slot belongs to the caller until journal_release(). Returns NULL with @e set, ERR_TRY_AGAIN: every
 * slot is taken; try again when a start has finished. ERR_UNAVAILABLE: somebody has removed the file.
 */
struct journal_slot *journal_claim(struct journal *j, int64_t id, struct err *e);
void journal_release(struct journal *j, struct journal_slot *slot);

/** Whether @pid is that of a child whose start is in flight. Any thread. */
bool journal_has_pid(struct journal *j, pid_t pid);

/** Whether the file was not there, or empty, when it was opened: it tells nothing of the last daemon then. */
bool journal_is_fresh(struct journal *j);

/* For the forkserver, which maps the same file: its descriptor, and a slot by number. */
int journal_fd(struct journal *j);
uint32_t journal_number(struct journal *j, const struct journal_slot *slot);
struct journal_slot *journal_map(int fd, struct err *e);

#endif
