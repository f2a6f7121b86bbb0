#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# api/openapi.json is the contract: what it declares is served, and nothing else is answered.

# helper.bash sets STATUS and BODY.
# shellcheck disable=SC2153
load helper

DOC=$HERE/../../api/openapi.json

# One line for each operation: operationId METHOD path.
operations() { # [JQ CONDITION ON THE OPERATION]
  jq -r ".paths | to_entries[] | .key as \$path | .value | to_entries[] | select(.value | ${1:-true})
    | \"\(.value.operationId) \(.key | ascii_upcase) \(\$path)\"" "$DOC"
}

# What is wrong with the JSON on stdin by a schema of the document, one line each; nothing when all is right.
# The parts of JSON Schema that the document uses for answers.
schema_errors() { # SCHEMA (JSON)
  jq -r --slurpfile doc "$DOC" --argjson schema "$1" '
    def is($what): if $what == "integer" then type == "number" and . == floor else type == $what end;
    def errors($s; $at): . as $v
      | (if $s["$ref"] then errors($doc[0] | getpath($s["$ref"][2:] / "/"); $at) else empty end),
        (if $s.type and all($s.type | if type == "array" then .[] else . end; . as $t | $v | is($t) | not)
          then "\($at): \(tojson) is no \($s.type)" else empty end),
        (if $s | has("const") and .const != $v then "\($at): \(tojson) is not \($s.const)" else empty end),
        (if $s.enum and all($s.enum[]; . != $v) then "\($at): \(tojson) is not declared" else empty end),
        (if $s.oneOf and ([$s.oneOf[] as $one | [$v | errors($one; $at)] | select(. == [])] | length) != 1
          then "\($at): \(tojson) is not one of those declared" else empty end),
        (if type == "string" then
          (if $s.pattern and (test($s.pattern | split("\\u0000") | join("\\x00")) | not) then "\($at): \(tojson) is not like \($s.pattern)" else empty end)
        elif type == "number" then
          (if $s.minimum and . < $s.minimum or $s.maximum and . > $s.maximum
            then "\($at): \(.) is out of bounds" else empty end)
        elif type == "array" then
          (if $s.items then to_entries[] | .key as $i | .value | errors($s.items; "\($at)/\($i)") else empty end)
        elif type == "object" then
          (($s.required // []) - keys | .[] | "\($at)/\(.): is missing"),
          (keys[] as $k
            | if $s.properties[$k]? then .[$k] | errors($s.properties[$k]; "\($at)/\($k)")
              elif $s.additionalProperties == false then "\($at)/\($k): is not declared"
              elif $s.additionalProperties | type == "object" then .[$k] | errors($s.additionalProperties; "\($at)/\($k)")
              else empty end)
        else empty end);
    errors($schema; "")'
}

assert_schema() { # NAME, with the JSON in BODY
  assert_equal "$(schema_errors "{\"\$ref\": \"#/components/schemas/$1\"}" <<<"$BODY")" ''
}

# The answer that api_status or tcp_status got is one that the operation declares: its status, its required
# headers, its media type, its body, the code of its problem.
assert_declared() { # OPERATION_ID
  local response schema header type

  response=$(jq -c --arg id "$1" --arg status "$STATUS" '. as $doc
    | .paths[][] | select(.operationId == $id).responses[$status] // empty
    | if has("$ref") then . as $r | $doc | getpath($r["$ref"][2:] / "/") else . end
    | .headers = [.headers // {} | to_entries[] | .key as $name | (.value["$ref"][2:] / "/") as $at
                  | $doc | getpath($at) | select(.required) | $name]' "$DOC")
  [[ -n $response ]] || fail "$1: $STATUS is not declared: $BODY" || return

  for header in $(jq -r '.headers[]' <<<"$response"); do
    [[ -n $(response_header "$header") ]] || fail "$1: $STATUS without $header" || return
  done

  type=$(jq -r '.content // {} | keys[]' <<<"$response")
  [[ -n $type ]] || { assert_equal "$1: $BODY" "$1: " && return; } || return
  assert_match "$1: $(response_header content-type)" "^$1: ${type//[+.]/.}(;|\$)" || return
  [[ $type == *json ]] || return 0

  schema=$(jq -c '.content[].schema' <<<"$response")
  assert_equal "$1: $(schema_errors "$schema" <<<"$BODY")" "$1: " || return
  ((STATUS < 400)) || jq -e --arg code "$(jq -r .code <<<"$BODY")" '."x-creche-codes" | index($code)' \
    <<<"$response" >/dev/null || fail "$1: this code is not declared: $BODY"
}

ended_process() {
  local id

  id=$(start_process true) && api POST "/v1/processes/$id/join" >/dev/null && echo "$id"
}

# The first example of the request body of the operation, made quick and about the process ID.
example_body() { # OPERATION_ID ID
  jq -c --arg id "$1" --argjson process "$2" '.paths[][] | select(.operationId == $id)
    | .requestBody.content["application/json"].examples // empty | to_entries[0].value.value
    | if .argv then .argv = ["true"] else . end | if .ids then .ids = [$process] else . end' "$DOC"
}

# Sends the request with a body that the operation takes, if it takes any.
request_example() { # OPERATION_ID METHOD PATH ID [CURL OPTION...]
  local path=${3/\{id\}/$4} body

  body=$(example_body "$1" "$4")
  if [[ $1 == write_stdin ]]; then
    api_status "$2" "$path" '' --header 'Content-Type: application/octet-stream' --data-binary x "${@:5}"
  else
    api_status "$2" "$path" "$body" "${@:5}"
  fi >/dev/null
}

# ------------------------------------------------------------------------------------ the document

@test "each problem code stands in the enum, in a response and in an example with its status" {
  local enum

  enum=$(jq -c '.components.schemas.ProblemCode.enum | sort' "$DOC")
  assert_equal "$(jq -c '[.. | objects | ."x-creche-codes"? // empty | .[]] | unique' "$DOC")" "$enum"
  assert_equal "$(jq -c '[.components.examples[].value | select(.type? // "" | startswith("urn:")) | .code] | sort' "$DOC")" "$enum"
  assert_equal "$(jq -r '. as $doc | .paths[][] | .operationId as $id | .responses | to_entries[]
    | select(.key != "default") | .key as $status | .value
    | if has("$ref") then . as $r | $doc | getpath($r["$ref"][2:] / "/") else . end
    | ."x-creche-codes"[]? | select(($doc.components.examples[.].value.status | tostring) != $status)
    | "\($id) \($status): \(.)"' "$DOC")" ''
}

@test "/openapi.json serves the document" {
  assert_equal "$(api GET /openapi.json | jq -S .)" "$(jq -S . "$DOC")"
}

@test "the states of the document are those of the database" {
  assert_equal "$(sql "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = 'process'" | tr '\n' ' ' |
    grep -oP "\bstate\s+IN\s*\(\K[^)]*" | head -n 1 | grep -oP "'\K\w+" | sort)" \
    "$(jq -r '.components.schemas.ProcessState.enum[]' "$DOC" | sort)"
}

# -------------------------------------------------------------------------------------- operations

@test "each operation is served, and answers as it declares" {
  local name method path id

  while read -r name method path; do
    id=$(ended_process)
    request_example "$name" "$method" "$path" "$id"
    assert_declared "$name"
    # The process is there: a 404 could only be an unknown path.
    [[ $STATUS != 404 || $(jq -r .code <<<"$BODY") != not_found ]] || fail "$name: is not served"
  done < <(operations)
}

@test "each operation on a process that is not there is answered with 404 not_found" {
  local name method path

  while read -r name method path; do
    [[ $path == *'{id}'* ]] || continue
    request_example "$name" "$method" "$path" 4711000
    assert_problem 404 not_found || fail "$name: $STATUS $BODY"
    assert_declared "$name"
  done < <(operations)
}

@test "a method that a path does not declare is answered with 405 and those that it does" {
  local path method id declared

  id=$(ended_process)
  while read -r path declared; do
    for method in GET POST PUT PATCH DELETE; do
      [[ " $declared " != *" $method "* ]] || continue
      api_status "$method" "${path/\{id\}/$id}" >/dev/null
      assert_problem 405 method_not_allowed || fail "$method $path"
      assert_equal "$path: $(response_header allow | tr -d ' ' | tr ',' '\n' | grep -vxE 'HEAD|OPTIONS' | sort | xargs)" \
        "$path: $declared"
    done
  done < <(jq -r '.paths | to_entries[] | "\(.key) \(.value | keys | map(ascii_upcase) | sort | join(" "))"' "$DOC")
}

@test "a path that is not declared is answered with 404" {
  local path

  for path in / /v1 /v1/ /v2/processes /v1/process /v1/processes/ /v1/processes/0 /v1/processes/-1 /v1/processes/x \
    /v1/processes/1x /v1/processes/99999999999999999999 /v1/processes/1/nonsense /v1/processes//logs; do
    api_status GET "$path" >/dev/null
    assert_problem 404 not_found || fail "$path"
  done
}

@test "over TCP each operation but the public ones asks for a token" {
  local name method path

  while read -r name method path; do
    TOKEN='' tcp_status "$method" "${path/\{id\}/1}" >/dev/null
    assert_problem 401 unauthenticated || fail "$name"
    assert_declared "$name"
  done < <(operations '.security != []')

  while read -r name method path; do
    TOKEN='' tcp_status "$method" "$path" >/dev/null
    assert_equal "$name: $STATUS" "$name: 200"
    assert_declared "$name"
  done < <(operations '.security == []')
}

@test "a foreign Host is answered with 421" {
  tcp_status GET /v1/info --header 'Host: example.com' >/dev/null
  assert_problem 421 misdirected
  assert_declared info
}

@test "an unknown query parameter is refused by each operation" {
  local name method path id

  id=$(ended_process)
  while read -r name method path; do
    request_example "$name" "$method" "$path?nonsense=1" "$id"
    assert_problem 400 invalid_query || fail "$name: $STATUS $BODY"
    assert_declared "$name"
  done < <(operations)
}

@test "an unknown field is refused, and pointed at, by each operation that takes JSON" {
  local name method path id

  id=$(ended_process)
  while read -r name method path; do
    api_status "$method" "${path/\{id\}/$id}" "$(example_body "$name" "$id" | jq -c '.nonsense = 1')" >/dev/null
    assert_problem 422 invalid || fail "$name: $STATUS $BODY"
    assert_declared "$name"
    assert_equal "$name: $(jq -r '.errors[0].pointer' <<<"$BODY")" "$name: /nonsense"
  done < <(operations '.requestBody.content["application/json"]')
}

@test "a body that is not JSON is refused by each operation that takes JSON" {
  local name method path id

  id=$(ended_process)
  while read -r name method path; do
    api_status "$method" "${path/\{id\}/$id}" '{"argv": [' >/dev/null
    assert_problem 400 malformed || fail "$name: $STATUS $BODY"
    assert_declared "$name"
  done < <(operations '.requestBody.content["application/json"]')
}

@test "a body of another type is refused by each operation that takes JSON" {
  local name method path id

  id=$(ended_process)
  while read -r name method path; do
    api_status "$method" "${path/\{id\}/$id}" '' --header 'Content-Type: text/plain' --data-binary '{}' >/dev/null
    assert_problem 415 unsupported_media_type || fail "$name: $STATUS $BODY"
    assert_declared "$name"
  done < <(operations '.requestBody.content["application/json"]')
}

# Who does not wait for 100 may find the connection closed while he is still sending.
@test "a body over the declared limit is refused, one of just that size is read" {
  local name method path limit id file=$BATS_TEST_TMPDIR/body

  id=$(ended_process)
  while read -r name method path; do
    limit=$(jq -r --arg id "$name" '.paths[][] | select(.operationId == $id)["x-creche-body-limit"]' "$DOC")

    { printf '{"nonsense": 1'; head -c $((limit - 15)) /dev/zero | tr '\0' ' '; printf '}'; } >"$file"
    api_status "$method" "${path/\{id\}/$id}" '' --header 'Content-Type: application/json' \
      --header 'Expect: 100-continue' --data-binary "@$file" >/dev/null
    assert_problem 422 invalid || fail "$name: $STATUS $BODY"

    printf ' ' >>"$file"
    api_status "$method" "${path/\{id\}/$id}" '' --header 'Content-Type: application/json' \
      --header 'Expect: 100-continue' --data-binary "@$file" >/dev/null
    assert_problem 413 too_large || fail "$name: $STATUS $BODY"
    assert_declared "$name"
  done < <(operations '."x-creche-body-limit"')
}

# ------------------------------------------------------------------------------------------ bodies

@test "a process looks as declared in each state that a client can bring about" {
  local id

  api_status POST /v1/processes '{"argv": ["sleep", "100"], "start": false, "labels": {"a": "b"}}' >/dev/null
  assert_declared create_process
  assert_equal "$(jq -c '[.state, .pid, .exitcode, .exit, .started_at]' <<<"$BODY")" '["initial",null,null,null,null]'

  id=$(jq .id <<<"$BODY")
  api_status POST "/v1/processes/$id/start" >/dev/null
  assert_declared start_process
  assert_equal "$(jq -c '[.state, (.pid > 0), .exitcode]' <<<"$BODY")" '["started",true,null]'

  api_status POST "/v1/processes/$id/kill" >/dev/null
  assert_declared kill_process
  api_status POST "/v1/processes/$id/join" '{"timeout": 10}' >/dev/null
  assert_declared join_process
  assert_equal "$(jq -c '[.state, .exitcode, .exit.reason, .exit.signal, (.rusage | type)]' <<<"$BODY")" \
    '["stopped",-9,"signaled","SIGKILL","object"]'

  api_status POST "/v1/processes/$id/close" >/dev/null
  assert_declared close_process
  api_status GET "/v1/processes/$id" >/dev/null
  assert_declared get_process
  assert_equal "$(jq -c '[.state, .exitcode]' <<<"$BODY")" '["closed",-9]'

  api_status POST /v1/processes '{"argv": ["/nonesuch", {"base64": "/w=="}]}' >/dev/null
  assert_problem 422 exec_failed
  assert_declared create_process
  assert_equal "$(jq -c '.process | [.state, .pid, .exitcode, .exit.reason, .exit.errno, .argv[1]]' <<<"$BODY")" \
    '["failed",null,null,"exec_failed","ENOENT",{"base64":"/w=="}]'
}

@test "lists and joins look as declared" {
  local first second

  first=$(ended_process)
  second=$(start_process sleep 100)

  api_status GET '/v1/processes?limit=1' >/dev/null
  assert_declared list_processes
  assert_match "$(jq -r .next <<<"$BODY")" .
  api_status GET '/v1/processes?state=stopped,failed&daemon=0&parent=none&order=asc&start_method=spawn' >/dev/null
  assert_equal "$STATUS" 200
  assert_declared list_processes

  api_status GET /v1/active_children >/dev/null
  assert_schema ProcessSet
  assert_equal "$(jq --argjson id "$second" '[.processes[].id] | index($id) != null' <<<"$BODY")" true

  api_status POST /v1/join "{\"ids\": [$second, $first], \"mode\": \"any\"}" >/dev/null
  assert_declared join_processes
  assert_equal "$(jq -c '[[.ready[].id], .pending]' <<<"$BODY")" "[[$first],[$second]]"

  api_status POST "/v1/processes/$second/terminate" '{"tree": true}' >/dev/null
  assert_declared terminate_process
  assert_equal "$(jq .delivered <<<"$BODY")" true
}

@test "info counts the states of the document and tells the limits of the document" {
  api_status GET /v1/info >/dev/null
  assert_declared info
  assert_equal "$(jq -c '.limits | [.body_bytes, .argument_bytes, .list_max, .join_ids_max]' <<<"$BODY")" \
    "$(jq -c '[.paths["/v1/processes"].post["x-creche-body-limit"], .components.schemas.Text.oneOf[0].maxLength,
      .components.parameters.Limit.schema.maximum, .components.schemas.JoinProcessesRequest.properties.ids.maxItems]' "$DOC")"
}

@test "a repeated Idempotency-Key is answered with 201, the same process and Idempotency-Replayed" {
  local id

  api_status POST /v1/processes '{"argv": ["true"]}' --header 'Idempotency-Key: openapi' >/dev/null
  assert_equal "$STATUS $(response_header idempotency-replayed)" '201 '
  id=$(jq .id <<<"$BODY")
  assert_equal "$(response_header location)" "/v1/processes/$id"

  api_status POST /v1/processes '{"argv": ["true"]}' --header 'Idempotency-Key: openapi' >/dev/null
  assert_equal "$STATUS $(jq .id <<<"$BODY") $(response_header idempotency-replayed)" "201 $id true"
  assert_declared create_process

  api_status POST /v1/processes '{"argv": ["false"]}' --header 'Idempotency-Key: openapi' >/dev/null
  assert_problem 422 idempotency_mismatch
  assert_declared create_process
}

@test "an ETag that is still right is answered with 304" {
  local id name path tag

  id=$(ended_process)
  while read -r name path; do
    api_status GET "$path" >/dev/null
    tag=$(response_header etag)
    api_status GET "$path" '' --header "If-None-Match: $tag" >/dev/null
    assert_equal "$name: $STATUS" "$name: 304"
    assert_declared "$name"
  done <<<"get_process /v1/processes/$id"$'\n'"openapi /openapi.json"
}

# ---------------------------------------------------------------------------------------- examples

@test "the examples of api/examples do what they say" {
  local examples=$HERE/../../api/examples

  # The answers come from the server of this file, with its operator's rights.
  assert_equal "$("$examples/start-and-join.sh" sh -c 'exit 7' | jq .exitcode)" 7
  assert_equal "$("$examples/join-any.sh" | grep -c 'exit code 0$')" 3
  assert_equal "$("$examples/follow-logs.sh" | xargs)" 'one two three'
  assert_match "$("$examples/idempotent-start.sh")" '^first: process ([0-9]+), again: process '
  assert_equal "$(printf '%s\n' c a b | "$examples/feed-stdin.sh" | xargs)" 'a b c'
  assert_match "$("$examples/nested.sh")" 'child of process [0-9]+: exit code 3'
}
