#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The rules of multiprocessing.Process: construction, start, exit code. Each test is named after one rule.

# helper.bash sets STATUS, BODY, PARENT and AUTHKEY.
# shellcheck disable=SC2153
load helper

# ----------------------------------------------------------------------------------------- states

@test "state: initial until it is started, started while it runs, stopped when it has ended, closed when released" {
  local id

  id=$(start_blocked '{"start": false}')
  assert_equal "$(field "$id" '"\(.state) \(.pid) \(.exitcode) \(.started_at)"')" 'initial null null null'

  api POST "/v1/processes/$id/start" >/dev/null
  assert_equal "$(field "$id" '"\(.state) \(.pid > 0) \(.exitcode) \(.stopped_at)"')" 'started true null null'

  release "$id"
  assert_equal "$(exitcode_of "$id")" 5
  assert_equal "$(field "$id" '"\(.state) \(.pid > 0) \(.exitcode) \(.stopped_at != null)"')" 'stopped true 5 true'

  api POST "/v1/processes/$id/close"
  assert_equal "$(field "$id" '"\(.state) \(.exitcode)"')" 'closed 5'
}

@test "state: a process is unknown to who is not above it" {
  local other

  start_parent
  other=$(ended)
  TOKEN=$AUTHKEY api_status GET "/v1/processes/$other" >/dev/null
  assert_problem 404 not_found
}

# ----------------------------------------------------------------------------- identity and names

@test "identity: the parent's and a number that counts per parent" {
  local first second child

  first=$(api POST /v1/processes '{"argv": ["true"]}' | jq -r .identity)
  second=$(api POST /v1/processes '{"argv": ["true"]}' | jq -r .identity)
  assert_equal "$second" $((first + 1))

  start_parent
  assert_equal "$(field "$PARENT" .identity)" $((second + 1))
  for child in 1 2 3; do
    assert_equal "$(TOKEN=$AUTHKEY api POST /v1/processes '{"argv": ["true"]}' | jq -r .identity)" \
      "$((second + 1)):$child"
  done
  assert_equal "$(api POST /v1/processes '{"argv": ["true"]}' | jq -r .identity)" $((second + 2))
}

@test "identity: the number is consumed by construction, even when the process is never started or cannot be" {
  local first

  first=$(api POST /v1/processes '{"argv": ["true"], "start": false}' | jq -r .identity)
  assert_equal "$(api POST /v1/processes '{"argv": ["/nonesuch"]}' | jq -r .process.identity)" $((first + 1))
  assert_equal "$(api POST /v1/processes '{"argv": ["true"]}' | jq -r .identity)" $((first + 2))
}

@test "identity: a client may send its own if it extends its parent's by one number" {
  local wrong

  start_parent '{"identity": "7001"}'
  assert_equal "$(field "$PARENT" '"\(.identity) \(.name)"')" '7001 Process-7001'
  assert_equal "$(TOKEN=$AUTHKEY api POST /v1/processes '{"argv": ["true"], "identity": "7001:9"}' |
    jq -r '"\(.identity) \(.name)"')" '7001:9 Process-7001:9'

  for wrong in 7001 9 7002:1 7001:1:1 70011:1; do
    TOKEN=$AUTHKEY api_status POST /v1/processes "{\"argv\": [\"true\"], \"identity\": \"$wrong\"}" >/dev/null
    assert_problem 422 invalid || fail "$wrong"
    assert_equal "$(jq -r '.errors[0].pointer' <<<"$BODY")" /identity
  done
  api_status POST /v1/processes '{"argv": ["true"], "identity": "7001:1"}' >/dev/null
  assert_problem 422 invalid
}

@test "name: the default is Process- and the identity, '' means the default" {
  local name

  for name in '{}' '{"name": ""}'; do
    assert_equal "$(api POST /v1/processes "$(jq -c '{argv: ["true"]} + .' <<<"$name")" |
      jq '.name == "Process-" + .identity')" true
  done
  start_parent
  assert_match "$(TOKEN=$AUTHKEY api POST /v1/processes '{"argv": ["true"]}' | jq -r .name)" '^Process-[0-9]+:1$'
}

@test "name: is not unique" {
  local first second

  first=$(create_process '{"argv": ["true"], "name": "twin"}')
  second=$(create_process '{"argv": ["true"], "name": "twin"}')
  assert_equal "$(api GET '/v1/processes?name=twin' | ids)" "[$second,$first]"
}

@test "name: may be set at any time" {
  local id

  id=$(start_blocked '{"start": false}')
  assert_equal "$(api PATCH "/v1/processes/$id" '{"name": "before"}' | jq -r .name)" before
  api POST "/v1/processes/$id/start" >/dev/null
  assert_equal "$(api PATCH "/v1/processes/$id" '{"name": "düring \"it\""}' | jq -r .name)" 'düring "it"'
  release "$id"
  assert_equal "$(exitcode_of "$id")" 5
  assert_equal "$(api PATCH "/v1/processes/$id" '{"name": "after"}' | jq -r .name)" after
  assert_equal "$(api PATCH "/v1/processes/$id" '{"name": ""}' | jq '.name == "Process-" + .identity')" true
  assert_equal "$(sql "SELECT name = 'Process-' || identity FROM processes WHERE id = $id")" 1
}

