#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Tokens: minted, used within their scopes, expired, revoked.

# helper.bash sets STATUS, BODY, PARENT and AUTHKEY.
# shellcheck disable=SC2153
load helper

DOC=$HERE/../../api/openapi.json
SCOPES=(read start signal logs delete admin)

# Sets MINTED (the token itself) and ID.
mint() { # SCOPES (JSON ARRAY) [MORE (JSON OBJECT)]
  BODY=$(api POST /v1/tokens "$(jq -cn --argjson scopes "$1" --argjson more "${2:-{\}}" \
    '{name: "ci", scopes: $scopes} + $more')") || return
  MINTED=$(jq -er .token <<<"$BODY") || fail "$BODY" || return
  ID=$(jq .id <<<"$BODY")
}

was_used() { # ID
  [[ $(api GET "/v1/tokens/$1" | jq -r .last_used_at) != null ]]
}

# Is refused with 401 and this code.
is_refused() { # TOKEN CODE
  TOKEN=$1 api_status GET /v1/info >/dev/null
  [[ "$STATUS $(jq -r .code <<<"$BODY")" == "401 $2" ]]
}

# ------------------------------------------------------------------------------------------- minting

@test "a token is told once, begins with creche_ and has 256 bits" {
  mint '["read"]'
  assert_match "$MINTED" '^creche_[0-9a-f]{64}$'
  assert_equal "$(api GET "/v1/tokens/$ID" | jq 'has("token")')" false
  assert_equal "$(api GET /v1/tokens | jq '[.tokens[] | has("token")] | any')" false
  mint '["read"]'
  assert_equal "$(api GET '/v1/tokens?limit=1' | jq -c '[.tokens[0].id, (.next != null)]')" "[$ID,true]"
}

@test "of a token only its SHA-256 is on the disk, and no view shows that" {
  local hash

  mint '["read"]'
  hash=$(printf '%s' "$MINTED" | sha256sum | cut -d ' ' -f 1)
  assert_equal "$(sql "SELECT lower(hex(hash)) FROM token WHERE id = $ID")" "$hash"
  ! grep -rqF "${MINTED#creche_}" "$CRECHE_STATE" || fail 'the token is in a file'
  ! grep -qF "${MINTED#creche_}" "$CRECHE_DIR/stderr" || fail 'the token is in the log'
  assert_equal "$(sql "SELECT name, scopes, created_by, expires_at FROM tokens WHERE id = $ID")" "ci|read|uid $(id -u)|"
  ! sql 'SELECT * FROM tokens' | grep -qi "$hash" || fail 'the view shows the hash'
}

@test "a token is let in on TCP and on the unix socket, within its scopes" {
  mint '["read"]'
  assert_equal "$(TOKEN=$MINTED tcp_code GET /v1/info)" 200
  assert_equal "$(TOKEN=$MINTED http_code GET /v1/info)" 200
  # The uid behind the socket does not help: the token alone counts.
  TOKEN=$MINTED api_status POST /v1/processes '{"argv": ["true"]}' >/dev/null
  assert_problem 403 forbidden "token $ID (ci) lacks the scope 'start'"
}

@test "a request for a token that is wrong is refused with its place" {
  local body pointer

  while IFS='|' read -r body pointer; do
    api_status POST /v1/tokens "$body" >/dev/null
    assert_problem 422 invalid || fail "$body"
    assert_equal "$body $(jq -r '.errors[0].pointer' <<<"$BODY")" "$body $pointer"
  done <<'EOF'
{"scopes": ["read"]}|/name
{"name": "", "scopes": ["read"]}|/name
{"name": "a\nb", "scopes": ["read"]}|/name
{"name": "0123456789012345678901234567890123456789012345678901234567890123x", "scopes": ["read"]}|/name
{"name": "a"}|/scopes
{"name": "a", "scopes": []}|/scopes
{"name": "a", "scopes": "read"}|/scopes
{"name": "a", "scopes": ["read", "write"]}|/scopes/1
{"name": "a", "scopes": ["read", "read"]}|/scopes/1
{"name": "a", "scopes": ["read"], "expires_in": 0}|/expires_in
{"name": "a", "scopes": ["read"], "expires_in": "1"}|/expires_in
{"name": "a", "scopes": ["read"], "expires_at": "tomorrow"}|/expires_at
{"name": "a", "scopes": ["read"], "expires_at": "2001-01-01T00:00:00Z"}|/expires_at
{"name": "a", "scopes": ["read"], "expires_in": 1, "expires_at": "2101-01-01T00:00:00Z"}|/expires_at
EOF
}

