#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Which processes are meant, and what is done with them.

load cli

@test "a process is meant by its id, its name, or the only beginning of a name" {
  local id

  id=$(creche run -n solitary true)
  creche run -n solid-1 true
  for word in "$id" solitary solita; do
    assert_equal "$(creche show "$word" -o json | jq .id)" "$id"
  done
}

@test "of several with one name it is the one that has not ended" {
  local old new

  old=$(creche run -n twin true)
  creche join "$old"
  new=$(creche run -n twin -- sleep 1000)
  assert_equal "$(creche show twin -o json | jq .id)" "$new"
  creche terminate twin
  creche_status join "$new"
  assert_equal "$STATUS" 143
}

@test "what could mean several is refused with the candidates, and nothing is done" {
  local a b

  a=$(creche run -n many-a -- sleep 1000) b=$(creche run -n many-b -- sleep 1000)
  creche_status kill many
  assert_equal "$STATUS" 2
  assert_hint "many-b \($b\), up .*many-a \($a\), up "
  assert_equal "$(field "$a" .state) $(field "$b" .state)" 'started started'
  creche kill --wait "$a" "$b"
}

@test "a glob and a label mean all that match; those that have ended are not signalled" {
  local a b c

  a=$(creche run -n glob-a -l set=g -- sleep 1000) b=$(creche run -n glob-b -l set=g -- sleep 1000)
  c=$(creche run -n glob-c -l set=h -- sleep 1000)
  creche terminate --wait 'glob-[ab]'
  assert_equal "$(field "$a" .state) $(field "$b" .state) $(field "$c" .state)" 'stopped stopped started'
  creche terminate --wait -l set
  assert_equal "$(creche ps -q -l set=g | sort -n | tr '\n' ' ')" "$a $b "
  assert_equal "$(field "$c" .exitcode)" -15
}

@test "@last is what was started last" {
  local id

  id=$(creche run -n newest true)
  assert_equal "$(creche show @last -o json | jq .id)" "$id"
}

@test "in a process, creche acts as that process, and @last is its own child" {
  local id

  id=$(creche run -n parent -- sh -c '
    creche=$0; mine=$("$creche" run -n inner -- sh -c "exit 6"); "$creche" join @last; echo "$mine $?"' "$BUILD/creche")
  creche run -n later true
  creche join "$id"
  assert_match "$(creche logs --stream stdout parent)" ' 6$'
  assert_equal "$(creche show inner -o json | jq .parent)" "$id"
}

@test "what is named twice is done once, and one failure does not keep the others from being done" {
  local a b

  a=$(creche run -- sleep 1000) b=$(creche create -- true)
  creche_status terminate "$b" "$a" "$a"
  assert_equal "$STATUS" 5
  assert_hint 'creche start'
  creche_status join "$a"
  assert_equal "$STATUS" 143
}

@test "nobody of that name is 4, with the next step" {
  creche_status show nobody-at-all
  assert_equal "$STATUS" 4
  assert_hint 'creche ps -a'
  creche_status rm 999999
  assert_equal "$STATUS" 4
  creche_status terminate -l no=such
  assert_equal "$STATUS" 4
  creche_status logs
  assert_equal "$STATUS" 2
}

@test "to terminate what has ended is done already" {
  creche join "$(creche run -n ended-already true)"
  creche_status terminate ended-already
  assert_equal "$STATUS" 0
}

@test "signal and kill -s take names and numbers" {
  local id signal

  for signal in USR1 sigusr1 10; do
    id=$(creche run -- sleep 1000)
    creche signal --wait "$signal" "$id"
    assert_equal "$signal $(field "$id" .exitcode)" "$signal -10"
  done
  id=$(creche run -- sleep 1000)
  creche kill -s HUP --wait "$id"
  assert_equal "$(field "$id" .exitcode)" -1
  creche_status signal NOSUCH "$id"
  assert_equal "$STATUS" 2
}

@test "who has ended is terminated and killed already, and gets no other signal: 5" {
  local id

  id=$(creche run -- true)
  creche join "$id"
  creche terminate "$id"
  creche kill "$id"
  for command in 'interrupt' 'signal HUP' 'kill -s USR1'; do
    # shellcheck disable=SC2086
    creche_status $command "$id"
    assert_equal "$command $STATUS$OUT" "$command 5"
    assert_match "$ERR" 'got no signal: exited with 0'
  done
}

@test "interrupt sends SIGINT, stop NAME returns when it has ended" {
  local id

  id=$(creche run -n int -- sleep 1000)
  creche interrupt --wait int
  assert_equal "$(field "$id" .exitcode)" -2
  id=$(creche run -n stopme -- sleep 1000)
  creche stop stopme
  assert_equal "$(field "$id" .exitcode)" -15
  http_code GET /healthz
}

@test "rename, close and rm do what they say" {
  local id

  id=$(creche run -n before true)
  creche join "$id"
  creche rename before 'after ä'
  assert_equal "$(field "$id" .name)" 'after ä'
  creche close 'after ä'
  assert_equal "$(field "$id" .state)" closed
  assert_equal "$(creche ps -q --name 'after ä')" ''
  assert_equal "$(creche ps -a -q --name 'after ä')" "$id"
  creche rm "$id"
  assert_equal "$(http_code GET "/v1/processes/$id")" 404
  id=$(creche run -- sleep 1000)
  creche_status rm "$id"
  assert_equal "$STATUS" 5
  assert_hint 'creche terminate'
  creche kill "$id"
}

@test "active lists the children that run" {
  local id

  id=$(creche run -n runner -- sleep 1000)
  creche run true
  assert_equal "$(creche active -q)" "$id"
  creche kill --wait "$id"
}

@test "a token that lacks a scope is 6, with the next step" {
  local token

  token=$(creche token mint reader --scope read)
  STATUS=0
  ERR=$(CRECHE_TOKEN=$token env -u CRECHE_URL "$BUILD/creche" run true 2>&1) || STATUS=$?
  assert_equal "$STATUS" 6
  assert_hint 'creche token mint'
  CRECHE_TOKEN=$token env -u CRECHE_URL "$BUILD/creche" ps -q
  assert_match "$(creche token list)" 'reader +read +never'
  creche token revoke "$(creche token list -o csv --no-header --columns id,name | sed -n 's/,reader$//p')"
  STATUS=0
  ERR=$(CRECHE_TOKEN=$token env -u CRECHE_URL "$BUILD/creche" ps 2>&1) || STATUS=$?
  assert_equal "$STATUS" 6
}
