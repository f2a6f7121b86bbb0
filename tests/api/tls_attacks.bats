#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What attacks.bats and siege.bats try without TLS, through it: what is checked is what was encrypted.

load helper
load pki

setup_file() {
  export CRECHE_VIA=tcp
  make_pki
}

setup() {
  tls_options
  begin
}

begin() { # [OPTION...]
  start_creche "${TLS[@]}" "$@"
  ID=$(create_process '{"argv": ["sh", "-c", "cat >/dev/null; exit 5"], "stdin": "pipe"}')
  DAEMON=$(daemon_pid)
}

# The same creched lives, nothing was started, and the process has noticed nothing.
assert_unharmed() {
  assert_equal "$(daemon_pid)" "$DAEMON"
  assert_equal "$(sql 'SELECT count(*) FROM process')" 1
  api PUT "/v1/processes/$ID/stdin?eof=1"
  assert_equal "$(exitcode_of "$ID")" 5
}

attack() { # GROUP...
  python3 "$HERE/attacks.py" "$@" >&2
  assert_unharmed
}

siege() { # NAME [ARGUMENT...]
  python3 "$HERE/siege.py" "$@" >&2
  assert_unharmed
}

@test "through TLS: first lines, other protocols, methods and targets" {
  attack first_line other_protocols methods targets
}

@test "through TLS: headers, hosts and expectations" {
  attack headers hosts expectations
}

@test "through TLS: lengths, codings and chunks smuggle nothing" {
  attack lengths codings chunks
}

@test "through TLS: who sends 64 MiB unasked gets to read why it is refused" {
  attack large_bodies
}

@test "through TLS: bodies and tokens" {
  attack bodies tokens
}

@test "through TLS: what is unusual and right is served" {
  attack oddities
}

@test "through TLS: slow heads and bodies get 408" {
  begin --header-timeout 0.5 --body-timeout 0.5
  siege slow_heads
  begin --header-timeout 0.5 --body-timeout 0.5
  siege slow_bodies
}

@test "through TLS: a stream may take its time, but not stop" {
  begin --stream-timeout 1
  siege slow_stream "$ID"
}

@test "through TLS: who sends no more gets his answer, and half a request does nothing" {
  siege halves "$ID"
}

@test "through TLS: who breaks off, at any byte, changes nothing" {
  siege resets "$ID"
}

@test "through TLS: a thousand requests at once are answered in their order" {
  siege pipelines
}

@test "through TLS: who asks for much and reads nothing keeps nobody waiting" {
  siege deaf
}

@test "through TLS: one caller waits for no more than he may, and bodies take no more memory than they may" {
  begin --max-caller-parked 4
  siege too_many_waiting "$ID" 4 429
  begin --max-bodies 10000
  siege too_many_bodies 10000
}

@test "through TLS: an operator is served at once while others take all connections" {
  begin --max-connections 64
  siege operator_first 300 "$ID"
}
