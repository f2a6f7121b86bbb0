/* SPDX-License-Identifier: MIT */
/* The registry, creche-init, the forkservers, the kernel beneath them and a client: what life.pml and
 * forkserver.pml have in common. One process of the user's, which is requested, started, ends and is joined;
 * KILLS times, at any step, one of ours is killed with SIGKILL.
 *
 * Each d_step is what happens between two moments at which a SIGKILL, or another thread, makes a difference;
 * its comment names the C function. What a SIGKILL takes away is reset in forget(); what is not named there
 * survives: the row on the disk, the spawn journal, the zombies, what lies in a socket of a living receiver.
 *
 * Every run ends: there is no cycle (which the runner checks, too), and so no fairness is needed. At its end,
 * when nothing can move any more, at_the_end() asks for everything that was promised.
 *
 * MUTANT_...: one rule broken on purpose, for which SPIN must find a counterexample.
 */
#ifndef KILLS
#define KILLS 2 /* of creched, creche-init, forkservers, in any order */
#endif
#ifndef GIVE_UPS
#define GIVE_UPS 1 /* how often the client repeats its request while the first is still worked on; at most 2 */
#endif
#ifndef CLONE_FAILS
#define CLONE_FAILS 1 /* how often the kernel has no room for a process */
#endif
#define OPS (GIVE_UPS + 1) /* requests in one creched at the same time */
#define CLONES 2           /* the second would be one too many: R7 */
#define GENERATIONS (KILLS + 1)
#define NONE 255           /* no exit code: SQL's NULL */

/* ------------------------------------------------------------------------------ what survives creched */

mtype = { ABSENT, INITIAL, STARTING, STARTED, STOPPED, FAILED, LOST }; /* of a row */
mtype = { UNBORN, CLONED, UNSHARED, RUNNING, ZOMBIE, REAPED };         /* of a child */
mtype = { NOBODY, SELF, INIT, SERVER };                                /* whose child; SERVER: a forkserver's */
mtype = { PEEK, REAP, EXIT, GONE };                                    /* base/zombie.h */
mtype = { OFF, UP, DYING, DEAD };                                      /* of a forkserver */

/* The kernel's own words on a child. Its pid is its index + 1; 0 is no pid. identity.pml reuses numbers. */
typedef Child {
        mtype state = UNBORN;
        mtype parent = NOBODY;
        byte server; /* which forkserver, if that is the parent */
        bool execed; /* PF_FORKNOEXEC is clear */
        byte code = NONE
};
Child child[CLONES];
byte clones, programs; /* how many were cloned, how many became their program */

typedef Row {
        mtype state = ABSENT;
        byte nr;
        byte code = NONE;
        byte ends /* rows in the table of events that tell of an end */
};
Row disk; /* what is durable */
Row work; /* the writer's transaction */

/* The slot in the spawn journal: start/journal.h */
typedef Slot {
        bool id;
        byte nr;
        bool stage /* not STAGE_NONE: exec failed */
};
Slot slot;

/* creche-init */
bool init_up = true;
bool look;
byte told;
chan to_init = [4] of { mtype, byte };    /* its end of the control socketpair */
chan to_creched = [6] of { mtype, byte }; /* the other */

typedef Server {
        mtype state = OFF;
        bool request;    /* in its start socket */
        byte serving;    /* a child that it waits for in vfork */
        byte reply;      /* in creched's end: the pid */
        bool peer        /* creched's struct peer; lost with creched */
};
Server server[GENERATIONS];
byte servers; /* that are UP */
chan to_server = [4] of { byte, mtype, byte };   /* generation, op, pid */
chan from_server = [4] of { byte, mtype, byte };

byte kills, init_kills, creched_kills, server_kills, give_ups, clone_fails;

/* A status is lost only when creche-init is killed and the child's parent is, too. */
#define may_be_lost (init_kills > 0 && creched_kills + server_kills > 0)

/* ------------------------------------------------------------------------------ what dies with creched */

mtype = { CRASHED, OPENING, LOOKING, ADOPTING, RECOVERING, SERVING };
mtype phase = OPENING;

