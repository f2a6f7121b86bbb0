#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# A browser beside the server: what each answer says to it, and what a page of somebody else's cannot do.

# helper.bash sets STATUS and BODY.
# shellcheck disable=SC2153
load helper

DOC=$HERE/../../api/openapi.json

# The answer that tcp_status got may not be kept, framed, sniffed or read by a page of another origin.
assert_closed_to_pages() { # [CACHE-CONTROL]
  assert_equal "$(response_header cache-control)" "${1:-no-store}"
  assert_equal "$(response_header x-content-type-options)" nosniff
  assert_equal "$(response_header referrer-policy)" no-referrer
  assert_equal "$(response_header cross-origin-resource-policy)" same-origin
  assert_match "$(response_header content-security-policy)" "^default-src 'none'; .*frame-ancestors 'none'"
  assert_equal "$(response_header access-control-allow-origin)$(response_header access-control-allow-credentials)" ''
}

# -------------------------------------------------------------------------- what each answer says

@test "no answer may be kept, framed, sniffed or read by a page of another origin" {
  local method path id

  id=$(start_process echo hello)
  output_of "$id" >/dev/null
  while read -r method path; do
    tcp_status "$method" "$path" >/dev/null
    assert_closed_to_pages || fail "$method $path: $STATUS"
  done <<EOT
GET /v1/processes
GET /v1/info
GET /healthz
GET /v1/processes/$id/logs
GET /v1/processes/$id/logs?follow=1
POST /v1/processes/$id/join
POST /v1/processes/$id/close
PUT /v1/processes
GET /v1/nonsense
GET /%zz
EOT
  TOKEN='' tcp_status GET /v1/info >/dev/null
  assert_problem 401 unauthenticated
  assert_closed_to_pages
  tcp_status GET /v1/info --header 'Host: rebound.example' >/dev/null
  assert_problem 421 misdirected
  assert_closed_to_pages
}

@test "a single resource is kept by the client alone, and asked for again each time" {
  local id path tag

  id=$(ended)
  for path in "/v1/processes/$id" /openapi.json; do
    tcp_status GET "$path" >/dev/null
    assert_closed_to_pages 'private, no-cache'
    tag=$(response_header etag)
    tcp_status GET "$path" --header "If-None-Match: $tag" >/dev/null
    assert_equal "$STATUS" 304
    assert_closed_to_pages 'private, no-cache'
  done
  tcp_status GET /v1/processes/4711000 >/dev/null
  assert_problem 404 not_found
  assert_closed_to_pages
}

@test "no answer opens the server to another origin, not even one to a question whether it is open" {
  local method

  for method in OPTIONS GET POST; do
    tcp_status "$method" /v1/processes '' --header 'Origin: http://evil.example' \
      --header 'Access-Control-Request-Method: POST' >/dev/null
    assert_problem 403 cross_origin || fail "$method"
    assert_closed_to_pages
  done
}

@test "what a process writes is text to a browser, whatever it looks like" {
  local id

  id=$(start_process echo '<script>alert(1)</script>')
  output_of "$id" >/dev/null
  tcp_status GET "/v1/processes/$id/logs" >/dev/null
  assert_equal "$BODY" '<script>alert(1)</script>'
  assert_equal "$(response_header content-type)" 'text/plain; charset=utf-8'
  assert_closed_to_pages

  id=$(create_process '{"argv": ["true"], "name": "<img src=x onerror=alert(1)>"}')
  tcp_status GET "/v1/processes/$id" >/dev/null
  assert_equal "$(response_header content-type)" application/json
  assert_closed_to_pages 'private, no-cache'
}

# --------------------------------------------------------------------------------------- sessions

# As the script of a page of this server would ask. COOKIE: what the browser has.
page() { # METHOD PATH [JSON] [CURL OPTION...]
  local origin=(--header "Origin: $CRECHE_URL")

  [[ $1 != GET ]] || origin=()
  TOKEN='' tcp_status "$1" "$2" "${3-}" --header 'Sec-Fetch-Site: same-origin' --header 'Sec-Fetch-Mode: cors' \
    "${origin[@]}" ${COOKIE:+--header "Cookie: $COOKIE"} "${@:4}" >/dev/null
}

# Sets CODE to a new one.
offer() { # [SCOPE...]
  CODE=$(api POST /v1/sessions "$(jq -cn '{scopes: $ARGS.positional}' --args -- "${@:-read}")" | jq -er .code)
}

# Sets COOKIE to what a browser that exchanged CODE sends.
exchange() {
  page POST /v1/sessions/exchange "{\"code\": \"$CODE\"}"
  assert_equal "$STATUS" 201 || fail "$BODY" || return
  COOKIE=$(response_header set-cookie)
  COOKIE=${COOKIE%%;*}
}

sign_in() { # [SCOPE...]
  COOKIE=''
  offer "$@" && exchange
}

