#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The main job, unattended: starts a server of its own in a directory of its own, then does what a
# client does, with nothing but curl, jq and sqlite3, and shows the commands. `make demo` runs it.
# shellcheck disable=SC2016,SC2317
set -euo pipefail

BUILD=${BUILD:-$(dirname "$0")/../../build}
dir=$(mktemp -d "${TMPDIR:-/tmp}/creche-demo.XXXXXX")
main=

finish() {
  [[ -z $main ]] || kill -TERM "$main" 2>/dev/null || :
  [[ -z $main ]] || wait "$main" || :
  rm -rf "$dir"
}
trap finish EXIT
cd "$dir"

say() { printf '\n# %s\n' "$*"; }

# Shows the command, then runs it.
show() {
  printf '$ %s\n' "$1"
  eval "$1"
}

# POSTs @BODY; curl as one would type it.
post() { # PATH BODY FILTER
  show "curl -sS --unix-socket s localhost$1 --json '$2' | jq -c '$3'"
}

say 'A server in the foreground says READY when it can serve, and not before.'
mkfifo ready
printf '$ creched --state-dir state --socket s --listen none\n'
"$BUILD/creched" --state-dir "$dir/state" --socket "$dir/s" --listen none >ready 2>stderr &
main=$!
exec 3<ready
if ! read -r -t 20 line <&3; then
  cat stderr >&2
  exit 1
fi
echo "$line"

brief='{id, name, state, pid, exitcode}'

say 'Start a few programs. Each is a row in the database before it runs.'
post /v1/processes '{"argv": ["sh", "-c", "echo hello from $CRECHE_ID; exit 7"], "name": "seven"}' "$brief"
post /v1/processes '{"argv": ["sleep", "2"], "name": "sleeper"}' "$brief"
post /v1/processes '{"argv": ["sleep", "1000"], "name": "endless", "daemon": true}' "$brief"
post /v1/processes '{"argv": ["seq", "1", "1000000"], "name": "counter", "start_method": "fork"}' "$brief"

say 'A program that does not exist is recorded, too; the answer says what went wrong.'
post /v1/processes '{"argv": ["/no/such/program"], "name": "missing"}' '{status, code, detail}'

say 'The living children; then join two: the answer comes when they have ended.'
show "curl -sS --unix-socket s localhost/v1/active_children | jq -c '.processes[] | $brief'"
post /v1/processes/1/join '{}' "$brief"
post /v1/processes/2/join '{}' "$brief"

say 'Kill the endless one: its exit code is minus the number of the signal.'
show "curl -sS --unix-socket s -X POST localhost/v1/processes/3/kill | jq -c '{delivered}'"
post /v1/processes/3/join '{"timeout": 5}' "$brief"

say 'What the first one printed.'
show 'curl -sS --unix-socket s localhost/v1/processes/1/logs'

say 'All of them, newest first.'
show "curl -sS --unix-socket s localhost/v1/processes | jq -c '.processes[] | $brief'"

say 'The same in the database, which anyone may read at any time.'
show "sqlite3 -box state/registry.db 'SELECT name, pid, daemon, exitcode FROM processes'"

say 'Stop the server; it exits 0 and leaves nothing running.'
printf '$ kill -TERM %s\n' "$main"
kill -TERM "$main"
status=0
wait "$main" || status=$?
main=
echo "exit status $status"
exit "$status"