# ------------------------------------------------------------------------------------------ start

@test "start: 'process object is closed'" {
  local id

  id=$(create_process '{"argv": ["true"], "start": false}')
  api POST "/v1/processes/$id/close"
  api_status POST "/v1/processes/$id/start" >/dev/null
  assert_problem 409 closed 'process object is closed'
}

@test "start: 'cannot start a process twice', neither while it runs nor when it has ended nor when it failed" {
  local id

  id=$(start_blocked)
  api_status POST "/v1/processes/$id/start" >/dev/null
  assert_problem 409 already_started 'cannot start a process twice'

  release "$id"
  exitcode_of "$id" >/dev/null
  api_status POST "/v1/processes/$id/start" >/dev/null
  assert_problem 409 already_started 'cannot start a process twice'

  id=$(api POST /v1/processes '{"argv": ["/nonesuch"]}' | jq .process.id)
  api_status POST "/v1/processes/$id/start" >/dev/null
  assert_problem 409 already_started 'cannot start a process twice'
}

@test "start: of two at once one wins, and one process runs" {
  local id witness=$BATS_TEST_TMPDIR/witness n

  for n in 1 2 3 4 5; do
    id=$(create_process "$(jq -cn --arg w "$witness" '{argv: ["sh", "-c", "echo run >>$0", $w], start: false}')")
    assert_equal "$(yes "POST /v1/processes/$id/start" | head -n 4 | api_many 4 | jq numbers | sort | xargs)" '200 409 409 409'
    assert_equal "$(exitcode_of "$id")" 0
    assert_equal "$(wc -l <"$witness")" "$n"
  done
}

@test "start: 'can only start a process object created by current process'" {
  local id

  start_parent
  id=$(TOKEN=$AUTHKEY create_process '{"argv": ["true"], "start": false}')
  api_status POST "/v1/processes/$id/start" >/dev/null
  assert_problem 403 not_creator 'can only start a process object created by current process'

  TOKEN=$AUTHKEY api_status POST "/v1/processes/$id/start" >/dev/null
  assert_equal "$STATUS" 200
}

@test "start: 'daemonic processes are not allowed to have children'; they may create one" {
  local id

  start_parent '{"daemon": true}'
  TOKEN=$AUTHKEY api_status POST /v1/processes '{"argv": ["true"]}' >/dev/null
  assert_problem 403 daemon_no_children 'daemonic processes are not allowed to have children'

  id=$(TOKEN=$AUTHKEY create_process '{"argv": ["true"], "start": false}')
  TOKEN=$AUTHKEY api_status POST "/v1/processes/$id/start" >/dev/null
  assert_problem 403 daemon_no_children 'daemonic processes are not allowed to have children'
  assert_equal "$(api GET "/v1/processes/$PARENT/children" | jq -c '[.processes[] | [.id, .state]]')" "[[$id,\"initial\"]]"
}

@test "start: is checked in this order: closed, twice, creator, daemonic" {
  local closed started created

  start_parent
  closed=$(TOKEN=$AUTHKEY create_process '{"argv": ["true"], "start": false}')
  TOKEN=$AUTHKEY api POST "/v1/processes/$closed/close"
  started=$(TOKEN=$AUTHKEY start_process true)
  created=$(TOKEN=$AUTHKEY create_process '{"argv": ["true"], "start": false}')

  # The operator is the creator of none of them.
  api_status POST "/v1/processes/$closed/start" >/dev/null
  assert_problem 409 closed
  api_status POST "/v1/processes/$started/start" >/dev/null
  assert_problem 409 already_started
  api_status POST "/v1/processes/$created/start" >/dev/null
  assert_problem 403 not_creator

  # A daemonic process may start none, but that is the last thing to be looked at.
  start_parent '{"daemon": true}'
  closed=$(TOKEN=$AUTHKEY create_process '{"argv": ["true"], "start": false}')
  TOKEN=$AUTHKEY api POST "/v1/processes/$closed/close"
  TOKEN=$AUTHKEY api_status POST "/v1/processes/$closed/start" >/dev/null
  assert_problem 409 closed
}

# ----------------------------------------------------------------------------------------- daemon

@test "daemon: is inherited from the creator at construction, unless it is given" {
  local id

  assert_equal "$(api POST /v1/processes '{"argv": ["true"]}' | jq .daemon)" false
  assert_equal "$(api POST /v1/processes '{"argv": ["true"], "daemon": true}' | jq .daemon)" true

  start_parent '{"daemon": true}'
  for id in '"x":' '"daemon": null, "x":' '"daemon": false, "x":'; do
    TOKEN=$AUTHKEY api POST /v1/processes "{\"argv\": [\"true\"], \"start\": false, ${id/\"x\":/\"name\": \"\"}}" | jq .daemon
  done | xargs >"$BATS_TEST_TMPDIR/daemon"
  assert_equal "$(<"$BATS_TEST_TMPDIR/daemon")" 'true true false'
}

