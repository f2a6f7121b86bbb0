#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Another creched takes the place of the one that runs: what is on the disk, whatever state that is in.

load ../api/helper

setup_file() { :; }

# The programs are copies, which a test replaces.
setup() {
  ORIGINAL=$(realpath "$BUILD")
  mkdir "$BATS_TEST_TMPDIR/bin"
  cp "$ORIGINAL/creched" "$ORIGINAL/creche-init" "$BATS_TEST_TMPDIR/bin"
  BUILD=$BATS_TEST_TMPDIR/bin
  start_creche
}

# Puts another build in the place of a program, as a package manager does.
install_new() { # PROGRAM
  cp "$ORIGINAL/$1" "$BUILD/$1.new"
  date +%N >>"$BUILD/$1.new" # what follows an ELF file is nobody's business, but it is another file
  mv "$BUILD/$1.new" "$BUILD/$1"
}

# creched runs from the file that is on the disk now, and serves.
runs_what_is_installed() {
  local pid

  pid=$(daemon_pid 2>/dev/null) && [[ -n $pid ]] && [[ "/proc/$pid/exe" -ef "$BUILD/creched" ]]
}

upgrade() {
  install_new creched
  kill -HUP "$CRECHE_MAIN"
  wait_until runs_what_is_installed
}

# Joins until there is an answer with an exit code, and prints it.
join_stubbornly() { # ID
  local code=null

  until [[ $code =~ ^[0-9-]+$ ]]; do
    code=$(api POST "/v1/processes/$1/join" 2>/dev/null | jq .exitcode 2>/dev/null) || code=
  done
  printf '%s\n' "$code"
}

@test "an upgrade with 200 children and clients that join them: the next creched has all of them" {
  local fifo=$BATS_TEST_TMPDIR/fifo i joiners=()

  mkfifo "$fifo"
  for i in {1..200}; do
    # shellcheck disable=SC2016
    printf 'POST /v1/processes {"argv": ["sh", "-c", "read line <$0; exit 5", "%s"], "start_method": "%s"}\n' \
      "$fifo" "${METHODS[i % 3]}"
  done | api_many 8 >/dev/null
  for i in {1..200..20}; do
    join_stubbornly "$i" >"$BATS_TEST_TMPDIR/joined.$i" &
    joiners+=($!)
  done
  upgrade
  assert_equal "$(api GET '/v1/processes?state=started&limit=1000' | jq '.processes | length')" 200
  upgrade
  wait_until all_wait_for "$fifo"
  : >"$fifo"
  wait "${joiners[@]}"
  assert_equal "$(cat "$BATS_TEST_TMPDIR"/joined.* | sort | uniq -c | xargs)" '10 5'
  wait_until all_have_ended
  assert_equal "$(sql 'SELECT state, exitcode, count(*) FROM processes GROUP BY 1, 2')" 'stopped|5|200'
  stop_creche
}

# The shells stand in open(2): one that is not there yet would miss the moment.
all_wait_for() { # FIFO
  (($(pgrep --full --count -- "read line <\\\$0; exit 5 $1") == 200))
}

all_have_ended() {
  [[ $(sql "SELECT count(*) FROM active_children") == 0 ]]
}

@test "ten upgrades in a row: nobody who connects is refused, on the unix socket or over TCP" {
  local end=$BATS_TEST_TMPDIR/end i clients=()

  for i in unix tcp; do
    "$BATS_TEST_DIRNAME/knock.py" "$end" "$i" >"$end.$i" &
    clients+=($!)
  done
  for i in {1..10}; do
    upgrade
  done
  touch "$end"
  wait "${clients[@]}"
  for i in unix tcp; do
    grep -q served "$end.$i"
    assert_equal "$i: $(grep failed "$end.$i" | sort | uniq -c)" "$i: "
  done
  assert_equal "$(api GET /v1/info | jq .restarts)" 10
}

# Starts processes one after the other, each under a key of its own that is repeated until it is answered.
start_with_keys() { # FILE
  local k id

  for ((k = 0; k < 400; k++)); do
    [[ ! -e $1 ]] || break
    id=
    until [[ $id =~ ^[0-9]+$ ]]; do
      id=$(api POST /v1/processes "{\"argv\": [\"sh\", \"-c\", \"exit 5\"], \"name\": \"k$k\", \"start_method\": \"${METHODS[k % 3]}\"}" \
        --header "Idempotency-Key: k$k" 2>/dev/null | jq .id 2>/dev/null) || id=
    done
    echo "$k $id"
  done
}

lines_are() { # N FILE
  (($(wc -l <"$2") >= $1))
}

