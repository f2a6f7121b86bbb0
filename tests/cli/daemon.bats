#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The daemon: when it is not there, how it begins and ends, and what it tells.

load cli

# A daemon of this test's own, by `creche serve -d`.
own_daemon() {
  OWN=$(mktemp -d "$BATS_TEST_TMPDIR/XXXX")
  unset CRECHE_URL CRECHE_TOKEN
  export CRECHE_STATE_DIR=$OWN/state CRECHE_SOCKET=$OWN/s CRECHE_LISTEN=none CRECHE_USER=none HOME=$OWN
}

teardown() {
  if [[ -n ${OWN:-} && -S $OWN/s ]]; then
    "$BUILD/creche" stop --kill --timeout 20 --socket "$OWN/s" || cat "$OWN"/*.log
  fi
  creche_teardown
}

# ------------------------------------------------------------------------------------ not there

@test "no daemon: says which socket, why, and the command that starts one: 3" {
  local dir=$BATS_TEST_TMPDIR

  creche_status ps --socket "$dir/missing"
  assert_equal "$STATUS" 3
  assert_match "$ERR" "there is no socket $dir/missing"
  assert_hint "creche serve -d --socket $dir/missing"

  python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$dir/dead"
  creche_status ps --socket "$dir/dead"
  assert_equal "$STATUS" 3
  assert_match "$ERR" "nobody listens on the socket $dir/dead"
  assert_hint 'creche serve -d'

  creche_status ps --url http://127.0.0.1:1
  assert_equal "$STATUS" 3
  assert_hint 'creche info'
}

@test "a socket of somebody else: permission denied, and who may" {
  [[ $(id -u) == 0 ]] || skip 'needs root, to be another user'
  chmod 755 "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" "$CRECHE_DIR"
  ln -s "$BUILD/creche" "$CRECHE_DIR/creche"
  STATUS=0
  ERR=$(setpriv --reuid 65534 --regid 65534 --clear-groups env -u CRECHE_TOKEN -u CRECHE_URL \
    python3 -c 'import os, sys; os.execv(sys.argv[1], ["creche", "ps"])' "$BUILD/creche" 2>&1) || STATUS=$?
  assert_equal "$STATUS" 3
  assert_match "$ERR" 'permission denied'
  assert_hint 'it is for root only'
}

@test "what answers but is no creched is told" {
  local server port

  exec {server}< <(exec python3 -c '
import http.server
class Other(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"<html>")
s = http.server.HTTPServer(("127.0.0.1", 0), Other)
print(s.server_port, flush=True)
s.handle_request()' 2>/dev/null 3>&-)
  read -r port <&"$server"
  creche_status info --url "http://127.0.0.1:$port"
  assert_equal "$STATUS" 1
  assert_match "$ERR" "not creched's"
}

@test "which daemon: option before variable, variable before default; a token goes to an address" {
  assert_equal "$(creche info -o json --socket "$CRECHE_SOCKET" | jq -r .socket)" "$CRECHE_SOCKET"
  CRECHE_SOCKET=/nowhere creche_status info
  assert_equal "$STATUS" 3
  assert_equal "$(env -u CRECHE_SOCKET "$BUILD/creche" info -o json | jq -r .url)" "$CRECHE_URL"
  STATUS=0
  ERR=$(env -u CRECHE_SOCKET -u CRECHE_TOKEN "$BUILD/creche" info 2>&1) || STATUS=$?
  assert_equal "$STATUS" 6
  assert_hint 'CRECHE_TOKEN'
  assert_equal "$(env -u CRECHE_SOCKET -u CRECHE_TOKEN "$BUILD/creche" info -o json --url "$CRECHE_URL/" \
    --token "$CRECHE_TOKEN" | jq -r .name)" creche
  creche_status info --url "$CRECHE_URL" --socket "$CRECHE_SOCKET"
  assert_equal "$STATUS" 2
  creche_status info --url ftp://x
  assert_equal "$STATUS" 2
}

@test "no proxy gets to see a request" {
  assert_equal "$(http_proxy=http://127.0.0.1:1 creche info -o json | jq -r .name)" creche
  assert_equal "$(http_proxy=http://127.0.0.1:1 env -u CRECHE_SOCKET "$BUILD/creche" info -o json | jq -r .name)" creche
}

@test "libcurl is mapped by creche alone" {
  local program

  readelf -d "$BUILD/creche" | grep -q 'NEEDED.*libcurl-gnutls'
  for program in creched creche-init; do
    [[ $(readelf -d "$BUILD/$program") != *libcurl* && $(ldd "$BUILD/$program") != *libcurl* ]]
  done
}

# --------------------------------------------------------------------------- beginning and ending

@test "serve -d returns when it is ready, says where the log is, and is refused twice" {
  own_daemon
  creche_status serve -d --log "$OWN/deep/er/log"
  assert_equal "$STATUS $OUT" '0 '
  assert_match "$ERR" "log is $OWN/deep/er/log"
  assert_match "$(<"$OWN/deep/er/log")" 'READY unix:'
  "$BUILD/creche" ps
  creche_status serve -d
  assert_equal "$STATUS" 5
  assert_hint 'creche stop'
}

@test "what serve -d says to type next is for the socket that it serves on" {
  own_daemon
  export CRECHE_SOCKET=$OWN/usual
  creche_status serve -d --socket "$OWN/s"
  assert_match "$ERR" "creche --socket $OWN/s run"
  assert_match "$ERR" "creche --socket $OWN/s stop"
  eval "$(sed -n "s/.*'\\(creche .* stop\\)' stops it/\\1/p" <<<"$ERR")"
  [[ ! -S $OWN/s ]]
  export CRECHE_SOCKET=$OWN/s
  creche_status serve -d
  [[ $ERR != *--socket* ]]
}

@test "serve -d with options that creched refuses: 2, and what it said" {
  own_daemon
  creche_status serve -d --listen nonsense
  assert_equal "$STATUS" 2
  assert_match "$ERR" 'listen'
  creche_status serve -d --state-dir /proc/none
  assert_equal "$STATUS" 1
}

@test "serve becomes creched, under creche-init" {
  local pid

  own_daemon
  env --default-signal=INT "$BUILD/creche" serve >"$OWN/out" 2>"$OWN/err" 3>&- &
  pid=$!
  wait_until grep -q READY "$OWN/out"
  assert_equal "$("$BUILD/creche" info -o json | jq .init_pid)" "$pid"
  kill -INT "$pid"
  wait "$pid"
}

@test "stop waits until all has ended, and says for whom" {
  local id pid

  own_daemon
  creche_status serve -d
  id=$(creche run -n lasting --stdin pipe -- cat)
  creche run -n daemonic --daemon -- sleep 1000
  creche_status stop --timeout 0.3
  assert_equal "$STATUS" 124
  assert_match "$ERR" "lasting \\($id\\)"
  [[ $ERR != *daemonic* ]]
  pid=$(grep -o 'pid=[0-9]*' "$OWN/state.log" | head -1)
  creche kill "$id" || creche stop --kill
  wait_until test ! -S "$OWN/s" || wait_until is_zombie_or_gone "${pid#pid=}"
}

@test "stop --terminate ends what runs, and returns when the daemon is gone" {
  local init

  own_daemon
  creche_status serve -d
  creche run -n lasting -- sleep 1000
  init=$(creche info -o json | jq .init_pid)
  creche_status stop --terminate
  assert_equal "$STATUS" 0
  is_zombie_or_gone "$init"
  creche_status ps
  assert_equal "$STATUS" 3
  creche_status serve -d
  assert_equal "$(creche show lasting -o json | jq .exitcode)" -15
}

@test "upgrade returns when the new creched serves, and children go on" {
  local id restarts

  own_daemon
  creche_status serve -d
  id=$(creche run -- sleep 1000)
  creche_status upgrade
  assert_equal "$STATUS $(creche info -o json | jq .restarts)" '0 1'
  assert_equal "$(creche show "$id" -o json | jq -r .state)" started
}

@test "an upgrade of a daemon that is stopping ends nobody" {
  local id

  own_daemon
  creche_status serve -d
  id=$(creche run -n lasting --stdin pipe -- cat)
  creche_status stop --timeout 0.3
  assert_equal "$STATUS" 124
  creche_status upgrade --timeout 0.3
  assert_equal "$STATUS" 124
  wait_until grep -q 'restart.refused.*stopping' "$OWN/state.log"
  assert_equal "$(creche show "$id" -o json | jq -r .state)" started
}

# ------------------------------------------------------------------------------------ what it tells

@test "info tells of health, addresses and counts" {
  creche_status info
  assert_match "$OUT" "socket +$CRECHE_SOCKET"
  assert_match "$OUT" 'health +ok'
  assert_equal "$(creche info -o json | jq -c '[.pid, .socket]')" "$(api GET /v1/info | jq -c '[.pid, .socket]')"
}

@test "sql answers a SELECT and can do nothing else" {
  local id

  id=$(creche run -n in-sql -- true)
  creche join "$id"
  assert_equal "$(creche sql -o csv --no-header "SELECT id, name, exitcode FROM processes WHERE id = $id")" "$id,in-sql,0"
  assert_equal "$(creche sql -o jsonl "SELECT 1 AS i, 1.5 AS f, NULL AS n, x'00ff' AS b, 'ä' AS t")" \
    '{"i":1,"f":1.5,"n":null,"b":"00ff","t":"ä"}'
  for statement in 'DELETE FROM process' "ATTACH '/tmp/x' AS x" 'PRAGMA user_version' 'SELECT 1; SELECT 2' '' 'VACUUM' \
    'SELEC' 'CREATE TEMP TABLE t (i)'; do
    creche_status sql "$statement"
    assert_equal "$statement: $STATUS" "$statement: 2"
  done
  assert_equal "$(field "$id" .name)" in-sql
}

@test "sql ends when its time is over: 124" {
  creche_status sql --timeout 0.2 'WITH RECURSIVE t(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM t) SELECT count(*) FROM t'
  assert_equal "$STATUS" 124
  creche_status sql --url "$CRECHE_URL" 'SELECT 1'
  assert_equal "$STATUS" 2
  assert_hint 'creche backup'
}

@test "backup writes a database, all or nothing, and not over another" {
  local file=$BATS_TEST_TMPDIR/b.db

  creche backup "$file"
  assert_equal "$(sqlite3 "$file" 'PRAGMA integrity_check')" ok
  creche_status backup "$file"
  assert_equal "$STATUS" 5
  assert_hint '--force'
  creche backup --force "$file"
  creche backup - >"$BATS_TEST_TMPDIR/c.db"
  assert_equal "$(sqlite3 "$BATS_TEST_TMPDIR/c.db" 'PRAGMA integrity_check')" ok
  creche_status backup /nowhere/x
  assert_equal "$STATUS" 1
  assert_equal "$(find "$BATS_TEST_TMPDIR" -name '*.part')" ''
}

@test "backup puts nothing in the place of a device, a FIFO or a folder" {
  local file=$BATS_TEST_TMPDIR/fifo

  mkfifo "$file"
  creche_status backup --force "$file"
  assert_equal "$STATUS" 2
  assert_hint "creche backup - >$file"
  [[ -p $file ]]
  creche_status backup --force "$BATS_TEST_TMPDIR"
  assert_equal "$STATUS" 2
}

@test "open prints a link that signs in, once" {
  local url

  url=$(creche open)
  assert_match "$url" "^$CRECHE_URL/docs#code=[0-9a-f]{64}\$"
  assert_match "$(creche open --scope read,signal -o json | jq -r .code)" '^[0-9a-f]{64}$'
}
