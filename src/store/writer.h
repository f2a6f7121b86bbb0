/* SPDX-License-Identifier: MIT */
/* store/writer.h
 * Group commit: the thread that owns the writing connection. All jobs that arrive during one fsync share
 * the next one. It checkpoints too, after the jobs of a commit have been told, so off their path.
 */
#ifndef CRECHE_STORE_WRITER_H
#define CRECHE_STORE_WRITER_H

#include "store/db.h"
#include "store/files.h"
#include "store/store.h"

struct writer;

/** Start the thread on @db, which is the writer's until writer_stop(), as is the ballast. @files is borrowed;
 * whom to call is in @c. ERR_INTERNAL. */
int writer_start(struct db *db, const struct files *files, const struct store_config *c, struct writer **out,
                 struct err *e);
void writer_submit(struct writer *w, struct store_job *job);
/** See store_submit_all(). */
void writer_submit_all(struct writer *w, struct list *jobs);
/** See store_hurry(). */
void writer_hurry(struct writer *w);
/** See store_watch(). */
void writer_watch(struct writer *w, void (*watcher)(void *), void *arg);
/** See store_stats(). */
const struct store_stats *writer_stats(const struct writer *w);
/** STORE_FULL and STORE_HELD, as they are now. Any thread. */
unsigned writer_troubles(struct writer *w);
/** Finish what is queued and end. @w may be NULL. */
void writer_stop(struct writer *w);

#endif
