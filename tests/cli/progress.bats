#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# How far it has got: on a terminal, while it lasts, and nowhere else.

load cli

teardown() {
  if [[ -S $BATS_TEST_TMPDIR/s ]]; then
    creche stop --kill --socket "$BATS_TEST_TMPDIR/s" || cat "$BATS_TEST_TMPDIR/state.log"
  fi
  creche_teardown
}

# Processes with the label @1 that last for so many seconds.
last() { # LABEL SECONDS...
  local seconds

  for seconds in "${@:2}"; do
    creche run -l "$1=" -- sleep "$seconds" >/dev/null
  done
}

# What was drawn in the place of a line, one draft each.
drafts() { tr '\r' '\n' | sed -n 's/^\x1b\[K\(.* of .* \.\.\.\)$/\1/p'; }

@test "join of several says how many have ended, and takes that back" {
  local shown

  last joined 0.1 2 2.5
  shown=$(on_terminal 80 "$BUILD/creche" join -l joined)
  assert_match "$(drafts <<<"$shown")" $'joined [01] of 3 \.\.\.'
  # What follows the last draft begins on an empty line.
  assert_match "$(tr '\r' '\n' <<<"$shown" | sed '1,/3 \.\.\.$/d' | cat -v)" '^\^\[\[K'
}

@test "on a terminal, too, join exits with the code of the first that was named, and keeps the order" {
  local slow fast status=0

  slow=$(creche run -n slow -- sh -c 'sleep 2.2; exit 4')
  fast=$(creche run -n fast -- sh -c 'exit 5')
  on_terminal 80 "$BUILD/creche" join "$slow" "$fast" >"$BATS_TEST_TMPDIR/shown" || status=$?
  assert_equal "$status" 4
  assert_equal "$(grep -o '[a-z]* ([0-9]*): exited with [45]' "$BATS_TEST_TMPDIR/shown")" \
    "slow ($slow): exited with 4"$'\n'"fast ($fast): exited with 5"
}

@test "on a terminal, too, a join whose time is over is 124, and says how many are left" {
  local status=0 out

  last left 0.1 60
  out=$(on_terminal 80 "$BUILD/creche" join --timeout 2.5 -l left) || status=$?
  creche kill -l left
  assert_equal "$status" 124
  assert_match "$out" '1 process is still running'
}

@test "terminate --wait and kill --wait say how many have ended" {
  local id

  id=$(creche run -- sh -c 'trap "sleep 2; exit" TERM; echo ready; while :; do sleep 0.05; done')
  wait_until logged "$id" ready
  assert_match "$(on_terminal 80 "$BUILD/creche" terminate --wait "$id" | drafts)" 'ended 0 of 1 \.\.\.'
}

logged() { # ID TEXT
  [[ $(creche logs "$1") == *"$2"* ]]
}

@test "on a pipe there is no such line, with --quiet neither, nor on a terminal that can do nothing" {
  local id

  last silent 1.2
  creche_status join -l silent
  assert_equal "$STATUS $ERR" '0 '
  last quiet 1.2
  assert_equal "$(on_terminal 80 "$BUILD/creche" join -q -l quiet | drafts)" ''
  last dumb 1.2
  assert_equal "$(on_terminal 80 env TERM=dumb "$BUILD/creche" join -l dumb | drafts)" ''
  id=$(creche run -- sh -c 'trap "sleep 1.2; exit" TERM; echo ready; while :; do sleep 0.05; done')
  wait_until logged "$id" ready
  assert_equal "$(on_terminal 80 "$BUILD/creche" terminate -q --wait "$id" | drafts)" ''
}

@test "terminate --wait signals all before it waits for any" {
  local first second status=0

  # The newest comes first, and ends when the other one has been told.
  # shellcheck disable=SC2016
  first=$(creche run -l pair= -- sh -c 'trap "touch $0; exit" TERM; echo ready; while :; do sleep 0.05; done' \
    "$BATS_TEST_TMPDIR/told")
  # shellcheck disable=SC2016
  second=$(creche run -l pair= -- sh -c 'trap "" TERM; echo ready; until [ -e "$0" ]; do sleep 0.05; done' \
    "$BATS_TEST_TMPDIR/told")
  wait_until logged "$first" ready
  wait_until logged "$second" ready
  creche_status terminate --wait -l pair
  assert_equal "$STATUS" 0
}

@test "stop says how many processes have ended meanwhile" {
  local out

  export CRECHE_STATE_DIR=$BATS_TEST_TMPDIR/state CRECHE_SOCKET=$BATS_TEST_TMPDIR/s CRECHE_LISTEN=none CRECHE_USER=none
  creche serve -d
  last stopped 3
  out=$(on_terminal 80 "$BUILD/creche" stop)
  assert_match "$(drafts <<<"$out")" 'ended 0 of 1 \.\.\.'
  assert_match "$out" 'the daemon has stopped'
}
