#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The audit trail: who did what to which process or token, from where.

# helper.bash sets STATUS, BODY, PARENT and AUTHKEY.
# shellcheck disable=SC2153
load helper

# What was done to a process, oldest first: "verb detail outcome" each, on lines.
done_to() { # ID
  api GET "/v1/audit?process=$1&order=asc" | jq -r '.entries[] | "\(.verb) \(.detail) \(.outcome)"'
}

is_told() { # ID VERB
  done_to "$1" | grep -q "^$2 "
}

is_ready() { # ID
  [[ $(api GET "/v1/processes/$1/logs") == ready ]]
}

@test "each verb is told, in the order in which it happened" {
  local id

  id=$(start_blocked '{"start": false}')
  api PATCH "/v1/processes/$id" '{"name": "other"}' >/dev/null
  api POST "/v1/processes/$id/start" >/dev/null
  api PUT "/v1/processes/$id/stdin" --header 'Content-Type: application/octet-stream' --data-binary x
  api PUT "/v1/processes/$id/stdin" --header 'Content-Type: application/octet-stream' --data-binary x
  wait_until is_told "$id" stdin
  api POST "/v1/processes/$id/signal" '{"signal": "SIGCONT"}' >/dev/null
  wait_until is_told "$id" signal
  api POST "/v1/processes/$id/interrupt" '{"tree": true}' >/dev/null
  exitcode_of "$id" >/dev/null
  api POST "/v1/processes/$id/close"
  api DELETE "/v1/processes/$id"
  assert_equal "$(done_to "$id")" 'create null done
update null done
start null asked
stdin null done
signal SIGCONT asked
interrupt SIGINT tree asked
close null done
delete null done'
}

@test "terminate and kill are told; what changes nothing and what is refused is not" {
  local id

  id=$(start_process sh -c 'trap "" TERM; echo ready; while :; do sleep 0.01; done')
  wait_until is_ready "$id"
  api POST "/v1/processes/$id/terminate" >/dev/null
  assert_equal "$(http_code POST "/v1/processes/$id/close")" 409
  api POST "/v1/processes/$id/kill" >/dev/null
  exitcode_of "$id" >/dev/null
  api POST "/v1/processes/$id/kill" >/dev/null
  api POST "/v1/processes/$id/close"
  api POST "/v1/processes/$id/close"
  assert_equal "$(done_to "$id")" 'start null asked
terminate SIGTERM asked
kill SIGKILL asked
close null done'
}

@test "who is the uid with its pid on the unix socket, the token with its address on TCP, the process with its id" {
  local token id child entry

  id=$(start_process true)
  entry=$(api GET "/v1/audit?process=$id" | jq -c '.entries[0] | [.who, .uid, (.pid > 1), .address]')
  assert_equal "$entry" "[\"uid $(id -u)\",$(id -u),true,null]"

  token=$(api POST /v1/tokens '{"name": "ci", "scopes": ["start"]}')
  id=$(TOKEN=$(jq -r .token <<<"$token") tcp POST /v1/processes '{"argv": ["true"]}' | jq .id)
  entry=$(api GET "/v1/audit?process=$id" | jq -r '.entries[0] | "\(.who) \(.uid) \(.pid) \(.address)"')
  assert_match "$entry" "^token $(jq .id <<<"$token") \(ci\) null null 127\.0\.0\.1:[0-9]+$"

  start_parent
  child=$(TOKEN=$AUTHKEY start_process true)
  entry=$(api GET "/v1/audit?process=$child" | jq -c '.entries[0] | [.who, .uid]')
  assert_equal "$entry" "[\"process $PARENT\",$(id -u)]"

  id=$(tcp POST /v1/processes '{"argv": ["true"]}' | jq .id)
  assert_equal "$(api GET "/v1/audit?process=$id" | jq -r '.entries[0].who')" "the operator's token"
}

