#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What a process wrote: read from an offset, from the end, and while it is being written.

# helper.bash sets STATUS and BODY.
# shellcheck disable=SC2153
load helper

# Prints the id of a process that has ended and wrote @TEXT.
wrote() { # TEXT
  local id

  id=$(start_process printf %s "$1") && exitcode_of "$id" >/dev/null && printf '%s\n' "$id"
}

logs() { # ID [QUERY]
  api GET "/v1/processes/$1/logs${2:+?$2}"
}

# ----------------------------------------------------------------------------------------- a part

@test "offset and limit: give just these bytes, and Creche-Log-Offset says which" {
  local id query offset expected

  id=$(wrote 0123456789)
  while read -r query offset expected; do
    api_status GET "/v1/processes/$id/logs?$query" >/dev/null
    assert_equal "$query: $STATUS $(response_header creche-log-offset) $BODY" "$query: 200 $offset $expected"
  done <<'EOF'
offset=0 0 0123456789
offset=3 3 3456789
offset=3&limit=4 3 3456
limit=1 0 0
offset=9&limit=100 9 9
offset=10 10
EOF
  assert_match "$(response_header content-type)" '^text/plain'
}

@test "tail: the last lines, a line without its end too" {
  local id

  id=$(wrote $'one\ntwo\n\nfour')
  assert_equal "$(logs "$id" tail=1)" four
  assert_equal "$(logs "$id" tail=2)" $'\nfour'
  assert_equal "$(logs "$id" tail=100)" $'one\ntwo\n\nfour'
  assert_equal "$(logs "$id" tail=0)" ''
  id=$(wrote $'one\ntwo\n')
  assert_equal "$(logs "$id" tail=1)" two
  api_status GET "/v1/processes/$id/logs?tail=1" >/dev/null
  assert_equal "$(response_header creche-log-offset)" 4
}

@test "tail: over many blocks of the file" {
  local id

  id=$(start_process seq 100000)
  exitcode_of "$id" >/dev/null
  assert_equal "$(logs "$id" tail=50000 | cksum)" "$(seq 50001 100000 | cksum)"
  assert_equal "$(logs "$id" tail=1)" 100000
}

@test "bytes: arrive as they were written, whatever they are" {
  local id file=$BATS_TEST_TMPDIR/bytes

  head -c 3000000 /dev/urandom >"$file"
  id=$(start_process cat "$file")
  exitcode_of "$id" >/dev/null
  assert_equal "$(logs "$id" | cksum)" "$(cksum <"$file")"
  assert_equal "$(logs "$id" 'offset=1000000&limit=1000000' | cksum)" "$(head -c 2000000 "$file" | tail -c 1000000 | cksum)"
  assert_equal "$(api GET "/v1/processes/$id/logs" --compressed | cksum)" "$(cksum <"$file")"
  assert_equal "$(field "$id" .stdout_bytes)" 3000000
}

@test "streams: stdout unless stderr is asked for; with stderr=stdout all is in stdout" {
  local id

  id=$(start_process sh -c 'echo out; echo err >&2')
  exitcode_of "$id" >/dev/null
  assert_equal "$(logs "$id") $(logs "$id" stream=stdout) $(logs "$id" stream=stderr)" 'out out err'

  id=$(create_process '{"argv": ["sh", "-c", "echo out; echo err >&2; echo out"], "stderr": "stdout"}')
  exitcode_of "$id" >/dev/null
  assert_equal "$(logs "$id" | xargs)" 'out err out'
  api_status GET "/v1/processes/$id/logs?stream=stderr" >/dev/null
  assert_problem 404 no_log
}

@test "no log: of what goes nowhere, and of what was not started" {
  local id

  id=$(create_process '{"argv": ["true"], "stdout": "null"}')
  api_status GET "/v1/processes/$id/logs" >/dev/null
  assert_problem 404 no_log
  id=$(create_process '{"argv": ["true"], "start": false}')
  api_status GET "/v1/processes/$id/logs" >/dev/null
  assert_problem 404 no_log
  api_status GET "/v1/processes/4711000/logs" >/dev/null
  assert_problem 404 not_found
}

# ----------------------------------------------------------------------------------------- follow

@test "follow: gives each line as it is written, and ends with the process" {
  local id line follower i

  id=$(create_process '{"argv": ["sh", "-c", "echo one; while read line; do echo got $line; done; printf end"], "stdin": "pipe"}')
  mkfifo "$BATS_TEST_TMPDIR/followed"
  api GET "/v1/processes/$id/logs?follow=1" --no-buffer >"$BATS_TEST_TMPDIR/followed" &
  exec {follower}<"$BATS_TEST_TMPDIR/followed"

  read -r -t "$PATIENCE_S" line <&"$follower"
  assert_equal "$line" one
  for i in 1 2 3; do
    api PUT "/v1/processes/$id/stdin" --header 'Content-Type: application/octet-stream' --data-binary "$i"$'\n'
    read -r -t "$PATIENCE_S" line <&"$follower"
    assert_equal "$line" "got $i"
  done
  assert_equal "$(field "$id" .state)" started

  api PUT "/v1/processes/$id/stdin?eof=1" --header 'Content-Type: application/octet-stream' --data-binary ''
  assert_equal "$(timeout "$PATIENCE_S" cat <&"$follower")" end
  wait $!
  exec {follower}<&-
}

