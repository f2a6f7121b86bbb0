#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Privilege separation: root starts creched, which serves as games, and runs processes as others where the policy
# says so. For root only. What a forkserver refuses to a daemon that lies is in tests/unit/test_privileged.c.

# helper.bash sets STATUS and BODY.
# shellcheck disable=SC2153
load helper
load pki

DAEMON=games

setup_file() {
  [[ $(id -u) == 0 ]] || return 0
  write_policy "$BATS_FILE_TMPDIR/policy.json" '{"users": ["nobody", "daemon"], "groups": ["video"]}'
  start_separated --policy "$BATS_FILE_TMPDIR/policy.json"
}

setup() {
  [[ $(id -u) == 0 ]] || skip 'not root: privilege separation was NOT tested'
}

write_policy() { # PATH JSON
  printf '%s\n' "$2" >"$1" && chmod 644 "$1"
}

# The directory is the daemon's, so that it finds its state there; the way to it is open.
start_separated() { # [CRECHED OPTION...]
  local dir

  dir=$(mktemp -d "$BATS_FILE_TMPDIR/${BATS_TEST_NUMBER:-f}.XXXX") && open_way_to "$dir" &&
    chown "$DAEMON:" "$dir" && start_creche_in "$dir" --user "$DAEMON" "$@"
}

