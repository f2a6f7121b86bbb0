#!/usr/bin/env bats
# SPDX-License-Identifier: MIT

load helper

# The commands of the first session, and what the README says comes out: "$ command", then its output.
session() {
  awk '/^```console$/ { on = 1; next } /^```$/ { on = 0 } on' "$BATS_TEST_DIRNAME/../../README.md" |
    sed -e "s|/run/creche/creche.sock|$CRECHE_SOCKET|g" -e "s|/var/lib/creche|$CRECHE_STATE|g" \
      -e "s|by uid 0|by uid $(id -u)|"
}

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
