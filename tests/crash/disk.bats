#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The disk of the state directory is full, read-only or broken. Nothing is invented, and no exit code is lost.

# helper.bash sets STATUS and BODY; fs.bash sets DIR.
# shellcheck disable=SC2153
load ../api/helper
load fs

BALLAST=8388608

ballast_is() { # BYTES
  [[ $(stat -c %s "$CRECHE_STATE/ballast") == "$1" ]]
}

# ------------------------------------------------------------------------------------------ it is full

full_disk() { # tmpfs|ext4
  state_on "$1" 40
  start_creche_in "$DIR"
  ballast_is "$BALLAST"
  start_waiting 60
  fill

  refused 507 insufficient_storage
  ballast_is 0
  assert_match "$(health)" '^degraded .*disk.* is full: starts are refused'
  end_waiting 60
  wait_until codes_are_right 60
  kill_daemon
  codes_are_right 60
  assert_equal "$(exitcode_of "$(sql "SELECT id FROM process WHERE name = '17'")")" 17
  refused 507 insufficient_storage

  make_room
  wait_until starts_work
  ballast_is "$BALLAST"
  wait_until health_is ok
  assert_equal "$(api GET /v1/info | jq .restarts)" 1
}

@test "a full tmpfs: starts get 507, exits are recorded for good, and room is all it needs" { full_disk tmpfs; }
@test "a full ext4: starts get 507, exits are recorded for good, and room is all it needs" { full_disk ext4; }

@test "a full disk: kill, close and delete still work" {
  local id

  state_on tmpfs 40
  start_creche_in "$DIR"
  id=$(start_process sleep 1000)
  fill
  refused 507 insufficient_storage
  assert_equal "$(api POST "/v1/processes/$id/kill" | jq .delivered)" true
  assert_equal "$(exitcode_of "$id")" -9
  assert_equal "$(http_code POST "/v1/processes/$id/close")" 204
  assert_equal "$(http_code DELETE "/v1/processes/$id")" 204
  assert_equal "$(sql 'SELECT count(*) FROM process')" 0
}

@test "a disk with too little room for a backup: it is refused, and harms nobody" {
  state_on tmpfs 40
  start_creche_in "$DIR"
  api_status POST /v1/backup >/dev/null
  assert_problem 507 insufficient_storage
  [[ ! -e $CRECHE_STATE/registry.db.backup ]]
  health_is ok
  assert_equal "$(exitcode_of "$(start_process sh -c 'exit 3')")" 3
}

@test "a full disk: many exits, one by one, fit into the ballast" {
  local i

  state_on tmpfs 40
  start_creche_in "$DIR"
  start_waiting 400
  fill
  for ((i = 0; i < 400; i += 4)); do
    end_waiting 4
    sleep 0.005
  done
  wait_until codes_are_right 400
  refused 507 insufficient_storage
}

@test "a full disk: creched is killed while it is full, and while it is down children end" {
  state_on ext4 40
  start_creche_in "$DIR"
  start_waiting 40
  fill
  refused 507 insufficient_storage
  end_waiting 10
  hold_down
  end_waiting 30
  let_up
  wait_until codes_are_right 40
  kill_daemon
  make_room
  wait_until starts_work
  codes_are_right 40
}

@test "a disk that filled up while creched was down: it comes up, and records who ended" {
  local fs

  for fs in tmpfs ext4; do
    state_on "$fs" 40
    start_creche_in "$DIR"
    start_waiting 20
    hold_down
    fill
    end_waiting 20
    let_up
    wait_until codes_are_right 20
    refused 507 insufficient_storage
    make_room
    wait_until starts_work
    stop_creche
  done
}

@test "a disk that filled up while Creche was stopped: it starts, and answers" {
  local id

  state_on tmpfs 40
  start_creche_in "$DIR"
  id=$(ended 7)
  stop_creche
  fill
  start_creche_in "$DIR"
  assert_equal "$(exitcode_of "$id")" 7
  refused 507 insufficient_storage
  make_room
  wait_until starts_work
}

@test "a full disk at the very first start: exit status 4, and the reason is told" {
  local status=0

  state_on tmpfs 1
  CRECHE_STATE=$DIR/state fill
  timeout "$PATIENCE_S" "$BUILD/creched" --state-dir "$DIR/state" --socket "$DIR/s" --listen none \
    >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" || status=$?
  assert_equal "$status" 4
  assert_match "$(<"$BATS_TEST_TMPDIR/err")" 'No space left on device'
  assert_equal "$(<"$BATS_TEST_TMPDIR/out")" ''
}