@test "follow: from an offset, from the last lines, and no more than limit" {
  local id

  id=$(wrote $'one\ntwo\nthree\n')
  assert_equal "$(logs "$id" 'follow=1&offset=4')" $'two\nthree'
  assert_equal "$(logs "$id" 'follow=1&tail=1')" three
  assert_equal "$(logs "$id" 'follow=1&limit=3')" one
  id=$(create_process '{"argv": ["sh", "-c", "echo one two; exec sleep 1000"]}')
  assert_equal "$(logs "$id" 'follow=1&limit=3')" one
}

@test "follow: of a process that was killed gives all it wrote" {
  local id line follower

  id=$(start_process sh -c 'echo one; exec sleep 1000')
  mkfifo "$BATS_TEST_TMPDIR/followed"
  api GET "/v1/processes/$id/logs?follow=1" --no-buffer >"$BATS_TEST_TMPDIR/followed" &
  exec {follower}<"$BATS_TEST_TMPDIR/followed"
  read -r -t "$PATIENCE_S" line <&"$follower"
  kill -KILL "$(field "$id" .pid)"
  assert_equal "$line$(timeout "$PATIENCE_S" cat <&"$follower")" one
  wait $!
  exec {follower}<&-
}

@test "follow: many followers get the same" {
  local id i followers=()

  id=$(create_process '{"argv": ["sh", "-c", "read go; seq 20000"], "stdin": "pipe"}')
  for i in 1 2 3 4 5; do
    logs "$id" follow=1 | cksum >"$BATS_TEST_TMPDIR/sum.$i" &
    followers+=($!)
  done
  release "$id"
  wait "${followers[@]}"
  assert_equal "$(sort -u "$BATS_TEST_TMPDIR"/sum.*)" "$(seq 20000 | cksum)"
}

@test "follow: is cut off when the daemon is killed, so the client can tell, and goes on from its offset" {
  local id got follower

  start_creche
  id=$(create_process '{"argv": ["sh", "-c", "echo one; read line; echo two"], "stdin": "pipe"}')
  mkfifo "$BATS_TEST_TMPDIR/followed"
  { api GET "/v1/processes/$id/logs?follow=1" --no-buffer 2>/dev/null || echo "curl $?"; } >"$BATS_TEST_TMPDIR/followed" &
  exec {follower}<"$BATS_TEST_TMPDIR/followed"
  read -r -t "$PATIENCE_S" got <&"$follower"
  assert_equal "$got" one
  kill_daemon
  read -r -t "$PATIENCE_S" got <&"$follower"
  assert_match "$got" '^curl '
  exec {follower}<&-

  # What it writes while nobody serves goes into the same file.
  api PUT "/v1/processes/$id/stdin?eof=1" --header 'Content-Type: application/octet-stream' --data-binary $'go\n'
  assert_equal "$(logs "$id" 'follow=1&offset=4')" two
}

# ----------------------------------------------------------------------------------------- budget

@test "budget: the disk that a log takes is bounded, offsets stay valid, the first byte that is left is told" {
  local id first

  start_creche --log-budget 262144
  id=$(start_process sh -c 'i=0; while [ $i -lt 40 ]; do seq -f %099.0f $((i * 1000)) $((i * 1000 + 999)); sleep 0.01; i=$((i + 1)); done')
  assert_equal "$(exitcode_of "$id")" 0
  assert_equal "$(field "$id" .stdout_bytes)" 4000000
  wait_until is_within_budget "$id"

  api_status GET "/v1/processes/$id/logs" >/dev/null
  first=$(response_header creche-log-offset)
  ((first > 3000000 && first < 4000000)) || fail "the first byte is at $first"
  assert_equal "$(cksum <<<"$BODY")" "$(seq -f %099.0f 0 39999 | tail -c +$((first + 1)) | cksum)"
  assert_equal "$(logs "$id" offset=0 | cksum)" "$(cksum <<<"$BODY")"
  assert_equal "$(logs "$id" 'offset=3999900')" "$(printf %099d 39999)"
  assert_equal "$(logs "$id" tail=1)" "$(printf %099d 39999)"
}

is_within_budget() { # ID
  (($(find "$CRECHE_STATE/logs" -name "$1.out" -exec du --block-size=1 {} + | cut -f 1) <= 262144 + 65536))
}

@test "budget: a follower is never given what the process did not write" {
  local id

  start_creche --log-budget 65536
  id=$(start_process sh -c 'seq 300000')
  # It may be cut off, when it was slower than the holes; but what it got is what was written.
  logs "$id" follow=1 >"$BATS_TEST_TMPDIR/followed" 2>/dev/null || :
  assert_equal "$(tr -d '0-9\n' <"$BATS_TEST_TMPDIR/followed" | wc -c)" 0
  exitcode_of "$id" >/dev/null
  assert_equal "$(logs "$id" tail=2 | xargs)" '299999 300000'
}

@test "a child that truncates its own log starts again" {
  local id

  id=$(start_process sh -c 'echo before; echo after >/dev/stdout')
  exitcode_of "$id" >/dev/null
  assert_equal "$(logs "$id")" after
}