open_way_to() { # DIR
  local dir=$1

  while [[ $dir != / && $dir != /tmp ]]; do
    chmod a+x "$dir" && dir=${dir%/*} && dir=${dir:-/} || return
  done
}

start_with() { # POLICY (JSON)
  write_policy "$BATS_TEST_TMPDIR/policy.json" "$1"
  start_separated --policy "$BATS_TEST_TMPDIR/policy.json"
}

as() { # USER [JSON]
  start_blocked "$(jq -c --arg user "$1" '{user: $user, cwd: "/"} + .' <<<"${2:-{\}}")"
}

output_as() { # USER PROGRAM...
  local id

  id=$(create_process "$(jq -cn --arg user "$1" '{user: $user, cwd: "/", argv: $ARGS.positional}' --args -- "${@:2}")")
  output_of "$id"
}

forkserver_pid() {
  pgrep -P "$(daemon_pid)" -x creche-forkserv
}

status_line() { # PID KEY
  awk -v key="$2:" '$1 == key { $1 = ""; print substr($0, 2) }' "/proc/$1/status"
}

creched_is_another_than() { # PID
  local now

  now=$(daemon_pid 2>/dev/null) && [[ $now != "$1" ]]
}

runs() { # PID
  [[ -e /proc/$1/stat ]] && ! grep -q ' Z ' "/proc/$1/stat"
}

refused_to_start() { # STATUS TEXT CRECHED OPTION...
  local dir=$BATS_TEST_TMPDIR/refused wanted=$1 text=$2
  shift 2

  mkdir -p "$dir"
  run timeout 20 "$BUILD/creched" --state-dir "$dir/state" --socket "$dir/s" --listen none "$@"
  assert_equal "$status" "$wanted" && assert_match "$output" "$text"
}

# ------------------------------------------------------------------------------------------ rights

@test "privileges: creched is the user for good, in no group of root's, without a capability" {
  local pid uid cap

  pid=$(daemon_pid) uid=$(id -u "$DAEMON")
  assert_equal "$(status_line "$pid" Uid)" "$uid $uid $uid $uid"
  assert_equal "$(status_line "$pid" Groups)" "$(id -G "$DAEMON")"
  for cap in CapInh CapPrm CapEff CapBnd CapAmb; do
    assert_equal "$cap $(status_line "$pid" "$cap")" "$cap 0000000000000000"
  done
  assert_equal "$(status_line "$pid" NoNewPrivs)" 1
}

@test "privileges: every thread of creched is that user" {
  local pid uid task

  pid=$(daemon_pid) uid=$(id -u "$DAEMON")
  for task in /proc/"$pid"/task/*; do
    assert_equal "$(awk '$1 == "Uid:" { print $2, $3, $4, $5 }' "$task/status")" "$uid $uid $uid $uid"
  done
}

@test "privileges: creche-init and the forkserver stay root" {
  assert_equal "$(status_line "$CRECHE_MAIN" Uid)" '0 0 0 0'
  assert_equal "$(status_line "$(forkserver_pid)" Uid)" '0 0 0 0'
}

@test "privileges: what is on the disk is the user's, and closed to others" {
  assert_equal "$(stat -c '%U %a' "$CRECHE_STATE")" "$DAEMON 700"
  assert_equal "$(stat -c '%U %a' "$CRECHE_SOCKET")" "$DAEMON 600"
  assert_equal "$(find "$CRECHE_STATE" ! -user "$DAEMON")" ''
}

@test "privileges: on the unix socket, root and the daemon's user may call, nobody else" {
  local ask=(curl -s --unix-socket "$CRECHE_SOCKET" -o /dev/null -w '%{http_code}' http://x/v1/info)

  assert_equal "$("${ask[@]}")" 200
  assert_equal "$(setpriv --reuid "$DAEMON" --clear-groups "${ask[@]}")" 200
  chmod 666 "$CRECHE_SOCKET"
  assert_equal "$(setpriv --reuid nobody --clear-groups "${ask[@]}")" 403
  chmod 600 "$CRECHE_SOCKET"
}

@test "privileges: info says as whom it serves, and by which policy" {
  assert_equal "$(api GET /v1/info | jq -c '.privileges | [.user, .uid, .separated, .policy, .warning]')" \
    "[\"$DAEMON\",$(id -u "$DAEMON"),true,\"$BATS_FILE_TMPDIR/policy.json\",null]"
}

@test "privileges: without --user, root is warned" {
  start_creche --user none
  assert_equal "$(api GET /v1/info | jq -c '.privileges | [.user, .uid, .separated, .policy]')" '["root",0,false,null]'
  assert_match "$(api GET /v1/info | jq -r .privileges.warning)" 'start it with --user'
  grep -q 'event=privileges.kept level=warn' "$CRECHE_DIR/stderr"
}

@test "privileges: a low port is bound before they are given up" {
  local port

  for port in 80 81 82 83 84 85; do
    (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
  done
  start_separated --listen "127.0.0.1:$port"
  assert_equal "$CRECHE_URL $(tcp_code GET /v1/info)" "http://127.0.0.1:$port 200"
}

@test "privileges: the key of TLS is root's alone: it is read before the rights are given up, and again by each creched" {
  local pid

  make_pki
  tls_options
  chmod 700 "$PKI"
  run setpriv --reuid="$DAEMON" --clear-groups cat "$PKI/server.key"
  ((status != 0))
  start_separated "${TLS[@]}"
  assert_equal "$(tcp_code GET /v1/info)" 200
  pid=$(daemon_pid)
  kill -HUP "$CRECHE_MAIN"
  wait_until creched_is_another_than "$pid"
  assert_equal "$(tcp_code GET /v1/info)" 200
}

# ------------------------------------------------------------------------------------------ policy

@test "privileges: a process runs as a user of the policy, with this user's groups" {
  assert_equal "$(output_as nobody id)" "$(setpriv --reuid nobody --regid nogroup --init-groups id)"
  assert_equal "$(output_as daemon id)" "$(setpriv --reuid daemon --regid daemon --init-groups id)"
}

@test "privileges: a process is the daemon's user when it names none" {
  assert_equal "$(output_of "$(start_process id -un)")" "$DAEMON"
}

@test "privileges: a user whom the policy does not list, and root, are refused, and there is no row" {
  local field before

  before=$(sql 'SELECT count(*) FROM processes')
  for field in '"user": "bin"' '"user": "root"' '"user": 0' '"group": 0' '"user": "nobody", "group": "root"' \
    '"user": "nobody", "group": "bin"'; do
    api_status POST /v1/processes "{\"argv\": [\"id\"], $field}" >/dev/null
    assert_problem 403 policy_refused || fail "$field"
    assert_match "$(jq -r .hint <<<"$BODY")" 'policy file'
  done
  assert_equal "$(sql 'SELECT count(*) FROM processes')" "$before"
}

@test "privileges: nobody gains privileges, and who asks for it is refused" {
  local user

  assert_match "$(output_as nobody grep NoNewPrivs /proc/self/status)" '1$'
  for user in nobody "$DAEMON"; do
    api_status POST /v1/processes "{\"argv\": [\"id\"], \"no_new_privs\": false, \"user\": \"$user\"}" >/dev/null
    assert_problem 403 policy_refused || fail "$user"
    assert_equal "$(jq -r '.errors[0].pointer' <<<"$BODY")" /no_new_privs
  done
}

@test "privileges: a group that the policy lists can be named" {
  local id

  id=$(create_process '{"argv": ["id", "-gn"], "user": "nobody", "group": "video", "cwd": "/"}')
  assert_equal "$(output_of "$id")" video
}

@test "privileges: whatever the start method that is asked for, the forkserver starts it, and the row says so" {
  local method id

  for method in "${METHODS[@]}"; do
    id=$(as nobody "{\"start_method\": \"$method\"}")
    assert_equal "$(field "$id" .start_method)" forkserver
    release "$id"
    assert_equal "$(exitcode_of "$id")" 5
  done
}

@test "privileges: created first and started later, a user is refused as well" {
  local id

  id=$(create_process '{"argv": ["id"], "start": false}')
  assert_equal "$(http_code PATCH "/v1/processes/$id" '{"user": "bin"}')" 403
  assert_equal "$(http_code PATCH "/v1/processes/$id" '{"user": "nobody"}')" 200
}

@test "privileges: limits are those that the user could have by itself" {
  local field

  for field in '"nice": -5' '"rlimits": {"nofile": [100000000, 100000000]}'; do
    api_status POST /v1/processes "{\"argv\": [\"true\"], \"cwd\": \"/\", \"user\": \"nobody\", $field}" >/dev/null
    assert_problem 422 exec_failed || fail "$field"
  done
}

@test "privileges: without a policy nobody but the daemon's user is allowed" {
  start_separated --policy "$BATS_FILE_TMPDIR/policy.json"
  rm -f "$BATS_TEST_TMPDIR/none.json"
  [[ ! -e /etc/creche/policy.json ]] || skip 'there is /etc/creche/policy.json here'
  stop_creche
  start_creche_in "$CRECHE_DIR" --user "$DAEMON"
  api_status POST /v1/processes '{"argv": ["id"], "user": "nobody"}' >/dev/null
  assert_problem 403 policy_refused
  assert_equal "$(output_of "$(start_process id -un)")" "$DAEMON"
}

@test "privileges: root can be allowed" {
  start_with '{"users": ["root"], "root": true}'
  assert_equal "$(output_as root id -u)" 0
}

@test "privileges: executables can be limited" {
  start_with '{"users": ["nobody"], "executables": ["/usr/bin/id"]}'
  assert_equal "$(output_as nobody /usr/bin/id -un)" nobody
  api_status POST /v1/processes '{"argv": ["/usr/bin/env"], "user": "nobody", "cwd": "/"}' >/dev/null
  assert_problem 403 policy_refused
}

@test "privileges: a policy is read again by each creched" {
  start_with '{"users": []}'
  assert_equal "$(http_code POST /v1/processes '{"argv": ["true"], "user": "nobody", "cwd": "/"}')" 403
  write_policy "$BATS_TEST_TMPDIR/policy.json" '{"users": ["nobody"]}'
  kill_daemon
  assert_equal "$(http_code POST /v1/processes '{"argv": ["true"], "user": "nobody", "cwd": "/"}')" 201
}

# --------------------------------------------------------------------------------- refused to start

@test "privileges: a policy that others can write to, a link, a bad and a missing one: creched does not start" {
  local dir=$BATS_TEST_TMPDIR policy=$BATS_TEST_TMPDIR/p.json

  write_policy "$policy" '{"users": []}'
  chmod 666 "$policy"
  refused_to_start 1 'nobody else can write to' --user "$DAEMON" --policy "$policy"
  chmod 644 "$policy"
  chown "$DAEMON" "$policy"
  refused_to_start 1 'nobody else can write to' --user "$DAEMON" --policy "$policy"
  ln -s "$BATS_FILE_TMPDIR/policy.json" "$dir/link.json"
  refused_to_start 1 'link.json' --user "$DAEMON" --policy "$dir/link.json"
  write_policy "$dir/bad.json" '{"user": []}'
  refused_to_start 1 'the policy: ' --user "$DAEMON" --policy "$dir/bad.json"
  refused_to_start 1 'No such file' --user "$DAEMON" --policy "$dir/missing.json"
}

@test "privileges: an unknown user and root are no users to serve as" {
  refused_to_start 1 'no user of this name' --user no-such-user
  refused_to_start 1 'is root' --user root
}

@test "privileges: who is not root cannot serve as somebody else" {
  run setpriv --reuid nobody --clear-groups "$BUILD/creched" --state-dir "$BATS_TEST_TMPDIR/x" --user "$DAEMON"
  [[ $output != *'Permission denied'* ]] || skip 'nobody cannot execute the programs where they were built'
  assert_equal "$status" 1
  assert_match "$output" 'only root'
}

@test "privileges: a state directory of root's is refused with the command that gives it away" {
  start_creche --user none
  stop_creche
  open_way_to "$CRECHE_DIR"
  chown "$DAEMON" "$CRECHE_DIR"
  run "$BUILD/creched" --state-dir "$CRECHE_STATE" --socket "$CRECHE_SOCKET" --listen none --user "$DAEMON"
  assert_equal "$status" 1
  assert_match "$output" "chown -R $(id -u "$DAEMON"):$(id -g "$DAEMON")"
  chown -R "$DAEMON:" "$CRECHE_STATE"
  start_creche_in "$CRECHE_DIR" --user "$DAEMON"
}

# ------------------------------------------------------------------------------------------ signals

@test "privileges: terminate, kill, interrupt and signal reach processes of other users" {
  local id verb

  for verb in terminate kill interrupt; do
    id=$(as nobody)
    assert_equal "$verb $(api POST "/v1/processes/$id/$verb" | jq .delivered)" "$verb true"
    assert_match "$(exitcode_of "$id")" '^-(15|9|2)$'
  done
  id=$(as daemon)
  assert_equal "$(api POST "/v1/processes/$id/signal" '{"signal": "SIGUSR1"}' | jq .delivered)" true
  assert_equal "$(exitcode_of "$id")" -10
}

@test "privileges: terminate wakes a process of another user that is stopped" {
  local id

  id=$(as nobody)
  api POST "/v1/processes/$id/signal" '{"signal": "SIGSTOP"}' >/dev/null
  api POST "/v1/processes/$id/terminate" >/dev/null
  assert_equal "$(exitcode_of "$id")" -15
}

@test "privileges: a tree of another user's is reached as a whole" {
  local id pid pids signal

  for signal in terminate kill; do
    id=$(create_process '{"argv": ["sh", "-c", "setsid sleep 1000 & echo $!; sleep 1000 & echo $!; wait"],
      "user": "nobody", "cwd": "/"}')
    wait_until eval "((\$(api GET /v1/processes/$id/logs | wc -l) == 2))"
    mapfile -t pids < <(api GET "/v1/processes/$id/logs")
    api POST "/v1/processes/$id/$signal" '{"tree": true}' >/dev/null
    assert_match "$(exitcode_of "$id")" '^-(15|9)$'
    [[ $(api GET /v1/info | jq -r .features.tree) == control_group ]] || pids=("${pids[1]}")
    for pid in "${pids[@]}"; do
      wait_until is_zombie_or_gone "$pid"
    done
  done
}

@test "privileges: a timeout ends a process of another user, which ignores SIGTERM" {
  local id

  id=$(create_process '{"argv": ["sh", "-c", "trap : TERM; while :; do sleep 0.1; done"], "user": "nobody",
    "cwd": "/", "timeout": 0.2, "grace": 0.2}')
  assert_equal "$(exitcode_of "$id")" -9
}

@test "privileges: stopping ends the daemonic processes of other users" {
  local id

  start_separated --policy "$BATS_FILE_TMPDIR/policy.json"
  id=$(as nobody '{"daemon": true}')
  stop_creche
  assert_equal "$(sql "SELECT exitcode FROM processes WHERE id = $id")" -15
}

# -------------------------------------------------------------------------------------------- deaths

# One process of each user, a creche restarted in the way that is named, and each tells how it ends.
survives() { # COMMAND...
  local ids=() before

  start_separated --policy "$BATS_FILE_TMPDIR/policy.json"
  ids=("$(as nobody)" "$(as daemon)" "$(start_blocked)")
  before=$(daemon_pid)
  "$@" || return
  wait_until creched_is_another_than "$before"
  assert_equal "$(status_line "$(daemon_pid)" CapEff)" 0000000000000000
  ids+=("$(as nobody)")
  all_end_with_5 "${ids[@]}"
}

@test "privileges: creched is killed: processes of other users go on, and tell how they end" {
  kill_creched() { kill -KILL "$(daemon_pid)"; }
  survives kill_creched
}

@test "privileges: the forkserver is killed: creched is started anew, and no exit is lost" {
  kill_forkserver() { kill -KILL "$(forkserver_pid)"; }
  survives kill_forkserver
}

@test "privileges: SIGHUP starts creched anew, and no exit is lost" {
  send_hup() { kill -HUP "$CRECHE_MAIN"; }
  survives send_hup
}

@test "privileges: after creched was killed, processes of other users can be signalled" {
  local id

  start_separated --policy "$BATS_FILE_TMPDIR/policy.json"
  id=$(as nobody)
  kill_daemon
  assert_equal "$(api POST "/v1/processes/$id/terminate" | jq .delivered)" true
  assert_equal "$(exitcode_of "$id")" -15
}

@test "privileges: who died while creched was dead tells how" {
  local id

  start_separated --policy "$BATS_FILE_TMPDIR/policy.json"
  id=$(as nobody)
  release "$id"
  kill_daemon
  assert_equal "$(exitcode_of "$id")" 5
}

@test "privileges: creche-init is killed: processes of other users are started, signalled and recorded as before" {
  local one two three pid

  start_separated --policy "$BATS_FILE_TMPDIR/policy.json"
  one=$(as nobody) two=$(as daemon)
  kill -KILL "$CRECHE_MAIN"
  wait_until eval "[[ \$(api GET /v1/info | jq .init_pid) == null ]]"
  three=$(as nobody)
  api POST "/v1/processes/$one/terminate" >/dev/null
  assert_equal "$(exitcode_of "$one")" -15
  all_end_with_5 "$two" "$three"
  # And then the forkserver: what runs is still watched, and nothing more can be started.
  one=$(as nobody)
  pid=$(daemon_pid)
  kill -KILL "$(forkserver_pid)"
  wait_until eval "[[ \$(api GET /v1/info | jq -c '.health_reasons | length') == 2 ]]"
  assert_equal "$(daemon_pid)" "$pid"
  assert_equal "$(http_code POST /v1/processes '{"argv": ["true"]}')" 503
  # It waits for its child, which nobody else would end.
  release "$one"
  kill -TERM "$pid"
  wait_until is_gone "$pid"
}

@test "privileges: the forkserver dies with creched" {
  local pid

  start_separated --policy "$BATS_FILE_TMPDIR/policy.json"
  pid=$(forkserver_pid)
  kill_daemon
  wait_until is_gone "$pid"
  runs "$(forkserver_pid)"
}

@test "privileges: a process of another user can open its output again, and nobody else gets there" {
  local id

  id=$(create_process '{"argv": ["sh", "-c", "echo one >>/dev/stdout; echo two >>/dev/stderr"], "user": "nobody",
    "cwd": "/"}')
  assert_equal "$(exitcode_of "$id") $(api GET "/v1/processes/$id/logs")" '0 one'
  run setpriv --reuid nobody --clear-groups ls "$CRECHE_STATE/logs"
  assert_match "$output" 'Permission denied'
}
