#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Lists: what is in them, in which order and in which pieces; and how an answer is wrapped.

# helper.bash sets STATUS, BODY, PARENT and AUTHKEY.
# shellcheck disable=SC2153
load helper

# The ids of the list that the query asks for, on one line.
list() { # QUERY
  api GET "/v1/processes?$1" | jq -r '[.processes[].id] | join(" ")'
}

# A server with what the filters tell apart; ids are 1 to 9.
setup_file() {
  creche_setup_file
  api_many 1 >/dev/null <<'EOF'
POST /v1/processes {"argv": ["true"], "name": "a", "labels": {"k": "1", "only": ""}}
POST /v1/processes {"argv": ["sh", "-c", "exit 3"], "name": "a", "labels": {"k": "2"}, "start_method": "fork"}
POST /v1/processes {"argv": ["sleep", "1000"], "name": "needle %_ ä", "daemon": true}
POST /v1/processes {"argv": ["sleep", "1000"], "name": "b", "start_method": "forkserver", "labels": {"k": "1", "l": "x=y"}}
POST /v1/processes {"argv": ["/nonesuch"], "name": "c"}
POST /v1/processes {"argv": ["true", "in argv: needle"], "start": false}
POST /v1/join {"ids": [1, 2]}
EOF
  start_parent '{"name": "parent"}'
  TOKEN=$AUTHKEY start_parent '{"name": "child"}'
  TOKEN=$AUTHKEY start_process true >/dev/null
  api GET /v1/processes/9?wait=60 >/dev/null
  printf '%s\n' "$AUTHKEY" >"$BATS_FILE_TMPDIR/childkey"
}

# ---------------------------------------------------------------------------------------- filters

@test "a list has everything, newest first unless order=asc" {
  assert_equal "$(list limit=100)" '9 8 7 6 5 4 3 2 1'
  assert_equal "$(list order=desc)" '9 8 7 6 5 4 3 2 1'
  assert_equal "$(list order=asc)" '1 2 3 4 5 6 7 8 9'
}

@test "filters: state, name, daemon, parent, label, start_method, q, dangling" {
  local query expected

  while IFS='|' read -r query expected; do
    assert_equal "$query: $(list "$query")" "$query: $expected"
  done <<'EOF'
state=started|8 7 4 3
state=initial|6
state=failed|5
state=initial,failed|6 5
state=lost|
name=a|2 1
name=A|
name=needle%20%25_%20%C3%A4|3
name=needle+%25_+%c3%a4|3
daemon=true|3
daemon=1|3
daemon=0&order=asc|1 2 4 5 6 7 8 9
parent=7|8
parent=8|9
parent=9|
parent=none&order=asc|1 2 3 4 5 6 7
label=k|4 2 1
label=k=1|4 1
label=k=1&label=only|1
label=only=|1
label=l=x%3Dy|4
label=nonsense|
start_method=fork|2
start_method=forkserver|4
q=needle|6 3
q=%25_|3
q=nonesuch|5
q=%22|
dangling=1|9 5
state=stopped&name=a&start_method=fork|2
since=2000-01-01T00:00:00Z&until=2001-01-01T00:00:00Z|
until=2000-01-01T00:00:00Z|
EOF
}

@test "filters: since includes, until excludes, to the microsecond" {
  local at

  at=$(field 4 .created_at)
  assert_equal "$(list "since=$at&order=asc&limit=1")" 4
  assert_equal "$(list "until=$at&limit=1")" 3
  assert_equal "$(list "since=$at&until=$at")" ''
  assert_equal "$(list "since=${at/Z/%2B00:00}&order=asc&limit=1")" 4
}

# ----------------------------------------------------------------------------------------- paging

@test "pages: no gap and no repeat, in both orders, with a filter and a last page without next" {
  local query page next ids

  for query in 'order=asc|1 2 3 4 5 6 7 8 9' 'order=desc|9 8 7 6 5 4 3 2 1' 'order=asc&parent=none|1 2 3 4 5 6 7'; do
    ids='' next=''
    while :; do
      page=$(api GET "/v1/processes?${query%|*}&limit=2${next:+&cursor=$next}")
      ids+="$(jq -r '[.processes[].id] | join(" ")' <<<"$page") "
      next=$(jq -r '.next // ""' <<<"$page")
      [[ -n $next ]] || break
    done
    assert_equal "${ids% }" "${query#*|}"
  done
  assert_equal "$(api GET '/v1/processes?limit=9' | jq .next)" null
}

@test "pages: what is created meanwhile does not come twice and shifts nothing" {
  local next

  start_creche
  yes 'POST /v1/processes {"argv": ["true"], "start": false}' | head -n 4 | api_many 1 >/dev/null
  next=$(api GET '/v1/processes?limit=2' | jq -r .next)
  start_process true >/dev/null
  api DELETE /v1/processes/3
  assert_equal "$(list "limit=2&cursor=$next")" '2 1'
}

@test "pages: 100 unless more are asked for, at most 1000" {
  start_creche
  yes 'POST /v1/processes {"argv": ["true"], "start": false}' | head -n 150 | api_many 20 >/dev/null
  assert_equal "$(api GET /v1/processes | jq '[(.processes | length), .next != null] | tojson')" '"[100,true]"'
  assert_equal "$(api GET '/v1/processes?limit=1000' | jq '[(.processes | length), .next] | tojson')" '"[150,null]"'
}

