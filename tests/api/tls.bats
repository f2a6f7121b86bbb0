#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# TCP by TLS: the API is what it is without, and nobody gets in who does not speak TLS 1.2 or 1.3.

# helper.bash sets STATUS and BODY.
# shellcheck disable=SC2153
load helper
load pki

setup_file() {
  make_pki
  tls_options
  start_creche "${TLS[@]}"
}

setup() { tls_options; }

address() { printf '%s' "${CRECHE_URL#https://}"; }

# What openssl says when it shakes hands, and its status.
s_client() { # OPTION...
  run timeout "$PATIENCE_S" openssl s_client -connect "$(address)" -CAfile "$CRECHE_CA" -servername localhost "$@" </dev/null
}

# Sends what is on stdin without TLS, prints what comes back.
plain() {
  python3 -c '
import os, socket, sys
name, port = sys.argv[1].rsplit(":", 1)
with socket.create_connection((name, int(port)), float(os.environ.get("PATIENCE_S", "20"))) as s:
    s.sendall(sys.stdin.buffer.read())
    while data := s.recv(65536):
        sys.stdout.buffer.write(data)' "$(address)"
}

files_of() { # PID
  find "/proc/$1/fd" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l
}

files_are_at_most() { # PID N
  (($(files_of "$1") <= $2))
}

# ---------------------------------------------------------------------------------------- the API

@test "TLS: a process is started, joined and read, and the server calls itself https" {
  local id

  assert_match "$CRECHE_URL" '^https://127\.0\.0\.1:[0-9]+$'
  assert_equal "$(tcp GET /v1/info | jq -r .url)" "$CRECHE_URL"
  id=$(tcp POST /v1/processes '{"argv": ["sh", "-c", "echo hello; exit 7"]}' | jq .id)
  assert_equal "$(tcp POST "/v1/processes/$id/join" | jq .exitcode)" 7
  assert_equal "$(tcp GET "/v1/processes/$id/logs")" hello
  tcp_status GET /v1/processes/4711000 >/dev/null
  assert_problem 404 not_found
  TOKEN='' tcp_status GET /v1/info >/dev/null
  assert_problem 401 unauthenticated
}

@test "TLS: the unix socket stays plain" {
  assert_equal "$(api GET /v1/info | jq -r .url)" "$CRECHE_URL"
}

@test "TLS: a connection is kept, and a hundred requests go over it" {
  local urls=() i

  for i in {1..100}; do urls+=("$CRECHE_URL/healthz"); done
  curl -sS --cacert "$CRECHE_CA" --write-out '\n%{http_code} %{num_connects}\n' "${urls[@]}" >"$BATS_TEST_TMPDIR/answers"
  assert_equal "$(grep -v status "$BATS_TEST_TMPDIR/answers" | sort | uniq -c | xargs)" '99 200 0 1 200 1'
}

@test "TLS: who waits is woken, and another does not notice that he left" {
  local id joiner

  id=$(start_blocked)
  tcp POST "/v1/processes/$id/join" >"$BATS_TEST_TMPDIR/joined" &
  joiner=$!
  wait_until joins_are 1
  MAX_TIME=0.5 tcp POST "/v1/processes/$id/join" || :
  release "$id"
  wait "$joiner"
  assert_equal "$(jq .exitcode "$BATS_TEST_TMPDIR/joined")" 5
}

joins_are() { # N
  (($(api GET /metrics | awk '/^creche_waiting_joins / { print $2 }') >= $1))
}

@test "TLS: events are streamed, and logs are followed to their end" {
  local id events

  tcp GET /v1/events '' --no-buffer --header 'Accept: text/event-stream' >"$BATS_TEST_TMPDIR/events" &
  events=$!
  wait_until grep -q . "$BATS_TEST_TMPDIR/events"
  id=$(start_blocked '{"argv": ["sh", "-c", "echo one; read line; echo two; exit 5"]}')
  tcp GET "/v1/processes/$id/logs?follow=1" '' --no-buffer >"$BATS_TEST_TMPDIR/log" &
  wait_until grep -q one "$BATS_TEST_TMPDIR/log"
  release "$id"
  wait_until grep -q two "$BATS_TEST_TMPDIR/log"
  wait "$!"
  wait_until grep -q '"type":"stopped"' "$BATS_TEST_TMPDIR/events"
  kill "$events"
}

