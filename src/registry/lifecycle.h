/* SPDX-License-Identifier: MIT */
/* registry/lifecycle.h
 * Opening and stopping a registry: for main.
 *
 * Threads: main.
 */
#ifndef CRECHE_REGISTRY_LIFECYCLE_H
#define CRECHE_REGISTRY_LIFECYCLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include "base/err.h"
#include "logs/logs.h"
#include "model/retention.h"
#include "registry/registry.h"
#include "start/forkserver.h"
#include "start/policy.h"

struct registry_config {
        const char *state_dir;     /* absolute */
        int state_fd;              /* the same, of beneath_root(); borrowed */
        const char *database;      /* path */
        const char *socket_path;   /* for CRECHE_SOCKET */
        const char *url;           /* for CRECHE_URL; NULL: TCP is off */
        const char *exe;           /* this program: what the forkserver is started from */
        unsigned char secret[32];  /* authkeys and fingerprints are made with it */
        struct rlimit nofile;      /* of children; all zero: ours */
        struct rlimit core;        /* the same */
        const char *oom_score_adj; /* the same; NULL or "": ours */
        bool leaves;               /* a control group for each process, where that can be had */
        const char *leaves_base;   /* beneath which; of place_delegate(); NULL: where it can be had */
        /* Privilege separation: who starts all processes, whose descriptors are taken. NULL: we do ourselves. */
        struct forkserver_link *privileged;
        const struct policy *policy; /* what it allows */
        void (*forkserver_lost)(
                void *); /* it has died, and nobody else can do its work: any thread; fatal_arg */
        int init_fd;     /* control socket to creche-init; -1: there is none */
        bool must_exist; /* the database: an earlier creched under this creche-init has served */
        struct logs *logs;
        struct retention keep; /* what is over */
        void (*fatal)(void *); /* the database's state is unknown: see store_open(); any thread */
        /* Called on the thread of registry_open() for each row that is recovered; NULL: nobody. */
        void (*progress)(void *);
        void *fatal_arg; /* of all three */
};

/** Open the registry of a state directory, recover what an earlier daemon left, start the threads. All
 * signals must be blocked. The strings of @config are borrowed. */
int registry_open(const struct registry_config *config, struct registry **out, struct err *e);

/** Tell creche-init that we serve. */
void registry_ready(struct registry *r);

/** Before we execute ourselves anew: the children of the forkservers that end with the old program become ours, not
 * creche-init's, which may be dead by then. */
void registry_take_orphans(void);

/** When we have executed ourselves anew, before registry_open(), which needs those children to have become ours: end
 * the forkservers that the old program left. Later orphans are creche-init's again. */
void registry_end_forkservers(void);

/** Refuse new starts from now on (ERR_STOPPING). */
void registry_stop(struct registry *r);

/** Send @signo to all that run; @daemonic: to daemonic ones only. */
void registry_signal_all(struct registry *r, int signo, bool daemonic, const char *verb);

/** How many processes are active; the ids of up to @max of them in @ids, then 0: starts that have none yet are
 * counted as well. */
size_t registry_active(struct registry *r, int64_t *ids, size_t max);

/** Whether all that are active have ended and only their ends cannot be written: nothing is left to wait for
 * but room on the disk. */
bool registry_is_stuck(struct registry *r);

/** A file descriptor that becomes readable each time a process has ended (eventfd); the registry's. */
int registry_ended_fd(struct registry *r);

/** Ask the writer for a sign of life: *@answered becomes true, on its thread, when it has done what was queued before,
 * whether that is durable or not; at the latest in registry_shut(). -1: there is no memory to ask. */
int registry_probe(struct registry *r, atomic_bool *answered);

/** Finish all tickets that still wait (ERR_STOPPING). */
void registry_release_waiters(struct registry *r);

/** End the threads, write what is queued, close. No caller may be left. @r may be NULL. */
void registry_shut(struct registry *r);

#endif
