#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What somebody has planted in the state directory is refused with its name, never followed, never written to.

# helper.bash sets STATUS and BODY.
# shellcheck disable=SC2153
load helper

setup_file() { :; }

setup() {
  # Where the teardown finds a server that a failed test has left.
  DIR=$(mktemp -d "$BATS_FILE_TMPDIR/$BATS_TEST_NUMBER.XXXX")
  VICTIM=$BATS_TEST_TMPDIR/victim
  WAYS=(symlink dangling hardlink fifo)
}

teardown_file() { :; }

# Puts what @WAY says in the place of a file; the victim stays what it is.
plant() { # WAY PATH
  printf 'victim\n' >"$VICTIM"
  rm -rf "$2"
  case $1 in
    symlink) ln -s "$VICTIM" "$2" ;;
    dangling) ln -s "$VICTIM.none" "$2" ;;
    hardlink) ln "$VICTIM" "$2" ;;
    fifo) mkfifo "$2" ;;
    folder-link) mkdir -p "$VICTIM.d" && ln -s "$VICTIM.d" "$2" ;;
  esac
}

victim_is_whole() { # WAY
  assert_equal "$1: $(<"$VICTIM")" "$1: victim"
  [[ ! -e $VICTIM.none ]] || fail "$1: it was written through a link"
  [[ ! -e $VICTIM.d ]] || [[ -z $(ls -A "$VICTIM.d") ]] || fail "$1: $(ls -A "$VICTIM.d")"
}

# A server on the state directory of DIR, which has served before; prints what it says. It must not serve.
refused() { # STATUS
  local status=0

  timeout "$PATIENCE_S" "$BUILD/creched" --state-dir "$DIR/state" --socket "$DIR/s" --listen none \
    >"$DIR/stdout" 2>"$DIR/said" || status=$?
  assert_equal "$status $(<"$DIR/stdout")" "$1 "
}

served_before() {
  start_creche_in "$DIR"
  start_process true >/dev/null
  stop_creche
  SAVED=$DIR/saved
  cp -a "$DIR/state" "$SAVED"
}

@test "planted: a link, a hard link or a FIFO for any file of the state directory is refused with its name" {
  local file way
  local files=(token secret registry.db registry.db-wal registry.db-shm spawn.journal ballast)

  served_before
  [[ ! -e $SAVED/leaves ]] || files+=(leaves) # there are control groups
  for file in "${files[@]}"; do
    for way in "${WAYS[@]}"; do
      rm -rf "$DIR/state"
      cp -a "$SAVED" "$DIR/state"
      plant "$way" "$DIR/state/$file"
      refused 4 || fail "$file $way: $(<"$DIR/said")"
      assert_match "$(<"$DIR/said")" "$file"
      assert_match "$(<"$DIR/said")" 'symbolic link|hard link|no regular file'
      victim_is_whole "$file $way"
    done
  done
}

@test "planted: the lock, the folder of the logs, and the state directory itself" {
  local way

  served_before
  for way in symlink dangling hardlink fifo; do
    plant "$way" "$DIR/state/lock"
    refused 1
    assert_match "$(<"$DIR/said")" 'lock (is|has)'
    victim_is_whole "lock $way"
  done
  rm "$DIR/state/lock"
  plant folder-link "$DIR/state/logs"
  refused 4
  assert_match "$(<"$DIR/said")" 'logs is a symbolic link'
  victim_is_whole logs
  rm "$DIR/state/logs"
  mv "$DIR/state" "$DIR/elsewhere"
  ln -s elsewhere "$DIR/state"
  refused 1
  assert_match "$(<"$DIR/said")" 'state is a symbolic link'
}

@test "planted: the log of a child is opened by itself, and is a file of its own or none" {
  local way method stage id=0

  start_creche_in "$DIR"
  mkdir -p "$DIR/state/logs/0"
  for method in "${METHODS[@]}"; do
    for way in "${WAYS[@]}"; do
      for stage in stdout stderr; do
        id=$((id + 1))
        plant "$way" "$DIR/state/logs/0/$id.${stage#std}"
        api_status POST /v1/processes "{\"argv\": [\"sh\", \"-c\", \"echo out; echo err >&2\"], \"start_method\": \"$method\"}" >/dev/null
        assert_problem 422 exec_failed
        assert_equal "$way $(jq -c '.process | [.id, .exit.stage]' <<<"$BODY")" "$way [$id,\"$stage\"]"
        victim_is_whole "$method $way $stage"
        [[ $way == hardlink ]] || assert_equal "$way $(http_code GET "/v1/processes/$id/logs?stream=$stage")" "$way 404"
      done
    done
  done
  stop_creche
}

@test "planted: a folder of logs that is a link is not entered" {
  start_creche_in "$DIR"
  plant folder-link "$DIR/state/logs/0"
  assert_equal "$(http_code POST /v1/processes '{"argv": ["true"]}')" 500
  victim_is_whole folder
  stop_creche
}

@test "planted: a link that appears while it serves is not followed by who reads or deletes a log" {
  local id

  start_creche_in "$DIR"
  id=$(ended)
  plant symlink "$DIR/state/logs/0/$id.out"
  assert_equal "$(http_code GET "/v1/processes/$id/logs")" 404
  mv "$DIR/state/logs/0" "$DIR/state/logs/old"
  plant folder-link "$DIR/state/logs/0"
  printf 'victim\n' >"$VICTIM.d/$id.out"
  assert_equal "$(http_code GET "/v1/processes/$id/logs")" 404
  assert_equal "$(http_code DELETE "/v1/processes/$id")" 204
  assert_equal "$(<"$VICTIM.d/$id.out")" victim
  stop_creche
}