@test "requests in flight at an upgrade: one that is repeated with its Idempotency-Key names the same process" {
  local end=$BATS_TEST_TMPDIR/end i starter k id

  start_with_keys "$end" >"$BATS_TEST_TMPDIR/started" &
  starter=$!
  for i in {1..8}; do
    wait_until lines_are $((i * 4)) "$BATS_TEST_TMPDIR/started" # so that each comes in the middle
    upgrade
  done
  touch "$end"
  wait "$starter"
  assert_equal "$(sql 'SELECT name, count(*) FROM processes GROUP BY 1 HAVING count(*) > 1')" ''
  assert_equal "$(sql 'SELECT count(*) FROM processes')" "$(wc -l <"$BATS_TEST_TMPDIR/started")"
  while read -r k id; do
    assert_equal "$k $(sql "SELECT id FROM processes WHERE name = 'k$k'")" "$k $id"
    assert_equal "$(exitcode_of "$id")" 5
  done <"$BATS_TEST_TMPDIR/started"
}

# With this in the place of creched, an upgrade is asked for, and later what belongs there is put there.
upgrade_through() { # COMMAND...
  local before

  start_blocked_everywhere
  before=$(grep -c event=init.restart "$CRECHE_DIR/stderr") || :
  "$@"
  kill -HUP "$CRECHE_MAIN"
  wait_until restarts_are $((before + 2)) # the old one, and one that could not be
  [[ ! -e $CRECHE_DIR/status ]]
  install_new creched
  wait_until runs_what_is_installed
  all_end_with_5 "${IDS[@]}"
}

restarts_are() { # N
  (($(grep -c event=init.restart "$CRECHE_DIR/stderr") >= $1))
}

half_written() { # PERCENT
  head -c $(($(stat -c %s "$ORIGINAL/creched") * $1 / 100)) "$ORIGINAL/creched" >"$BUILD/creched.new"
  chmod +x "$BUILD/creched.new"
  mv "$BUILD/creched.new" "$BUILD/creched"
}

not_executable() {
  install_new creched
  chmod -x "$BUILD/creched"
}

@test "an upgrade to a program that is missing: tried again until it is there, and nothing is lost" {
  upgrade_through rm "$BUILD/creched"
}

@test "an upgrade to a program that is not executable: tried again until it is, and nothing is lost" {
  upgrade_through not_executable
}

@test "an upgrade to a program that is written by half: tried again until it is whole, and nothing is lost" {
  local percent

  for percent in 0 1 5 10; do # what is far behind is needed by debuggers only
    upgrade_through half_written "$percent"
  done
}

exits_at_once() { # STATUS
  printf '#!/bin/sh\nexit %d\n' "$1" >"$BUILD/creched.new"
  chmod +x "$BUILD/creched.new"
  mv "$BUILD/creched.new" "$BUILD/creched"
}

@test "an upgrade to a program that runs and gives up: tried again until one serves, and nothing is lost" {
  local status

  for status in 1 2 127; do # 127: the dynamic linker's, of a library that is not there
    upgrade_through exits_at_once "$status"
  done
}

# The limit and the score that creched has for itself are not what it was started with.
what_a_child_gets() {
  output_of "$(start_process sh -c 'ulimit -Sn; cat /proc/self/oom_score_adj')" | xargs
}

leftovers_of_creched() {
  ps -o stat=,comm= --ppid "$(daemon_pid)" | grep -cE '^Z|creche-forkserv' || :
}

@test "an upgrade hands over limits, and leaves no forkserver and no zombie behind" {
  local before id

  before=$(what_a_child_gets)
  id=$(create_process '{"argv": ["true"], "start_method": "forkserver"}')
  exitcode_of "$id" >/dev/null
  assert_equal "$(leftovers_of_creched)" 1
  upgrade
  assert_equal "$(what_a_child_gets)" "$before"
  assert_equal "$(leftovers_of_creched)" 0
}

# Starts a child that reads a line from the FIFO, and then exits with 5.
start_reader() { # FIFO METHOD [COMMAND]
  create_process "{\"argv\": [\"sh\", \"-c\", \"${3:-} read line <$1; exit 5\"], \"start_method\": \"$2\"}"
}

# In the place of creched: waits until somebody writes into the FIFO, and is creched then.
waits_first() { # FIFO
  printf '#!/bin/sh\nread line <%s\nexec %s/creched "$@"\n' "$1" "$ORIGINAL" >"$BUILD/creched.new"
  chmod +x "$BUILD/creched.new"
  mv "$BUILD/creched.new" "$BUILD/creched"
}

is_waiting() {
  grep -qz /bin/sh "/proc/$(pgrep --parent "$CRECHE_MAIN")/cmdline"
}

