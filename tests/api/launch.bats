#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What can be asked for at a start: each field, with each start method where the child's side has a part in it.

# helper.bash sets STATUS, BODY and AUTHKEY.
# shellcheck disable=SC2153
load helper

# Runs the launch request with each start method; prints what it wrote to stdout, once if it is always the same.
output_everywhere() { # JSON
  local method id

  for method in "${METHODS[@]}"; do
    id=$(create_process "$(jq -c --arg method "$method" '. + {start_method: $method}' <<<"$1")") || return
    output_of "$id" >"$BATS_TEST_TMPDIR/$method"
  done
  for method in "${METHODS[@]:1}"; do
    cmp "$BATS_TEST_TMPDIR/${METHODS[0]}" "$BATS_TEST_TMPDIR/$method" >&2 || return
  done
  cat "$BATS_TEST_TMPDIR/$method"
}

put_stdin() { # ID CURL OPTION...
  api PUT "/v1/processes/$1/stdin" --header 'Content-Type: application/octet-stream' "${@:2}"
}

need_root() {
  ((EUID == 0)) || skip 'not root'
}

refused() { # JSON POINTER
  api_status POST /v1/processes "$1" >/dev/null
  assert_problem 422 invalid || fail "$1: $BODY"
  assert_equal "$(jq -r '.errors[0].pointer' <<<"$BODY")" "$2"
}

# ------------------------------------------------------------------------------------------- argv

@test "argv: arrives exactly, empty strings, quotes and newlines too; no shell reads it" {
  local request

  request=$(jq -cn '{argv: ["printf", "%s|", "", "a b", "*", "$HOME", "\"q\" '\''r'\''", "one\ntwo\n", "`id`;", "tab\tend\\", "ünï", ""]}')
  assert_equal "$(output_everywhere "$request")" $'|a b|*|$HOME|"q" \'r\'|one\ntwo\n|`id`;|tab\tend\\|ünï||'
}

@test "argv: bytes that are not UTF-8 are sent and shown as base64" {
  local every id

  # 1 to 255, as one argument.
  every=$(for i in {1..255}; do printf "\\x$(printf %x "$i")"; done | base64 -w 0)
  assert_equal "$(output_everywhere "{\"argv\": [\"printf\", \"%s\", {\"base64\": \"$every\"}]}" | base64 -w 0)" "$every"

  id=$(create_process "{\"argv\": [\"true\", {\"base64\": \"$every\"}, {\"base64\": \"/w==\"}, {\"base64\": \"w6Q=\"}]}")
  assert_equal "$(field "$id" '.argv[1:] | tojson')" "[{\"base64\":\"$every\"},{\"base64\":\"/w==\"},\"ä\"]"
}

@test "argv: an argument may have 131,071 bytes" {
  local file=$BATS_TEST_TMPDIR/argument

  head -c 131071 /dev/zero | tr '\0' y >"$file"
  jq -cRn '{argv: ["sh", "-c", "printf %s \"$1\" | cksum", "sh", input]}' "$file" >"$file.json"
  assert_equal "$(output_everywhere "$(<"$file.json")")" "$(cksum <"$file")"
}

@test "argv: there may be as many arguments as the body has room for" {
  assert_equal "$(output_everywhere "$(jq -cn '{argv: (["sh", "-c", "echo $#", "sh"] + [range(40000) | "x"])}')")" 40000
}

@test "argv: the program is looked up in the PATH of the child, and from its cwd when it has a slash" {
  mkdir "$BATS_TEST_TMPDIR/bin" "$BATS_TEST_TMPDIR/other"
  printf '#!/bin/sh\necho "mine $0"\n' >"$BATS_TEST_TMPDIR/bin/program"
  chmod +x "$BATS_TEST_TMPDIR/bin/program"
  echo 'not executable' >"$BATS_TEST_TMPDIR/other/program"

  assert_equal "$(output_everywhere "{\"argv\": [\"program\"],
    \"env\": {\"PATH\": \"/nonesuch:$BATS_TEST_TMPDIR/other:$BATS_TEST_TMPDIR/bin\"}}")" "mine $BATS_TEST_TMPDIR/bin/program"
  assert_equal "$(output_everywhere "{\"argv\": [\"./program\"], \"cwd\": \"$BATS_TEST_TMPDIR/bin\"}")" 'mine ./program'

  api_status POST /v1/processes '{"argv": ["program"]}' >/dev/null
  assert_problem 422 exec_failed
  api_status POST /v1/processes '{"argv": ["true"], "env": {"PATH": ""}}' >/dev/null
  assert_problem 422 exec_failed
}

# ---------------------------------------------------------------------------------------- name, ...

@test "name and labels: are kept as they were sent" {
  local request='{"argv": ["true"], "name": " n \"ä\" \\ \n", "labels": {"a": "", "ü \"k\"": "v=\n\\"}}'

  assert_equal "$(api POST /v1/processes "$request" | jq -cS '{name, labels}')" "$(jq -cS '{name, labels}' <<<"$request")"
}

@test "start_method: spawn unless another is asked for" {
  local method

  assert_equal "$(api POST /v1/processes '{"argv": ["true"]}' | jq -r .start_method)" spawn
  for method in "${METHODS[@]}"; do
    assert_equal "$(api POST /v1/processes "{\"argv\": [\"true\"], \"start_method\": \"$method\"}" |
      jq -r .start_method)" "$method"
  done
}

# ----------------------------------------------------------------------------------- env, secrets

@test "env: comes on top of the defaults, and may replace them" {
  # Without what differs from process to process.
  local request='{"argv": ["/usr/bin/env", "-u", "CRECHE_ID", "-u", "CRECHE_AUTHKEY", "/usr/bin/env"],
    "env": {"A": "", "HOME": "/tmp", "PATH": "/x", "B": "b=c\ntwo", "C": {"base64": "/w=="}}}'

  output_everywhere "$request" | grep -avE '^(CRECHE_|USER=|LOGNAME=|SHELL=)' | LC_ALL=C sort >"$BATS_TEST_TMPDIR/env"
  assert_equal "$(base64 "$BATS_TEST_TMPDIR/env")" "$(printf '%s\n' A= B=b=c C=$'\xff' HOME=/tmp LANG=C.UTF-8 PATH=/x two | base64)"
}

