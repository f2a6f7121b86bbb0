#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What lasts: logs, joins, starts and events outlive the daemon, to the byte.

load cli

@test "logs: stdout to stdout, stderr to stderr; --stream and -n choose" {
  local id

  id=$(creche run -- sh -c 'seq 5; seq 6 8 >&2')
  creche join "$id"
  creche_status logs "$id"
  assert_equal "$OUT" "$(seq 5)"
  assert_equal "$ERR" "$(seq 6 8)"
  creche_status logs --stream stderr "$id"
  assert_equal "$OUT $ERR" " $(seq 6 8)"
  creche_status logs -n 2 --stream stdout "$id"
  assert_equal "$OUT" "$(seq 4 5)"
  creche_status logs --stream both+ "$id"
  assert_equal "$STATUS" 2
}

@test "logs of what was not kept: 5, with the next step; of one of the two it is none" {
  local id

  id=$(creche run --stdout null -- sh -c 'echo x >&2')
  creche join "$id"
  creche_status logs "$id"
  assert_equal "$STATUS $ERR" '0 x'
  creche_status logs --stream stdout "$id"
  assert_equal "$STATUS" 5
  assert_hint '--stdout log'
}

@test "of what has not been started there is no output yet: 5, with the command that starts it" {
  local id

  id=$(creche create -- true)
  creche_status logs "$id"
  assert_equal "$STATUS" 5
  assert_hint 'creche start'
}

@test "logs of several have their names before the lines, and follow all at once" {
  local a b following

  a=$(creche run -n aa --stdin pipe -- sh -c 'echo one; read x; printf partial')
  b=$(creche run -n bbbb --stdin pipe -- sh -c 'read x; echo two >&2')
  background logs -f aa bbbb >"$BATS_TEST_TMPDIR/out" 2>&1 &
  following=$!
  wait_until grep -q 'aa   | one' "$BATS_TEST_TMPDIR/out"
  echo | creche stdin "$b"
  wait_until grep -q 'bbbb | two' "$BATS_TEST_TMPDIR/out"
  echo | creche stdin "$a"
  wait "$following"
  assert_equal "$(sort "$BATS_TEST_TMPDIR/out")" "$(printf 'aa   | one\naa   | partial\nbbbb | two')"
}

@test "logs -f gives every byte once, though the daemon is killed again and again" {
  local id following

  id=$(creche run -- sh -c 'for i in $(seq 3000); do echo "line $i"; [ $((i % 300)) != 0 ] || sleep 0.3; done')
  background logs -f "$id" >"$BATS_TEST_TMPDIR/out" &
  following=$!
  wait_until test -s "$BATS_TEST_TMPDIR/out"
  kill_daemon
  sleep 0.2
  kill_daemon
  wait "$following"
  assert_equal "$(sha256sum <"$BATS_TEST_TMPDIR/out")" "$(seq -f 'line %g' 3000 | sha256sum)"
}

@test "logs -f -t: lines that come have the time at which they came, those that were there have none" {
  local id before following after stamp='[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{3}Z'

  id=$(creche run -n stamped --stdin pipe -- sh -c 'echo old; printf half; read x; echo whole; echo bad >&2; printf end')
  wait_until logged "$id" half
  before=$(date -u +%FT%T)
  background logs -f -t "$id" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" &
  following=$!
  wait_until grep -q old "$BATS_TEST_TMPDIR/out"
  echo | creche stdin "$id"
  wait "$following"
  after=$(date -u +%FT%T)
  assert_equal "$(sed -n 1p "$BATS_TEST_TMPDIR/out")" '-                        old'
  assert_match "$(sed -n 2p "$BATS_TEST_TMPDIR/out")" "^$stamp halfwhole\$"
  assert_match "$(sed -n 3p "$BATS_TEST_TMPDIR/out")" "^$stamp end\$"
  assert_match "$(<"$BATS_TEST_TMPDIR/err")" "^$stamp bad\$"
  [[ ! $(sed -n 2p "$BATS_TEST_TMPDIR/out") < $before && ! $(sed -n 2p "$BATS_TEST_TMPDIR/out" | cut -c-19) > $after ]]
  creche run -n also true
  assert_match "$(creche logs -f -t "$id" also | tail -1)" '^-                        stamped \| end$'
}

@test "logs -t of what is past is refused, since nobody knows: 2, with what there is instead" {
  creche_status logs -t @last
  assert_equal "$STATUS" 2
  assert_hint 'logs -f -t'
}

@test "logs --since shows what was started since, leaves out what had ended, refuses what was running" {
  local early late spans since

  spans=$(creche run -n spans -- sleep 1000)
  early=$(creche run -n early -- echo early)
  creche join "$early"
  since=$(date -u +%FT%T.%6NZ)
  late=$(creche run -n late -- echo late)
  creche join "$late"
  assert_equal "$(creche logs --since "$since" "$early" "$late")" late
  assert_match "$(creche logs --since 1h "$early" "$late")" 'early.*late'
  creche_status logs --since "$since" "$spans" "$late"
  assert_equal "$STATUS $OUT" '2 '
  assert_match "$ERR" 'spans .* not recorded'
  assert_hint 'logs -n LINES'
  creche_status logs --since yesterday "$late"
  assert_equal "$STATUS" 2
  creche kill "$spans"
}

