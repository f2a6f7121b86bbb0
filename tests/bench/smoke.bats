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
  jq -e --slurpfile goals "${BATS_TEST_FILENAME%/*}/goals.json" \
    '.fdatasync_us > 0 and ([.figures[].name] | sort) == ($goals[0] | keys)' "$BATS_TEST_TMPDIR/json"
  jq -e '.figures | map(select(.absent == null and (.name | test("^(idle|logs_cpu|memory)") | not) and .value.median <= 0)) == []' \
    "$BATS_TEST_TMPDIR/json"
  jq -e '[.figures[] | select(.absent).name] - ["peer_supervisord_1"] == []' "$BATS_TEST_TMPDIR/json"
  # What the kernel has is also what others do.
  jq -e '.figures | map(select(.yardstick and .name != "memory_kernel" and (.ratio.min <= 0 or .ratio.min > .ratio.max))) == []' "$BATS_TEST_TMPDIR/json"
}

@test "a peer that is not installed is said not to be, and its goal is not met" {
  mkdir "$BATS_TEST_TMPDIR/bin"
  ln -s "$(python3 -c 'import sys; print(sys.executable)')" "$BATS_TEST_TMPDIR/bin/python3"
  PATH=$BATS_TEST_TMPDIR/bin bench --smoke peer
  grep -x 'peer_supervisord_1   NOT MEASURED: supervisord is not installed .*' "$BATS_TEST_TMPDIR/out"
  [[ $(tail -n 1 "$BATS_TEST_TMPDIR/out") == *'; NOT MEASURED: peer_supervisord_1' ]]
  jq -e '.figures[] | select(.name == "peer_supervisord_1") | .met == false and .value == null' "$BATS_TEST_TMPDIR/json"
  "${BATS_TEST_FILENAME%/*}/report.py" "$BATS_TEST_TMPDIR/json" >"$BATS_TEST_TMPDIR/table"
  grep -E '^\| one client, .* supervisord.* \*\*not measured\*\*: ' "$BATS_TEST_TMPDIR/table"
}

@test "the report has a row for each figure, and the plot a point for each count" {
  local report="${BATS_TEST_FILENAME%/*}/report.py"

  bench --smoke start_batch scale
  printf '%s\n' before '<!-- bench -->' old '<!-- /bench -->' after >"$BATS_TEST_TMPDIR/page"
  "$report" "$BATS_TEST_TMPDIR/json" --readme "$BATS_TEST_TMPDIR/page" --svg "$BATS_TEST_TMPDIR/svg"
  grep -c '^| 4 clients start 8 ' "$BATS_TEST_TMPDIR/page"
  [[ $(sed -n '1p;$p' "$BATS_TEST_TMPDIR/page" | xargs) == 'before after' ]]
  run grep old "$BATS_TEST_TMPDIR/page"
  ((status == 1))
  [[ $(grep -c '^!\[.*\](svg)$' "$BATS_TEST_TMPDIR/page") == 1 ]]
  [[ $(grep -o 'start + join, per second\|(logarithmic)' "$BATS_TEST_TMPDIR/svg" | sort | uniq -c | xargs) == '4 (logarithmic) 4 start + join, per second' ]]
  python3 -c 'import sys, xml.dom.minidom as d; print(len(d.parse(sys.argv[1]).getElementsByTagName("circle")))' \
    "$BATS_TEST_TMPDIR/svg" >"$BATS_TEST_TMPDIR/circles"
  [[ $(<"$BATS_TEST_TMPDIR/circles") == "$(jq '[.scaling[].points | length] | add' "$BATS_TEST_TMPDIR/json")" ]]
}

@test "the benchmark ends with a failure when an answer is not what it should be" {
  run bench --smoke no_such_figure
  ((status == 2))
  run "$BUILD/tests/bench/load" /nonexistent get 1 1 /
  ((status == 1))
}