@test "env: its names are shown, its values never" {
  local id

  id=$(create_process '{"argv": ["true"], "env": {"NAMED": "Zm9vYmFy-value"}}')
  assert_match "$(field "$id" '.env | tojson')" '"NAMED"'
  exitcode_of "$id" >/dev/null
  assert_equal "$(api GET "/v1/processes/$id" | grep -c Zm9vYmFy-value)" 0
  assert_equal "$(sql .dump | grep -c Zm9vYmFy-value)" 0
}

@test "secrets: are given to the child, and stand in no row, no answer, no log and no file" {
  local method id secret

  for method in "${METHODS[@]}"; do
    secret=$(head -c 18 /dev/urandom | base64)
    api_status POST /v1/processes "{\"argv\": [\"sh\", \"-c\", \"printf %s \\\"\$S\\\" | cksum\"], \"secrets\": {\"S\": \"$secret\"},
      \"start_method\": \"$method\"}" --header "Idempotency-Key: secret-$method" >/dev/null
    assert_equal "$STATUS" 201
    id=$(jq .id <<<"$BODY")
    assert_equal "$method $(output_of "$id")" "$method $(printf %s "$secret" | cksum)"

    assert_equal "$(grep -cF -e "$secret" <<<"$BODY")" 0
    assert_equal "$(api GET "/v1/processes/$id" | grep -cF -e "$secret")" 0
    # In no byte of the database, its WAL, the journal, the logs or what the daemon said.
    assert_equal "$(grep -rlaF -e "$secret" "$CRECHE_STATE" "$CRECHE_DIR/stderr")" ''
  done
}

@test "secrets: are not kept until a later start, so they are given to that" {
  local id

  refused '{"argv": ["true"], "secrets": {"S": "s"}, "start": false}' /secrets
  id=$(create_process '{"argv": ["sh", "-c", "echo $S"], "env": {"T": "t"}, "start": false}')
  assert_equal "$(http_code POST "/v1/processes/$id/start" '{"secrets": {"S": "told"}}')" 200
  assert_equal "$(output_of "$id")" told
}

@test "env and secrets: a name is given once, and those of Creche are reserved" {
  refused '{"argv": ["true"], "env": {"CRECHE_ID": "1"}}' /env/CRECHE_ID
  refused '{"argv": ["true"], "secrets": {"CRECHE_AUTHKEY": "1"}}' /secrets/CRECHE_AUTHKEY
  refused '{"argv": ["true"], "env": {"A": "1"}, "secrets": {"A": "2"}}' /secrets/A
  refused '{"argv": ["true"], "env": {"A=B": "1"}}' /env/A=B
  refused '{"argv": ["true"], "env": {"": "1"}}' /env/
}

