#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Print what a process writes, as it writes it, until it has ended.
#
#   CRECHE_SOCKET=... follow-logs.sh [ID [stdout|stderr]]
#
# Without an ID a process that counts to three is started first.
set -euo pipefail

creche() {
  curl -sS --fail-with-body --unix-socket "$CRECHE_SOCKET" -X "$1" "http://localhost$2" ${3:+--json "$3"}
}

id=${1:-$(creche POST /v1/processes '{"argv": ["sh", "-c", "echo one; sleep 0.1; echo two; sleep 0.1; echo three"]}' | jq .id)}
stream=${2:-stdout}

# -N: curl keeps nothing back. To go on after an interruption, ask again with offset=N, N being the
# Creche-Log-Offset of this answer and the bytes received.
curl -sS -N --fail-with-body --unix-socket "$CRECHE_SOCKET" \
  "http://localhost/v1/processes/$id/logs?stream=$stream&follow=1"
