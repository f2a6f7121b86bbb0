#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What children do by themselves: they leave grandchildren and orphans behind, they stop, they close their files.
# What memory has to do with it is in memory.bats.

# helper.bash sets STATUS, BODY, PARENT and AUTHKEY.
# shellcheck disable=SC2153
load ../api/helper

need_groups() {
  [[ $(api GET /v1/info | jq -r .features.tree) == control_group ]] ||
    skip 'there is no cgroup2 hierarchy here that may be written to: only process groups can be reached'
}

need_root() { [[ $(id -u) == 0 ]] || skip 'not root'; }

# Starts a process that leaves a descendant in a session of its own, double-forked, and waits for its release:
# sets FAMILY (id) and GRANDCHILD (pid).
start_family() { # [JSON]
  local fifo

  fifo=$(mktemp -u "$BATS_TEST_TMPDIR/family.XXXX")
  mkfifo "$fifo" || return
  # shellcheck disable=SC2016
  FAMILY=$(create_process "$(jq -c --arg fifo "$fifo" '{argv: ["sh", "-c",
    "(setsid sh -c '\''echo $$ >$0; exec sleep 1000'\'' $0 &); read line; exit 5", $fifo], stdin: "pipe"} + .' \
    <<<"${1:-{\}}")") || return
  GRANDCHILD=$(timeout "$PATIENCE_S" cat "$fifo")
}

tree() { # ID VERB
  api POST "/v1/processes/$1/$2" '{"tree": true}' | jq .delivered
}

