# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2119,SC2120
#
# What the black-box tests stand on. A test file says `load helper` and finds a server running, one for
# the whole file, in a directory of its own. A test that needs its own calls start_creche first. Every
# server is ended, and its directory removed, by the one who started it: file or test.
#
#   api METHOD PATH [JSON] [CURL OPTION...]   ask over the unix socket; prints the body
#   tcp METHOD PATH [JSON] [CURL OPTION...]   the same over TCP, with the operator's token
#   http_code ..., tcp_code ...               print the status only
#   api_status ..., tcp_status ...            set STATUS and BODY (also printed); see response_header
#   api_many N                                the requests on stdin (METHOD PATH [JSON], one a line), N at a
#                                             time (curl: up to 300); prints each body and each status, as one stream of JSON
#   TOKEN=... before any of these             sends that token; TOKEN= sends none
#   start_process ARGV...                     starts it, prints its id
#   create_process JSON                       the same for any launch request
#   start_blocked [JSON]; release ID          a process that waits for its release, and then exits with 5
#   start_blocked_everywhere; all_end_with_5  one by each start method: sets IDS; release them all: ID...
#   start_parent [JSON]                       a process that lives on: sets PARENT (id), AUTHKEY (its token)
#   field ID FILTER                           what jq finds in the process
#   exitcode_of ID                            joins it, prints its exit code
#   output_of ID                              waits for its end, prints what it wrote to stdout
#   sql STATEMENT                             asks the database
#
#   start_creche [OPTION...], start_creche_in DIR [OPTION...], restart_creche [OPTION...]
#   stop_creche                               SIGTERM; it must exit 0 and leave no process
#   kill_daemon                               SIGKILL to creched; returns when the next one serves
#   kill_main, kill_all                       SIGKILL to creche-init; to creche-init and creched at once
#   daemon_pid                                creched's pid
#   connections_are N                         that many clients are connected to the unix socket
#
#   assert_equal ACTUAL EXPECTED, assert_match TEXT REGEX, assert_problem STATUS CODE [DETAIL]
#   wait_until COMMAND...                     for what cannot be waited for in another way; bounded
#   ids                                       the ids of a list on stdin, on one line
#   ended [CODE]                              starts what ends at once, prints its id
#   kill_dead PID                             SIGKILL; returns when it is dead
#   fail TEXT
#
# Set by start_creche: CRECHE_DIR (state/, socket s, stderr), CRECHE_STATE, CRECHE_SOCKET, CRECHE_URL (by TLS, CRECHE_CA
# says whom to trust), CRECHE_TOKEN, CRECHE_MAIN (creche-init's pid). BUILD says whose programs are tested. A file that
# defines its own setup_file, teardown_file or teardown calls creche_setup_file and so on from it.

