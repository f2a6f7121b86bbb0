#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What is printed where, on terminals and elsewhere.

load cli

setup_file() {
  creche_setup_file
  creche run -n plain -l app=x -- sh -c 'exit 3' >/dev/null
  creche run -n $'evil\033[31m\nname' -- true >/dev/null
  creche run -n '日本語の名前' -- true >/dev/null
  creche join 1 || :
  creche join 2 3
}

# Nothing that a terminal would obey.
assert_tame() { # TEXT
  [[ $1 != *$'\033'* && $1 != *$'\r'* && $1 != *$'\a'* && $1 != *$'\302\233'* ]] || fail "it obeys: $(cat -v <<<"$1")"
}

@test "JSON is the object of the API, unchanged" {
  assert_equal "$(creche show 1 -o json | jq -c .)" "$(api GET /v1/processes/1 | jq -c .)"
  assert_equal "$(creche ps -o jsonl --sort id | head -1 | jq -c .)" "$(api GET /v1/processes/1 | jq -c .)"
  assert_equal "$(creche ps -a -o json | jq -c .)" "$(api GET /v1/processes | jq -c .)"
}

@test "columns, their order, the order of rows, and the header are as asked for" {
  assert_equal "$(creche ps --columns exitcode,id --sort -id --no-header | tr -s ' ')" $'0 3\n0 2\n3 1'
  assert_match "$(creche ps --columns exitcode,id | head -1)" '^EXITCODE +ID$'
  creche_status ps --columns id,nosuch
  assert_equal "$STATUS" 2
  assert_hint 'id name status'
  creche_status ps --sort nosuch
  assert_equal "$STATUS" 2
  creche_status ps -o xml
  assert_equal "$STATUS" 2
}

@test "csv quotes what must be quoted, and has the values themselves" {
  assert_equal "$(creche ps -o csv --columns id,name,state --sort id | head -2)" $'id,name,state\n1,plain,stopped'
  assert_equal "$(creche ps -o csv --columns command --no-header --sort id | head -1)" '"[""sh"",""-c"",""exit 3""]"'
}

@test "-q prints ids, -o name prints names" {
  assert_equal "$(creche ps -q --sort id | head -1) $(creche ps -o name --sort id | head -1)" '1 plain'
}

@test "control bytes of names and arguments are shown, never obeyed, also where there is no terminal" {
  local out

  for how in 'ps' 'ps -o wide' 'ps -o name' 'show 2' 'logs 1 2' 'events'; do
    # shellcheck disable=SC2086
    out=$(creche $how)
    assert_tame "$out"
  done
  assert_match "$(creche ps)" 'evil\\x1b\[31m\\nname'
  assert_equal "$(creche ps | wc -l)" 4
}

@test "control bytes of logs are shown on a terminal, and are as they are in a pipe" {
  local id bytes=$'a\033[2Jb\rc\302\233d\xffe\tf\n'

  id=$(creche run -- printf '%s' "$bytes")
  creche join "$id"
  assert_equal "$(creche logs "$id" | od -c)" "$(printf '%s' "$bytes" | od -c)"
  assert_equal "$(on_terminal 80 "$BUILD/creche" logs "$id")" $'a\\x1b[2Jb\\rc\\xc2\\x9bd\\xffe\tf'
  assert_equal "$(on_terminal 80 "$BUILD/creche" logs --raw "$id" | od -c)" "$(printf '%s' "$bytes" | od -c)"
}

@test "colours: on a terminal only, unless NO_COLOR or --color says otherwise" {
  [[ $(on_terminal 80 "$BUILD/creche" ps) == *$'\033[31m'* ]]
  assert_tame "$(NO_COLOR=1 on_terminal 80 "$BUILD/creche" ps)"
  assert_tame "$(on_terminal 80 "$BUILD/creche" ps --color never)"
  assert_tame "$(creche ps)"
  [[ $(creche --color=always ps) == *$'\033[31m'* ]]
  creche_status ps --color=blue
  assert_equal "$STATUS" 2
}

