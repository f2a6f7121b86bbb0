#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Many at once: nothing is lost, nothing is mixed up, and who comes with a quick question is answered quickly.
# runs alone

# helper.bash sets STATUS and BODY.
# shellcheck disable=SC2153
load helper

# Sanitizers cost time; a shared machine too.
if [[ $BUILD =~ (asan|tsan|ubsan|coverage) ]]; then QUICK_MS=3000; else QUICK_MS=250; fi

setup_file() {
  ulimit -Sn "$(ulimit -Hn)"
  creche_setup_file
}

# There may be thousands: they are not left to the end of the file, which looks at each of them.
teardown() {
  local left

  left=$(sql "SELECT pid FROM processes WHERE state = 'started'")
  [[ -z $left ]] || xargs kill -KILL <<<"$left"
  wait_until nobody_runs
  creche_teardown
}

nobody_runs() {
  [[ $(api GET '/v1/processes?state=started&limit=1' | jq '.processes | length') == 0 ]]
}

# Says how long the request takes, the slowest of five; fails when that is not quick.
assert_quick() { # WHAT METHOD PATH [JSON]
  local slowest

  slowest=$(for _ in 1 2 3 4 5; do
    api "${@:2}" --output /dev/null --write-out '%{time_total}\n'
  done | sort -n | tail -n 1 | awk '{ print int($1 * 1000) }')
  echo "# $1: $slowest ms" >&3
  ((slowest <= QUICK_MS)) || fail "$1 took $slowest ms"
}

# 1,000 processes from 50 clients at once: each has a row, and its own exit code.
storm() { # METHOD
  local began=$EPOCHREALTIME i

  for i in {1..1000}; do
    printf 'POST /v1/processes {"argv": ["sh", "-c", "exit %s"], "name": "%s %s", "start_method": "%s"}\n' $((i % 256)) "$1" "$i" "$1"
  done | api_many 50 >"$BATS_TEST_TMPDIR/answers"
  assert_equal "$(jq numbers "$BATS_TEST_TMPDIR/answers" | sort | uniq -c | xargs)" '1000 201'

  api POST /v1/join "$(jq -cs '{ids: [.[] | objects | .id]}' "$BATS_TEST_TMPDIR/answers")" >"$BATS_TEST_TMPDIR/joined"
  echo "# $1: $(((${EPOCHREALTIME/./} - ${began/./}) / 1000)) ms" >&3
  assert_equal "$(jq -c '[(.ready | length), (.pending | length),
    ([.ready[] | select(.exitcode != (.name | split(" ")[1] | tonumber % 256))] | length)]' "$BATS_TEST_TMPDIR/joined")" '[1000,0,0]'
  assert_equal "$(sql "SELECT count(*), count(DISTINCT name), count(DISTINCT identity), sum(exitcode = substr(name, length('$1 ') + 1) % 256),
    sum(state = 'stopped') FROM processes WHERE start_method = '$1'")" '1000|1000|1000|1000|1000'
}

@test "1,000 processes from 50 clients at once have 1,000 rows and 1,000 right exit codes: spawn" {
  storm spawn
}

@test "1,000 processes from 50 clients at once have 1,000 rows and 1,000 right exit codes: fork" {
  storm fork
}

@test "1,000 processes from 50 clients at once have 1,000 rows and 1,000 right exit codes: forkserver" {
  storm forkserver
}

@test "with 2,000 living children and 500 parked joins, list, join and start still answer quickly" {
  local joiners=() ids daemon before i

  yes 'POST /v1/processes {"argv": ["sleep", "1000"], "labels": {"crowd": ""}}' | head -n 2000 | api_many 50 >"$BATS_TEST_TMPDIR/answers"
  assert_equal "$(jq numbers "$BATS_TEST_TMPDIR/answers" | sort | uniq -c | xargs)" '2000 201'
  mapfile -t ids < <(jq 'objects | .id' "$BATS_TEST_TMPDIR/answers")
  daemon=$(daemon_pid)
  before=$(files_of "$daemon")

  for i in 0 250; do
    printf 'POST /v1/processes/%s/join\n' "${ids[@]:i:250}" | MAX_TIME=600 api_many 250 >"$BATS_TEST_TMPDIR/joined.$i" &
    joiners+=($!)
  done
  wait_until connections_are 500

  assert_quick 'list of 100' GET '/v1/processes'
  assert_quick 'list of those running' GET '/v1/processes?state=started&limit=100'
  assert_quick 'one process' GET "/v1/processes/${ids[1000]}"
  assert_quick 'start' POST /v1/processes '{"argv": ["true"]}'
  assert_quick 'join' POST "/v1/processes/$(start_process true)/join"
  assert_quick 'join of any of 1,000' POST /v1/join "$(jq -cn --argjson ended "$(start_process true)" \
    '{ids: ([$ARGS.positional[] | tonumber] + [$ended]), mode: "any"}' --args "${ids[@]:0:999}")"
  assert_quick 'info' GET /v1/info
  assert_quick 'active_children' GET /v1/active_children

  # All 500 get what they waited for.
  printf 'POST /v1/processes/%s/terminate\n' "${ids[@]:0:500}" | api_many 20 >/dev/null
  wait "${joiners[@]}"
  assert_equal "$(jq -c 'objects | .exitcode' "$BATS_TEST_TMPDIR"/joined.* | sort | uniq -c | xargs)" '500 -15'
  wait_until files_are_at_most "$daemon" "$before"
}

files_of() { # PID
  find "/proc/$1/fd" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l
}

files_are_at_most() { # PID N
  (($(files_of "$1") <= $2))
}

@test "500 joiners that vanish change nothing, and cost nothing after a second" {
  local id daemon before joiners=() i

  id=$(start_blocked)
  daemon=$(daemon_pid)
  before=$(files_of "$daemon")
  yes "POST /v1/processes/$id/join" | head -n 250 | _many_config >"$BATS_TEST_TMPDIR/config"
  for i in 1 2; do
    curl --no-progress-meter --parallel --parallel-immediate --parallel-max 250 --config "$BATS_TEST_TMPDIR/config" >/dev/null &
    joiners+=($!)
  done
  wait_until connections_are 500
  (($(files_of "$daemon") >= before + 500))

  kill -KILL "${joiners[@]}"
  wait "${joiners[@]}" || :
  wait_until files_are_at_most "$daemon" "$before"
  assert_equal "$(field "$id" '"\(.state) \(.joined_at)"')" 'started null'
  release "$id"
  assert_equal "$(exitcode_of "$id")" 5
}

# libmicrohttpd 0.9.75 takes 128 events from epoll at once, and sleeps on those when there were exactly so many.
@test "as many requests at once as the two threads take events at once are answered at once" {
  assert_equal "$(python3 "$BATS_TEST_DIRNAME/at_once.py" "$CRECHE_SOCKET" "$(daemon_pid)" 256)" 256
}
