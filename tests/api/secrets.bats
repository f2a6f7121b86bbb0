#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What is told to a process stays between its client and itself: values of env and secrets, its stdin, tokens.

# helper.bash sets STATUS and BODY.
# shellcheck disable=SC2153
load helper

# Each value begins with this, and nothing else does.
CANARY=canary7f3a

start_of() { # NAME [JSON]
  jq -cn --arg c "$CANARY-$1" --argjson more "${2:-{\}}" '{argv: ["sleep", "1000"], env: {A: "\($c)-env"},
    secrets: {B: "\($c)-secret", C: {base64: ("\($c)-base64" | @base64)}}, stdin: {text: "\($c)-stdin"}} + $more'
}

# Sends a body that is meant to be refused with STATUS.
refused_with() { # STATUS BODY [CURL OPTION...]
  api_status POST /v1/processes "${@:2}" >/dev/null
  assert_equal "$STATUS" "$1"
  printf '%s\n' "$BODY" >>"$ANSWERS"
}

send_everything() {
  local method field

  refused_with 422 "$(start_of long "{\"argv\": [\"true\"], \"env\": {\"A\": \"$(head -c 100000 /dev/zero | tr '\0' a)$CANARY\"}, \"unknown\": 1}")"
  for method in "${METHODS[@]}"; do
    api POST /v1/processes "$(start_of "$method" "{\"start_method\": \"$method\"}")" >>"$ANSWERS"
    refused_with 422 "$(start_of no-program "{\"start_method\": \"$method\", \"argv\": [\"/no/such/program\"]}")"
    refused_with 422 "$(start_of no-cwd "{\"start_method\": \"$method\", \"cwd\": \"/no/such/folder\"}")"
  done
  refused_with 422 "$(start_of unknown '{"unknown": 1}')"
  refused_with 422 "$(start_of later '{"start": false}')"
  for field in env secrets; do
    refused_with 422 "{\"argv\": [\"true\"], \"$field\": \"$CANARY-string\"}"
    refused_with 422 "{\"argv\": [\"true\"], \"$field\": {\"A\": [\"$CANARY-array\"]}}"
    refused_with 400 "{\"argv\": [\"true\"], \"$field\": {\"A\": \"$CANARY-nul\\u0000\"}}"
    refused_with 422 "{\"argv\": [\"true\"], \"$field\": {\"A\": {\"base64\": \"$CANARY!\"}}}"
    refused_with 400 "{\"argv\": [\"true\"], \"$field\": {\"A\": $CANARY}}"
    refused_with 400 "{\"argv\": [\"true\"], \"$field\": {\"A\": \"$CANARY-open"
    refused_with 400 "{\"argv\": [\"true\"], \"$field\": {\"A\": \"$CANARY-a\" \"$CANARY-b\"}}"
  done
  refused_with 422 "{\"argv\": [\"true\"], \"stdin\": \"$CANARY-stdin\"}"
  refused_with 422 "{\"argv\": [\"true\"], \"stdin\": {\"base64\": \"$CANARY-*\"}}"
  refused_with 413 "$(start_of large)$(head -c 300000 /dev/zero | tr '\0' ' ')"
  refused_with 201 "$(start_of key)" --header 'Idempotency-Key: one'
  refused_with 422 "$(start_of other-under-the-key)" --header 'Idempotency-Key: one'
  TOKEN=$CANARY-token refused_with 401 "$(start_of token)"
  # So far from the beginning of its memory that the next requests do not overwrite it.
  refused_with 422 '{}' --header "Far: $(head -c 12000 /dev/zero | tr '\0' a)$CANARY-far"
  TOKEN=creche-1-$CANARY refused_with 401 "$(start_of authkey)"
  api_status POST /v1/processes/1/start "{\"secrets\": {\"A\": \"$CANARY-again\"}}" >>"$ANSWERS"
  assert_equal "$STATUS" 409
  curl --silent --unix-socket "$CRECHE_SOCKET" http://localhost/v1/processes --header 'Content-Type: text/plain' \
    --data "$(start_of plain)" >>"$ANSWERS"
}

ask_everything() {
  local path id

  for path in /v1/processes /v1/active_children /v1/info /v1/processes/self '/v1/processes?q='"${CANARY:0:5}"; do
    api GET "$path" >>"$ANSWERS"
  done
  for id in $(api GET '/v1/processes?limit=1000' | jq '.processes[].id'); do
    for path in '' /logs '/logs?stream=stderr' /children /parent; do
      api GET "/v1/processes/$id$path" >>"$ANSWERS"
    done
  done
}

