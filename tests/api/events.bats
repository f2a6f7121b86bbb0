#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What happened: as pages, and as a stream that misses nothing and repeats nothing.

# helper.bash sets STATUS and BODY.
# shellcheck disable=SC2153
load helper

SSE=(--no-buffer --header 'Accept: text/event-stream')

# "ID PROCESS TYPE ..." of each event of a page on stdin, one a line.
lines() { jq -r '.events[] | "\(.id) \(.process) \(.type)"'; }

# Server-Sent Events on stdin as "ID TYPE DATA", one a line, as soon as each is complete; "ID - -" for an id without
# data. What was cut off is no event.
sse_lines() {
  local line id='' type='' data='' silent=''

  while IFS= read -r line; do
    case $line in
      'id: '*) id=${line#id: } ;;
      'event: '*) type=${line#event: } ;;
      'data: '*) data=${line#data: } ;;
      :*) silent=1 ;;
      '')
        [[ -n $silent ]] || printf '%s %s %s\n' "$id" "${type:--}" "${data:--}" || return 0
        type='' data='' silent=''
        ;;
    esac
  done
}

# Opens a stream: its lines can be read from the descriptor FOLLOWER.
open_stream() { # [QUERY] [CURL OPTION...]
  local fifo

  fifo=$(mktemp -u "$BATS_TEST_TMPDIR/stream.XXXX")
  mkfifo "$fifo"
  { api GET "/v1/events${1:-}" "${SSE[@]}" "${@:2}" 2>/dev/null || :; } | sse_lines >"$fifo" 3>&- &
  exec {FOLLOWER}<"$fifo"
}

# The next line of the stream, in LINE.
next_line() {
  read -r -t "$PATIENCE_S" LINE <&"$FOLLOWER" || fail "the stream says nothing; its last line was: $LINE"
}

close_stream() { exec {FOLLOWER}<&-; }

last_event() { api GET '/v1/events?limit=1' | jq .last; }

# ------------------------------------------------------------------------------------------ pages

@test "events: each state that was entered and the deletion, with name, parent, exit code and reason" {
  local id since

  since=$(last_event)
  id=$(create_process '{"argv": ["sh", "-c", "exit 7"], "name": "seven"}')
  exitcode_of "$id" >/dev/null
  api DELETE "/v1/processes/$id"
  api_status GET "/v1/events?since=$since&process=$id" >/dev/null
  assert_equal "$(jq -c '.events[] | [.type, .name, .parent, .exitcode, .reason]' <<<"$BODY" | xargs)" "$(xargs <<'END'
["starting","seven",null,null,null]
["started","seven",null,null,null]
["stopped","seven",null,7,"exited"]
["deleted","seven",null,7,"exited"]
END
)"
  assert_equal "$(response_header vary)" Accept
}

@test "since: events after that id, in pages of limit, with next and last" {
  local since id page

  since=$(last_event)
  id=$(ended)
  page=$(api GET "/v1/events?since=$since&limit=2")
  assert_equal "$(lines <<<"$page" | xargs)" "$((since + 1)) $id starting $((since + 2)) $id started"
  assert_equal "$(jq -c '[.next, .last]' <<<"$page")" "[$((since + 2)),$((since + 3))]"
  page=$(api GET "/v1/events?since=$((since + 2))&limit=2")
  assert_equal "$(lines <<<"$page") $(jq -c .next <<<"$page")" "$((since + 3)) $id stopped null"
  page=$(api GET "/v1/events?since=$((since + 3))")
  assert_equal "$(jq -c . <<<"$page")" "{\"events\":[],\"next\":null,\"last\":$((since + 3))}"
}

@test "order=desc: the newest first, and next goes back to the first" {
  local id page next='' got=''

  id=$(ended)
  while :; do
    page=$(api GET "/v1/events?order=desc&limit=2&process=$id${next:+&since=$next}")
    got+="$(jq -r '.events[].type' <<<"$page") "
    next=$(jq -r '.next // empty' <<<"$page")
    [[ -n $next ]] || break
  done
  assert_equal "$(xargs <<<"$got")" 'stopped started starting'
}

