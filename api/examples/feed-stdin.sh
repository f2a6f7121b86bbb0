#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Stream into a process: a sort(1) in the registry sorts what comes on our standard input.
#
#   printf '%s\n' c a b | CRECHE_SOCKET=... feed-stdin.sh
set -euo pipefail

creche() {
  curl -sS --fail-with-body --unix-socket "$CRECHE_SOCKET" -X "$1" "http://localhost$2" ${3:+--json "$3"}
}

id=$(creche POST /v1/processes '{"argv": ["sort"], "stdin": "pipe"}' | jq .id)

# -T -: as much as there is, nothing is collected first. eof=1 closes the pipe behind it.
curl -sS --fail-with-body --unix-socket "$CRECHE_SOCKET" -T - -H 'Content-Type: application/octet-stream' \
  "http://localhost/v1/processes/$id/stdin?eof=1"

creche POST "/v1/processes/$id/join" >/dev/null
creche GET "/v1/processes/$id/logs"
