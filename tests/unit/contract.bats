#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# api/generate.c: a document that is wrong, and a handler too many or too few, fail the build.

HERE=$BATS_TEST_DIRNAME/../..
BUILD=${BUILD:-$HERE/build}
DOC=$HERE/api/openapi.json

# Generates from the document after FILTER; sets STATUS and SAID.
generate() { # FILTER
  jq "$1" "$DOC" >"$BATS_TEST_TMPDIR/openapi.json"
  STATUS=0
  SAID=$("$BUILD/gen/generate" "$BATS_TEST_TMPDIR/openapi.json" "$BATS_TEST_TMPDIR/routes.h" \
    "$BATS_TEST_TMPDIR/routes.c" 2>&1) || STATUS=$?
}

refused() { # FILTER, WHAT IS SAID
  generate "$1"
  [[ $STATUS == 1 && $SAID == *"openapi.json: $2"* && ! -e $BATS_TEST_TMPDIR/routes.c ]] ||
    { printf 'status %s: %s\n' "$STATUS" "$SAID" >&2 && return 1; }
}

# The compiler with the flags of the build, but with the files of the test before those of the build.
compile() { # ARGUMENT...
  local flags

  # Its backslashes are those of a shell.
  # shellcheck disable=SC2162
  read -a flags <"$BUILD/flags"
  # shellcheck disable=SC2046
  (cd "$HERE" && "${flags[0]}" -I"$BATS_TEST_TMPDIR" "${flags[@]:1}" $(pkg-config --cflags jansson libmicrohttpd) "$@")
}

@test "the document as it is makes the table" {
  generate .
  [[ $STATUS == 0 && -z $SAID ]]
  grep -q '"/v1/processes/{id}/join"' "$BATS_TEST_TMPDIR/routes.c"
}

@test "what cannot be an operation is refused, with its place" {
  refused '.paths["/readyz"].get.operationId = "healthz"' \
    "GET /readyz: operationId: 'healthz' is that of GET /healthz, too"
  refused '.paths["/readyz"].get.operationId = "Ready-z"' "GET /readyz: operationId: 'Ready-z' is not like"
  refused 'del(.paths["/readyz"].get.operationId)' "GET /readyz: operationId: '' is not like"
  refused 'del(.paths["/readyz"].get.responses)' 'GET /readyz: responses: is missing'
  refused '.paths["/readyz"].head = .paths["/readyz"].get' "paths: /readyz: 'head' is none of"
  refused '.paths["/readyz"].parameters = []' "paths: /readyz: 'parameters' is none of"
  refused '.paths = {}' 'paths: has no operation'
}

@test "scopes are those of the security scheme, and there are some unless the operation is public" {
  refused '.paths["/v1/info"].get["x-creche-scopes"] = ["read", "reed"]' \
    "GET /v1/info: x-creche-scopes: there is no scope 'reed'"
  refused 'del(.paths["/v1/info"].get["x-creche-scopes"])' 'GET /v1/info: x-creche-scopes: is missing'
  refused '.paths["/v1/info"].get["x-creche-scopes"] = []' 'GET /v1/info: x-creche-scopes: is missing'
  refused '.paths["/healthz"].get["x-creche-scopes"] = ["read"]' 'GET /healthz: x-creche-scopes: nobody has'
}