mtype = { IDLE, CREATING, QUEUED, CLAIMED, ASKED, VFORKED, STARTED_NOT_WATCHED, WAITS, UNDOING };
typedef Op { /* struct start_op */
        mtype state = IDLE;
        bool claimed, existing;
        byte nr
};
Op op[OPS];

typedef Tabled { /* struct child */
        bool in_table;
        byte owner; /* whose op->child */
        mtype state = ABSENT; /* rec.state */
        byte nr;
        mtype peer = SELF;
        byte server;
        bool watched, exit_seen, told, has_end, to_reap;
        bool slot, unexeced;
        mtype end_state = ABSENT;
        byte end_code = NONE
};
Tabled c;

mtype = { CREATE, UNDO, BEGUN, ENDED, UNSTARTED, BARRIER }; /* jobs */
chan queue = [OPS + 3] of { mtype, byte }; /* the writer's */
chan batch = [OPS + 3] of { mtype, byte };
bool ran, committed; /* the batch */

chan outbox = [4] of { mtype, byte, mtype, byte }; /* r->outbox: peer, generation, op, pid */
bool init_peer = true; /* r->init.number */
bool starting_server;
byte generation, tries; /* struct forkserver; ask_again() */
bool st_unexeced, barrier;
mtype st_parent = NOBODY;

/* ------------------------------------------------------------------------------ the client */

mtype = { OUT, WAITING, JOINING, PARKED, SATISFIED };
mtype client = OUT;
byte client_op;
bool key;
mtype = { OK, EXEC_FAILED, TRY_AGAIN, BROKEN, NOTHING };
mtype answer = NOTHING;

/* Scratch, within a d_step only. */
hidden mtype j, what, peer;
hidden byte i, k, n, p, w;

inline finish(i, with) /* start_op_finish() */
{
        op[i].state = IDLE;
        op[i].claimed = false;
        op[i].existing = false;
        op[i].nr = 0;
        if
        :: client == WAITING && client_op == i -> answer = with
        :: else
        fi
}

/* ------------------------------------------------------------------------------ exits.c, peers.c */

inline post(peer_, server_, what, pid_) /* peer_post() */
{
        if
        :: (peer_ == INIT && init_peer) || (peer_ == SERVER && server[server_].peer) ->
                outbox!peer_, server_, what, pid_
        :: else
        fi
}

inline record(state_, code_) /* record(); exit_from_wait(), exit_failed(), exit_lost() come here */
{
        c.has_end = true;
        c.end_state = state_;
        c.end_code = code_;
#ifdef MUTANT_INVENT_CODE
        if
        :: state_ == FAILED || state_ == LOST -> c.end_code = 0
        :: else
        fi;
#endif
        queue!ENDED, 0
}

inline reap_run(p, whom) /* waitid(WEXITED) by @whom */
{
        if
        :: p > 0 && child[p - 1].state == ZOMBIE && child[p - 1].parent == whom ->
                assert(disk.ends == 1 && disk.nr != 0 || disk.state == FAILED); /* R3 */
                child[p - 1].state = REAPED
        :: else
        fi
}

inline free_slot() /* journal_release() */
{
        slot.id = false
}

/* Tickets of ops that wait for the start. */
inline wake_starts(with)
{
        for (w : 0 .. OPS - 1) {
                if
                :: op[w].state == WAITS -> finish(w, with)
                :: else
                fi
        }
}

/* ------------------------------------------------------------------------------ the store's jobs */

inline enter_table(i) /* enter_table(): it takes the place of one that is being undone */
{
        forget_child();
        c.owner = i;
        c.in_table = true;
        c.state = STARTING
}

inline run_create(i) /* create_run(): look_up_key(), record_claim(), record_insert() */
{
        if
        :: work.state == ABSENT ->
                work.state = STARTING;
                enter_table(i)
        :: else ->
                assert(key); /* R7: one row for one key */
                op[i].existing = true;
                if
#ifdef MUTANT_KEY_NOT_CLAIMED
                :: work.state == INITIAL || work.state == STARTING ->
#else
                :: work.state == INITIAL ->
#endif
                        work.state = STARTING;
                        op[i].claimed = true;
                        enter_table(i)
                :: else
                fi
        fi
#ifdef MUTANT_START_BEFORE_COMMIT
        ;
        if
        :: !op[i].existing || op[i].claimed -> op[i].state = QUEUED
        :: else
        fi
#endif
}

