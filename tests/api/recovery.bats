#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# No exit code is ever invented, and no single SIGKILL, of any process of ours, loses one. Each test has a
# server of its own, because it kills it.

# helper.bash sets STATUS, BODY, PARENT and AUTHKEY.
# shellcheck disable=SC2153
load helper

setup_file() { :; }
setup() { start_creche; }

# Prints "ID=EXITCODE ..." of the processes IDs once each has ended.
exitcodes_of() { # ID...
  local id

  for id; do
    printf '%s=%s ' "$id" "$(exitcode_of "$id")"
  done
}

# The forkserver's pid; there is one once a process was started by it.
forkserver_pid() {
  pgrep --parent "$(daemon_pid)" --full forkserver
}

# Starts one blocked process with each start method: IDS.
release_all() { # ID...
  local id

  for id; do
    release "$id"
  done
}

expected_codes() { # CODE ID...
  printf "%s=$1 " "${@:2}"
}

# ------------------------------------------------------------------------------ creched is killed

@test "creched is killed: children live on, and their exit codes are right, with each start method" {
  start_blocked_everywhere
  kill_daemon
  assert_equal "$(api GET '/v1/processes?state=started&order=asc' | jq -c '[.processes[].id]')" "$(jq -cn '[$ARGS.positional[] | tonumber]' --args "${IDS[@]}")"
  release_all "${IDS[@]}"
  assert_equal "$(exitcodes_of "${IDS[@]}")" "$(expected_codes 5 "${IDS[@]}")"
}

@test "creched is killed: who ended while it was down has its own exit code" {
  local daemon pid id

  start_blocked_everywhere
  daemon=$(daemon_pid)
  # creche-init stands still, so that there is no other creched before the children have ended.
  kill -STOP "$CRECHE_MAIN"
  kill -KILL "$daemon"
  for id in "${IDS[@]}"; do
    pid=$(sql "SELECT pid FROM processes WHERE id = $id")
    kill -USR1 "$pid"
    wait_until is_zombie_or_gone "$pid"
  done
  assert_equal "$(sql 'SELECT DISTINCT state FROM processes')" started
  kill -CONT "$CRECHE_MAIN"

  assert_equal "$(exitcodes_of "${IDS[@]}")" "$(expected_codes -10 "${IDS[@]}")"
  assert_equal "$(sql 'SELECT state, exitcode, exit_reason, user_s >= 0 FROM processes' | uniq)" 'stopped|-10|signaled|1'
}

@test "creched is killed: a forkserver that stands still dies with it, and its children have their own exit codes" {
  local id pid forkserver

  start_creche
  id=$(start_blocked '{"start_method": "forkserver"}')
  pid=$(field "$id" .pid)
  forkserver=$(ps -o ppid= "$pid" | tr -d ' ')
  kill -STOP "$forkserver"
  kill_daemon
  kill -USR1 "$pid"
  assert_equal "$(exitcode_of "$id")" -10
}

@test "creched is killed: in the middle of many that start and end, no exit code is wrong" {
  local i

  for i in {1..240}; do
    printf 'POST /v1/processes {"argv": ["sh", "-c", "sleep 0.0%s; exit %s"], "name": "%s", "start_method": "%s"}\n' \
      $((i % 10)) "$i" "$i" "${METHODS[i % 3]}"
  done | api_many 8 >/dev/null &
  for i in 1 2 3; do
    wait_until rows_are $((i * 40))
    kill_daemon
  done
  wait $! || : # some answers died with a daemon
  wait_until none_is_open

  # What was answered or not: a row that ran has its own code, one that never ran has none.
  assert_equal "$(sql "SELECT * FROM processes WHERE state NOT IN ('stopped', 'failed')
    OR state = 'stopped' AND exitcode <> name OR state = 'failed' AND exitcode IS NOT NULL")" ''
  (($(sql "SELECT count(*) FROM processes WHERE state = 'stopped'") > 120))
}

