# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
#
# The command line, against the server of tests/api/helper.bash.
#
#   creche ...              as the operator, over the unix socket
#   creche_status ...       sets STATUS, OUT and ERR
#   on_terminal [WIDTH] COMMAND...   runs it on a terminal; prints what that got to show; its status

load ../api/helper

unset NO_COLOR COLUMNS

creche() { env -u CRECHE_TOKEN -u CRECHE_URL -u CRECHE_AUTHKEY "$BUILD/creche" "$@"; }

creche_status() {
  local at=$BATS_TEST_TMPDIR/said

  STATUS=0
  creche "$@" >"$at.out" 2>"$at.err" </dev/null || STATUS=$?
  OUT=$(<"$at.out")
  ERR=$(<"$at.err")
}

on_terminal() { # WIDTH COMMAND...
  env -u CRECHE_TOKEN -u CRECHE_URL "$BATS_TEST_DIRNAME/pty.py" "$@"
}

# Every failure says what to do next: a line that is not the message.
assert_hint() { # REGEX
  assert_match "$(sed -n '2,$p' <<<"$ERR")" "$1"
}
