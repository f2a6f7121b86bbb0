#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The rules of multiprocessing.Process: close, at exit, authkeys, the bootstrap. Each test is named after one rule.

# helper.bash sets STATUS, BODY, PARENT and AUTHKEY.
# shellcheck disable=SC2153
load helper

# What a server of its own needs: it is told to stop, and we wait until it says whom it waits for.
stop_is_waiting() { grep -q 'event=stop.waiting' "$CRECHE_DIR/stderr"; }

# ------------------------------------------------------------------------------------------ close

@test "close: 'Cannot close a process while it is still running. You should first call join() or terminate().'" {
  local id

  id=$(start_blocked)
  api_status POST "/v1/processes/$id/close" >/dev/null
  assert_problem 409 still_running 'Cannot close a process while it is still running. You should first call join() or terminate().'
  api_status DELETE "/v1/processes/$id" >/dev/null
  assert_problem 409 still_running
  assert_equal "$(field "$id" .state)" started
}

@test "close: a process that was killed a moment ago can be closed" {
  local id

  for _ in 1 2 3 4 5; do
    id=$(start_process sleep 1000)
    kill -KILL "$(field "$id" .pid)"
    assert_equal "$(http_code POST "/v1/processes/$id/close")" 204
    assert_equal "$(field "$id" '"\(.state) \(.exitcode)"')" 'closed -9'
  done
}

@test "close: twice is fine" {
  local id

  id=$(ended)
  assert_equal "$(http_code POST "/v1/processes/$id/close")" 204
  assert_equal "$(http_code POST "/v1/processes/$id/close")" 204
}

@test "close: afterwards 'process object is closed'" {
  local id operation body

  id=$(ended)
  api POST "/v1/processes/$id/close"
  while read -r operation body; do
    api_status POST "/v1/processes/$id/$operation" "$body" >/dev/null
    assert_problem 409 closed 'process object is closed' || fail "$operation"
  done <<'EOF'
start
join
terminate
kill
interrupt
signal {"signal": 10}
EOF
}

@test "close: what it was can still be read" {
  local id

  id=$(start_process sh -c 'echo out; exit 3')
  exitcode_of "$id" >/dev/null
  api POST "/v1/processes/$id/close"
  assert_equal "$(field "$id" '[.state, .exitcode, .exit.reason, .argv[2]] | tojson')" '["closed",3,"exited","echo out; exit 3"]'
  assert_equal "$(api GET "/v1/processes/$id/logs")" out
  assert_equal "$(sql "SELECT state, exitcode FROM processes WHERE id = $id")" 'closed|3'
}

@test "close: DELETE also forgets row and logs, and the id is not used again" {
  local id

  id=$(start_process echo out)
  exitcode_of "$id" >/dev/null
  assert_equal "$(http_code DELETE "/v1/processes/$id")" 204
  api_status GET "/v1/processes/$id" >/dev/null
  assert_problem 404 not_found
  api_status DELETE "/v1/processes/$id" >/dev/null
  assert_problem 404 not_found
  assert_equal "$(sql "SELECT count(*) FROM processes WHERE id = $id")" 0
  assert_equal "$(find "$CRECHE_STATE/logs" -name "$id.*")" ''
  (($(start_process true) > id))
}

# --------------------------------------------------------------------------------------- dangling

@test "dangling: ended, never joined, not closed" {
  local running joined waited failed closed created

  running=$(create_process '{"argv": ["sleep", "1000"], "labels": {"d": ""}}')
  created=$(create_process '{"argv": ["true"], "start": false, "labels": {"d": ""}}')
  joined=$(create_process '{"argv": ["true"], "labels": {"d": ""}}')
  waited=$(create_process '{"argv": ["true"], "labels": {"d": ""}}')
  closed=$(create_process '{"argv": ["true"], "labels": {"d": ""}}')
  failed=$(api POST /v1/processes '{"argv": ["/nonesuch"], "labels": {"d": ""}}' | jq .process.id)
  exitcode_of "$joined" >/dev/null
  api GET "/v1/processes/$waited?wait=60" >/dev/null
  api GET "/v1/processes/$closed?wait=60" >/dev/null
  assert_equal "$(api GET '/v1/processes?dangling=1&label=d' | ids)" "[$failed,$closed,$waited]"

  api POST "/v1/processes/$closed/close"
  assert_equal "$(api GET '/v1/processes?dangling=1&label=d' | ids)" "[$failed,$waited]"
  assert_equal "$(sql "SELECT id FROM dangling WHERE id IN ($running, $created, $joined, $closed, $failed, $waited) ORDER BY id" |
    xargs)" "$waited $failed"
}