rows_are() { # N
  (($(sql 'SELECT count(*) FROM process') >= $1))
}

none_is_open() {
  [[ $(api GET '/v1/processes?state=starting,started&limit=1' | jq '.processes | length') == 0 ]]
}

@test "creched is killed: a joiner that asks again gets the same answer" {
  local id first

  id=$(start_process sh -c 'exit 7')
  first=$(api POST "/v1/processes/$id/join")
  assert_equal "$(jq .exitcode <<<"$first")" 7
  kill_daemon
  assert_equal "$(api POST "/v1/processes/$id/join")" "$first"
}

@test "creched is killed: a parked joiner is not left hanging, and asking again gives the exit code" {
  local id

  id=$(start_blocked)
  api POST "/v1/processes/$id/join" >"$BATS_TEST_TMPDIR/joined" 2>/dev/null &
  wait_until connections_are 1
  kill_daemon
  release "$id"
  wait $! || :
  assert_equal "$(exitcode_of "$id")" 5
}

@test "creched is killed: the sockets never refuse, a request waits for the next creched" {
  local daemon i clients=()

  daemon=$(daemon_pid)
  kill -STOP "$CRECHE_MAIN"
  kill -KILL "$daemon"
  wait_until is_zombie_or_gone "$daemon"
  # Nobody serves now.
  for i in 1 2 3 4; do
    api GET "/v1/info" --output "$BATS_TEST_TMPDIR/unix.$i" &
    clients+=($!)
    tcp GET "/v1/info" --output "$BATS_TEST_TMPDIR/tcp.$i" &
    clients+=($!)
  done
  (exec 9<>"/dev/tcp/127.0.0.1/${CRECHE_URL##*:}")
  kill -CONT "$CRECHE_MAIN"
  wait "${clients[@]}"
  assert_equal "$(jq -r .restarts "$BATS_TEST_TMPDIR"/{unix,tcp}.? | uniq -c | xargs)" '8 1'
}

@test "creched is killed: the next one serves within a second" {
  local began daemon took_ms

  start_blocked_everywhere
  daemon=$(daemon_pid)
  began=$EPOCHREALTIME
  kill -KILL "$daemon"
  wait_until another_daemon_than "$daemon"
  took_ms=$(((${EPOCHREALTIME/./} - ${began/./}) / 1000))
  echo "# served again after $took_ms ms" >&3
  [[ $BUILD =~ (asan|tsan|ubsan|coverage) ]] || ((took_ms < 1000)) || fail "it took $took_ms ms"
}

another_daemon_than() { # PID
  local pid

  pid=$(daemon_pid 2>/dev/null) && [[ -n $pid && $pid != "$1" ]]
}

@test "creched is killed: READY is said once, and info counts the restarts" {
  kill_daemon
  kill_daemon
  assert_equal "$(api GET /v1/info | jq -c '[.restarts, .health]')" '[2,"ok"]'
  stop_creche
  # The pipe would hold what was written to stdout after the first line.
  assert_equal "$(timeout 0.1 head -n 1 <>"$CRECHE_DIR/ready")" ''
}

@test "creched is killed: keys, names, identities and counters go on" {
  local id identity instance

  id=$(start_blocked '{"name": "kept", "labels": {"a": "b"}}')
  start_parent
  identity=$(field "$PARENT" .identity)
  instance=$(api GET /v1/info | jq -r .instance)
  kill_daemon
  assert_equal "$(api GET /v1/info | jq -r .instance)" "$instance"
  assert_equal "$(field "$id" '"\(.name) \(.labels.a)"')" 'kept b'
  assert_equal "$(TOKEN=$AUTHKEY api GET /v1/processes/self | jq .id)" "$PARENT"
  assert_equal "$(TOKEN=$AUTHKEY api POST /v1/processes '{"argv": ["true"]}' | jq -r .identity)" "$identity:1"
  assert_equal "$(api POST /v1/processes '{"argv": ["true"]}' | jq -r .identity)" $((identity + 1))
}