@test "TLS: eight megabytes go in by stdin and come out as a log, whole" {
  local id file=$BATS_TEST_TMPDIR/file

  head -c 8388608 /dev/urandom >"$file"
  id=$(create_process '{"argv": ["cat"], "stdin": "pipe"}')
  assert_equal "$(tcp_code PUT "/v1/processes/$id/stdin?eof=1" --header 'Content-Type: application/octet-stream' --upload-file "$file")" 204
  exitcode_of "$id" >/dev/null
  tcp GET "/v1/processes/$id/logs" '' --output "$file.out"
  cmp "$file" "$file.out"
  tcp GET "/v1/processes/$id/logs" '' --output "$file.out" --limit-rate 8M
  cmp "$file" "$file.out"
}

@test "TLS: a file that libmicrohttpd would send without reading it is encrypted as well" {
  tcp POST /v1/backup '' --output "$BATS_TEST_TMPDIR/backup.db"
  assert_equal "$(sqlite3 "$BATS_TEST_TMPDIR/backup.db" 'PRAGMA integrity_check')" ok
}

@test "TLS: fifty clients at once get what is theirs" {
  local i

  for i in {1..500}; do
    printf 'url = "%s/v1/processes/%d"\noutput = "%s"\n' "$CRECHE_URL" $((4000000 + i)) "$BATS_TEST_TMPDIR/$i"
  done >"$BATS_TEST_TMPDIR/config"
  curl -sS --parallel --parallel-max 50 --cacert "$CRECHE_CA" --header "Authorization: Bearer $CRECHE_TOKEN" \
    --config "$BATS_TEST_TMPDIR/config"
  for i in {1..500}; do
    grep -q "\b$((4000000 + i))\b" "$BATS_TEST_TMPDIR/$i" || fail "$i: $(<"$BATS_TEST_TMPDIR/$i")"
  done
}

# -------------------------------------------------------------------------------------- handshakes

@test "TLS: 1.2 and 1.3 are spoken, 1.1 and 1.0 are not" {
  local version

  for version in -tls1_2 -tls1_3; do
    s_client "$version" -verify_return_error
    assert_equal "$version $status" "$version 0"
  done
  for version in -tls1 -tls1_1; do
    s_client "$version" -cipher 'ALL:@SECLEVEL=0'
    assert_match "$version $status $output" "^$version 1 .*alert protocol version"
  done
}

@test "TLS: only ciphers that authenticate, with keys that are forgotten, are spoken" {
  local cipher

  for cipher in AES256-GCM-SHA384 ECDHE-ECDSA-AES128-SHA ECDHE-ECDSA-AES128-SHA256 AECDH-AES128-SHA NULL-SHA256; do
    s_client -tls1_2 -cipher "$cipher:@SECLEVEL=0"
    assert_match "$cipher $status $output" "^$cipher 1 .*handshake failure"
  done
  s_client -tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256
  assert_equal "$status" 0
}

@test "TLS: HTTP/1.1 is chosen where clients offer more, and who wants HTTP/2 alone is refused" {
  s_client -alpn h2,http/1.1
  assert_match "$status $output" '^0 .*ALPN protocol: http/1.1'
  s_client -alpn h2
  assert_match "$status $output" '^1 .*no application protocol'
}

@test "TLS: nothing is compressed, resumed or renegotiated" {
  s_client -tls1_2 -reconnect
  assert_match "$output" 'Compression: NONE'
  [[ $output != *Reused,* ]] || fail "$output"
  run timeout "$PATIENCE_S" openssl s_client -connect "$(address)" -CAfile "$CRECHE_CA" -tls1_2 < <(echo R && sleep 2)
  assert_match "$output" 'RENEGOTIATING'
  ((status != 0)) || fail "$output"
}

