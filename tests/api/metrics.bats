#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# /metrics: what Prometheus can read, and whether it is true.

# helper.bash sets STATUS and BODY.
# shellcheck disable=SC2153
load helper

# The value of one sample, written as in the text: name{label="value"}.
sample() { # SAMPLE
  api GET /metrics | awk -v sample="$1" '$1 == sample { print $2 }'
}

grown() { # SAMPLE BY, since BEFORE[SAMPLE]
  [[ $(sample "$1") == $((${BEFORE[$1]} + $2)) ]]
}

# The rules of the text format, version 0.0.4, and of names, as far as our text uses them. Prints what breaks one.
format_errors() {
  awk '
    function wrong(what) { print NR ": " what ": " $0 }
    /^# HELP / {
      if ($3 in helped) wrong("described twice")
      helped[$3] = family = $3
      if (NF < 4 || $0 !~ /\.$/) wrong("no sentence")
      if (family !~ /^(creche|process)_[a-z_]+$/) wrong("a bad name")
      next
    }
    /^# TYPE / {
      if ($3 != family) wrong("no HELP before it")
      type = $4
      if (type !~ /^(counter|gauge|histogram)$/) wrong("no type")
      if ((type == "counter") != (family ~ /_total$/)) wrong("a counter ends in _total, and nothing else does")
      bucket = -1; les = 0
      next
    }
    !/^[a-z_]+(\{[a-z]+="[^"\\]*"\})? -?[0-9]+(\.[0-9]+)?(e[-+]?[0-9]+)?$/ { wrong("no sample"); next }
    {
      name = $1; sub(/\{.*/, "", name)
      if ($1 in seen) wrong("twice")
      seen[$1]
      if (type != "histogram") { if (name != family) wrong("of another family"); next }
      if (name == family "_bucket") {
        if ($2 < bucket) wrong("less than the bucket below")
        bucket = $2; les++
        inf = $1 ~ /le="\+Inf"/
      } else if (name == family "_count") {
        if ($2 != bucket || !inf || les < 5) wrong("not what the last bucket says")
      } else if (name != family "_sum") wrong("of another family")
    }
    END { if (NR < 100) print "only " NR " lines" }'
}

@test "metrics: the text has the form of Prometheus's text format, over both sockets" {
  exitcode_of "$(ended 3)" >/dev/null
  api_status GET /metrics >/dev/null
  assert_equal "$STATUS $(response_header content-type)" '200 text/plain; version=0.0.4; charset=utf-8'
  assert_equal "$(format_errors <<<"$BODY")" ''
  assert_equal "$(tcp GET /metrics | format_errors)" ''
  assert_equal "$(TOKEN= tcp_code GET /metrics)" 401
}

@test "metrics: that test notices what is wrong" {
  local text edit

  text=$(api GET /metrics)
  for edit in 's/^# HELP creche_starts_total.*//' 's/creche_starts_total/creche_starts/' '/^creche_waiting_joins/p' \
    's/le="1"} /le="1"} 99/' 's/^creche_waiting_joins .*/creche_waiting_joins/' 's/_count \(.*\)/_count 1\1/' \
    's/^creche_event_streams/creche_streams/' 's/ gauge$/ gouge/'; do
    [[ -n $(sed "$edit" <<<"$text" | format_errors) ]] || fail "not noticed: $edit"
  done
}

@test "metrics: promtool finds nothing to complain of" {
  local promtool

  promtool=$("$HERE/../../.ci/promtool" "$HERE/../../build/promtool" 2>"$BATS_TEST_TMPDIR/why") || skip "$(cat "$BATS_TEST_TMPDIR/why")"
  api GET /metrics | "$promtool" check metrics
  # And it would have complained.
  run "$promtool" check metrics <<<$'# TYPE creche_oops counter\ncreche_oops 1'
  ((status))
}

@test "metrics: starts, exits, states, durations and output are counted" {
  local s id method
  declare -A BEFORE

  for s in 'creche_starts_total{method="spawn"}' 'creche_starts_total{method="fork"}' \
    'creche_starts_total{method="forkserver"}' 'creche_exits_total{reason="exited"}' \
    'creche_exits_total{reason="signaled"}' 'creche_exits_total{reason="exec_failed"}' \
    'creche_processes{state="stopped"}' 'creche_processes{state="failed"}' creche_active_children \
    creche_start_duration_seconds_count creche_join_duration_seconds_count \
    'creche_output_bytes_total{stream="stdout"}' creche_waiting_joins; do
    BEFORE[$s]=$(sample "$s")
  done
  for method in "${METHODS[@]}"; do
    id=$(create_process "{\"argv\": [\"echo\", \"12345\"], \"start_method\": \"$method\"}")
    exitcode_of "$id" >/dev/null
  done
  http_code POST /v1/processes '{"argv": ["/nonesuch"]}' >/dev/null
  id=$(start_process sleep 1000)
  grown creche_active_children 1
  api POST "/v1/processes/$id/join" >/dev/null &
  wait_until grown creche_waiting_joins 1
  api POST "/v1/processes/$id/kill" >/dev/null
  wait $!

  grown 'creche_starts_total{method="spawn"}' 2
  grown 'creche_starts_total{method="fork"}' 1
  grown 'creche_starts_total{method="forkserver"}' 1
  grown 'creche_exits_total{reason="exited"}' 3
  grown 'creche_exits_total{reason="signaled"}' 1
  grown 'creche_exits_total{reason="exec_failed"}' 1
  grown 'creche_processes{state="stopped"}' 4
  grown 'creche_processes{state="failed"}' 1
  grown creche_start_duration_seconds_count 4
  grown 'creche_output_bytes_total{stream="stdout"}' 18
  grown creche_active_children 0
  grown creche_waiting_joins 0
  (($(sample creche_join_duration_seconds_count) > ${BEFORE[creche_join_duration_seconds_count]}))
}

@test "metrics: commits are timed, and their jobs counted" {
  local batches

  batches=$(sample creche_commit_batch_jobs_count)
  ended >/dev/null
  (($(sample creche_commit_batch_jobs_count) > batches))
  assert_equal "$(sample creche_commit_duration_seconds_count)" "$(sample creche_commit_batch_jobs_count)"
  assert_match "$(sample creche_commit_duration_seconds_sum)" '^[0-9.e-]+$'
  assert_equal "$(sample creche_commit_failures_total)" 0
}

@test "metrics: connections, streams, answers, restarts and the process itself are told" {
  local fifo=$BATS_TEST_TMPDIR/stream refused pid

  start_creche
  pid=$(daemon_pid)
  mkfifo "$fifo"
  # It leaves by itself, which is noticed at once.
  MAX_TIME=4 api GET /v1/events --no-buffer --header 'Accept: text/event-stream' >"$fifo" 2>/dev/null 3>&- &
  exec {stream}<"$fifo"
  read -r -t "$PATIENCE_S" _ <&"$stream"
  assert_equal "$(sample creche_event_streams)" 1
  (($(sample creche_http_connections) >= 2))
  wait_until is_parked
  refused=$(sample 'creche_http_requests_total{code="4xx"}')
  http_code GET /nonesuch >/dev/null
  # It is counted when its answer is out.
  wait_until has_more_refused "$refused"
  wait_until has_no_stream
  exec {stream}<&-

  (($(sample process_resident_memory_bytes) / 1024 - $(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status") < 4096))
  (($(sample process_open_fds) >= 10))
  assert_match "$(sample process_start_time_seconds)" '^[0-9]{10}'
  assert_equal "$(sample 'creche_degraded{reason="init_gone"}') $(sample creche_restarts_total)" '0 0'
  kill_daemon
  assert_equal "$(sample creche_restarts_total)" 1
  assert_equal "$(sample "creche_build_info{version=\"$(api GET /v1/info | jq -r .version)\"}")" 1
}

is_parked() { (($(sample creche_http_parked_requests) >= 1)); }
has_more_refused() { (($(sample 'creche_http_requests_total{code="4xx"}') == $1 + 1)); }
has_no_stream() { (($(sample creche_event_streams) == 0)); }

@test "metrics: a zombie that is nobody's is counted when it is reaped" {
  local before

  before=$(sample creche_orphans_reaped_total)
  exitcode_of "$(start_process sh -c '(sh -c "exit 0" &) ; sleep 0.1')"
  wait_until has_more_orphans "$before"
}

has_more_orphans() { (($(sample creche_orphans_reaped_total) > $1)); }