@test "creched is killed: the stdin of a child stays open, and can be written to" {
  local method

  for method in "${METHODS[@]}"; do
    id=$(create_process "{\"argv\": [\"cat\"], \"stdin\": \"pipe\", \"start_method\": \"$method\"}")
    api PUT "/v1/processes/$id/stdin" --header 'Content-Type: application/octet-stream' --data-binary $'one\n'
    kill_daemon
    assert_equal "$(field "$id" .state)" started
    api PUT "/v1/processes/$id/stdin?eof=1" --header 'Content-Type: application/octet-stream' --data-binary $'two\n'
    assert_equal "$method $(output_of "$id" | xargs) $(exitcode_of "$id")" "$method one two 0"
  done
}

@test "creched is killed: a timeout goes on from when the process was started" {
  local id

  id=$(create_process '{"argv": ["sleep", "1000"], "timeout": 1}')
  kill_daemon
  assert_equal "$(exitcode_of "$id") $(field "$id" .exit.requested_by)" '-15 timeout'
  (($(sql "SELECT stopped_at - started_at FROM process WHERE id = $id") < 10000000))
}

@test "creched is killed: signals reach an adopted child" {
  local id

  start_blocked_everywhere
  kill_daemon
  for id in "${IDS[@]}"; do
    assert_equal "$(api POST "/v1/processes/$id/terminate" | jq .delivered)" true
  done
  assert_equal "$(exitcodes_of "${IDS[@]}")" "$(expected_codes -15 "${IDS[@]}")"
}

@test "creched is killed: on_parent_death is still kept" {
  local child

  start_parent
  child=$(TOKEN=$AUTHKEY create_process '{"argv": ["sleep", "1000"], "on_parent_death": "SIGTERM"}')
  kill_daemon
  api POST "/v1/processes/$PARENT/kill" >/dev/null
  assert_equal "$(api GET "/v1/processes/$child?wait=60" | jq .exitcode)" -15
}

# An upgrade in place: see tests/crash/upgrade.bats.
restarts_are() {
  [[ $(api GET /v1/info | jq .restarts) == "$1" ]]
}

@test "creched is told SIGHUP: another one takes over, and nothing is lost" {
  start_blocked_everywhere
  kill -HUP "$CRECHE_MAIN"
  wait_until restarts_are 1
  release_all "${IDS[@]}"
  assert_equal "$(exitcodes_of "${IDS[@]}")" "$(expected_codes 5 "${IDS[@]}")"
}

# -------------------------------------------------------------------------- creche-init is killed

@test "creche-init is killed: everything goes on, and health says degraded" {
  local ids daemon

  start_blocked_everywhere
  daemon=$(daemon_pid)
  kill_main
  wait_until health_is degraded
  assert_equal "$(api GET /v1/info | jq '[.init_pid, (.health_reasons | length)] | tojson')" '"[null,1]"'
  ids=("${IDS[@]}")
  start_blocked_everywhere
  release_all "${ids[@]}" "${IDS[@]}"
  assert_equal "$(exitcodes_of "${ids[@]}" "${IDS[@]}")" "$(expected_codes 5 "${ids[@]}" "${IDS[@]}")"

  kill -TERM "$daemon"
  timeout "$PATIENCE_S" tail --pid="$daemon" -s 0.02 -f /dev/null
  assert_equal "$(sql 'SELECT DISTINCT state FROM processes')" stopped
}

health_is() { # HEALTH
  [[ $(api GET /v1/info 2>/dev/null | jq -r .health) == "$1" ]]
}

# --------------------------------------------------------------------- the forkserver is killed

