#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# The models of crash safety hold, and each of them can fail: with one rule broken (a MUTANT_ of the model) SPIN
# finds a counterexample. See registry.pml, identity.pml and run.

bats_require_minimum_version 1.5.0

model() {
  "$BATS_TEST_DIRNAME/run" "$@"
}

setup() {
  command -v spin >/dev/null || skip 'spin is not installed'
}

# ------------------------------------------------------------------------------ the models hold

@test "life: two SIGKILLs at any step: no exit code is lost or invented, nothing runs unrecorded or twice" {
  model check life
}

@test "forkserver: the same of three parties" {
  model check forkserver
}

@test "identity: no stranger who got a reaped child's number is signalled" {
  model check identity
}

@test "life: every run ends: recorded, answered, reaped" {
  model ends life
}

@test "forkserver: every run ends: recorded, answered, reaped" {
  # A search for cycles visits each state twice; one SIGKILL fits the time of `make check`.
  MODEL_BOUNDS=${MODEL_BOUNDS:--DKILLS=1} model ends forkserver
}

# ------------------------------------------------------------------------------ the models can fail

@test "R1 broken, a start that does not wait for the commit: found" {
  model refute life MUTANT_START_BEFORE_COMMIT
}

@test "R2 broken, an answer that does not wait for the commit: found" {
  model refute life MUTANT_ACK_BEFORE_COMMIT
}

@test "R3 broken, creched reaps before the commit: found" {
  model refute life MUTANT_REAP_BEFORE_COMMIT
}

@test "R3 broken, creche-init reaps on its own account: found" {
  model refute life MUTANT_INIT_REAPS
}

@test "R3 broken, a zombie whose start is in flight is taken for an orphan: found" {
  model refute forkserver MUTANT_REAP_STARTING
}

@test "R4 broken, a signal to the number in the row: found" {
  model refute identity MUTANT_SIGNAL_BY_NUMBER
}

@test "R4 broken, a process is adopted for its number alone: found" {
  model refute identity MUTANT_NO_TICKS
}

@test "R4 broken, no second look after the pidfd was opened: found" {
  model refute identity MUTANT_ONE_LOOK
}

@test "R4 broken, whoever is creched's parent now is taken for creche-init: found" {
  model refute identity MUTANT_GETPPID
}

@test "R5 broken, an end is recorded each time it is told: found" {
  model refute life MUTANT_END_TWICE
}

@test "R6 broken, failed and lost have an exit code: found" {
  model refute life MUTANT_INVENT_CODE
}

@test "R6 broken, a second crash forgets that a child never became its program: found" {
  model refute life MUTANT_UNEXECED_ONCE
}

@test "R7 broken, a key is not claimed: found" {
  model refute life MUTANT_KEY_NOT_CLAIMED
}

@test "R7 broken, the pid is written to the journal by us, after the clone: found" {
  model refute life MUTANT_SLOT_AFTER_CLONE
}

@test "R7 broken, recovery does not wait for a forkserver that still works: found" {
  model refute forkserver MUTANT_NO_LOCK
}

@test "R7 broken, a second forkserver is asked although the first one's child has ended: found" {
  model refute forkserver MUTANT_ASK_TWICE
}

@test "broken: the journal is cleared before what was concluded from it is durable: found" {
  model refute life MUTANT_CLEAR_BEFORE_DURABLE
}

@test "broken: recovery does not wait until a dying forkserver's children have moved: found" {
  model refute forkserver MUTANT_NOT_MOVING
}

@test "broken: creche-init does not tell the next creched what it told the last one: found" {
  model refute life MUTANT_FORGET_TOLD
}

@test "broken: the order to reap goes to a forkserver that is dead: found" {
  model refute forkserver MUTANT_LETTER_TO_THE_DEAD
}

@test "every mutant is tried here" {
  local tried known

  tried=$(grep -oE 'refute [a-z]+ MUTANT_[A-Z_]+' "$BATS_TEST_FILENAME" | sed 's/.* //' | sort -u)
  known=$(for m in life forkserver identity; do model mutants $m; done | sort -u)
  [[ $tried == "$known" ]]
}
