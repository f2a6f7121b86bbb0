#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What is over goes when it is old enough, or too much, and not before.

# shellcheck disable=SC2153
load helper

setup_file() { :; }

is_there() { (($(sql "SELECT count(*) FROM process WHERE id = $1"))); }
is_away() { ! is_there "$1"; }

# Ended, joined or closed long ago, in an earlier boot, as N rows with the ids from FIRST on.
old_rows() { # FIRST N STATE JOINED_AT
  sql "WITH RECURSIVE n (i) AS (VALUES ($1) UNION ALL SELECT i + 1 FROM n WHERE i < $1 + $2 - 1)
    INSERT INTO process (id, name, identity, lineage, state, start_method, daemon, argv, env, labels, stdout, stderr, grace_us,
        created_at, started_at, stopped_at, joined_at, exitcode, exit_reason)
      SELECT i, 'old', i, '', '$3', 'spawn', 0, '[\"true\"]', '[]', '{}', 'log', 'log', 0, i, i, i, $4, 0, 'exited' FROM n;
    INSERT INTO tally SELECT '$3', $2 WHERE true UNION ALL SELECT 'joined', ($4 IS NOT NULL AND '$3' <> 'closed') * $2
      ON CONFLICT (state) DO UPDATE SET n = n + excluded.n"
}

counted() { # what counting gives is what the counters say
  assert_equal "$(sql "SELECT n FROM tally WHERE state = 'joined'")" \
    "$(sql "SELECT count(*) FROM process WHERE joined_at IS NOT NULL AND state IN ('stopped', 'failed', 'lost')")"
  assert_equal "$(api GET /v1/info | jq -c '.counts.stopped')" "$(sql "SELECT count(*) FROM process WHERE state = 'stopped'")"
}

@test "without a setting nothing goes, whatever its age, and info says so" {
  start_creche
  stop_creche
  old_rows 1 10 stopped 5
  old_rows 11 10 stopped NULL
  start_creche_in "$CRECHE_DIR"
  assert_equal "$(api GET /v1/info | jq -c '.retention | [.[]] | unique')" '[null]'
  sleep 1
  assert_equal "$(sql 'SELECT count(*) FROM process')" 20
}

@test "each setting is an option and a variable, is told by info, and refuses what it cannot be" {
  local option

  CRECHE_KEEP_EVENTS_COUNT=5000 start_creche --keep-ended 30d --keep-ended-count 100000 --keep-dangling 12h --keep-events 90m
  assert_equal "$(api GET /v1/info | jq -c '.retention | [.ended_s, .ended_count, .dangling_s, .events_s, .events_count]')" \
    '[2592000,100000,43200,5400,5000]'
  restart_creche --keep-ended forever --keep-ended-count all --keep-dangling 60
  assert_equal "$(api GET /v1/info | jq -c '.retention | [.ended_s, .ended_count, .dangling_s]')" '[null,null,60]'
  for option in keep-ended=0 keep-ended=-1d keep-ended=1w keep-ended=1.5h keep-ended=1dd keep-ended=d keep-ended= keep-ended=none \
    keep-ended=99999999999d keep-dangling=0s keep-events=' 1d' keep-ended-count=0 keep-ended-count=-1 keep-events-count=1d \
    keep-events-count=forever; do
    run "$BUILD/creched" "--${option%%=*}" "${option#*=}" --state-dir "$BATS_TEST_TMPDIR" --socket "$BATS_TEST_TMPDIR/s"
    assert_equal "$option $status" "$option 2"
  done
}

@test "a joined process goes at its age as if somebody had deleted it: row, output, key; event and audit tell of it" {
  local key='Idempotency-Key: nightly' id since dangling created running

  start_creche --keep-ended 2s
  dangling=$(start_process true)
  wait_until eval "[[ \$(field $dangling .state) == stopped ]]"
  created=$(create_process '{"argv": ["true"], "start": false}')
  running=$(start_process sleep 1000)
  id=$(api POST /v1/processes '{"argv": ["sh", "-c", "echo said; exit 7"]}' --header "$key" | jq .id)
  assert_equal "$(exitcode_of "$id")" 7
  assert_equal "$(output_of "$id")" said
  since=$(api GET '/v1/events?limit=1' | jq .last)
  wait_until is_away "$id"
  api_status GET "/v1/processes/$id" >/dev/null
  assert_problem 404 not_found
  assert_equal "$(http_code GET "/v1/processes/$id/logs")" 404
  wait_until eval "[[ -z \$(find '$CRECHE_STATE/logs' -name '$id.*') ]]"
  assert_equal "$(api GET "/v1/events?since=$since&process=$id" | jq -c '[.events[] | [.type, .exitcode]]')" '[["deleted",7]]'
  assert_equal "$(api GET "/v1/audit?process=$id" | jq -c '.entries[0] | [.who, .verb, .detail, .outcome]')" \
    '["creche","delete","retention","done"]'
  assert_equal "$(api POST /v1/processes '{"argv": ["true"]}' --header "$key" | jq ".id > $id")" true
  assert_match "$(api GET /metrics)" $'\ncreche_retention_deleted_total\\{kind="process"\\} 1\n'
  assert_equal "$(field "$dangling" .state) $(field "$created" .state) $(field "$running" .state)" 'stopped initial started'
  counted
}

