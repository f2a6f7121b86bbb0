#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The first five minutes, with nothing but what the program prints.

load cli

setup_file() { :; }
teardown_file() { :; }

setup() {
  # As for somebody who has nothing: no configuration, an empty home.
  unset CRECHE_URL CRECHE_TOKEN
  AS=()
  D=$(mktemp -d "$BATS_TEST_TMPDIR/XXXX")
  export HOME=$D CRECHE_STATE_DIR=$D/state CRECHE_SOCKET=$D/s CRECHE_LISTEN=none CRECHE_USER=none
  LOG=$D/state.log
}

teardown() {
  if [[ -S $CRECHE_SOCKET ]]; then
    creche stop --kill --timeout 10 || cat "$LOG"
  fi
  [[ $D != /tmp/creche-* ]] || rm -rf "$D"
}

creche() { timeout --foreground 50 "${AS[@]}" "$BUILD/creche" "$@"; }

# Everything where it is by default, and nothing of it root's. Whoever runs the tests may have closed their folders.
be_nobody() {
  local user=65534

  [[ $(id -u) == 0 ]] || user=$(id -u)
  [[ $(id -u) != 0 ]] || AS=(setpriv --reuid "$user" --regid "$user" --clear-groups)
  D=$(mktemp -d /tmp/creche-first.XXXXXX)
  mkdir -m 0700 "$D/home" "$D/run"
  mkdir "$D/bin"
  cp "$BUILD"/creche{,d,-init} "$D/bin"
  chown "$user" "$D/home" "$D/run"
  chmod 0755 "$D"
  unset CRECHE_STATE_DIR CRECHE_USER
  export HOME=$D/home XDG_RUNTIME_DIR=$D/run CRECHE_SOCKET=$D/run/creche/creche.sock BUILD=$D/bin
  LOG=$D/home/.local/state/creche.log
  cd "$D" || return
}

# From no daemon to a daemon that has stopped.
first_session() {
  local id daemon main

  creche_status ps
  assert_equal "$STATUS" 3
  assert_match "$ERR" "no daemon: there is no socket $CRECHE_SOCKET"
  assert_hint 'creche serve -d'

  creche_status serve -d
  assert_equal "$STATUS" 0
  assert_match "$ERR" "serves on unix:$CRECHE_SOCKET"
  assert_match "$ERR" "log is $LOG"

  creche_status run --name hello -- sh -c 'echo hi; exit 3'
  assert_equal "$STATUS $OUT" '0 1'
  creche_status ps
  assert_match "$OUT" '1 +hello '

  creche_status join hello
  assert_equal "$STATUS" 3
  assert_equal "$(creche logs hello)" hi

  creche_status run --follow -- sh -c 'echo out; echo err >&2; exit 5'
  assert_equal "$STATUS $OUT $ERR" '5 out err'

  id=$(creche run --name sleeper -- sleep 1000)
  creche terminate --wait sleeper
  assert_match "$(creche show sleeper)" 'killed by SIGTERM'
  creche_status join "$id"
  assert_equal "$STATUS" 143

  daemon=$(creche info -o json | jq .pid)
  main=$(creche info -o json | jq .init_pid)
  kill -KILL "$daemon"
  creche_status ps --columns id,name,exitcode --sort id
  assert_equal "$(tr -s ' ' <<<"$OUT")" "$(printf 'ID NAME EXITCODE\n 1 hello 3\n 2 Process-2 5\n 3 sleeper -15')"
  [[ $(creche info -o json | jq .pid) != "$daemon" ]]

  assert_equal "$(curl -s --unix-socket "$CRECHE_SOCKET" http://creche/v1/processes/1 | jq .exitcode)" 3

  creche_status stop
  assert_equal "$STATUS" 0
  is_zombie_or_gone "$main"
  creche_status ps
  assert_equal "$STATUS" 3
}

@test "the first session does what it says, from no daemon to one that has stopped" {
  first_session
}

@test "the first session is the same for who is not root, with everything where it is by default" {
  be_nobody
  first_session
  [[ $(stat -c %u "$D/home/.local/state/creche") != 0 ]]
}