state_of() { # PID
  local stat

  read -r stat <"/proc/$1/stat" && stat=${stat##*) } && printf '%s\n' "${stat%% *}"
}

has_state() { # PID STATE
  [[ $(state_of "$1") == "$2" ]]
}

stop_child() { # ID: SIGSTOP
  local pid

  pid=$(field "$1" .pid) && kill -STOP "$pid" && wait_until has_state "$pid" T
}

# The control group of a process, as a directory.
group_of() { # PID
  printf '%s/%s\n' "$(<"$CRECHE_STATE/cgroup")" "$(sed -n 's|^0::.*/creche-[^/]*/||p' "/proc/$1/cgroup")"
}

zombies_of() { # PID
  ps --ppid "$1" -o stat=,pid= | awk '$1 ~ /^Z/ { print $2 }' | xargs
}

zombies_are() { # PID EXPECTED
  [[ $(zombies_of "$1") == "$2" ]]
}

# ---------------------------------------------------------------------------------- grandchildren

@test "grandchildren: join returns when the process has ended, whoever it has left behind" {
  local method

  for method in "${METHODS[@]}"; do
    start_family "{\"start_method\": \"$method\"}"
    release "$FAMILY"
    assert_equal "$method $(exitcode_of "$FAMILY")" "$method 5"
    assert_match "$(state_of "$GRANDCHILD")" '[SR]'
    kill -KILL "$GRANDCHILD"
  done
}

@test "grandchildren: without tree a signal is for the process alone" {
  start_family
  api POST "/v1/processes/$FAMILY/kill" >/dev/null
  assert_equal "$(exitcode_of "$FAMILY")" -9
  assert_match "$(state_of "$GRANDCHILD")" '[SR]'
  kill -KILL "$GRANDCHILD"
}

@test "grandchildren: terminate and kill with tree reach those in sessions of their own" {
  local method verb

  need_groups
  for method in "${METHODS[@]}"; do
    for verb in terminate:-15 kill:-9 interrupt:-2; do
      start_family "{\"start_method\": \"$method\"}"
      assert_equal "$method $verb $(tree "$FAMILY" "${verb%:*}")" "$method $verb true"
      assert_equal "$method $verb $(exitcode_of "$FAMILY")" "$method $verb ${verb#*:}"
      # sh ignores SIGINT in what it starts in the background, and so does its heir.
      [[ $verb != interrupt:* ]] || kill -KILL "$GRANDCHILD"
      wait_until is_gone "$GRANDCHILD"
    done
  done
}

@test "grandchildren: each hears a signal with tree once" {
  local fifo=$BATS_TEST_TMPDIR/heard id

  need_groups
  mkfifo "$fifo"
  # The session leader and its descendant in another session; both say what they hear.
  # shellcheck disable=SC2016
  id=$(create_process "$(jq -cn --arg fifo "$fifo" '{argv: ["bash", "-c",
    "exec 3>$0; trap \"echo main >&3\" USR1
     setsid bash -c \"trap \\\"echo grandchild >&3\\\" USR1; echo ready >&3; while :; do sleep 1000 & wait; done\" &
     while :; do wait; done", $fifo]}')")
  exec {heard}<>"$fifo"
  read -r -t "$PATIENCE_S" line <&"$heard"
  assert_equal "$line" ready
  assert_equal "$(api POST "/v1/processes/$id/signal" '{"signal": "SIGUSR1", "tree": true}' | jq .delivered)" true
  { read -r -t "$PATIENCE_S" one && read -r -t "$PATIENCE_S" two; } <&"$heard"
  assert_equal "$(printf '%s\n' "$one" "$two" | sort | xargs)" 'grandchild main'
  assert_equal "$(read -r -t 0.3 three <&"$heard" && echo "$three")" ''
  exec {heard}<&-
}

@test "grandchildren: with tree nobody else is reached" {
  local other stranger

  need_groups
  start_family
  other=$FAMILY stranger=$GRANDCHILD
  start_family
  tree "$FAMILY" kill >/dev/null
  wait_until is_gone "$GRANDCHILD"
  assert_equal "$(field "$other" .state)" started
  assert_match "$(state_of "$stranger")" '[SR]'
}

@test "grandchildren: tree reaches those of a process that has ended, and says when nobody is left" {
  need_groups
  start_family
  release "$FAMILY"
  exitcode_of "$FAMILY" >/dev/null
  assert_equal "$(tree "$FAMILY" terminate)" true
  wait_until is_gone "$GRANDCHILD"
  assert_equal "$(tree "$FAMILY" terminate)" false
  assert_equal "$(field "$FAMILY" '"\(.exitcode) \(.exit.requested_by)"')" '5 null'
}

@test "grandchildren: a child of a process is in a group of its own, and not in the tree of its parent" {
  local child pid

  need_groups
  start_parent
  child=$(TOKEN=$AUTHKEY start_process sleep 1000)
  pid=$(field "$child" .pid)
  [[ $(group_of "$pid") != "$(group_of "$(field "$PARENT" .pid)")" ]] || fail 'they share a group'
  tree "$PARENT" kill >/dev/null
  assert_equal "$(exitcode_of "$PARENT") $(field "$child" .state)" '-9 started'
}

@test "grandchildren: a caller who may not see the process does not reach them" {
  need_groups
  start_family
  release "$FAMILY"
  exitcode_of "$FAMILY" >/dev/null
  start_parent
  TOKEN=$AUTHKEY api_status POST "/v1/processes/$FAMILY/kill" '{"tree": true}' >/dev/null
  assert_problem 404 not_found
  assert_match "$(state_of "$GRANDCHILD")" '[SR]'
  tree "$FAMILY" kill >/dev/null
}

# ------------------------------------------------------------------------------------ crashes

@test "crash: creched was killed, and tree reaches the grandchildren of those that run and of those that ended" {
  local method ended running one two

  need_groups
  for method in "${METHODS[@]}"; do
    start_creche
    start_family "{\"start_method\": \"$method\"}"
    ended=$FAMILY one=$GRANDCHILD
    start_family "{\"start_method\": \"$method\"}"
    running=$FAMILY two=$GRANDCHILD
    release "$ended"
    exitcode_of "$ended" >/dev/null
    kill_daemon
    assert_equal "$method $(tree "$ended" kill)" "$method true"
    wait_until is_gone "$one"
    assert_match "$(state_of "$two")" '[SR]'
    assert_equal "$method $(tree "$running" kill)" "$method true"
    wait_until is_gone "$two"
    assert_equal "$method $(exitcode_of "$running")" "$method -9"
    stop_creche
    [[ ! -e $(<"$CRECHE_STATE/cgroup") ]] || fail 'control groups are left'
  done
}

@test "crash: creche-init and creched were killed, and tree still reaches all" {
  local ended running one two

  need_groups
  start_creche
  start_family
  ended=$FAMILY one=$GRANDCHILD
  start_family
  running=$FAMILY two=$GRANDCHILD
  release "$ended"
  exitcode_of "$ended" >/dev/null
  kill_all
  start_creche_in "$CRECHE_DIR"
  assert_equal "$(tree "$ended" kill) $(tree "$running" kill)" 'true true'
  wait_until is_zombie_or_gone "$one"
  wait_until is_zombie_or_gone "$two"
  stop_creche
  [[ ! -e $(<"$CRECHE_STATE/cgroup") ]] || fail 'control groups are left'
}

@test "crash: what ended while nobody served leaves no control group" {
  local groups pid survivor

  need_groups
  start_creche
  start_family
  survivor=$GRANDCHILD
  release "$FAMILY"
  exitcode_of "$FAMILY" >/dev/null
  start_family
  pid=$(field "$FAMILY" .pid)
  kill_all
  kill -KILL "$pid" "$GRANDCHILD" "$survivor"
  wait_until is_zombie_or_gone "$GRANDCHILD"
  wait_until is_zombie_or_gone "$survivor"
  groups=$(<"$CRECHE_STATE/cgroup")
  [[ -e $groups ]] || fail 'there is nothing to clean up'
  start_creche_in "$CRECHE_DIR"
  stop_creche
  [[ ! -e $groups ]] || fail 'control groups are left'
}

@test "crash: a server that runs in another group now finds the survivors where they are" {
  local other old

  need_groups
  need_root
  start_creche
  start_family
  release "$FAMILY"
  exitcode_of "$FAMILY" >/dev/null
  kill_all
  old=$(<"$CRECHE_STATE/cgroup")
  other=$(dirname "$old")/creche-test-$$
  mkdir "$other"
  # shellcheck disable=SC2016
  in_group "$other" start_creche_in "$CRECHE_DIR"
  assert_equal "$(<"$CRECHE_STATE/cgroup")" "$old"
  assert_equal "$(tree "$FAMILY" kill)" true
  wait_until is_zombie_or_gone "$GRANDCHILD"
  stop_creche
  # Nobody is left there: the next one moves.
  in_group "$other" start_creche_in "$CRECHE_DIR"
  assert_match "$(<"$CRECHE_STATE/cgroup")" "^$other/"
  stop_creche
  rmdir "$other"
  [[ ! -e $old ]] || fail 'control groups are left'
}

# Runs COMMAND with whom it starts in the group.
in_group() { # DIRECTORY COMMAND...
  local status=0

  echo "$BASHPID" >"$1/cgroup.procs" || return
  "${@:2}" || status=$?
  echo "$BASHPID" >"$(dirname "$1")/cgroup.procs"
  return "$status"
}

# ----------------------------------------------------------------------------------------- groups

# The next process is put there.
uses_group() { # DIRECTORY
  [[ $(output_of "$(start_process sed -n 's|^0::.*/||p' /proc/self/cgroup)") == "${1##*/}" ]]
}

@test "groups: one with survivors stays until it is empty, and goes then" {
  local group

  need_groups
  start_creche
  start_family
  group=$(group_of "$GRANDCHILD")
  release "$FAMILY"
  exitcode_of "$FAMILY" >/dev/null
  ! uses_group "$group" || fail 'somebody was put into the group of survivors'
  kill -KILL "$GRANDCHILD"
  wait_until is_removed "$group"
}

@test "groups: one is used again when its process has ended by itself, and not when somebody may have used cgroup.kill" {
  local id group

  need_groups
  need_root
  start_creche
  ended >/dev/null
  group=$(<"$CRECHE_STATE/cgroup")/1
  uses_group "$group" || fail 'a new group for each'

  # The kernel kills whoever is cloned into a group that cgroup.kill was used on.
  id=$(start_process sleep 1000)
  assert_equal "$(group_of "$(field "$id" .pid)")" "$group"
  echo 1 >"$group/cgroup.kill"
  assert_equal "$(exitcode_of "$id")" -9
  assert_equal "$(exitcode_of "$(start_process sh -c 'exit 3')")" 3

  start_family
  release "$FAMILY"
  exitcode_of "$FAMILY" >/dev/null
  tree "$FAMILY" kill >/dev/null
  wait_until is_gone "$GRANDCHILD"
  assert_equal "$(exitcode_of "$(start_process sh -c 'exit 3')")" 3
}

@test "groups: one that was frozen, or in which there are groups, is not used again" {
  local id pid frozen inode nested

  need_groups
  need_root
  start_creche
  id=$(start_process sleep 1000)
  pid=$(field "$id" .pid)
  frozen=$(group_of "$pid")
  inode=$(stat -c %i "$frozen")
  echo 1 >"$frozen/cgroup.freeze"
  api POST "/v1/processes/$id/signal" '{"signal": "SIGTERM"}' >/dev/null
  assert_equal "$(exitcode_of "$id")" -15
  assert_equal "$(exitcode_of "$(start_process true)")" 0

  id=$(start_blocked)
  nested=$(group_of "$(field "$id" .pid)")
  mkdir -p "$nested/a/b"
  release "$id"
  assert_equal "$(exitcode_of "$id")" 5
  assert_equal "$(exitcode_of "$(start_process true)")" 0
  wait_until is_removed "$frozen" "$inode"
  wait_until is_removed "$nested/a"
}

# Its name may be another group's since.
is_removed() { # DIRECTORY [INODE]
  local now

  now=$(stat -c %i "$1" 2>/dev/null) || return 0
  [[ $now != "${2:-$now}" ]]
}

@test "groups: with tree those in groups that a process has made within its own are reached" {
  local id child nested

  need_groups
  need_root
  start_family
  nested=$(group_of "$GRANDCHILD")/a
  mkdir "$nested"
  echo "$GRANDCHILD" >"$nested/cgroup.procs"
  assert_equal "$(tree "$FAMILY" terminate)" true
  wait_until is_gone "$GRANDCHILD"
}

@test "groups: who removes them breaks no start" {
  local groups

  need_groups
  need_root
  start_creche
  ended >/dev/null
  groups=$(<"$CRECHE_STATE/cgroup")
  wait_until rmdir "$groups"/*/
  assert_equal "$(exitcode_of "$(start_process sh -c 'exit 3')")" 3
  start_family
  assert_equal "$(tree "$FAMILY" kill)" true
  wait_until is_gone "$GRANDCHILD"
}

@test "groups: a new database in the same place has groups of its own" {
  local old stranger groups

  need_groups
  start_creche
  start_family
  old=$FAMILY stranger=$GRANDCHILD groups=$(<"$CRECHE_STATE/cgroup")
  release "$old"
  exitcode_of "$old" >/dev/null
  kill_all
  rm -rf "$CRECHE_STATE"
  start_creche_in "$CRECHE_DIR"
  start_family
  assert_equal "$FAMILY $(tree "$FAMILY" kill)" "$old true"
  wait_until is_gone "$GRANDCHILD"
  assert_match "$(state_of "$stranger")" '[SR]'
  kill -KILL "$stranger"
  wait_until _remove_groups "$groups"
}

@test "groups: the server of a copy of a database keeps away from those of the original" {
  local original=$BATS_FILE_TMPDIR/$BATS_TEST_NUMBER.original copy=$BATS_FILE_TMPDIR/$BATS_TEST_NUMBER.copy id

  need_groups
  mkdir "$original" "$copy"
  start_creche_in "$original"
  stop_creche
  cp -a "$original/state" "$copy/state"
  start_creche_in "$original"
  start_family
  id=$FAMILY
  release "$id"
  exitcode_of "$id" >/dev/null
  start_creche_in "$copy"
  assert_equal "$(api GET /v1/info | jq -r .features.tree)" process_group
  assert_equal "$(start_process true) $(tree "$id" kill)" "$id false"
  assert_match "$(state_of "$GRANDCHILD")" '[SR]'
  stop_creche
  rm "$copy/state/cgroup"
}

@test "groups: where none can be made, /v1/info says so and tree reaches the process group" {
  local real=$BUILD mount id pid

  need_root
  mount=$(awk '/ - cgroup2 / { print $5; exit }' /proc/self/mountinfo)
  [[ -n $mount ]] || skip 'there is no cgroup2 mount to be made read-only: this is how all tests here run'
  mkdir "$BATS_TEST_TMPDIR/bin"
  printf '#!/bin/sh\nexec unshare -m sh -c "mount -o remount,bind,ro %s && exec %s \\"\\$@\\"" sh "$@"\n' \
    "$mount" "$real/creched" >"$BATS_TEST_TMPDIR/bin/creched"
  chmod +x "$BATS_TEST_TMPDIR/bin/creched"
  BUILD=$BATS_TEST_TMPDIR/bin start_creche
  assert_equal "$(api GET /v1/info | jq -c .features)" '{"tree":"process_group","oom":false}'
  # shellcheck disable=SC2016
  id=$(start_process sh -c 'sleep 1000 & echo $!; wait')
  wait_until [ -n "$(api GET "/v1/processes/$id/logs?follow=1&limit=3")" ]
  pid=$(api GET "/v1/processes/$id/logs")
  assert_equal "$(tree "$id" kill) $(exitcode_of "$id")" 'true -9'
  wait_until is_gone "$pid"
}

# ---------------------------------------------------------------------------------------- stopped

@test "stopped: terminate and interrupt end a child that was stopped" {
  local verb id

  for verb in terminate:-15 interrupt:-2; do
    id=$(start_process sleep 1000)
    stop_child "$id"
    api POST "/v1/processes/$id/${verb%:*}" >/dev/null
    assert_equal "$verb $(exitcode_of "$id")" "$verb ${verb#*:}"
  done
}

@test "stopped: a signal sent by its name is sent, and no more" {
  local id pid

  id=$(start_process sleep 1000)
  pid=$(field "$id" .pid)
  stop_child "$id"
  api POST "/v1/processes/$id/signal" '{"signal": "SIGTERM"}' >/dev/null
  assert_match "$(grep ShdPnd "/proc/$pid/status")" '4000$'
  assert_equal "$(state_of "$pid")" T
  api POST "/v1/processes/$id/signal" '{"signal": "SIGCONT"}' >/dev/null
  assert_equal "$(exitcode_of "$id")" -15
}

@test "stopped: terminate with tree ends stopped grandchildren too" {
  need_groups
  start_family
  kill -STOP "$GRANDCHILD"
  wait_until has_state "$GRANDCHILD" T
  tree "$FAMILY" terminate >/dev/null
  wait_until is_gone "$GRANDCHILD"
}

@test "stopped: the timeout ends a child that was stopped, before its grace is over" {
  local id

  id=$(create_process '{"argv": ["sleep", "1000"], "timeout": 1, "grace": 1000}')
  stop_child "$id"
  assert_equal "$(exitcode_of "$id")" -15
}

@test "stopped: the death of its parent ends a child that was stopped and wants to know" {
  local id

  start_parent
  id=$(TOKEN=$AUTHKEY create_process '{"argv": ["sleep", "1000"], "on_parent_death": "SIGTERM"}')
  stop_child "$id"
  api POST "/v1/processes/$PARENT/kill" >/dev/null
  assert_equal "$(api GET "/v1/processes/$id?wait=60" | jq .exitcode)" -15
}

@test "stopped: the stop of the server ends a daemonic child that was stopped" {
  start_creche
  stop_child "$(create_process '{"argv": ["sleep", "1000"], "daemon": true}')"
  stop_creche
  assert_equal "$(sql 'SELECT exitcode FROM processes')" -15
}

# ------------------------------------------------------------------------------------------ files

@test "files: a child that closes its stdout and stderr is followed to its end, and its exit code is right" {
  local id follower line

  # shellcheck disable=SC2016
  id=$(create_process '{"argv": ["sh", "-c", "echo before; exec >&- 2>&-; read line; echo after; exit 7"], "stdin": "pipe"}')
  mkfifo "$BATS_TEST_TMPDIR/followed"
  api GET "/v1/processes/$id/logs?follow=1" --no-buffer >"$BATS_TEST_TMPDIR/followed" &
  exec {follower}<"$BATS_TEST_TMPDIR/followed"
  read -r -t "$PATIENCE_S" line <&"$follower"
  assert_equal "$line $(field "$id" .state)" 'before started'
  release "$id"
  assert_equal "$(timeout "$PATIENCE_S" cat <&"$follower")" ''
  wait $!
  exec {follower}<&-
  assert_equal "$(exitcode_of "$id") $(field "$id" .stdout_bytes)" '7 7'
}

@test "files: a child that truncates its log while creched is down is read from its new beginning" {
  local id fifo=$BATS_TEST_TMPDIR/fifo

  mkfifo "$fifo.1" "$fifo.2"
  start_creche
  # shellcheck disable=SC2016
  id=$(start_process sh -c 'echo before; read line <$0.1; : >/dev/stdout; echo after; read line <$0.2; exit 7' "$fifo")
  assert_equal "$(api GET "/v1/processes/$id/logs?follow=1&limit=6")" before
  kill -STOP "$CRECHE_MAIN"
  kill_dead "$(daemon_pid)"
  timeout "$PATIENCE_S" sh -c 'echo >$0.1; echo >$0.2' "$fifo"
  kill -CONT "$CRECHE_MAIN"
  assert_equal "$(exitcode_of "$id") $(api GET "/v1/processes/$id/logs")" '7 after'
}

# ---------------------------------------------------------------------------------------- orphans

reaped_orphans_are() { # AT LEAST
  (($(grep -c event=orphan.reaped "$CRECHE_DIR/stderr") >= $1))
}

@test "orphans: 200 double-forked ones end, and no zombie of them stays with creche-init or creched" {
  local id method

  for method in "${METHODS[@]}"; do
    start_creche --log-level debug
    # The parents of the sleepers are gone when they end.
    id=$(create_process "{\"argv\": [\"sh\", \"-c\", \"i=0; while [ \$i -lt 200 ]; do (sleep 0.5 &); i=\$((i + 1)); done; exit 7\"],
      \"start_method\": \"$method\"}")
    assert_equal "$method $(exitcode_of "$id")" "$method 7"
    wait_until reaped_orphans_are 200
    wait_until zombies_are "$CRECHE_MAIN" ''
    wait_until zombies_are "$(daemon_pid)" ''
    stop_creche
  done
}

health_is() { # ok|degraded
  [[ $(api GET /v1/info | jq -r .health) == "$1" ]]
}

@test "orphans: a zombie that cannot be recorded does not hold up the orphans behind it" {
  local parent victim pid locker fifo=$BATS_TEST_TMPDIR/fifo

  mkfifo "$fifo"
  start_creche --log-level debug
  victim=$(create_process '{"argv": ["sleep", "1000"], "stdout": "null", "stderr": "null"}')
  # shellcheck disable=SC2016
  parent=$(create_process "$(jq -cn --arg fifo "$fifo" '{stdout: "null", stderr: "null", argv: ["sh", "-c",
    "read line <$0; i=0; while [ $i -lt 50 ]; do (sleep 0.3 &); i=$((i + 1)); done; exec sleep 1000", $fifo]}')")
  pid=$(field "$victim" .pid)
  kill_daemon # both are creche-init's children now
  coproc LOCKER { sqlite3 "$CRECHE_STATE/registry.db" 3>&-; }
  # shellcheck disable=SC2153
  locker=$LOCKER_PID
  printf '.timeout 10000\nBEGIN IMMEDIATE;\nSELECT 1;\n' >&"${LOCKER[1]}"
  read -r -t "$PATIENCE_S" _ <&"${LOCKER[0]}"
  kill_dead "$pid"
  wait_until health_is degraded

  echo go >"$fifo"
  wait_until reaped_orphans_are 50
  wait_until zombies_are "$CRECHE_MAIN" "$pid"

  printf 'COMMIT;\n' >&"${LOCKER[1]}"
  eval "exec ${LOCKER[1]}>&-"
  wait "$locker"
  assert_equal "$(exitcode_of "$victim")" -9
  wait_until zombies_are "$CRECHE_MAIN" ''
  api POST "/v1/processes/$parent/kill" '{"tree": true}' >/dev/null
  stop_creche
}