# ---------------------------------------------------------------------------------------- at exit

@test "at exit: daemonic children get SIGTERM, all others are joined, and their joiners get the exit code" {
  local daemonic other created joiner waiter

  start_creche
  daemonic=$(create_process '{"argv": ["sleep", "1000"], "daemon": true}')
  other=$(start_blocked)
  created=$(create_process '{"argv": ["true"], "start": false}')
  api POST "/v1/processes/$other/join" >"$BATS_TEST_TMPDIR/joined" &
  joiner=$!
  api GET "/v1/processes/$created?wait=60" --output "$BATS_TEST_TMPDIR/waited" --write-out '%{http_code}' >"$BATS_TEST_TMPDIR/code" &
  waiter=$!
  wait_until connections_are 2

  kill -TERM "$CRECHE_MAIN"
  wait_until stop_is_waiting
  assert_match "$(grep event=stop.waiting "$CRECHE_DIR/stderr" | tail -n 1)" "ids=(.*,)?$other\b"
  assert_equal "$(field "$daemonic" '[.exitcode, .exit.requested_by != null] | tojson')" '[-15,true]'
  assert_equal "$(field "$other" .state)" started
  api_status POST /v1/processes '{"argv": ["true"]}' >/dev/null
  assert_problem 503 stopping

  release "$other"
  _wait_end "$CRECHE_DIR" "$PATIENCE_S"
  wait "$joiner" "$waiter"
  assert_equal "$(<"$CRECHE_DIR/status")" 0
  assert_equal "$(jq .exitcode "$BATS_TEST_TMPDIR/joined")" 5
  # Nobody is left hanging, not even who waits for what will not happen.
  assert_equal "$(<"$BATS_TEST_TMPDIR/code") $(jq -r .code "$BATS_TEST_TMPDIR/waited")" '503 stopping'
  assert_equal "$(sql "SELECT id, state, exitcode FROM processes ORDER BY id" | xargs)" \
    "$daemonic|stopped|-15 $other|stopped|5 $created|initial|"
}

@test "at exit: a second signal terminates the others too" {
  local id

  start_creche
  id=$(start_process sleep 1000)
  kill -INT "$CRECHE_MAIN"
  wait_until stop_is_waiting
  assert_equal "$(field "$id" .state)" started
  kill -INT "$CRECHE_MAIN"
  _wait_end "$CRECHE_DIR" "$PATIENCE_S"
  assert_equal "$(<"$CRECHE_DIR/status") $(sql "SELECT state, exitcode FROM processes")" '0 stopped|-15'
}

@test "at exit: --stop-timeout bounds it, then SIGKILL" {
  local fifo=$BATS_TEST_TMPDIR/fifo

  mkfifo "$fifo"
  start_creche --stop-timeout 0.3
  create_process "$(jq -cn --arg fifo "$fifo" '{daemon: true,
    argv: ["sh", "-c", "trap \"\" TERM; echo ready >$0; while :; do sleep 1000; done", $fifo]}')" >/dev/null
  timeout "$PATIENCE_S" cat "$fifo" >/dev/null
  kill -TERM "$CRECHE_MAIN"
  _wait_end "$CRECHE_DIR" "$PATIENCE_S"
  assert_equal "$(<"$CRECHE_DIR/status") $(sql "SELECT state, exitcode FROM processes")" '0 stopped|-9'
}