@test "pages: children come in pages too" {
  local next

  start_parent
  yes 'POST /v1/processes {"argv": ["true"], "start": false}' | head -n 3 | TOKEN=$AUTHKEY api_many 1 >/dev/null
  next=$(api GET "/v1/processes/$PARENT/children?limit=2" | jq -r .next)
  assert_equal "$(api GET "/v1/processes/$PARENT/children?limit=2&cursor=$next" | jq -c '[(.processes | length), .next]')" '[1,null]'
  api DELETE "/v1/processes/$PARENT" >/dev/null
}

@test "a process sees itself and its subtree" {
  local key

  key=$(<"$BATS_FILE_TMPDIR/childkey")
  assert_equal "$(TOKEN=$key api GET /v1/processes | jq -c '[.processes[].id]')" '[9,8]'
  assert_equal "$(TOKEN=$key api GET '/v1/processes?parent=none' | jq -c '[.processes[].id]')" '[]'
  assert_equal "$(TOKEN=$key api GET '/v1/processes?name=a' | jq -c '[.processes[].id]')" '[]'
  assert_equal "$(TOKEN=$key api GET /v1/processes/8/children | jq -c '[.processes[].id]')" '[9]'
}

# ---------------------------------------------------------------------------------------- answers

@test "times are RFC 3339 in UTC with microseconds, and in order" {
  local time='^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z$'

  assert_equal "$(api GET /v1/processes/1 | jq --arg time "$time" '[.created_at, .started_at, .stopped_at, .joined_at]
    | all(.[]; test($time)) and . == sort')" true
  assert_match "$(api GET /v1/info | jq -r .started_at)" "$time"
}

@test "Location: of a created process is its address" {
  local location

  api_status POST /v1/processes '{"argv": ["true"], "start": false}' >/dev/null
  location=$(response_header location)
  assert_equal "$STATUS $location" "201 /v1/processes/$(jq .id <<<"$BODY")"
  assert_equal "$(api GET "$location" | jq .state)" '"initial"'
  assert_equal "$(http_code DELETE "$location")" 204
}

@test "gzip: a response over 1 kB is packed when asked for, a small one is not" {
  api GET /v1/processes --header 'Accept-Encoding: gzip' --dump-header "$BATS_TEST_TMPDIR/header" | gzip -d >"$BATS_TEST_TMPDIR/unpacked"
  assert_match "$(<"$BATS_TEST_TMPDIR/header")" '[Cc]ontent-[Ee]ncoding: gzip'
  assert_match "$(<"$BATS_TEST_TMPDIR/header")" '[Vv]ary: .*[Aa]ccept-[Ee]ncoding'
  assert_equal "$(<"$BATS_TEST_TMPDIR/unpacked")" "$(api GET /v1/processes)"
  for encoding in identity 'gzip;q=0' 'br' ''; do
    api_status GET /v1/processes --header "Accept-Encoding: $encoding" >/dev/null
    assert_equal "$encoding: $(response_header content-encoding)" "$encoding: "
  done
  api_status GET /healthz --header 'Accept-Encoding: gzip' >/dev/null
  assert_equal "$(response_header content-encoding)" ''
}

@test "ETag: 304 while nothing has changed, 200 and another one when something has" {
  local id tag

  id=$(start_blocked)
  api_status GET "/v1/processes/$id" >/dev/null
  tag=$(response_header etag)
  assert_match "$tag" '^(W/)?".+"$'
  api_status GET "/v1/processes/$id" --header "If-None-Match: $tag" >/dev/null
  assert_equal "$STATUS $BODY" '304 '
  assert_equal "$(response_header etag)" "$tag"
  assert_equal "$(http_code GET "/v1/processes/$id" --header "If-None-Match: \"other\", $tag")" 304
  assert_equal "$(http_code GET "/v1/processes/$id" --header 'If-None-Match: *')" 304
  assert_equal "$(http_code GET "/v1/processes/$id" --header 'If-None-Match: "other"')" 200

  api PATCH "/v1/processes/$id" '{"name": "renamed"}' >/dev/null
  assert_equal "$(http_code GET "/v1/processes/$id" --header "If-None-Match: $tag")" 200
  release "$id"
  exitcode_of "$id" >/dev/null
  api_status GET "/v1/processes/$id" --header "If-None-Match: $tag" >/dev/null
  assert_equal "$STATUS $(jq .exitcode <<<"$BODY")" '200 5'
  api DELETE "/v1/processes/$id"
}

@test "HEAD answers as GET, without the body" {
  local path

  for path in /v1/processes /v1/processes/1 /healthz; do
    api_status HEAD "$path" >/dev/null
    assert_equal "$path $STATUS" "$path 200"
    assert_equal "$(response_header content-length)" "$(api GET "$path" | wc -c)"
  done
}

@test "info counts the processes by state" {
  assert_equal "$(api GET /v1/info | jq -cS .counts)" \
    "$(sql "SELECT state, count(*) FROM processes GROUP BY state" -separator ' ' | jq -cRnS '
      {initial: 0, starting: 0, started: 0, stopped: 0, failed: 0, lost: 0, closed: 0}
      + ([inputs | split("[ |]"; null) | {(.[0]): (.[1] | tonumber)}] | add)')"
}
