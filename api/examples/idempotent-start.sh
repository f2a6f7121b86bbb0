#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Start a process once, however often the request is sent: after a time-out, a lost answer, a crash.
#
#   CRECHE_SOCKET=... idempotent-start.sh [KEY]
set -euo pipefail

key=${1:-$(cat /proc/sys/kernel/random/uuid)}

# --retry repeats after 503 and broken connections; the key makes that harmless.
start() {
  curl -sS --fail-with-body --retry 5 --retry-all-errors --unix-socket "$CRECHE_SOCKET" \
    http://localhost/v1/processes -H "Idempotency-Key: $key" --json '{"argv": ["sleep", "0.2"]}'
}

first=$(start | jq .id)
again=$(start | jq .id)
echo "first: process $first, again: process $again"
[ "$first" = "$again" ]