@test "TLS: HTTP without TLS is told so, at once" {
  local answer

  answer=$(printf 'GET /healthz HTTP/1.1\r\nHost: %s\r\n\r\n' "$(address)" | plain)
  assert_match "$answer" '^HTTP/1.1 400 .*"this port speaks TLS: say https"'
  [[ $answer != *Retry-After* ]] || fail "$answer"
}

@test "TLS: what is no handshake, half of one, or breaks off, leaves nothing behind" {
  local daemon before i

  start_creche "${TLS[@]}" --header-timeout 1
  daemon=$(daemon_pid)
  before=$(files_of "$daemon")
  printf '\x16' | plain >/dev/null
  printf '\x16\x03\x01\x40\x00' | plain >/dev/null
  printf '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' | plain >/dev/null
  printf '\x16\x03\x01\xff\xff\x01\xff\xff\xff' | plain >/dev/null
  for i in 1 2 3; do
    { printf '\x16\x03\x01\x02\x00' && head -c 2000 /dev/urandom; } | plain >/dev/null
    head -c 2000 /dev/urandom | plain >/dev/null
  done
  python3 "$HERE/tls.py" vanish 500
  wait_until files_are_at_most "$daemon" "$((before + 2))"
  assert_equal "$(daemon_pid)" "$daemon"
  assert_equal "$(tcp_code GET /v1/info)" 200
}

@test "TLS: the end of an answer is signed" {
  python3 "$HERE/tls.py" ends
}

@test "TLS: who shakes hands slowly has the time of a head for all of it" {
  start_creche "${TLS[@]}" --header-timeout 1
  python3 "$HERE/tls.py" slow_handshakes
}

@test "TLS: those who shake hands count as connections, of all and of one" {
  start_creche "${TLS[@]}" --max-peer-connections 5
  python3 "$HERE/tls.py" too_many 5
}

# -------------------------------------------------------------------------------- clients' certificates

# Whether a client with the certificate NAME is served; 000: it is not let in.
code_with() { # [NAME]
  tcp GET /v1/info '' ${1:+--cert "$PKI/$1.crt" --key "$PKI/$1.key"} --output /dev/null --write-out '%{http_code}' 2>/dev/null || :
}

@test "TLS: with --tls-client-ca a client needs a certificate, and a token as well" {
  make_ca others
  make_certificate client ca 30 extendedKeyUsage=clientAuth
  make_certificate expired ca -1 extendedKeyUsage=clientAuth
  make_certificate foreign others 30 extendedKeyUsage=clientAuth
  make_certificate wrong ca 30 extendedKeyUsage=serverAuth
  start_creche "${TLS[@]}" --tls-client-ca "$PKI/ca.crt"
  assert_equal "$(code_with client)" 200
  assert_equal "$(TOKEN='' code_with client)" 401
  assert_equal "$(code_with) $(code_with expired) $(code_with foreign) $(code_with wrong)" '000 000 000 000'
  s_client -tls1_2
  assert_match "$status $output" '^1 .*alert'
  assert_equal "$(http_code GET /v1/info)" 200
}

# ------------------------------------------------------------------------------------- the browser

