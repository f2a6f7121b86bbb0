/* SPDX-License-Identifier: MIT */
/* creched, all its threads, and its client. Part of registry.pml. */

/* ------------------------------------------------------------------------------ recover.c */

#ifdef MUTANT_CLEAR_BEFORE_DURABLE
#define concluded true
#else
#define concluded barrier
#endif
#ifdef MUTANT_NO_LOCK
#define somebody_writes false
#else
#define somebody_writes (child[0].state == CLONED || child[1].state == CLONED || servers_up)
#endif
#define servers_up (servers > 0)

/* is_moving(): the parent is a forkserver that is dying. */
#define nr_of_row (disk.state == STARTING -> (slot.id -> slot.nr : 0) : disk.nr)
#ifdef MUTANT_NOT_MOVING
#define is_moving false
#else
#define is_moving (nr_of_row != 0 && child[nr_of_row - 1].parent == SERVER)
#endif

inline row_ends(state_) /* child_of_row(), see(); exit_lost() or exit_failed() */
{
        c.in_table = true;
        c.peer = NOBODY;
        c.exit_seen = true;
        c.told = true;
        record(state_, NONE);
        queue!BARRIER, 0;
        phase = RECOVERING
}

inline look_at_row() /* recover_row() */
{
        forget_child();
        c.nr = nr_of_row;
        if
        :: disk.state != STARTING && disk.state != STARTED ->
                c.nr = 0;
                queue!BARRIER, 0;
                phase = RECOVERING
        :: disk.state == STARTING && c.nr == 0 ->
                if
                :: key -> /* leave_to_client() */
                        queue!UNSTARTED, 0;
                        queue!BARRIER, 0;
                        phase = RECOVERING
                :: else -> row_ends(FAILED) /* declare_failed() */
                fi
        :: (disk.state == STARTED || c.nr != 0) && (disk.state == STARTING || disk.state == STARTED) ->
                if
                :: child[c.nr - 1].state == REAPED -> row_ends(LOST)
                :: child[c.nr - 1].state != REAPED && disk.state == STARTING && child[c.nr - 1].parent != INIT ->
                        row_ends(LOST)
                :: else ->
                        st_unexeced = !child[c.nr - 1].execed;
                        st_parent = child[c.nr - 1].parent;
                        phase = ADOPTING
                fi
        fi
}

inline adopt() /* adopt() */
{
        if
        :: child[c.nr - 1].state == REAPED -> row_ends(LOST)
        :: else ->
                c.in_table = true;
                c.state = STARTED;
                c.peer = (st_parent == INIT -> INIT : NOBODY);
#ifdef MUTANT_UNEXECED_ONCE
                if
                :: slot.id && disk.state == STARTING && st_unexeced -> c.unexeced = true
#else
                if
                :: slot.id && st_unexeced -> c.unexeced = true
#endif
                :: slot.id && disk.state == STARTING && !st_unexeced -> c.slot = true
                :: else
                fi;
                if
                :: disk.state == STARTING -> queue!BEGUN, 0
                :: else
                fi;
                c.watched = true;
                queue!BARRIER, 0;
                phase = RECOVERING
        fi;
        st_unexeced = false;
        st_parent = NOBODY
}

proctype recovery()
{
end:    do
        :: d_step { /* journal_open(): wait_for_writers() */
                phase == OPENING && !somebody_writes -> phase = LOOKING
           }
        :: d_step { phase == LOOKING && !is_moving -> look_at_row() }
        :: d_step { phase == ADOPTING -> adopt() }
        :: d_step { /* wait_for_writer(), journal_clear(), reaper_begin(), starters_begin() */
                phase == RECOVERING && concluded ->
                if
                :: !c.slot && !c.unexeced -> slot.id = false
                :: else
                fi;
                phase = SERVING
           }
        od
}

/* ------------------------------------------------------------------------------ writer.c */

#ifdef MUTANT_ACK_BEFORE_COMMIT
#define may_be_told true
#else
#define may_be_told committed
#endif