# ------------------------------------------------------------------------------------- cwd, umask

@test "cwd: the home of the user, or what is asked for" {
  local home

  home=$(getent passwd "$EUID" | cut -d: -f6)
  assert_equal "$(output_everywhere '{"argv": ["pwd", "-P"]}')" "$(cd "$home" 2>/dev/null && pwd -P || echo /)"
  mkdir "$BATS_TEST_TMPDIR/a b"
  assert_equal "$(output_everywhere "{\"argv\": [\"pwd\", \"-P\"], \"cwd\": \"$BATS_TEST_TMPDIR/a b\"}")" "$(cd "$BATS_TEST_TMPDIR/a b" && pwd -P)"
  assert_equal "$(api POST /v1/processes '{"argv": ["true"], "cwd": "/"}' | jq -r .cwd)" /
}

@test "umask: 022, or what is asked for, as a number or as octal digits" {
  assert_equal "$(output_everywhere '{"argv": ["sh", "-c", "umask"]}')" 0022
  assert_equal "$(output_everywhere '{"argv": ["sh", "-c", "umask"], "umask": 63}')" 0077
  assert_equal "$(output_everywhere '{"argv": ["sh", "-c", "umask"], "umask": "027"}')" 0027
  assert_equal "$(output_everywhere '{"argv": ["sh", "-c", "umask"], "umask": 0}')" 0000
}

# ------------------------------------------------------------------------------------------ stdin

@test "stdin: a text, or bytes as base64, and then the end" {
  assert_equal "$(output_everywhere '{"argv": ["cat"], "stdin": {"text": "one\ntwö\n"}}')" $'one\ntwö'
  assert_equal "$(output_everywhere '{"argv": ["od", "-An", "-c"], "stdin": {"base64": "AP8K"}}' | xargs -0 echo | tr -s ' ')" \
    "$(printf '\0\377\n' | od -An -c | xargs -0 echo | tr -s ' ')"
  assert_equal "$(output_everywhere '{"argv": ["wc", "-c"], "stdin": {"text": ""}}')" 0
}

@test "stdin: a text larger than a pipe arrives as a whole" {
  local file=$BATS_TEST_TMPDIR/text

  seq 35000 >"$file"
  jq -cRs '{argv: ["cksum"], stdin: {text: .}}' "$file" >"$file.json"
  assert_equal "$(output_everywhere "$(<"$file.json")")" "$(cksum <"$file")"
}

@test "stdin: a pipe is fed with PUT, and eof=1 closes it" {
  local method id

  for method in "${METHODS[@]}"; do
    id=$(create_process "{\"argv\": [\"cat\"], \"stdin\": \"pipe\", \"start_method\": \"$method\"}")
    put_stdin "$id" --data-binary $'one\n'
    put_stdin "$id" --data-binary ''
    put_stdin "$id" --data-binary $'two\n'
    assert_equal "$(api PUT "/v1/processes/$id/stdin?eof=1" --header 'Content-Type: application/octet-stream' \
      --data-binary $'three\n' --write-out '%{http_code}')" 204
    assert_equal "$method $(output_of "$id" | xargs)" "$method one two three"
    assert_equal "$(exitcode_of "$id")" 0
  done
}

@test "stdin: a pipe takes more than it can hold, as fast as the process reads" {
  local id file=$BATS_TEST_TMPDIR/bytes

  head -c 20000000 /dev/urandom >"$file"
  id=$(create_process '{"argv": ["sh", "-c", "read start; cksum"], "stdin": "pipe"}')
  put_stdin "$id" --data-binary $'start\n'
  assert_equal "$(api PUT "/v1/processes/$id/stdin?eof=1" --header 'Content-Type: application/octet-stream' \
    --header 'Transfer-Encoding: chunked' --data-binary "@$file" --write-out '%{http_code}')" 204
  assert_equal "$(output_of "$id")" "$(cksum <"$file")"
}

@test "stdin: a process that does not read holds up its own writer only" {
  local id

  id=$(create_process '{"argv": ["sleep", "1000"], "stdin": "pipe"}')
  head -c 1000000 /dev/zero >"$BATS_TEST_TMPDIR/zeros"
  put_stdin "$id" --data-binary "@$BATS_TEST_TMPDIR/zeros" --output "$BATS_TEST_TMPDIR/answer" --write-out '%{http_code}' \
    >"$BATS_TEST_TMPDIR/code" &
  assert_equal "$(field "$id" .state)" started
  assert_equal "$(output_of "$(start_process echo other)")" other
  api POST "/v1/processes/$id/kill" >/dev/null
  wait $!
  assert_equal "$(<"$BATS_TEST_TMPDIR/code") $(jq -r .code "$BATS_TEST_TMPDIR/answer")" '409 stopped'
}

