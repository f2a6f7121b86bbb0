#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What api/openapi.json says and other files say as well; and the examples that stand beside it. Whether it is what
# is served, tests/contract asks.

# helper.bash sets STATUS and BODY.
# shellcheck disable=SC2153
load helper

DOC=$HERE/../../api/openapi.json
EXAMPLES=$HERE/../../api/examples

@test "the states of the document are those of the database" {
  assert_equal "$(sql "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = 'process'" | tr '\n' ' ' |
    grep -oP "\bCHECK \(state = [^)]*" | head -n 1 | grep -oP "'\K\w+" | sort)" \
    "$(jq -r '.components.schemas.ProcessState.enum[]' "$DOC" | sort)"
}

@test "info counts the states of the document and tells the limits of the document" {
  api_status GET /v1/info >/dev/null
  assert_equal "$(jq -c '.limits | [.body_bytes, .argument_bytes, .list_max, .join_ids_max]' <<<"$BODY")" \
    "$(jq -c '[.paths["/v1/processes"].post["x-creche-body-limit"], .components.schemas.Text.oneOf[0].maxLength,
      .components.parameters.Limit.schema.maximum, .components.schemas.JoinProcessesRequest.properties.ids.maxItems]' "$DOC")"
}

# What comes out of an example.
said_by() { # EXAMPLE
  case $1 in
    start-and-join.sh) "$EXAMPLES/$1" sh -c 'exit 7' | jq .exitcode ;;
    join-any.sh) "$EXAMPLES/$1" | grep -c 'exit code 0$' ;;
    follow-logs.sh) "$EXAMPLES/$1" | xargs ;;
    idempotent-start.sh) "$EXAMPLES/$1" | sed -E 's/process ([0-9]+), again: process \1$/the same/' ;;
    feed-stdin.sh) printf '%s\n' c a b | "$EXAMPLES/$1" | xargs ;;
    nested.sh) "$EXAMPLES/$1" | grep -o 'child of process [0-9]*: exit code 3' | sed 's/ [0-9][0-9]*:/ N:/' ;;
    targets.sh) "$EXAMPLES/$1" | sed -E 's/^[0-9a-f]{64} +//; s/^token [0-9]+/token N/' | xargs ;;
    demo.sh) "$EXAMPLES/$1" | tail -n 1 ;;
    *) fail "nobody knows what $1 does" ;;
  esac
}

@test "each example of api/examples does what it says" {
  local example

  # The answers come from the server of this file, with its operator's rights; demo.sh brings its own.
  for example in "$EXAMPLES"/*; do
    echo "${example##*/}: $(said_by "${example##*/}")"
  done >"$BATS_TEST_TMPDIR/said"
  diff "$BATS_TEST_TMPDIR/said" - <<'END'
demo.sh: exit status 0
feed-stdin.sh: a b c
follow-logs.sh: one two three
idempotent-start.sh: first: the same
join-any.sh: 3
nested.sh: child of process N: exit code 3
start-and-join.sh: 7
targets.sh: passwd /kwargs/file: does not match the pattern token N (web) may run what is made from these targets only: checksum
END
}
