#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# An Idempotency-Key names one process, however often and in whatever crash the request is repeated.

# helper.bash sets STATUS and BODY.
# shellcheck disable=SC2153
load helper

# POSTs a launch under a key; sets STATUS and BODY.
post() { # KEY JSON
  api_status POST /v1/processes "$2" --header "Idempotency-Key: $1" >/dev/null
}

# A launch that leaves a line in WITNESS.
setup() {
  WITNESS=$BATS_TEST_TMPDIR/witness
  LAUNCH=$(jq -cn --arg witness "$WITNESS" '{argv: ["sh", "-c", "echo $CRECHE_ID >>$0; exit 3", $witness]}')
}

witnesses() { sort "$WITNESS" | uniq -c | xargs; }

@test "the same key 50 times at once starts one process" {
  local method ids

  for method in spawn fork forkserver; do
    rm -f "$WITNESS"
    jq -c --arg method "$method" '. + {start_method: $method}' <<<"$LAUNCH" >"$BATS_TEST_TMPDIR/body"
    # shellcheck disable=SC2016
    ids=$(seq 50 | xargs -P 25 -n 1 sh -c 'curl --silent --max-time 60 --unix-socket "$0" --header "Content-Type: application/json" \
      --header "Idempotency-Key: $2" --data-binary "@$1" http://localhost/v1/processes' "$CRECHE_SOCKET" "$BATS_TEST_TMPDIR/body" "at-once-$method" >"$BATS_TEST_TMPDIR/answers"
      jq .id "$BATS_TEST_TMPDIR/answers" | sort | uniq -c | xargs)
    assert_match "$ids" '^50 [0-9]+$'
    assert_equal "$(exitcode_of "${ids#50 }")" 3
    assert_equal "$(witnesses)" "1 ${ids#50 }"
    assert_equal "$(sql "SELECT count(*) FROM process WHERE idempotency_key = 'at-once-$method'")" 1
  done
}

@test "the repeat is answered like the first, with Idempotency-Replayed" {
  local id

  post again "$LAUNCH"
  assert_equal "$STATUS $(response_header idempotency-replayed)" '201 '
  id=$(jq .id <<<"$BODY")
  exitcode_of "$id" >/dev/null

  post again "$LAUNCH"
  assert_equal "$STATUS $(jq -c '[.id, .exitcode]' <<<"$BODY") $(response_header idempotency-replayed)" "201 [$id,3] true"
  assert_equal "$(response_header location)" "/v1/processes/$id"
  assert_equal "$(witnesses)" "1 $id"
}

@test "the same key with another body is refused" {
  post other "$LAUNCH"
  exitcode_of "$(jq .id <<<"$BODY")" >/dev/null
  post other '{"argv": ["true"]}'
  assert_problem 422 idempotency_mismatch
  post other "${LAUNCH/exit 3/exit 4}"
  assert_problem 422 idempotency_mismatch
  assert_equal "$(wc -l <"$WITNESS")" 1
}

@test "another key, or none, is another process" {
  local first

  post one "$LAUNCH"
  first=$(jq .id <<<"$BODY")
  post two "$LAUNCH"
  [[ $(jq .id <<<"$BODY") != "$first" ]]
  [[ $(create_process "$LAUNCH") != "$first" ]]
}

@test "the key of a start that failed gives the same failure, and a refused request takes no key" {
  local id

  post failed '{"argv": ["/nonesuch"]}'
  assert_problem 422 exec_failed
  id=$(jq .process.id <<<"$BODY")
  post failed '{"argv": ["/nonesuch"]}'
  assert_problem 422 exec_failed
  assert_equal "$(jq .process.id <<<"$BODY")" "$id"

  post refused '{"argv": []}'
  assert_problem 422 invalid
  post refused "$LAUNCH"
  assert_equal "$STATUS" 201
}

@test "the key of a process that is only created" {
  local id

  post created "$(jq -c '.start = false' <<<"$LAUNCH")"
  id=$(jq .id <<<"$BODY")
  post created "$(jq -c '.start = false' <<<"$LAUNCH")"
  assert_equal "$(jq -c '[.id, .state]' <<<"$BODY")" "[$id,\"initial\"]"
  [[ ! -e $WITNESS ]]
}

@test "the keys of a process are its own" {
  local id

  post mine "$LAUNCH"
  id=$(jq .id <<<"$BODY")
  start_parent
  TOKEN=$AUTHKEY post mine "$LAUNCH"
  assert_equal "$STATUS $(jq ".id != $id" <<<"$BODY")" '201 true'
}

@test "after the daemon was killed or restarted the key still names its process" {
  local id

  start_creche
  post kept "$LAUNCH"
  id=$(jq .id <<<"$BODY")
  kill_daemon
  post kept "$LAUNCH"
  assert_equal "$STATUS $(jq .id <<<"$BODY")" "201 $id"
  restart_creche
  post kept "$LAUNCH"
  assert_equal "$STATUS $(jq -c '[.id, .exitcode]' <<<"$BODY")" "201 [$id,3]"
  post kept '{"argv": ["true"]}'
  assert_problem 422 idempotency_mismatch
  assert_equal "$(witnesses)" "1 $id"
}

@test "a client that repeats until it is answered starts one process, whenever the daemon is killed" {
  local n daemon client id

  start_creche
  for n in 1 2 3 4 5 6 7 8; do
    rm -f "$WITNESS"
    daemon=$(daemon_pid)
    until_answered "crash-$n" &
    client=$!
    sleep 0.00$n # anywhere in it: this one is luck, and no wait
    kill -KILL "$daemon"
    wait "$client"
    id=$(<"$BATS_TEST_TMPDIR/id")
    assert_equal "$(exitcode_of "$id") $(witnesses)" "3 1 $id"
  done
}

until_answered() { # KEY
  local id

  until id=$(api POST /v1/processes "$LAUNCH" --header "Idempotency-Key: $1" 2>/dev/null | jq '.id // empty') && [[ -n $id ]]; do
    :
  done
  printf '%s' "$id" >"$BATS_TEST_TMPDIR/id"
}

@test "a key that is empty, too long, doubled or not printable is refused" {
  local key

  for key in "$(printf 'x%.0s' {1..256})" 'with space' $'\xc3\xa4' $'tab\tbed'; do
    post "$key" "$LAUNCH"
    assert_problem 400 bad_request || fail "$key"
  done
  api_status POST /v1/processes "$LAUNCH" --header 'Idempotency-Key;' >/dev/null
  assert_problem 400 bad_request
  api_status POST /v1/processes "$LAUNCH" --header 'Idempotency-Key: a' --header 'Idempotency-Key: b' >/dev/null
  assert_problem 400 bad_request
  post "$(printf 'x%.0s' {1..255})" "$LAUNCH"
  assert_equal "$STATUS" 201
}
