#!/usr/bin/env bats
# SPDX-License-Identifier: MIT

load helper

README=$BATS_TEST_DIRNAME/../../README.md

# Our places for those of an installed Creche.
here() {
  sed -e "s|/run/creche/creche.sock|$CRECHE_SOCKET|g" -e "s|/var/lib/creche|$CRECHE_STATE|g" \
    -e "s|by uid 0|by uid $(id -u)|" -e "s|http://127.0.0.1:7117|$CRECHE_URL|g" -e "s|127.0.0.1:7117|${CRECHE_URL#http://}|g" \
    -e "s|/etc/prometheus|$BATS_TEST_TMPDIR|g"
}

# The blocks of LANGUAGE.
blocks() { # LANGUAGE
  awk -v begin="\`\`\`$1" '$0 == begin { on = 1; next } /^```$/ { on = 0 } on' "$README" | here
}

# What stands in the block of text that follows that of LANGUAGE.
said_of() { # LANGUAGE
  awk -v begin="\`\`\`$1" '$0 == begin { next_is = 1 } $0 == "```text" && next_is { on = 1; next_is = 0; next }
    /^```$/ { on = 0 } on' "$README"
}

# The program in LANGUAGE prints what the README says.
recipe_is_true() { # LANGUAGE COMMAND...
  local said status=0

  said=$(blocks "$1" | env -u CRECHE_TOKEN -u CRECHE_URL "${@:2}" 2>&1) || status=$?
  [[ -n $(said_of "$1") ]]
  assert_equal "$said" "$(said_of "$1")"
  assert_equal "$status" 0
}

# The commands of the first session, and what the README says comes out: "$ command", then its output.
session() { blocks console; }

# Runs the session in one shell; prints it as the README does, with what really comes out.
replay() {
  shopt -s expand_aliases
  unset CRECHE_TOKEN CRECHE_URL
  PATH=$BUILD:$PATH
  while IFS= read -r line; do
    [[ $line == '$ '* ]] || continue
    printf '%s\n' "$line"
    eval "${line#'$ '}" 2>&1 || :
  done
}

@test "the first session in the README is what really comes out" {
  assert_equal "$(session | replay)" "$(session)"
}

@test "the program in bash does what the README says" {
  recipe_is_true bash bash
}

@test "the program in Python does what the README says" {
  recipe_is_true python python3
}

@test "the program for node does what the README says" {
  recipe_is_true js node
}

@test "every program in the README is run here" {
  # shellcheck disable=SC2016
  assert_equal "$(grep -oE '^```[a-z]+' "$README" | sort -u | tr '\n' ' ')" '```bash ```console ```ini ```js ```python ```text ```yaml '
}

@test "the configuration for Prometheus is one, and what it asks for is there" {
  local promtool

  promtool=$("$HERE/../../.ci/promtool" "$HERE/../../build/promtool" 2>"$BATS_TEST_TMPDIR/why") || skip "$(cat "$BATS_TEST_TMPDIR/why")"
  # The command above it, which mints the token.
  creche-api() { curl -s --unix-socket "$CRECHE_SOCKET" "$@"; }
  eval "$(sed -n 's/^    \(creche-api .*prometheus.*\)/\1/p' "$README" | here)"
  blocks yaml >"$BATS_TEST_TMPDIR/prometheus.yml"
  "$promtool" check config "$BATS_TEST_TMPDIR/prometheus.yml"
  TOKEN=$(<"$BATS_TEST_TMPDIR/creche.token")
  tcp GET /metrics | "$promtool" check metrics
  assert_equal "$(tcp_code GET /metrics)" 200
  assert_equal "$(tcp_code POST /v1/processes '{"argv": ["true"]}')" 403
}