HERE=${BASH_SOURCE[0]%/*}
METHODS=(spawn fork forkserver)
BUILD=${BUILD:-build}
# Whoever runs the tests may have settings of his own.
export XDG_CONFIG_HOME=/dev/null
[[ $BUILD == /* ]] || BUILD=$HERE/../../$BUILD
: "${PATIENCE_S:=20}"

# ------------------------------------------------------------------------------------- assertions

fail() {
  printf '%s\n' "$*" >&2
  return 1
}

assert_equal() { # ACTUAL EXPECTED
  [[ $1 == "$2" ]] || fail "expected: $2"$'\n'"actual:   $1"
}

assert_match() { # TEXT REGEX
  [[ $1 =~ $2 ]] || fail "expected to match: $2"$'\n'"actual:            $1"
}

# The answer that api_status or tcp_status got is this problem document.
assert_problem() { # STATUS CODE [DETAIL]
  local filter='"\(.status) \(.code)"'

  (($# < 3)) || filter='"\(.status) \(.code) \(.detail)"'
  assert_equal "$STATUS $(jq -r "$filter" <<<"$BODY")" "$1 $*" || return
  assert_match "$(response_header content-type)" '^application/problem\+json'
}

wait_until() { # COMMAND...
  local deadline=$((SECONDS + PATIENCE_S))

  until "$@"; do
    ((SECONDS < deadline)) || fail "still not so after $PATIENCE_S s: $*" || return
    sleep 0.02
  done
}

is_zombie_or_gone() { # PID
  [[ ! -e /proc/$1/stat ]] || grep -q ' Z ' "/proc/$1/stat"
}

is_gone() { # PID
  [[ ! -e /proc/$1 ]]
}

# The ids of a list or a set on stdin, on one line.
ids() { jq -c '[.processes[].id]'; }

# Prints the id of a process that has ended with @CODE.
ended() { # [CODE]
  local id

  id=$(start_process sh -c "exit ${1:-0}") && exitcode_of "$id" >/dev/null && printf '%s\n' "$id"
}

# SIGKILL; returns when it is dead, which is a moment after kill has returned.
kill_dead() { # PID
  kill -KILL "$1"
  wait_until is_zombie_or_gone "$1"
}

# --------------------------------------------------------------------------------------- requests

_request() { # unix|tcp METHOD PATH [JSON] [CURL OPTION...]
  local via=$1 method=$2 path=$3 base token status=0
  local options=(--silent --show-error --globoff --path-as-is --max-time "${MAX_TIME:-60}")
  shift 3

  if [[ $via == unix ]]; then
    options+=(--unix-socket "$CRECHE_SOCKET")
    base=http://localhost
    token=${TOKEN-}
  else
    base=$CRECHE_URL
    token=${TOKEN-$CRECHE_TOKEN}
    [[ $base != https:* ]] || options+=(--cacert "$CRECHE_CA")
  fi
  [[ -z $token ]] || options+=(--header "Authorization: Bearer $token")

  if [[ $method == HEAD ]]; then
    options+=(--head)
  else
    options+=(--request "$method")
  fi

  # Through a pipe: an argument of curl could not be as long as an argument of ours may be.
  if (($#)) && [[ $1 != -* ]]; then
    if [[ -n $1 ]]; then
      options+=(--header 'Content-Type: application/json')
      curl "${options[@]}" --data-binary @<(printf '%s' "$1") "${@:2}" "$base$path" || status=$?
      return "$status"
    fi
    shift
  fi
  curl "${options[@]}" "$@" "$base$path"
}

_request_status() { # unix|tcp METHOD PATH [JSON] [CURL OPTION...]
  local at=${BATS_TEST_TMPDIR:-$BATS_FILE_TMPDIR}/answer

  : >"$at.body"
  STATUS=$(_request "$@" --dump-header "$at.header" --output "$at.body" --write-out '%{http_code}') || return
  BODY=$(tr -d '\0' <"$at.body")
  printf '%s %s\n' "$STATUS" "$BODY"
}

api() { _request unix "$@"; }
tcp() { _request tcp "$@"; }
http_code() { _request unix "$@" --output /dev/null --write-out '%{http_code}'; }
tcp_code() { _request tcp "$@" --output /dev/null --write-out '%{http_code}'; }
api_status() { _request_status unix "$@"; }
tcp_status() { _request_status tcp "$@"; }

_many_config() {
  awk -v socket="$CRECHE_SOCKET" -v token="${TOKEN-}" -v seconds="${MAX_TIME:-60}" '
    {
      body = $0
      sub(/^[^ ]+ [^ ]+ */, "", body)
      gsub(/[\\"]/, "\\\\&", body)
      printf "%ssilent\ngloboff\nunix-socket = \"%s\"\nmax-time = %s\nrequest = %s\nurl = \"http://localhost%s\"\n",
        (NR > 1 ? "next\n" : ""), socket, seconds, $1, $2
      print "write-out = \"\\n%{http_code}\\n\""
      if (token != "")
        printf "header = \"Authorization: Bearer %s\"\n", token
      if (body != "")
        printf "header = \"Content-Type: application/json\"\ndata-binary = \"%s\"\n", body
    }'
}

