#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Start a program, wait for it, print its record.
#
#   CRECHE_SOCKET=... start-and-join.sh [PROGRAM [ARGUMENT]...]
set -euo pipefail

[ $# -gt 0 ] || set -- sh -c 'exit 7'

creche() {
  curl -sS --fail-with-body --unix-socket "$CRECHE_SOCKET" -X "$1" "http://localhost$2" ${3:+--json "$3"}
}

# argv goes as it is: no shell looks at it.
process=$(creche POST /v1/processes "$(jq -nc '{argv: $ARGS.positional}' --args -- "$@")")
id=$(echo "$process" | jq .id)

# Without a timeout this waits for ever. It is safe to repeat: the exit code stays.
creche POST "/v1/processes/$id/join" | jq '{id, name, pid, state, exitcode, detail: .exit.detail}'
