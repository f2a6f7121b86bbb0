#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# top: what it shows, which keys it knows, and that the terminal is as it was afterwards.

load cli

keys() { # ROWSxCOLUMNS STEP... -- OPTION...
  local steps=()

  while [[ $1 != -- ]]; do
    steps+=("$1")
    shift
  done
  shift
  env -u CRECHE_TOKEN -u CRECHE_URL "$BATS_TEST_DIRNAME/keys.py" "${steps[@]}" -- "$BUILD/creche" top "$@"
}

# @1 rows of history, "past-1" and so on, which nobody has to start.
history() { # N
  sql "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < $1)
    INSERT INTO process (name, identity, lineage, state, start_method, daemon, argv, env, labels, stdout, stderr, grace_us,
      created_at, started_at, stopped_at, exitcode, exit_reason)
    SELECT 'past-' || i, 'past-' || i, '', 'stopped', 'spawn', 0, '[\"true\"]', '[]', '{}', 'null', 'null', 0,
      1000000 * i, 1000000 * i, 2000000 * i, i % 2, 'exited' FROM n"
}

@test "a batch is plain text: a summary, the titles, all rows, those that run first" {
  creche run -n batch-ended -- true
  creche join batch-ended
  creche run -n batch-runs -- sleep 1000
  creche_status top -b -n 1 --filter batch-
  assert_equal "$STATUS $ERR" '0 '
  [[ $OUT != *$'\033'* ]]
  assert_match "$(sed -n 1p <<<"$OUT")" "^creche: [0-9]+ processes? .* by state, 2 with 'batch-'"
  assert_match "$(sed -n 2p <<<"$OUT")" 'ID +NAME +STATE +PID +TIME +CPU +MEMORY +COMMAND'
  assert_match "$(sed -n 3p <<<"$OUT")" 'batch-runs +started +[0-9]+ +[0-9]+s +- +- +sleep 1000'
  assert_match "$(sed -n 4p <<<"$OUT")" 'batch-ended +exited with 0 +- +[0-9]+s +[0-9.]+s +[0-9.]+[KMG] +true'
  creche kill batch-runs
}

@test "a batch of several looks shows what has happened between them" {
  local looks=$BATS_TEST_TMPDIR/looks watching

  background top -b -n 40 -d 0.2 --filter between >"$looks" &
  watching=$!
  wait_until grep -q '^creche:' "$looks"
  creche run -n between -- sh -c 'exit 6'
  wait_until grep -q 'between .*exited with 6' "$looks"
  creche rm between
  wait_until last_look_is_empty "$looks"
  kill "$watching"
}

last_look_is_empty() { # FILE
  [[ $(tail -1 "$1") == *COMMAND ]]
}

@test "without a terminal, and not as a batch: 2, with the next step" {
  creche_status top
  assert_equal "$STATUS" 2
  assert_hint 'creche top -b -n 1'
  creche_status top -b -n 1 --sort nosuch
  assert_equal "$STATUS" 2
  assert_hint 'state, id'
}

@test "q, SIGINT and SIGTERM end it, and the terminal is as it was" {
  local end

  for end in type:q:0 'type:\x03:130' kill:SIGINT:130 kill:SIGTERM:143; do
    assert_match "$(keys 10x80 see:MEM "${end%:*}" end --)" \
      $'\n'"status ${end##*:}"$'\nmodes same\ncursor shown$'
  done
}

@test "stopped by Ctrl-Z the terminal is the shell's, continued it is ours again" {
  creche run -n meanwhile -- true
  keys 10x80 see:MEM 'type:\x1a' 'given back' kill:SIGCONT see:meanwhile type:s 'see:by id' type:q end --
}

@test "when the daemon is gone for good, the terminal is as it was, and why is told: 3" {
  local out

  start_creche
  kill_all
  out=$(keys 10x80 end --)
  assert_match "$out" 'nobody listens.*status 3'$'\nmodes same'
}