@test "creche-init is killed in the middle of an upgrade: the children of the forkserver are creched's" {
  local fifo=$BATS_TEST_TMPDIR/fifo window=$BATS_TEST_TMPDIR/window id

  mkfifo "$fifo" "$window"
  id=$(start_reader "$fifo" forkserver)
  waits_first "$window"
  kill -HUP "$CRECHE_MAIN"
  wait_until is_waiting
  kill_main
  echo >"$window"
  wait_until grep -q event=recover.done "$CRECHE_DIR/stderr"
  assert_equal "$(ps -o ppid= "$(field "$id" .pid)" | xargs)" "$(daemon_pid)"
  echo >"$fifo"
  assert_equal "$(exitcode_of "$id")" 5
  kill -TERM "$(daemon_pid)"
}

# Those of the processes of Creche, which are born into a frozen one as they are.
freeze() { # 1|0
  echo "$1" >"$(<"$CRECHE_DIR/state/cgroup")/cgroup.freeze"
}

is_child_of() { # PARENT PID
  [[ $(ps -o ppid= "$2" | xargs) == "$1" ]]
}

newborn_of_forkserver() {
  pgrep --parent "$(pgrep --parent "$(daemon_pid)" creche-forkserv)"
}

@test "an upgrade while the forkserver's child has not become its program yet: it is no forkserver" {
  local id pid daemon starter

  [[ -s $CRECHE_DIR/state/cgroup ]] || skip 'no control groups: nothing can be frozen'
  exitcode_of "$(create_process '{"argv": ["true"], "start_method": "forkserver"}')" >/dev/null
  freeze 1
  api POST /v1/processes '{"argv": ["sh", "-c", "exit 5"], "name": "newborn", "start_method": "forkserver"}' \
    >/dev/null 2>&1 &
  starter=$!
  wait_until newborn_of_forkserver
  pid=$(newborn_of_forkserver)
  daemon=$(daemon_pid)
  install_new creched
  kill -HUP "$CRECHE_MAIN"
  wait_until is_child_of "$daemon" "$pid"
  sleep 0.5 # the new program waits for those that are being started: it has done all that comes before
  freeze 0
  wait "$starter" || :
  wait_until runs_what_is_installed
  id=$(sql "SELECT id FROM processes WHERE name = 'newborn'")
  assert_equal "$(exitcode_of "$id")" 5
  assert_equal "$(field "$id" .pid)" "$pid"
}

@test "orphans that come to creched during an upgrade are reaped when they end" {
  local fifo=$BATS_TEST_TMPDIR/fifo window=$BATS_TEST_TMPDIR/window id pid orphan

  mkfifo "$fifo" "$window" "$fifo.orphan"
  id=$(start_reader "$fifo" spawn "(read line <$fifo.orphan)&")
  pid=$(field "$id" .pid)
  wait_until pgrep --parent "$pid"
  orphan=$(pgrep --parent "$pid")
  waits_first "$window"
  kill -HUP "$CRECHE_MAIN"
  wait_until is_waiting
  echo >"$fifo"
  wait_until is_zombie_or_gone "$pid"
  assert_equal "$(ps -o ppid= "$orphan" | xargs)" "$(pgrep --parent "$CRECHE_MAIN")"
  echo >"$window"
  assert_equal "$(exitcode_of "$id")" 5
  echo >"$fifo.orphan"
  wait_until is_gone "$orphan"
}

@test "creche-init itself is replaced on the disk: the one that runs goes on, and a restart brings the new one" {
  local id

  install_new creche-init
  id=$(start_blocked)
  upgrade
  release "$id"
  assert_equal "$(exitcode_of "$id")" 5
  [[ ! "/proc/$CRECHE_MAIN/exe" -ef "$BUILD/creche-init" ]]
  restart_creche
  [[ "/proc/$CRECHE_MAIN/exe" -ef "$BUILD/creche-init" ]]
  assert_equal "$(exitcode_of "$id")" 5
}

@test "a creched that dies as soon as it serves is not restarted at full speed" {
  local i

  for i in {1..6}; do
    kill_daemon
  done
  assert_match "$(grep event=init.restart "$CRECHE_DIR/stderr" | sed 's/.*delay_ms=//' | xargs)" '^0 50 50 50 50 50$'
}

@test "the stdin that creche-init has no room to keep ends with its creched, and everything else goes on" {
  local id

  prlimit --pid "$CRECHE_MAIN" --nofile=12:
  id=$(start_blocked)
  wait_until grep -q event=init.keep_refused "$CRECHE_DIR/stderr"
  kill_daemon
  # Its end of file, as if its client had closed it.
  assert_equal "$(exitcode_of "$id")" 5
  prlimit --pid "$CRECHE_MAIN" --nofile=1000:
  id=$(start_blocked)
  kill_daemon
  assert_equal "$(field "$id" .state)" started
  release "$id"
  assert_equal "$(exitcode_of "$id")" 5
}
