#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The rules of multiprocessing.Process: join, wait, active_children, signals. Each test is named after one rule.

# helper.bash sets STATUS, BODY, PARENT and AUTHKEY.
# shellcheck disable=SC2153
load helper

# ------------------------------------------------------------------------------------------- join

@test "join: 'can only join a child process'" {
  local child

  start_parent
  child=$(TOKEN=$AUTHKEY start_process true)
  api_status POST "/v1/processes/$child/join" >/dev/null
  assert_problem 403 not_parent 'can only join a child process'
  TOKEN=$AUTHKEY api_status POST "/v1/processes/$PARENT/join" >/dev/null
  assert_problem 403 not_parent 'can only join a child process'
  assert_equal "$(TOKEN=$AUTHKEY exitcode_of "$child")" 0
}

@test "join: 'can only join a started process'" {
  local id

  id=$(create_process '{"argv": ["true"], "start": false}')
  api_status POST "/v1/processes/$id/join" >/dev/null
  assert_problem 409 not_started 'can only join a started process'
}

@test "join: is checked in this order: closed, child, started" {
  local closed created

  start_parent
  closed=$(TOKEN=$AUTHKEY create_process '{"argv": ["true"], "start": false}')
  TOKEN=$AUTHKEY api POST "/v1/processes/$closed/close"
  created=$(TOKEN=$AUTHKEY create_process '{"argv": ["true"], "start": false}')

  api_status POST "/v1/processes/$closed/join" >/dev/null
  assert_problem 409 closed 'process object is closed'
  api_status POST "/v1/processes/$created/join" >/dev/null
  assert_problem 403 not_parent
}

@test "join: without a timeout, or with null, waits until it has ended" {
  local id body

  for body in '' '{}' '{"timeout": null}'; do
    id=$(start_blocked)
    api POST "/v1/processes/$id/join" "$body" >"$BATS_TEST_TMPDIR/joined" &
    release "$id"
    wait $!
    assert_equal "$body: $(jq -c '[.id, .state, .exitcode, .joined_at != null]' "$BATS_TEST_TMPDIR/joined")" \
      "$body: [$id,\"stopped\",5,true]"
  done
}

@test "join: a timeout of 0 or less looks once; a time-out gives 200 and no exit code" {
  local id timeout

  id=$(start_blocked)
  for timeout in 0 -1 -1e300 0.2 1e-9; do
    api_status POST "/v1/processes/$id/join" "{\"timeout\": $timeout}" >/dev/null
    assert_equal "$timeout: $STATUS $(jq -c '[.state, .exitcode, .joined_at]' <<<"$BODY")" "$timeout: 200 [\"started\",null,null]"
  done
  release "$id"
  assert_equal "$(exitcode_of "$id")" 5
  assert_equal "$(api POST "/v1/processes/$id/join" '{"timeout": 0}' | jq .exitcode)" 5
}

@test "join: a positive timeout waits that long, and no longer than the process runs" {
  local id began=$EPOCHREALTIME

  id=$(start_blocked)
  api POST "/v1/processes/$id/join" '{"timeout": 0.3}' >/dev/null
  ((${EPOCHREALTIME/./} - ${began/./} >= 300000)) || fail 'it did not wait'

  api POST "/v1/processes/$id/join" '{"timeout": 1e9}' >"$BATS_TEST_TMPDIR/joined" &
  release "$id"
  wait $!
  assert_equal "$(jq .exitcode "$BATS_TEST_TMPDIR/joined")" 5
}

@test "join: again gives the same at once, and joined_at is that of the first" {
  local id first

  id=$(start_process sh -c 'exit 7')
  first=$(api POST "/v1/processes/$id/join")
  assert_equal "$(jq .exitcode <<<"$first")" 7
  assert_equal "$(api POST "/v1/processes/$id/join")" "$first"
  assert_equal "$(api GET "/v1/processes/$id")" "$first"
}

@test "join: a process that failed to start is joined at once, without an exit code" {
  local id

  id=$(api POST /v1/processes '{"argv": ["/nonesuch"]}' | jq .process.id)
  assert_equal "$(api POST "/v1/processes/$id/join" | jq -c '[.state, .exitcode]')" '["failed",null]'
}

