#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Named targets: templates that are put by an admin, and started by their name; tokens that may start nothing else.

# helper.bash sets STATUS, BODY, PARENT and AUTHKEY.
# shellcheck disable=SC2153
load helper

# Prints what its arguments are, one a line.
readonly SHOW='{"argv": ["sh", "-c", "printf \"<%s>\\n\" \"$@\"", "sh", "--width={width}", "{file}"],
  "placeholders": [{"name": "file", "pattern": "[^-].*"}, {"name": "width", "pattern": "[0-9]{1,4}", "default": 800}]}'

put() { # NAME DEFINITION
  api_status PUT "/v1/targets/$1" "$2" >/dev/null
  [[ $STATUS == 20[01] ]] || fail "$BODY"
}

# Prints the output of a call.
output_of_call() { # JSON
  local id

  id=$(create_process "$1") && output_of "$id"
}

# Sets MINTED and TOKEN_ID: a token of targets.
mint() { # TARGETS (JSON ARRAY) [SCOPES (JSON ARRAY)]
  BODY=$(api POST /v1/tokens "$(jq -cn --argjson targets "$1" \
    --argjson scopes "${2:-[\"read\", \"start\", \"signal\", \"logs\", \"delete\"]}" \
    '{name: "ci", $scopes, $targets}')") || return
  MINTED=$(jq -er .token <<<"$BODY") || fail "$BODY" || return
  TOKEN_ID=$(jq .id <<<"$BODY")
}

# Each line of stdin is a body and the place in it that is refused.
assert_refused() { # METHOD PATH
  local body pointer n=0

  while IFS='|' read -r body pointer; do
    api_status "$1" "$2" "${body//¦/|}" >/dev/null
    assert_problem 422 invalid || fail "$body"
    assert_equal "$body $(jq -r '.errors[0].pointer' <<<"$BODY")" "$body $pointer" || fail "$BODY"
    n=$((n + 1))
  done
  ((n > 0))
}

# ------------------------------------------------------------------------------------------- targets

@test "a target is created with 201, shown as it was put, replaced with 200, and deleted" {
  api_status PUT /v1/targets/show "$SHOW" >/dev/null
  assert_equal "$STATUS $(response_header location)" '201 /v1/targets/show'
  assert_equal "$(api GET /v1/targets/show | jq -cS 'del(.name, .created_at, .updated_at)')" "$(jq -cS . <<<"$SHOW")"
  api_status PUT /v1/targets/show '{"argv": ["true"]}' >/dev/null
  assert_equal "$STATUS $(jq -c .argv <<<"$BODY")" '200 ["true"]'
  assert_equal "$(http_code DELETE /v1/targets/show)" 204
  api_status GET /v1/targets/show >/dev/null
  assert_problem 404 not_found "there is no target 'show'"
  assert_equal "$(http_code DELETE /v1/targets/show)" 404
}

@test "targets are listed in pages, newest first" {
  local page

  put page-a '{"argv": ["a"]}'
  put page-b '{"argv": ["b"]}'
  put page-a '{"argv": ["c"]}' # it stays where it is
  page=$(api GET '/v1/targets?limit=1')
  assert_equal "$(jq -r '.targets[].name' <<<"$page")" page-b
  page=$(api GET "/v1/targets?limit=1&cursor=$(jq -r .next <<<"$page")")
  assert_equal "$(jq -c '[.targets[] | .name, .argv]' <<<"$page")" '["page-a",["c"]]'
}

@test "of the environment of a target no answer and no view shows a value" {
  put env '{"argv": ["sh", "-c", "echo $KEY"], "env": {"KEY": "swordfish"}}'
  assert_equal "$(jq -c .env <<<"$BODY")" '["KEY"]'
  ! api GET /v1/targets | grep -qF swordfish || fail 'an answer shows it'
  ! sql 'SELECT * FROM targets' | grep -qF swordfish || fail 'the view shows it'
  assert_equal "$(output_of_call '{"target": "env"}')" swordfish
}

@test "a target that is wrong is refused with its place" {
  assert_refused PUT /v1/targets/wrong <<'EOF'
{}|/argv
{"argv": []}|/argv
{"argv": ["a", 1]}|/argv/1
{"argv": ["a", {"base64": "YQ=="}]}|/argv/1
{"argv": ["a", "{b}"]}|/argv/1
{"argv": ["a", "{b"], "placeholders": [{"name": "b", "pattern": ""}]}|/argv/1
{"argv": ["a", "b}"]}|/argv/1
{"argv": ["a", "{}"]}|/argv/1
{"argv": ["{b}"], "placeholders": [{"name": "b", "pattern": ""}]}|/argv/0
{"argv": ["a"], "placeholders": [{"name": "b", "pattern": ""}]}|/placeholders/0
{"argv": ["a", "{{b}}"], "placeholders": [{"name": "b", "pattern": ""}]}|/placeholders/0
{"argv": ["a", "{b}"], "placeholders": {"name": "b", "pattern": ""}}|/placeholders
{"argv": ["a", "{b}"], "placeholders": ["b"]}|/placeholders/0
{"argv": ["a", "{b}"], "placeholders": [{"pattern": ""}]}|/placeholders/0/name
{"argv": ["a", "{1}"], "placeholders": [{"name": "1", "pattern": ""}]}|/placeholders/0/name
{"argv": ["a", "{b}"], "placeholders": [{"name": "b", "pattern": ""}, {"name": "b", "pattern": ""}]}|/placeholders/1/name
{"argv": ["a", "{b}"], "placeholders": [{"name": "b"}]}|/placeholders/0/pattern
{"argv": ["a", "{b}"], "placeholders": [{"name": "b", "pattern": 1}]}|/placeholders/0/pattern
{"argv": ["a", "{b}"], "placeholders": [{"name": "b", "pattern": "["}]}|/placeholders/0/pattern
{"argv": ["a", "{b}"], "placeholders": [{"name": "b", "pattern": "a)¦(b"}]}|/placeholders/0/pattern
{"argv": ["a", "{b}"], "placeholders": [{"name": "b", "pattern": "(a)\\1"}]}|/placeholders/0/pattern
{"argv": ["a", "{b}"], "placeholders": [{"name": "b", "pattern": "((a{99}){99}){99}"}]}|/placeholders/0/pattern
{"argv": ["a", "{b}"], "placeholders": [{"name": "b", "pattern": "[0-9]+", "default": "x"}]}|/placeholders/0/default
{"argv": ["a", "{b}"], "placeholders": [{"name": "b", "pattern": ".*", "default": 1.5}]}|/placeholders/0/default
{"argv": ["a", "{b}"], "placeholders": [{"name": "b", "pattern": ".*", "description": 1}]}|/placeholders/0/description
{"argv": ["a", "{b}"], "placeholders": [{"name": "b", "pattern": ".*", "regex": 1}]}|/placeholders/0/regex
{"argv": ["a"], "description": 1}|/description
{"argv": ["a"], "secrets": {"A": "b"}}|/secrets
{"argv": ["a"], "name": "b"}|/name
{"argv": ["a"], "start": false}|/start
{"argv": ["a"], "stdin": {"text": "b"}}|/stdin
{"argv": ["a"], "cwd": "b"}|/cwd
{"argv": ["a"], "rlimits": {"nofile": [2, 1]}}|/rlimits/nofile/0
EOF
  assert_equal "$(http_code GET /v1/targets/wrong)" 404
}

@test "the name of a target is one of letters, digits, dots, dashes and underscores" {
  local name

  for name in a 1 A.b_c-d "$(printf 'x%.0s' {1..63})"; do
    assert_equal "$name $(http_code PUT "/v1/targets/$name" '{"argv": ["true"]}')" "$name 201"
  done
  for name in .a -a _a a%20b a+b "$(printf 'x%.0s' {1..64})"; do
    assert_equal "$name $(http_code PUT "/v1/targets/$name" '{"argv": ["true"]}')" "$name 404"
  done
}

# --------------------------------------------------------------------------------------------- calls

@test "argv is the template with the values of kwargs, args and defaults" {
  put show "$SHOW"
  assert_equal "$(output_of_call '{"target": "show", "kwargs": {"width": 90, "file": "a"}}')" $'<--width=90>\n<a>'
  assert_equal "$(output_of_call '{"target": "show", "args": ["a", "70"]}')" $'<--width=70>\n<a>'
  assert_equal "$(output_of_call '{"target": "show", "args": ["a"], "kwargs": {"width": 60}}')" $'<--width=60>\n<a>'
  assert_equal "$(output_of_call '{"target": "show", "kwargs": {"file": true}}')" $'<--width=800>\n<true>'
  put braces '{"argv": ["printf", "%s", "{{{a}}}-{a}"], "placeholders": [{"name": "a", "pattern": ".*"}]}'
  assert_equal "$(output_of_call '{"target": "braces", "args": ["{a}"]}')" '{{a}}-{a}'
}

@test "whatever a value is, it is one argument, and no shell sees it" {
  local value

  put show "$SHOW"
  for value in 'a b' "a'b" 'a"b' 'a$(echo b)' 'a;b|c&d' 'a*' $'a\nb' 'a{width}' 'a\' 'ä'; do
    assert_equal "$(output_of_call "$(jq -cn --arg v "$value" '{target: "show", args: [$v]}')")" $'<--width=800>\n<'"$value>"
  done
}

@test "a value must match its pattern as a whole" {
  put either '{"argv": ["echo", "{a}"], "placeholders": [{"name": "a", "pattern": "[0-9]+|x"}]}'
  assert_equal "$(output_of_call '{"target": "either", "args": ["12"]}')" 12
  assert_equal "$(output_of_call '{"target": "either", "args": ["x"]}')" x
  assert_refused POST /v1/processes <<'EOF'
{"target": "either", "args": ["12x"]}|/args/0
{"target": "either", "args": ["x12"]}|/args/0
{"target": "either", "args": ["12\n"]}|/args/0
{"target": "either", "args": ["12\nx"]}|/args/0
{"target": "either", "args": [""]}|/args/0
{"target": "either", "args": ["-12"]}|/args/0
{"target": "either", "args": [-12]}|/args/0
EOF
}

@test "a call that is wrong is refused with its place, and nothing is started" {
  local before

  put show "$SHOW"
  put labelled '{"argv": ["true"], "labels": {"a": "b"}}'
  before=$(sql 'SELECT count(*) FROM process')
  assert_refused POST /v1/processes <<'EOF'
{"target": "nonesuch"}|/target
{"target": 1}|/target
{"target": "show"}|/kwargs/file
{"target": "show", "kwargs": {"width": 1}}|/kwargs/file
{"target": "show", "kwargs": {"file": "a", "height": 1}}|/kwargs/height
{"target": "show", "kwargs": {"file": "-a"}}|/kwargs/file
{"target": "show", "kwargs": {"file": null}}|/kwargs/file
{"target": "show", "kwargs": {"file": "a", "width": 1.5}}|/kwargs/width
{"target": "show", "kwargs": {"file": "a", "width": []}}|/kwargs/width
{"target": "show", "kwargs": ["a"]}|/kwargs
{"target": "show", "args": {"file": "a"}}|/args
{"target": "show", "args": ["a", 1, 2]}|/args/2
{"target": "show", "args": ["a"], "kwargs": {"file": "a"}}|/kwargs/file
{"target": "show", "args": ["a"], "argv": ["true"]}|/argv
{"target": "show", "args": ["a"], "env": {}}|/env
{"target": "show", "args": ["a"], "secrets": {"LD_PRELOAD": "/tmp/x"}}|/secrets
{"target": "show", "args": ["a"], "cwd": "/tmp"}|/cwd
{"target": "show", "args": ["a"], "user": "root"}|/user
{"target": "show", "args": ["a"], "stdin": "pipe"}|/stdin
{"target": "show", "args": ["a"], "timeout": null}|/timeout
{"target": "labelled", "labels": {"c": "d"}}|/labels
{"argv": ["true"], "args": []}|/args
{"argv": ["true"], "kwargs": {}}|/kwargs
{"kwargs": {}}|/kwargs
EOF
  api_status POST /v1/processes "$(jq -cn '{target: "show", args: ["a" * 4097]}')" >/dev/null
  assert_problem 422 invalid '/args/0: is longer than 4096 bytes'
  assert_equal "$(sql 'SELECT count(*) FROM process')" "$before"
}

@test "a target makes no more of a small call than a body could bring" {
  local definition='{argv: (["true"] + [range(8) | "{x}" * 16]), placeholders: [{name: "x", pattern: "a*"}]}'

  put large "$(jq -cn "$definition")"
  api_status POST /v1/processes "$(jq -cn '{target: "large", args: ["a" * 2048], start: false}')" >/dev/null
  assert_problem 422 invalid '/target: makes arguments of more than 262144 bytes of these values'
  create_process "$(jq -cn '{target: "large", args: ["a" * 2047], start: false}')" >/dev/null
}

@test "what a target fixes, its processes have; a call adds a name, labels and daemon" {
  put fixed '{"argv": ["sh", "-c", "pwd; umask; ulimit -n"], "cwd": "/usr", "umask": "027", "rlimits": {"nofile": [77, 77]},
    "env": {"A": "b"}, "timeout": 100, "stderr": "stdout"}'
  BODY=$(api POST /v1/processes '{"target": "fixed", "name": "n", "labels": {"l": "m"}, "daemon": true}')
  assert_equal "$(jq -c '[.target, .name, .labels, .daemon, .cwd, (.env | index("A") != null)]' <<<"$BODY")" \
    '["fixed","n",{"l":"m"},true,"/usr",true]'
  assert_equal "$(output_of "$(jq .id <<<"$BODY")")" $'/usr\n0027\n77'
}

@test "a process shows the target that it was made from, and is listed by it" {
  local id

  put named '{"argv": ["true"]}'
  id=$(create_process '{"target": "named"}')
  start_process true
  assert_equal "$(api GET '/v1/processes?target=named' | ids)" "[$id]"
  assert_equal "$(api GET '/v1/processes?target=nonesuch' | ids)" '[]'
  assert_equal "$(sql "SELECT target FROM processes WHERE id = $id")" named
  assert_equal "$(field "$(start_process true)" .target)" null
}

@test "a created process stays what it is when its target is changed and deleted" {
  local id

  put changing "$SHOW"
  id=$(create_process '{"target": "changing", "args": ["a"], "start": false}')
  put changing '{"argv": ["false"]}'
  http_code DELETE /v1/targets/changing
  api_status PATCH "/v1/processes/$id" '{"name": "other"}' >/dev/null
  assert_equal "$STATUS $(jq -r .name <<<"$BODY")" '200 other'
  for body in '{"argv": ["false"]}' '{"env": {"A": "b"}}' '{"labels": {}}' '{"name": "x", "nice": 1}'; do
    api_status PATCH "/v1/processes/$id" "$body" >/dev/null
    assert_problem 422 invalid || fail "$body"
  done
  api_status POST "/v1/processes/$id/start" '{"secrets": {"A": "b"}}' >/dev/null
  assert_problem 422 invalid '/secrets: is fixed by the target'
  assert_equal "$(api POST "/v1/processes/$id/start" | jq -c '[.name, .target]')" '["other","changing"]'
  assert_equal "$(output_of "$id")" $'<--width=800>\n<a>'
}

@test "an Idempotency-Key names the process that a call has made, whatever became of its target" {
  local key='Idempotency-Key: resize' id

  put keyed '{"argv": ["sleep", "1000"]}'
  id=$(api POST /v1/processes '{"target": "keyed"}' --header "$key" | jq .id)
  put keyed '{"argv": ["true"]}'
  assert_equal "$(api POST /v1/processes '{"target": "keyed"}' --header "$key" | jq -c '[.id, .argv]')" "[$id,[\"sleep\",\"1000\"]]"
  put keyed '{"argv": ["echo", "{a}"], "placeholders": [{"name": "a", "pattern": ".*"}]}'
  assert_equal "$(api POST /v1/processes '{"target": "keyed"}' --header "$key" | jq .id)" "$id"
  http_code DELETE /v1/targets/keyed
  api_status POST /v1/processes '{"target": "keyed"}' --header "$key" >/dev/null
  assert_equal "$STATUS $(jq .id <<<"$BODY") $(response_header idempotency-replayed)" "201 $id true"
  # Another body, and another key, are told what is wrong.
  api_status POST /v1/processes '{"target": "keyed", "args": []}' --header "$key" >/dev/null
  assert_problem 422 idempotency_mismatch
  api_status POST /v1/processes '{"target": "keyed"}' --header "${key}2" >/dev/null
  assert_problem 422 invalid "/target: there is no target 'keyed'"
}

@test "who puts and deletes a target, and who starts it, is in the audit trail" {
  put audited '{"argv": ["true"]}'
  create_process '{"target": "audited"}'
  http_code DELETE /v1/targets/audited
  assert_equal "$(api GET '/v1/audit?limit=3&order=desc' | jq -r '.entries[] | "\(.who) \(.verb) \(.detail) \(.outcome)"')" \
    "uid $(id -u) target.delete audited done
uid $(id -u) start audited asked
uid $(id -u) target.put audited done"
}

# ----------------------------------------------------------------------------------- tokens of targets

@test "a token of targets starts these targets and nothing else" {
  local id other stranger before body

  put mine '{"argv": ["cat"], "stdin": "pipe"}'
  put other '{"argv": ["true"]}'
  mint '["mine"]'
  assert_equal "$(jq -c .targets <<<"$BODY")$(api GET "/v1/tokens/$TOKEN_ID" | jq -c .targets)" '["mine"]["mine"]'
  other=$(create_process '{"argv": ["true"], "start": false}')
  stranger=$(start_blocked)
  before=$(sql 'SELECT count(*) FROM process')
  for body in '{"argv": ["true"]}' '{"target": "other"}' '{"target": "nonesuch"}' '{"argv": ["true"], "start": false}'; do
    TOKEN=$MINTED api_status POST /v1/processes "$body" >/dev/null
    assert_problem 403 forbidden "token $TOKEN_ID (ci) may run what is made from these targets only: mine" || fail "$body"
  done
  TOKEN=$MINTED api_status POST "/v1/processes/$other/start" >/dev/null
  assert_problem 403 forbidden
  TOKEN=$MINTED api_status PATCH "/v1/processes/$other" '{"argv": ["false"]}' >/dev/null
  assert_problem 403 forbidden
  TOKEN=$MINTED api_status POST "/v1/processes/$other/close" >/dev/null
  assert_problem 403 forbidden
  TOKEN=$MINTED api_status PUT "/v1/processes/$stranger/stdin" --header 'Content-Type: application/octet-stream' --data-binary x >/dev/null
  assert_problem 403 forbidden
  TOKEN=$MINTED api_status POST "/v1/processes/$stranger/join" '{"timeout": 0}' >/dev/null
  assert_problem 403 forbidden
  assert_equal "$(sql 'SELECT count(*) FROM process') $(field "$other" '"\(.state) \(.argv[0])"')" "$before initial true"

  id=$(TOKEN=$MINTED create_process '{"target": "mine", "start": false}')
  assert_equal "$(TOKEN=$MINTED http_code POST "/v1/processes/$id/start")" 200
  assert_equal "$(TOKEN=$MINTED http_code PUT "/v1/processes/$id/stdin?eof=1" --header 'Content-Type: application/octet-stream' --data-binary hello)" 204
  assert_equal "$(TOKEN=$MINTED output_of "$id")" hello
  assert_equal "$(TOKEN=$MINTED http_code POST "/v1/processes/$id/close")" 204
  # What it may do beside is a matter of its scopes.
  assert_equal "$(TOKEN=$MINTED http_code POST "/v1/processes/$stranger/kill")" 200
}

@test "a token of targets waits for whatever it sees, and has joined what it may run only" {
  local mine stranger

  put mine '{"argv": ["true"]}'
  mint '["mine"]'
  stranger=$(create_process '{"argv": ["true"]}')
  mine=$(TOKEN=$MINTED create_process '{"target": "mine"}')
  assert_equal "$(TOKEN=$MINTED api POST /v1/join "{\"ids\": [$mine, $stranger], \"mode\": \"all\"}" | jq -c '.ready | length')" 2
  assert_equal "$(TOKEN=$MINTED api GET "/v1/processes/$stranger?wait=5" | jq -r .state)" stopped
  assert_equal "$(field "$stranger" .joined_at)" null
  assert_match "$(field "$mine" .joined_at)" 20
  assert_equal "$(http_code POST "/v1/processes/$stranger/join")" 200
  assert_match "$(field "$stranger" .joined_at)" 20
}

@test "the key of somebody else's process does not start it for a token of targets" {
  local key='Idempotency-Key: of-the-operator'

  put mine '{"argv": ["cat"], "stdin": "pipe"}'
  mint '["mine"]'
  assert_equal "$(http_code POST /v1/processes '{"argv": ["true"]}' --header "$key")" 201
  TOKEN=$MINTED api_status POST /v1/processes '{"argv": ["true"]}' --header "$key" >/dev/null
  assert_problem 403 forbidden
}

@test "a process that a token of targets has started can start these targets only, and so can its children" {
  local id key body
  # shellcheck disable=SC2016
  local tell='{"argv": ["sh", "-c", "echo $CRECHE_AUTHKEY; exec sleep 1000"]}'

  start_creche
  put tell "$tell"
  put true '{"argv": ["true"]}'
  mint '["tell", "true"]'
  id=$(TOKEN=$MINTED create_process '{"target": "tell"}')
  for depth in child grandchild; do
    wait_until eval "[[ -n \$(api GET /v1/processes/$id/logs) ]]"
    key=$(api GET "/v1/processes/$id/logs")
    [[ $depth != grandchild ]] || kill_daemon # and it is so after a crash
    for body in '{"argv": ["true"]}' "$tell" '{"target": "other"}'; do
      TOKEN=$key api_status POST /v1/processes "$body" >/dev/null
      assert_problem 403 forbidden "process $id may run what is made from these targets only: tell true" || fail "$body"
    done
    assert_equal "$(TOKEN=$key http_code POST /v1/processes '{"target": "true"}')" 201
    id=$(TOKEN=$key create_process '{"target": "tell"}')
  done
}

@test "a process that another has created is started with the limits of who starts it" {
  local id key

  start_creche
  # shellcheck disable=SC2016
  put tell '{"argv": ["sh", "-c", "echo $CRECHE_AUTHKEY; exec sleep 1000"]}'
  mint '["tell", "other"]'
  id=$(create_process '{"target": "tell", "start": false}')
  assert_equal "$(TOKEN=$MINTED http_code POST "/v1/processes/$id/start")" 200
  wait_until eval "[[ -n \$(api GET /v1/processes/$id/logs) ]]"
  key=$(api GET "/v1/processes/$id/logs")
  assert_equal "$(TOKEN=$key http_code POST /v1/processes '{"argv": ["true"]}')" 403
  kill_daemon
  assert_equal "$(TOKEN=$key http_code POST /v1/processes '{"argv": ["true"]}')" 403
  assert_equal "$(TOKEN=$key http_code POST /v1/processes '{"target": "tell"}')" 201
}

@test "a token of targets is limited to them after a crash, too" {
  start_creche
  put mine '{"argv": ["true"]}'
  mint '["mine"]'
  kill_daemon
  assert_equal "$(TOKEN=$MINTED http_code POST /v1/processes '{"argv": ["true"]}')" 403
  assert_equal "$(TOKEN=$MINTED http_code POST /v1/processes '{"target": "mine"}')" 201
}

@test "a token of targets cannot have the scope admin, and so changes no targets and mints nothing" {
  local method path

  assert_refused POST /v1/tokens <<'EOF'
{"name": "a", "scopes": ["start", "admin"], "targets": ["b"]}|/targets
{"name": "a", "scopes": ["start"], "targets": []}|/targets
{"name": "a", "scopes": ["start"], "targets": "b"}|/targets
{"name": "a", "scopes": ["start"], "targets": ["b", "b"]}|/targets/1
{"name": "a", "scopes": ["start"], "targets": ["b", "c d"]}|/targets/1
{"name": "a", "scopes": ["start"], "targets": ["b", 1]}|/targets/1
EOF
  mint '["mine"]'
  while read -r method path; do
    TOKEN=$MINTED api_status "$method" "$path" '{"argv": ["true"], "name": "a", "scopes": ["start"]}' >/dev/null
    assert_problem 403 forbidden "token $TOKEN_ID (ci) lacks the scope 'admin'" || fail "$method $path"
  done <<'EOF'
PUT /v1/targets/mine
DELETE /v1/targets/mine
POST /v1/tokens
POST /v1/sessions
POST /v1/backup
EOF
}

@test "a target grants nothing that who starts it has not" {
  put risen '{"argv": ["true"], "no_new_privs": false}'
  mint '["risen"]'
  TOKEN=$MINTED api_status POST /v1/processes '{"target": "risen"}' >/dev/null
  assert_problem 403 forbidden '/no_new_privs: only a token with the scope admin may let a process gain privileges'
  start_parent '{"daemon": true}'
  put mine '{"argv": ["true"]}'
  TOKEN=$AUTHKEY api_status POST /v1/processes '{"target": "mine"}' >/dev/null
  assert_problem 403 daemon_no_children
}
