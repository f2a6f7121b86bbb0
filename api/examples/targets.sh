#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A named target, and a token that can start nothing else: what a web application would be given.
#
#   CRECHE_SOCKET=... targets.sh
set -euo pipefail

ask() { # PATH [CURL OPTION...]
  curl -sS --fail-with-body --unix-socket "$CRECHE_SOCKET" "http://localhost$1" "${@:2}"
}

# An admin says which program runs, with which limits, and what may be chosen. `--` ends the options, so that no value
# is one.
ask /v1/targets/checksum -X PUT --json '{
  "argv": ["sha256sum", "--", "{file}"],
  "placeholders": [{"name": "file", "pattern": "[a-z][a-z0-9._-]*", "description": "In /etc."}],
  "cwd": "/etc", "timeout": 10, "rlimits": {"cpu": [5, 5]}}' >/dev/null
token=$(ask /v1/tokens --json '{"name": "web", "scopes": ["start", "logs"], "targets": ["checksum"], "expires_in": 3600}' |
  jq -r .token)

# Who has the token may start this, and nothing else.
as_web() { ask "$@" -H "Authorization: Bearer $token"; }

id=$(as_web /v1/processes --json '{"target": "checksum", "kwargs": {"file": "passwd"}}' | jq .id)
as_web "/v1/processes/$id/join" -X POST >/dev/null
as_web "/v1/processes/$id/logs"

refused=$(as_web /v1/processes --json '{"target": "checksum", "kwargs": {"file": "../root/secret"}}' || true)
jq -r '.detail' <<<"$refused"
refused=$(as_web /v1/processes --json '{"argv": ["id"]}' || true)
jq -r '.detail' <<<"$refused"
[ "$(jq -r .code <<<"$refused")" = forbidden ]
