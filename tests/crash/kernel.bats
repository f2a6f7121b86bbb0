#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What the kernel may do to us: no room for tasks or files, another boot, a call that is missing, closed files,
# signals by the thousand.

# helper.bash sets STATUS and BODY.
# shellcheck disable=SC2153
load ../api/helper

setup_file() { :; }

teardown() {
  creche_teardown
  [[ -z ${CGROUP:-} ]] || rmdir "$CGROUP"
  [[ -z ${ROOM:-} ]] || leave_room
}

# From now on start_creche runs COMMAND... creched OPTION...
wrap() { # COMMAND...
  local real

  real=$(realpath "$BUILD")
  mkdir -p "$BATS_TEST_TMPDIR/bin"
  printf '#!/bin/sh\nexec %s %q/creched "$@"\n' "$(printf '%q ' "$@")" "$real" >"$BATS_TEST_TMPDIR/bin/creched"
  chmod +x "$BATS_TEST_TMPDIR/bin/creched"
  BUILD=$BATS_TEST_TMPDIR/bin
}

# Copies of the programs where another user can execute them: ROOM. Its servers live in ROOM/UID.
make_room() {
  ROOM=$(mktemp -d /tmp/creche-test.XXXXXX)
  install -m 0755 "$BUILD/creched" "$BUILD/creche-init" "$ROOM"
  chmod 0755 "$ROOM"
}