@test "stdin: writing to what is no pipe, is closed, has not started or has ended is refused" {
  local id octets='Content-Type: application/octet-stream'

  id=$(start_process sleep 1000)
  api_status PUT "/v1/processes/$id/stdin" --header "$octets" --data-binary x >/dev/null
  assert_problem 409 no_stdin

  id=$(create_process '{"argv": ["sh", "-c", "cat; sleep 1000"], "stdin": "pipe"}')
  api PUT "/v1/processes/$id/stdin?eof=1" --header "$octets" --data-binary x
  api_status PUT "/v1/processes/$id/stdin" --header "$octets" --data-binary x >/dev/null
  assert_problem 409 no_stdin

  id=$(create_process '{"argv": ["cat"], "stdin": "pipe", "start": false}')
  api_status PUT "/v1/processes/$id/stdin" --header "$octets" --data-binary x >/dev/null
  assert_problem 409 not_started

  id=$(create_process '{"argv": ["true"], "stdin": "pipe"}')
  exitcode_of "$id" >/dev/null
  api_status PUT "/v1/processes/$id/stdin" --header "$octets" --data-binary x >/dev/null
  assert_problem 409 stopped
}

# --------------------------------------------------------------------------------- stdout, stderr

@test "stdout and stderr: go into logs of their own, into one, or nowhere" {
  local method id

  for method in "${METHODS[@]}"; do
    id=$(create_process "{\"argv\": [\"sh\", \"-c\", \"echo out; echo err >&2\"], \"start_method\": \"$method\"}")
    assert_equal "$method $(output_of "$id") $(api GET "/v1/processes/$id/logs?stream=stderr")" "$method out err"
    assert_equal "$(field "$id" '"\(.stdout_bytes) \(.stderr_bytes)"')" '4 4'

    id=$(create_process "{\"argv\": [\"sh\", \"-c\", \"echo out; echo err >&2\"], \"stderr\": \"stdout\", \"start_method\": \"$method\"}")
    assert_equal "$method $(output_of "$id" | xargs)" "$method out err"

    id=$(create_process "{\"argv\": [\"sh\", \"-c\", \"out=\$(readlink /proc/\$\$/fd/1); echo \$out >&2\"],
      \"stdout\": \"null\", \"start_method\": \"$method\"}")
    exitcode_of "$id" >/dev/null
    assert_equal "$method $(api GET "/v1/processes/$id/logs?stream=stderr" )" "$method /dev/null"

    id=$(create_process "{\"argv\": [\"sh\", \"-c\", \"readlink /proc/\$\$/fd/2\"], \"stderr\": \"null\", \"start_method\": \"$method\"}")
    assert_equal "$method $(output_of "$id")" "$method /dev/null"
  done
}

# ------------------------------------------------------------------------------------ user, group

@test "user: by name or by number, with its groups, its environment and no rights of root" {
  local user script='id -u; id -g; id -G; echo $HOME $USER $LOGNAME; grep CapEff /proc/self/status; echo own >>/dev/stdout'

  need_root
  for user in '"games"' 5 '"5"'; do
    assert_equal "$(output_everywhere "{\"argv\": [\"sh\", \"-c\", \"$script\"], \"user\": $user, \"cwd\": \"/\"}" | xargs)" \
      "$(id -u games) $(id -g games) $(id -G games) $(getent passwd games | cut -d: -f6) games games CapEff: 0000000000000000 own"
  done
}

@test "user: all four ids are those of the user" {
  need_root
  assert_equal "$(output_everywhere '{"argv": ["grep", "-E", "^(Uid|Gid|Groups):", "/proc/self/status"], "user": "games", "cwd": "/"}' | xargs)" \
    "Uid: 5 5 5 5 Gid: 60 60 60 60 Groups: 60"
}

@test "user: its home is the working directory unless another is asked for" {
  need_root
  assert_equal "$(output_everywhere '{"argv": ["pwd"], "user": "daemon"}')" "$(getent passwd daemon | cut -d: -f6)"
}

