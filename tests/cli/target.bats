#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# creche target: what may be started by its name.

load cli

completes() { creche __complete "$@" | cut -f1; }

@test "put, list, show, run, rm" {
  assert_equal "$(creche target put -p 'who=[A-Za-z ]+' --default who=world -D 'Says hello.' -e A=b --timeout 1m \
    greet -- echo 'Hello {who}!')" greet
  assert_equal "$(creche target list --columns name,takes,command)" $'NAME   TAKES  COMMAND\ngreet  who    echo \'Hello {who}!\''
  assert_equal "$(creche target show greet -o json | jq -c '[.argv, .placeholders, .env, .timeout, .description]')" \
    '[["echo","Hello {who}!"],[{"name":"who","pattern":"[A-Za-z ]+","default":"world"}],["A"],60,"Says hello."]'
  assert_match "$(creche target show greet)" 'takes +who=\[A-Za-z \]\+, else world'
  assert_equal "$(creche run --follow --target greet -k who=you)" 'Hello you!'
  assert_equal "$(creche run --follow -T greet)" 'Hello world!'
  creche target rm greet
  assert_equal "$(creche target list -q)" ''
}

@test "put takes a definition as the API does, from a file or from stdin" {
  echo '{"argv": ["true"], "cwd": "/"}' >"$BATS_TEST_TMPDIR/t.json"
  creche target put --file "$BATS_TEST_TMPDIR/t.json" of-file
  creche target put --file - of-stdin <"$BATS_TEST_TMPDIR/t.json"
  assert_equal "$(creche target show of-file of-stdin -o json | jq -c '[.name, .argv, .cwd]')" \
    $'["of-file",["true"],"/"]\n["of-stdin",["true"],"/"]'
  creche target rm of-file of-stdin
}

@test "put replaces" {
  creche target put twice -- echo one
  creche target put twice -- echo two
  assert_equal "$(creche run -f -T twice)" two
  creche target rm twice
}

@test "there is no such target: 4, and which it was perhaps meant to be" {
  creche_status target show resize
  assert_equal "$STATUS" 4
  assert_hint 'there are none yet: creche target put'
  creche target put resize -- true
  creche target put enlarge -- true
  for said in 'target show' 'target rm' 'run --target' 'create --target'; do
    # shellcheck disable=SC2086
    creche_status $said resise
    assert_equal "$said: $STATUS" "$said: 4"
    assert_match "$ERR" "there is no target 'resise'"
    assert_hint 'did you mean resize'
  done
  creche_status target show something
  assert_hint 'there are: enlarge, resize|there are: resize, enlarge'
  # Where the status is that of a child, it is one of our own.
  creche_status run --wait --target resise
  assert_equal "$STATUS" 125
  assert_hint 'did you mean resize'
  creche target rm resize enlarge
}

@test "rm deletes the others all the same" {
  creche target put one -- true
  creche_status target rm none one
  assert_equal "$STATUS" 4
  assert_equal "$(creche target list -q)" ''
}

@test "wrong words: 2, and the next step" {
  while read -r words; do
    eval "creche_status target $words"
    assert_equal "$words: $STATUS" "$words: 2"
    assert_hint .
  done <<'END'
put
put x
put x --
put --file /nowhere x
put --file /dev/null x
put --file /etc/passwd x -- true
put -p who x -- echo '{who}'
put --default who=1 x -- echo
put -p 'who=(' x -- echo '{who}'
put x -- echo '{who}'
put --stdin nonsense x -- true
show
rm
frobnicate
END
}

@test "names of targets are completed" {
  creche target put -D 'Makes it small.' shrink -- true
  assert_equal "$(completes target '' | tr '\n' ' ')" 'list show put rm '
  assert_equal "$(creche __complete target show s)" $'shrink\tMakes it small.'
  assert_equal "$(completes target rm '')" shrink
  assert_equal "$(completes run --target sh)" shrink
  assert_equal "$(completes create -T '')" shrink
  creche target rm shrink
}

@test "bash, zsh and fish complete names of targets" {
  local path=$BUILD:$PATH

  creche target put shrink -- true
  # shellcheck disable=SC2016
  assert_equal "$(PATH=$path bash --norc -c 'source <(creche completion bash); compopt() { :; }
    COMP_WORDS=(creche run --target shr); COMP_CWORD=3; _creche; echo "${COMPREPLY[@]}"')" shrink
  # shellcheck disable=SC2016
  assert_equal "$(PATH=$path zsh -f -c 'autoload -Uz compinit; compinit -u -D; source <(creche completion zsh)
    _describe() { print -l -- "${(@P)2%%:*}" }
    words=(creche target show shr); CURRENT=4; _creche')" shrink
  assert_equal "$(PATH=$path HOME=$BATS_TEST_TMPDIR fish --no-config -c 'creche completion fish | source
    complete -C "creche target rm shr"' | cut -f1)" shrink
  creche target rm shrink
}

@test "a name that no target can have is wrong usage, and what it may be is said" {
  local name

  for name in 'a b' .x a/b; do
    creche_status target put "$name" -- echo
    assert_equal "$name: $STATUS" "$name: 2"
    assert_hint 'letters, digits'
  done
}
