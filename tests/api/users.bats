#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# A token is no way to become somebody else. For root only: nobody else can run processes as others.

# helper.bash sets STATUS and BODY.
# shellcheck disable=SC2153
load helper

setup() {
  [[ $(id -u) == 0 ]] || skip 'not root'
}

# Sets AUTHKEY to the key of a process of nobody's that runs.
start_as_nobody() {
  local id

  # shellcheck disable=SC2016
  id=$(create_process '{"argv": ["sh", "-c", "echo $CRECHE_AUTHKEY; exec sleep 1000"], "user": "nobody", "cwd": "/"}')
  wait_until has_written "$id"
  AUTHKEY=$(api GET "/v1/processes/$id/logs")
}

has_written() { # ID
  (($(field "$1" .stdout_bytes) > 0))
}

as_nobody() { # JSON
  start_as_nobody && TOKEN=$AUTHKEY create_process "$1"
}

@test "users: what a process of another user starts runs as that user" {
  local id

  id=$(as_nobody '{"argv": ["id", "-un"], "cwd": "/"}')
  assert_equal "$(output_of "$id")" nobody
}

@test "users: a process of another user can name no user or group but its own" {
  local field

  start_as_nobody
  for field in '"user": "root"' '"user": 0' '"user": "daemon"' '"group": "root"' '"user": "nobody", "group": 0'; do
    TOKEN=$AUTHKEY api_status POST /v1/processes "{\"argv\": [\"id\"], $field}" >/dev/null
    assert_problem 403 forbidden || fail "$field"
  done
  assert_equal "$(TOKEN=$AUTHKEY http_code POST /v1/processes '{"argv": ["true"], "cwd": "/", "user": "nobody"}')" 201
}

@test "users: neither by creating first and starting later, nor by PATCH" {
  local id

  start_as_nobody
  id=$(TOKEN=$AUTHKEY create_process '{"argv": ["id", "-un"], "cwd": "/", "start": false}')
  assert_equal "$(TOKEN=$AUTHKEY http_code PATCH "/v1/processes/$id" '{"user": "root"}')" 403
  TOKEN=$AUTHKEY api POST "/v1/processes/$id/start" >/dev/null
  assert_equal "$(output_of "$id")" nobody
}

@test "users: nor after the daemon was killed" {
  local id

  start_creche
  start_as_nobody
  kill_daemon
  assert_equal "$(TOKEN=$AUTHKEY http_code POST /v1/processes '{"argv": ["id"], "user": "root"}')" 403
  id=$(TOKEN=$AUTHKEY create_process '{"argv": ["id", "-un"], "cwd": "/"}')
  assert_equal "$(output_of "$id")" nobody
}

@test "users: a process of another user cannot raise limits or priority beyond what the kernel grants it" {
  local field

  start_as_nobody
  for field in '"nice": -20' '"rlimits": {"nofile": [1000000, 1000000]}'; do
    TOKEN=$AUTHKEY api_status POST /v1/processes "{\"argv\": [\"true\"], \"cwd\": \"/\", $field}" >/dev/null
    assert_problem 422 exec_failed || fail "$field"
    assert_equal "$(jq -r .process.exit.stage <<<"$BODY")" limits
  done
}

@test "users: who has no home begins in /" {
  local id

  [[ ! -d $(getent passwd nobody | cut -d: -f6) ]] || skip 'nobody has a home here'
  id=$(create_process '{"argv": ["pwd"], "user": "nobody"}')
  assert_equal "$(output_of "$id")" /
}

# ------------------------------------------------------------------------------------- privileges

# What a setuid program of root's, executed by nobody, finds itself to be. By descriptor: nobody need not be able
# to reach it by its path.
effective_uid() { # JSON
  local program=$BATS_FILE_TMPDIR/id id

  install -m 4755 "$(command -v id)" "$program"
  id=$(create_process "$(jq -c --arg program "$program" '{argv: ["sh", "-c",
    "exec 3<$0 setpriv --reuid nobody --clear-groups /proc/self/fd/3 -u", $program]} + .' <<<"$1")") || return
  output_of "$id"
}

@test "users: a setuid program gains nothing, unless the operator lets it" {
  local method

  [[ ,$(findmnt -no OPTIONS -T "$BATS_FILE_TMPDIR"), != *,nosuid,* ]] || skip "nosuid: $BATS_FILE_TMPDIR"
  for method in "${METHODS[@]}"; do
    assert_equal "$method $(effective_uid "{\"start_method\": \"$method\"}")" "$method $(id -u nobody)"
    assert_equal "$method $(effective_uid "{\"start_method\": \"$method\", \"no_new_privs\": false}")" "$method 0"
  done
}

@test "users: a child of another user has no capability and no new privileges; one of root's has root's" {
  local method as

  for method in "${METHODS[@]}"; do
    as=$(output_of "$(create_process "{\"argv\": [\"cat\", \"/proc/self/status\"], \"user\": \"nobody\", \"cwd\": \"/\",
      \"start_method\": \"$method\"}")")
    assert_equal "$(awk '/^(Cap|NoNewPrivs)/ { printf "%s", $2 }' <<<"$as")" "$(printf '0%.0s' {1..80})1"
    as=$(output_of "$(create_process "{\"argv\": [\"cat\", \"/proc/self/status\"], \"start_method\": \"$method\"}")")
    assert_equal "$(grep -E '^Cap(Bnd|Eff)|NoNew' <<<"$as")" \
      "$(grep -E '^Cap(Bnd|Eff)' /proc/self/status)"$'\nNoNewPrivs:\t1'
  done
}

@test "users: no_new_privs=false needs the scope admin, which no process has: to create, to change, or to start" {
  local id

  start_parent
  TOKEN=$AUTHKEY api_status POST /v1/processes '{"argv": ["true"], "no_new_privs": false}' >/dev/null
  assert_problem 403 forbidden
  assert_equal "$(jq -r .errors[0].pointer <<<"$BODY")" /no_new_privs
  assert_equal "$(TOKEN=$AUTHKEY http_code POST /v1/processes '{"argv": ["true"], "no_new_privs": false, "start": false}')" 403
  id=$(TOKEN=$AUTHKEY create_process '{"argv": ["true"], "no_new_privs": true, "start": false}')
  assert_equal "$(TOKEN=$AUTHKEY http_code PATCH "/v1/processes/$id" '{"no_new_privs": false}')" 403
  assert_equal "$(TOKEN=$AUTHKEY http_code POST "/v1/processes/$id/start")" 200
  api_status POST /v1/processes '{"argv": ["true"], "no_new_privs": null}' >/dev/null
  assert_problem 422 invalid
}