# No file of the server's has a canary; what a file has to have is found in the same way.
files_are_clean() {
  grep -rqa 'Process-1' "$CRECHE_STATE" || fail 'the search finds nothing at all'
  [[ -z $(grep -rla "$CANARY" "$CRECHE_DIR" "$ANSWERS") ]] || fail "$(grep -rao "${CANARY}[^\"]*" "$CRECHE_DIR" "$ANSWERS")"
}

# The same for what a core of it would have; the operator's token is there, as it has to be.
memory_is_clean() { # PID TEXT
  local found

  if [[ -n ${SAN:-} ]]; then
    echo "# not looked at: the memory of $1 under a sanitizer, which keeps what was freed" >&3
    return
  fi
  [[ -n $(python3 "$HERE/memory.py" "$1" "$2") ]] || fail 'the search finds nothing at all' || return
  found=$(python3 "$HERE/memory.py" "$1" "$CANARY") || return
  [[ -z $found ]] || fail "$found"
}

forkserver_pid() {
  ps -eo pid=,ppid=,args= | awk -v parent="$(daemon_pid)" '$2 == parent && $3 == "creche-forkserver" { print $1 }'
}

@test "secrets: what was sent is in no file, no log, no answer and no memory of the server, however it ended" {
  ANSWERS=$BATS_TEST_TMPDIR/answers
  start_creche --log-level debug
  send_everything
  wait_until connections_are 0
  memory_is_clean "$(daemon_pid)" "$CRECHE_TOKEN"
  memory_is_clean "$(forkserver_pid)" creche-forkserver
  ask_everything
  files_are_clean
  kill_daemon
  send_everything
  ask_everything
  files_are_clean
  kill_all
  files_are_clean
}

@test "secrets: a process that is only created has its env and stdin in the database until it starts; secrets are refused" {
  local id

  id=$(create_process "{\"argv\": [\"true\"], \"start\": false, \"env\": {\"A\": \"$CANARY-kept\"}}")
  assert_equal "$(sql "SELECT instr(request, '$CANARY-kept') > 0 FROM process WHERE id = $id")" 1
  api POST "/v1/processes/$id/start" "{\"secrets\": {\"B\": \"$CANARY-given\"}}" >/dev/null
  wait_until is_forgotten "$id"
  [[ -z $(grep -rla "$CANARY-given" "$CRECHE_DIR") ]]
}

is_forgotten() { # ID
  [[ $(sql "SELECT request IS NULL FROM process WHERE id = $1") == 1 ]]
}

core_limit() { # PID
  awk '/^Max core file size/ { print $5, $6 }' "/proc/$1/limits"
}

@test "secrets: neither creched nor its forkserver leaves a core; children have the limit that creched was started with" {
  local method limit round

  ulimit -Sc 0
  ulimit -Hc unlimited || skip "the hard limit of cores is $(ulimit -Hc)"
  start_creche
  for round in first upgraded; do
    for method in "${METHODS[@]}"; do
      limit=$(output_of "$(create_process "{\"argv\": [\"sh\", \"-c\", \"awk '/^Max core/ { print \$5, \$6 }' /proc/self/limits\"],
        \"start_method\": \"$method\"}")")
      assert_equal "$round $method $limit" "$round $method 0 unlimited"
    done
    assert_equal "$(core_limit "$(daemon_pid)")" '1 unlimited'
    assert_equal "$(core_limit "$(forkserver_pid)")" '1 unlimited'
    [[ $round == upgraded ]] || restarted_in_place
  done
}

restarted_in_place() {
  local restarts

  restarts=$(api GET /v1/info | jq .restarts)
  kill -HUP "$CRECHE_MAIN"
  wait_until restarts_are $((restarts + 1))
}

restarts_are() { # N
  [[ $(api GET /v1/info 2>/dev/null | jq .restarts) == "$1" ]]
}

@test "secrets: the limit of cores is the child's to choose" {
  local id

  id=$(create_process '{"argv": ["sh", "-c", "ulimit -Sc"], "rlimits": {"core": [0, 0]}}')
  assert_equal "$(output_of "$id")" 0
}
