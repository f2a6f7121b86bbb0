/* SPDX-License-Identifier: MIT */
/* start/launch.h
 * All that a child needs to become its program, in one flat piece of memory without pointers to elsewhere:
 * the child between clone and exec may not allocate, and the forkserver receives it over a file.
 *
 * Built with offsets; launch_relocate() turns them into pointers, once, where it is going to be used.
 */
#ifndef CRECHE_START_LAUNCH_H
#define CRECHE_START_LAUNCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "model/spec.h"
#include "start/account.h"

enum { LAUNCH_BYTES_MAX = 64 << 20 }; /* execve() takes less */

/* An offset from the beginning of the launch, then a pointer. 0/NULL: none. */
union launch_ref {
        uint64_t offset;
        char *text;
        char **list; /* NULL-terminated */
};

struct launch {
        uint64_t size; /* of the whole piece */
        bool relocated;
        union launch_ref argv, envp;
        union launch_ref paths; /* what to exec, in this order, as execvp() would */
        union launch_ref cwd;
        union launch_ref log_root, out_path, err_path;
        enum output out, err;
        unsigned umask;
        char oom_score_adj[8]; /* "": as we have it */
        int nice;
        bool has_nice;
        bool no_new_privs;
        bool has_ids;     /* uid, gid and groups have to be set; uid is what it will have in any case */
        bool limits_last; /* after the ids: the kernel says what this user may have */
        uid_t uid;
        gid_t gid;
        uint32_t groups_n;
        gid_t groups[ACCOUNT_GROUPS_MAX];
        uint32_t rlimits_n;
        struct spec_rlimit rlimits[SPEC_RLIMITS_MAX];
};

/* What the spec does not say. */
struct launch_context {
        const struct account *account;
        const char *const *env; /* NULL-terminated "NAME=value": goes above all (CRECHE_ID ...) */
        const char *cwd;
        const char *log_root; /* the logs are below it and behind no link; NULL: they may be anywhere */
        const char *out_path, *err_path;
        struct rlimit nofile, core; /* what a child has unless the spec says otherwise; ours differ */
        const char *oom_score_adj;  /* what a child has; NULL or "": what we have */
};

/** A launch of @spec, to be freed with launch_free(). NULL: out of memory. */
struct launch *launch_new(const struct spec *spec, const struct launch_context *c);
void launch_free(struct launch *l);

/** Whether @l, of @size bytes from somebody who is not to be trusted, is a launch as launch_new() makes them: it can
 * be relocated and used, and nothing of it is outside of those bytes. What it asks for is another question. */
bool launch_is_sound(const struct launch *l, size_t size);

void launch_relocate(struct launch *l);

#endif