@test "a disk that a child fills with its output: its exit code and that of others are recorded" {
  local seven eight

  state_on tmpfs 40
  start_creche_in "$DIR"
  seven=$(create_process '{"argv": ["sh", "-c", "read line; exit 7"], "stdin": "pipe", "stdout": "null"}')
  eight=$(create_process '{"argv": ["sh", "-c", "head -c 100000000 /dev/zero; exit 8"], "stderr": "null"}')
  assert_equal "$(exitcode_of "$eight")" 8
  wait_until refused 507 insufficient_storage
  release "$seven"
  assert_equal "$(exitcode_of "$seven")" 7
  : >"$CRECHE_STATE/logs/0/$eight.out"
  wait_until starts_work
  wait_until health_is ok
}

@test "a disk without room for the ballast: nothing is started on it" {
  state_on tmpfs 8
  start_creche_in "$DIR"
  refused 507 insufficient_storage
  mount -o remount,size=40m "$DIR/state"
  wait_until starts_work
  ballast_is "$BALLAST"
}

@test "a child whose log cannot grow gets ENOSPC itself, and nobody else is harmed" {
  local id

  state_on tmpfs 40
  start_creche_in "$DIR"
  mkfifo "$DIR/go"
  exec 8<>"$DIR/go"
  id=$(start_process sh -c "read x <$DIR/go; head -c 100000 /dev/zero 2>$DIR/err || exit 28")
  fill
  end_waiting 1
  assert_equal "$(exitcode_of "$id")" 28
  assert_match "$(<"$DIR/err")" 'No space left on device'
  assert_equal "$(api GET /v1/info | jq .restarts)" 0
  make_room
  wait_until starts_work
}

# --------------------------------------------------------------------------------------- it is read-only

@test "a read-only disk at the start: exit status 4, and the reason is told" {
  local status=0

  state_on tmpfs 40
  start_creche_in "$DIR"
  stop_creche
  mount -o remount,ro "$DIR/state"
  timeout "$PATIENCE_S" "$BUILD/creched" --state-dir "$DIR/state" --socket "$DIR/s" --listen none \
    >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" || status=$?
  assert_equal "$status" 4
  assert_match "$(<"$BATS_TEST_TMPDIR/err")" 'Read-only file system'
}

@test "a disk that became read-only: 503, zombies wait, and are recorded when it can be written again" {
  local fs id pid sum

  for fs in tmpfs ext4; do
    state_on "$fs" 40
    start_creche_in "$DIR"
    id=$(create_process '{"argv": ["sleep", "1000"], "stdout": "null", "stderr": "null"}')
    pid=$(field "$id" .pid)
    hold_down # who writes there would keep it from becoming read-only
    wait_until mount -o remount,ro "$DIR/state" 2>/dev/null
    sum=$(cd "$DIR/state" && sha256sum registry.db registry.db-wal)
    let_up
    wait_until is_unavailable
    refused 503 unavailable
    [[ -n $(response_header retry-after) ]]
    assert_equal "$(ps -o ppid= "$pid" | tr -d ' ')" "$CRECHE_MAIN"
    kill -USR1 "$pid"
    wait_until is_zombie "$pid"
    wait_until is_unavailable
    is_zombie "$pid"
    assert_equal "$(cd "$DIR/state" && sha256sum registry.db registry.db-wal)" "$sum"
    mount -o remount,rw "$DIR/state"
    wait_until serves
    assert_equal "$(exitcode_of "$id")" -10
    stop_creche
  done
}

# Somebody who may not write to it any more: what a broken disk looks like from within, and it can be undone.
@test "a database that refuses each write: no start is acknowledged, and the exit is recorded later" {
  local id pid

  state_on ext4 40
  start_creche_in "$DIR"
  id=$(start_process sleep 1000)
  pid=$(field "$id" .pid)
  chattr +i "$DIR/state/registry.db-wal" || skip 'there are no immutable files here'
  refused 503 unavailable || chattr -i "$DIR/state/registry.db-wal"
  kill -USR1 "$pid"
  wait_until is_zombie "$pid"
  wait_until is_unavailable
  is_zombie "$pid"
  assert_equal "$(sql "SELECT group_concat(id || state) FROM process")" "${id}started"
  chattr -i "$DIR/state/registry.db-wal"
  wait_until serves
  assert_equal "$(exitcode_of "$id")" -10
}

