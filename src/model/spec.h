/* SPDX-License-Identifier: MIT */
/* model/spec.h
 * A launch request that has been validated: what shall run, as whom, with what around it.
 *
 * Owns all it points to. Strings are C strings (a NUL was refused) and need not be UTF-8 where the contract
 * allows {"base64": ...}: argv and the values of env.
 */
#ifndef CRECHE_MODEL_SPEC_H
#define CRECHE_MODEL_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include "base/err.h"
#include "model/process.h"

enum {
        SPEC_ARGUMENT_MAX = 131071,  /* bytes of one argument: the kernel's MAX_ARG_STRLEN less the NUL */
        SPEC_NAME_MAX = 255,         /* bytes, as the next ones: of a process, */
        SPEC_OWNER_MAX = 255,        /* ... of a user or group, */
        SPEC_ENV_NAME_MAX = 255,     /* ... of a variable, */
        SPEC_LABEL_NAME_MAX = 255,   /* ... of a label, */
        SPEC_LABEL_VALUE_MAX = 4096, /* ... and what it says */
        SPEC_ARGV_MAX = 65536,       /* arguments, with the program */
        SPEC_ENV_MAX = 4096,         /* variables in env, and in secrets */
        SPEC_LABELS_MAX = 64,
        SPEC_UMASK_DEFAULT = 022,
        SPEC_RLIMITS_MAX = RLIM_NLIMITS,
};

enum stdin_mode { STDIN_NULL, STDIN_PIPE, STDIN_BYTES };

struct spec_rlimit {
        int resource; /* RLIMIT_* */
        struct rlimit limit;
};

struct spec {
        char **argv;        /* NULL-terminated, at least one */
        char **env;         /* NULL-terminated "NAME=value": env, then secrets */
        char *target;       /* the named target that made argv; NULL: none */
        char *name;         /* NULL: the default */
        char *identity;     /* NULL: the default */
        char *cwd;          /* NULL: the home of the target user */
        char *user, *group; /* name or decimal number; NULL: the daemon's */
        int daemon;         /* 0, 1; -1: the parent's */
        unsigned umask;
        enum stdin_mode stdin_mode;
        char *stdin_bytes; /* STDIN_BYTES */
        size_t stdin_len;
        enum output out, err;
        struct spec_rlimit rlimits[SPEC_RLIMITS_MAX];
        size_t rlimits_n;
        int nice;
        bool has_nice;
        bool may_gain_privileges; /* "no_new_privs": false */
        int64_t timeout_us;       /* 0: none */
        int64_t grace_us;
        enum start_method start_method;
        int on_parent_death; /* a signal; 0: none */
        bool start;          /* false: create only */
        /* As they go into the row and the answer. */
        char *argv_json, *env_json, *labels_json;
};

void spec_free(struct spec *s);
void spec_freep(struct spec **s);

/** Whether the identity @child is @parent's and one more number: "1:2" of "1"; "7" of "" (an operator's). */
bool identity_extends(const char *child, const char *parent);

/** RLIMIT_NOFILE for "nofile"; -1 when there is none of that name. */
int rlimit_parse(const char *name);

#endif