@test "minting and revoking are told, without the token" {
  local token id

  token=$(api POST /v1/tokens '{"name": "secret keeper", "scopes": ["start", "read"]}')
  id=$(jq .id <<<"$token")
  api DELETE "/v1/tokens/$id"
  api DELETE "/v1/tokens/$id"
  assert_equal "$(sql "SELECT verb, detail, outcome FROM audit WHERE token = $id")" 'token.mint|read start|done
token.revoke||done'
  ! sql .dump | grep -qF "$(jq -r '.token[7:]' <<<"$token")" || fail 'the token is in the database'
}

@test "no secret, argument or environment is in it" {
  local id

  id=$(create_process '{"argv": ["true", "hidden-argument"], "env": {"A": "hidden-env"}, "secrets": {"B": "hidden-secret"}}')
  assert_match "$(done_to "$id")" start
  ! sql 'SELECT * FROM audit_entry' | grep -q hidden || fail 'it tells'
}

@test "it only grows: rows can be neither changed, nor deleted, nor replaced" {
  local statement

  start_process true >/dev/null
  for statement in "UPDATE audit_entry SET who = 'nobody'" 'DELETE FROM audit_entry' \
    "INSERT OR REPLACE INTO audit_entry (id, at, who, verb, outcome) VALUES (1, 1, 'nobody', 'start', 'done')"; do
    run sql "$statement"
    ((status != 0)) || fail "$statement"
    assert_match "$output" 'the audit trail only grows'
  done
  assert_equal "$(sql "SELECT count(*) FROM audit WHERE who = 'nobody'")" 0
}

@test "what was done to a process is told when it has been deleted, and after the daemon was killed" {
  local id before

  start_creche
  id=$(ended)
  api DELETE "/v1/processes/$id"
  before=$(done_to "$id")
  assert_match "$before" 'delete null done'
  kill_daemon
  assert_equal "$(done_to "$id")" "$before"
}

@test "an Idempotency-Key that is repeated is one start" {
  local id

  id=$(api POST /v1/processes '{"argv": ["true"]}' --header 'Idempotency-Key: audit' | jq .id)
  assert_equal "$(api POST /v1/processes '{"argv": ["true"]}' --header 'Idempotency-Key: audit' | jq .id)" "$id"
  assert_equal "$(done_to "$id")" 'start null asked'
}

@test "the list has pages, and filters by process, who and time" {
  local all next

  start_creche
  for _ in 1 2 3; do ended >/dev/null; done
  TOKEN=$CRECHE_TOKEN ended >/dev/null
  all=$(api GET /v1/audit | jq -c '[.entries[].id]')
  assert_equal "$all" '[4,3,2,1]'
  next=$(api GET '/v1/audit?limit=3&order=asc' | jq -r .next)
  assert_equal "$(api GET "/v1/audit?limit=3&order=asc&cursor=$next" | jq -c '[[.entries[].id], .next]')" '[[4],null]'
  assert_equal "$(api GET "/v1/audit?who=uid%20$(id -u)" | jq -c '[.entries[].id]')" '[3,2,1]'
  assert_equal "$(api GET "/v1/audit?process=2" | jq -c '[.entries[].id]')" '[2]'
  assert_equal "$(api GET "/v1/audit?process=2&order=asc&limit=1" | jq -c '[[.entries[].id], .next]')" '[[2],null]'
  assert_equal "$(api GET "/v1/audit?until=$(sql 'SELECT at FROM audit WHERE id = 3')" | jq -c '[.entries[].id]')" '[2,1]'
  assert_equal "$(api GET "/v1/audit?since=$(sql 'SELECT at FROM audit WHERE id = 3')" | jq -c '[.entries[].id]')" '[4,3]'
}

@test "who has no admin cannot read it" {
  start_parent
  TOKEN=$AUTHKEY api_status GET /v1/audit >/dev/null
  assert_problem 403 forbidden
}

@test "a signal to the rest of the tree of a process that has ended is told before it goes out" {
  local id

  [[ $(api GET /v1/info | jq -r .features.tree) == control_group ]] || skip 'no control groups here'
  id=$(start_process sh -c 'sleep 1000 & exit 0')
  exitcode_of "$id" >/dev/null
  assert_equal "$(api POST "/v1/processes/$id/kill" '{"tree": true}' | jq .delivered)" true
  assert_equal "$(done_to "$id")" 'start null asked
kill SIGKILL tree asked'
}
