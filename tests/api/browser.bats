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