@test "a session: an operator gets a link, the page behind it gets a cookie, and signs out again" {
  api_status POST /v1/sessions >/dev/null
  assert_equal "$STATUS" 201
  CODE=$(jq -r .code <<<"$BODY")
  assert_equal "$(jq -r .url <<<"$BODY")" "$CRECHE_URL/docs#code=$CODE"
  assert_match "$CODE" '^[0-9a-f]{64}$'
  assert_closed_to_pages

  exchange
  assert_closed_to_pages
  assert_equal "$(response_header location)" /v1/sessions/current
  assert_equal "$(jq -c '[.who, .scopes]' <<<"$BODY")" "[\"session of uid $(id -u)\",[\"read\",\"logs\"]]"
  assert_match "$(response_header set-cookie)" '^creche_[0-9a-f]+=[0-9a-f]{64}; Path=/; HttpOnly; SameSite=Strict$'

  page GET /v1/processes
  assert_equal "$STATUS" 200
  page GET /v1/sessions/current
  assert_equal "$STATUS $(jq -c .scopes <<<"$BODY")" '200 ["read","logs"]'

  page DELETE /v1/sessions/current
  assert_equal "$STATUS" 204
  assert_match "$(response_header set-cookie)" '^creche_[0-9a-f]+=; .*Max-Age=0'
  page GET /v1/processes
  assert_problem 401 unauthenticated 'the session has ended'
}

