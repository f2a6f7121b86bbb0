#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Many processes that are created together: POST /v1/processes:batch.

# helper.bash sets STATUS and BODY.
# shellcheck disable=SC2153
load helper

batch() { # JSON [CURL OPTION...]
  api_status POST /v1/processes:batch "$@" >/dev/null
}

# A batch of so many of the same.
many() { # N JSON
  jq -cn --argjson n "$1" --argjson one "$2" '{processes: [range($n) | $one]}'
}

# What became of each, on one line.
states() { jq -c '[.results[] | .process.state // .problem.code]' <<<"$BODY"; }
batch_ids() { jq -c '[.results[] | .process.id]' <<<"$BODY"; }
rows() { sql 'SELECT count(*) FROM process'; }

# A launch that leaves a line in WITNESS.
setup() {
  WITNESS=$BATS_TEST_TMPDIR/witness
  LAUNCH=$(jq -cn --arg witness "$WITNESS" '{argv: ["sh", "-c", "echo $CRECHE_ID >>$0; exit 3", $witness]}')
}

witnesses() { sort "$WITNESS" | uniq -c | awk '{ print $1 }' | sort -u | xargs; }

# Waits for all of them; prints the codes that there are.
codes() {
  api POST /v1/join "$(jq -c '{ids: [.results[].process.id]}' <<<"$BODY")" | jq -c '[.ready[].exitcode] | unique'
}

commits() { api GET /metrics | awk '$1 == "creche_commit_duration_seconds_count" { print $2 }'; }

@test "a thousand processes are started with one request, in its order" {
  batch "$(jq -cn --argjson one "$LAUNCH" '{processes: [range(1000) | $one + {name: "n\(.)"}]}')"
  assert_equal "$STATUS $(jq -c '[.results[].process.name] == [range(1000) | "n\(.)"]' <<<"$BODY")" '200 true'
  jq -e '[.results[].process.id] | . == sort and length == 1000' <<<"$BODY"
  jq -e 'all(.results[]; .process.pid and .replayed == false)' <<<"$BODY"
  assert_equal "$(codes) $(wc -l <"$WITNESS") $(witnesses)" '[3] 1000 1'
}

@test "the rows of a batch are written in one commit" {
  local before

  # So that nothing else is written meanwhile.
  start_creche
  for mode in all each; do
    before=$(commits)
    batch "$(many 64 '{"argv": ["true"], "start": false}' | jq -c --arg mode $mode '. + {mode: $mode}')"
    assert_equal "$STATUS $(($(commits) - before))" '200 1'
  done
}

@test "all: one that is refused refuses all, with its place, and no row is there" {
  local before place body code

  before=$(rows)
  while read -r place code body; do
    batch "{\"processes\": [$LAUNCH, $body, $LAUNCH]}"
    assert_problem 422 "$code" || fail "$body"
    assert_equal "$(jq -r '.errors[0].pointer' <<<"$BODY")" "$place"
  done <<'END'
/processes/1/argv invalid {"argv": []}
/processes/1/argv/1 invalid {"argv": ["true", 7]}
/processes/1/nonsense invalid {"argv": ["true"], "nonsense": 1}
/processes/1/target invalid {"target": "nonesuch"}
/processes/1/identity invalid {"argv": ["true"], "identity": "7:1"}
/processes/1/args invalid {"argv": ["true"], "args": ["x"]}
/processes/1 invalid 17
END
  assert_equal "$(rows)" "$before"
  [[ ! -e $WITNESS ]]
}

@test "each: one that is refused is a problem in its place, and the others run" {
  batch "{\"mode\": \"each\", \"processes\": [$LAUNCH, {\"argv\": []}, $LAUNCH, {\"target\": \"nonesuch\"}]}"
  assert_equal "$STATUS $(jq -c '[.results[] | .process.state // .problem.errors[0].pointer]' <<<"$BODY" |
    sed 's/"\(started\|stopped\)"/"runs"/g')" '200 ["runs","/processes/1/argv","runs","/processes/3/target"]'
  jq -e '.results[1] | keys == ["problem"] and .problem.code == "invalid" and .problem.status == 422' <<<"$BODY"
  BODY=$(jq -c '{results: [.results[0, 2]]}' <<<"$BODY")
  assert_equal "$(codes) $(wc -l <"$WITNESS")" '[3] 2'
}

