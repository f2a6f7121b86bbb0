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
