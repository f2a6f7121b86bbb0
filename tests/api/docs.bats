#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The page /docs: what is in it, how it is kept, and how it is built, or left out.

# helper.bash sets STATUS and BODY.
# shellcheck disable=SC2153
load helper

ROOT=$HERE/../..

# Like a browser that shows the page.
look() { # PATH [CURL OPTION...]
  TOKEN='' tcp_status GET "$@" >/dev/null
}

# What the page asks for.
parts() {
  TOKEN='' tcp GET /docs | grep -oE '(src|href)="[^"]*"' | cut -d '"' -f 2 | grep -v '^data:'
}

@test "/docs is the page, for everybody, with a policy that lets nothing in from elsewhere" {
  look /docs
  assert_equal "$STATUS" 200
  assert_equal "$(response_header content-type)" 'text/html; charset=utf-8'
  assert_equal "$(response_header content-security-policy)" "default-src 'none'; script-src 'self'; style-src 'self'; \
img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
  assert_equal "$(response_header cross-origin-opener-policy)" same-origin
  assert_equal "$(response_header referrer-policy)" no-referrer
  # On the unix socket, too.
  assert_equal "$(http_code GET /docs)" 200
}

@test "no page has a script or a style of its own in it, or anything from elsewhere" {
  local page

  for page in "$ROOT"/src/ui/*.html; do
    assert_equal "$(grep -ciE '<style|style=|javascript:|<script[^>]*>[^<]|[[:space:]]on[a-z]+=' "$page")" 0 || fail "$page"
    assert_equal "$(grep -oiE '(src|href|action)="[^"]*"' "$page" | grep -vE '="(/|data:,)')" '' || fail "$page"
  done
  # swagger-ui asks a validator elsewhere unless it is told not to.
  assert_equal "$(grep -c 'validatorUrl: null' "$ROOT/src/ui/docs.js")" 1
  assert_equal "$(grep -oE 'innerHTML|eval\(|document\.write|https?://' "$ROOT/src/ui/docs.js")" ''
}

@test "each part that the page asks for is there, and is what the page takes it for" {
  local part n=0

  for part in $(parts); do
    look "$part"
    assert_equal "$part $STATUS" "$part 200"
    case $part in
      *.js?v=*) assert_equal "$(response_header content-type)" 'text/javascript; charset=utf-8' ;;
      *.css?v=*) assert_equal "$(response_header content-type)" 'text/css; charset=utf-8' ;;
      /docs/licenses.txt) assert_equal "$(response_header content-type)" 'text/plain; charset=utf-8' ;;
      *) fail "$part" ;;
    esac
    assert_equal "$(response_header x-content-type-options)" nosniff
    n=$((n + 1))
  done
  # Without swagger-ui, which `make DOCS=1` brings, this is not the page.
  assert_equal "$n" 5
}

@test "a part is kept for ever under what it is, and asked for again under its name alone" {
  local part name tag

  for part in $(parts); do
    [[ $part == *\?v=* ]] || continue
    look "$part"
    assert_equal "$(response_header cache-control)" 'public, max-age=31536000, immutable'
    for name in "${part%\?*}" "${part%\?*}?v=other"; do
      look "$name"
      assert_equal "$name $(response_header cache-control)" "$name no-cache"
      tag=$(response_header etag)
      look "$name" --header "If-None-Match: $tag"
      assert_equal "$name $STATUS" "$name 304"
    done
  done
  look /docs
  assert_equal "$(response_header cache-control)" no-cache
}

@test "what the page is made of comes gzipped to who takes that, and is the same for who does not" {
  local part

  for part in /docs $(parts) /openapi.json; do
    tcp_status GET "$part" --header 'Accept-Encoding: gzip' >/dev/null
    assert_equal "$part $(response_header content-encoding)" "$part gzip"
    assert_equal "$(response_header vary)" Accept-Encoding
    tcp GET "$part" >"$BATS_TEST_TMPDIR/plain"
    gunzip <"$BATS_TEST_TMPDIR/answer.body" | cmp - "$BATS_TEST_TMPDIR/plain"
    tcp_status HEAD "$part" >/dev/null
    assert_equal "$(response_header content-length) $(response_header content-encoding)" "$(wc -c <"$BATS_TEST_TMPDIR/plain") "
  done
  tcp GET /openapi.json | cmp - "$ROOT/api/openapi.json"
}

@test "swagger-ui is what the lock file names, unchanged, and its licence goes along" {
  local dist=$ROOT/build/ui/node_modules/swagger-ui-dist

  assert_equal "$(jq -r .version "$dist/package.json")" \
    "$(jq -r '.packages["node_modules/swagger-ui-dist"].version' "$ROOT/src/ui/package-lock.json")"
  tcp GET /docs/swagger-ui.js | cmp - "$dist/swagger-ui-bundle.js"
  tcp GET /docs/swagger-ui.css | cmp - "$dist/swagger-ui.css"
  tcp GET /docs/licenses.txt >"$BATS_TEST_TMPDIR/licenses"
  assert_match "$(<"$BATS_TEST_TMPDIR/licenses")" 'SmartBear Software Inc.*Apache License.*END OF TERMS AND CONDITIONS'
  assert_match "$(<"$ROOT/NOTICE")" 'swagger-ui.*Apache'
}

# ---------------------------------------------------------------------------------------- the build

# What src/ui/fetch says, with a npm that does as it is told. It leaves a line in DIR/npm for each time it ran.
fetch() { # DOCS DIR [COMMAND OF NPM]
  local bin=$BATS_TEST_TMPDIR/bin

  mkdir -p "$bin" "$2"
  printf '#!/bin/sh\necho >>%q\n%s\n' "$2/npm" "${3-true}" >"$bin/npm"
  chmod +x "$bin/npm"
  (cd "$ROOT" && PATH=$bin:$PATH src/ui/fetch "$1" "$2" 2>"$2/stderr")
}

refuses() { # COMMAND...
  ! "$@" || fail "did not refuse: $*"
}

runs_of_npm() { # DIR
  grep -c '' "$1/npm" 2>/dev/null || :
}

@test "a build brings swagger-ui once, until the lock file changes" {
  local dir=$BATS_TEST_TMPDIR/ui

  assert_equal "$(fetch auto "$dir") $(fetch 1 "$dir") $(fetch auto "$dir")" 'full full full'
  assert_equal "$(runs_of_npm "$dir")" 1
  echo >>"$dir/brought"
  assert_equal "$(fetch auto "$dir") $(runs_of_npm "$dir")" 'full 2'
}

@test "a build does not fail where npm cannot bring it: it is without, says so loudly, and tries again when asked to" {
  local dir=$BATS_TEST_TMPDIR/ui

  assert_equal "$(fetch auto "$dir" 'exit 1')" bare
  assert_match "$(<"$dir/stderr")" 'WITHOUT the documentation page.*make DOCS=1'
  assert_equal "$(fetch auto "$dir" 'exit 1') $(runs_of_npm "$dir")" 'bare 1'
  assert_match "$(<"$dir/stderr")" 'WITHOUT the documentation page'
  assert_equal "$(fetch 1 "$dir") $(fetch auto "$dir")" 'full full'
}

@test "a build that shall have the page fails without it, and says why" {
  local dir=$BATS_TEST_TMPDIR/ui

  refuses fetch 1 "$dir" 'echo E404 >&2; exit 1'
  assert_match "$(<"$dir/stderr")" 'E404.*DOCS=1: npm could not bring'
  refuses fetch 2 "$dir"
}

@test "a build that shall not have the page does not ask for npm" {
  local dir=$BATS_TEST_TMPDIR/ui

  assert_equal "$(fetch 0 "$dir")$(<"$dir/stderr")" bare
  assert_equal "$(runs_of_npm "$dir")" ''
}

@test "without npm a build is without the page" {
  local bin=$BATS_TEST_TMPDIR/none dir=$BATS_TEST_TMPDIR/ui tool

  mkdir -p "$bin"
  for tool in cat cmp mkdir flock sh; do
    ln -s "$(command -v "$tool")" "$bin"
  done
  assert_equal "$(cd "$ROOT" && PATH=$bin src/ui/fetch auto "$dir" 2>"$BATS_TEST_TMPDIR/stderr")" bare
  assert_match "$(<"$BATS_TEST_TMPDIR/stderr")" 'npm is not installed.*make DOCS=1'
  refuses env -C "$ROOT" PATH="$bin" src/ui/fetch 1 "$dir"
}

@test "a build without the page embeds one that signs in and says how to have it" {
  local out=$BATS_TEST_TMPDIR/assets.c

  (cd "$ROOT" && src/ui/embed bare /nonexistent api/openapi.json "$out")
  assert_equal "$(grep -oE '^ +\[ASSET_[A-Z_]*\] = ' "$out" | tr -d '[]=' | xargs)" \
    'ASSET_OPENAPI ASSET_DOCS ASSET_DOCS_JS ASSET_DOCS_CSS'
  assert_match "$(<"$ROOT/src/ui/bare.html")" 'built without the documentation page.*make DOCS=1'
  assert_equal "$(grep -c 'swagger' "$ROOT/src/ui/bare.html")" 0
}