@test "the forkserver is killed: its children live on, and their exit codes are right" {
  local a b server

  a=$(start_blocked '{"start_method": "forkserver"}')
  b=$(create_process '{"argv": ["sleep", "1000"], "start_method": "forkserver"}')
  server=$(forkserver_pid)
  kill -KILL "$server"
  wait_until is_gone "$server"
  release "$a"
  api POST "/v1/processes/$b/terminate" >/dev/null
  assert_equal "$(exitcode_of "$a") $(exitcode_of "$b")" '5 -15'

  assert_equal "$(exitcode_of "$(create_process '{"argv": ["sh", "-c", "exit 6"], "start_method": "forkserver"}')")" 6
  [[ $(forkserver_pid) != "$server" ]]
}

@test "the forkserver is killed: who ended at that moment has its own exit code" {
  local i id ids=() pids=() server

  for i in 1 2 3 4; do
    ids+=("$(create_process '{"argv": ["sleep", "1000"], "start_method": "forkserver"}')")
    pids+=("$(field "${ids[-1]}" .pid)")
  done
  server=$(forkserver_pid)
  kill -STOP "$server" # so that it tells nobody
  kill -USR1 "${pids[@]}"
  for id in "${pids[@]}"; do
    wait_until is_zombie_or_gone "$id"
  done
  kill -KILL "$server"
  assert_equal "$(exitcodes_of "${ids[@]}")" "$(expected_codes -10 "${ids[@]}")"
}

# ------------------------------------------------------------------------------- both are killed

# Since Linux 6.15 a pidfd tells how its process ended, whoever has reaped it.
kernel_tells() {
  local version major minor

  version=$(uname -r) major=${version%%.*} minor=${version#*.} minor=${minor%%[!0-9]*}
  ((major > 6 || (major == 6 && minor >= 15)))
}

@test "both are killed: the living are adopted, those that ended are lost, with a reason and no exit code" {
  local running ended started pid

  started=$(start_process sh -c 'exit 3')
  exitcode_of "$started" >/dev/null
  running=$(start_process sleep 1000)
  ended=$(start_process sleep 1000)
  pid=$(field "$ended" .pid)
  kill_all
  kill -KILL "$pid"
  wait_until is_gone "$pid" || skip "whoever gets our orphans here does not reap them"
  start_creche_in "$CRECHE_DIR"

  assert_equal "$(field "$started" '"\(.state) \(.exitcode)"')" 'stopped 3'
  assert_equal "$(field "$ended" '[.state, .exitcode, .exit.reason, .exit.code] | tojson')" '["lost",null,"lost",null]'
  assert_match "$(field "$ended" .exit.detail)" '....'
  assert_equal "$(api POST "/v1/processes/$ended/join" | jq -c '[.state, .exitcode]')" '["lost",null]'

  # This one is not ours any more. But it runs, can be signalled, and its end is seen.
  assert_equal "$(field "$running" .state)" started
  assert_equal "$(api POST "/v1/processes/$running/terminate" | jq .delivered)" true
  assert_equal "$(api POST "/v1/processes/$running/join" | jq -c '[.state, .exitcode]')" \
    "$(if kernel_tells; then echo '["stopped",-15]'; else echo '["lost",null]'; fi)"
}

@test "creched was killed, and then creche-init: where the kernel tells, nothing is lost even so" {
  local codes='["lost",null] ["lost",null]' exits signalled

  ! kernel_tells || codes='["stopped",5] ["stopped",-9]'
  exits=$(start_blocked)
  signalled=$(start_process sleep 1000)
  kill_daemon
  kill_main
  wait_until health_is degraded
  release "$exits"
  api POST "/v1/processes/$signalled/kill" >/dev/null
  assert_equal "$(for id in $exits $signalled; do
    api POST "/v1/processes/$id/join" | jq -c '[.state, .exitcode]'
  done | xargs -d '\n')" "$codes"
}

# ---------------------------------------------------------------------------- start and stop of it

@test "a restart finds everything, and is not refused anything" {
  local id

  id=$(start_process sh -c 'exit 7')
  exitcode_of "$id" >/dev/null
  restart_creche
  assert_equal "$(exitcode_of "$id")" 7
  (($(start_process true) > id))
}

