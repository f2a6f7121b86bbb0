#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What no client of good will sends: each gets a problem document of the right class, nothing is started, the server
# lives on, and its memory stays what it was. The bytes are in attacks.py; those who hold on and push in are in siege.bats.

# helper.bash sets STATUS, BODY, PARENT and AUTHKEY.
# shellcheck disable=SC2153
load helper

# The memory of a sanitizer is not the server's.
if [[ $BUILD =~ (asan|tsan|ubsan|coverage) ]]; then MEMORY_KB=3000000; else MEMORY_KB=65536; fi

setup() { BEFORE=$(fingerprint); }

# The same creched; no process was made; its memory is bounded.
teardown() {
  local rss

  if [[ -n ${BATS_TEST_COMPLETED:-} ]]; then
    rss=$(awk '/^VmHWM/ { print $2 }' "/proc/$(daemon_pid)/status")
    assert_equal "$(fingerprint)" "$BEFORE" && ((rss < MEMORY_KB)) || {
      echo "VmHWM: $rss kB" >&2
      BATS_TEST_COMPLETED=''
    }
  fi
  creche_teardown
  [[ -n ${BATS_TEST_COMPLETED:-} || -n ${BATS_TEST_SKIPPED:-} ]]
}

fingerprint() {
  printf '%s %s' "$(daemon_pid)" "$(sql 'SELECT count(*), max(id) FROM process')"
}

attack() { # GROUP...
  python3 "$HERE/attacks.py" "$@" >&2
}

@test "a first line that is none is refused, at once and wherever it comes" {
  attack first_line
}

@test "other protocols on the plain port get 400, HTTP/2 among them 505" {
  attack other_protocols
}

@test "a method that nobody has, TRACE and CONNECT do nothing" {
  attack methods
}

@test "a target that leads elsewhere, or nowhere, is refused" {
  attack targets
}

@test "a header that could be read in two ways, is folded or too large, is refused" {
  attack headers
}

@test "a host that is missing, doubled or none, and a foreign origin, are refused" {
  attack hosts
}

@test "a length that is doubled, no number or beside chunks smuggles nothing" {
  attack lengths
}

@test "a transfer coding other than chunked smuggles nothing" {
  attack codings
}

@test "a chunk that is not what it says smuggles nothing" {
  attack chunks
}

@test "an expectation other than 100-continue is refused, and so is a large body that is announced with it" {
  attack expectations
}

@test "who sends 64 MiB unasked gets to read why it is refused" {
  attack large_bodies
}

@test "SQL, shell, path and format characters in each query parameter do no harm" {
  attack poison
  assert_equal "$(sql 'SELECT count(*) FROM process WHERE id < 0')" 0
}

@test "numbers that are huge, negative or none in each query parameter are refused, or mean what they say" {
  attack numbers
}

@test "a query parameter that is repeated or unknown is refused" {
  attack repeated
}

@test "a body that is deep, doubled, no UTF-8 or wraps around starts nothing" {
  attack bodies
}

@test "a token that is forged, cut off, doubled or of another scheme opens nothing" {
  attack tokens
}

@test "what is unusual and right is served" {
  attack oddities
}

@test "a name with SQL and markup in it is a name" {
  local name id

  for name in "'); DROP TABLE process; --" '<script>alert(1)</script>' '%s%n' "' OR ''='" $'a\nb' '../../etc'; do
    id=$(create_process "$(jq -cn --arg name "$name" '{argv: ["true"], name: $name, start: false, labels: {"a": $name}}')")
    assert_equal "$(field "$id" .name)" "$name"
    assert_equal "$(api GET "/v1/processes?name=$(jq -rn --arg name "$name" '$name | @uri')" | ids)" "[$id]"
    assert_equal "$(api GET "/v1/processes?label=a%3D$(jq -rn --arg name "$name" '$name | @uri')" | ids)" "[$id]"
    api DELETE "/v1/processes/$id"
  done
  BEFORE=$(fingerprint)
}

@test "the output of a process is text to a browser, whatever is in it" {
  local id

  id=$(ended_with_output '<html><script>alert(1)</script>')
  BEFORE=$(fingerprint)
  api_status GET "/v1/processes/$id/logs" >/dev/null
  assert_equal "$BODY" '<html><script>alert(1)</script>'
  assert_match "$(response_header content-type)" '^text/plain'
  assert_equal "$(response_header x-content-type-options) $(response_header cache-control)" 'nosniff no-store'
}

ended_with_output() { # TEXT
  local id

  id=$(start_process printf %s "$1") && exitcode_of "$id" >/dev/null && printf '%s' "$id"
}

@test "a thousand ranges and a bad range get the whole log" {
  local id range

  id=$(ended_with_output 0123456789)
  BEFORE=$(fingerprint)
  range=bytes=$(seq -s , -f '%g-%g' 0 999 | cut -c 1-12000)
  for range in "$range" bytes=9-0 bytes=-99999999999999999999 bytes=0-0,0-0,0-0 nonsense; do
    api_status GET "/v1/processes/$id/logs" '' --header "Range: $range" >/dev/null
    assert_equal "$STATUS $BODY" '200 0123456789' || fail "$range"
  done
}
