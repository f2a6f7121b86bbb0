# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
#
# The command line, against the server of tests/api/helper.bash.
#
#   creche ...              as the operator, over the unix socket; ended when it hangs
#   creche_status ...       sets STATUS, OUT and ERR
#   background ... &        to be killed, or waited for
#   on_terminal [WIDTH] COMMAND...   runs it on a terminal; prints what that got to show; its status

load ../api/helper

unset NO_COLOR COLUMNS

creche() { timeout --foreground 50 env -u CRECHE_TOKEN -u CRECHE_URL -u CRECHE_AUTHKEY "$BUILD/creche" "$@"; }

# With a '&' behind it: $! is creche itself.
background() { exec env -u CRECHE_TOKEN -u CRECHE_URL -u CRECHE_AUTHKEY --default-signal=INT,QUIT "$BUILD/creche" "$@" 3>&-; }

creche_status() {
  local at=$BATS_TEST_TMPDIR/said

  STATUS=0
  creche "$@" >"$at.out" 2>"$at.err" </dev/null || STATUS=$?
  OUT=$(<"$at.out")
  ERR=$(<"$at.err")
}

on_terminal() { # WIDTH COMMAND...
  env -u CRECHE_TOKEN -u CRECHE_URL "$BATS_TEST_DIRNAME/terminal.py" "$@"
}

# Every failure says what to do next: a line that is not the message.
assert_hint() { # REGEX
  assert_match "$(sed -n '2,$p' <<<"$ERR")" "$1"
}