@test "the parameter of a path is declared, once, and limited" {
  local p='{"name": "name", "in": "path", "required": true, "schema": {"type": "string", "maxLength": 8, "pattern": "^[a-z]+$"}}'
  local add='.paths["/v1/t/{name}"].get = (.paths["/v1/info"].get | .operationId = "t")'

  generate "$add | .paths[\"/v1/t/{name}\"].get.parameters = [$p]"
  [[ $STATUS == 0 ]]
  grep -qF '.param = "{name}", .param_pattern = "^[a-z]+$", .param_max = 8' "$BATS_TEST_TMPDIR/routes.c"
  rm "$BATS_TEST_TMPDIR/routes.c"

  refused "$add" "GET /v1/t/{name}: {name}: is not declared in 'parameters'"
  refused ".paths[\"/v1/info\"].get.parameters = [$p]" "GET /v1/info: parameters: 'name' is not in the path"
  refused "$add | .paths[\"/v1/t/{name}\"].get.parameters = [$p | del(.required)]" "GET /v1/t/{name}: {name}: 'required'"
  refused "$add | .paths[\"/v1/t/{name}\"].get.parameters = [$p | del(.schema.maxLength)]" \
    'GET /v1/t/{name}: {name}: the limit is missing: maxLength'
  refused "$add | .paths[\"/v1/t/{name}\"].get.parameters = [$p | .schema.pattern = \"[a-z]\"]" \
    'GET /v1/t/{name}: {name}: pattern:'
  refused "$add | .paths[\"/v1/t/{name}\"].get.parameters = [$p | .schema.pattern = \"^\\\\d\$\"]" \
    'GET /v1/t/{name}: {name}: pattern:'
  refused "$add | .paths[\"/v1/t/{name}\"].get.parameters = [$p | .schema.type = \"number\"]" \
    'GET /v1/t/{name}: {name}: is neither'
  refused "$add | .paths[\"/v1/t/{name}\"].get.parameters = [$p] |
    .paths[\"/v1/t/{other}\"].get = (.paths[\"/v1/t/{name}\"].get | .operationId = \"u\" | .parameters[0].name = \"other\")" \
    'GET /v1/t/{other}: is matched by /v1/t/{name}, too'
  refused '.paths["/v1/processes/{id}/{no}"].get = (.paths["/v1/processes/{id}"].get | .operationId = "t")' \
    'GET /v1/processes/{id}/{no}: {id}/{no}: at most one segment'
}

@test "the limit of a body is given, and none where there is no body" {
  refused 'del(.paths["/v1/join"].post["x-creche-body-limit"])' 'POST /v1/join: x-creche-body-limit: is missing'
  refused '.paths["/v1/join"].post["x-creche-body-limit"] = null' 'POST /v1/join: x-creche-body-limit: is no number'
  refused '.paths["/v1/info"].get["x-creche-body-limit"] = 1' 'GET /v1/info: x-creche-body-limit: there is no requestBody'
  refused '.paths["/v1/processes/{id}/stdin"].put["x-creche-body-limit"] = 1' \
    'PUT /v1/processes/{id}/stdin: x-creche-body-limit: is not null'
}

@test "a body is an object of known members" {
  refused 'del(.components.schemas.JoinProcessesRequest.additionalProperties)' \
    'POST /v1/join: requestBody: its schema is no object of known properties'
  refused '.paths["/v1/join"].post.requestBody.content["text/plain"] = {}' \
    'POST /v1/join: requestBody: has not one content type'
}

@test "a reference leads somewhere in the document" {
  refused '.components.schemas |= del(.JoinProcessesRequest)' \
    "POST /v1/join: \$ref: there is no '#/components/schemas/JoinProcessesRequest'"
  refused '.paths["/v1/active_children"].get.parameters = [{"$ref": "other.json#/x"}]' \
    "GET /v1/active_children: \$ref: 'other.json#/x' is not of this document"
}

@test "what is no JSON, or has a key twice, is refused with its line" {
  echo '{"paths": {}, "paths": {}}' >"$BATS_TEST_TMPDIR/twice.json"
  run "$BUILD/gen/generate" "$BATS_TEST_TMPDIR/twice.json" "$BATS_TEST_TMPDIR/h" "$BATS_TEST_TMPDIR/c"
  [[ $status == 1 && $output == *'twice.json:1: duplicate object key'* ]]
}

@test "an operation without a handler does not link" {
  generate '.paths["/v1/ghost"].get = (.paths["/v1/info"].get | .operationId = "ghost")'
  compile -c -o "$BATS_TEST_TMPDIR/routes.o" "$BATS_TEST_TMPDIR/routes.c"
  # shellcheck disable=SC2046
  run compile -o "$BATS_TEST_TMPDIR/creched" -pie "$BATS_TEST_TMPDIR/routes.o" "$BUILD/obj/src/creched.o" \
    "$BUILD/libcreche.a" $(pkg-config --libs sqlite3 libmicrohttpd jansson gnutls zlib)
  [[ $status != 0 && $output == *'handle_ghost'* ]]
}

@test "a handler that no operation declares does not compile" {
  generate .
  printf '%s\n' '#include "http/handle.h"' 'void handle_ghost(struct request *r)' '{' '        handle_shown(r);' '}' \
    >"$BATS_TEST_TMPDIR/ghost.c"
  run compile -c -o "$BATS_TEST_TMPDIR/ghost.o" "$BATS_TEST_TMPDIR/ghost.c"
  [[ $status != 0 && $output == *'handle_ghost'* ]]

  sed -i s/handle_ghost/handle_info/ "$BATS_TEST_TMPDIR/ghost.c"
  compile -c -o "$BATS_TEST_TMPDIR/ghost.o" "$BATS_TEST_TMPDIR/ghost.c"
}
