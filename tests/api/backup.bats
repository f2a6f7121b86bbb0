#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# A snapshot of the database that is consistent, complete, and good to start from.

# helper.bash sets STATUS and BODY.
# shellcheck disable=SC2153
load helper

backup() { # FILE
  assert_equal "$(http_code_into "$1" POST /v1/backup)" 200
}

http_code_into() { # FILE METHOD PATH [CURL OPTION...]
  api "$2" "$3" "${@:4}" --output "$1" --write-out '%{http_code}' 2>/dev/null || :
}

backup_is_free() {
  [[ $(http_code POST /v1/backup) == 200 ]]
}

# As much as a thousand processes leave behind, from the sixth event on.
fill_history() { # ROWS
  sql "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < $1)
    INSERT INTO event (at, process, type, name) SELECT 1, i, 'lost', printf('%0250d', i) FROM n"
}

@test "backup: a SQLite file that is whole, with all that was acknowledged" {
  local file=$BATS_TEST_TMPDIR/b.db id

  id=$(ended 7)
  api_status POST /v1/backup >/dev/null
  assert_equal "$STATUS $(response_header content-type)" '200 application/vnd.sqlite3'
  assert_match "$(response_header content-disposition)" '^attachment; filename='
  backup "$file"
  assert_equal "$(stat -c %s "$file")" "$(response_header content-length)"
  assert_equal "$(sqlite3 "$file" 'PRAGMA integrity_check')" ok
  assert_equal "$(sqlite3 "$file" "SELECT exitcode FROM processes WHERE id = $id")" 7
  assert_equal "$(sqlite3 "$file" 'SELECT count(*) FROM event')" "$(sql 'SELECT count(*) FROM event')"
  [[ ! -e $CRECHE_STATE/registry.db.backup ]]
}

@test "backup: is for those with the scope admin, which no process has" {
  start_parent
  TOKEN=$AUTHKEY api_status POST /v1/backup >/dev/null
  assert_problem 403 forbidden
}

@test "backup: a creched starts on it and goes on; what ran then is lost there, and no id is given twice" {
  local one two last

  start_creche
  one=$(ended 3)
  two=$(start_process sleep 1000)
  last=$(api GET '/v1/events?limit=1' | jq .last)
  mkdir -m 700 "$CRECHE_DIR/copy"
  backup "$CRECHE_DIR/copy/registry.db"
  # One that was not a child of the copy when it ended.
  api POST "/v1/processes/$two/kill" >/dev/null
  exitcode_of "$two" >/dev/null
  stop_creche

  rm -r "$CRECHE_STATE"
  mv "$CRECHE_DIR/copy" "$CRECHE_STATE"
  start_creche_in "$CRECHE_DIR"
  assert_equal "$(field "$one" '"\(.state) \(.exitcode)"')" 'stopped 3'
  assert_equal "$(field "$two" '"\(.state) \(.exitcode)"')" 'lost null'
  assert_equal "$(ended)" "$((two + 1))"
  assert_equal "$(api GET "/v1/events?since=$last" | jq -c '[.events[] | "\(.process) \(.type)"]')" \
    "[\"$two lost\",\"$((two + 1)) starting\",\"$((two + 1)) started\",\"$((two + 1)) stopped\"]"
}

@test "backup: each one under load is of one moment, and starts go on meanwhile" {
  local i loads=() file started

  start_creche
  fill_history 20000
  for i in 1 2 3; do
    while [[ ! -e $BATS_TEST_TMPDIR/idle ]]; do start_process true; done >/dev/null 2>&1 3>&- &
    loads+=($!)
  done
  started=$(sql 'SELECT count(*) FROM process')
  for i in {1..5}; do
    backup "$BATS_TEST_TMPDIR/$i.db"
  done
  (($(sql 'SELECT count(*) FROM process') > started)) || fail 'nothing was started meanwhile'
  touch "$BATS_TEST_TMPDIR/idle"
  wait "${loads[@]}"
  for file in "$BATS_TEST_TMPDIR"/?.db; do
    assert_equal "$(sqlite3 "$file" 'PRAGMA integrity_check')" ok
    # Rows, events and counters move in one transaction.
    assert_equal "$(sqlite3 "$file" "SELECT count(*) FROM process AS p WHERE p.state IS NOT
      (SELECT type FROM event WHERE process = p.id AND name NOT LIKE '0%' ORDER BY id DESC LIMIT 1)")" 0
    assert_equal "$(sqlite3 "$file" "SELECT state, n FROM tally WHERE n > 0 AND state <> 'joined' ORDER BY state")" \
      "$(sqlite3 "$file" 'SELECT state, count(*) FROM process GROUP BY state ORDER BY state')"
  done
}

@test "backup: one at a time, until the first has been fetched or its client has left" {
  start_creche
  fill_history 40000
  MAX_TIME=4 http_code_into "$BATS_TEST_TMPDIR/slow" POST /v1/backup --limit-rate 10K >/dev/null &
  wait_until test -s "$BATS_TEST_TMPDIR/slow"
  api_status POST /v1/backup >/dev/null
  assert_problem 429 too_many
  assert_equal "$(response_header retry-after)" 1
  # It has no name any more.
  [[ ! -e $CRECHE_STATE/registry.db.backup ]]
  wait $!
  wait_until backup_is_free
}

@test "backup: nothing is left of one during which creched was killed" {
  local pid

  start_creche
  fill_history 100000
  pid=$(daemon_pid)
  http_code_into "$BATS_TEST_TMPDIR/b" POST /v1/backup >/dev/null &
  wait_until test -s "$CRECHE_STATE/registry.db.backup"
  kill -KILL "$pid"
  wait $!
  assert_match "$(daemon_pid)" '^[0-9]+$'
  [[ ! -e $CRECHE_STATE/registry.db.backup && ! -e $CRECHE_STATE/registry.db.backup-journal ]]
  backup "$BATS_TEST_TMPDIR/b.db"
  assert_equal "$(sqlite3 "$BATS_TEST_TMPDIR/b.db" 'PRAGMA integrity_check')" ok
}

@test "backup: the server does not wait for one when it stops" {
  start_creche
  fill_history 100000
  http_code_into "$BATS_TEST_TMPDIR/b" POST /v1/backup >/dev/null &
  wait_until test -s "$CRECHE_STATE/registry.db.backup"
  stop_creche
  wait $!
  [[ ! -e $CRECHE_STATE/registry.db.backup ]]
}