@test "daemon: may be set until 'process has already started'" {
  local id

  id=$(start_blocked '{"start": false}')
  assert_equal "$(api PATCH "/v1/processes/$id" '{"daemon": true}' | jq .daemon)" true
  api POST "/v1/processes/$id/start" >/dev/null
  assert_equal "$(field "$id" .daemon)" true

  api_status PATCH "/v1/processes/$id" '{"daemon": false}' >/dev/null
  assert_problem 409 already_started 'process has already started'
  release "$id"
  exitcode_of "$id" >/dev/null
  api_status PATCH "/v1/processes/$id" '{"daemon": false}' >/dev/null
  assert_problem 409 already_started 'process has already started'
  assert_equal "$(field "$id" .daemon)" true
}

# --------------------------------------------------------------------------------------- exitcode

@test "exitcode: null until it ended, then 0..255" {
  local id code

  id=$(start_blocked)
  assert_equal "$(field "$id" '[.exitcode, .exit] | tojson')" '[null,null]'
  release "$id"
  assert_equal "$(exitcode_of "$id")" 5

  for code in 0 1 126 127 128 137 254 255; do
    id=$(start_process sh -c "exit $code")
    assert_equal "$(exitcode_of "$id")" "$code"
    assert_equal "$(field "$id" '[.exit | .reason, .code, .signal] | tojson')" "[\"exited\",$code,null]"
  done
}

@test "exitcode: -N for signal N" {
  local id signal

  for signal in 1 2 6 9 10 15 34 64; do
    id=$(start_process sh -c "kill -$signal \$\$")
    assert_equal "$(exitcode_of "$id")" "-$signal"
  done
  assert_equal "$(field "$id" '[.exit | .reason, .code] | tojson')" '["signaled",null]'

  id=$(start_process sh -c 'kill -SEGV $$')
  assert_equal "$(exitcode_of "$id") $(field "$id" .exit.signal)" '-11 SIGSEGV'
}

@test "exitcode: is the child's own, whatever its children do" {
  local id

  id=$(start_process sh -c 'sh -c "exit 9"; (exit 8) & wait; exit 3')
  assert_equal "$(exitcode_of "$id")" 3
}

# ----------------------------------------------------------------------------------- exec failure

@test "exec failure: 422 exec_failed, and a process in state failed without an exit code" {
  local file=$BATS_TEST_TMPDIR/file program expected method errno

  echo 'no program' >"$file"
  mkdir "$file.d"
  for method in "${METHODS[@]}"; do
    while read -r errno program; do
      api_status POST /v1/processes "{\"argv\": [\"$program\"], \"start_method\": \"$method\"}" >/dev/null
      assert_problem 422 exec_failed || fail "$method $program: $STATUS $BODY"
      expected="[\"failed\",null,\"exec_failed\",\"exec\",\"$errno\",null]"
      assert_equal "$method: $(jq -c '.process | [.state, .exitcode, (.exit | .reason, .stage, .errno, .code)]' <<<"$BODY")" \
        "$method: $expected"
      assert_equal "$(sql "SELECT state, exitcode, exit_reason, exit_stage, exit_errno, start_method FROM processes
        WHERE id = $(jq .process.id <<<"$BODY")")" "failed||exec_failed|exec|$errno|$method"
    done <<EOF
ENOENT nonesuch
ENOENT /nonesuch/program
ENOTDIR $file/program
EACCES $file
EACCES $file.d
EOF
  done
  # No shell takes a text for a script.
  chmod +x "$file"
  api_status POST /v1/processes "{\"argv\": [\"$file\"]}" >/dev/null
  assert_problem 422 exec_failed
  assert_equal "$(jq -r .process.exit.errno <<<"$BODY")" ENOEXEC
}

@test "exec failure: a step before the exec that fails is named, and the process has failed" {
  local method

  for method in "${METHODS[@]}"; do
    api_status POST /v1/processes "{\"argv\": [\"true\"], \"cwd\": \"/nonesuch\", \"start_method\": \"$method\"}" >/dev/null
    assert_equal "$method: $STATUS $(jq -c '.process | [.state, .exitcode, (.exit | .reason, .stage, .errno)]' <<<"$BODY")" \
      "$method: 422 [\"failed\",null,\"start_failed\",\"cwd\",\"ENOENT\"]"
  done
}

@test "exec failure: of a created process is the answer to its start" {
  local id

  id=$(create_process '{"argv": ["/nonesuch"], "start": false}')
  api_status POST "/v1/processes/$id/start" >/dev/null
  assert_problem 422 exec_failed
  assert_equal "$(field "$id" .state)" failed
}