proctype writer()
{
end:    do
        :: d_step { /* next_batch(); commit_batch(): BEGIN, run_job() of each */
                empty(batch) && nempty(queue) ->
                work.state = disk.state; work.nr = disk.nr; work.code = disk.code; work.ends = disk.ends;
                do
                :: nempty(queue) ->
                        queue?j, i;
                        batch!j, i;
                        run_job(j, i)
                :: empty(queue) -> break
                od;
                committed = false
           }
        :: d_step { /* COMMIT: durable at a single step */
                nempty(batch) && !committed ->
                disk.state = work.state; disk.nr = work.nr; disk.code = work.code; disk.ends = work.ends;
                work.state = ABSENT; work.nr = 0; work.code = NONE; work.ends = 0;
                committed = true;
                check_row()
           }
        :: d_step { /* finish_batch(): one job->done() */
                nempty(batch) && may_be_told ->
                batch?j, i;
                done_job(j, i)
           }
        od
}

/* ------------------------------------------------------------------------------ starters.c, outcome.c */

inline undo(i) /* start_op_undo() */
{
        free_slot();
        op[i].state = UNDOING;
        queue!UNDO, i
}

inline started(i, pid_, peer_, server_) /* start_op_started(): take_result() and all under the lock */
{
        c.nr = pid_;
        c.slot = true;
        c.peer = peer_;
        c.server = server_;
#ifdef MUTANT_SLOT_AFTER_CLONE
        slot.nr = pid_;
#endif
        if
        :: c.peer == SERVER && !server[server_].peer -> /* it has died since: its children have moved */
                c.peer = (init_peer -> INIT : NOBODY);
                c.server = 0
        :: else
        fi;
        if
        :: !slot.stage ->
                c.state = STARTED;
                wake_starts(OK);
                queue!BEGUN, 0;
                op[i].state = STARTED_NOT_WATCHED
        :: else -> /* start_failed() */
                c.exit_seen = true;
                c.told = true;
                op[i].state = WAITS;
                record(FAILED, NONE)
        fi
}

/* There was a child, and there is nobody left to ask about it. */
inline gone(i)
{
        c.nr = slot.nr;
        c.slot = true;
        c.peer = NOBODY;
        c.state = STARTED;
        c.exit_seen = true;
        c.told = true;
        wake_starts(OK);
        queue!BEGUN, 0;
        record(LOST, NONE);
        finish(i, OK)
}

proctype starter(byte s)
{
end:    do
        :: d_step { /* starters.c: journal_claim() */
                op[s].state == QUEUED && !slot.id ->
                slot.nr = 0;
                slot.stage = false;
                slot.id = true;
                op[s].state = CLAIMED
           }
        :: d_step { /* the kernel has no room: start_op_undo() */
                op[s].state == CLAIMED && clone_fails < CLONE_FAILS ->
                clone_fails++;
                undo(s)
           }
        :: d_step { /* start_op_started(): reaper_watch(), start_op_finish() */
                op[s].state == STARTED_NOT_WATCHED ->
                c.watched = true;
                finish(s, OK)
           }
#ifndef FORKSERVER
        :: d_step { /* start_by_clone(): clone3() */
                op[s].state == CLAIMED ->
                clone_run(SELF, 0);
                op[s].nr = clones;
                op[s].state = VFORKED
           }
        :: d_step { /* vfork is over */
                op[s].state == VFORKED && !unsettled(op[s].nr - 1) -> started(s, op[s].nr, SELF, 0)
           }
#else
        :: d_step { /* forkserver_start(): launch_server(), peers_forkserver_born() */
                op[s].state == CLAIMED && !starting_server && generation < GENERATIONS &&
                (server[generation].state == OFF || server[generation].state == DEAD) ->
                server[generation].state = UP;
                servers++;
                server[generation].peer = true;
                server[generation].request = false;
                generation++;
                starting_server = true
           }
        :: d_step { /* ask(): socket_send() */
                op[s].state == CLAIMED && starting_server && server[generation - 1].state == UP ->
                server[generation - 1].request = true;
                op[s].state = ASKED
           }
        :: d_step { /* ask(): the answer */
                op[s].state == ASKED && server[generation - 1].reply != 0 ->
                k = server[generation - 1].reply;
                server[generation - 1].reply = 0;
                started(s, k, SERVER, generation - 1)
           }
        :: d_step { /* ask(): EPIPE, or the end of the file; rescue() */
                (op[s].state == CLAIMED || op[s].state == ASKED) && starting_server &&
                server[generation - 1].state != UP && server[generation - 1].reply == 0 &&
                (slot.nr == 0 || !unsettled(slot.nr - 1)) -> /* await_exec() */
                starting_server = false;
                op[s].state = CLAIMED;
                if
                :: slot.nr == 0
#ifdef MUTANT_ASK_TWICE
                :: slot.nr != 0 && child[slot.nr - 1].state == REAPED
#else
                :: slot.nr != 0 && child[slot.nr - 1].state == REAPED -> gone(s)
#endif
                :: slot.nr != 0 && child[slot.nr - 1].state != REAPED ->
                        started(s, slot.nr, SERVER, generation - 1)
                fi
           }
#endif
        od
}

