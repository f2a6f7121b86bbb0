#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# creche-init as the first process of a container, and pids that get other owners.

# helper.bash sets STATUS, BODY, PARENT and AUTHKEY.
# shellcheck disable=SC2153
load ../api/helper

setup_file() { :; }

setup() {
  [[ $(id -u) == 0 ]] || skip 'not root'
  unshare --fork --pid --mount-proc true || skip 'no pid namespaces here'
}

teardown() {
  creche_teardown
  [[ -n ${NS_HOLDER:-} ]] || return 0
  kill -KILL "$NS_HOLDER"
  wait "$NS_HOLDER" 2>/dev/null || :
}

# From now on start_creche runs COMMAND... creched OPTION...
wrap() { # COMMAND...
  local real

  real=$(realpath "$BUILD")
  mkdir -p "$BATS_TEST_TMPDIR/bin"
  printf '#!/bin/sh\nexec %s %q/creched "$@"\n' "$(printf '%q ' "$@")" "$real" >"$BATS_TEST_TMPDIR/bin/creched"
  chmod +x "$BATS_TEST_TMPDIR/bin/creched"
  BUILD=$BATS_TEST_TMPDIR/bin
}

# The server with creche-init as PID 1. Sets INIT: its pid out here.
start_as_pid_1() {
  wrap unshare --fork --pid --kill-child --mount-proc
  start_creche
  INIT=$(pgrep --parent "$CRECHE_MAIN")
  assert_equal "$(api GET /v1/info | jq .init_pid)" 1
  assert_equal "$(awk '/^NSpid:/ { print $NF }' "/proc/$INIT/status")" 1
}

# Out here, too.
creched_pid() {
  pgrep --parent "$INIT" --full 'creched --state-dir'
}

stop_as_pid_1() {
  kill -TERM "$INIT"
  _wait_end "$CRECHE_DIR" "$PATIENCE_S"
  assert_equal "exit status $(<"$CRECHE_DIR/status")" 'exit status 0'
}

is_upgraded() {
  [[ $(api GET /v1/info | jq .restarts) == 1 ]]
}

another_daemon_than() { # PID
  local pid

  pid=$(creched_pid) && [[ -n $pid && $pid != "$1" ]] && daemon_pid >/dev/null 2>&1
}

# Nobody but creched (and a forkserver) is left under PID 1, and no zombie.
is_clean() {
  [[ $(_descendants "$INIT" | wc -l) == "$1" ]] && ! ps -o stat= --ppid "$INIT" | grep -q Z
}

@test "as PID 1: hundreds of orphans are reaped, double-forked ones as well, and those of a creched that was killed" {
  local id daemon

  start_as_pid_1
  id=$(start_process sh -c 'i=0; while [ $i -lt 300 ]; do (sleep 0.$((i % 10)) & ); i=$((i + 1)); done; exit 5')
  assert_equal "$(exitcode_of "$id")" 5
  daemon=$(creched_pid)
  kill -KILL "$daemon"
  wait_until another_daemon_than "$daemon"
  wait_until is_clean 1
  assert_equal "$(sql 'SELECT count(*), max(exitcode) FROM processes')" '1|5'
  stop_as_pid_1
}

@test "as PID 1: SIGTERM terminates daemonic processes, joins the others, and ends with status 0" {
  local daemonic joined

  start_as_pid_1
  daemonic=$(create_process '{"argv": ["sleep", "1000"], "daemon": true}')
  joined=$(start_blocked)
  kill -TERM "$INIT"
  assert_equal "$(exitcode_of "$daemonic")" -15
  assert_equal "$(field "$joined" .state)" started
  release "$joined"
  _wait_end "$CRECHE_DIR" "$PATIENCE_S"
  assert_equal "exit status $(<"$CRECHE_DIR/status")" 'exit status 0'
  assert_equal "$(sql 'SELECT group_concat(exitcode) FROM processes')" '-15,5'
}