@test "a session: who asks for the link by TCP gets it for the address that he used" {
  local port=${CRECHE_URL##*:}

  tcp_status POST /v1/sessions '' --header "Host: localhost:$port" >/dev/null
  assert_match "$(jq -r .url <<<"$BODY")" "^http://localhost:$port/docs#code="
}

@test "a session: a code is good once" {
  sign_in
  page POST /v1/sessions/exchange "{\"code\": \"$CODE\"}"
  assert_problem 401 unauthenticated
  assert_equal "$(response_header set-cookie)" ''
}

@test "a session may do what it was given, and no more" {
  local id

  id=$(start_process sleep 1000)
  sign_in read
  page GET "/v1/processes/$id"
  assert_equal "$STATUS" 200
  for path in "POST /v1/processes/$id/kill" "DELETE /v1/processes/$id" "GET /v1/processes/$id/logs"; do
    # shellcheck disable=SC2086
    page $path
    assert_problem 403 forbidden || fail "$path"
  done
  page POST /v1/processes '{"argv": ["true"]}'
  assert_problem 403 forbidden

  sign_in read signal
  page POST "/v1/processes/$id/kill"
  assert_equal "$STATUS" 200
  exitcode_of "$id" >/dev/null
  assert_equal "$(field "$id" .exit.requested_by)" "kill by session of uid $(id -u)"
}

@test "a session never gets admin, nor what its maker has not, and makes no other session" {
  api_status POST /v1/sessions '{"scopes": ["read", "admin"]}' >/dev/null
  assert_problem 422 invalid
  assert_equal "$(jq -r '.errors[0].pointer' <<<"$BODY")" /scopes/1

  sign_in read start signal logs delete
  page POST /v1/sessions
  assert_problem 403 forbidden

  start_parent
  TOKEN=$AUTHKEY api_status POST /v1/sessions '{"scopes": ["read"]}' >/dev/null
  assert_problem 403 forbidden
}

@test "a session: the audit trail tells where its page is, not who asked for the link" {
  local id entry

  sign_in read start
  page POST /v1/processes '{"argv": ["true"]}'
  id=$(jq .id <<<"$BODY")
  entry=$(api GET "/v1/audit?process=$id" | jq -r '.entries[0] | "\(.who) \(.uid) \(.pid) \(.address)"')
  assert_match "$entry" "^session of uid $(id -u) null null 127.0.0.1:[0-9]+\$"
}

@test "a session: its scopes are refused, and pointed at, where they are none" {
  local scopes

  while read -r scopes pointer; do
    api_status POST /v1/sessions "{\"scopes\": $scopes}" >/dev/null
    assert_problem 422 invalid || fail "$scopes"
    assert_equal "$scopes $(jq -r '.errors[0].pointer' <<<"$BODY")" "$scopes $pointer"
  done <<<$'[] /scopes\n"read" /scopes\nnull /scopes\n["read","nonsense"] /scopes/1\n[1] /scopes/0\n["logs","logs"] /scopes/1'
}

@test "a session: its cookie is nothing without a browser that says whose page it is" {
  sign_in read start
  TOKEN='' tcp_status GET /v1/processes --header "Cookie: $COOKIE" >/dev/null
  assert_problem 403 cross_origin
  TOKEN='' tcp_status POST /v1/processes '{"argv": ["true"]}' --header "Cookie: $COOKIE" \
    --header "Origin: $CRECHE_URL" >/dev/null
  assert_problem 403 cross_origin
  TOKEN='' tcp_status POST /v1/processes '{"argv": ["true"]}' --header "Cookie: $COOKIE" \
    --header 'Sec-Fetch-Site: same-origin' >/dev/null
  assert_problem 403 cross_origin
}

@test "a session: an address that the user typed may be read, and nothing else" {
  local typed=(--header 'Sec-Fetch-Site: none' --header 'Sec-Fetch-Mode: navigate')

  sign_in read start
  TOKEN='' tcp_status GET /v1/processes "${typed[@]}" --header "Cookie: $COOKIE" >/dev/null
  assert_equal "$STATUS" 200
  TOKEN='' tcp_status POST /v1/processes '{"argv": ["true"]}' "${typed[@]}" --header "Cookie: $COOKIE" >/dev/null
  assert_problem 403 cross_origin
}

@test "a session: a page of another site, port or scheme cannot use the cookie (CSRF)" {
  local origin

  sign_in read start
  for origin in http://evil.example "http://127.0.0.1:1" "https${CRECHE_URL#http}" "http://localhost:${CRECHE_URL##*:}" null; do
    TOKEN='' tcp_status POST /v1/processes '{"argv": ["true"]}' --header "Cookie: $COOKIE" \
      --header "Origin: $origin" --header 'Sec-Fetch-Site: same-origin' >/dev/null
    assert_problem 403 cross_origin || fail "$origin"
  done
  for site in cross-site same-site; do
    TOKEN='' tcp_status GET /v1/processes --header "Cookie: $COOKIE" --header "Sec-Fetch-Site: $site" >/dev/null
    assert_problem 403 cross_origin || fail "$site"
  done
}

@test "a session: a name that was made to lead here cannot use the cookie (DNS rebinding)" {
  sign_in read
  page GET /v1/processes '' --header "Host: rebound.example:${CRECHE_URL##*:}"
  assert_problem 421 misdirected
}

@test "a session: no page of another site can sign a browser in (login CSRF), and the code stays good" {
  offer read
  TOKEN='' tcp_status POST /v1/sessions/exchange "{\"code\": \"$CODE\"}" --header 'Origin: http://evil.example' \
    --header 'Sec-Fetch-Site: cross-site' >/dev/null
  assert_problem 403 cross_origin
  # A form cannot send JSON, nor say that it is from here.
  TOKEN='' tcp_status POST /v1/sessions/exchange '' --header 'Content-Type: text/plain' \
    --data-binary "{\"code\": \"$CODE\"}" >/dev/null
  assert_problem 415 unsupported_media_type
  TOKEN='' tcp_status POST /v1/sessions/exchange "{\"code\": \"$CODE\"}" >/dev/null
  assert_problem 403 cross_origin
  COOKIE='' exchange
}

@test "a session: a secret that the browser brings along is never taken over (fixation)" {
  local planted old name

  sign_in read
  name=${COOKIE%%=*} old=$COOKIE
  planted=$name=$(printf 'a%.0s' {1..64})
  offer read
  COOKIE=$planted exchange
  COOKIE=$planted page GET /v1/processes
  assert_problem 401 unauthenticated

  # Who signs in again is out of what he was in before.
  offer read
  COOKIE=$old
  exchange
  assert_match "$COOKIE" "^$name="
  [[ $COOKIE != "$old" ]]
  COOKIE=$old page GET /v1/processes
  assert_problem 401 unauthenticated
}

@test "a session: of two cookies of its name none is believed" {
  sign_in read
  COOKIE="$COOKIE; ${COOKIE%%=*}=x" page GET /v1/processes
  assert_problem 401 unauthenticated
  page GET /v1/processes '' --header 'Cookie: a=b'
  assert_problem 401 unauthenticated
}

@test "a session: the cookie of another server on this host is nobody's" {
  sign_in read
  COOKIE="creche_0123=${COOKIE#*=}" page GET /v1/processes
  assert_problem 401 unauthenticated 'no token was sent'
}

@test "a session: who sends a token is judged by that alone" {
  sign_in read
  page GET /v1/processes '' --header 'Authorization: Bearer wrong'
  assert_problem 401 unauthenticated
  page POST /v1/sessions '' --header "Authorization: Bearer $CRECHE_TOKEN"
  assert_equal "$STATUS" 201
}

@test "a session is for TCP: on the unix socket the kernel says who asks" {
  local name=(--header 'Sec-Fetch-Site: same-origin' --header 'Origin: http://localhost')

  sign_in read
  api_status GET /v1/sessions/current "${name[@]}" --header "Cookie: $COOKIE" >/dev/null
  assert_problem 401 unauthenticated
  offer read
  api_status POST /v1/sessions/exchange "{\"code\": \"$CODE\"}" "${name[@]}" >/dev/null
  assert_problem 403 cross_origin
}

@test "a session: without TCP there is no link" {
  start_creche --listen none
  api_status POST /v1/sessions >/dev/null
  assert_problem 409 no_tcp
}

@test "a session does not outlive creched, and neither it nor its code is in a file or in the log" {
  start_creche --log-level debug
  sign_in read
  offer read
  page GET /v1/processes
  assert_equal "$STATUS" 200
  assert_equal "$(grep -rlF -e "$CODE" -e "${COOKIE#*=}" "$CRECHE_STATE" "$CRECHE_DIR/stderr")" ''
  kill_daemon
  page GET /v1/processes
  assert_problem 401 unauthenticated
  page POST /v1/sessions/exchange "{\"code\": \"$CODE\"}"
  assert_problem 401 unauthenticated
}