@test "group: by name or by number, beside the user or alone" {
  local group

  need_root
  for group in '"tty"' 5; do
    assert_equal "$(output_everywhere "{\"argv\": [\"sh\", \"-c\", \"id -u; id -g\"], \"group\": $group}" | xargs)" '0 5'
    assert_equal "$(output_everywhere "{\"argv\": [\"sh\", \"-c\", \"id -u; id -g\"], \"user\": \"games\", \"group\": $group, \"cwd\": \"/\"}" |
      xargs)" '5 5'
  done
  assert_equal "$(output_everywhere '{"argv": ["sh", "-c", "id -u; id -g; id -G"], "user": 4000123, "group": 4000124, "cwd": "/"}' | xargs)" \
    '4000123 4000124 4000124'
}

@test "user and group: who is unknown is refused, and pointed at" {
  local before

  need_root
  before=$(api GET '/v1/processes?limit=1' | jq '.processes[].id')
  refused '{"argv": ["true"], "user": "nonesuch"}' /user
  refused '{"argv": ["true"], "user": 4000123}' /user
  refused '{"argv": ["true"], "group": "nonesuch"}' /group
  refused '{"argv": ["true"], "user": "games", "group": "nonesuch"}' /group
  assert_equal "$(api GET '/v1/processes?limit=1' | jq '.processes[].id')" "$before"
}

@test "user: a daemon that does not run as root starts processes as itself only" {
  local pid user=games

  need_root
  mkdir -m 700 "$BATS_TEST_TMPDIR/home"
  chown games "$BATS_TEST_TMPDIR/home"
  chmod a+x "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_TEST_TMPDIR" "${BATS_TEST_TMPDIR%/*}" "${BATS_FILE_TMPDIR%/*}"
  setpriv --reuid games --regid games --clear-groups test -x "$BUILD/creched" -a -w "$BATS_TEST_TMPDIR/home" ||
    skip 'the programs are where another user may not look'

  mkfifo "$BATS_TEST_TMPDIR/ready"
  chmod a+w "$BATS_TEST_TMPDIR/ready"
  setpriv --reuid games --regid games --clear-groups "$BUILD/creched" --state-dir "$BATS_TEST_TMPDIR/home/state" \
    --socket "$BATS_TEST_TMPDIR/home/s" --listen none >"$BATS_TEST_TMPDIR/ready" 2>"$BATS_TEST_TMPDIR/stderr" 3>&- &
  pid=$!
  timeout "$PATIENCE_S" head -n 1 "$BATS_TEST_TMPDIR/ready" >/dev/null

  CRECHE_SOCKET=$BATS_TEST_TMPDIR/home/s
  assert_equal "$(output_of "$(start_process id -un)")" games
  for user in root 0 daemon; do
    refused "{\"argv\": [\"true\"], \"user\": \"$user\"}" /user
  done
  refused '{"argv": ["true"], "group": "root"}' /group
  kill -TERM "$pid"
  wait "$pid"
}

# ---------------------------------------------------------------------------------- rlimits, nice

@test "rlimits: soft and hard, null is no limit" {
  assert_equal "$(output_everywhere '{"argv": ["sh", "-c", "ulimit -Sn; ulimit -Hn; ulimit -Sc; ulimit -Hc"],
    "rlimits": {"nofile": [77, 99], "core": [0, null]}}' | xargs)" "77 99 0 $(ulimit -Hc)"
}

@test "rlimits: each resource of the kernel has its name" {
  local request='{"argv": ["cat", "/proc/self/limits"], "rlimits": {"cpu": [101, 201], "fsize": [1000102, 1000202], "data": [300000003, 300000004],
    "stack": [8000104, 8000204], "rss": [105, 205], "nproc": [10106, 20206], "nofile": [107, 207], "memlock": [108, 208],
    "as": [900000109, 900000209], "locks": [110, 210], "sigpending": [111, 211], "msgqueue": [112, 212], "rttime": [115, 215]}}'

  assert_equal "$(output_everywhere "$request" | awk -F '  +' 'NR > 1 && $2 != "unlimited" && $1 !~ /nice|realtime priority|core/ { print $2 "-" $3 }' | xargs)" \
    '101-201 1000102-1000202 300000003-300000004 8000104-8000204 105-205 10106-20206 107-207 108-208 900000109-900000209 110-210 111-211 112-212 115-215'
}

@test "rlimits: a soft limit above the hard one, or an unknown resource, is refused" {
  refused '{"argv": ["true"], "rlimits": {"nofile": [2, 1]}}' /rlimits/nofile/0
  refused '{"argv": ["true"], "rlimits": {"nofile": [null, 1]}}' /rlimits/nofile/0
  refused '{"argv": ["true"], "rlimits": {"files": [1, 2]}}' /rlimits/files
  refused '{"argv": ["true"], "rlimits": {"nofile": [1]}}' /rlimits/nofile
  refused '{"argv": ["true"], "rlimits": {"nofile": 1}}' /rlimits/nofile
}