@test "at exit: children of children are joined as well" {
  local child

  start_creche
  start_parent
  child=$(TOKEN=$AUTHKEY start_blocked)
  api POST "/v1/processes/$PARENT/kill" >/dev/null
  kill -TERM "$CRECHE_MAIN"
  wait_until stop_is_waiting
  release "$child"
  _wait_end "$CRECHE_DIR" "$PATIENCE_S"
  assert_equal "$(<"$CRECHE_DIR/status") $(sql "SELECT exitcode FROM processes ORDER BY id" | xargs)" '0 -9 5'
}

# --------------------------------------------------------------------------- the death of a parent

@test "death of a parent: does nothing to its children" {
  local child

  start_parent
  child=$(TOKEN=$AUTHKEY start_blocked)
  api POST "/v1/processes/$PARENT/kill" >/dev/null
  assert_equal "$(exitcode_of "$PARENT")" -9
  assert_equal "$(field "$child" '"\(.state) \(.parent)"')" "started $PARENT"
  release "$child"
  assert_equal "$(api GET "/v1/processes/$child?wait=60" | jq .exitcode)" 5
}

@test "death of a parent: on_parent_death says what its children get" {
  local method child

  for method in "${METHODS[@]}"; do
    start_parent
    child=$(TOKEN=$AUTHKEY create_process "{\"argv\": [\"sleep\", \"1000\"], \"on_parent_death\": \"SIGUSR2\", \"start_method\": \"$method\"}")
    api POST "/v1/processes/$PARENT/terminate" >/dev/null
    assert_equal "$method: $(api GET "/v1/processes/$child?wait=60" | jq .exitcode)" "$method: -12"
  done
}

# ---------------------------------------------------------------------------------------- authkey

@test "authkey: each process has its own, and it opens its subtree only" {
  local parent parentkey child childkey other

  start_parent
  parent=$PARENT parentkey=$AUTHKEY
  TOKEN=$parentkey start_parent
  child=$PARENT childkey=$AUTHKEY
  other=$(ended)

  [[ $parentkey != "$childkey" ]] || fail 'a child has the key of its parent'
  assert_equal "$(TOKEN=$parentkey api GET /v1/processes | ids)" "[$child,$parent]"
  assert_equal "$(TOKEN=$childkey api GET /v1/processes | ids)" "[$child]"
  assert_equal "$(TOKEN=$parentkey http_code GET "/v1/processes/$child")" 200
  assert_equal "$(TOKEN=$parentkey http_code GET "/v1/processes/$other")" 404
  assert_equal "$(TOKEN=$parentkey tcp_code GET "/v1/processes/$child")" 200
  assert_equal "$(TOKEN=$childkey tcp_code GET "/v1/processes/$parent")" 404
}