@test "a second creched on one state directory says so and exits with 3" {
  local status=0

  "$BUILD/creched" --state-dir "$CRECHE_STATE" --socket "$CRECHE_DIR/s2" --listen none >"$BATS_TEST_TMPDIR/out" \
    2>"$BATS_TEST_TMPDIR/err" || status=$?
  assert_equal "$status" 3
  assert_match "$(<"$BATS_TEST_TMPDIR/err")" "another creched serves $CRECHE_STATE"
  assert_equal "$(<"$BATS_TEST_TMPDIR/out")" ''
  assert_equal "$(http_code GET /healthz)" 200
}

@test "a second creched on one socket says so and exits with 3" {
  local status=0

  "$BUILD/creched" --state-dir "$BATS_TEST_TMPDIR/state" --socket "$CRECHE_SOCKET" --listen none \
    2>"$BATS_TEST_TMPDIR/err" || status=$?
  assert_equal "$status" 3
  assert_match "$(<"$BATS_TEST_TMPDIR/err")" "$CRECHE_SOCKET"
  assert_equal "$(http_code GET /healthz)" 200
}

@test "a TCP port that is taken is said and survived, with the unix socket alone" {
  local address=${CRECHE_URL#http://}

  start_creche --listen "$address"
  assert_equal "$CRECHE_URL" ''
  assert_match "$(<"$CRECHE_DIR/stderr")" "event=listen.failed .*$address"
  assert_equal "$(api GET /v1/info | jq .url)" null
}

@test "an option that is wrong is said, and nothing is started" {
  local options status

  for options in '--nonsense' '--listen' '--listen 7117' '--stop-timeout -1' '--log-budget 1' '--state-dir=' 'argument'; do
    status=0
    # shellcheck disable=SC2086
    "$BUILD/creched" --state-dir "$BATS_TEST_TMPDIR/state" $options >"$BATS_TEST_TMPDIR/out" 2>&1 || status=$?
    assert_equal "$options: $status" "$options: 2"
    assert_match "$(<"$BATS_TEST_TMPDIR/out")" '^creched: '
  done
  [[ ! -e $BATS_TEST_TMPDIR/state ]]
}

@test "each option can be given as a variable" {
  stop_creche
  CRECHE_STATE_DIR=$CRECHE_STATE CRECHE_SOCKET=$CRECHE_DIR/s2 CRECHE_LISTEN=none CRECHE_STOP_TIMEOUT=1 \
    CRECHE_LOG_BUDGET=65536 "$BUILD/creched" 2>"$BATS_TEST_TMPDIR/err" 3>&- > >(head -n 1 >"$BATS_TEST_TMPDIR/ready") &
  CRECHE_SOCKET=$CRECHE_DIR/s2
  wait_until test -s "$BATS_TEST_TMPDIR/ready"
  assert_equal "$(<"$BATS_TEST_TMPDIR/ready")" "READY unix:$CRECHE_DIR/s2"
  assert_equal "$(api GET /v1/info | jq -r .state_dir)" "$CRECHE_STATE"
  kill -TERM $!
  wait $!
}

@test "the state directory is the owner's alone, and so is the token in it" {
  assert_equal "$(stat -c %a "$CRECHE_STATE" "$CRECHE_STATE/token" "$CRECHE_SOCKET" | xargs)" '700 600 600'
  assert_match "$(<"$CRECHE_STATE/token")" '^[0-9a-zA-Z_-]{43,}$'
  assert_equal "$(find "$CRECHE_STATE" -perm /077)" ''
  assert_equal "$(tcp_code GET /v1/info)" 200
}

@test "the token of the first start is that of the next" {
  local token=$CRECHE_TOKEN

  restart_creche
  assert_equal "$CRECHE_TOKEN" "$token"
}

@test "a state directory that is open to others is closed" {
  stop_creche
  chmod 755 "$CRECHE_STATE"
  start_creche_in "$CRECHE_DIR"
  assert_equal "$(stat -c %a "$CRECHE_STATE")" 700
}
