#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Start several processes and tell of each as it ends, like multiprocessing.connection.wait().
#
#   CRECHE_SOCKET=... join-any.sh
set -euo pipefail

creche() {
  curl -sS --fail-with-body --unix-socket "$CRECHE_SOCKET" -X "$1" "http://localhost$2" ${3:+--json "$3"}
}

start() {
  creche POST /v1/processes "$(jq -nc '{argv: $ARGS.positional}' --args -- "$@")" | jq .id
}

pending=$(
  for seconds in 0.3 0.1 0.2; do
    start sleep "$seconds"
  done | jq -sc .
)

while [ "$pending" != '[]' ]; do
  result=$(creche POST /v1/join "{\"ids\": $pending, \"mode\": \"any\"}")
  echo "$result" | jq -r '.ready[] | "\(.name) (\(.argv | join(" "))): exit code \(.exitcode)"'
  pending=$(echo "$result" | jq -c .pending)
done
