#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# The history checker must be able to say that something is wrong. test_history.py plants each kind of harm in a
# history that is right otherwise.

@test "the history checker finds each kind of harm" {
  run python3 -m unittest discover -s "${BATS_TEST_FILENAME%/*}" -p 'test_*.py' -v
  echo "$output"
  [ "$status" -eq 0 ]
  [[ $output == *OK ]]
}
