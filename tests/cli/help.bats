#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What the program says of itself: help, guesses, completion.

load cli

# The names of all commands, as the help lists them.
commands() {
  creche help | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\( [a-z]*\)\?\)  .*/\1/p'
}

# What Tab would show, without what it is.
completes() { creche __complete "$@" | cut -f1; }

@test "every command has help that begins with an example, and -h, --help and help say the same" {
  local command n=0

  while read -r command; do
    # shellcheck disable=SC2086
    creche_status $command --help
    assert_equal "$command $STATUS $ERR" "$command 0 "
    assert_match "$(sed -n 3p <<<"$OUT")" "creche|creche $command"
    # shellcheck disable=SC2086
    assert_equal "$(creche help $command)" "$OUT"
    # shellcheck disable=SC2086
    assert_equal "$(creche $command -h)" "$OUT"
    ((++n))
  done < <(commands)
  ((n > 25)) || fail "only $n commands"
}

@test "help and --help go to stdout, a missing command is 2" {
  assert_equal "$(creche --help)" "$(creche help)"
  creche_status
  assert_equal "$STATUS $OUT" '2 '
  assert_match "$(creche --version)" '^creche [0-9]'
}

@test "exit codes are those of the table" {
  local out

  out=$(creche help exit-codes)
  for line in '0 +done' '2 +wrong words' '3 +no daemon' '4 +.*no such process' '5 ' '6 +denied' '124 ' '125 ' '126 ' '127 ' \
    '128\+N'; do
    assert_match "$out" "  $line"
  done
  creche help processes
  creche help environment
}

@test "did you mean: commands, options, topics" {
  local said

  for said in 'pss ps' 'termnate terminate' 'lgos logs' 'shwo show' 'term terminate'; do
    creche_status "${said% *}"
    assert_equal "$STATUS" 2
    assert_hint "did you mean: creche ${said#* }"
  done
  creche_status frobnicate
  assert_equal "$STATUS" 2
  assert_hint 'creche help'
  creche_status ps --colums id
  assert_hint 'did you mean --columns'
  creche_status ps --col id
  assert_match "$ERR" '--col could be any of --columns, --color'
  creche_status ps --all=yes
  assert_match "$ERR" '--all takes no value'
  creche_status help exit-code
  assert_equal "$STATUS" 2
}

@test "the first of two words alone tells which there are" {
  local said word

  for said in 'token --help' 'token -h' 'help token'; do
    # shellcheck disable=SC2086
    creche_status $said
    assert_equal "$STATUS $ERR" '0 '
    for word in mint list revoke; do
      assert_match "$OUT" "token $word"
    done
  done
  for said in token 'token nonsense'; do
    # shellcheck disable=SC2086
    creche_status $said
    assert_equal "$STATUS" 2
    assert_hint 'token mint, token list, token revoke'
  done
  creche_status tokn
  assert_hint 'did you mean: creche token mint'
}

@test "what the daemon refuses is explained by the help of this command" {
  local said

  for said in 'ps --state nonsense' 'ps --since yesterday' 'events --type nonsense' 'run --nice 50 true'; do
    # shellcheck disable=SC2086
    creche_status $said
    assert_equal "$STATUS" 2
    assert_hint "'creche help ${said%% *}' explains"
  done
}

@test "a number is its digits: no space, no plus, no more than 64 bits" {
  local number

  for number in ' 5' +5 '5 ' 0x5 99999999999999999999; do
    creche_status ps --limit "$number"
    assert_equal "$STATUS $(head -1 <<<"$ERR")" "2 creche: --limit: '$number' is no number from 1 to 2147483647"
    creche_status run --nice "$number" true
    assert_equal "$STATUS $(head -1 <<<"$ERR")" "2 creche: --nice: '$number' is no N"
  done
}

@test "every error ends in the next step" {
  local command

  while read -r command; do
    # shellcheck disable=SC2086
    creche_status $command
    ((STATUS)) || fail "'$command' succeeds"
    ((STATUS < 128)) || fail "'$command' dies: $ERR"
    (($(wc -l <<<"$ERR") >= 2)) || fail "'$command' says only: $ERR"
  done <<'END'
ps --limit x
ps --limit
ps -Z
ps too much
show
show nothing-of-that-name
join --timeout soon 1
run
run --secret NOT_IN_OUR_ENVIRONMENT true
run --secret X=/nowhere true
run --rlimit nofile true
run --rlimit nofile=x true
run --label x true
run --nice x true
run --timeout x true
run --cwd nowhere-at-all true
run --stdin nonsense true
run --on-parent-death NOPE true
run --stdin - --stdin-text x true
run --daemon --no-daemon true
logs --stream x 1
logs -n x 1
signal
token mint
token mint x
token mint x --scope nothing
token revoke x
token revoke 999
completion tcsh
rename 1
stdin 999
events --since x
events --process nobody
sql
upgrade --timeout x
doctor too much
top
top -b --sort nosuch
up -f /nowhere
export nobody
END
}

@test "completion: commands, options, values, live names" {
  creche run -n live-one -- sleep 1000
  creche run -n dead-one -- true
  creche join dead-one
  assert_equal "$(completes te)" terminate
  assert_equal "$(completes token '' | tr '\n' ' ')" 'mint list revoke '
  assert_equal "$(completes ps --col)" $'--columns\n--color'
  assert_equal "$(completes ps -o js)" $'json\njsonl'
  assert_equal "$(completes terminate '')" live-one
  assert_equal "$(completes show '' | sort | tr '\n' ' ')" 'dead-one live-one '
  assert_equal "$(completes completion '' | tr '\n' ' ')" 'bash zsh fish '
  assert_equal "$(completes help exit)" exit-codes
  assert_equal "$(completes run '')" :program
  assert_equal "$(completes run -n x -- ls '')" :file
  assert_equal "$(completes --color al)" always
  creche kill live-one
}

@test "completion without a daemon says nothing, at once" {
  CRECHE_SOCKET=/nowhere creche_status __complete show ''
  assert_equal "$STATUS $OUT" '0 '
}

@test "bash completes by it" {
  local out

  creche run -n 'two words' -- true
  out=$(PATH=$BUILD:$PATH bash --norc -c '
    source <(creche completion bash)
    try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _creche; printf "%s\n" "${COMPREPLY[@]}"; }
    compopt() { :; }
    try creche termi
    try creche show tw
    try creche run bas | grep -x bash | head -1')
  assert_equal "$out" $'terminate\ntwo\\ words\nbash'
}

@test "fish completes by it" {
  local out

  creche run -n 'fish words' -- true
  out=$(PATH=$BUILD:$PATH HOME=$BATS_TEST_TMPDIR fish --no-config -c 'creche completion fish | source
    complete -C "creche termi"; complete -C "creche show fish"' | cut -f1)
  assert_equal "$out" $'terminate\nfish words'
}

@test "zsh completes by it" {
  local out

  creche run -n 'zsh words' -- true
  # What it would show is printed instead.
  out=$(PATH=$BUILD:$PATH zsh -f -c 'autoload -Uz compinit; compinit -u -D
    source <(creche completion zsh)
    _describe() { print -l -- "${(@P)2%%:*}" }
    words=(creche termi); CURRENT=2; _creche
    words=(creche show zsh); CURRENT=3; _creche')
  assert_equal "$out" $'terminate\nzsh words'
}