@test "run --follow outlives the daemon: output, code and all" {
  local running status=0

  background run --follow -- \
    sh -c 'for i in $(seq 20); do echo "$i"; sleep 0.1; done; exit 8' >"$BATS_TEST_TMPDIR/out" &
  running=$!
  wait_until test -s "$BATS_TEST_TMPDIR/out"
  kill_daemon
  wait "$running" || status=$?
  assert_equal "$status $(tr '\n' ' ' <"$BATS_TEST_TMPDIR/out")" "8 $(seq -s ' ' 20) "
}

@test "a join gets its answer from the daemon that follows" {
  local id joining status=0

  id=$(start_blocked)
  background join "$id" &
  joining=$!
  sleep 0.2
  kill_daemon
  release "$id"
  wait "$joining" || status=$?
  assert_equal "$status" 5
}

# A socket before the server's, which loses the answer to one connection, the N-th.
losing() { # N
  rm -f "$BATS_TEST_TMPDIR/lossy"
  python3 "$BATS_TEST_DIRNAME/lossy.py" "$BATS_TEST_TMPDIR/lossy" "$CRECHE_SOCKET" "$1" 3>&- &
  LOSER=$!
  wait_until test -S "$BATS_TEST_TMPDIR/lossy"
}

@test "a start whose answer is lost is repeated, and happens once" {
  losing 1
  creche_status run --socket "$BATS_TEST_TMPDIR/lossy" -n once -- sleep 1000
  kill "$LOSER"
  assert_equal "$STATUS $OUT" "0 $(creche ps -q --name once)"
  creche kill --wait once
}

@test "a signal whose answer is lost is not sent again: 1, and the next step" {
  local id

  id=$(creche run -n counter -- sh -c 'trap "echo got it" USR1; echo ready; while :; do sleep 0.05; done')
  wait_until logged "$id" ready
  # The first connection finds out whom we mean.
  losing 2
  creche_status signal USR1 "$id" --socket "$BATS_TEST_TMPDIR/lossy"
  kill "$LOSER"
  assert_equal "$STATUS" 1
  assert_hint 'creche ps'
  wait_until logged "$id" 'got it'
  creche terminate --wait "$id"
  assert_equal "$(creche logs "$id" | grep -c 'got it')" 1
}

logged() { # ID TEXT
  [[ $(creche logs "$1") == *"$2"* ]]
}

@test "events -f goes on after a restart of the daemon, nothing twice and nothing left out" {
  local following id

  background events -f --type stopped -o jsonl >"$BATS_TEST_TMPDIR/events" &
  following=$!
  wait_until events_begun
  for code in 1 2 3 4; do
    id=$(creche run -n "ends-$code" -- sh -c "exit $code")
    creche join "$id" || :
    [[ $code != 2 ]] || kill_daemon
  done
  wait_until ends_seen 4
  kill "$following"
  assert_equal "$(jq -r 'select(.name | startswith("ends-")) | .exitcode' "$BATS_TEST_TMPDIR/events" | tr '\n' ' ')" '1 2 3 4 '
}

# A stream begins with what happens from then on: try until something of ours is in it.
events_begun() {
  creche join "$(creche run -n probe true)"
  [[ -s $BATS_TEST_TMPDIR/events ]]
}

ends_seen() { # N
  (($(grep -c '"name":"ends-' "$BATS_TEST_TMPDIR/events") >= $1))
}

@test "events lists the last ones, in order, and those since one" {
  local id

  id=$(creche run -n eventful -- sh -c 'exit 7')
  creche join "$id" || :
  assert_equal "$(creche events --process "$id" -o jsonl | jq -r .type | tr '\n' ' ')" 'starting started stopped '
  assert_match "$(creche events | tail -1)" 'stopped +'"$id"' +eventful +7 +exited'
  assert_equal "$(creche events --since 1 --process "$id" -o jsonl | wc -l)" 3
  assert_equal "$(creche events -n 1 -o jsonl | wc -l)" 1
}

@test "when the daemon is gone for good, who waits is told: 125, and why" {
  local id joining status=0

  start_creche
  id=$(creche run -- sleep 1000)
  background join "$id" 2>"$BATS_TEST_TMPDIR/err" &
  joining=$!
  sleep 0.2
  kill_all
  rm -f "$CRECHE_SOCKET" "$CRECHE_SOCKET.keep"
  wait "$joining" || status=$?
  assert_equal "$status" 125
  assert_match "$(<"$BATS_TEST_TMPDIR/err")" 'no daemon: there is no socket'
}