@test "as PID 1: a creched that is killed is started again, and nothing is lost" {
  local daemon

  start_as_pid_1
  start_blocked_everywhere
  daemon=$(creched_pid)
  kill -KILL "$daemon"
  wait_until another_daemon_than "$daemon"
  all_end_with_5 "${IDS[@]}"
  stop_as_pid_1
}

@test "as PID 1: SIGHUP brings another creched, and nothing is lost" {
  start_as_pid_1
  start_blocked_everywhere
  kill -HUP "$INIT"
  wait_until is_upgraded
  all_end_with_5 "${IDS[@]}"
  stop_as_pid_1
}

@test "as PID 1: no signal from inside the container ends it, and none that means nothing from outside" {
  local id signal

  start_as_pid_1
  # shellcheck disable=SC2016
  id=$(start_process sh -c 'for s in KILL STOP SEGV ABRT USR1 QUIT ALRM; do kill -$s 1; done; exit 5')
  assert_equal "$(exitcode_of "$id")" 5
  for signal in USR1 USR2 QUIT ALRM PIPE CHLD; do
    kill "-$signal" "$INIT"
  done
  assert_equal "$(exitcode_of "$(start_process sh -c 'exit 6')")" 6
  stop_as_pid_1
}

# ---------------------------------------------------------------------------------- pids with new owners

# A pid namespace that outlives the server in it: for its PID 1, which ignores SIGCHLD, the kernel reaps.
hold_namespace() {
  unshare --fork --pid --kill-child --mount-proc env --ignore-signal=CHLD sleep 1000 \
    </dev/null >/dev/null 2>&1 3>&- &
  NS_HOLDER=$!
  wait_until pgrep --parent "$NS_HOLDER" >/dev/null
  NS=$(pgrep --parent "$NS_HOLDER")
  wait_until in_namespace test -e /proc/1/stat
  wrap nsenter --target "$NS" --pid --mount
}

in_namespace() { # COMMAND...
  nsenter --target "$NS" --pid --mount -- "$@"
}

# SIGKILL to both, creche-init first, and returns when they are gone.
kill_both_inside() {
  local init daemon

  read -r init daemon < <(api GET /v1/info | jq -r '"\(.init_pid) \(.pid)"')
  in_namespace kill -KILL "$init" "$daemon"
  _wait_end "$CRECHE_DIR" "$PATIENCE_S"
  wait_until is_gone_inside "$init"
  wait_until is_gone_inside "$daemon"
}

is_gone_inside() { # PID
  ! in_namespace test -e "/proc/$1"
}

