#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What no client of good will sends: each gets a problem document of the right class, nothing is started, the server
# lives on, and its memory stays what it was. The bytes are in attacks.py, what holds on and lets go in holders.py.

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