leave_room() {
  local dir

  for dir in "$ROOM"/*/; do
    _end_creche "$dir"
  done
  rm -rf "$ROOM"
}

needs_root() {
  [[ $(id -u) == 0 ]] || skip 'not root'
}

start_with() { # METHOD
  api_status POST /v1/processes "{\"argv\": [\"true\"], \"start_method\": \"$1\"}"
}

# Each way to start is refused with "try again", and no row is left behind.
starts_are_refused() {
  local method rows

  rows=$(sql 'SELECT count(*) FROM process')
  for method in "${METHODS[@]}"; do
    start_with "$method" >/dev/null
    assert_problem 503 try_again
    assert_match "$(response_header retry-after)" '^[0-9]+$'
  done
  assert_equal "$(sql 'SELECT count(*) FROM process')" "$rows"
}

starts_work() {
  local method id

  for method in "${METHODS[@]}"; do
    id=$(create_process "{\"argv\": [\"sh\", \"-c\", \"exit 7\"], \"start_method\": \"$method\"}")
    assert_equal "$method $(exitcode_of "$id")" "$method 7"
  done
}

forkserver_pid() {
  pgrep --parent "$(daemon_pid)" --full forkserver
}

# Processor time of all threads of PID so far, in ticks.
ticks_of() { # PID
  local stat

  read -r stat <"/proc/$1/stat"
  # shellcheck disable=SC2086
  set -- ${stat##*) }
  echo $((${12} + ${13}))
}

# ---------------------------------------------------------------------------------- no room for tasks

# Moves the server into a cgroup of its own, with a limit on tasks that is not set yet.
into_cgroup() {
  local base=/sys/fs/cgroup/pids pid

  needs_root
  [[ -d $base ]] || base=/sys/fs/cgroup
  [[ -e $base/cgroup.procs ]] || skip 'no cgroup with the pids controller'
  CGROUP=$base/creche-test.$$
  mkdir "$CGROUP" || skip "no cgroup can be made in $base"
  [[ -e $CGROUP/pids.max ]] || skip "no pids controller in $base"
  for pid in $CRECHE_MAIN $(_descendants "$CRECHE_MAIN"); do
    echo "$pid" >"$CGROUP/cgroup.procs"
  done
}

# Room for N more tasks (or fewer).
room_for() { # N
  echo $(($(<"$CGROUP/pids.current") + $1)) >"$CGROUP/pids.max"
}

@test "no room for tasks: each start method is refused with 503, and works when there is room again" {
  start_creche
  into_cgroup
  room_for 0
  starts_are_refused
  echo max >"$CGROUP/pids.max"
  starts_work

  room_for 0 # with a forkserver, this time
  starts_are_refused
  echo max >"$CGROUP/pids.max"
  starts_work
}

@test "no room for tasks: a created process stays created, and a key starts one process in the end" {
  local id body='{"argv": ["sh", "-c", "exit 7"]}'

  start_creche
  into_cgroup
  id=$(create_process '{"argv": ["sh", "-c", "exit 6"], "start": false}')
  room_for 0
  api_status POST "/v1/processes/$id/start" >/dev/null
  assert_problem 503 try_again
  assert_equal "$(field "$id" .state)" initial
  api_status POST /v1/processes "$body" --header 'Idempotency-Key: k' >/dev/null
  assert_problem 503 try_again
  echo max >"$CGROUP/pids.max"
  api POST "/v1/processes/$id/start" >/dev/null
  assert_equal "$(exitcode_of "$id")" 6
  api_status POST /v1/processes "$body" --header 'Idempotency-Key: k' >/dev/null
  id=$(jq .id <<<"$BODY")
  assert_equal "$(exitcode_of "$id")" 7
  assert_equal "$(api POST /v1/processes "$body" --header 'Idempotency-Key: k' | jq .id)" "$id"
  assert_equal "$(sql 'SELECT count(*) FROM process')" 2
}

@test "no room for tasks: a creched that is killed then is back when there is room, and nothing is lost" {
  local id daemon threads

  start_creche
  into_cgroup
  id=$(start_blocked)
  daemon=$(daemon_pid)
  threads=$(ls "/proc/$daemon/task" | wc -l)
  room_for $((3 - threads)) # the next one can be forked, but has no room for its threads
  kill_dead "$daemon"
  PATIENCE_S=10 wait_until grep -q 'event=start.failed' "$CRECHE_DIR/stderr"
  [[ ! -e $CRECHE_DIR/status ]]
  echo max >"$CGROUP/pids.max"
  release "$id"
  assert_equal "$(exitcode_of "$id")" 5
  starts_work
}

@test "no room for tasks: a user's limit on processes is told as 503, and the user's next start works" {
  local daemon uid=54321 as before

  needs_root
  make_room
  mkdir "$ROOM/$uid" && chown "$uid:$uid" "$ROOM/$uid"
  BUILD=$ROOM wrap setpriv --reuid "$uid" --regid "$uid" --clear-groups
  BUILD=$BATS_TEST_TMPDIR/bin
  start_creche_in "$ROOM/$uid"
  daemon=$(daemon_pid)
  as=(setpriv --reuid "$uid" --regid "$uid" --clear-groups)
  before=$("${as[@]}" prlimit --pid "$daemon" --nproc --noheadings --output SOFT | xargs)
  "${as[@]}" prlimit --pid "$daemon" --nproc=1:
  starts_are_refused
  "${as[@]}" prlimit --pid "$daemon" --nproc="$before:"
  starts_work
  stop_creche
}

# ---------------------------------------------------------------------------------- no room for files

limit_files() { # PID N
  prlimit --pid "$1" --nofile="$2:"
}

@test "too many clients: those who are there are served, what takes a file is 503, the others wait their turn" {
  local id daemon ticks before i tcp=() fd line clients

  start_creche
  id=$(start_blocked)
  daemon=$(daemon_pid)
  exec {fd}<>"/dev/tcp/127.0.0.1/${CRECHE_URL##*:}"
  request_on "$fd" GET /v1/info
  assert_match "$REPLY" ' 200 '
  limit_files "$daemon" 150
  for i in {1..200}; do
    echo "POST /v1/processes/$id/join"
  done | api_many 200 >"$BATS_TEST_TMPDIR/joined" &
  clients=$!
  wait_until grep -q event=http.no_room "$CRECHE_DIR/stderr"
  for i in {1..8}; do
    exec {line}<>"/dev/tcp/127.0.0.1/${CRECHE_URL##*:}"
    tcp+=("$line")
  done

  request_on "$fd" GET "/v1/processes/$id"
  assert_match "$REPLY" ' 200 '
  before=$(sql 'SELECT count(*) FROM process')
  request_on "$fd" POST /v1/processes '{"argv": ["true"]}'
  assert_match "$REPLY" ' 503 .*[Rr]etry-[Aa]fter: 1'
  assert_equal "$(sql 'SELECT count(*) FROM process')" "$before"
  ticks=$(ticks_of "$daemon")
  sleep 1 # a span to measure in
  ticks=$(($(ticks_of "$daemon") - ticks))
  ((ticks < 25)) || fail "creched used $ticks ticks of processor time in a second of waiting"

  for line in "${tcp[@]}"; do
    exec {line}>&-
  done
  # What takes a file is not for those who come by TCP; what ends something takes none.
  request_on "$fd" PUT "/v1/processes/$id/stdin?eof=1" go application/octet-stream
  assert_match "$REPLY" ' 503 .*[Rr]etry-[Aa]fter: 1'
  request_on "$fd" POST "/v1/processes/$id/kill"
  assert_match "$REPLY" ' 200 '
  wait "$clients"
  assert_equal "$(jq -r 'objects | .exitcode' "$BATS_TEST_TMPDIR/joined" | sort | uniq -c | xargs)" '200 -9'
  exec {fd}>&-
  starts_work
}

# One request on a connection that stays open; REPLY: the head of the answer on one line.
request_on() { # FD METHOD PATH [BODY [TYPE]]
  local line length=0

  printf '%s %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s' \
    "$2" "$3" "${CRECHE_URL#http://}" "$CRECHE_TOKEN" "${5:-application/json}" "${#4}" "${4:-}" >&"$1"
  REPLY=
  while IFS= read -r -t "$PATIENCE_S" line <&"$1" && line=${line%$'\r'} && [[ -n $line ]]; do
    REPLY+="$line "
    [[ ${line,,} != content-length:* ]] || length=${line##*: }
  done
  LC_ALL=C read -r -t "$PATIENCE_S" -N "$length" line <&"$1" || :
}

@test "too many processes for the limit on files: the next is 503, and each can be told to end and is recorded" {
  local daemon ids=() i

  start_creche
  daemon=$(daemon_pid)
  limit_files "$daemon" 150
  for i in {1..150}; do
    api_status POST /v1/processes '{"argv": ["sleep", "1000"]}' >/dev/null
    [[ $STATUS == 201 ]] || break
    ids+=("$(jq .id <<<"$BODY")")
  done
  assert_problem 503 try_again
  assert_match "$(response_header retry-after)" '^[0-9]+$'
  starts_are_refused
  ((${#ids[@]} > 20))
  for i in "${ids[@]}"; do
    assert_equal "$(api POST "/v1/processes/$i/terminate" | jq .delivered)" true
  done
  for i in "${ids[@]}"; do
    assert_equal "$(exitcode_of "$i")" -15
  done
  starts_work
}

@test "not one more file: exits are recorded all the same, and creched is itself again afterwards" {
  local daemon method ids=() pids=()

  start_creche
  daemon=$(daemon_pid)
  for method in "${METHODS[@]}"; do
    ids+=("$(create_process "{\"argv\": [\"sleep\", \"1000\"], \"start_method\": \"$method\"}")")
    pids+=("$(field "${ids[-1]}" .pid)")
  done
  limit_files "$daemon" 3
  kill -USR1 "${pids[@]}"
  wait_until all_are "stopped -10"
  prlimit --pid "$daemon" --nofile=1000:

  # The same with children of a dead creched.
  pids=()
  for method in "${METHODS[@]}"; do
    ids+=("$(create_process "{\"argv\": [\"sleep\", \"1000\"], \"start_method\": \"$method\"}")")
    pids+=("$(field "${ids[-1]}" .pid)")
  done
  kill_daemon
  daemon=$(daemon_pid)
  limit_files "$daemon" 3
  kill -USR1 "${pids[@]}"
  wait_until all_are "stopped -10"
  prlimit --pid "$daemon" --nofile=1000:
  assert_equal "$(exitcode_of "${ids[0]}")" -10
  starts_work
  assert_equal "$(daemon_pid)" "$daemon"
}

all_are() { # STATE EXITCODE
  [[ $(sql "SELECT DISTINCT state || ' ' || exitcode FROM processes") == "$1" ]]
}

@test "the forkserver has no room for files: 503, and its next start works" {
  local server id

  start_creche
  starts_work
  id=$(start_blocked '{"start_method": "forkserver"}')
  server=$(forkserver_pid)
  limit_files "$server" 6
  start_with forkserver >/dev/null
  assert_problem 503 try_again
  release "$id"
  assert_equal "$(exitcode_of "$id")" 5
  limit_files "$server" 1000
  starts_work
  assert_equal "$(forkserver_pid)" "$server"
}

@test "no room for files: a first start says so and ends, rather than to go on trying" {
  local status=0

  SAID=$(prlimit --nofile=24:24 timeout "$PATIENCE_S" "$BUILD/creched" --state-dir "$BATS_TEST_TMPDIR/state" \
    --socket "$BATS_TEST_TMPDIR/s" --listen none 2>&1 </dev/null 3>&-) || status=$?
  [[ $status == [14] ]] || fail "exit status $status"
  assert_match "$SAID" 'event=start.failed .*error='
}

# ------------------------------------------------------------------------------------- another boot

@test "the machine was restarted: what ran is lost, and strangers with their pids are left alone" {
  local id pid stranger boot=$BATS_TEST_TMPDIR/boot_id

  needs_root
  unshare --mount true || skip 'no mount namespaces here'
  start_creche
  id=$(start_process sleep 1000)
  stranger=$(start_process sleep 1000) # its process lives on, as a stranger that has its number would
  pid=$(field "$stranger" .pid)
  kill_all
  kill -KILL "$(sql "SELECT pid FROM processes WHERE id = $id")"

  echo 01234567-89ab-cdef-0123-456789abcdef >"$boot"
  # shellcheck disable=SC2016
  wrap unshare --mount sh -c 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"' "$boot"
  start_creche_in "$CRECHE_DIR"
  for id in "$id" "$stranger"; do
    assert_equal "$(field "$id" '[.state, .exitcode, .exit.reason] | tojson')" '["lost",null,"lost"]'
    assert_match "$(field "$id" .exit.detail)" 'machine was restarted'
    assert_equal "$(api POST "/v1/processes/$id/kill" | jq .delivered)" false
  done
  kill -TERM "$CRECHE_MAIN"
  _wait_end "$CRECHE_DIR" "$PATIENCE_S"
  assert_equal "$(<"$CRECHE_DIR/status")" 0
  kill -KILL "$pid" # nobody has done it before
}

# -------------------------------------------------------------------------- a kernel that lacks something

refused_by() { # COMMAND...
  STATUS=0
  SAID=$(timeout "$PATIENCE_S" "$@" "$BUILD/creched" --state-dir "$BATS_TEST_TMPDIR/state" \
    --socket "$BATS_TEST_TMPDIR/s" --listen none 2>&1 </dev/null) || STATUS=$?
}

@test "a kernel or a seccomp filter without a call that is needed is refused with its name before anything is written" {
  local call errno

  for call in clone3 pidfd_open pidfd_send_signal openat2 close_range; do
    for errno in ENOSYS EPERM; do
      refused_by "$BUILD/tests/crash/forbid" "$call" "$errno"
      assert_match "$STATUS $SAID" "^1 creched: the kernel does not let us use $call: Linux 5.9 "
    done
  done
  [[ ! -e $BATS_TEST_TMPDIR/state && ! -e $BATS_TEST_TMPDIR/s ]]
}

@test "without /proc, or with that of another pid namespace, it is refused before anything is written" {
  needs_root
  [[ -z ${SAN:-} ]] || skip 'a sanitizer needs /proc itself'
  unshare --mount true || skip 'no mount namespaces here'
  # shellcheck disable=SC2016
  refused_by unshare --mount sh -c 'umount -l /proc && exec "$0" "$@"'
  assert_match "$STATUS $SAID" '^1 creched: /proc is not mounted'
  refused_by unshare --fork --pid
  assert_match "$STATUS $SAID" '^1 creched: /proc is not mounted, or it is that of another pid namespace'
  # shellcheck disable=SC2016
  refused_by unshare --mount sh -c 'mount -t proc -o subset=pid proc /proc && exec "$0" "$@"'
  assert_match "$STATUS $SAID" '^1 creched: /proc cannot be read'
  [[ ! -e $BATS_TEST_TMPDIR/state && ! -e $BATS_TEST_TMPDIR/s ]]
}

@test "with a /proc that hides the processes of others (hidepid=2) everything works, for root and for a user" {
  local uid id ids

  needs_root
  unshare --mount true || skip 'no mount namespaces here'
  make_room
  for uid in 0 54321; do
    mkdir "$ROOM/$uid" && chown "$uid:$uid" "$ROOM/$uid"
    # shellcheck disable=SC2016
    BUILD=$ROOM wrap unshare --mount --pid --fork --kill-child --mount-proc sh -c \
      'mount -o remount,hidepid=2 /proc && exec setpriv --reuid "$0" --regid "$0" --clear-groups "$@"' "$uid"
    BUILD=$BATS_TEST_TMPDIR/bin start_creche_in "$ROOM/$uid"
    ids=()
    for method in "${METHODS[@]}"; do
      ids+=("$(start_blocked "{\"start_method\": \"$method\"}")")
    done
    api GET /v1/info | jq -e '.health == "ok"' >/dev/null
    kill -KILL "$(pgrep --full --exact --parent "$(pgrep --parent "$CRECHE_MAIN")" '.*creched .*')"
    for id in "${ids[@]}"; do
      release "$id" || release "$id"
      assert_equal "$uid $(exitcode_of "$id")" "$uid 5"
    done
    kill -TERM "$(pgrep --parent "$CRECHE_MAIN")"
    _wait_end "$CRECHE_DIR" "$PATIENCE_S"
    assert_equal "$(<"$CRECHE_DIR/status")" 0
  done
}

# -------------------------------------------------------------------------------------- closed files

# Prints what PID has as fd 0, 1 and 2.
stdio_of() { # PID
  local fd

  for fd in 0 1 2; do
    readlink "/proc/$1/fd/$fd" || echo none
  done | xargs
}

@test "stdio: with any of the three files closed it works, and no file of ours or of a child takes their places" {
  local combination i main id

  CRECHE_SOCKET=$BATS_TEST_TMPDIR/s CRECHE_STATE=$BATS_TEST_TMPDIR/state
  for combination in '' '<&-' '>&-' '2>&-' '<&- >&-' '<&- 2>&-' '>&- 2>&-' '<&- >&- 2>&-'; do
    # shellcheck disable=SC2016
    bash -c "exec 3>&-; exec \"\$@\" $combination" sh "$BUILD/creched" --state-dir "$CRECHE_STATE" \
      --socket "$CRECHE_SOCKET" --listen none </dev/null >/dev/null 2>&1 3>&- &
    main=$!
    wait_until daemon_pid >/dev/null 2>&1
    for i in "$main" "$(daemon_pid)"; do
      assert_equal "$combination: $(stdio_of "$i")" "$combination: /dev/null /dev/null /dev/null"
    done
    for i in "${METHODS[@]}"; do
      # shellcheck disable=SC2016
      id=$(create_process '{"argv": ["sh", "-c", "readlink /proc/$$/fd/0; echo out; echo err >&2; exit 5"],
        "start_method": "'"$i"'", "stderr": "null"}')
      assert_equal "$combination $i $(output_of "$id" | xargs) $(exitcode_of "$id")" "$combination $i /dev/null out 5"
    done
    kill -TERM "$main"
    wait "$main"
  done
}

# -------------------------------------------------------------------------------------------- signals

# Sends SIGNAL to PID, N times.
flood() { # N SIGNAL PID
  local i

  for ((i = 0; i < $1; i++)); do
    kill "-$2" "$3"
  done
}

@test "ten thousand signals that mean nothing, to creche-init and to creched, do nothing" {
  local daemon signal pid ids=()

  start_creche
  daemon=$(daemon_pid)
  for method in "${METHODS[@]}"; do
    ids+=("$(start_blocked "{\"start_method\": \"$method\"}")")
  done
  for signal in CHLD PIPE USR1 USR2 ALRM QUIT WINCH IO PWR VTALRM; do
    for pid in "$daemon" "$CRECHE_MAIN"; do
      flood 1000 "$signal" "$pid"
    done
  done
  assert_equal "$(daemon_pid)" "$daemon"
  for pid in "${ids[@]}"; do
    release "$pid"
    assert_equal "$(exitcode_of "$pid")" 5
  done
  starts_work
  stop_creche
}

@test "signals that mean nothing, to the forkserver, do nothing" {
  local server signal

  start_creche
  starts_work
  server=$(forkserver_pid)
  for signal in CHLD PIPE USR1 USR2 ALRM QUIT HUP INT TERM; do
    flood 100 "$signal" "$server"
  done
  starts_work
  assert_equal "$(forkserver_pid)" "$server"
}

@test "SIGHUP a thousand times, to creched and to creche-init: nothing is lost, and the last creched serves" {
  local ids=() method id

  start_creche
  for method in "${METHODS[@]}"; do
    ids+=("$(start_blocked "{\"start_method\": \"$method\"}")")
  done
  flood 500 HUP "$(daemon_pid)" 2>/dev/null || : # it ends after the first
  flood 1000 HUP "$CRECHE_MAIN"
  for id in "${ids[@]}"; do
    wait_until release "$id" 2>/dev/null
    wait_until joined_with 5 "$id"
  done
  stop_creche
}

joined_with() { # CODE ID
  [[ $(exitcode_of "$2" 2>/dev/null) == "$1" ]]
}