@test "a token cannot mint a token with more scopes than its own" {
  mint '["admin", "read"]'
  TOKEN=$MINTED api_status POST /v1/tokens '{"name": "more", "scopes": ["read", "start"]}' >/dev/null
  assert_problem 403 forbidden
  assert_equal "$(jq -r '.errors[0].pointer' <<<"$BODY")" /scopes
  TOKEN=$MINTED api_status POST /v1/tokens '{"name": "less", "scopes": ["read"]}' >/dev/null
  assert_equal "$STATUS $(jq -r .created_by <<<"$BODY")" "201 token $ID (ci)"
}

@test "a token that expires cannot mint one that lives longer" {
  local at

  mint '["admin"]' '{"expires_at": "2101-01-01T00:00:00Z"}'
  TOKEN=$MINTED api_status POST /v1/tokens '{"name": "longer", "scopes": ["admin"], "expires_at": "2101-01-01T00:00:01Z"}' >/dev/null
  assert_problem 403 forbidden
  at=$(TOKEN=$MINTED api POST /v1/tokens '{"name": "as long", "scopes": ["admin"]}' | jq -r .expires_at)
  assert_equal "$at" 2101-01-01T00:00:00.000000Z
}

@test "the token of a process cannot reach tokens" {
  local method path

  start_parent
  while read -r method path; do
    TOKEN=$AUTHKEY api_status "$method" "$path" '{"name": "a", "scopes": ["read"]}' >/dev/null
    assert_problem 403 forbidden || fail "$method $path"
  done <<'EOF'
POST /v1/tokens
GET /v1/tokens
GET /v1/tokens/1
DELETE /v1/tokens/1
EOF
}

# ------------------------------------------------------------------------------------------ scopes

# One line for each operation that asks for a scope: operationId METHOD path scope.
operations() {
  jq -r '.paths | to_entries[] | .key as $path | .value | to_entries[]
    | select(.value["x-creche-scopes"]) | "\(.value.operationId) \(.key | ascii_upcase) \($path) \(.value["x-creche-scopes"] | join(","))"' "$DOC"
}

