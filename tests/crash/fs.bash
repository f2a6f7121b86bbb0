# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Servers whose state directory is a file system of its own.
#
#   state_on tmpfs|ext4 MIB [OPTIONS]   mounts it at DIR/state and sets DIR; skips where that cannot be
#   fill, make_room                     a file takes all that is free; it goes
#   start_waiting N                     starts N processes that end with 1, 2 .. N (mod 256) when told to
#   end_waiting N                       tells N of them
#   codes_are_right N                   each of the N has its own exit code in the database
#   hold_down, let_up                   SIGKILL to creched, and no other one until creche-init is let go on
#   health                              "ok", or "degraded" and why
#   refused STATUS CODE                 a start gets this
#   main_ends_with STATUS               creche-init ends by itself with this exit status

state_on() { # tmpfs|ext4 MIB [MOUNT OPTIONS]
  ((EUID == 0)) || skip 'needs root, to mount a file system'
  DIR=$(mktemp -d "$BATS_FILE_TMPDIR/$BATS_TEST_NUMBER.XXXX")
  mkdir -m 700 "$DIR/state"
  case $1 in
    tmpfs) mount -t tmpfs -o "size=$2m,mode=700${3:+,$3}" tmpfs "$DIR/state" || skip 'tmpfs cannot be mounted here' ;;
    ext4)
      truncate -s "$2M" "$DIR/image"
      mkfs.ext4 -q -F -m 0 "$DIR/image"
      mount -o "loop${3:+,$3}" "$DIR/image" "$DIR/state" || skip 'there is no loop device here'
      ;;
  esac
  printf '%s\n' "$DIR" >>"$BATS_FILE_TMPDIR/mounted.$BATS_TEST_NUMBER"
}

# Before helper.bash removes the folder: its rm must not go into a file system that is not ours to empty.
unmount_all() {
  local dir

  [[ -e $BATS_FILE_TMPDIR/mounted.$BATS_TEST_NUMBER ]] || return 0
  while read -r dir; do
    ! mountpoint -q "$dir/state" || umount "$dir/state" 2>/dev/null || umount -l "$dir/state"
  done <"$BATS_FILE_TMPDIR/mounted.$BATS_TEST_NUMBER"
}

setup_file() { :; }

teardown() {
  local status=0 dir

  exec 8>&- || :
  [[ -n ${BATS_TEST_COMPLETED:-} || -n ${BATS_TEST_SKIPPED:-} || -z ${CRECHE_DIR:-} ]] || _dump_stderr
  for dir in "$BATS_FILE_TMPDIR/$BATS_TEST_NUMBER".*; do
    [[ ! -d $dir ]] || _end_creche "$dir" || status=1
  done
  unmount_all
  rm -rf "$BATS_FILE_TMPDIR/$BATS_TEST_NUMBER".*
  return "$status"
}

fill() {
  dd if=/dev/zero of="$CRECHE_STATE/hog" bs=64k 2>/dev/null || :
  dd if=/dev/zero bs=512 2>/dev/null >>"$CRECHE_STATE/hog" || :
}

make_room() {
  rm "$CRECHE_STATE/hog"
}

# They all read from one pipe, which is held open here: who gets the end of a line, ends.
start_waiting() { # N
  local i

  mkfifo "$CRECHE_DIR/go"
  exec 8<>"$CRECHE_DIR/go"
  for ((i = 1; i <= $1; i++)); do
    printf 'POST /v1/processes {"argv": ["sh", "-c", "read x <%s; exit %s"], "name": "%s"}\n' \
      "$CRECHE_DIR/go" $((i % 256)) "$i"
  done | api_many 8 >/dev/null
  assert_equal "$(sql "SELECT count(*) FROM active_children WHERE name NOT LIKE 'P%'")" "$1"
}

end_waiting() { # N
  local i

  for ((i = 0; i < $1; i++)); do
    echo
  done >&8
}

codes_are_right() { # N
  [[ $(sql "SELECT count(*) FROM processes WHERE name NOT LIKE 'P%' AND state = 'stopped' AND exitcode = name % 256") == "$1" ]]
}

hold_down() {
  local daemon

  daemon=$(daemon_pid)
  kill -STOP "$CRECHE_MAIN"
  kill -KILL "$daemon"
  wait_until is_zombie_or_gone "$daemon"
}

let_up() {
  kill -CONT "$CRECHE_MAIN"
}

health() {
  api GET /v1/info | jq -r '.health + " " + (.health_reasons | join("; "))'
}

health_is() { # HEALTH
  [[ $(MAX_TIME=5 health 2>/dev/null) == "$1"* ]]
}

refused() { # STATUS CODE
  api_status POST /v1/processes '{"argv": ["true"]}' >/dev/null && assert_problem "$1" "$2"
}

serves() {
  [[ $(MAX_TIME=5 http_code GET /v1/info 2>/dev/null) == 200 ]]
}

is_unavailable() {
  [[ $(MAX_TIME=5 http_code GET /v1/info 2>/dev/null) == 503 ]]
}

starts_work() {
  MAX_TIME=20 api POST /v1/processes '{"argv": ["true"], "stdout": "null", "stderr": "null"}' 2>/dev/null | jq -e .pid >/dev/null
}

restarts() {
  grep -c event=init.restart "$CRECHE_DIR/stderr" || :
}

is_zombie() { # PID
  grep -q ' Z ' "/proc/$1/stat" 2>/dev/null
}

main_ends_with() { # STATUS
  _wait_end "$CRECHE_DIR" "$PATIENCE_S" || fail 'creche-init still runs' || return
  assert_equal "exit status $(<"$CRECHE_DIR/status")" "exit status $1"
}
