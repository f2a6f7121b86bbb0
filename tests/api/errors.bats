#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Wrong input gets the problem document with the right status, code and place; it starts nothing, and the
# server lives on.

# helper.bash sets STATUS, BODY, PARENT and AUTHKEY.
# shellcheck disable=SC2153
load helper

# After each test: no process was made of what it sent, and no answer was the server's fault.
setup() { BEFORE=$(fingerprint); }
teardown() {
  if [[ -n ${BATS_TEST_COMPLETED:-} ]]; then
    assert_equal "$(fingerprint)" "$BEFORE" || BATS_TEST_COMPLETED=''
  fi
  creche_teardown
  [[ -n ${BATS_TEST_COMPLETED:-} || -n ${BATS_TEST_SKIPPED:-} ]]
}

fingerprint() {
  printf '%s %s' "$(daemon_pid)" "$(sql 'SELECT count(*), max(id) FROM process')"
}

# The table on stdin: STATUS CODE POINTER BODY. Sends each body with METHOD PATH; all must be answered so.
# A pointer that does not matter is "*", an empty one is "-".
assert_table() { # METHOD PATH
  local table=$BATS_TEST_TMPDIR/table

  cat >"$table"
  sed -E "s#^[^ ]+ +[^ ]+ +[^ ]+ +#$1 $2 #" "$table" | api_many 1 |
    jq -r 'objects | "\(.status) \(.code) \(.errors[0].pointer // "?" | if . == "" then "-" else . end)"' >"$table.answers"
  assert_equal "$(wc -l <"$table.answers")" "$(wc -l <"$table")" || return
  paste -d '\t' "$table" "$table.answers" | awk -F '\t' '
    {
      split($1, want, " +"); split($2, got, " ")
      if (want[1] != got[1] || want[2] != got[2] || want[3] != "*" && want[3] != got[3]) {
        print "answered with " $2 ": " $1
        wrong = 1
      }
    }
    END { exit wrong }' >&2
}

# A body as it is, whatever it is.
post_bytes() { # PATH FILE [CURL OPTION...]
  api_status POST "$1" '' --header 'Content-Type: application/json' --data-binary "@$2" "${@:3}" >/dev/null
}

# ------------------------------------------------------------------------------------------- JSON