@test "commits that fail again and again: creched does not start anew at full speed, and the zombie stays" {
  local id pid restarts size process

  start_creche
  id=$(create_process '{"argv": ["sleep", "1000"], "stdout": "null", "stderr": "null"}')
  pid=$(field "$id" .pid)
  create_process "{\"argv\": [\"true\", \"$(printf %0130000d 0)\"], \"start\": false}" >/dev/null
  # From now on the write-ahead log cannot grow; it can be read, so that each creched gets as far as serving.
  size=$(stat -c %s "$CRECHE_STATE/registry.db-wal")
  for process in "$CRECHE_MAIN" "$(daemon_pid)"; do
    prlimit --fsize="$size:" --pid "$process"
  done
  kill -USR1 "$pid"
  wait_until is_zombie "$pid"

  wait_until has_restarted 2
  restarts=$(restarts)
  sleep 3 # how often it tries is the question
  (($(restarts) - restarts <= 8)) || fail "$(($(restarts) - restarts)) restarts"
  is_zombie "$pid"
  prlimit --fsize=unlimited: --pid "$CRECHE_MAIN" # the next creched has it from there
  wait_until is_stopped "$id"
  assert_equal "$(exitcode_of "$id")" -10
}

has_restarted() { # N
  (($(restarts) >= $1))
}

is_stopped() { # ID
  [[ $(MAX_TIME=5 field "$1" .state 2>/dev/null) == stopped ]]
}

# ------------------------------------------------------------------------------------------- it is broken

shut_down() { # FILE: each access to its file system fails with EIO from now on
  # shellcheck disable=SC2016
  perl -e '$how = pack("I", 2); open(F, "<", $ARGV[0]) && ioctl(F, 0x8004587d, $how) or die "$!\n"' "$1"
}

@test "a disk that fails: nothing is acknowledged, children are untouched, and what was acknowledged is there" {
  local done_id id pid other restarts

  state_on ext4 40
  start_creche_in "$DIR"
  done_id=$(ended 7)
  id=$(create_process '{"argv": ["sleep", "1000"], "stdout": "null", "stderr": "null"}')
  pid=$(field "$id" .pid)
  other=$(field "$(create_process '{"argv": ["sleep", "1000"], "stdout": "null", "stderr": "null"}')" .pid)
  shut_down "$DIR/state/lock" || skip 'this kernel cannot shut an ext4 down'

  refused 503 unavailable
  kill -USR1 "$pid"
  wait_until is_zombie "$pid"
  wait_until is_unavailable
  restarts=$(restarts)
  sleep 3 # how often it tries is the question
  (($(restarts) - restarts <= 3)) || fail 'it tries again without a pause'
  assert_equal "$(ps -o ppid=,state= "$pid" "$other" | xargs)" "$CRECHE_MAIN Z $CRECHE_MAIN S"

  # Such a disk can only be mended when nobody has it open.
  kill -TERM "$CRECHE_MAIN"
  main_ends_with 4
  wait_until is_gone "$pid" || skip "whoever gets our orphans here does not reap them"
  umount "$DIR/state"
  mount -o loop "$DIR/image" "$DIR/state"
  start_creche_in "$DIR"
  assert_equal "$(exitcode_of "$done_id")" 7
  assert_equal "$(field "$id" '"\(.state) \(.exitcode)"')" 'lost null'
  assert_equal "$(sql "SELECT group_concat(state, ' ') FROM (SELECT state FROM process ORDER BY id)")" 'stopped lost started'
  kill -KILL "$other"
}

# ------------------------------------------------------------------------------------------------ a flood

# 1 GB; 10 GB with TORTURE=1.
@test "a flood of output stays within the budget at all times, and its tail can be read" {
  # It is looked at fifty times a second; what a fast disk takes in a few such times may be there as well.
  local slack=134217728
  local mib=1024 budget=67108864 id file blocks most=0 slowest=0 began took size code

  [[ -z ${TORTURE:-} ]] || mib=10240
  start_creche --log-budget "$budget"
  id=$(start_process sh -c "head -c ${mib}M /dev/zero; echo the end")
  file=$(find "$CRECHE_STATE/logs" -path "*$id*" -name '*out*' -type f)
  code=null
  while [[ $code == null ]]; do
    blocks=$(stat -c %b "$file")
    ((blocks <= most)) || most=$blocks
    began=${EPOCHREALTIME/./}
    code=$(field "$id" .exitcode)
    took=$((${EPOCHREALTIME/./} - began))
    ((took <= slowest)) || slowest=$took
  done
  echo "# at most $((most / 2048)) MiB of $((budget / 1048576)); an answer took at most $((slowest / 1000)) ms" >&3
  assert_equal "$code" 0
  size=$((mib * 1048576 + 8))
  assert_equal "$(field "$id" .stdout_bytes)" "$size"
  assert_equal "$(api GET "/v1/processes/$id/logs?offset=$((size - 8))")" 'the end'
  api_status GET "/v1/processes/$id/logs?offset=0&limit=1" >/dev/null
  (($(response_header creche-log-offset) > size - budget - 1048576))
  ((most * 512 <= budget + slack)) || fail "$((most * 512)) bytes"
}