@test "join: many may join at once, and all get the exit code" {
  local id

  id=$(start_blocked)
  yes "POST /v1/processes/$id/join" | head -n 30 | api_many 30 >"$BATS_TEST_TMPDIR/joined" &
  wait_until connections_are 30
  release "$id"
  wait $!
  assert_equal "$(jq -c 'objects | [.id, .exitcode]' "$BATS_TEST_TMPDIR/joined" | sort | uniq -c | xargs)" "30 [$id,5]"
}

@test "join: a joiner that leaves changes nothing" {
  local id

  id=$(start_blocked)
  MAX_TIME=0.2 api POST "/v1/processes/$id/join" >/dev/null 2>&1 || :
  assert_equal "$(field "$id" '[.state, .joined_at] | tojson')" '["started",null]'
  release "$id"
  assert_equal "$(exitcode_of "$id")" 5
}

# ---------------------------------------------------------------------------- is_alive, exitcode

@test "is_alive and exitcode: a death is seen at once" {
  local id pid

  for _ in {1..20}; do
    read -r id pid < <(api POST /v1/processes '{"argv": ["sleep", "1000"]}' | jq -r '"\(.id) \(.pid)"')
    kill_dead "$pid"
    assert_equal "$(field "$id" '"\(.state) \(.exitcode)"')" 'stopped -9'
  done
}

@test "is_alive and exitcode: lists and active_children see a death at once" {
  local id pid

  for _ in {1..5}; do
    read -r id pid < <(api POST /v1/processes '{"argv": ["sleep", "1000"], "name": "seen"}' | jq -r '"\(.id) \(.pid)"')
    kill_dead "$pid"
    assert_equal "$(api GET '/v1/processes?name=seen&state=started' | ids)" '[]'
    assert_equal "$(api GET '/v1/processes?name=seen&limit=1' | jq -c '.processes[] | [.id, .exitcode]')" "[$id,-9]"

    read -r id pid < <(api POST /v1/processes '{"argv": ["sleep", "1000"]}' | jq -r '"\(.id) \(.pid)"')
    kill_dead "$pid"
    assert_equal "$(api GET /v1/active_children | jq --argjson id "$id" 'any(.processes[]; .id == $id)')" false
  done
}

# ------------------------------------------------------------------- sentinel, connection.wait()

@test "wait: GET with wait= holds the answer until the end, and does not join" {
  local id

  id=$(start_blocked)
  assert_equal "$(api GET "/v1/processes/$id?wait=0.1" | jq -c '[.state, .exitcode]')" '["started",null]'
  api GET "/v1/processes/$id?wait=60" >"$BATS_TEST_TMPDIR/waited" &
  release "$id"
  wait $!
  assert_equal "$(jq -c '[.state, .exitcode, .joined_at]' "$BATS_TEST_TMPDIR/waited")" '["stopped",5,null]'
  assert_equal "$(api GET "/v1/processes/$id?wait=60" | jq .exitcode)" 5
}

@test "wait: a process that is only created can be waited for" {
  local id

  id=$(create_process '{"argv": ["sh", "-c", "exit 4"], "start": false}')
  api GET "/v1/processes/$id?wait=60" >"$BATS_TEST_TMPDIR/waited" &
  api POST "/v1/processes/$id/start" >/dev/null
  wait $!
  assert_equal "$(jq -c '[.state, .exitcode]' "$BATS_TEST_TMPDIR/waited")" '["stopped",4]'
}

@test "wait: a join of any is answered by the first to end, and says who is left" {
  local a b c

  a=$(start_blocked)
  b=$(start_blocked)
  c=$(start_blocked)
  api POST /v1/join "{\"ids\": [$a, $b, $c], \"mode\": \"any\"}" >"$BATS_TEST_TMPDIR/joined" &
  release "$b"
  wait $!
  assert_equal "$(jq -c '[[.ready[] | .id, .exitcode, .joined_at != null], .pending]' "$BATS_TEST_TMPDIR/joined")" \
    "[[$b,5,true],[$a,$c]]"
}