@test "a body that is not JSON is malformed" {
  assert_table POST /v1/processes <<'EOF'
400 malformed * {
400 malformed * {"argv": ["true"]
400 malformed * {"argv": ["true"]}}
400 malformed * {"argv": ["true"]} x
400 malformed * {"argv": ["true"]}{"argv": ["true"]}
400 malformed * {"argv": ["true"],}
400 malformed * {argv: ["true"]}
400 malformed * {'argv': ['true']}
400 malformed * {"argv": ["true]}
400 malformed * {"argv": ["tr\xue"]}
400 malformed * {"argv": ["tr\u12"]}
400 malformed * {"argv": ["tr\ud800"]}
400 malformed * {"argv": [true"]}
400 malformed * {"argv": ["true"], "nice": 01}
400 malformed * {"argv": ["true"], "timeout": NaN}
400 malformed * {"argv": ["true"], "timeout": Infinity}
400 malformed * {"argv": ["true"], "timeout": .5}
400 malformed * {"argv": ["true"], "nice": 0x10}
400 malformed * // {"argv": ["true"]}
400 malformed * nonsense
EOF
}

@test "an empty body is refused where one is needed" {
  api_status POST /v1/processes '' --header 'Content-Type: application/json' --data-binary '' >/dev/null
  [[ $STATUS == 4?? ]] || fail "$STATUS $BODY"
  api_status POST /v1/join '' --header 'Content-Type: application/json' --data-binary '' >/dev/null
  [[ $STATUS == 4?? ]] || fail "$STATUS $BODY"
}

@test "a duplicate key is refused, and pointed at" {
  assert_table POST /v1/processes <<'EOF'
400 malformed /argv {"argv": ["true"], "argv": ["true"]}
400 malformed /env/A {"argv": ["true"], "env": {"A": "1", "A": "2"}}
400 malformed /labels/a {"argv": ["true"], "labels": {"a": "1", "a": "1"}}
EOF
}

@test "a NUL, and what is not UTF-8, is refused" {
  local file=$BATS_TEST_TMPDIR/body

  assert_table POST /v1/processes <<'EOF'
400 malformed * {"argv": ["tr\u0000ue"]}
400 malformed * {"argv": ["true"], "name": "\u0000"}
400 malformed * {"argv": ["true"], "env": {"A\u0000": "1"}}
422 invalid /argv/1 {"argv": ["true", {"base64": "YQBi"}]}
422 invalid /env/A {"argv": ["true"], "env": {"A": {"base64": "AA=="}}}
EOF
  for bytes in '\xff' '\xc3' '\xc0\x80' '\xed\xa0\x80' '\xf8\x88\x80\x80\x80' '\xf4\x90\x80\x80'; do
    printf '{"argv": ["true", "%b"]}' "$bytes" >"$file"
    post_bytes /v1/processes "$file"
    assert_problem 400 malformed || fail "$bytes"
  done
  printf '{"argv": ["true"]}\0' >"$file"
  post_bytes /v1/processes "$file"
  assert_problem 400 malformed
  printf '\xef\xbb\xbf{"argv": ["true"]}' >"$file"
  post_bytes /v1/processes "$file"
  assert_problem 400 malformed
}

@test "deep nesting is refused" {
  local file=$BATS_TEST_TMPDIR/body depth

  for depth in 3000 120000; do
    { printf '{"argv": '; head -c "$depth" /dev/zero | tr '\0' '['; head -c "$depth" /dev/zero | tr '\0' ']'; printf '}'; } >"$file"
    post_bytes /v1/processes "$file"
    [[ $STATUS == 400 || $STATUS == 422 ]] || fail "$STATUS $BODY"
  done
  yes '{"a":' | head -n 30000 | tr -d '\n' >"$file"
  post_bytes /v1/processes "$file"
  assert_problem 400 malformed
}

# ----------------------------------------------------------------------------------------- fields

@test "each field of a launch refuses what it cannot be, and its place is said" {
  assert_table POST /v1/processes <<'EOF'
422 invalid - []
422 invalid - "argv"
422 invalid - null
422 invalid - 1
422 invalid /argv {}
422 invalid /argv {"argv": null}
422 invalid /argv {"argv": []}
422 invalid /argv {"argv": "true"}
422 invalid /argv {"argv": {"0": "true"}}
422 invalid /argv/0 {"argv": [""]}
422 invalid /argv/0 {"argv": [null]}
422 invalid /argv/1 {"argv": ["true", 1]}
422 invalid /argv/1 {"argv": ["true", ["a"]]}
422 invalid /argv/1 {"argv": ["true", {}]}
422 invalid /argv/1 {"argv": ["true", {"base64": 1}]}
422 invalid /argv/1 {"argv": ["true", {"base64": "YQ==", "more": 1}]}
422 invalid /argv/1/base64 {"argv": ["true", {"base64": "YQ"}]}
422 invalid /argv/1/base64 {"argv": ["true", {"base64": "Y!=="}]}
422 invalid /argv/1/base64 {"argv": ["true", {"base64": "YQ==YQ=="}]}
422 invalid /nonsense {"argv": ["true"], "nonsense": 1}
422 invalid /Argv {"argv": ["true"], "Argv": ["true"]}
422 invalid /a~1b~0c {"argv": ["true"], "a/b~c": 1}
422 invalid /name {"argv": ["true"], "name": null}
422 invalid /name {"argv": ["true"], "name": 1}
422 invalid /identity {"argv": ["true"], "identity": ""}
422 invalid /identity {"argv": ["true"], "identity": "0"}
422 invalid /identity {"argv": ["true"], "identity": "1:"}
422 invalid /identity {"argv": ["true"], "identity": "1a"}
422 invalid /identity {"argv": ["true"], "identity": 1}
422 invalid /identity {"argv": ["true"], "identity": "1:2"}
422 invalid /daemon {"argv": ["true"], "daemon": 1}
422 invalid /daemon {"argv": ["true"], "daemon": "true"}
422 invalid /env {"argv": ["true"], "env": ["A=1"]}
422 invalid /env {"argv": ["true"], "env": null}
422 invalid /env/A {"argv": ["true"], "env": {"A": 1}}
422 invalid /env/A {"argv": ["true"], "env": {"A": null}}
422 invalid /env/ {"argv": ["true"], "env": {"": "1"}}
422 invalid /secrets {"argv": ["true"], "secrets": 1}
422 invalid /secrets/A {"argv": ["true"], "secrets": {"A": 1}}
422 invalid /cwd {"argv": ["true"], "cwd": "tmp"}
422 invalid /cwd {"argv": ["true"], "cwd": ""}
422 invalid /cwd {"argv": ["true"], "cwd": null}
422 invalid /umask {"argv": ["true"], "umask": 512}
422 invalid /umask {"argv": ["true"], "umask": -1}
422 invalid /umask {"argv": ["true"], "umask": 1.5}
422 invalid /umask {"argv": ["true"], "umask": "8"}
422 invalid /umask {"argv": ["true"], "umask": "01777"}
422 invalid /umask {"argv": ["true"], "umask": ""}
422 invalid /stdin {"argv": ["true"], "stdin": "inherit"}
422 invalid /stdin {"argv": ["true"], "stdin": null}
422 invalid /stdin {"argv": ["true"], "stdin": {}}
422 invalid /stdin {"argv": ["true"], "stdin": {"text": 1}}
422 invalid /stdin {"argv": ["true"], "stdin": {"text": "a", "base64": ""}}
422 invalid /stdin/base64 {"argv": ["true"], "stdin": {"base64": "a"}}
422 invalid /stdout {"argv": ["true"], "stdout": "stdout"}
422 invalid /stdout {"argv": ["true"], "stdout": 1}
422 invalid /stderr {"argv": ["true"], "stderr": "pipe"}
422 invalid /stderr {"argv": ["true"], "stderr": null}
422 invalid /rlimits {"argv": ["true"], "rlimits": []}
422 invalid /rlimits/nofile {"argv": ["true"], "rlimits": {"nofile": [1, 2, 3]}}
422 invalid /rlimits/nofile/0 {"argv": ["true"], "rlimits": {"nofile": [-1, 2]}}
422 invalid /rlimits/nofile/1 {"argv": ["true"], "rlimits": {"nofile": [1, 1.5]}}
422 invalid /rlimits/NOFILE {"argv": ["true"], "rlimits": {"NOFILE": [1, 2]}}
422 invalid /nice {"argv": ["true"], "nice": 20}
422 invalid /nice {"argv": ["true"], "nice": -21}
422 invalid /nice {"argv": ["true"], "nice": "5"}
422 invalid /labels {"argv": ["true"], "labels": []}
422 invalid /labels/a {"argv": ["true"], "labels": {"a": 1}}
422 invalid /labels/ {"argv": ["true"], "labels": {"": "a"}}
422 invalid /labels/a=b {"argv": ["true"], "labels": {"a=b": "a"}}
422 invalid /timeout {"argv": ["true"], "timeout": 0}
422 invalid /timeout {"argv": ["true"], "timeout": -1}
422 invalid /timeout {"argv": ["true"], "timeout": "1"}
422 invalid /timeout {"argv": ["true"], "timeout": true}
422 invalid /grace {"argv": ["true"], "grace": -1}
422 invalid /grace {"argv": ["true"], "grace": null}
422 invalid /start_method {"argv": ["true"], "start_method": "thread"}
422 invalid /start_method {"argv": ["true"], "start_method": "slurm"}
422 invalid /start_method {"argv": ["true"], "start_method": null}
422 invalid /on_parent_death {"argv": ["true"], "on_parent_death": "SIGNONE"}
422 invalid /on_parent_death {"argv": ["true"], "on_parent_death": 15}
422 invalid /on_parent_death {"argv": ["true"], "on_parent_death": null}
422 invalid /start {"argv": ["true"], "start": "no"}
422 invalid /start {"argv": ["true"], "start": null}
EOF
}

@test "numbers that wrap around, overflow or are fractions are no ids and no limits" {
  assert_table POST /v1/processes <<'EOF'
422 invalid /user {"argv": ["true"], "user": 4294967295}
422 invalid /user {"argv": ["true"], "user": 4294967296}
422 invalid /user {"argv": ["true"], "user": 18446744073709551616}
422 invalid /user {"argv": ["true"], "user": -1}
422 invalid /user {"argv": ["true"], "user": 1.5}
422 invalid /user {"argv": ["true"], "user": "4294967295"}
422 invalid /user {"argv": ["true"], "user": "4294967296"}
422 invalid /user {"argv": ["true"], "user": "-1"}
422 invalid /user {"argv": ["true"], "user": "+0"}
422 invalid /user {"argv": ["true"], "user": " 0"}
422 invalid /user {"argv": ["true"], "user": ""}
422 invalid /user {"argv": ["true"], "user": null}
422 invalid /group {"argv": ["true"], "group": 4294967295}
422 invalid /group {"argv": ["true"], "group": 4294967296}
422 invalid /group {"argv": ["true"], "group": -1}
422 invalid /group {"argv": ["true"], "group": 0.5}
422 invalid /group {"argv": ["true"], "group": "4294967295"}
422 invalid /nice {"argv": ["true"], "nice": 4294967296}
422 invalid /nice {"argv": ["true"], "nice": 99999999999999999999}
422 invalid /nice {"argv": ["true"], "nice": 1e1}
422 invalid /umask {"argv": ["true"], "umask": 4294967296}
422 invalid /umask {"argv": ["true"], "umask": 99999999999999999999}
422 invalid /rlimits/nofile/0 {"argv": ["true"], "rlimits": {"nofile": [99999999999999999999, null]}}
422 invalid /timeout {"argv": ["true"], "timeout": 1e999}
422 invalid /timeout {"argv": ["true"], "timeout": -1e999}
422 invalid /grace {"argv": ["true"], "grace": 1e999}
422 invalid /identity {"argv": ["true"], "identity": "99999999999999999999"}
EOF
}

@test "the other bodies refuse what they cannot be" {
  local id

  id=$(start_process true)
  BEFORE=$(fingerprint)
  assert_table POST "/v1/processes/$id/join" <<'EOF'
422 invalid - []
422 invalid /timeout {"timeout": "1"}
422 invalid /timeout {"timeout": true}
422 invalid /timeout {"timeout": 1e999}
400 malformed * {"timeout": nan}
422 invalid /seconds {"seconds": 1}
EOF
  assert_table POST /v1/join <<'EOF'
422 invalid /ids {}
422 invalid /ids {"ids": []}
422 invalid /ids {"ids": 1}
422 invalid /ids/0 {"ids": ["1"]}
422 invalid /ids/0 {"ids": [0]}
422 invalid /ids/0 {"ids": [-1]}
422 invalid /ids/0 {"ids": [1.0]}
422 invalid /ids/0 {"ids": [99999999999999999999]}
422 invalid /mode {"ids": [1], "mode": "some"}
422 invalid /mode {"ids": [1], "mode": null}
422 invalid /timeout {"ids": [1], "timeout": {}}
EOF
  assert_table POST "/v1/processes/$id/signal" <<'EOF'
422 invalid /signal {}
422 invalid /signal {"signal": 0}
422 invalid /signal {"signal": 65}
422 invalid /signal {"signal": -9}
422 invalid /signal {"signal": 4294967305}
422 invalid /signal {"signal": 9.0}
422 invalid /signal {"signal": "9"}
422 invalid /signal {"signal": "KILL "}
422 invalid /signal {"signal": "SIGNONE"}
422 invalid /signal {"signal": null}
422 invalid /tree {"signal": 9, "tree": 1}
EOF
  assert_table POST "/v1/processes/$id/kill" <<'EOF'
422 invalid /tree {"tree": "yes"}
422 invalid /signal {"signal": 9}
EOF
  assert_table PATCH "/v1/processes/$id" <<'EOF'
422 invalid /name {"name": 1}
422 invalid /state {"state": "stopped"}
422 invalid /exitcode {"exitcode": 0}
422 invalid /id {"id": 1}
EOF
}

@test "a join of more than 1,000 is refused, and one of 1,000 is not" {
  local id

  id=$(start_process true)
  BEFORE=$(fingerprint)
  api_status POST /v1/join "$(jq -cn --argjson id "$id" '{ids: [range(1001) | $id]}')" >/dev/null
  assert_problem 422 invalid
  assert_equal "$(http_code POST /v1/join "$(jq -cn --argjson id "$id" '{ids: [range(1000) | $id]}')")" 200
}

# ------------------------------------------------------------------------------------------ sizes

@test "an argument of 131,072 bytes is too long for the kernel, and a name of 256 for us" {
  local file=$BATS_TEST_TMPDIR/body

  { printf '{"argv": ["true", "'; head -c 131072 /dev/zero | tr '\0' y; printf '"]}'; } >"$file"
  post_bytes /v1/processes "$file"
  assert_problem 422 invalid
  assert_equal "$(jq -r '.errors[0].pointer' <<<"$BODY")" /argv/1

  { printf '{"argv": ["true"], "env": {"A": "'; head -c 131070 /dev/zero | tr '\0' y; printf '"}}'; } >"$file"
  post_bytes /v1/processes "$file"
  assert_problem 422 invalid
  assert_equal "$(jq -r '.errors[0].pointer' <<<"$BODY")" /env/A

  { printf '{"argv": ["true"], "name": "'; head -c 128 /dev/zero | sed 's/\x0/ä/g'; printf '"}'; } >"$file"
  post_bytes /v1/processes "$file"
  assert_problem 422 invalid
  assert_equal "$(jq -r '.errors[0].pointer' <<<"$BODY")" /name
}

@test "a body of more than 256 KiB is refused, with a length or in chunks" {
  local file=$BATS_TEST_TMPDIR/body

  { printf '{"argv": ["true"]'; head -c 300000 /dev/zero | tr '\0' ' '; printf '}'; } >"$file"
  post_bytes /v1/processes "$file"
  assert_problem 413 too_large
  post_bytes /v1/processes "$file" --header 'Transfer-Encoding: chunked'
  assert_problem 413 too_large
  post_bytes /v1/processes "$file" --header 'Expect: 100-continue'
  assert_problem 413 too_large
}

@test "a request that is not what it says is refused" {
  local request

  # Content-Length and Transfer-Encoding at once, two lengths, a length that is none, two hosts, none at all.
  for request in 'POST /v1/processes HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}' \
    'POST /v1/processes HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}' \
    'GET /v1/info HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n' 'GET /v1/info HTTP/1.1\r\n\r\n' \
    'GET /v1/info HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n' \
    'GET /v1/processes/%00 HTTP/1.1\r\nHost: x\r\n\r\n' 'GET /v1/processes/1%2f..%2f2 HTTP/1.1\r\nHost: x\r\n\r\n' \
    'GET /v1/%zz HTTP/1.1\r\nHost: x\r\n\r\n'; do
    assert_match "$(raw "$request")" '^HTTP/1\.1 400 ' || fail "$request"
  done
}

# The answer to bytes that curl would not send.
raw() { # BYTES
  local fd

  exec {fd}<>"/dev/tcp/127.0.0.1/${CRECHE_URL##*:}"
  set -- "${1//%/%%}"
  # shellcheck disable=SC2059
  printf "${1/Host: x/Host: ${CRECHE_URL#http:\/\/}\\r\\nAuthorization: Bearer $CRECHE_TOKEN}" >&"$fd"
  timeout 5 head -n 1 <&"$fd"
  exec {fd}<&-
}

# ----------------------------------------------------------------------------------- content type

@test "a body must say that it is JSON" {
  local type

  for type in text/plain application/x-www-form-urlencoded application/jsonx 'application/json, text/plain' '*/*' json; do
    api_status POST /v1/processes '' --header "Content-Type: $type" --data-binary '{"argv": ["true"]}' >/dev/null
    assert_problem 415 unsupported_media_type || fail "$type"
  done
  api_status POST /v1/processes '' --header 'Content-Type:' --data-binary '{"argv": ["true"]}' >/dev/null
  assert_problem 415 unsupported_media_type
  api_status POST /v1/processes '' --header 'Content-Type: application/json; charset=latin1' --data-binary '{"argv": ["tr' >/dev/null
  [[ $STATUS == 415 || $STATUS == 400 ]] || fail "$STATUS"
  api_status POST /v1/processes '' --header 'Content-Type: Application/JSON; charset=utf-8' --data-binary '{"argv": 1}' >/dev/null
  assert_problem 422 invalid
}

# -------------------------------------------------------------------------- paths, methods, query

@test "what is no id is not found" {
  local id

  for id in 0 -1 +1 01 1.0 1e3 0x1 x 99999999999999999999 9223372036854775808 1%20 %31x ''; do
    api_status GET "/v1/processes/$id" >/dev/null
    assert_problem 404 not_found || fail "'$id'"
    api_status POST "/v1/processes/$id/kill" >/dev/null
    assert_problem 404 not_found || fail "'$id'/kill"
  done
}

@test "an unknown path is not found, a method that a path has not is told which it has" {
  local path method

  for path in / /v1 /v1/nonsense /v2/processes /v1/processes/1/nonsense /V1/processes /v1//processes /v1/../v1/info /etc/passwd; do
    api_status GET "$path" >/dev/null
    assert_problem 404 not_found || fail "$path"
  done
  for method in PUT PATCH DELETE TRACE BREW; do
    api_status "$method" /v1/processes >/dev/null
    assert_problem 405 method_not_allowed || fail "$method"
    assert_match "$(response_header allow)" 'GET.*POST|POST.*GET'
  done
}

@test "a query value that cannot be is refused" {
  local path

  for path in '/v1/processes?'{limit={0,-1,1001,x,1.5,99999999999999999999,},order=up,state={nonsense,started\,,},daemon=yes,parent={x,0,-1},start_method=thread,since={yesterday,2026-13-01T00:00:00Z},until=1,cursor={x,%21},dangling=maybe,label=,limit=1\&limit=2,nonsense=1,q=%ff,name=%00} \
    '/v1/processes/1?wait='{-1,x,nan,inf,1e999,86401,0x1,} '/v1/processes/1/logs?'{stream=both,offset=-1,offset=x,tail=-1,limit=0,follow=maybe,tail=1\&offset=1}; do
    api_status GET "$path" >/dev/null
    [[ $STATUS == 400 ]] || fail "$path: $STATUS $BODY"
  done
}

# ------------------------------------------------------------------------------------ who may call

@test "a foreign Host, Origin or site is refused, ours is not" {
  local header port=${CRECHE_URL##*:}

  for header in 'Host: example.com' "Host: example.com:$port" "Host: 127.0.0.1.example.com:$port" 'Host: 127.0.0.1:1' 'Host: localhost'; do
    tcp_status GET /v1/info --header "$header" >/dev/null
    assert_problem 421 misdirected || fail "$header"
  done
  for header in 'Origin: http://example.com' "Origin: https://127.0.0.1:$port" 'Origin: null' "Origin: $CRECHE_URL.example.com" \
    'Sec-Fetch-Site: cross-site'; do
    tcp_status GET /v1/info --header "$header" >/dev/null
    assert_problem 403 cross_origin || fail "$header"
    api_status GET /v1/info --header "$header" >/dev/null
    assert_problem 403 cross_origin || fail "unix: $header"
  done
  for header in "Origin: $CRECHE_URL" 'Sec-Fetch-Site: same-origin' 'Sec-Fetch-Site: none' "Host: localhost:$port"; do
    tcp_status GET /v1/info --header "$header" >/dev/null
    assert_equal "$header: $STATUS" "$header: 200"
    assert_equal "$(response_header access-control-allow-origin)" ''
  done
}

@test "a token that is missing, wrong, cut off or doubled opens nothing" {
  local token

  for token in '' x "${CRECHE_TOKEN%?}" "${CRECHE_TOKEN}x" "${CRECHE_TOKEN^^}x" "$CRECHE_TOKEN$CRECHE_TOKEN" "${CRECHE_TOKEN:1}" ck-1- ck-0-0; do
    TOKEN=$token tcp_status GET /v1/info >/dev/null
    assert_problem 401 unauthenticated || fail "'$token'"
    [[ -n $(response_header www-authenticate) ]] || fail 'no WWW-Authenticate'
  done
  TOKEN='' tcp_status GET /v1/info --header "Authorization: Basic $CRECHE_TOKEN" >/dev/null
  assert_problem 401 unauthenticated
  TOKEN='' tcp_status GET "/v1/info?token=$CRECHE_TOKEN" >/dev/null
  assert_problem 401 unauthenticated
  TOKEN='' tcp_status POST /v1/processes '{"argv": ["true"]}' >/dev/null
  assert_problem 401 unauthenticated
  assert_equal "$(TOKEN='' tcp_code GET /healthz) $(TOKEN='' tcp_code GET /readyz)" '200 200'
}

@test "an authkey that is cut off or of another process opens nothing" {
  local key

  start_parent
  BEFORE=$(fingerprint)
  for key in "${AUTHKEY%?}" "${AUTHKEY}0" "${AUTHKEY%?}g" "ck-$((PARENT + 1))-${AUTHKEY##*-}" "ck-0$PARENT-${AUTHKEY##*-}" "${AUTHKEY^^}"; do
    TOKEN=$key api_status GET /v1/processes/self >/dev/null
    assert_problem 401 unauthenticated || fail "$key"
  done
  api POST "/v1/processes/$PARENT/kill" >/dev/null
}

@test "another user may not connect to the unix socket" {
  ((EUID == 0)) || skip 'not root'
  chmod a+x "$BATS_RUN_TMPDIR" "${BATS_FILE_TMPDIR%/*}" "$BATS_FILE_TMPDIR" "$CRECHE_DIR"
  if setpriv --reuid games --regid games --clear-groups curl --silent --unix-socket "$CRECHE_SOCKET" http://x/healthz; then
    fail 'it connected'
  fi

  # And if the file let it, the server would not.
  chmod 666 "$CRECHE_SOCKET"
  assert_equal "$(setpriv --reuid games --regid games --clear-groups curl --silent --unix-socket "$CRECHE_SOCKET" \
    http://x/v1/info | jq -r '"\(.status) \(.code)"')" '403 forbidden'
  chmod 600 "$CRECHE_SOCKET"
}
