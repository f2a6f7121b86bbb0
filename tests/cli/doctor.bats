#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# doctor: what is well, what is not, and what mends it.

load cli

# The finding of a check, and its fix.
finding() { # CHECK
  jq -r --arg check "$1" '[.checks[] | select(.check == $check) | .finding] | join(" ")' <<<"$OUT"
}
fix() { # CHECK
  jq -r --arg check "$1" '[.checks[] | select(.check == $check) | .fix // empty] | join(" ")' <<<"$OUT"
}

examine() {
  creche_status doctor -o json "$@"
}

# A state directory of this test's own, which no daemon has.
own_state() {
  export CRECHE_STATE_DIR=$BATS_TEST_TMPDIR/state CRECHE_SOCKET=$BATS_TEST_TMPDIR/s
}

@test "with a daemon: each check is told, none is broken: 0" {
  local check

  examine
  assert_equal "$STATUS $ERR" '0 '
  for check in settings socket version state token access database disk ballast kernel pids; do
    assert_equal "$check $(finding $check)" "$check ok"
  done
  for check in health rights cgroup nofile 'cgroup pids' clock; do
    assert_match "$check: $(finding "$check")" ': (ok|warning)$'
  done
  assert_equal "$(jq '.checks | length' <<<"$OUT")" 17
}

@test "settings that cannot be read are one of the findings: the rest is looked at with what could be" {
  mkdir -p "$BATS_TEST_TMPDIR/creche"
  echo '[creche]
colour = always' >"$BATS_TEST_TMPDIR/creche/creche.ini"
  XDG_CONFIG_HOME=$BATS_TEST_TMPDIR examine
  assert_equal "$STATUS $ERR$(finding settings) $(finding database) $(fix settings)" '1 failure ok creche config --check'
  assert_match "$(jq -r '.checks[] | select(.check == "settings").detail' <<<"$OUT")" "creche.ini:2: "
}

@test "who listens is told by pid and name" {
  examine
  assert_match "$(jq -r '.checks[] | select(.check == "socket").detail' <<<"$OUT")" "pid $CRECHE_MAIN of $(id -un) listens"
}

@test "what is not well comes with its fix, what is well has none" {
  examine
  assert_equal "$(jq '[.checks[] | select((.finding == "ok") != (.fix == null))] | length' <<<"$OUT")" 0
}

@test "for people: a line for each check, and the fix below it" {
  creche_status doctor
  assert_equal "$STATUS" 0
  assert_match "$OUT" $'\n''ok    database     .*registry.db is whole'
  [[ $(on_terminal 100 "$BUILD/creche" doctor) == *$'\033[32mok'* ]]
}

@test "without a daemon: that is broken, 1, and the rest is looked at all the same" {
  own_state
  examine
  assert_equal "$STATUS $(finding socket) $(finding state) $(finding kernel)" '1 failure ok ok'
  assert_match "$(fix socket)" 'creche serve -d'
  assert_equal "$(finding database)" ''
}

@test "a socket that nobody listens on is told from one that is not there" {
  own_state
  python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$CRECHE_SOCKET"
  examine
  assert_match "$(jq -r '.checks[] | select(.check == "socket").detail' <<<"$OUT")" 'nobody listens'
}

@test "a database that is damaged is found, without a daemon, and is not written to" {
  local before

  own_state
  mkdir -m 700 "$CRECHE_STATE_DIR"
  creche backup --socket "$CRECHE_DIR/s" "$CRECHE_STATE_DIR/registry.db"
  examine
  assert_equal "$(finding database)" ok
  python3 -c 'import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(4096 * 2)
    f.write(b"\xff" * 4096)' "$CRECHE_STATE_DIR/registry.db"
  before=$(sha256sum <"$CRECHE_STATE_DIR/registry.db")
  examine
  assert_equal "$STATUS $(finding database)" '1 failure'
  assert_match "$(fix database)" 'backup'
  assert_equal "$(sha256sum <"$CRECHE_STATE_DIR/registry.db")" "$before"
}

@test "what others may read is broken, and chmod mends it" {
  chmod 640 "$CRECHE_STATE/token"
  examine
  chmod 600 "$CRECHE_STATE/token"
  assert_equal "$STATUS $(finding token) $(fix token)" "1 failure chmod 600 $CRECHE_STATE/token"
  chmod 755 "$CRECHE_STATE"
  examine
  chmod 700 "$CRECHE_STATE"
  assert_equal "$STATUS $(finding state) $(fix state)" "1 failure chmod 700 $CRECHE_STATE"
}

@test "few files are worth a warning, and no failure" {
  own_state
  STATUS=0
  OUT=$(ulimit -n 512 && creche doctor -o json) || STATUS=$?
  assert_equal "$STATUS $(finding nofile)" '1 warning'
  assert_match "$(fix nofile)" 'ulimit -Hn'
  creche_status doctor -o json --socket "$CRECHE_DIR/s"
  assert_equal "$STATUS" 0
}

@test "another version than ours is a warning" {
  local server port

  exec {server}< <(exec python3 -c '
import http.server
class Other(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"{\"version\": \"9.9\", \"health\": \"ok\"}")
s = http.server.HTTPServer(("127.0.0.1", 0), Other)
print(s.server_port, flush=True)
s.handle_request()' 2>/dev/null 3>&-)
  read -r port <&"$server"
  examine --url "http://127.0.0.1:$port"
  assert_equal "$STATUS $(finding version)" '0 warning'
  assert_match "$(fix version)" 'creche upgrade'
}

@test "a daemon that is asked by TCP: its machine is not looked at, and that is said" {
  creche_status doctor -o json --url "$CRECHE_URL" --token "$CRECHE_TOKEN"
  assert_equal "$STATUS $(finding address)" '0 ok'
  assert_match "$(jq -r '.checks[-1].detail' <<<"$OUT")" 'not looked at.*creche doctor'
  assert_equal "$(finding kernel)$(finding database)" ''
}

@test "a file name in a finding is shown, never obeyed" {
  STATUS=0
  OUT=$(CRECHE_STATE_DIR=$BATS_TEST_TMPDIR/$'x\033[31m' CRECHE_SOCKET=$BATS_TEST_TMPDIR/$'\033[2J' \
    creche doctor --color never) || STATUS=$?
  assert_equal "$STATUS" 1
  [[ $OUT != *$'\033'* ]]
}
