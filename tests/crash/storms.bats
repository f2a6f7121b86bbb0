#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# SIGKILL at random moments and at each kill point, and power cuts, under the load of clients that check what
# they see; see storm.py. TIMES=... for more of them, SECONDS_MAX=... for an end.
#
# runs alone

BATS_TEST_TIMEOUT=900

HERE=${BATS_TEST_FILENAME%/*}

storm() { # SCENARIO [OPTION...]
  local status=0

  "$HERE/storm.py" --build "$BUILD" ${TIMES:+--times "$TIMES"} ${SECONDS_MAX:+--seconds "$SECONDS_MAX"} "$@" \
    >"$BATS_TEST_TMPDIR/out" 2>&1 || status=$?
  sed 's/^/# /' "$BATS_TEST_TMPDIR/out" >&3
  ((status != 77)) || skip "$(sed -n 's/^SKIPPED: //p' "$BATS_TEST_TMPDIR/out")"
  return "$status"
}

@test "500 SIGKILLs of creched at random moments lose nothing" {
  storm creched
}

@test "100 SIGKILLs of the forkserver lose nothing" {
  storm forkserver
}

@test "100 SIGKILLs of creche-init lose nothing" {
  storm init
}

@test "100 upgrades and SIGKILLs of creched lose nothing" {
  storm upgrade
}

@test "60 power cuts lose nothing that was acknowledged" {
  storm powercut
}

@test "a SIGKILL at each kill point, 20 times, loses nothing" {
  storm points
}

@test "memory and open files stay flat, over 20 seconds here" {
  SECONDS_MAX=20 storm soak
}