@test "nice: the child's priority" {
  assert_equal "$(output_everywhere '{"argv": ["nice"], "nice": 17}')" 17
  assert_equal "$(output_everywhere '{"argv": ["nice"]}')" "$(nice)"
  need_root
  assert_equal "$(output_everywhere '{"argv": ["nice"], "nice": -15}')" -15
}

# --------------------------------------------------------------------------------- timeout, grace

@test "timeout: the longest it may run, then SIGTERM" {
  local method id

  for method in "${METHODS[@]}"; do
    id=$(create_process "{\"argv\": [\"sleep\", \"1000\"], \"timeout\": 0.1, \"start_method\": \"$method\"}")
    assert_equal "$method $(exitcode_of "$id") $(field "$id" .exit.requested_by)" "$method -15 timeout"
  done
}

@test "timeout: who ignores SIGTERM gets SIGKILL after grace" {
  local id

  id=$(create_process '{"argv": ["sh", "-c", "trap \"echo asked\" TERM; while :; do sleep 0.05; done"], "timeout": 0.5, "grace": 0.5}')
  assert_equal "$(exitcode_of "$id") $(api GET "/v1/processes/$id/logs")" '-9 asked'
}

@test "timeout: does nothing to a process that ends in time" {
  local id

  id=$(create_process '{"argv": ["sh", "-c", "exit 4"], "timeout": 30, "grace": 0}')
  assert_equal "$(exitcode_of "$id") $(field "$id" .exit.requested_by)" '4 null'
}

# ------------------------------------------------------------------------------------------ start

@test "start: false creates only; PATCH changes what was asked for; start runs that" {
  local method id

  for method in "${METHODS[@]}"; do
    id=$(create_process '{"argv": ["false"], "env": {"A": "old"}, "labels": {"l": "old"}, "umask": "077", "start": false}')
    api PATCH "/v1/processes/$id" "$(jq -cn --arg method "$method" '{argv: ["sh", "-c", "echo $A $(umask) $(pwd) $(cat)"],
      env: {A: "new"}, labels: {m: "new"}, cwd: "/tmp", stdin: {text: "in"}, start_method: $method}')" >/dev/null
    assert_equal "$method $(field "$id" '"\(.state) \(.labels | tojson) \(.argv[0]) \(.cwd) \(.start_method)"')" \
      "$method initial {\"m\":\"new\"} sh /tmp $method"
    assert_equal "$(http_code POST "/v1/processes/$id/start")" 200
    assert_equal "$method $(output_of "$id")" "$method new 0077 /tmp in"
    assert_equal "$(exitcode_of "$id")" 0
  done
}

@test "start: a PATCH that is wrong, or comes after the start, changes nothing" {
  local id before body

  id=$(create_process '{"argv": ["sleep", "1000"], "start": false}')
  before=$(api GET "/v1/processes/$id")
  for body in '{"argv": []}' '{"name": "x", "argv": [1]}' '{"env": {"A": 1}}' '{"start": true}' '{"identity": "9"}' '{"secrets": {}}'; do
    api_status PATCH "/v1/processes/$id" "$body" >/dev/null
    assert_problem 422 invalid || fail "$body: $STATUS $BODY"
  done
  assert_equal "$(api GET "/v1/processes/$id")" "$before"

  api POST "/v1/processes/$id/start" >/dev/null
  before=$(api GET "/v1/processes/$id")
  for body in '{"argv": ["true"]}' '{"labels": {}}' '{"name": "x", "labels": {}}' '{"daemon": null}' '{"env": {}}'; do
    api_status PATCH "/v1/processes/$id" "$body" >/dev/null
    assert_problem 409 already_started 'process has already started' || fail "$body: $STATUS $BODY"
  done
  assert_equal "$(api GET "/v1/processes/$id")" "$before"
}

@test "start: what was only created is still there after the daemon was killed, and can be started" {
  local id

  start_creche
  id=$(create_process '{"argv": ["sh", "-c", "exit 6"], "start": false}')
  kill_daemon
  assert_equal "$(field "$id" .state)" initial
  api POST "/v1/processes/$id/start" >/dev/null
  assert_equal "$(exitcode_of "$id")" 6
}
