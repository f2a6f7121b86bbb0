/* SPDX-License-Identifier: MIT */
/* model/process.h
 * The record of a process: what a row of the table process says, and what GET answers.
 *
 * States and their names stand in one table (process.c), which the SQL CHECK and the OpenAPI enum repeat
 * (a test compares the three). `stopped`, `failed` and `lost` are ends; an end is reached once. Only
 * `stopped` has an exit code: a process that never ran and one whose end nobody saw have none.
 *
 * A struct process either owns its strings (process_new, process_free) or borrows them (a row being read).
 * Threads: none of its own; registry/children.h says who guards the records of living processes.
 */
#ifndef CRECHE_MODEL_PROCESS_H
#define CRECHE_MODEL_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum process_state {
        PROCESS_INITIAL,
        PROCESS_STARTING,
        PROCESS_STARTED,
        PROCESS_STOPPED,
        PROCESS_FAILED,
        PROCESS_LOST,
        PROCESS_CLOSED,
        PROCESS_STATE_COUNT,
};

enum start_method { START_SPAWN, START_FORK, START_FORKSERVER, START_METHOD_COUNT };

/* Where an output stream of a child goes. */
enum output { OUTPUT_LOG, OUTPUT_NULL, OUTPUT_STDOUT, OUTPUT_COUNT };

enum stream { STREAM_STDOUT, STREAM_STDERR, STREAM_COUNT };

/* Why a process ended. The names are those of exit.reason. */
enum exit_reason {
        EXIT_NONE,
        EXIT_EXITED,
        EXIT_SIGNALED,
        EXIT_EXEC_FAILED,
        EXIT_START_FAILED,
        EXIT_LOST,
        EXIT_REASON_COUNT
};

/* The end of a process. All zero while there is none. Its strings are owned or borrowed as those of the process. */
struct process_exit {
        enum exit_reason reason : 8;
        bool core_dumped;
        int8_t oom;         /* 1, 0; -1: the kernel does not tell */
        int exitcode;       /* EXIT_EXITED: 0..255; EXIT_SIGNALED: -signal; else meaningless */
        int errnum;         /* EXIT_EXEC_FAILED, EXIT_START_FAILED: which error, 0 unknown */
        const char *stage;  /* the same: which step of the child's bootstrap, or NULL */
        const char *detail; /* EXIT_START_FAILED, EXIT_LOST: why, for people; NULL elsewhere */
};

/* What it took, it and those of its children that it has waited for: those figures of a struct rusage that the kernel
 * fills in. */
struct usage {
        int64_t user_us, system_us, maxrss_bytes, minflt, majflt, inblock, oublock, nvcsw, nivcsw;
};

struct process {
        int64_t id;
        int64_t parent; /* id of the process that created it; 0: an operator */
        char *name;     /* UTF-8 */
        char *identity; /* "1:2" */
        char *lineage; /* the ids of the ancestors, root first, each followed by '/': "3/17/"; "" at the top */
        /* Small: of these there may be ten thousand. ->state, which changes, is no neighbour of another bit-field. */
        enum process_state state : 8;
        bool daemon, has_usage;
        bool packed; /* see process_pack(); false: each string has memory of its own */
        enum start_method start_method : 8;
        enum output out : 8, err : 8;
        int on_parent_death;  /* a signal, 0: none */
        pid_t pid;            /* 0: never had one */
        uint64_t start_ticks; /* /proc/PID/stat field 22; with boot id and pid it names a process */
        struct process_exit exit;
        char *requested_by; /* "terminate by uid 0": the last signal that we sent; NULL: none */
        char *argv_json;    /* JSON array */
        char *cwd;
        char *user, *group; /* as whom it runs, as it was asked for; NULL: as the daemon */
        char *target;       /* the named target that it was made from; NULL: of an argv */
        char *only_targets; /* "a b": it may start these only, as who created it; NULL: anything */
        char *env_json;     /* JSON array: names, never values */
        char *labels_json;  /* JSON object */
        int64_t created_us, started_us, stopped_us, joined_us; /* 0: not yet */
        struct usage usage;                                    /* valid when has_usage */
        int64_t log_bytes
                [STREAM_COUNT]; /* of a process that ended; those of a living one are its files' sizes */
        int64_t timeout_us, grace_us; /* longest run, 0: none; from SIGTERM to SIGKILL */
};

/** A deep copy of @p, whose strings it owns. NULL: out of memory. */
struct process *process_copy(const struct process *p);
void process_free(struct process *p);
/** Move the strings of @p, which owns them and has a name, but those of its end and requested_by, into one piece of memory, if there is
 * some: ten small ones cost three times as much. From then on they are set by process_rename() only. */
void process_pack(struct process *p);
/** A deep copy of @from in @to, packed so. Returns 0, -1: out of memory, and @to is empty. */
int process_copy_packed(struct process *to, const struct process *from);
/** Give @p, which owns its strings, the name @name, which is taken. Out of memory, it keeps the one it has. */
void process_rename(struct process *p, char *name);
/** Release the strings of @p, which owns them, not @p itself. */
void process_done(struct process *p);
void process_freep(struct process **p);

const char *process_state_name(enum process_state s);
/** -1 when @name is no state. */
int process_state_parse(const char *name);
/** Whether the transition table allows @from -> @to. */
bool process_state_may(enum process_state from, enum process_state to);
/** Whether it is being started or runs. */
bool process_state_is_open(enum process_state s);
/** Whether no exit can follow: stopped, failed, lost, closed. */
bool process_state_is_ended(enum process_state s);

const char *start_method_name(enum start_method m);
int start_method_parse(const char *name);
const char *output_name(enum output o);
int output_parse(const char *name);
const char *exit_reason_name(enum exit_reason r);
int exit_reason_parse(const char *name);

/** "SIGKILL" for 9, "SIGRTMIN+1" for 35; into a buffer of the calling thread. */
const char *signal_name(int signo);
/** "SIGTERM", "TERM" or "15" -> 15; -1 when it is none. */
int signal_parse(const char *name);
/** Whether who sends it usually wants an end. */
bool signal_asks_for_the_end(int signo);

#endif