@test "authkey: does nothing to anybody outside of the subtree, its parent included" {
  local parent other operation

  start_parent
  parent=$PARENT
  other=$(start_process sleep 1000)
  TOKEN=$AUTHKEY start_parent
  for operation in "POST %/kill" "POST %/terminate" "POST %/close" "POST %/join" "DELETE %" "GET %/logs" "GET %/children"; do
    for other in "$parent" "$other"; do
      TOKEN=$AUTHKEY api_status ${operation/\%//v1/processes/$other} >/dev/null
      [[ $STATUS == 404 || $STATUS == 403 ]] || fail "$operation: $STATUS"
    done
  done
  TOKEN=$AUTHKEY api_status PATCH "/v1/processes/$parent" '{"name": "mine"}' >/dev/null
  assert_problem 404 not_found
  assert_equal "$(field "$parent" .state) $(field "$other" .state)" 'started started'
}

@test "authkey: a request that carries a token is judged by the token alone, on the unix socket too" {
  TOKEN=ck-1-0000000000000000000000000000000000000000000000000000000000000000 api_status GET /v1/info >/dev/null
  assert_problem 401 unauthenticated
  start_parent
  TOKEN=$AUTHKEY api_status POST "/v1/processes/$(ended)/join" >/dev/null
  assert_problem 404 not_found
}

@test "authkey: dies with its process" {
  start_parent
  assert_equal "$(TOKEN=$AUTHKEY http_code GET /v1/processes/self)" 200
  api POST "/v1/processes/$PARENT/kill" >/dev/null
  exitcode_of "$PARENT" >/dev/null
  TOKEN=$AUTHKEY api_status GET /v1/processes/self >/dev/null
  assert_problem 401 unauthenticated
}

@test "authkey: what it streams into a stdin ends with its process" {
  local child to fifo=$BATS_TEST_TMPDIR/fifo

  start_parent
  child=$(TOKEN=$AUTHKEY create_process '{"argv": ["cat"], "stdin": "pipe"}')
  mkfifo "$fifo"
  TOKEN=$AUTHKEY http_code PUT "/v1/processes/$child/stdin" --header 'Content-Type: application/octet-stream' \
    --upload-file . <"$fifo" >"$BATS_TEST_TMPDIR/code" &
  exec {to}>"$fifo"
  printf before >&"$to"
  wait_until eval "[[ \$(api GET /v1/processes/$child/logs) == before ]]"
  api POST "/v1/processes/$PARENT/kill" >/dev/null
  exitcode_of "$PARENT" >/dev/null
  printf behind >&"$to"
  exec {to}>&-
  wait $!
  assert_equal "$(<"$BATS_TEST_TMPDIR/code")" 401
  api PUT "/v1/processes/$child/stdin?eof=1" >/dev/null
  assert_equal "$(output_of "$child")" before
}

@test "authkey: is never shown, by no GET, and stands in no file" {
  local child secret path

  start_parent
  child=$(TOKEN=$AUTHKEY start_process true)
  secret=${AUTHKEY##*-}
  for path in /v1/processes "/v1/processes/$PARENT" "/v1/processes/$child/parent" "/v1/processes/$PARENT/children" \
    "/v1/processes/$PARENT/logs" /v1/active_children /v1/processes/self /v1/info /openapi.json /healthz /readyz; do
    TOKEN=$AUTHKEY api GET "$path" --include
    api GET "$path" --include
  done >"$BATS_TEST_TMPDIR/shown" 2>&1
  assert_match "$(<"$BATS_TEST_TMPDIR/shown")" "\"id\":$PARENT,"
  assert_equal "$(grep -c -e "$secret" "$BATS_TEST_TMPDIR/shown")" 0
  assert_equal "$(grep -rl -e "$secret" "$CRECHE_DIR" 2>/dev/null)" ''
}

# ----------------------------------------------------------------- parent_process, current_process

@test "current_process: self is the process whose token it is" {
  local id

  id=$(start_process sh -c 'curl -sS --unix-socket "$CRECHE_SOCKET" -H "Authorization: Bearer $CRECHE_AUTHKEY" \
    "http://x/v1/processes/self" && echo && echo "$CRECHE_ID"')
  assert_equal "$(output_of "$id" | jq -c 'if type == "object" then .id else . end' | xargs)" "$id $id"

  api_status GET /v1/processes/self >/dev/null
  assert_problem 404 no_process
}

@test "parent_process: a process may see its parent, and who was started by an operator has none" {
  local grandparent parent

  start_parent
  grandparent=$PARENT
  TOKEN=$AUTHKEY start_parent
  parent=$PARENT
  assert_equal "$(TOKEN=$AUTHKEY api GET "/v1/processes/$parent/parent" | jq .id)" "$grandparent"
  assert_equal "$(api GET "/v1/processes/$parent/parent" | jq .id)" "$grandparent"

  api_status GET "/v1/processes/$grandparent/parent" >/dev/null
  assert_problem 404 no_parent
}

@test "parent_process: children lists what a process started, in any state" {
  local a b

  start_parent
  a=$(TOKEN=$AUTHKEY create_process '{"argv": ["true"], "start": false}')
  b=$(TOKEN=$AUTHKEY start_process true)
  TOKEN=$AUTHKEY exitcode_of "$b" >/dev/null
  assert_equal "$(api GET "/v1/processes/$PARENT/children" | ids)" "[$b,$a]"
  assert_equal "$(api GET "/v1/processes/$b/children" | ids)" '[]'
}

# -------------------------------------------------------------------------------------- bootstrap

@test "bootstrap: no signal is ignored, blocked or caught, whatever the daemon inherited" {
  local method

  trap '' HUP USR1 USR2 PIPE
  start_creche
  trap - HUP USR1 USR2 PIPE
  for method in "${METHODS[@]}"; do
    # Not grep, which catches a signal itself.
    assert_equal "$method $(output_of "$(create_process "{\"argv\": [\"cat\", \"/proc/self/status\"],
      \"start_method\": \"$method\"}")" | grep -E '^Sig(Pnd|Blk|Ign|Cgt):' | xargs)" \
      "$method SigPnd: 0000000000000000 SigBlk: 0000000000000000 SigIgn: 0000000000000000 SigCgt: 0000000000000000"
  done
}

@test "bootstrap: SIGPIPE ends who writes to nobody" {
  local method

  for method in "${METHODS[@]}"; do
    assert_equal "$method $(exitcode_of "$(create_process "{\"argv\": [\"bash\", \"-c\",
      \"set -o pipefail; yes | head -n 1; exit \${PIPESTATUS[0]}\"], \"start_method\": \"$method\"}")")" "$method 141"
  done
}

@test "bootstrap: stdin is /dev/null, and no descriptor but 0, 1 and 2 is open" {
  local method

  for method in "${METHODS[@]}"; do
    # Another process is in the middle of a start, and a stdin is a pipe: none of their descriptors may leak.
    start_blocked "{\"start_method\": \"$method\"}" >/dev/null
    assert_equal "$method $(output_of "$(create_process "{\"argv\": [\"sh\", \"-c\", \"ls /proc/\$\$/fd; readlink /proc/\$\$/fd/0; wc -c\"],
      \"start_method\": \"$method\"}")" | xargs)" "$method 0 1 2 /dev/null 0"
  done
}

@test "bootstrap: it leads a session and a process group of its own, without a terminal" {
  local method pid

  for method in "${METHODS[@]}"; do
    pid=$(api POST /v1/processes "{\"argv\": [\"sleep\", \"1000\"], \"start_method\": \"$method\"}" | jq .pid)
    assert_equal "$method $(ps -o sid=,pgid=,tty= -p "$pid" | xargs)" "$method $pid $pid ?"
  done
}

@test "bootstrap: the environment is what was asked for, six defaults, and how to reach the daemon" {
  local method id

  export CRECHE_TEST_LEAK=1 TEST_LEAK=1
  start_creche
  for method in "${METHODS[@]}"; do
    id=$(create_process "{\"argv\": [\"env\"], \"env\": {\"ASKED\": \"yes\", \"LANG\": \"de_DE.UTF-8\"}, \"start_method\": \"$method\"}")
    assert_equal "$method $(output_of "$id" | sed 's/^CRECHE_AUTHKEY=.*/CRECHE_AUTHKEY=/' | LC_ALL=C sort | xargs)" \
      "$method ASKED=yes CRECHE_AUTHKEY= CRECHE_ID=$id CRECHE_SOCKET=$CRECHE_SOCKET CRECHE_URL=$CRECHE_URL HOME=$(
        getent passwd "$EUID" | cut -d: -f6) LANG=de_DE.UTF-8 LOGNAME=$(id -un) PATH=$(
        ((EUID)) && echo /usr/local/bin:/usr/bin:/bin || echo /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
      ) SHELL=$(getent passwd "$EUID" | cut -d: -f7) USER=$(id -un)"
  done
  assert_equal "$(api POST /v1/processes '{"argv": ["env"], "env": {"ASKED": "yes"}}' | jq -c '.env | index("ASKED") != null')" true
}

@test "bootstrap: without TCP there is no CRECHE_URL" {
  start_creche --listen none
  assert_equal "$CRECHE_URL$(output_of "$(start_process env)" | grep -o '^CRECHE_[A-Z]*' | sort | xargs)" \
    'CRECHE_AUTHKEY CRECHE_ID CRECHE_SOCKET'
}