inline run_job(j, i)
{
        if
        :: j == CREATE -> run_create(i)
        :: j == UNDO && work.state == STARTING -> /* undo_run() */
                if
                :: op[i].claimed -> work.state = INITIAL
                :: else -> work.state = ABSENT
                fi
        :: j == BEGUN && work.state == STARTING -> /* started_run() */
                work.state = STARTED;
                work.nr = c.nr
        :: j == ENDED && (work.state == STARTING || work.state == STARTED) -> /* ended_run() */
                work.state = c.end_state;
                work.code = c.end_code;
                work.nr = (c.end_state == FAILED -> 0 : c.nr);
                work.ends++
#ifdef MUTANT_END_TWICE
        :: j == ENDED && work.ends > 0 -> work.ends++ /* without WHERE state IN (...) */
#endif
        :: j == UNSTARTED && work.state == STARTING -> work.state = INITIAL /* unstarted_run() */
        :: else
        fi
}

inline check_row() /* what is durable is true */
{
        assert(disk.ends == (disk.state == STOPPED || disk.state == FAILED || disk.state == LOST)); /* R5 */
        assert(disk.state == STOPPED || disk.code == NONE);                                         /* R6 */
        assert(disk.state != STOPPED || (child[disk.nr - 1].execed && disk.code == child[disk.nr - 1].code));
        assert(disk.state != FAILED || programs == 0);
        assert(disk.state != LOST || may_be_lost)
}

inline start_over(i) /* create_done(): repeat() */
{
        if
        :: c.in_table && c.state == STARTING -> op[i].state = WAITS
        :: !(c.in_table && c.state == STARTING) && disk.state == FAILED -> finish(i, EXEC_FAILED)
        :: else -> finish(i, OK)
        fi
}

inline done_job(j, i)
{
        if
        :: j == CREATE && (op[i].claimed || !op[i].existing) -> /* create_done(): begin() */
                if
                :: op[i].state == CREATING -> op[i].state = QUEUED
                :: else
                fi
        :: j == CREATE && !op[i].claimed && op[i].existing -> start_over(i)
        :: j == UNDO -> /* undo_done(): start_op_leave_table() */
                if
                :: c.in_table && c.owner == i ->
                        c.in_table = false;
                        wake_starts(TRY_AGAIN)
                :: else
                fi;
                finish(i, TRY_AGAIN)
        :: j == BEGUN -> /* started_done() */
                if
                :: c.slot -> c.slot = false; free_slot()
                :: else
                fi
        :: j == ENDED -> /* ended_done() */
                wake_starts((c.end_state == FAILED -> EXEC_FAILED : OK));
                if
                :: client == PARKED ->
                        assert(disk.state == c.end_state && disk.code == c.end_code); /* R2 */
                        client = SATISFIED
                :: else
                fi;
                c.in_table = false;
                c.to_reap = true
        :: j == UNSTARTED
        :: j == BARRIER -> barrier = true
        fi
}

/* ------------------------------------------------------------------------------ SIGKILL */

inline forget_child()
{
        c.in_table = false; c.owner = 0; c.state = ABSENT; c.nr = 0; c.peer = SELF; c.server = 0;
        c.watched = false; c.exit_seen = false; c.told = false; c.has_end = false; c.to_reap = false;
        c.slot = false; c.unexeced = false; c.end_state = ABSENT; c.end_code = NONE
}

inline drain2(ch)
{
        do
        :: nempty(ch) -> ch?_, _
        :: empty(ch) -> break
        od
}

inline drain3(ch)
{
        do
        :: nempty(ch) -> ch?_, _, _
        :: empty(ch) -> break
        od
}