@test "what happens is shown as it happens, also after the daemon was killed" {
  local watching

  keys 24x80 see:MEM 'see:first +exited with 4' 'see:second +exited with 5' type:q end -- >"$BATS_TEST_TMPDIR/out" &
  watching=$!
  creche run -n first -- sh -c 'exit 4'
  kill_daemon
  creche run -n second -- sh -c 'exit 5'
  wait "$watching"
  assert_match "$(<"$BATS_TEST_TMPDIR/out")" 'status 0'
}

@test "s changes the order, r turns it round, / filters, Escape ends that" {
  creche run -n keyed-b -- true
  creche run -n keyed-a -- true
  creche join keyed-a
  creche join keyed-b
  keys 12x90 see:MEM type:/ 'see:filter: _' type:keyed 'see:, 2 with .keyed' 'type:\r' see:quit \
    'see:(?s)by state.*keyed-a.*keyed-b' \
    type:s 'see:(?s)by id.*keyed-a.*keyed-b' type:r 'see:(?s)by id, reversed.*keyed-b.*keyed-a' \
    type:s 'see:(?s)by name, reversed.*keyed-b.*keyed-a' type:r 'see:(?s)by name,.*keyed-a.*keyed-b' \
    'type:/\x7f\x7fzz' 'see:, 0 with .keyzz' 'type:\x1b' "unsee:[0-9] with '" see:keyed-a obey type:q end --
}

@test "k terminates the process under the bar, after a yes and not without" {
  creche run -n "doomed" -- sleep 1000
  keys 12x90 see:doomed type:k 'see:terminate doomed \([0-9]+\)\?' type:n see:quit 'see:doomed +started' \
    type:k 'see:terminate doomed' type:y 'see:SIGTERM is sent' 'see:doomed +killed by SIGTERM' type:q end --
  assert_equal "$(creche ps --name doomed --columns exitcode --no-header)" -15
}

@test "k of what has ended does nothing" {
  creche run -n over -- true
  creche join over
  keys 12x90 'see:over +exited' type:k 'see:it does not run' type:q end -- --filter over
}

@test "it fits the terminal, also when that changes its size, and control bytes are shown, never obeyed" {
  creche run -n $'evil\033[31m\033]0;title\a' -- true $'\033c' "$(printf 'x%.0s' {1..300})"
  creche join @last
  keys 8x60 'see:evil.x1b' obey size:5x40 'see:^creche.{34}\n' obey size:20x100 'see:x1bc' obey type:q end -- --filter evil
  creche_status top -b -n 1
  [[ $OUT != *$'\033'* ]]
}

@test "ten thousand rows: all in a batch, and on a terminal to the last one" {
  start_creche
  history 10000
  creche_status top -b -n 1
  assert_equal "$STATUS $(wc -l <<<"$OUT")" '0 10002'
  assert_equal "$(cut -d' ' -f-3 <<<"$OUT" | sed -n 1p)" 'creche: 10000 processes'
  keys 10x80 'see:\(10000 stopped\)' see:past-10000 'type:\x1b[F' 'see:past-1 ' unsee:past-10000 'type:\x1b[H' see:past-10000 \
    type:/past-99 'see:111 with .past-99' 'type:\r' type:r see:past-99 obey type:q end --
}

@test "many that change at once are asked for by the page: a few requests, not one each" {
  local before after

  start_creche
  before=$(requests)
  background top -b -d 0.5 >"$BATS_TEST_TMPDIR/looks" &
  wait_until grep -q '^creche:' "$BATS_TEST_TMPDIR/looks"
  yes 'POST /v1/processes {"argv":["true"],"start":false,"name":"many"}' | head -500 | api_many 8 >/dev/null
  wait_until grep -q '^creche: 500 processes' "$BATS_TEST_TMPDIR/looks"
  kill $!
  after=$(requests)
  # The 500 creations are among them.
  ((after - before >= 500 && after - before < 700)) || fail "$((after - before)) requests"
}

# What was answered so far.
requests() {
  api GET /metrics | awk '/^creche_http_requests_total/ { n += $NF } END { print n }'
}
