#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Clients that hold on, push in or let go: each limit holds, an operator is served all the time, and who keeps to the
# rules does not notice. Each test has a server of its own, with limits that are soon reached.
# runs alone

load helper

setup_file() { :; }

# Starts a server, and a process ID that reads until its stdin ends.
begin() { # OPTION...
  start_creche "$@"
  ID=$(create_process '{"argv": ["sh", "-c", "cat >/dev/null; exit 5"], "stdin": "pipe"}')
  DAEMON=$(daemon_pid)
}

# The same creched lives, nothing was started, and the process has noticed nothing.
siege_only() { # NAME [ARGUMENT...]
  python3 "$HERE/siege.py" "$@" >&2
  assert_equal "$(daemon_pid)" "$DAEMON"
}

siege() { # NAME [ARGUMENT...]
  siege_only "$@"
  assert_equal "$(sql 'SELECT count(*) FROM process')" 1
  assert_equal "$(field "$ID" .state)" started
  api PUT "/v1/processes/$ID/stdin?eof=1"
  assert_equal "$(exitcode_of "$ID")" 5
}

@test "a head that comes slowly gets 408 when its time is over, however many bytes come" {
  begin --header-timeout 0.5
  siege slow_heads
}

@test "a body that comes slowly gets 408 when its time is over, however many bytes come" {
  begin --body-timeout 0.5
  siege slow_bodies
}

@test "what is streamed may take its time, but not stop" {
  begin --stream-timeout 1
  siege slow_stream "$ID"
}

@test "who sends no more gets his answer, and half a request does nothing" {
  begin
  siege halves "$ID"
}

@test "who breaks off, at any byte, changes nothing and leaves no file open" {
  local before

  begin
  before=$(files_of "$DAEMON")
  python3 "$HERE/siege.py" resets "$ID" >&2
  wait_until files_are_at_most "$((before + 1))"
  siege halves "$ID"
}

files_of() { # PID
  find "/proc/$1/fd" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l
}

files_are_at_most() { # N
  (($(files_of "$DAEMON") <= $1))
}

@test "a thousand requests at once are answered in their order" {
  begin
  siege pipelines
}

@test "behind an answer to HEAD comes nothing that is not the next answer" {
  begin
  siege heads "$ID"
}

@test "who asks for much and reads nothing keeps nobody waiting" {
  begin
  siege deaf
}

@test "one client gets no more than his connections" {
  begin --max-peer-connections 20
  if ((EUID == 0)); then
    chmod a+x "$BATS_RUN_TMPDIR" "${BATS_FILE_TMPDIR%/*}" "$BATS_FILE_TMPDIR" "$CRECHE_DIR"
    chmod 666 "$CRECHE_SOCKET"
  fi
  siege too_many_of_one 20
}

@test "one caller waits for no more than he may" {
  begin --max-caller-parked 4
  siege too_many_waiting "$ID" 4 429
}

@test "all callers together wait for no more than they may" {
  begin --max-parked 5
  siege too_many_waiting "$ID" 5 503
}

@test "those who wait never have all connections" {
  begin --max-connections 16
  assert_equal "$(api GET /v1/info | jq .limits.parked)" 12
  siege too_many_waiting "$ID" 12 503
}

@test "bodies together take no more memory than they may, and none of the part of the unix socket" {
  begin --max-bodies 10000
  siege too_many_bodies 10000
}

@test "an operator is served at once while others take all connections, by TCP or beside him" {
  begin --max-connections 64
  siege operator_first 300 "$ID"
}

@test "an operator is served while others beside him stream, follow, bring bodies or read nothing on all connections" {
  local kind

  begin --max-connections 32
  for kind in stdins events bodies unread; do
    siege_only operator_beside 48 "$ID" "$kind"
  done
}

@test "a body is memory until it has been read: who joins with a large one holds none" {
  begin --max-bodies 20000
  siege joins_with_bodies "$ID" 20000
}

@test "who comes with a token leaves a quarter of places and bodies to operators, on the unix socket, too" {
  begin --max-parked 8 --max-bodies 20000
  siege modest_tokens "$ID" 8 20000 "$(api POST /v1/tokens '{"name": "t", "scopes": ["read", "start"]}' | jq -r .token)"
}

@test "large documents are unpacked once, not for each stranger who reads nothing" {
  local before after

  [[ ! $BUILD =~ (asan|tsan|ubsan|coverage) ]] || skip 'the memory of a sanitizer is not the server'\''s'
  begin
  before=$(awk '/^VmRSS/ { print $2 }' "/proc/$DAEMON/status")
  after=$(DAEMON=$DAEMON python3 "$HERE/siege.py" unread_documents 100)
  ((after - before < 32768)) || fail "$before kB, then $after kB"
}

@test "a long list has pages, and many who do not read theirs are not given all of it" {
  begin --max-bodies 1048576
  siege_only unread_lists 20
}

@test "clients by TCP, with a log or a stdin each, leave files to start a process with" {
  begin
  prlimit --pid "$DAEMON" --nofile=300:
  siege_only files_for_operator "$ID" 400
}

@test "an operator is served at once while clients by TCP take all files" {
  begin
  prlimit --pid "$DAEMON" --nofile=300:
  siege tcp_crowd 400 "$ID"
}

@test "each limit is an option, refuses what it cannot be, and is told by info" {
  local option

  begin --header-timeout 1.5 --body-timeout 2.5 --stream-timeout 3.5 --max-header 2048 --max-body 4096 --max-bodies 8192 \
    --max-connections 100 --max-peer-connections 50 --max-parked 40 --max-caller-parked 30
  assert_equal "$(api GET /v1/info | jq -c '.limits | [.header_s, .body_s, .stream_idle_s, .header_bytes, .body_bytes, .bodies_bytes,
    .connections, .peer_connections, .parked, .caller_parked]')" '[1.5,2.5,3.5,2048,4096,8192,100,50,40,30]'
  for option in header-timeout=0 body-timeout=-1 stream-timeout=x max-header=1023 max-body=0x1000 max-bodies= max-connections=15 \
    max-peer-connections=0 max-parked=-1 max-caller-parked=99999999999999999999; do
    run "$BUILD/creched" "--${option%%=*}" "${option#*=}" --state-dir "$BATS_TEST_TMPDIR" --socket "$BATS_TEST_TMPDIR/s"
    assert_equal "$option $status" "$option 2"
    assert_match "$("$BUILD/creched" --help)" "--${option%%=*} "
  done
  assert_equal "$(http_code POST /v1/processes "{\"argv\": [\"$(printf '%5000s' x)\"]}")" 413
  assert_equal "$(http_code GET /v1/info '' --header "X: $(printf '%3000s' x)x")" 431
}