inline forget() /* creched's memory */
{
        forget_child();
        for (k : 0 .. OPS - 1) {
                op[k].state = IDLE; op[k].claimed = false; op[k].existing = false; op[k].nr = 0
        }
        drain2(queue);
        drain2(batch);
        drain2(to_creched);
        drain3(from_server);
        do
        :: nempty(outbox) -> outbox?_, _, _, _
        :: empty(outbox) -> break
        od;
        for (k : 0 .. GENERATIONS - 1) {
                server[k].peer = false; server[k].reply = 0
        }
        ran = false; committed = false; init_peer = false; starting_server = false; generation = 0; tries = 0;
        st_unexeced = false; st_parent = NOBODY; barrier = false;
        work.state = ABSENT; work.nr = 0; work.code = NONE; work.ends = 0
}

/* The kernel gives the children of the dead to the nearest subreaper, and tells it of the zombies. */
inline reparent(whom, which)
{
        for (k : 0 .. CLONES - 1) {
                if
                :: child[k].parent == whom && (whom != SERVER || child[k].server == which) ->
                        child[k].parent = ((init_up && whom != INIT) -> INIT : NOBODY);
                        child[k].server = 0;
                        look = init_up
                :: else
                fi
        };
        k = 0 /* no jump out of a d_step */
}

proctype sigkill()
{
end:    do
        :: d_step {
                kills < KILLS && phase != CRASHED ->
                kills++;
                creched_kills++;
                phase = CRASHED;
                forget();
                reparent(SELF, 0);
                look = init_up;
                if
                :: client == WAITING -> answer = BROKEN
                :: client == PARKED -> client = JOINING
                :: else
                fi
           }
        :: d_step {
                kills < KILLS && init_up ->
                kills++;
                init_kills++;
                init_up = false;
                told = 0;
                look = false;
                drain2(to_init);
                reparent(INIT, 0)
           }
#ifdef FORKSERVER
        :: d_step {
                kills < KILLS && generation > 0 && server[generation - 1].state == UP ->
                kills++;
                server_kills++;
                server[generation - 1].state = DYING;
                servers--
           }
#endif
        od
}

/* ------------------------------------------------------------------------------ the kernel, and the operator */

inline end_with(code_)
{
        k = (child[0].state == RUNNING -> 0 : 1);
        child[k].state = ZOMBIE;
        child[k].code = code_;
        look = look || (child[k].parent == INIT && init_up)
}

proctype kernel()
{
end:    do
        :: d_step { /* own_files(): nothing of the daemon's is open any more */
                child[0].state == CLONED -> child[0].state = UNSHARED
           }
        :: d_step {
                child[1].state == CLONED -> child[1].state = UNSHARED
           }
        :: d_step { /* exec_first() */
                (child[0].state == UNSHARED || child[1].state == UNSHARED) ->
                k = (child[0].state == UNSHARED -> 0 : 1);
                child[k].state = RUNNING;
                child[k].execed = true;
                programs++;
                assert(disk.state == STARTING || disk.state == STARTED || disk.state == LOST); /* R1 */
                assert(programs == 1)                                    /* R7 */
           }
        :: d_step { /* exec_first(): fail() */
                (child[0].state == UNSHARED || child[1].state == UNSHARED) ->
                k = (child[0].state == UNSHARED -> 0 : 1);
                assert(slot.id && slot.nr == k + 1 || disk.state == LOST); /* into nobody else's slot */
                slot.stage = slot.id;
                child[k].state = ZOMBIE;
                child[k].code = 127;
                look = look || (child[k].parent == INIT && init_up)
           }
        :: d_step { (child[0].state == RUNNING || child[1].state == RUNNING) -> end_with(0) }
        :: d_step { (child[0].state == RUNNING || child[1].state == RUNNING) -> end_with(7) }
        :: d_step { /* whoever is outside reaps at once */
                (child[0].state == ZOMBIE && child[0].parent == NOBODY) -> child[0].state = REAPED
           }
        :: d_step {
                (child[1].state == ZOMBIE && child[1].parent == NOBODY) -> child[1].state = REAPED
           }
        :: d_step { /* the operator starts Creche again; for no less would anybody come */
                phase == CRASHED && !init_up ->
                init_up = true;
                phase = OPENING;
                drain2(to_init);
                init_peer = true
           }
        od
}