@test "TLS: a name of the certificate is the server's, another is not" {
  local port=${CRECHE_URL##*:}

  assert_equal "$(tcp_code GET /v1/info '' --header "Host: creche.example:$port")" 200
  assert_equal "$(tcp_code GET /v1/info '' --header 'Host: creche.example')" 200
  tcp_status GET /v1/info '' --header "Host: rebound.example:$port" >/dev/null
  assert_problem 421 misdirected
}

@test "TLS: the own origin is https" {
  assert_equal "$(tcp_code GET /v1/info '' --header "Origin: $CRECHE_URL")" 200
  tcp_status GET /v1/info '' --header "Origin: http://$(address)" >/dev/null
  assert_problem 403 cross_origin
}

@test "TLS: the cookie of a session goes by TLS only, and to this host only" {
  local url code

  read -r url code < <(api POST /v1/sessions '{"scopes": ["read"]}' | jq -r '"\(.url) \(.code)"')
  assert_equal "$url" "$CRECHE_URL/docs#code=$code"
  TOKEN='' tcp_status POST /v1/sessions/exchange "{\"code\": \"$code\"}" --header "Origin: $CRECHE_URL" \
    --header 'Sec-Fetch-Site: same-origin' >/dev/null
  assert_equal "$STATUS" 201
  assert_match "$(response_header set-cookie)" '^__Host-creche_[0-9a-f]+=[0-9a-f]{64}; Path=/; HttpOnly; SameSite=Strict; Secure$'
  # It would bind the other ports of the host, too.
  assert_equal "$(response_header strict-transport-security)" ''
}

# ------------------------------------------------------------------------------------ what is refused

# Runs creched with options that it must refuse; sets STATUS and SAID.
refused() { # OPTION...
  STATUS=0
  SAID=$(timeout "$PATIENCE_S" "$BUILD/creched" --state-dir "$BATS_TEST_TMPDIR/state" --socket "$BATS_TEST_TMPDIR/s" \
    --listen 127.0.0.1:0 "$@" 2>&1) || STATUS=$?
}

@test "TLS: options that do not go together are refused with status 2" {
  refused --tls-cert "$PKI/server.crt"
  assert_match "$STATUS $SAID" '^2 .*tls-key'
  refused --tls-key "$PKI/server.key"
  assert_match "$STATUS $SAID" '^2 .*tls-cert'
  refused --tls-client-ca "$PKI/ca.crt"
  assert_match "$STATUS $SAID" '^2 .*tls-client-ca'
  refused --insecure-http maybe
  assert_match "$STATUS $SAID" '^2 .*insecure-http'
}

@test "TLS: files that cannot be used are refused at the start, with their names" {
  local key=$PKI/readable.key

  refused --tls-cert /nowhere.pem --tls-key "$PKI/server.key"
  assert_match "$STATUS $SAID" '^1 .*/nowhere\.pem: No such file'
  refused --tls-cert "$PKI/server.crt" --tls-key /nowhere.pem
  assert_match "$STATUS $SAID" '^1 .*/nowhere\.pem: No such file'
  refused --tls-cert "$PKI/ca.key" --tls-key "$PKI/server.key"
  assert_match "$STATUS $SAID" '^1 .*ca\.key'
  refused --tls-cert "$PKI/server.crt" --tls-key "$PKI/ca.key"
  assert_match "$STATUS $SAID" '^1 .*ca\.key'
  refused "${TLS[@]}" --tls-client-ca "$PKI/server.key"
  assert_match "$STATUS $SAID" '^1 .*server\.key'
  cp "$PKI/server.key" "$key" && chmod 644 "$key"
  refused --tls-cert "$PKI/server.crt" --tls-key "$key"
  assert_match "$STATUS $SAID" '^1 .*others have access to the key .*readable\.key'
  make_server_certificate old ca -1
  refused --tls-cert "$PKI/old.crt" --tls-key "$PKI/old.key"
  assert_match "$STATUS $SAID" '^1 .*old\.crt: the certificate has expired'
  [[ ! -e $BATS_TEST_TMPDIR/state ]]
}

@test "plain HTTP on an address that others reach is refused, and it is said what to do" {
  local address

  for address in 0.0.0.0:0 '[::]:0'; do
    refused --listen "$address"
    assert_match "$STATUS $SAID" '^1 .*listen .*--tls-cert.*--insecure-http'
  done
  for address in 127.0.0.1:0 127.1.2.3:0 localhost:0; do
    start_creche --listen "$address"
    assert_equal "$(tcp_code GET /v1/info)" 200
    stop_creche
  done
  start_creche --insecure-http yes
  assert_equal "$(tcp_code GET /v1/info)" 200
}

# ---------------------------------------------------------------------------------------- renewal

served_certificate() {
  openssl s_client -connect "$(address)" -CAfile "$CRECHE_CA" </dev/null 2>/dev/null | openssl x509 -noout -serial
}

# A server with files of its own: MY.crt, MY.key.
start_with_own_files() {
  MY=$BATS_TEST_TMPDIR/my
  install_files server
  start_creche --tls-cert "$MY.crt" --tls-key "$MY.key"
}

install_files() { # NAME
  cp "$PKI/$1.crt" "$MY.crt"
  cp "$PKI/$1.key" "$MY.key"
}

upgrade() {
  local before

  before=$(daemon_starts)
  kill -HUP "$CRECHE_MAIN"
  wait_until has_started_again "$before"
}

daemon_starts() { MAX_TIME=5 api GET /v1/info | jq .restarts; }

has_started_again() { # RESTARTS
  local now

  now=$(daemon_starts 2>/dev/null) && [[ -n $now ]] && ((now > $1))
}

@test "TLS: an upgrade takes a certificate that was renewed" {
  local id serial

  start_with_own_files
  id=$(start_blocked)
  serial=$(served_certificate)
  make_server_certificate renewed ca
  install_files renewed
  assert_equal "$(served_certificate)" "$serial"
  upgrade
  assert_equal "$(served_certificate)" "$(openssl x509 -in "$PKI/renewed.crt" -noout -serial)"
  assert_equal "$(tcp GET "/v1/processes/$id" | jq -r .state)" started
  all_end_with_5 "$id"
}

@test "TLS: a creched that comes after others and cannot use its files serves the unix socket, until they are mended" {
  local id

  start_with_own_files
  id=$(start_blocked)
  cp "$PKI/ca.key" "$MY.key"
  upgrade
  assert_equal "$(api GET /v1/info | jq -c '[.url, .health, .health_reasons]')" \
    '[null,"degraded",["TCP is not served: its certificate cannot be used, see the log"]]'
  grep -q 'event=tcp.not_served .*my.key' "$CRECHE_DIR/stderr"
  install_files server
  upgrade
  assert_equal "$(tcp GET /v1/info | jq -r '[.url, .health] | join(" ")')" "$CRECHE_URL ok"
  all_end_with_5 "$id"
}

@test "TLS: a creched that comes after others goes on with a certificate that has expired meanwhile, and warns" {
  start_with_own_files
  make_server_certificate old ca -1
  install_files old
  upgrade
  grep -q 'event=tls.not_valid .*has expired' "$CRECHE_DIR/stderr"
  assert_equal "$(tcp_code GET /v1/info '' --insecure)" 200
}

@test "TLS: the key is in no log" {
  run grep -c -F -f <(grep -v -- ----- "$PKI/server.key") "$CRECHE_DIR/stderr"
  assert_equal "$status $output" '1 0'
}

@test "TLS: the secrets of a connection are in no file, whatever the environment says" {
  SSLKEYLOGFILE=$BATS_TEST_TMPDIR/secrets start_creche "${TLS[@]}"
  assert_equal "$(tcp_code GET /v1/info)" 200
  [[ ! -e $BATS_TEST_TMPDIR/secrets ]]
}

# Another would send what should be encrypted as it is. write() is for an eventfd of its own.
@test "TLS: libmicrohttpd sends by the functions that encrypt, and by no other" {
  local library

  library=$(ldd "$BUILD/creched" | awk '/libmicrohttpd/ { print $3 }')
  assert_equal "$(nm -D --undefined-only "$library" | awk '{ sub(/@.*/, "", $2); print $2 }' |
    grep -xE 'send.*|p?write.*|splice|tee|vmsplice|aio_.*|io_.*|syscall' | sort | xargs)" 'send sendfile64 sendmsg write'
}