@test "a program that cannot be executed is a failed process with a null code, and the others run" {
  local mode

  for mode in all each; do
    batch "{\"mode\": \"$mode\", \"processes\": [{\"argv\": [\"/nonesuch\"]}, $LAUNCH]}"
    assert_equal "$STATUS $(jq -c '.results[0].process | [.state, .exitcode, .pid, .exit.reason, .exit.errno]' <<<"$BODY")" \
      '200 ["failed",null,null,"exec_failed","ENOENT"]'
    assert_equal "$(exitcode_of "$(jq '.results[1].process.id' <<<"$BODY")")" 3
  done
  assert_equal "$(wc -l <"$WITNESS")" 2
}

@test "what is only to be created is started later" {
  local id

  batch "{\"processes\": [$(jq -c '.start = false' <<<"$LAUNCH"), $LAUNCH]}"
  id=$(jq '.results[0].process.id' <<<"$BODY")
  assert_equal "$STATUS $(jq -r '.results[0].process.state' <<<"$BODY")" '200 initial'
  api POST "/v1/processes/$id/start" >/dev/null
  assert_equal "$(exitcode_of "$id")" 3
}

@test "a batch is refused as a whole where it is none" {
  local body place

  while read -r place body; do
    batch "$body"
    assert_problem 422 invalid || fail "$body"
    assert_equal "$(jq -r '.errors[0].pointer' <<<"$BODY")" "$place"
  done <<END
/processes {}
/processes {"processes": []}
/processes {"processes": {}}
/processes $(many 1001 '{"argv":["true"]}')
/mode {"processes": [{"argv": ["true"]}], "mode": "some"}
/mode {"processes": [{"argv": ["true"]}], "mode": null}
/nonsense {"processes": [{"argv": ["true"]}], "nonsense": 1}
END
}