/* ------------------------------------------------------------------------------ creche-init: init.c */

/* child_peek() and control_send(), if creched lives */
inline tell(p)
{
        if
        :: child[p - 1].state == ZOMBIE && child[p - 1].parent == INIT -> to_creched!EXIT, p
        :: child[p - 1].state == REAPED || child[p - 1].parent != INIT -> to_creched!GONE, p
        :: else
        fi
}

#define zombie_of_init(k) (child[k].state == ZOMBIE && child[k].parent == INIT)

proctype creche_init()
{
end:    do
        :: d_step { /* control_receive(), control_obey(); in creched_ended(), too */
                init_up && nempty(to_init) ->
                to_init?what, p;
                if
                :: what == PEEK && phase != CRASHED -> tell(p)
                :: what == REAP ->
                        reap_run(p, INIT);
                        told = (told == p -> 0 : told);
                        look = true
                :: else
                fi
           }
        :: d_step { /* look(): child_peek(P_ALL) */
                init_up && look && phase != CRASHED ->
                look = false;
                p = (zombie_of_init(0) -> 1 : (zombie_of_init(1) -> 2 : 0));
                if
                :: p != 0 && p != told ->
                        to_creched!EXIT, p;
                        told = p;
#ifdef MUTANT_INIT_REAPS
                        child[p - 1].state = REAPED
#endif
                :: else
                fi
           }
        :: d_step { /* creched_ended(), creched_start() */
                init_up && phase == CRASHED && empty(to_init) ->
                phase = OPENING;
                init_peer = true;
                look = true;
#ifndef MUTANT_FORGET_TOLD
                told = 0
#endif
           }
        od
}

/* ------------------------------------------------------------------------------ a forkserver: forkserver_main.c */

#define unsettled(k) (child[k].state == CLONED || child[k].state == UNSHARED)

inline clone_run(whom, which) /* start_clone(): the kernel writes the pid before the child clones */
{
        assert(clones < CLONES);
        child[clones].state = CLONED;
        child[clones].parent = whom;
        child[clones].server = which;
        clones++;
#ifndef MUTANT_SLOT_AFTER_CLONE
        slot.nr = clones
#endif
}

#ifdef FORKSERVER
proctype forkserver(byte g)
{
end:    do
        :: d_step { /* serve_start(): fork_child() */
                server[g].state == UP && server[g].request && server[g].serving == 0 ->
                server[g].request = false;
                clone_run(SERVER, g);
                server[g].serving = clones
           }
        :: d_step { /* vfork is over: serve_start() answers */
                server[g].state == UP && server[g].serving != 0 && !unsettled(server[g].serving - 1) ->
                server[g].reply = (server[g].peer -> server[g].serving : 0);
#ifdef MUTANT_SLOT_AFTER_CLONE
                slot.nr = server[g].serving;
#endif
                server[g].serving = 0
           }
        :: d_step { /* serve_zombie(): zombie_serve() */
                server[g].state == UP && server[g].serving == 0 && to_server??[eval(g), _, _] ->
                to_server??eval(g), what, p;
                if
                :: what == REAP -> reap_run(p, SERVER)
                :: what == PEEK && child[p - 1].state == ZOMBIE && child[p - 1].parent == SERVER ->
                        from_server!g, EXIT, p
                :: what == PEEK && (child[p - 1].state == REAPED || child[p - 1].parent != SERVER) ->
                        from_server!g, GONE, p
                :: else
                fi
           }
        :: d_step { /* die_with_daemon() */
                server[g].state == UP && !server[g].peer ->
                server[g].state = DYING;
                servers--
           }
        :: d_step { /* its files were closed; now its children move */
                server[g].state == DYING ->
                server[g].state = DEAD;
                server[g].request = false;
                server[g].serving = 0;
                do
                :: to_server??[eval(g), _, _] -> to_server??eval(g), _, _
                :: else -> break
                od;
                reparent(SERVER, g)
           }
        od
}
#endif