api_many() { # N
  _many_config | curl --no-progress-meter --parallel --parallel-immediate --parallel-max "$1" --config -
}

# Prints a header of the answer that api_status or tcp_status got; nothing when it is not there.
response_header() { # NAME
  awk -v name="$1:" '{ sub(/\r$/, "") } tolower($1) == tolower(name) { sub(/^[^:]*: */, ""); print }' \
    "${BATS_TEST_TMPDIR:-$BATS_FILE_TMPDIR}/answer.header"
}

create_process() { # JSON
  local answer

  answer=$(api POST /v1/processes "$1") || return
  jq -e .id <<<"$answer" || fail "$answer"
}

start_process() { # ARGV...
  create_process "$(jq -cn '{argv: $ARGS.positional}' --args -- "$@")"
}

start_blocked() { # [JSON]
  create_process "$(jq -c '{argv: ["sh", "-c", "read line; exit 5"], stdin: "pipe"} + .' <<<"${1:-{\}}")"
}

release() { # ID
  api PUT "/v1/processes/$1/stdin?eof=1" --header 'Content-Type: application/octet-stream' --data-binary go
}

# One for each start method.
start_blocked_everywhere() {
  local method

  IDS=()
  for method in "${METHODS[@]}"; do
    IDS+=("$(start_blocked "{\"start_method\": \"$method\"}")")
  done
}

all_end_with_5() { # ID...
  local id

  for id; do
    release "$id"
    assert_equal "$id $(exitcode_of "$id")" "$id 5"
  done
}

# shellcheck disable=SC2034
start_parent() { # [JSON]
  local fifo

  # Who reads the fifo waits for the key, and so for the process.
  fifo=$(mktemp -u "${BATS_TEST_TMPDIR:-$BATS_FILE_TMPDIR}/authkey.XXXX")
  mkfifo "$fifo" || return
  # shellcheck disable=SC2016
  PARENT=$(create_process "$(jq -c --arg fifo "$fifo" '{argv: ["sh", "-c",
    "echo $CRECHE_AUTHKEY >$0; exec sleep 1000", $fifo]} + .' <<<"${1:-{\}}")") || return
  AUTHKEY=$(timeout "$PATIENCE_S" cat "$fifo")
}

field() { # ID FILTER
  api GET "/v1/processes/$1" | jq -r "$2"
}

exitcode_of() { # ID
  api POST "/v1/processes/$1/join" | jq .exitcode
}

output_of() { # ID
  api GET "/v1/processes/$1/logs?follow=1"
}

sql() { # STATEMENT
  sqlite3 -cmd '.timeout 5000' "$CRECHE_STATE/registry.db" "$@"
}

# --------------------------------------------------------------------------------------- processes

# Start time in clock ticks: with the pid it names a process for ever.
_start_ticks() { # PID
  local stat

  read -r stat 2>/dev/null <"/proc/$1/stat" || return
  # shellcheck disable=SC2086
  set -- ${stat##*) }
  [[ $1 != [ZX] ]] && printf '%s' "${20}"
}

_descendants() { # PID
  ps -eo pid=,ppid= | awk -v root="$1" '
    { parent[$1] = $2 }
    END {
      for (pid in parent)
        for (p = pid; p in parent; p = parent[p])
          if (parent[p] == root) { print pid; break }
    }'
}

# The jobs under the main process: descendants that are not programs of ours.
_jobs_of() { # PID
  local pid

  for pid in $(_descendants "$1"); do
    case $(readlink "/proc/$pid/exe") in
      */creched | */creche-init) ;;
      *) printf '%s\n' "$pid" ;;
    esac
  done
}

# Notes every process of the server of @DIR in DIR/known: once its main process is gone, nothing else
# says whose they were.
_remember() { # DIR
  local main pid ticks

  main=$(<"$1/main")
  for pid in $main $(_descendants "$main"); do
    ticks=$(_start_ticks "$pid") || continue
    printf '%s %s\n' "$pid" "$ticks" >>"$1/known"
  done
}

