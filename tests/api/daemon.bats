#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# How creched is started, and what is around it.

load helper

# Runs creched with options that it must refuse; sets STATUS and SAID.
refused() { # OPTION...
  STATUS=0
  SAID=$(timeout "$PATIENCE_S" "$BUILD/creched" --state-dir "$BATS_TEST_TMPDIR/state" --socket "$BATS_TEST_TMPDIR/s" \
    "$@" 2>&1) || STATUS=$?
}

@test "options: an address that is none is refused with status 2" {
  local address

  for address in x :80 127.0.0.1 127.0.0.1:99999 127.0.0.1:-1 127.0.0.1:0x1 '[::1' '[::1]' ::1:80; do
    refused --listen "$address"
    assert_equal "$address $STATUS" "$address 2"
  done
}

@test "options: what is wrong is said, with where to look" {
  refused --no-such-option
  assert_match "$STATUS $SAID" '^2 .*no-such-option.*--help'
  refused --log-budget 17
  assert_match "$STATUS $SAID" '^2 .*log-budget'
  CRECHE_LOG_LEVEL=loud refused
  assert_match "$STATUS $SAID" '^2 .*CRECHE_LOG_LEVEL'
}

@test "options: a socket in a folder that others can change is refused" {
  mkdir "$BATS_TEST_TMPDIR/open" && chmod 0777 "$BATS_TEST_TMPDIR/open"
  refused --socket "$BATS_TEST_TMPDIR/open/s"
  assert_match "$STATUS $SAID" '^1 .*others can change'
}

@test "stderr: who stops reading it stops nothing" {
  local fifo=$BATS_TEST_TMPDIR/stderr line main reader i

  mkfifo "$fifo"
  # shellcheck disable=SC2217
  sleep 1000 <"$fifo" & # it holds the fifo open and never reads
  reader=$!
  CRECHE_SOCKET=$BATS_TEST_TMPDIR/s
  exec {line}< <(exec env --default-signal=INT "$BUILD/creched" --state-dir "$BATS_TEST_TMPDIR/state" \
    --socket "$CRECHE_SOCKET" --listen none 2>"$fifo")
  main=$!
  read -r -t "$PATIENCE_S" -u "$line"

  for i in {1..600}; do
    echo 'POST /v1/processes {"argv": ["true"]}'
  done | api_many 8 >/dev/null
  assert_equal "$(api GET /v1/info | jq '[.counts[]] | add')" 600
  kill -TERM "$main"
  wait_until is_gone "$main"
  kill "$reader"
}

is_gone() { # PID
  ! kill -0 "$1" 2>/dev/null
}

@test "children: have the limit on open files that creched was started with" {
  (
    ulimit -Sn 300
    start_creche
    assert_equal "$(output_of "$(start_process sh -c 'ulimit -Sn')")" 300
    stop_creche
  )
}

# How often the threads of a process have been given a processor so far.
switches_of() { # PID
  cat "/proc/$1/task"/*/status | awk '/ctxt_switches/ { n += $2 } END { print n }'
}

slept_two_seconds() { # PID
  local before

  before=$(switches_of "$1") || return
  sleep 2
  [[ $(switches_of "$1") == "$before" ]]
}

@test "idle: no thread wakes up while nothing happens, with children and with a client who is quiet" {
  [[ ! $BUILD =~ tsan ]] || skip 'a thread of the sanitizer wakes up'
  start_creche
  create_process '{"argv": ["sleep", "1000"]}' >/dev/null
  wait_until slept_two_seconds "$(daemon_pid)"
  python3 -c '
import http.client, signal, socket, sys
c = http.client.HTTPConnection("creche")
c.sock = socket.socket(socket.AF_UNIX)
c.sock.connect(sys.argv[1])
c.request("GET", "/v1/health")
print(c.getresponse().read() and "served", flush=True)
signal.pause()' "$CRECHE_SOCKET" >"$BATS_TEST_TMPDIR/served" 3>&- &
  wait_until test -s "$BATS_TEST_TMPDIR/served"
  wait_until slept_two_seconds "$(daemon_pid)"
  kill $!
}