# Starts somebody who has nothing to do with us and gets this pid.
stranger_gets() { # PID
  local got

  # shellcheck disable=SC2016
  got=$(in_namespace sh -c 'echo $(($0 - 1)) >/proc/sys/kernel/ns_last_pid
    sleep 1000 </dev/null >/dev/null 2>&1 3>&- & echo $!' "$1")
  assert_equal "$got" "$1"
}

@test "a stranger who got the pid of a process that ended unseen is never signalled, and the row says lost" {
  local child pid id

  hold_namespace
  start_creche
  start_parent '{"daemon": false}'
  child=$(TOKEN=$AUTHKEY create_process \
    '{"argv": ["sleep", "1000"], "daemon": true, "timeout": 1000, "on_parent_death": "SIGKILL"}')
  pid=$(field "$child" .pid)
  kill_both_inside
  in_namespace kill -KILL "$pid"
  wait_until is_gone_inside "$pid"
  stranger_gets "$pid"
  # Were it taken for ours, its time would be over at once.
  sql "UPDATE process SET timeout_us = 1 WHERE id = $child"

  start_creche_in "$CRECHE_DIR"
  assert_equal "$(field "$child" '[.state, .exitcode, .exit.reason] | tojson')" '["lost",null,"lost"]'
  assert_match "$(field "$child" .exit.detail)" 'no process of Creche was there to see it'
  for id in terminate kill interrupt; do
    assert_equal "$id $(api POST "/v1/processes/$child/$id" | jq .delivered)" "$id false"
  done
  assert_equal "$(field "$PARENT" .state)" started
  api POST "/v1/processes/$PARENT/kill" >/dev/null
  assert_match "$(api GET "/v1/processes/$PARENT?wait=20" | jq -r .state)" "^(stopped|lost)$" # see recovery.bats
  # A timeout that is due has been looked at when a later one is over.
  id=$(create_process '{"argv": ["sleep", "1000"], "timeout": 0.1}')
  assert_equal "$(exitcode_of "$id")" -15
  read -r id < <(api GET /v1/info | jq .init_pid)
  in_namespace kill -TERM "$id"
  _wait_end "$CRECHE_DIR" "$PATIENCE_S"
  assert_equal "exit status $(<"$CRECHE_DIR/status")" 'exit status 0'
  in_namespace kill -0 "$pid"
}

@test "a stranger with the pid of a start that was cut short is never signalled, and the row says lost" {
  local id pid

  hold_namespace
  start_creche
  id=$(start_process sleep 1000)
  pid=$(field "$id" .pid)
  kill_both_inside
  in_namespace kill -KILL "$pid"
  wait_until is_gone_inside "$pid"
  stranger_gets "$pid"
  # As if the daemon had died between the clone and the record of it: the journal alone knows the pid.
  sql "UPDATE process SET state = 'starting', pid = NULL, start_ticks = NULL, started_at = NULL WHERE id = $id"
  printf "%016x%08x%08x%08x%08x" "$id" "$pid" 0 0 0 | fold -w 8 |
    awk 'NR == 1 { high = $1; next } NR == 2 { print $1; print high; next } { print }' |
    sed 's/\(..\)\(..\)\(..\)\(..\)/\\x\4\\x\3\\x\2\\x\1/' | tr -d '\n' >"$BATS_TEST_TMPDIR/slot"
  # shellcheck disable=SC2059
  printf "$(<"$BATS_TEST_TMPDIR/slot")" | dd of="$CRECHE_STATE/spawn.journal" conv=notrunc status=none

  start_creche_in "$CRECHE_DIR"
  assert_equal "$(field "$id" '[.state, .exitcode, .exit.reason] | tojson')" '["lost",null,"lost"]'
  assert_match "$(field "$id" .exit.detail)" 'while it was being started'
  assert_equal "$(api POST "/v1/processes/$id/kill" | jq .delivered)" false
  in_namespace kill -0 "$pid"
}

@test "a process with the right pid and a wrong start time is a stranger" {
  local id pid

  hold_namespace
  start_creche
  id=$(create_process '{"argv": ["sleep", "1000"], "daemon": true}')
  pid=$(field "$id" .pid)
  kill_both_inside
  sql "UPDATE process SET start_ticks = start_ticks + 1 WHERE id = $id"
  start_creche_in "$CRECHE_DIR"
  assert_equal "$(field "$id" '[.state, .exitcode, .exit.reason] | tojson')" '["lost",null,"lost"]'
  assert_equal "$(api POST "/v1/processes/$id/kill" | jq .delivered)" false
  in_namespace kill -0 "$pid"
}

@test "a state directory that moves into another pid namespace: what ran is lost, and nobody there is signalled" {
  local id pid

  hold_namespace
  start_creche
  id=$(create_process '{"argv": ["sleep", "1000"], "daemon": true}')
  pid=$(field "$id" .pid)
  kill_both_inside
  BUILD=$(sed -n 's|^exec .* \(/[^ ]*\)/creched .*|\1|p' "$BUILD/creched")
  start_creche_in "$CRECHE_DIR"
  assert_equal "$(field "$id" '[.state, .exitcode, .exit.reason] | tojson')" '["lost",null,"lost"]'
  assert_equal "$(api POST "/v1/processes/$id/kill" | jq .delivered)" false
  in_namespace kill -0 "$pid"
}