# Prints the pids of DIR/known that still run.
_remaining() { # DIR
  local pid ticks

  [[ -e $1/known ]] || return 0
  while read -r pid ticks; do
    [[ $(_start_ticks "$pid") != "$ticks" ]] || printf '%s\n' "$pid"
  done < <(sort -u "$1/known")
}

# Blocks until the server of @DIR has ended, at most @SECONDS.
_wait_end() { # DIR SECONDS
  flock --wait "$2" "$1/alive" true
}

# ----------------------------------------------------------------------------------------- servers

# A port nobody listens on, below those the kernel hands out.
_free_port() {
  local port

  while :; do
    port=$((10000 + (RANDOM * 32768 + RANDOM) % 22000))
    (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
  done
  printf '%s' "$port"
}

start_creche() { # [CRECHED OPTION...]
  local dir

  dir=$(mktemp -d "$BATS_FILE_TMPDIR/${BATS_TEST_NUMBER:-f}.XXXX") || return
  start_creche_in "$dir" "$@"
}

# Runs in the background for as long as the server does, holds the lock DIR/alive for just as long, and
# leaves the exit status in DIR/status. A shell gives background jobs an ignored SIGINT; not ours.
_supervise() { # DIR COMMAND...
  # shellcheck disable=SC2016
  exec flock --close "$1/alive" sh -c '
    dir=$1; shift
    sh -c '\''echo $$ >"$0/main"; exec env --default-signal=INT,QUIT "$@"'\'' "$dir" "$@" \
      </dev/null >"$dir/ready" 2>>"$dir/stderr"
    echo $? >"$dir/status"' sh "$@" >/dev/null 2>&1 3>&-
}

start_creche_in() { # DIR [CRECHED OPTION...]
  local line='' ready

  export CRECHE_DIR=$1 CRECHE_STATE=$1/state CRECHE_SOCKET=$1/s CRECHE_URL='' CRECHE_TOKEN='' CRECHE_MAIN=''
  shift
  rm -f "$CRECHE_DIR/ready" "$CRECHE_DIR/status"
  mkfifo "$CRECHE_DIR/ready" || return
  _supervise "$CRECHE_DIR" env -u CRECHE_DIR -u CRECHE_STATE -u CRECHE_SOCKET -u CRECHE_URL \
    -u CRECHE_TOKEN -u CRECHE_MAIN "$BUILD/creched" --state-dir "$CRECHE_STATE" \
    --socket "$CRECHE_SOCKET" --listen "127.0.0.1:$(_free_port)" "$@" &

  # The descriptor stays open for as long as this shell lives: a restarted creched may write again.
  exec {ready}<"$CRECHE_DIR/ready"
  if ! read -r -t "$PATIENCE_S" line <&"$ready" || [[ $line != READY\ unix:* ]]; then
    [[ -n ${BATS_TEST_NUMBER:-} ]] || _dump_stderr
    fail "creched did not say READY within $PATIENCE_S s; it said: $line"
    return
  fi
  CRECHE_MAIN=$(<"$CRECHE_DIR/main")
  CRECHE_TOKEN=$(<"$CRECHE_STATE/token")
  [[ $line != *\ http* ]] || CRECHE_URL=${line##* }
}

restart_creche() { # [CRECHED OPTION...]
  stop_creche && start_creche_in "$CRECHE_DIR" "$@"
}

stop_creche() {
  local left

  _remember "$CRECHE_DIR"
  kill -TERM "$CRECHE_MAIN"
  _wait_end "$CRECHE_DIR" "$PATIENCE_S" || fail "creche-init still runs $PATIENCE_S s after SIGTERM" || return
  assert_equal "exit status $(<"$CRECHE_DIR/status")" 'exit status 0' || return
  left=$(_remaining "$CRECHE_DIR")
  # shellcheck disable=SC2086
  [[ -z $left ]] || fail 'left behind:'$'\n'"$(ps -o pid,ppid,stat,args $left)"
}

daemon_pid() {
  MAX_TIME=5 api GET /v1/info | jq -e .pid
}

connections_are() { # N
  (($(grep -c " 03 *[0-9]* $CRECHE_SOCKET\$" /proc/net/unix) >= $1))
}

kill_daemon() {
  local old new='' deadline=$((SECONDS + PATIENCE_S))

  old=$(daemon_pid) || return
  kill -KILL "$old"
  # The sockets stay open: a request waits in the queue for the next creched, and only one that the
  # dying one had taken already fails.
  until new=$(daemon_pid 2>/dev/null) && [[ -n $new && $new != "$old" ]]; do
    ((SECONDS < deadline)) || fail "no new creched within $PATIENCE_S s" || return
    sleep 0.02
  done
}

kill_main() {
  _remember "$CRECHE_DIR"
  kill -KILL "$CRECHE_MAIN"
  _wait_end "$CRECHE_DIR" "$PATIENCE_S"
}

# Stopped first, so that creche-init cannot start another creched in between.
kill_all() {
  local pid daemon

  daemon=$(daemon_pid) || return
  _remember "$CRECHE_DIR"
  kill -STOP "$CRECHE_MAIN"
  kill -KILL "$daemon" "$CRECHE_MAIN"
  _wait_end "$CRECHE_DIR" "$PATIENCE_S" || return
  for pid in "$daemon" "$CRECHE_MAIN"; do
    tail --pid="$pid" -s 0.02 -f /dev/null
  done
}

# ----------------------------------------------------------------------------------------- cleanup

_dump_stderr() {
  printf -- '--- the last lines of %s\n' "$CRECHE_DIR/stderr"
  tail -n "${DUMP_LINES:-60}" "$CRECHE_DIR/stderr" 2>/dev/null
  printf -- '---\n'
} >&2

_remove_groups() { # DIRECTORY
  find "$1" -depth -type d -exec rmdir {} + 2>/dev/null
  [[ ! -e $1 ]]
}

# Ends who is left in the control groups of a server: descendants of processes that have ended.
_end_groups() { # DIR
  local groups

  groups=$(cat "$1/state/cgroup" 2>/dev/null) && [[ -e $groups ]] || return 0
  echo 1 >"$groups/cgroup.kill" || return 0
  wait_until _remove_groups "$groups"
}

# Ends the server of @DIR, whatever state it is in. Fails when a sanitizer had something to say.
_end_creche() { # DIR
  local main pid

  main=$(cat "$1/main" 2>/dev/null) || return 0
  if [[ ! -e $1/status ]] && _start_ticks "$main" >/dev/null; then
    _remember "$1"
    for pid in $(_jobs_of "$main"); do
      kill -KILL "$pid" 2>/dev/null || :
    done
    kill -TERM "$main" 2>/dev/null || :
    _wait_end "$1" 5 || kill -TERM "$main" 2>/dev/null || :
    _wait_end "$1" 10 || _remember "$1"
  fi
  for main in $(_remaining "$1"); do
    for pid in $main $(_descendants "$main"); do
      kill -KILL "$pid" 2>/dev/null || :
    done
  done
  _wait_end "$1" 5 || :
  _end_groups "$1" || :
  ! grep -E -A40 'ERROR: (Address|Leak)Sanitizer|WARNING: ThreadSanitizer|runtime error:' "$1/stderr" >&2
}

_end_all() { # OWNER
  local dir status=0

  for dir in "$BATS_FILE_TMPDIR/$1".*; do
    [[ -d $dir ]] || continue
    _end_creche "$dir" || status=1
    rm -rf "$dir"
  done
  return "$status"
}

creche_setup_file() { start_creche; }
creche_teardown_file() { _end_all f; }

creche_teardown() {
  [[ -n ${BATS_TEST_COMPLETED:-} || -n ${BATS_TEST_SKIPPED:-} || -z ${CRECHE_DIR:-} ]] || _dump_stderr
  _end_all "$BATS_TEST_NUMBER"
}

setup_file() { creche_setup_file; }
teardown_file() { creche_teardown_file; }
teardown() { creche_teardown; }
