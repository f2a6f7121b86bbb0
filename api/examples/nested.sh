#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A started process starts a child of its own. CRECHE_SOCKET and CRECHE_AUTHKEY are in its environment;
# with that token it is its child's parent, and sees nothing but its own subtree.
#
#   CRECHE_SOCKET=... nested.sh
set -euo pipefail

creche() {
  curl -sS --fail-with-body --unix-socket "$CRECHE_SOCKET" -X "$1" "http://localhost$2" ${3:+--json "$3"}
}

# What the parent runs. The token goes through a file descriptor: an argument could be read by others.
parent=$(
  cat <<'SCRIPT'
set -eu
creche() {
  echo "header = \"Authorization: Bearer $CRECHE_AUTHKEY\"" |
    curl -sS --fail-with-body -K - --unix-socket "$CRECHE_SOCKET" -X "$1" "http://localhost$2" ${3:+--json "$3"}
}
id=$(creche POST /v1/processes '{"argv": ["sh", "-c", "exit 3"]}' | jq .id)
creche POST "/v1/processes/$id/join" | jq -r '"\(.name), child of process \(.parent): exit code \(.exitcode)"'
SCRIPT
)

id=$(creche POST /v1/processes "$(jq -nc '{argv: ["sh", "-c", $script]}' --arg script "$parent")" | jq .id)
exitcode=$(creche POST "/v1/processes/$id/join" | jq .exitcode)

creche GET "/v1/processes/$id/logs"
creche GET "/v1/processes/$id/children" | jq -r '.processes[] | "\(.name) \(.state)"'
[ "$exitcode" = 0 ]
