/* SPDX-License-Identifier: MIT */
/* Who gets the signal: R4. One child, whose number goes to a stranger as soon as the child is reaped, and one
 * client that asks SIGNALS times for a signal to it. KILLS times one of creched and creche-init is killed.
 * The steps are finer than in registry.pml where a number is looked at, coarser elsewhere.
 *
 * A pidfd denotes a process; a number denotes whoever has it at this moment.
 *
 * Left out: tree: true on a kernel before 6.9, where send() has only the number of the process group.
 */
#ifndef KILLS
#define KILLS 3
#endif
#ifndef SIGNALS
#define SIGNALS 2
#endif

mtype = { NONE, CHILD, STRANGER };        /* whom a number or a pidfd denotes */
mtype = { RUNNING, ZOMBIE, REAPED };      /* the child */
mtype = { CRECHED, INIT, OUTSIDE };       /* its parent. The stranger's is OUTSIDE */
mtype = { STARTING, STARTED, ENDED };     /* the row */
mtype = { CRASHED, OPENING, LOOKED, OPENED, SERVING };
mtype = { IDLE, NOTED };                  /* the client's request */

mtype number = CHILD;
mtype child = RUNNING;
mtype parent = CRECHED;
mtype row = STARTING;

/* creched */
mtype phase = SERVING;
bool in_table = true;
bool exit_seen;
mtype pidfd = CHILD;
mtype seen;                 /* what procfs_stat() showed */
bool init_up = true;
mtype init_pid = INIT;      /* r->init_pid */
mtype request = IDLE;
byte kills, signals;

inline signal(whom) /* what the kernel does */
{
        assert(whom != STRANGER) /* R4 */
}

inline lost()
{
        row = ENDED;
        in_table = false;
        pidfd = NONE;
        phase = SERVING
}

#define adopted_by (init_up -> INIT : OUTSIDE)

/* Is the process with the number the one of the row, as far as recover_started() and recover_starting() see? */
#ifdef MUTANT_NO_TICKS
#define is_ours (seen != NONE)
#else
#define is_ours ((row == STARTED && seen == CHILD) || \
                 (row == STARTING && seen != NONE && (seen == CHILD -> parent : OUTSIDE) == init_pid))
#endif

proctype kernel()
{
end:    do
        :: d_step { child == RUNNING -> child = ZOMBIE }
        :: d_step { child == ZOMBIE && parent == OUTSIDE -> child = REAPED; number = NONE }
        :: d_step { number == NONE -> number = STRANGER }
        :: d_step { number == STRANGER -> number = NONE }
        od
}

proctype sigkill()
{
end:    do
        :: d_step { /* creched */
                kills < KILLS && phase != CRASHED ->
                kills++;
                phase = CRASHED;
                in_table = false; exit_seen = false; pidfd = NONE; seen = NONE; request = IDLE;
                parent = (parent == CRECHED -> adopted_by : parent)
           }
        :: d_step { /* creche-init */
                kills < KILLS && init_up ->
                kills++;
                init_up = false;
                parent = (parent == INIT -> OUTSIDE : parent)
           }
        :: d_step { /* the next creched; peers_init() asks the socket who made it, not who its parent is now */
                phase == CRASHED ->
                init_up = true;
                init_pid = INIT;
                phase = OPENING
           }
#ifdef MUTANT_GETPPID
        :: d_step { phase == OPENING && !init_up -> init_pid = OUTSIDE }
#endif
        od
}

proctype creched()
{
end:    do
        :: d_step { /* started_run() */
                phase == SERVING && in_table && row == STARTING -> row = STARTED
           }
        :: d_step { /* look_at() */
                phase == OPENING && row != ENDED -> seen = number; phase = LOOKED
           }
        :: d_step { /* recover_started(), recover_starting() */
                phase == LOOKED && !is_ours -> lost()
           }
        :: d_step { /* adopt(): pidfd_open() */
                phase == LOOKED && is_ours ->
                pidfd = number;
                phase = OPENED
           }
        :: d_step { /* adopt(): the second look, ticks against ticks */
                phase == OPENED ->
                if
#ifdef MUTANT_ONE_LOOK
                :: pidfd != NONE ->
#else
                :: pidfd != NONE && number == seen ->
#endif
                        in_table = true;
                        phase = SERVING
                :: else -> lost()
                fi
           }
        :: d_step { phase == OPENING && row == ENDED -> phase = SERVING }
        :: d_step { /* child_event(): the pidfd is readable */
                phase == SERVING && in_table && !exit_seen &&
                (pidfd == CHILD && child != RUNNING || pidfd == STRANGER && number != STRANGER) ->
                exit_seen = true
           }
        :: d_step { /* ended_done(), exits_reap() */
                phase == SERVING && in_table && exit_seen ->
                row = ENDED;
                in_table = false;
                pidfd = NONE;
                if
                :: child == ZOMBIE -> child = REAPED; number = NONE
                :: else
                fi
           }
        :: d_step { /* registry_signal(): note_and_send() */
                phase == SERVING && in_table && !exit_seen && request == IDLE && signals < SIGNALS ->
                signals++;
                request = NOTED
           }
        :: d_step { /* requested_done(): send() */
                request == NOTED && phase == SERVING ->
                request = IDLE;
#ifdef MUTANT_SIGNAL_BY_NUMBER
                signal(number);
#endif
                if
                :: in_table && !exit_seen && pidfd != NONE -> signal(pidfd)
                :: else
                fi
           }
        od
}

init {
        atomic {
                run kernel();
                run sigkill();
                run creched()
        }
}