@test "nothing that runs, was only created, or is waited for goes; a join gets its answer" {
  local id created joiner

  start_creche --keep-ended 1s --keep-dangling 1s --keep-ended-count 1
  id=$(start_blocked)
  created=$(create_process '{"argv": ["true"], "start": false}')
  api POST "/v1/processes/$id/join" >"$BATS_TEST_TMPDIR/joined" &
  joiner=$!
  sleep 3
  assert_equal "$(field "$id" .state) $(field "$created" .state)" 'started initial'
  release "$id"
  wait "$joiner"
  assert_equal "$(jq .exitcode "$BATS_TEST_TMPDIR/joined")" 5
  wait_until is_away "$id"
  is_there "$created"
}

@test "those that nobody has joined go at an age of their own, and later" {
  local joined dangling

  start_creche --keep-ended 1s --keep-dangling 6s
  joined=$(ended)
  dangling=$(start_process true)
  wait_until is_away "$joined"
  assert_equal "$(field "$dangling" .state)" stopped
  wait_until is_away "$dangling"
  counted
}

@test "of more than the count the oldest go" {
  local i

  start_creche
  stop_creche
  old_rows 1 300 stopped 1
  old_rows 301 300 closed NULL
  old_rows 601 10 stopped NULL
  start_creche_in "$CRECHE_DIR" --keep-ended-count 150
  wait_until eval '(($(sql "SELECT count(*) FROM process") == 160))'
  assert_equal "$(sql 'SELECT min(id), max(id) FROM process')" '451|610'
  counted
  # What was joined just now can still be read.
  for i in {1..5}; do ended >/dev/null; done
  sleep 2
  assert_equal "$(sql 'SELECT max(id) FROM process')" 615
  assert_equal "$(sql 'SELECT count(*) FROM process WHERE id > 610')" 5
  assert_equal "$(output_of 615)" ''
}

@test "events: who comes back for some that went is told, in a page and in a stream, also after a restart" {
  local oldest

  start_creche --keep-events-count 6
  for _ in {1..5}; do ended >/dev/null; done
  wait_until eval '(($(sql "SELECT count(*) FROM event") == 6))'
  oldest=$(sql 'SELECT min(id) FROM event')
  assert_equal "$(sql 'SELECT max(id) FROM event')" $((oldest + 5))
  for _ in 1 2; do
    api_status GET "/v1/events?since=$((oldest - 2))" >/dev/null
    assert_problem 410 events_gone
    assert_equal "$(api GET "/v1/events?since=$((oldest - 1))" | jq '.events | length')" 6
    MAX_TIME=1 api GET /v1/events --no-buffer --header 'Accept: text/event-stream' --header "Last-Event-ID: 1" \
      >"$BATS_TEST_TMPDIR/stream" 2>/dev/null || :
    assert_match "$(<"$BATS_TEST_TMPDIR/stream")" $'\nevent: reset\ndata: \\{"since":1,"next":'$((oldest - 1))$'\\}\n'
    assert_match "$(<"$BATS_TEST_TMPDIR/stream")" $'\nid: '"$oldest"$'\nevent: '
    kill_daemon
  done
  assert_match "$(api GET /metrics)" 'creche_retention_deleted_total\{kind="event"\} 0'
  ended >/dev/null
  wait_until eval '(($(sql "SELECT min(id) FROM event") == '$((oldest + 3))'))'
}

@test "output of a process whose row went just before creched was killed goes when it begins again" {
  local id log

  start_creche
  for verb in delete retention; do
    id=$(start_process echo x)
    exitcode_of "$id" >/dev/null
    log=$(find "$CRECHE_STATE/logs" -name "$id.*out*")
    [[ -s $log ]]
    ln "$log" "$BATS_TEST_TMPDIR/$verb"
    if [[ $verb == delete ]]; then
      api DELETE "/v1/processes/$id"
    else
      restart_creche --keep-ended 1s
      wait_until is_away "$id"
    fi
    wait_until eval "[[ ! -e '$log' ]]"
    # As if it had not come to that.
    stop_creche
    cp "$BATS_TEST_TMPDIR/$verb" "$log"
    start_creche_in "$CRECHE_DIR"
    [[ ! -e $log ]] || fail "$verb: $log is still there"
  done
}

@test "who waits for the oldest to become due does not wake up meanwhile" {
  local pid task before switches=/dev/null

  start_creche --keep-ended 1d --keep-dangling 1d --keep-events 1d --keep-ended-count 1000
  ended >/dev/null
  start_process true >/dev/null
  pid=$(daemon_pid)
  for task in "/proc/$pid/task"/*; do
    [[ $(<"$task/comm") != creche-sweeper ]] || switches=$task/status
  done
  sleep 1
  before=$(grep voluntary "$switches")
  [[ -n $before ]]
  sleep 4
  assert_equal "$(grep voluntary "$switches")" "$before"
}