@test "a batch of 256 KiB is taken, a larger one is not" {
  local body size

  body=$(many 2 '{"argv": ["true", ""]}')
  size=$(((262144 - ${#body}) / 2))
  body=$(many 2 "$(jq -cn --arg x "$(printf 'x%.0s' $(seq $size))" '{argv: ["true", $x]}')")
  batch "$body"
  assert_equal "$STATUS" 200
  batch "$body   "
  assert_problem 413 too_large
}

@test "targets make no more of a batch than 4 MiB" {
  api PUT /v1/targets/large "$(jq -cn --arg x "$(printf 'x%.0s' {1..50000})" '{argv: ["true", $x]}')" >/dev/null
  batch "$(many 40 '{"target": "large"}')"
  assert_equal "$STATUS" 200
  batch "$(many 45 '{"target": "large"}')"
  assert_problem 422 invalid
}

@test "the same key gives the same processes, also after creched was killed" {
  local body ids key=(--header 'Idempotency-Key: again')

  start_creche
  body=$(many 20 "$LAUNCH")
  batch "$body" "${key[@]}"
  ids=$(batch_ids)
  assert_equal "$STATUS $(jq -c '[.results[].replayed] | unique' <<<"$BODY")" '200 [false]'
  batch "$body" "${key[@]}"
  assert_equal "$(batch_ids) $(jq -c '[.results[].replayed] | unique' <<<"$BODY")" "$ids [true]"
  kill_daemon
  batch "$body" "${key[@]}"
  assert_equal "$STATUS $(batch_ids) $(codes) $(wc -l <"$WITNESS")" "200 $ids [3] 20"
}

@test "the same key at once, 20 times, starts each process once" {
  local ids

  many 10 "$LAUNCH" >"$BATS_TEST_TMPDIR/body"
  # shellcheck disable=SC2016
  ids=$(seq 20 | xargs -P 10 -n 1 sh -c 'curl --silent --max-time 60 --unix-socket "$0" --header "Content-Type: application/json" \
    --header "Idempotency-Key: at-once" --data-binary "@$1" http://localhost/v1/processes:batch | jq -c "[.results[].process.id]"' \
    "$CRECHE_SOCKET" "$BATS_TEST_TMPDIR/body" | sort -u)
  assert_equal "$(wc -l <<<"$ids") $(jq length <<<"$ids")" '1 10'
  BODY=$(jq -c '{results: [.[] | {process: {id: .}}]}' <<<"$ids")
  assert_equal "$(codes) $(wc -l <"$WITNESS") $(witnesses)" '[3] 10 1'
}

@test "the same key with another body is refused, whichever processes of it are there" {
  local key=(--header 'Idempotency-Key: other') before mode

  batch "{\"mode\": \"each\", \"processes\": [{\"argv\": []}, $LAUNCH]}" "${key[@]}"
  assert_equal "$STATUS $(jq -r '.results[0].problem.code' <<<"$BODY")" '200 invalid'
  before=$(rows)
  batch "$(many 3 "$LAUNCH")" "${key[@]}"
  assert_problem 422 idempotency_mismatch
  batch "$(many 3 "$LAUNCH" | jq -c '.mode = "each"')" "${key[@]}"
  assert_equal "$STATUS $(states) $(rows)" \
    '200 ["idempotency_mismatch","idempotency_mismatch","idempotency_mismatch"]'" $before"
}

@test "a repeat creates again what was deleted, and finds the others" {
  local key=(--header 'Idempotency-Key: gone') body ids id

  body=$(many 3 "$LAUNCH")
  batch "$body" "${key[@]}"
  codes
  ids=$(batch_ids)
  id=$(jq '.[1]' <<<"$ids")
  api DELETE "/v1/processes/$id"
  batch "$body" "${key[@]}"
  jq -e --argjson was "$ids" '[.results[].process.id] | .[0] == $was[0] and .[1] > $was[2] and .[2] == $was[2]' <<<"$BODY"
}

@test "the key of a batch and that of a process are not the same" {
  batch "$(many 1 "$LAUNCH")" --header 'Idempotency-Key: both'
  assert_equal "$STATUS" 200
  api_status POST /v1/processes "$LAUNCH" --header 'Idempotency-Key: both' >/dev/null
  assert_equal "$STATUS $(response_header idempotency-replayed)" '201 '
}

@test "a key names what its batch has made, whatever became of the target" {
  local key=(--header 'Idempotency-Key: of-target') id

  api PUT /v1/targets/changing '{"argv": ["true"]}' >/dev/null
  batch '{"processes": [{"target": "changing"}]}' "${key[@]}"
  id=$(jq '.results[0].process.id' <<<"$BODY")
  api DELETE /v1/targets/changing
  batch '{"processes": [{"target": "changing"}]}' "${key[@]}"
  assert_equal "$STATUS $(jq '.results[0].process.id' <<<"$BODY")" "200 $id"
  batch '{"processes": [{"target": "changing"}]}' --header 'Idempotency-Key: new'
  assert_problem 422 invalid
}

@test "a token of targets starts nothing else by a batch" {
  local before

  api PUT /v1/targets/mine '{"argv": ["true"]}' >/dev/null
  api PUT /v1/targets/other '{"argv": ["true"]}' >/dev/null
  TOKEN=$(api POST /v1/tokens '{"name": "ci", "scopes": ["start", "read"], "targets": ["mine"]}' | jq -r .token)
  before=$(rows)
  for refused in "$LAUNCH" '{"target": "other"}' '{"argv": ["true"], "start": false}'; do
    batch "{\"processes\": [{\"target\": \"mine\"}, $refused]}"
    assert_problem 403 forbidden
    assert_equal "$(rows) $(jq -r '.errors[0].pointer' <<<"$BODY" | cut -d/ -f1-3)" "$before /processes/1"
  done
  batch "{\"mode\": \"each\", \"processes\": [{\"target\": \"mine\"}, $LAUNCH, {\"target\": \"other\"}]}"
  assert_equal "$STATUS $(jq -c '[.results[] | .problem.code]' <<<"$BODY") $(rows)" \
    "200 [null,\"forbidden\",\"forbidden\"] $((before + 1))"
  [[ ! -e $WITNESS ]]
}

@test "a batch needs the scope start, and what needs admin needs it there, too" {
  TOKEN=$(api POST /v1/tokens '{"name": "r", "scopes": ["read"]}' | jq -r .token) batch "$(many 1 "$LAUNCH")"
  assert_problem 403 forbidden
  TOKEN=$(api POST /v1/tokens '{"name": "s", "scopes": ["start", "read"]}' | jq -r .token)
  batch "$(many 1 "$(jq -c '.no_new_privs = false' <<<"$LAUNCH")")"
  assert_problem 403 forbidden
}

@test "a daemonic process starts none by a batch" {
  start_parent '{"daemon": true}'
  TOKEN=$AUTHKEY batch "$(many 2 "$LAUNCH")"
  assert_problem 403 daemon_no_children '/processes/0: daemonic processes are not allowed to have children'
}

@test "a process of a batch is the child of who asked, and told of in events and the audit trail" {
  local ids

  start_parent
  TOKEN=$AUTHKEY batch "$(many 2 "$LAUNCH")"
  ids=$(batch_ids)
  assert_equal "$(jq -c '[.results[].process.parent] | unique' <<<"$BODY")" "[$PARENT]"
  TOKEN=$AUTHKEY codes
  assert_equal "$(sql "SELECT count(*) FROM audit WHERE verb = 'start' AND process IN (${ids:1:-1})")" 2
  assert_equal "$(sql "SELECT group_concat(type, ' ') FROM event WHERE process = $(jq '.[1]' <<<"$ids")")" \
    'starting started stopped'
}