@test "wait: a join of all is answered when all have ended, in the order of the ids" {
  local a b

  a=$(start_blocked)
  b=$(start_process sh -c 'exit 2')
  api POST /v1/join "{\"ids\": [$a, $b]}" >"$BATS_TEST_TMPDIR/joined" &
  release "$a"
  wait $!
  assert_equal "$(jq -c '[[.ready[] | .id, .exitcode], .pending]' "$BATS_TEST_TMPDIR/joined")" "[[$a,5,$b,2],[]]"
}

@test "wait: a join of many that runs out of time gives those that have ended" {
  local a b mode

  a=$(start_blocked)
  b=$(ended 3)
  assert_equal "$(api POST /v1/join "{\"ids\": [$a, $b], \"timeout\": 0.1}" | jq -c '[[.ready[].id], .pending]')" "[[$b],[$a]]"
  for mode in any all; do
    assert_equal "$(api POST /v1/join "{\"ids\": [$a], \"mode\": \"$mode\", \"timeout\": 0}" | jq -c .)" "{\"ready\":[],\"pending\":[$a]}"
  done
}

@test "wait: who is named twice in a join of many is told once" {
  local id running

  id=$(ended 3)
  running=$(start_process sleep 1000)
  assert_equal "$(api POST /v1/join "{\"ids\": [$id, $running, $id, $running], \"timeout\": 0}" |
    jq -c '[[.ready[].id], .pending]')" "[[$id],[$running]]"
  api POST "/v1/processes/$running/kill" >/dev/null
}

@test "wait: any process that one may see, but only one's own children count as joined" {
  local child

  start_parent
  child=$(TOKEN=$AUTHKEY start_process sh -c 'exit 6')
  assert_equal "$(api POST /v1/join "{\"ids\": [$child]}" | jq -c '[.ready[] | .exitcode, .joined_at]')" '[6,null]'
  assert_equal "$(TOKEN=$AUTHKEY api POST /v1/join "{\"ids\": [$child]}" | jq -c '.ready[] | .joined_at != null')" true
}

@test "wait: a join of many refuses who was closed: 'process object is closed'" {
  local id

  id=$(ended 3)
  api POST "/v1/processes/$id/close"
  api_status POST /v1/join "{\"ids\": [$id]}" >/dev/null
  assert_problem 409 closed 'process object is closed'
}

@test "wait: a join of many refuses what is not there and what is not started" {
  local created other

  created=$(create_process '{"argv": ["true"], "start": false}')
  api_status POST /v1/join "{\"ids\": [$created]}" >/dev/null
  assert_problem 409 not_started
  api_status POST /v1/join '{"ids": [4711000]}' >/dev/null
  assert_problem 404 not_found
  other=$(ended)
  start_parent
  TOKEN=$AUTHKEY api_status POST /v1/join "{\"ids\": [$other]}" >/dev/null
  assert_problem 404 not_found
}

# -------------------------------------------------------------------------------- active_children

@test "active_children: one's own that are started, oldest first, never grandchildren" {
  local top child created grandchild

  start_parent
  top=$PARENT
  child=$(TOKEN=$AUTHKEY start_blocked)
  created=$(TOKEN=$AUTHKEY create_process '{"argv": ["true"], "start": false}')
  grandchild=$(TOKEN=$AUTHKEY start_blocked)
  assert_equal "$(TOKEN=$AUTHKEY api GET /v1/active_children | ids)" "[$child,$grandchild]"
  assert_equal "$(api GET /v1/active_children | jq -c --argjson ids "[$top,$child,$created]" \
    '[.processes[].id | select(IN($ids[]))]')" "[$top]"
}

@test "active_children: looks after those that have ended first (_cleanup)" {
  local child

  start_parent
  child=$(TOKEN=$AUTHKEY start_blocked)
  assert_equal "$(TOKEN=$AUTHKEY api GET /v1/active_children | ids)" "[$child]"
  kill -KILL "$(field "$child" .pid)"
  assert_equal "$(TOKEN=$AUTHKEY api GET /v1/active_children | ids)" '[]'
  assert_equal "$(sql "SELECT state, exitcode FROM processes WHERE id = $child")" 'stopped|-9'
}

# --------------------------------------------------------------- terminate, kill, interrupt, signal

@test "terminate, kill, interrupt: deliver their signal and do not wait" {
  local id verb code

  while read -r verb code; do
    id=$(start_process sleep 1000)
    assert_equal "$verb: $(api POST "/v1/processes/$id/$verb" | jq -c '[.delivered, .process.id]')" "$verb: [true,$id]"
    assert_equal "$verb: $(exitcode_of "$id")" "$verb: $code"
    assert_match "$(field "$id" .exit.requested_by)" "^$verb by "
  done <<<$'terminate -15\nkill -9\ninterrupt -2'
}

@test "terminate, kill, interrupt: nothing when it has ended, and delivered is false" {
  local id verb

  id=$(start_process sh -c 'exit 3')
  exitcode_of "$id" >/dev/null
  for verb in terminate kill interrupt; do
    assert_equal "$(api POST "/v1/processes/$id/$verb" | jq -c '[.delivered, .process.exitcode, .process.exit.requested_by]')" \
      '[false,3,null]'
  done
  assert_equal "$(api POST "/v1/processes/$id/signal" '{"signal": "SIGUSR1"}' | jq .delivered)" false

  # Also when nobody has seen its end yet.
  id=$(start_process sleep 1000)
  kill -KILL "$(field "$id" .pid)"
  assert_equal "$(api POST "/v1/processes/$id/terminate" | jq -c '[.delivered, .process.exitcode]')" '[false,-9]'
}

@test "terminate, kill, interrupt: are an error before the start" {
  local id verb

  id=$(create_process '{"argv": ["true"], "start": false}')
  for verb in terminate kill interrupt; do
    api_status POST "/v1/processes/$id/$verb" >/dev/null
    assert_problem 409 not_started || fail "$verb"
  done
  api_status POST "/v1/processes/$id/signal" '{"signal": 10}' >/dev/null
  assert_problem 409 not_started
}

@test "signal: by name or by number" {
  local id signal

  for signal in '"SIGUSR1"' 10; do
    id=$(start_process sleep 1000)
    assert_equal "$(api POST "/v1/processes/$id/signal" "{\"signal\": $signal}" | jq .delivered)" true
    assert_equal "$(exitcode_of "$id")" -10
  done
  id=$(start_process sleep 1000)
  api POST "/v1/processes/$id/signal" '{"signal": "SIGRTMIN+1"}' >/dev/null
  assert_equal "$(exitcode_of "$id")" -35
}

@test "signal: who catches it lives on, and is not said to have been asked to end" {
  local id fifo=$BATS_TEST_TMPDIR/fifo

  mkfifo "$fifo"
  id=$(start_process sh -c 'trap "exit 8" USR1; echo ready >"$0"; while :; do sleep 1000 & wait; done' "$fifo")
  timeout "$PATIENCE_S" cat "$fifo" >/dev/null
  assert_equal "$(api POST "/v1/processes/$id/signal" '{"signal": "SIGUSR1", "tree": true}' | jq .delivered)" true
  assert_equal "$(exitcode_of "$id") $(field "$id" .exit.requested_by)" '8 null'
}

@test "terminate: one process, or with tree its whole group" {
  local id pid fifo=$BATS_TEST_TMPDIR/fifo

  mkfifo "$fifo"
  id=$(start_process sh -c 'sleep 1000 & echo $! >"$0"; wait' "$fifo")
  read -r -t "$PATIENCE_S" pid <"$fifo"
  api POST "/v1/processes/$id/terminate" >/dev/null
  assert_equal "$(exitcode_of "$id")" -15
  kill -KILL "$pid" # it lives

  # The descriptor is the last one's: reading it ends when all have ended.
  id=$(start_process sh -c 'exec 3>"$0"; sleep 1000 & echo ready >&3; wait' "$fifo")
  exec {group}<"$fifo"
  read -r -t "$PATIENCE_S" _ <&"$group"
  api POST "/v1/processes/$id/terminate" '{"tree": true}' >/dev/null
  timeout "$PATIENCE_S" cat <&"$group"
  exec {group}<&-
  assert_equal "$(exitcode_of "$id")" -15
}