@test "a table is as wide as the terminal, and a pipe gets all of it" {
  local long line

  long=$(printf 'x%.0s' {1..300})
  creche run -n wide -- true "$long"
  while IFS= read -r line; do
    ((${#line} <= 60)) || fail "${#line} columns: $line"
  done < <(LC_ALL=C.UTF-8 on_terminal 60 "$BUILD/creche" ps --color never --no-header --search xxx)
  assert_match "$(on_terminal 60 "$BUILD/creche" ps --color never --search xxx)" 'true x+…'
  assert_match "$(creche ps)" "$long"
}

@test "wide characters take two columns" {
  local plain wide

  plain=$(creche ps --columns name,id --no-header | grep plain)
  wide=$(creche ps --columns name,id --no-header | grep 日本)
  # Six characters of two columns, and as many bytes more as they have beyond one a column.
  assert_equal "$((${#wide} + 6))" "${#plain}"
}

@test "a reader that leaves is no error to tell" {
  local status

  creche ps 2>"$BATS_TEST_TMPDIR/err" | head -0
  status=${PIPESTATUS[0]}
  assert_equal "$(<"$BATS_TEST_TMPDIR/err")" ''
  ((status == 0 || status == 141)) || fail "status $status"
  status=0
  # SIGPIPE ignored, as under some supervisors.
  python3 -c 'import os, signal, subprocess, sys
signal.signal(signal.SIGPIPE, signal.SIG_IGN)
r, w = os.pipe()
os.close(r)
sys.exit(subprocess.run(sys.argv[1:], stdout=w, restore_signals=False).returncode)' "$BUILD/creche" ps \
    2>"$BATS_TEST_TMPDIR/err" || status=$?
  assert_equal "$status $(<"$BATS_TEST_TMPDIR/err")" '1 '
}

@test "a stdout that takes nothing is a failure: 1" {
  local command

  for command in 'ps' 'show 1' 'info' 'logs 1' 'help' 'help run' 'ps -o json' 'ps -o csv'; do
    STATUS=0
    # shellcheck disable=SC2086
    ERR=$(creche $command 2>&1 >/dev/full) || STATUS=$?
    if [[ $command == 'logs 1' ]]; then
      assert_equal "$STATUS" 0 # nothing was written
    else
      assert_equal "$command: $STATUS" "$command: 1"
      assert_match "$ERR" 'No space left'
    fi
  done
  STATUS=0
  ERR=$(creche ps 2>&1 >&-) || STATUS=$?
  assert_equal "$STATUS" 1
  STATUS=0
  ERR=$(creche run --follow echo x 2>&1 >/dev/full) || STATUS=$?
  assert_equal "$STATUS" 125
}

@test "a pipe that somebody has made non-blocking gets everything" {
  local id

  id=$(creche run --shell 'seq 200000')
  creche join "$id"
  # shellcheck disable=SC2016
  assert_equal "$(python3 -c 'import os, subprocess, sys, time
r, w = os.pipe()
os.set_blocking(w, False)
p = subprocess.Popen(sys.argv[1:], stdout=w)
os.close(w)
time.sleep(0.2)
sys.stdout.write(open(r).read())
sys.exit(p.wait())' "$BUILD/creche" logs "$id" | sha256sum)" "$(seq 200000 | sha256sum)"
}

@test "closed stdin and stderr do no harm" {
  assert_equal "$(creche ps -q --sort id <&- 2>&- | head -1)" 1
}

@test "no word of ours is on stdout, no data on stderr" {
  creche_status run -- true
  assert_equal "$ERR" ''
  creche_status join @last
  assert_equal "$OUT$ERR" ''
  creche_status join 1
  assert_equal "$OUT" ''
  assert_match "$ERR" 'plain \(1\): exited with 3'
}

@test "ages are as people say them" {
  assert_match "$(creche ps)" 'exited with 3, (less than a second|[0-9]+ (second|minute)s?) ago'
}

@test "-v shows what can be typed instead" {
  local line

  creche_status -v show 1 -o json
  line=$(sed -n 's/^+ //p' <<<"$ERR")
  assert_equal "$(eval "$line" | jq -c .)" "$(jq -c . <<<"$OUT")"
}

@test "ten thousand processes are listed, a page at a time" {
  local n

  n=$(yes 'POST /v1/processes {"argv":["true"],"start":false,"labels":{"huge":"x"}}' | head -10000 | api_many 16 | grep -c '^201')
  assert_equal "$n" 10000
  assert_equal "$(creche ps -q -l huge | sort -un | wc -l)" 10000
  assert_equal "$(creche ps -l huge | wc -l)" 10001
  assert_equal "$(creche ps -l huge -n 2500 -o jsonl | wc -l)" 2500
  assert_equal "$(creche ps -o json -l huge | jq '.processes | length')" 10000
}
