#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# creched tells the service manager how it is. tests/api/notify.py stands for systemd.

load helper

setup_file() { :; }
teardown_file() { :; }

teardown() {
  [[ -z ${MANAGER:-} ]] || exec {MANAGER}>&-
  creche_teardown
}

# A manager at ADDRESS, until the test ends; what it hears goes to $HEARD.
manage() { # ADDRESS
  HEARD=$BATS_TEST_TMPDIR/heard
  mkfifo "$BATS_TEST_TMPDIR/"{end,begun}
  "$BATS_TEST_DIRNAME/notify.py" "$1" "$HEARD" <"$BATS_TEST_TMPDIR/end" >"$BATS_TEST_TMPDIR/begun" 3>&- &
  exec {MANAGER}>"$BATS_TEST_TMPDIR/end"
  read -r -t "$PATIENCE_S" <"$BATS_TEST_TMPDIR/begun"
  export NOTIFY_SOCKET=$1
}

# creched as the main process of a service with a watchdog of MICROSECONDS: the pid stays that of creche-init.
start_watched() { # MICROSECONDS
  mkdir "$BATS_TEST_TMPDIR/bin"
  cat >"$BATS_TEST_TMPDIR/bin/creched" <<SH
#!/bin/sh
WATCHDOG_USEC=$1 WATCHDOG_PID=\$\$ exec "$BUILD/creched" "\$@"
SH
  chmod +x "$BATS_TEST_TMPDIR/bin/creched"
  BUILD=$BATS_TEST_TMPDIR/bin start_creche
}

heard() { grep -qE "$1" "$HEARD"; }
times_heard() { grep -cE "$1" "$HEARD" || :; }
heard_more_often() { (($(times_heard "$1") > $2)); } # REGEX TIMES

@test "the manager is told when Creche is ready, where it serves, and when it stops" {
  manage "$BATS_TEST_TMPDIR/notify"
  start_creche --stop-timeout 5
  wait_until heard "^READY=1 STATUS=Serves unix:$CRECHE_SOCKET and http://127.0.0.1:"
  assert_equal "$(times_heard 'STOPPING|WATCHDOG|MAINPID')" 0
  stop_creche
  wait_until heard '^STOPPING=1'
  assert_equal "$(times_heard '^EXTEND_TIMEOUT_USEC=35000000$')" 1
  assert_equal "$(times_heard 'READY|STOPPING')" 2
}

@test "a manager is found by an abstract name" {
  manage "@creche-$BATS_TEST_TMPDIR"
  start_creche
  wait_until heard '^READY=1'
}

@test "a manager that is not there keeps nobody from serving" {
  NOTIFY_SOCKET=$BATS_TEST_TMPDIR/nobody start_creche
  assert_equal "$(http_code GET /readyz)" 200
  stop_creche
}

@test "an upgrade is a reload, which ends when the next program serves" {
  manage "$BATS_TEST_TMPDIR/notify"
  start_creche
  wait_until heard '^READY=1'
  kill -HUP "$CRECHE_MAIN"
  wait_until heard_more_often '^READY=1' 1
  assert_equal "$(grep -oE '^(READY|RELOADING)' "$HEARD" | tr '\n' ' ')" 'READY RELOADING READY '
  assert_match "$(grep RELOADING "$HEARD")" ' MONOTONIC_USEC=[0-9]+$'
}

@test "a creched that follows one that was killed says that it serves" {
  manage "$BATS_TEST_TMPDIR/notify"
  start_creche
  wait_until heard '^READY=1'
  kill_daemon
  wait_until heard_more_often '^READY=1' 1
  assert_equal "$(times_heard 'RELOADING|STOPPING')" 0
}

@test "no process that is started learns of the manager" {
  manage "$BATS_TEST_TMPDIR/notify"
  start_watched 60000000
  for method in "${METHODS[@]}"; do
    id=$(create_process "{\"argv\": [\"env\"], \"start_method\": \"$method\"}")
    assert_equal "$(output_of "$id" | grep -E 'NOTIFY|WATCHDOG')" ''
  done
}

@test "the watchdog is fed for as long as Creche serves, after an upgrade and a kill, too" {
  manage "$BATS_TEST_TMPDIR/notify"
  start_watched 400000
  wait_until heard_more_often '^WATCHDOG=1$' 2
  kill -HUP "$CRECHE_MAIN"
  wait_until heard_more_often '^READY=1' 1
  wait_until heard_more_often '^WATCHDOG=1$' "$(times_heard '^WATCHDOG=1$')"
  kill_daemon
  wait_until heard_more_often '^READY=1' 2
  wait_until heard_more_often '^WATCHDOG=1$' "$(times_heard '^WATCHDOG=1$')"
}

@test "the watchdog is fed while Creche waits for its processes to end" {
  manage "$BATS_TEST_TMPDIR/notify"
  start_watched 400000
  id=$(start_blocked)
  kill -TERM "$CRECHE_MAIN"
  wait_until heard '^STOPPING=1'
  wait_until heard_more_often '^WATCHDOG=1$' "$(($(times_heard '^WATCHDOG=1$') + 1))"
  release "$id"
  _wait_end "$CRECHE_DIR" "$PATIENCE_S"
}

@test "a watchdog that waits for another process is not fed" {
  manage "$BATS_TEST_TMPDIR/notify"
  WATCHDOG_USEC=100000 WATCHDOG_PID=1 start_creche
  for _ in 1 2 3; do ended; done
  sleep 0.5
  assert_equal "$(times_heard WATCHDOG)" 0
}

@test "a writer that stands still does not feed the watchdog" {
  manage "$BATS_TEST_TMPDIR/notify"
  start_watched 400000
  wait_until heard '^WATCHDOG=1$'
  # Another program holds the lock of the database, and the writer waits for it: five seconds, then the job fails.
  coproc LOCKER { sqlite3 "$CRECHE_STATE/registry.db"; }
  printf '%s\n' '.timeout 5000' 'BEGIN IMMEDIATE;' 'SELECT 1;' >&"${LOCKER[1]}"
  read -r -t "$PATIENCE_S" <&"${LOCKER[0]}"
  # What was answered before that may still be on its way; from then on there is nothing for twenty looks.
  before=$(times_heard '^WATCHDOG=1$')
  sleep 2
  (($(times_heard '^WATCHDOG=1$') <= before + 2))
  before=$(times_heard '^WATCHDOG=1$')
  echo 'ROLLBACK;' >&"${LOCKER[1]}"
  wait_until heard_more_often '^WATCHDOG=1$' "$before"
}

@test "the watchdog is fed while the state directory cannot be used" {
  manage "$BATS_TEST_TMPDIR/notify"
  start_watched 60000000
  mv "$CRECHE_STATE/registry.db" "$CRECHE_STATE/elsewhere"
  kill -KILL "$(daemon_pid)"
  wait_until heard '^READY=1 STATUS=The state directory cannot be used'
  wait_until heard_more_often '^EXTEND_TIMEOUT_USEC=60000000 WATCHDOG=1$' 3
  mv "$CRECHE_STATE/elsewhere" "$CRECHE_STATE/registry.db"
  wait_until heard_more_often '^READY=1 STATUS=Serves' 1
}