@test "process and type: only those that are asked for; what is no type is refused" {
  local one two since

  since=$(last_event)
  one=$(ended)
  two=$(ended)
  assert_equal "$(api GET "/v1/events?since=$since&process=$two" | jq -c '[.events[].process] | unique')" "[$two]"
  assert_equal "$(api GET "/v1/events?since=$since&type=stopped,lost" | lines | cut -d ' ' -f 2- | xargs)" \
    "$one stopped $two stopped"
  for query in type=ended type= type=stopped%2C since=-1 since=x limit=0 limit=1001 process=0 order=up; do
    api_status GET "/v1/events?$query" >/dev/null
    assert_problem 400 invalid_query || fail "$query"
  done
}

@test "a process sees the events of its subtree only" {
  local child stranger since

  since=$(last_event)
  start_parent
  stranger=$(ended)
  child=$(TOKEN=$AUTHKEY create_process '{"argv": ["true"]}')
  TOKEN=$AUTHKEY exitcode_of "$child"
  assert_equal "$(TOKEN=$AUTHKEY api GET "/v1/events?since=$since" | jq -c '[.events[].process] | unique')" \
    "[$PARENT,$child]"
  assert_equal "$(TOKEN=$AUTHKEY api GET "/v1/events?process=$child" | jq -c '[.events[].parent] | unique')" "[$PARENT]"
  assert_equal "$(TOKEN=$AUTHKEY api GET "/v1/events?process=$stranger" | jq -c .events)" '[]'
}

@test "events that are gone, or were never there: 410 for a page, reset for a stream" {
  local last

  start_creche
  ended >/dev/null
  ended >/dev/null
  last=$(last_event)
  stop_creche
  sql 'DELETE FROM event WHERE id <= 4'
  start_creche_in "$CRECHE_DIR"

  api_status GET '/v1/events?since=3' >/dev/null
  assert_problem 410 events_gone
  api_status GET "/v1/events?since=$((last + 1))" >/dev/null
  assert_problem 410 events_gone
  assert_equal "$(api GET '/v1/events?since=4' | jq -c '[.events[].id]')" '[5,6]'
  assert_equal "$(api GET '/v1/events' | jq -c '[.events[].id]')" '[5,6]'

  open_stream '?since=2'
  next_line
  assert_equal "$LINE" '2 - -'
  next_line
  assert_equal "$LINE" '4 reset {"since":2,"next":4}'
  next_line
  assert_match "$LINE" '^5 started '
  close_stream

  open_stream '?since=100'
  next_line
  next_line
  assert_equal "$LINE" "$last reset {\"since\":100,\"next\":$last}"
  ended >/dev/null
  next_line
  assert_match "$LINE" "^$((last + 1)) starting "
  close_stream
}

# ---------------------------------------------------------------------------------------- streams

@test "stream: begins with its place, then gives what happens, as it is in a page" {
  local id since type

  since=$(last_event)
  open_stream
  next_line
  assert_equal "$LINE" "$since - -"
  id=$(start_blocked)
  for type in starting started; do
    next_line
    assert_match "$LINE" "^$((++since)) $type "
  done
  release "$id"
  next_line
  assert_match "$LINE" "^$((++since)) stopped "
  assert_equal "${LINE#* * }" "$(api GET "/v1/events?since=$((since - 1))" | jq -c '.events[0]')"
  close_stream
}

@test "stream: its first lines are a hint when to come back and its place; no length, no cache" {
  local at=$BATS_TEST_TMPDIR/head

  api GET /v1/events "${SSE[@]}" --max-time 1 --dump-header "$at" >"$BATS_TEST_TMPDIR/body" 2>/dev/null || :
  assert_equal "$(head -n 3 "$BATS_TEST_TMPDIR/body")" "retry: 1000"$'\n'"id: $(last_event)"
  assert_match "$(tr -d '\r' <"$at")" $'\n[Cc]ontent-[Tt]ype: text/event-stream\n'
  assert_match "$(tr -d '\r' <"$at")" $'\n[Cc]ache-[Cc]ontrol: no-store\n'
}

