#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The wall clock jumps by ten years, forward and back: nothing that is measured notices. creched runs with a shim
# that shifts its CLOCK_REALTIME; the machine's own clock is left alone.

load ../api/helper

TEN_YEARS=315532800

setup_file() { :; }

setup() {
  # A sanitizer wants to be the first library, and has a clock_gettime() of its own.
  [[ -z ${SAN:-} ]] || skip 'no LD_PRELOAD beside a sanitizer'
  OFFSET=$BATS_TEST_TMPDIR/offset
  head -c 8 /dev/zero >"$OFFSET"
  CLOCK_OFFSET_FILE=$OFFSET LD_PRELOAD=$(realpath "$BUILD/tests/crash/clock_shim.so") start_creche
  jump 0
  assert_equal "$(year_here)" "$(date +%Y)"
  jump "$TEN_YEARS"
  assert_equal "$(year_here)" $(($(date +%Y) + 10)) # the shim is there
  jump 0
}

# The wall clock of creched is off by SECONDS from now on: written in place, as the file is mapped.
jump() { # SECONDS
  printf '%016x' "$1" | tac -rs .. | sed 's/../\\x&/g' >"$BATS_TEST_TMPDIR/bytes"
  # shellcheck disable=SC2059
  printf "$(<"$BATS_TEST_TMPDIR/bytes")" | dd of="$OFFSET" conv=notrunc status=none
}

# The year of a row that is made now.
year_here() {
  local id

  id=$(create_process '{"argv": ["true"], "start": false}') && field "$id" .created_at | cut -c 1-4
}

# Milliseconds since BEGAN, an $EPOCHREALTIME.
ms_since() { # BEGAN
  local now=$EPOCHREALTIME

  echo $(((${now/./} - ${1/./}) / 1000))
}

@test "the clock jumps: a timeout is over when its time is, not before and not ten years later" {
  local long short by began

  for by in "$TEN_YEARS" "-$TEN_YEARS"; do
    jump 0
    long=$(create_process '{"argv": ["sleep", "1000"], "timeout": 600}')
    short=$(create_process '{"argv": ["sleep", "1000"], "timeout": 1}')
    jump "$by"
    assert_equal "$by $(exitcode_of "$short") $(field "$short" .exit.requested_by)" "$by -15 timeout"
    assert_equal "$by $(field "$long" .state)" "$by started"
  done
}

@test "the clock jumps: a join waits for as long as it was told, and sees the exit" {
  local by id began joiner

  id=$(start_blocked)
  for by in "$TEN_YEARS" "-$TEN_YEARS"; do
    jump 0
    began=$EPOCHREALTIME
    api POST "/v1/processes/$id/join" '{"timeout": 1}' >"$BATS_TEST_TMPDIR/joined" &
    joiner=$!
    wait_until connections_are 1
    jump "$by"
    wait "$joiner"
    assert_equal "$by $(jq .exitcode "$BATS_TEST_TMPDIR/joined")" "$by null"
    (($(ms_since "$began") >= 990)) || fail "it waited for $(ms_since "$began") ms only"
  done
  api POST "/v1/processes/$id/join" >"$BATS_TEST_TMPDIR/joined" &
  joiner=$!
  wait_until connections_are 1
  jump "$TEN_YEARS"
  release "$id"
  wait "$joiner"
  assert_equal "$(jq .exitcode "$BATS_TEST_TMPDIR/joined")" 5
}

@test "the clock jumps: ids keep their order, and so do lists" {
  local ids=() by

  for by in 0 "$TEN_YEARS" "-$TEN_YEARS" 0; do
    jump "$by"
    ids+=("$(ended 7)")
  done
  assert_equal "$(printf '%s\n' "${ids[@]}" | sort -n | xargs)" "${ids[*]}"
  assert_equal "$(api GET '/v1/processes?state=stopped&order=asc' | ids)" "[$(IFS=,; echo "${ids[*]}")]"
  assert_equal "$(api GET '/v1/processes?state=stopped' | ids)" "$(printf '%s\n' "${ids[@]}" | tac | jq -sc .)"
}

@test "the clock jumps back while a process runs: it is recorded as any other, and no duration is negative" {
  local id

  id=$(start_blocked)
  jump "-$TEN_YEARS"
  release "$id"
  assert_equal "$(exitcode_of "$id")" 5
  assert_equal "$(api GET "/v1/processes/$id" | jq '[.. | numbers | select(. < 0)] | length')" 0
  assert_equal "$(sql "SELECT started_at <= stopped_at FROM process WHERE id = $id")" 1
  assert_equal "$(api GET /v1/info | jq '[.. | numbers | select(. < 0)] | length')" 0
}

@test "the clock jumps while creched is down: children are known by their start, and timeouts go on from it" {
  local by id long short pid

  for by in "$TEN_YEARS" "-$TEN_YEARS"; do
    jump 0
    id=$(start_blocked)
    pid=$(field "$id" .pid)
    long=$(create_process '{"argv": ["sleep", "1000"], "timeout": 600}')
    short=$(create_process '{"argv": ["sleep", "1000"], "timeout": 2}')
    jump "$by"
    kill_daemon
    assert_equal "$by $(field "$id" '"\(.state) \(.pid)"')" "$by started $pid"
    assert_equal "$by $(exitcode_of "$short")" "$by -15"
    assert_equal "$by $(field "$long" .state)" "$by started"
    release "$id"
    assert_equal "$by $(exitcode_of "$id")" "$by 5"
  done
}

@test "the clock jumps: what is kept for a month stays, of this boot and of earlier ones, whatever the time is" {
  local by id old

  [[ -z ${SAN:-} ]] || skip 'no LD_PRELOAD beside a sanitizer'
  CLOCK_OFFSET_FILE=$OFFSET LD_PRELOAD=$(realpath "$BUILD/tests/crash/clock_shim.so") start_creche \
    --keep-ended 30d --keep-dangling 30d --keep-events 30d
  id=$(ended 7)
  old=$(ended 7)
  sql "UPDATE process SET boot = NULL WHERE id = $old"
  for by in "$TEN_YEARS" "-$TEN_YEARS"; do
    jump "$by"
    kill_daemon # the next one looks at once
    sleep 1
    assert_equal "$by $(field "$id" .exitcode) $(field "$old" .exitcode)" "$by 7 7"
    assert_equal "$by $(api GET '/v1/events?limit=1' | jq '.events[0].id')" "$by 1"
  done
}

@test "the clock jumps: the token of a process that runs stays good, and dies with it" {
  start_parent
  jump "$TEN_YEARS"
  assert_equal "$(TOKEN=$AUTHKEY api GET /v1/processes/self | jq .id)" "$PARENT"
  jump "-$TEN_YEARS"
  assert_equal "$(TOKEN=$AUTHKEY api GET /v1/processes/self | jq .id)" "$PARENT"
  kill_daemon
  assert_equal "$(TOKEN=$AUTHKEY api GET /v1/processes/self | jq .id)" "$PARENT"
  api POST "/v1/processes/$PARENT/kill" >/dev/null
  assert_equal "$(exitcode_of "$PARENT")" -9
  assert_equal "$(TOKEN=$AUTHKEY http_code GET /v1/processes/self)" 401
}
