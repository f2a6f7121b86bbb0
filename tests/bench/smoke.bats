#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# That the benchmark works, not how fast anything is: `make bench` tells that.
#
# runs alone

BATS_TEST_TIMEOUT=300

bench() { # OPTION...
  "${BATS_TEST_FILENAME%/*}/bench.py" --build "$BUILD" --json "$BATS_TEST_TMPDIR/json" "$@" >"$BATS_TEST_TMPDIR/out"
}

@test "the benchmark measures each figure that it names" {
  bench --smoke
  cat "$BATS_TEST_TMPDIR/out"
  jq -e '.fdatasync_us > 0 and (.figures | length) >= 15' "$BATS_TEST_TMPDIR/json"
  jq -e '.figures | map(select((.name | test("^(idle|logs_cpu|memory)") | not) and .value.median <= 0)) == []' \
    "$BATS_TEST_TMPDIR/json"
  jq -e '.figures | map(select(.yardstick and (.ratio.min <= 0 or .ratio.min > .ratio.max))) == []' "$BATS_TEST_TMPDIR/json"
}

@test "the benchmark ends with a failure when an answer is not what it should be" {
  run bench --smoke no_such_figure
  ((status == 2))
  run "$BUILD/tests/bench/load" /nonexistent get 1 1 /
  ((status == 1))
}
