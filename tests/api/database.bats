#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The database is a public interface: its tables are strict, its views stay, and it answers at any time.

# helper.bash sets STATUS and BODY.
# shellcheck disable=SC2153
load helper

@test "SELECT name, pid, daemon, exitcode FROM processes answers while the server runs and after it stopped" {
  local query='SELECT name, pid, daemon, exitcode FROM processes' pid

  start_creche
  pid=$(api POST /v1/processes '{"argv": ["sh", "-c", "exit 7"], "name": "n", "daemon": true}' | jq .pid)
  exitcode_of 1 >/dev/null
  assert_equal "$(sqlite3 "$CRECHE_STATE/registry.db" "$query")" "n|$pid|1|7"
  stop_creche
  assert_equal "$(sqlite3 "$CRECHE_STATE/registry.db" "$query")" "n|$pid|1|7"
}

@test "a row is there before the process can do anything" {
  local id

  id=$(start_process sh -c "sqlite3 -cmd '.timeout 5000' '$CRECHE_STATE/registry.db' \"SELECT id FROM processes WHERE id = \$CRECHE_ID\"")
  assert_equal "$(output_of "$id")" "$id"
}

@test "an exit code that was seen is in the database" {
  local id

  for _ in 1 2 3 4 5; do
    id=$(start_process sh -c 'exit 9')
    assert_equal "$(exitcode_of "$id")" 9
    assert_equal "$(sql "SELECT exitcode FROM processes WHERE id = $id")" 9
  done
}

@test "each table is STRICT, and the schema is the one in sql/schema.sql" {
  assert_equal "$(sql "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND NOT strict AND name NOT LIKE 'sqlite_%'")" ''
  assert_equal "$(sql "SELECT sql || ';' FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY type, name" | sed 's/--.*//' | tr -d ' \n')" \
    "$(sqlite3 :memory: ".read $HERE/../../sql/schema.sql" \
      "SELECT sql || ';' FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY type, name" | sed 's/--.*//' | tr -d ' \n')"
}

@test "the views are there: processes, active_children, dangling, events, targets, tokens, audit" {
  local running ended

  running=$(start_process sleep 1000)
  ended=$(start_process true)
  api GET "/v1/processes/$ended?wait=60" >/dev/null
  assert_equal "$(sql "SELECT group_concat(name) FROM (SELECT name FROM sqlite_schema WHERE type = 'view' ORDER BY name)")" \
    'active_children,audit,dangling,events,processes,targets,tokens'
  assert_equal "$(sql "SELECT id, state FROM active_children WHERE id IN ($running, $ended)")" "$running|started"
  assert_equal "$(sql "SELECT id, state FROM dangling WHERE id IN ($running, $ended)")" "$ended|stopped"
}

@test "the view processes says what the API says" {
  local id

  id=$(create_process '{"argv": ["sh", "-c", "exit 3"], "labels": {"a": "b"}, "env": {"E": "1"}, "start_method": "fork", "cwd": "/tmp"}')
  exitcode_of "$id" >/dev/null
  assert_equal "$(sql -json "SELECT id, name, identity, parent, state, daemon, start_method, pid, exitcode, argv, target, cwd, labels,
      created_at, started_at, stopped_at, joined_at, stdout_bytes, stderr_bytes FROM processes WHERE id = $id" |
    jq -cS '.[0] | .argv |= fromjson | .labels |= fromjson | .daemon |= (. == 1)')" \
    "$(api GET "/v1/processes/$id" | jq -cS 'del(.env, .exit, .rusage)')"
}

@test "a wrong value is refused by the database itself" {
  local id statement

  id=$(start_process true)
  exitcode_of "$id" >/dev/null
  cp "$CRECHE_STATE/registry.db"* "$BATS_TEST_TMPDIR/"
  for statement in "state = 'odd'" 'exitcode = 256' 'exitcode = NULL' "exitcode = 'x'" 'daemon = 2' "start_method = 'thread'" "exit_reason = 'lost'"; do
    ! sqlite3 "$BATS_TEST_TMPDIR/registry.db" "UPDATE process SET $statement WHERE id = $id" 2>/dev/null || fail "$statement"
  done
}

@test "a reader that holds on to the database holds up nobody" {
  local reader id

  coproc READER { sqlite3 "$CRECHE_STATE/registry.db" 3>&-; }
  # shellcheck disable=SC2153
  reader=$READER_PID
  printf 'BEGIN; SELECT count(*) >= 0 FROM processes;\n' >&"${READER[1]}"
  read -r -t "$PATIENCE_S" _ <&"${READER[0]}"
  id=$(start_process sh -c 'exit 4')
  assert_equal "$(exitcode_of "$id")" 4
  eval "exec ${READER[1]}>&-"
  wait "$reader"
}

@test "a database that is newer than the program is refused untouched" {
  local status=0 before

  start_creche
  stop_creche
  sqlite3 "$CRECHE_STATE/registry.db" 'PRAGMA user_version = 9999'
  before=$(sha256sum <"$CRECHE_STATE/registry.db")
  timeout "$PATIENCE_S" "$BUILD/creched" --state-dir "$CRECHE_STATE" --socket "$CRECHE_SOCKET" --listen none \
    >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" || status=$?
  ((status != 0 && status != 124)) || fail "exit status $status"
  assert_match "$(<"$BATS_TEST_TMPDIR/err")" 9999
  assert_equal "$(<"$BATS_TEST_TMPDIR/out")" ''
  assert_equal "$(sha256sum <"$CRECHE_STATE/registry.db")" "$before"
}
