#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The database is locked, damaged, removed or too new. Nothing is invented, and no exit code is lost.

# helper.bash sets STATUS and BODY; fs.bash sets DIR.
# shellcheck disable=SC2153
load ../api/helper
load fs

# A log without a byte in it is what looking leaves behind.
sums() {
  find "$CRECHE_STATE" \( -name registry.db -o -name registry.db-wal \) -size +0 -exec sha256sum {} + | sort
}

# A child that lives, and a database that is put aside: ID, PID, KEPT. Nobody serves until let_up.
with_a_child() {
  start_creche
  ID=$(start_process sleep 1000)
  PID=$(field "$ID" .pid)
  hold_down
  KEPT=$BATS_TEST_TMPDIR/kept
  mkdir "$KEPT"
  cp -p "$CRECHE_STATE"/registry.db* "$KEPT"
}

# The restarted creched finds its database unusable: it says so, touches nothing, keeps the zombie, and goes
# on when it was mended.
is_waited_out() { # REASON
  local before

  before=$(sums)
  let_up
  wait_until is_unavailable
  refused 503 unavailable
  [[ -n $(response_header retry-after) ]]
  assert_match "$(grep event=start.failed "$CRECHE_DIR/stderr")" "$1"
  assert_equal "$(ps -o ppid=,state= "$PID" | xargs)" "$CRECHE_MAIN S"
  kill -USR1 "$PID"
  wait_until is_zombie "$PID"
  wait_until is_unavailable
  is_zombie "$PID"
  assert_equal "$(sums)" "$before"

  rm -f "$CRECHE_STATE"/registry.db*
  cp -p "$KEPT"/* "$CRECHE_STATE"
  wait_until serves
  assert_equal "$(exitcode_of "$ID")" -10
  starts_work
}

# The first start on such a database.
is_refused() { # REASON
  local status=0 before

  before=$(sums)
  timeout "$PATIENCE_S" "$BUILD/creched" --state-dir "$CRECHE_STATE" --socket "$CRECHE_SOCKET" --listen none \
    >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" || status=$?
  assert_equal "exit status $status" 'exit status 4'
  assert_match "$(<"$BATS_TEST_TMPDIR/err")" "$1"
  assert_equal "$(<"$BATS_TEST_TMPDIR/out")" ''
  assert_equal "$(sums)" "$before"
}

# ---------------------------------------------------------------------------------------------- locked

@test "a database that another program locks: 503 after a while, and all goes on when it lets go" {
  local id pid locker began

  start_creche
  id=$(start_process sleep 1000)
  pid=$(field "$id" .pid)
  coproc LOCKER { sqlite3 "$CRECHE_STATE/registry.db" 3>&-; }
  # shellcheck disable=SC2153
  locker=$LOCKER_PID
  printf '.timeout 10000\nBEGIN EXCLUSIVE;\nSELECT 1;\n' >&"${LOCKER[1]}"
  read -r -t "$PATIENCE_S" _ <&"${LOCKER[0]}"

  began=$SECONDS
  refused 503 try_again
  ((SECONDS - began < 15))
  [[ -n $(response_header retry-after) ]]
  kill -USR1 "$pid"
  wait_until health_is degraded
  assert_equal "$(field "$id" .state)" started
  is_zombie "$pid"

  printf 'COMMIT;\n' >&"${LOCKER[1]}"
  eval "exec ${LOCKER[1]}>&-"
  wait "$locker"
  assert_equal "$(exitcode_of "$id")" -10
  starts_work
  wait_until health_is ok
  assert_equal "$(api GET /v1/info | jq .restarts)" 0
}

log_is_held() {
  for _ in {1..100}; do
    echo 'POST /v1/processes {"argv": ["true"], "start": false}'
  done | api_many 1 >/dev/null
  health_is degraded
}

@test "a reader that keeps the write-ahead log from beginning anew is told of, and so is its end" {
  local reader

  start_creche
  coproc READER { sqlite3 "$CRECHE_STATE/registry.db" 3>&-; }
  # shellcheck disable=SC2153
  reader=$READER_PID
  printf 'BEGIN; SELECT count(*) >= 0 FROM processes;\n' >&"${READER[1]}"
  read -r -t "$PATIENCE_S" _ <&"${READER[0]}"
  wait_until log_is_held
  assert_match "$(health)" 'its log grows'
  assert_match "$(<"$CRECHE_DIR/stderr")" 'event=store.log_held level=warn'
  (($(grep -c event=store.log_held "$CRECHE_DIR/stderr") <= 2))

  eval "exec ${READER[1]}>&-"
  wait "$reader"
  starts_work
  wait_until health_is ok
}

# --------------------------------------------------------------------------------------------- damaged

@test "a damaged database at the start: exit status 4, and not a byte of it is changed" {
  local id

  start_creche
  id=$(ended 7)
  stop_creche
  cp "$CRECHE_STATE/registry.db" "$BATS_TEST_TMPDIR/good"

  printf 'this is no database at all, as you can see here' | dd of="$CRECHE_STATE/registry.db" conv=notrunc 2>/dev/null
  is_refused 'is no database'
  truncate -s 20000 "$CRECHE_STATE/registry.db"
  cat "$BATS_TEST_TMPDIR/good" >"$CRECHE_STATE/registry.db"
  truncate -s 20480 "$CRECHE_STATE/registry.db"
  is_refused 'malformed'

  cat "$BATS_TEST_TMPDIR/good" >"$CRECHE_STATE/registry.db"
  start_creche_in "$CRECHE_DIR"
  assert_equal "$(exitcode_of "$id")" 7
}

@test "a damaged database after a crash of both: exit status 4, and log and database stay as they are" {
  local id

  start_creche
  id=$(ended 7)
  kill_all
  cp -p "$CRECHE_STATE/registry.db" "$BATS_TEST_TMPDIR/good"
  [[ -s $CRECHE_STATE/registry.db-wal ]]
  printf 'this is no database at all, as you can see here' | dd of="$CRECHE_STATE/registry.db" conv=notrunc 2>/dev/null
  dd if=/dev/zero of="$CRECHE_STATE/registry.db-wal" bs=1 count=40 conv=notrunc 2>/dev/null
  is_refused '.'
}

@test "a damage that only the recovery meets: exit status 4, and the log is not moved into the database" {
  local root before

  start_creche
  start_process sleep 1000 >/dev/null
  sql 'PRAGMA wal_checkpoint(TRUNCATE)' >/dev/null
  root=$(sql "SELECT rootpage FROM sqlite_schema WHERE name = 'process_open'")
  create_process '{"argv": ["true"], "start": false}' >/dev/null
  kill_all
  dd if=/dev/urandom of="$CRECHE_STATE/registry.db" bs=4096 seek=$((root - 1)) count=1 conv=notrunc 2>/dev/null
  is_refused 'malformed'
  [[ -s $CRECHE_STATE/registry.db-wal ]]
}

@test "a damaged database at a restart: children live on, zombies wait, and the daemon until it was mended" {
  with_a_child
  dd if=/dev/urandom of="$CRECHE_STATE/registry.db" bs=4096 count=8 conv=notrunc 2>/dev/null
  dd if=/dev/zero of="$CRECHE_STATE/registry.db-wal" bs=32 count=1 conv=notrunc 2>/dev/null
  is_waited_out 'is no database'
}

@test "an empty file in the place of the database at a restart is no new registry" {
  with_a_child
  : >"$CRECHE_STATE/registry.db"
  rm "$CRECHE_STATE"/registry.db-*
  is_waited_out 'registry.db is empty'
}

@test "a write-ahead log with a damaged end is a transaction that was not finished" {
  local id

  start_creche
  id=$(ended 7)
  hold_down
  head -c 10000 /dev/urandom >>"$CRECHE_STATE/registry.db-wal"
  let_up
  wait_until serves
  assert_equal "$(exitcode_of "$id")" 7
  starts_work
}

@test "a database that is damaged while it is served: nothing is acknowledged, and nothing spins" {
  local pid size restarts

  start_creche
  pid=$(field "$(start_process sleep 1000)" .pid)
  sql 'PRAGMA wal_checkpoint(TRUNCATE)' >/dev/null
  size=$(stat -c %s "$CRECHE_STATE/registry.db")
  dd if=/dev/urandom of="$CRECHE_STATE/registry.db" bs=4096 seek=1 count=$((size / 4096 - 1)) conv=notrunc 2>/dev/null
  refused 503 unavailable
  restarts=$(restarts)
  sleep 3 # how often it tries is the question
  refused 503 unavailable
  (($(restarts) - restarts <= 3)) || fail 'it tries again without a pause'
  kill -0 "$pid"
}

@test "creched waits for its database: SIGTERM ends it with exit status 4" {
  with_a_child
  : >"$CRECHE_STATE/registry.db"
  let_up
  wait_until is_unavailable
  kill -TERM "$CRECHE_MAIN"
  main_ends_with 4
  kill -KILL "$PID"
}

# ---------------------------------------------------------------------------------------------- removed

set_aside() { # FILE...
  KEPT=$BATS_TEST_TMPDIR/kept
  mkdir -p "$KEPT"
  mv "$@" "$KEPT"
}

@test "a file of the database is removed while it is served: no start, no exit until it is back" {
  local file id pid

  start_creche
  for file in registry.db registry.db-wal registry.db-shm; do
    id=$(start_process sleep 1000)
    pid=$(field "$id" .pid)
    set_aside "$CRECHE_STATE/$file"
    refused 503 unavailable
    assert_match "$(jq -r .detail <<<"$BODY")" "$file"
    assert_match "$(health)" '^degraded .*removed or replaced'
    kill -USR1 "$pid"
    wait_until is_zombie "$pid"
    wait_until health_is 'degraded the files of the database were removed or replaced: put them back; exits'
    is_zombie "$pid"
    [[ ! -e $CRECHE_STATE/$file ]]

    mv "$KEPT/$file" "$CRECHE_STATE"
    assert_equal "$(exitcode_of "$id")" -10
    starts_work
    wait_until health_is ok
  done
  assert_equal "$(api GET /v1/info | jq .restarts)" 0
}

@test "another database in the place of ours is not written to" {
  local before

  start_creche
  start_process sleep 1000 >/dev/null
  set_aside "$CRECHE_STATE"/registry.db*
  sqlite3 "$CRECHE_STATE/registry.db" 'PRAGMA journal_mode = WAL; CREATE TABLE theirs (x)' >/dev/null
  before=$(sums)
  refused 503 unavailable
  assert_equal "$(sums)" "$before"
  rm "$CRECHE_STATE"/registry.db*
  mv "$KEPT"/* "$CRECHE_STATE"
  starts_work
}

@test "the database is removed, and creched is killed: no new one is made in its place, and nothing is lost" {
  local id pid done_id

  start_creche
  done_id=$(ended 7)
  id=$(start_process sleep 1000)
  pid=$(field "$id" .pid)
  set_aside "$CRECHE_STATE"/registry.db*
  hold_down
  kill -USR1 "$pid"
  let_up
  wait_until is_unavailable
  is_zombie "$pid"
  [[ ! -e $CRECHE_STATE/registry.db ]]
  mv "$KEPT"/* "$CRECHE_STATE"
  wait_until serves
  assert_equal "$(exitcode_of "$done_id") $(exitcode_of "$id")" '7 -10'
}

# ---------------------------------------------------------------------------------------------- too new

@test "a database that is newer than the program: exit status 4, and not a byte of it is changed" {
  start_creche
  stop_creche
  sqlite3 "$CRECHE_STATE/registry.db" 'PRAGMA user_version = 999'
  is_refused 'has version 999, newer'
}

@test "a database that is newer than the program at a restart: children live on, and the daemon waits" {
  with_a_child
  sqlite3 "$CRECHE_STATE/registry.db" 'PRAGMA user_version = 999'
  is_waited_out 'has version 999, newer'
}