/* ------------------------------------------------------------------------------ reaper.c, peers.c, exits.c */

#ifdef MUTANT_END_TWICE
#define is_news true
#else
#define is_news (!c.has_end && !c.told)
#endif
#define dead(p) (child[p - 1].state == ZOMBIE || child[p - 1].state == REAPED)

inline child_event()
{
        c.exit_seen = true;
        if
        :: c.peer == SELF -> /* own_child_ended() */
                record(STOPPED, child[c.nr - 1].code);
#ifdef MUTANT_REAP_BEFORE_COMMIT
                child[c.nr - 1].state = REAPED
#endif
        :: else ->
                if
                :: c.peer == NOBODY && init_peer && child[c.nr - 1].parent == INIT -> c.peer = INIT
                :: else
                fi;
                if
                :: (c.peer == INIT && init_peer) || c.peer == SERVER -> post(c.peer, c.server, PEEK, c.nr)
                :: else -> record(LOST, NONE)
                fi
        fi
}

inline receive(from, g, what, p)
{
        if
        :: what == EXIT && c.in_table && c.nr == p && c.peer != SELF -> /* on_exit_message() */
                c.exit_seen = true;
                if
                :: is_news ->
                        c.told = true;
                        if
                        :: c.unexeced && !child[p - 1].execed -> record(FAILED, NONE) /* never_ran() */
                        :: else -> record(STOPPED, child[p - 1].code)
                        fi
                :: else
                fi
        :: what == EXIT && !(c.in_table && c.nr == p && c.peer != SELF) ->
                if
#ifndef MUTANT_REAP_STARTING
                :: slot.id && slot.nr == p /* journal_has_pid() */
#endif
                :: else -> post(from, g, REAP, p) /* an orphan; or one that was recorded before a crash */
                fi
        :: what == GONE && c.in_table && c.nr == p && c.exit_seen && !c.has_end && !c.told -> /* on_gone_message() */
                c.told = true;
                record(LOST, NONE)
        :: else
        fi
}

inline give_up(from, g, to) /* move_children(), move_letters() */
{
        n = len(outbox);
        do
        :: n > 0 ->
                outbox?peer, k, what, p;
                if
                :: peer == from && k == g && to == INIT -> outbox!to, 0, what, p
                :: peer == from && k == g && to != INIT
                :: else -> outbox!peer, k, what, p
                fi;
                n--
        :: n == 0 -> break
        od;
        if
        :: c.in_table && c.peer == from && c.server == g ->
                c.peer = to;
                c.server = 0;
                if
                :: c.exit_seen && !c.told && to == INIT -> post(INIT, 0, PEEK, c.nr)
                :: c.exit_seen && !c.told && to != INIT ->
                        c.told = true;
                        record(LOST, NONE)
                :: else
                fi
        :: else
        fi;
        peer = 0; k = 0; what = 0; p = 0
}

inline reap() /* reap() */
{
        if
        :: c.peer == SELF -> reap_run(c.nr, SELF)
#ifndef MUTANT_LETTER_TO_THE_DEAD
        :: c.peer == SERVER && !server[c.server].peer -> post(INIT, 0, REAP, c.nr)
#endif
        :: else -> post(c.peer, c.server, REAP, c.nr)
        fi;
        if
        :: c.slot || c.unexeced -> free_slot()
        :: else
        fi;
        forget_child()
}

/* bury_forkserver() and give_up(); peers_flush(): deliver(), which leaves alone what is for one that is dying */
#define BURY(g) \
        :: d_step { \
                phase == SERVING && server[g].peer && server[g].state == DEAD && !from_server??[g, _, _] -> \
                server[g].peer = false; \
                give_up(SERVER, g, (init_peer -> INIT : NOBODY)) \
           } \
        :: d_step { \
                phase == SERVING && outbox??[SERVER, g, _, _] && (!server[g].peer || server[g].state == UP) -> \
                outbox??SERVER, g, what, p; \
                if \
                :: server[g].peer -> to_server!g, what, p \
                :: else \
                fi \
           }