# Sends the operation, with a body that it would do something with, as the token.
send() { # TOKEN OPERATION METHOD PATH
  local body

  # Sent without an id that is there, a refusal could be another one.
  body=$(jq -c --arg id "$2" --argjson process "$PROCESS" '.paths[][] | select(.operationId == $id)
    | .requestBody.content["application/json"].examples // empty | to_entries[0].value.value
    | if .argv then .argv = ["true"] else . end | if .ids then .ids = [$process] | .timeout = 0 else . end' "$DOC")
  [[ $2 != join_process ]] || body='{"timeout": 0}'
  [[ $2 != mint_token ]] || body='{"name": "of admin", "scopes": ["admin"]}'
  TOKEN=$1 api_status "$3" "$4" "$body" >/dev/null
}

@test "each operation is executed with its scope and refused, and not executed, with any other" {
  local name method path scopes scope before signer started=0
  declare -A token

  for scope in "${SCOPES[@]}"; do
    mint "[\"$scope\"]"
    token[$scope]=$MINTED
  done
  PROCESS=$(start_blocked)
  mint '["admin", "read", "logs"]' # a session has the last two, which nobody gives who lacks them
  signer=$MINTED
  mint '["read"]'
  before=$(sql "SELECT count(*), max(id), (SELECT count(*) FROM token WHERE revoked_at IS NULL) FROM process")

  while read -r name method path scopes; do
    path=${path/tokens\/\{id\}/tokens/$ID}
    path=${path/\{id\}/$PROCESS}
    path=${path/\{name\}/target}
    for scope in "${SCOPES[@]}"; do
      [[ $scope != "$scopes" ]] || continue
      send "${token[$scope]}" "$name" "$method" "$path"
      assert_problem 403 forbidden || fail "$name with $scope: $STATUS $BODY"
    done
  done < <(operations)
  assert_equal "$(field "$PROCESS" '"\(.state) \(.name)"')" "started $(field "$PROCESS" .name)"
  assert_equal "$(sql "SELECT count(*), max(id), (SELECT count(*) FROM token WHERE revoked_at IS NULL) FROM process")" "$before"

  # Those that only look or wait; what they would do to the process, the others have not done.
  while read -r name method path scopes; do
    path=${path/tokens\/\{id\}/tokens/$ID}
    path=${path/\{id\}/$PROCESS}
    path=${path/\{name\}/target}
    if [[ $name == create_session ]]; then
      send "$signer" "$name" "$method" "$path"
    else
      send "${token[$scopes]}" "$name" "$method" "$path"
    fi
    [[ $STATUS != 40[13] ]] || fail "$name with $scopes: $STATUS $BODY"
    started=$((started + 1))
  done < <(operations)
  ((started > 20)) || fail "only $started operations"
}

# ------------------------------------------------------------------------------ expired and revoked

@test "a token that has expired is refused with token_expired, after a restart as well" {
  start_creche
  mint '["read"]' '{"expires_in": 0.001}'
  wait_until is_refused "$MINTED" token_expired
  assert_equal "$(response_header www-authenticate)" 'Bearer realm="creche"'
  kill_daemon
  is_refused "$MINTED" token_expired
}

@test "a revoked token is refused at once with token_revoked, after the daemon was killed as well" {
  start_creche
  mint '["read", "admin"]'
  assert_equal "$(TOKEN=$MINTED http_code GET /v1/info)" 200
  # It may revoke itself.
  assert_equal "$(TOKEN=$MINTED http_code DELETE "/v1/tokens/$ID")" 204
  is_refused "$MINTED" token_revoked
  assert_equal "$(http_code DELETE "/v1/tokens/$ID")" 204
  assert_equal "$(api GET "/v1/tokens/$ID" | jq '.revoked_at != null')" true
  kill_daemon
  is_refused "$MINTED" token_revoked
  api_status DELETE /v1/tokens/4711 >/dev/null
  assert_problem 404 not_found
}

@test "a token that was acknowledged is let in after the daemon was killed" {
  start_creche
  mint '["read"]'
  kill_daemon
  assert_equal "$(TOKEN=$MINTED http_code GET /v1/info)" 200
}

@test "something like a token that is none is unauthenticated" {
  local text

  mint '["read"]'
  for text in creche_ "${MINTED%?}" "${MINTED}0" "${MINTED^^}" "creche_$(printf '%064d' 0)"; do
    is_refused "$text" unauthenticated || fail "$text: $STATUS $BODY"
  done
}

@test "a join that waits is answered with token_revoked when its token was revoked" {
  local id join

  start_creche
  mint '["start", "read"]'
  id=$(start_blocked)
  TOKEN=$MINTED api POST "/v1/processes/$id/join" >"$BATS_TEST_TMPDIR/join" &
  join=$!
  wait_until was_used "$ID"
  api DELETE "/v1/tokens/$ID"
  release "$id"
  wait "$join"
  assert_equal "$(jq -r '"\(.status) \(.code)"' "$BATS_TEST_TMPDIR/join")" '401 token_revoked'
}

@test "a log that is followed ends, and is not complete, when its token was revoked" {
  local id follow

  start_creche
  mint '["logs"]'
  id=$(create_process '{"argv": ["sh", "-c", "echo before; read line; echo after; exit 0"], "stdin": "pipe"}')
  TOKEN=$MINTED api GET "/v1/processes/$id/logs?follow=1" --no-buffer >"$BATS_TEST_TMPDIR/log" 2>/dev/null &
  follow=$!
  wait_until grep -q before "$BATS_TEST_TMPDIR/log"
  api DELETE "/v1/tokens/$ID"
  release "$id"
  ! wait "$follow" || fail 'the log looked complete'
  assert_equal "$(<"$BATS_TEST_TMPDIR/log")" before
}

# --------------------------------------------------------------------------------------------- who

@test "a token says when it was used, and who asked for an end says which token it was" {
  local id

  mint '["start", "signal"]'
  assert_equal "$(api GET "/v1/tokens/$ID" | jq .last_used_at)" null
  id=$(TOKEN=$MINTED start_process sleep 1000)
  TOKEN=$MINTED api POST "/v1/processes/$id/terminate" >/dev/null
  exitcode_of "$id" >/dev/null
  assert_equal "$(field "$id" .exit.requested_by)" "terminate by token $ID (ci)"
  assert_equal "$(field "$id" .parent)" null
  wait_until was_used "$ID"
}
