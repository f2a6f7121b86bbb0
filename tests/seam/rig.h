/* SPDX-License-Identifier: MIT */
/* tests/seam/rig.h
 * A registry in the folder of the test, without creche-init, and what a test does with it.
 */
#ifndef CRECHE_TESTS_SEAM_RIG_H
#define CRECHE_TESTS_SEAM_RIG_H

#include <semaphore.h>

#include "base/cleanup.h"
#include "registry/internal.h"
#include "registry/lifecycle.h"
#include "seam.h"
#include "store_rig.h"
#include "test.h"

struct rig {
        struct registry_config config;
        struct registry *registry;
        struct logs *logs;
        _Atomic int fatal; /* how often the registry called it */
        sem_t fatal_called;
        char paths[2][300];
        sigset_t mask;
};

/* A ticket that a thread waits for. */
struct wait {
        struct ticket ticket;
        sem_t done;
        _Atomic int done_n;
        bool keeps; /* what is kept to be shown; the test calls ticket_done() then */
};

extern const struct caller rig_operator;

/** Open a registry; the test ends when it cannot. The seam is reset before and after. */
void rig_begin(struct rig *r);
/** The same without opening the registry: the config is filled. */
void rig_prepare(struct rig *r);
/** Kill what runs, wait for its end, shut. */
void rig_end(struct rig *r);
/** Shut only: nothing may be running. */
void rig_shut(struct rig *r);

void wait_init(struct wait *w);
/** What a call that was given @w's ticket has returned, then how it went: ERR_NONE or the kind. */
enum err_kind wait_for_ticket(struct wait *w, int rc);
void wait_sem(sem_t *s);
bool is_done(struct wait *w);
int join_many(struct rig *r, const int64_t *ids, size_t n, bool any, int64_t timeout_us, struct wait *w);

/** A request for sh -c @script; its stdin is a pipe: "read x" ends when rig_release() is called. */
struct spec *rig_spec(const char *script);
/** Start sh -c @script; its id. The record of its start is durable. */
int64_t rig_start(struct rig *r, const char *script);
/** Start @n that end when they are released. */
void rig_start_readers(struct rig *r, int64_t *ids, size_t n);
/** Create it only. */
int64_t rig_create(struct rig *r, const char *script);
enum err_kind rig_start_created(struct rig *r, int64_t id, const char *script);
/** Close the stdin of @id. */
void rig_release(struct rig *r, int64_t id);
/** Wait for the end of @id. */
void rig_join(struct rig *r, int64_t id);
/** What has been submitted to the writer by now is written. */
void rig_flush(struct rig *r);
/** The record of @id, the caller's. */
struct process *rig_show(struct rig *r, int64_t id);
pid_t rig_pid(struct rig *r, int64_t id);
/** Wait until @id is dead, which nobody may have noticed yet. */
void rig_await_death(struct rig *r, int64_t id);

#endif