proctype reaper()
{
end:    do
        :: d_step { /* child_event() */
                phase == SERVING && c.in_table && c.watched && !c.exit_seen && dead(c.nr) -> child_event()
           }
        :: d_step { /* exits_reap() */
                c.to_reap && phase == SERVING -> reap()
           }
        :: d_step { /* peer_event(): creche-init speaks */
                phase == SERVING && init_peer && nempty(to_creched) ->
                to_creched?what, p;
                receive(INIT, 0, what, p)
           }
        :: d_step { /* lose_peer(): creche-init is dead; give_up() */
                phase == SERVING && init_peer && !init_up && empty(to_creched) ->
                init_peer = false;
                give_up(INIT, 0, NOBODY)
           }
        :: d_step { /* peers_flush(): deliver() */
                phase == SERVING && outbox??[INIT, _, _, _] && (init_up || !init_peer) ->
                outbox??INIT, _, what, p;
                if
                :: init_up && init_peer -> to_init!what, p
                :: else
                fi
           }
#ifdef FORKSERVER
        :: d_step { /* peer_event(): a forkserver speaks */
                phase == SERVING && nempty(from_server) ->
                from_server?k, what, p;
                receive(SERVER, k, what, p)
           }
        BURY(0)
        BURY(1)
#if GENERATIONS > 2
        BURY(2)
#endif
#if GENERATIONS > 3
        BURY(3)
#endif
#endif
        od
}

/* ------------------------------------------------------------------------------ the client */

#define free_op(k) (op[k].state == IDLE)
#define op_in_the_middle (OPS > 2 -> 1 : 0)

proctype user()
{
end:    do
        :: d_step { /* POST /v1/processes, under a key or without: registry_create() */
                client == OUT && phase == SERVING && (free_op(0) || free_op(op_in_the_middle) || free_op(OPS - 1)) ->
                client_op = (free_op(0) -> 0 : (free_op(op_in_the_middle) -> op_in_the_middle : OPS - 1));
                op[client_op].state = CREATING;
                queue!CREATE, client_op;
                client = WAITING
           }
        :: d_step { /* too slow: it asks again, and creched has both */
                client == WAITING && answer == NOTHING && key && give_ups < GIVE_UPS ->
                give_ups++;
                client = OUT
           }
        :: d_step {
                client == WAITING && answer == OK ->
                assert(disk.state != ABSENT && disk.state != INITIAL);
                client = JOINING;
                answer = NOTHING
           }
        :: d_step {
                client == WAITING && answer == EXEC_FAILED ->
                assert(disk.state == FAILED); /* R2 */
                client = SATISFIED;
                answer = NOTHING
           }
        :: d_step {
                client == WAITING && (answer == TRY_AGAIN || answer == BROKEN) ->
                client = (key -> OUT : SATISFIED);
                answer = NOTHING
           }
        :: d_step { /* POST /v1/processes/1/join: registry_wait() */
                client == JOINING && phase == SERVING ->
                assert(c.in_table || disk.ends == 1); /* R2 */
                client = (c.in_table -> PARKED : SATISFIED)
           }
        od
}

/* ------------------------------------------------------------------------------ when nothing moves any more */

proctype at_the_end()
{
        timeout ->
        assert(phase == SERVING);
        assert(client == SATISFIED);
        assert(disk.ends == 1 || (disk.state == ABSENT && !key));
        assert(programs == 0 || disk.state == STOPPED || may_be_lost);
        assert(clones == 0 || disk.state != ABSENT);
        assert(child[0].state == UNBORN || child[0].state == REAPED);
        assert(child[1].state == UNBORN || child[1].state == REAPED);
        assert(!slot.id && !c.in_table && empty(queue) && empty(outbox))
}

init {
        atomic {
                if
                :: key = true
                :: key = false
                fi;
                run kernel();
                run sigkill();
                run creche_init();
                run recovery();
                run writer();
                run reaper();
                run starter(0);
#if GIVE_UPS > 0
                run starter(1);
#endif
#if GIVE_UPS > 1
                run starter(2);
#endif
                run user();
#ifdef FORKSERVER
                run forkserver(0);
                run forkserver(1);
#if GENERATIONS > 2
                run forkserver(2);
#endif
#if GENERATIONS > 3
                run forkserver(3);
#endif
#endif
                run at_the_end()
        }
}
