#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The file of the unix socket is removed, by whoever cleans up where the socket lies.

load ../api/helper

setup_file() { :; }

serves() {
  [[ $(MAX_TIME=5 http_code GET /v1/info 2>/dev/null) == 200 ]]
}

@test "the socket's file is removed: it is there again, with all who knew it by name" {
  local daemon

  start_creche
  daemon=$(daemon_pid)
  rm "$CRECHE_SOCKET"
  wait_until serves
  assert_equal "$(daemon_pid)" "$daemon"
  assert_equal "$(stat -c %a "$CRECHE_SOCKET")" 600
  mv "$CRECHE_SOCKET" "$BATS_TEST_TMPDIR/"
  wait_until serves
  kill_daemon
  rm "$CRECHE_SOCKET"
  wait_until serves
}

@test "the socket's file is removed while creched is down: the next one makes it anew" {
  local daemon

  start_creche
  daemon=$(daemon_pid)
  kill -STOP "$CRECHE_MAIN"
  kill_dead "$daemon"
  rm "$CRECHE_SOCKET"
  kill -CONT "$CRECHE_MAIN"
  wait_until serves
}

@test "no name of the socket is left behind, and one that a SIGKILL has left is in nobody's way" {
  start_creche
  kill_all
  start_creche_in "$CRECHE_DIR"
  rm "$CRECHE_SOCKET"
  wait_until serves
  stop_creche
  assert_equal "$(find "$CRECHE_DIR" -name 's*' -type s)" ''
}

@test "a file that somebody puts in the place of the socket is left alone" {
  start_creche
  rm "$CRECHE_SOCKET.keep"
  mv "$CRECHE_SOCKET" "$BATS_TEST_TMPDIR/moved"
  wait_until grep -q event=socket.lost "$CRECHE_DIR/stderr"
  echo theirs >"$CRECHE_SOCKET"
  CRECHE_SOCKET=$BATS_TEST_TMPDIR/moved kill_daemon
  assert_equal "$(cat "$CRECHE_SOCKET")" theirs
}
