#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# How long, how many, how large what stands in a body may be: the bounds of api/openapi.json, to the byte.

# shellcheck disable=SC2153
load helper

# jq FILTER, with s(N): a string of N bytes, and o(N): an object of N members.
make() {
  jq -cn 'def s($n): [range($n) | "a"] | join(""); def o($n): [range($n) | {key: "k\(.)", value: ""}] | from_entries; '"$1"
}

# The body that a jq filter makes, through a file: it may be too long for a command line.
post() { # PATH FILTER
  make "$2" >"$BATS_TEST_TMPDIR/body" || return
  api_status POST "$1" '' --header 'Content-Type: application/json' --data-binary "@$BATS_TEST_TMPDIR/body" >/dev/null
}

# FILTER with N for the bound is taken, with one more it is refused at POINTER.
bounded() { # PATH BOUND POINTER FILTER
  post "$1" "$2 as \$n | $4"
  [[ $STATUS != 422 || $(jq -r .code <<<"$BODY") != invalid || $(jq -r '.errors[0].detail' <<<"$BODY") == *'there is no'* ]] ||
    fail "$3 with $2: $BODY"
  post "$1" "($2 + 1) as \$n | $4"
  assert_problem 422 invalid || fail "$3 with $2 and one more"
  assert_equal "$(jq -r '.errors[0].pointer' <<<"$BODY")" "$3"
}

@test "labels: 64 of them, names of 255 bytes, values of 4096" {
  bounded /v1/processes 64 /labels '{argv: ["true"], labels: o($n)}'
  bounded /v1/processes 4096 /labels/a '{argv: ["true"], labels: {a: s($n)}}'
  post /v1/processes '{argv: ["true"], labels: {(s(255)): ""}}'
  assert_equal "$STATUS" 201
  post /v1/processes '{argv: ["true"], labels: {(s(256)): ""}}'
  assert_problem 422 invalid
  # Bytes, not characters.
  post /v1/processes '{argv: ["true"], labels: {a: ([range(2049) | "ä"] | join(""))}}'
  assert_problem 422 invalid
}

@test "environment: 4096 variables, names of 255 bytes, in env as in secrets" {
  local member

  for member in env secrets; do
    bounded /v1/processes 4096 "/$member" "{argv: [\"true\"], $member: o(\$n)}"
    post /v1/processes "{argv: [\"true\"], $member: {(s(255)): \"\"}}"
    assert_equal "$STATUS" 201
    post /v1/processes "{argv: [\"true\"], $member: {(s(256)): \"\"}}"
    assert_problem 422 invalid
  done
}

@test "arguments: 65536 of them, of 131071 bytes" {
  bounded /v1/processes 65536 /argv '{start: false, argv: (["true"] + [range($n - 1) | ""])}'
  bounded /v1/processes 131071 /argv/1 '{start: false, argv: ["true", s($n)]}'
}

@test "name, cwd, user, group: 255, 4095, 255, 255 bytes" {
  bounded /v1/processes 255 /name '{argv: ["true"], name: s($n)}'
  bounded /v1/processes 4095 /cwd '{start: false, argv: ["true"], cwd: ("/" + s($n - 1))}'
  bounded /v1/processes 255 /user '{argv: ["true"], user: s($n)}'
  bounded /v1/processes 255 /group '{argv: ["true"], group: s($n)}'
}

@test "names of tokens 64 bytes, codes of sessions 64" {
  bounded /v1/tokens 64 /name '{name: s($n), scopes: ["read"]}'
  tcp_status POST /v1/sessions/exchange "$(make '{code: s(65)}')" --header "Origin: $CRECHE_URL" \
    --header 'Sec-Fetch-Site: same-origin' >/dev/null
  assert_problem 422 invalid '/code: is longer than 64 bytes'
}

@test "a number of a user or group is decimal as it is written, or a name that nobody has" {
  local text member

  for member in user group; do
    for text in 00 000 01 +0 -0 ' 0' '0 ' 0x0 0e0 1e0 0.0 4294967295 4294967296 18446744073709551616 ٠; do
      post /v1/processes "{argv: [\"true\"], $member: \"$text\"}"
      assert_problem 422 invalid || fail "$member \"$text\""
    done
  done
  post /v1/processes "{argv: [\"true\"], user: \"$(id -u)\", group: \"$(id -g)\"}"
  assert_equal "$STATUS" 201
}

# jq knows such numbers only as they fit into a double: written by hand.
@test "seconds: whatever number JSON can write is a time, or refused; the longest is 317 years" {
  local number id

  id=$(ended)
  for number in 1e300 1.7976931348623157e308 1e10 10000000001 9223372036854775807; do
    assert_equal "$number $(http_code POST /v1/processes "{\"argv\": [\"true\"], \"timeout\": $number, \"grace\": $number}")" \
      "$number 201"
    assert_equal "$number $(http_code POST "/v1/processes/$id/join" "{\"timeout\": $number}")" "$number 200"
    assert_equal "$number $(http_code POST /v1/join "{\"ids\": [$id], \"timeout\": -$number}")" "$number 200"
    assert_equal "$number $(http_code POST /v1/tokens "{\"name\": \"t\", \"scopes\": [\"read\"], \"expires_in\": $number}")" \
      "$number 201"
  done
  assert_equal "$(sql 'SELECT max(timeout_us), max(grace_us) FROM process')" '10000000000000000|10000000000000000'
  assert_equal "$(http_code POST /v1/processes '{"argv": ["true"], "timeout": 1e-300, "grace": -0.0}')" 201
  for number in 1e309 -1e309 NaN Infinity -0.0 0 -1e300; do
    assert_match "$number $(http_code POST /v1/processes "{\"argv\": [\"true\"], \"timeout\": $number}")" " 4(00|22)$"
  done
  for number in 1e300 1e309 inf nan NaN 0x10 -0.0 -1 86400.1 1e; do
    assert_equal "$number $(http_code GET "/v1/processes/$id?wait=$number")" "$number 400"
  done
}