@test "stream: it ends when its token is revoked" {
  local minted status=0

  minted=$(api POST /v1/tokens '{"name": "watcher", "scopes": ["read"]}')
  TOKEN=$(jq -r .token <<<"$minted") api GET /v1/events "${SSE[@]}" --max-time 60 >"$BATS_TEST_TMPDIR/body" 2>/dev/null &
  wait_until [ -s "$BATS_TEST_TMPDIR/body" ]
  api DELETE "/v1/tokens/$(jq .id <<<"$minted")"
  start_process true >/dev/null
  wait $! || status=$?
  assert_equal "$status" 0
}

@test "stream: Last-Event-ID goes before since; order and limit are refused" {
  local id since

  since=$(last_event)
  id=$(ended)
  open_stream '?since=0' --header "Last-Event-ID: $((since + 2))"
  next_line
  assert_equal "$LINE" "$((since + 2)) - -"
  next_line
  assert_match "$LINE" "^$((since + 3)) stopped .*\"process\":$id,"
  close_stream
  for options in '?order=desc' '?limit=5' '?since=x'; do
    api_status GET "/v1/events$options" '' "${SSE[@]}" >/dev/null
    assert_problem 400 invalid_query
  done
  api_status GET /v1/events '' "${SSE[@]}" --header 'Last-Event-ID: x' >/dev/null
  assert_problem 400 invalid_query
}

@test "stream: only what was asked for; its place is told though it is not shown; a comment is a sign of life" {
  local id since seen=$BATS_TEST_TMPDIR/seen

  since=$(last_event)
  api GET '/v1/events?type=lost' "${SSE[@]}" --max-time 34 >"$seen" 2>/dev/null &
  wait_until grep -q "^id: $since\$" "$seen"
  id=$(ended)
  # At the next beat, which comes every 15 seconds.
  PATIENCE_S=25 wait_until grep -q "^id: $((since + 3))\$" "$seen"
  PATIENCE_S=25 wait_until grep -q '^:$' "$seen"
  wait $! || :
  assert_equal "$(grep -c '^event' "$seen")" 0
}

@test "stream: that a process follows shows its subtree only, and ends with the process" {
  local child

  start_parent
  TOKEN=$AUTHKEY open_stream
  next_line
  ended >/dev/null
  child=$(TOKEN=$AUTHKEY create_process '{"argv": ["true"]}')
  next_line
  assert_match "$LINE" "starting .*\"process\":$child,"
  api POST "/v1/processes/$PARENT/kill" >/dev/null
  while next_line; do
    assert_match "$LINE" "\"process\":($child|$PARENT),"
    [[ $LINE != *"stopped "*"\"process\":$PARENT,"* ]] || break
  done
  # shellcheck disable=SC2034
  read -r -t "$PATIENCE_S" LINE <&"$FOLLOWER" && fail "it goes on: $LINE"
  (($? <= 128)) || fail 'it does not end'
  close_stream
}

@test "stream: with process= it goes on after the end of that process, to its deletion and no other's events" {
  local id type

  id=$(start_blocked)
  open_stream "?process=$id"
  next_line
  assert_match "$LINE" ' - -$'
  release "$id"
  exitcode_of "$id" >/dev/null
  ended >/dev/null
  api POST "/v1/processes/$id/close"
  api DELETE "/v1/processes/$id"
  for type in stopped closed deleted; do
    next_line
    assert_match "$LINE" "^[0-9]+ $type .*\"process\":$id,"
  done
  close_stream
}

# Reads the stream for a second, again and again from where it was, into FILE; until FILE.stop is there.
follow_on() { # FILE SECONDS
  local place=0

  while [[ ! -e $1.stop ]]; do
    { MAX_TIME=$2 api GET /v1/events "${SSE[@]}" --header "Last-Event-ID: $place" 2>/dev/null || :; } |
      sse_lines >>"$1"
    place=$(tail -n 1 "$1" | cut -d ' ' -f 1)
  done
}

caught_up() { # FILE
  grep -q "^$(sql 'SELECT max(id) FROM event') [a-z]" "$1"
}

@test "stream: a client that comes back has seen each event once, though creched was killed ten times under load" {
  local i followers=() file=$BATS_TEST_TMPDIR/followed loads=()

  start_creche
  for i in 1 2; do
    touch "$file.$i"
    follow_on "$file.$i" "$i" 3>&- &
    followers+=($!)
  done
  for i in 1 2 3; do
    while [[ ! -e $file.idle ]]; do start_process true || :; done >/dev/null 2>&1 3>&- &
    loads+=($!)
  done
  for i in {1..10}; do
    sleep 0.3
    kill_daemon
  done
  touch "$file.idle"
  wait "${loads[@]}"
  wait_until all_ended
  for i in 1 2; do
    wait_until caught_up "$file.$i"
    touch "$file.$i.stop"
  done
  wait "${followers[@]}"
  (($(sql 'SELECT count(*) FROM event') > 50)) || fail 'there was no load'
  for i in 1 2; do
    assert_equal "$(grep -v ' - -$' "$file.$i" | cut -d ' ' -f 1,2)" "$(sql "SELECT id || ' ' || type FROM event ORDER BY id")"
  done
}

all_ended() {
  [[ $(api GET /v1/active_children | ids) == '[]' ]]
}

# --------------------------------------------------------------------------------------- many, slow

rss_kb() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }


@test "streams that nobody reads cost no thread and no memory; too many of one caller get 429; who leaves is noticed" {
  local before grown pid streams input bound=50000

  start_creche
  stop_creche
  # Ten times as much as the socket of one stream holds.
  sql "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
    INSERT INTO event (at, process, type, name) SELECT 1, i, 'lost', printf('%0250d', i) FROM n"
  start_creche_in "$CRECHE_DIR"
  pid=$(daemon_pid)
  before=$(rss_kb "$pid")
  coproc STREAMS { exec python3 -c "$OPEN_STREAMS" "$CRECHE_SOCKET" 256 3>&-; }
  read -r -t "$PATIENCE_S" streams <&"${STREAMS[0]}"
  assert_equal "$streams" 'HTTP/1.1 200'
  is_refused
  assert_equal "$(response_header retry-after)" 1
  for _ in {1..10}; do ended >/dev/null; done
  grown=$(($(rss_kb "$pid") - before))
  [[ -z ${SAN:-} ]] || bound=200000 # a sanitizer keeps what was freed for a while
  ((grown < bound)) || fail "unread streams cost $grown kB"
  # Another caller has streams of its own.
  assert_match "$(MAX_TIME=3 tcp GET /v1/events "${SSE[@]}" 2>/dev/null)" '^retry: '
  input=${STREAMS[1]}
  exec {input}>&-
  wait_until is_served
}

# Opens streams that nobody reads, says so, and leaves at the end of its input.
OPEN_STREAMS='
import socket, sys
streams = [socket.socket(socket.AF_UNIX) for _ in range(int(sys.argv[2]))]
for s in streams:
    s.connect(sys.argv[1])
    s.sendall(b"GET /v1/events?since=0 HTTP/1.1\r\nHost: creche\r\nAccept: text/event-stream\r\n\r\n")
print(*{s.recv(12).decode() for s in streams}, flush=True)
sys.stdin.read()'

is_refused() {
  MAX_TIME=10 api_status GET /v1/events '' "${SSE[@]}" >/dev/null || :
  [[ $STATUS == 429 && $(jq -r .code <<<"$BODY") == too_many ]]
}

is_served() {
  [[ $(MAX_TIME=2 http_code GET /v1/events "${SSE[@]}" || :) == 200 ]]
}

feed_switches() { # PID
  local task

  for task in /proc/"$1"/task/*; do
    [[ $(<"$task/comm") != creche-feed ]] || awk '/^voluntary_ctxt/ { print $2 }' "$task/status"
  done
}

@test "nobody is woken for events while nobody follows them" {
  local pid before

  start_creche
  pid=$(daemon_pid)
  before=$(feed_switches "$pid")
  assert_match "$before" '^[0-9]+$'
  for _ in {1..20}; do ended >/dev/null; done
  assert_equal "$(feed_switches "$pid")" "$before"
  open_stream
  next_line
  ended >/dev/null
  next_line
  (($(feed_switches "$pid") > before)) || fail 'the feed was not woken for a stream'
  close_stream
}
