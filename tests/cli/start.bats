#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# run, create, start, join, wait-any: what is started, and what we exit with.

load cli

# ------------------------------------------------------------------------------------------ run

@test "run prints the id, and nothing else on stdout" {
  creche_status run -- true
  assert_equal "$STATUS $ERR" '0 '
  assert_match "$OUT" '^[0-9]+$'
}

@test "argv is passed as it is, and no shell looks at it" {
  local id

  # shellcheck disable=SC2016
  id=$(creche run --name words -- printf '%s|' '$HOME' '*' 'a  b' '' --name -h $'\n' "'")
  creche join "$id"
  # shellcheck disable=SC2016
  assert_equal "$(creche logs "$id")" '$HOME|*|a  b||--name|-h|'$'\n'"|'|"
}

@test "the first word that is no option begins the command line" {
  assert_equal "$(creche run --follow echo --name x -v)" '--name x -v'
}

@test "--shell is the way to a shell" {
  assert_equal "$(creche run --follow --shell 'echo a b | tr a-z A-Z')" 'A B'
  creche_status run --shell echo a
  assert_equal "$STATUS" 2
}

@test "bytes that are no UTF-8 reach the child" {
  assert_equal "$(creche run --follow -- printf '%s' $'\xff\xfe' | od -An -tx1)" ' ff fe'
}

@test "each member of the request has an option, and each option is one of its members" {
  local asked members

  # argv, or args of a target, is what stands behind; start is what `create` is for.
  members=$(jq -r '.components.schemas.CreateProcessRequest.properties | keys[]' "$BATS_TEST_DIRNAME/../../api/openapi.json" |
    grep -vx -e start -e argv -e args)
  creche_status create -v --name n -e A=1 --secret HOME --cwd / --label k=v --user 0 --group 0 --stdin pipe --stdout log \
    --stderr log --timeout 9m --grace 2 --daemon --on-parent-death term --rlimit nofile=64:128 --nice 3 --umask 027 \
    --start-method fork --identity 99999 --allow-new-privs --target t --kwarg k=v -- true
  asked=$(sed -n "s/^+ .* -d '\(.*\)' .*/\1/p" <<<"$ERR")
  assert_equal "$(jq -r 'del(.start, .args) | keys[]' <<<"$asked")" "$members"
  assert_equal "$(jq -c '[.timeout, .rlimits.nofile, .on_parent_death, .user, .nice, .umask]' <<<"$asked")" \
    '[540,[64,128],"SIGTERM",0,3,"027"]'
}

@test "a target is run by its name, with values in order or by name" {
  api PUT /v1/targets/greet '{"argv": ["echo", "{greeting} {who}!"], "cwd": "/",
    "placeholders": [{"name": "who", "pattern": "[A-Za-z ]+"}, {"name": "greeting", "pattern": "[A-Z][a-z]+", "default": "Hello"}]}' \
    >/dev/null
  assert_equal "$(creche run --follow --target greet 'big world')" 'Hello big world!'
  assert_equal "$(creche run --follow -T greet -k greeting=Hi -k who=you)" 'Hi you!'
  creche_status run --target greet 'a; b'
  assert_equal "$STATUS" 2
  assert_match "$ERR" 'does not match the pattern'
  creche_status run --target greet --shell 'echo a'
  assert_equal "$STATUS" 2
  creche_status run
  assert_equal "$STATUS" 2
}

@test "what is asked for at a start is what the process gets" {
  local id

  id=$(MINE=ours creche run -n full -e A=1 -e A=2 -e MINE --label k=v --label l= --cwd /usr --umask 077 --nice 2 \
    --rlimit core=0:unlimited -- sh -c 'echo "$A $MINE $(pwd) $(umask) $(nice) $(ulimit -Sc) $(ulimit -Hc)"')
  creche join "$id"
  assert_equal "$(creche logs "$id")" '2 ours /usr 0077 2 0 unlimited'
  assert_equal "$(creche show "$id" -o json | jq -c '[.name, .labels]')" '["full",{"k":"v","l":""}]'
}

@test "a secret is given and shown nowhere, --verbose included" {
  local id

  printf 'from-file\n' >"$BATS_TEST_TMPDIR/secret"
  creche_status run -v --secret "F=$BATS_TEST_TMPDIR/secret" -- sh -c 'echo "[$F]"'
  id=$OUT
  creche join "$id"
  assert_equal "$(creche logs "$id")" '[from-file]'
  [[ $ERR != *from-file* ]]
  assert_match "$ERR" '"secrets":\{"F":"\.\.\."\}'
}

@test "it runs in our directory, when the daemon is this user's" {
  cd "$BATS_TEST_TMPDIR"
  assert_equal "$(creche run --follow pwd)" "$(pwd -P)"
}

@test "stdin: nothing, ours, a text, a pipe that stdin writes to" {
  local id

  assert_equal "$(echo unread | creche run --follow cat)" ''
  assert_equal "$(echo read | creche run --follow --stdin - cat)" 'read'
  assert_equal "$(creche run --follow --stdin-text $'a\nb' cat)" $'a\nb'
  id=$(creche run --stdin pipe cat)
  echo one | creche stdin --keep-open "$id"
  echo two | creche stdin "$id"
  creche join "$id"
  assert_equal "$(creche logs "$id")" $'one\ntwo'
}

@test "a stdin of megabytes arrives whole, while output is followed" {
  head -c 5000000 /dev/urandom >"$BATS_TEST_TMPDIR/bytes"
  assert_equal "$(creche run --follow --stdin - sha256sum <"$BATS_TEST_TMPDIR/bytes")" \
    "$(sha256sum <"$BATS_TEST_TMPDIR/bytes")"
}

@test "a child that ends before it has read our stdin is no failure" {
  creche_status run --wait true
  assert_equal "$STATUS" 0
  yes | head -c 3000000 | creche run --follow --stdin - -- head -c 2
}

@test "what create registers runs when it is started" {
  local id

  id=$(creche create --name later -- sh -c 'exit 4')
  assert_equal "$(creche show "$id" -o json | jq -r .state)" initial
  assert_equal "$(creche start later)" "$id"
  creche_status join "$id"
  assert_equal "$STATUS" 4
  creche_status start "$id"
  assert_equal "$STATUS" 5
  assert_hint 'creche run'
}

@test "with the same key it is the same process" {
  assert_equal "$(creche run --idempotency-key k1 true)" "$(creche run --idempotency-key k1 true)"
  creche_status run --idempotency-key k1 false
  assert_equal "$STATUS" 2
}

# ----------------------------------------------------------------------------------- exit codes

@test "run --wait, run --follow and join give the child's code, or 128 and its signal" {
  local how

  for how in --wait --follow; do
    creche_status run "$how" -- sh -c 'exit 7'
    assert_equal "$how $STATUS" "$how 7"
    creche_status run "$how" -- sh -c 'kill -9 $$'
    assert_equal "$how $STATUS" "$how 137"
    assert_match "$ERR" 'killed by SIGKILL'
  done
  creche_status join "$(creche run -- sh -c 'kill -USR1 $$')"
  assert_equal "$STATUS" 138
}

@test "not found is 127, not executable 126, at the start and at the join" {
  creche_status run --wait -- no-such-program
  assert_equal "$STATUS" 127
  assert_match "$ERR" "no-such-program"
  assert_hint "creche show"
  creche_status run -- /etc/passwd
  assert_equal "$STATUS" 126
  creche_status join @last
  assert_equal "$STATUS" 126
}

@test "a directory that is not there is no program that was not found" {
  creche_status run -C /nowhere-at-all -- true
  assert_equal "$STATUS" 1
  assert_hint '--cwd'
  creche_status run --wait -C /nowhere-at-all -- true
  assert_equal "$STATUS" 125
  creche_status join @last
  assert_equal "$STATUS" 125
}

@test "a member that is refused is named once" {
  creche_status run --nice 50 -- true
  assert_equal "$STATUS $(head -1 <<<"$ERR")" '2 creche: nice: must be an integer from -20 to 19'
}

@test "a child that run --timeout has ended is 124, whatever it makes of that" {
  local how

  for how in --wait --follow; do
    creche_status run "$how" --timeout 0.2 -- sleep 1000
    assert_equal "$how $STATUS" "$how 124"
    assert_match "$ERR" 'time is over'
  done
  # shellcheck disable=SC2016
  creche_status run --wait --timeout 0.5 -- sh -c 'trap "exit 0" TERM; while :; do sleep 0.05; done'
  assert_equal "$STATUS" 124
  creche_status run --wait --timeout 100 -- sh -c 'exit 3'
  assert_equal "$STATUS" 3
}

@test "a time that is over is 124, and the child goes on" {
  local id

  id=$(creche run -- sleep 1000)
  creche_status join --timeout 0.05 "$id"
  assert_equal "$STATUS" 124
  assert_hint 'creche terminate'
  assert_equal "$(field "$id" .state)" started
  creche kill --wait "$id"
}

@test "failures of our own are 125 where the code could be the child's" {
  creche_status join 999999
  assert_equal "$STATUS" 125
  creche_status run --wait --bogus true
  assert_equal "$STATUS" 125
  CRECHE_SOCKET=/nowhere creche_status run --follow true
  assert_equal "$STATUS" 125
  creche_status join "$(creche create true)"
  assert_equal "$STATUS" 125
}

@test "of several, join gives the first that is not 0, in the order named" {
  local a b c

  a=$(creche run true) b=$(creche run sh -c 'exit 5') c=$(creche run sh -c 'exit 6')
  creche_status join "$a" "$c" "$b"
  assert_equal "$STATUS" 6
  creche_status join "$a" "$a"
  assert_equal "$STATUS" 0
}

@test "wait-any prints who has ended, and exits with its code" {
  local a b

  a=$(creche run -- sleep 1000) b=$(creche run sh -c 'exit 9')
  creche_status wait-any "$a" "$b"
  assert_equal "$STATUS $OUT" "9 $b"
  creche kill "$a"
}

@test "more processes than one join takes are joined all the same" {
  local n

  n=$(for i in {1..1100}; do echo 'POST /v1/processes {"argv":["true"],"labels":{"many":"x"}}'; done | api_many 8 | grep -c '^201')
  assert_equal "$n" 1100
  creche_status join -l many=x -o name
  assert_equal "$STATUS $(wc -l <<<"$OUT")" '0 1100'
}

# -------------------------------------------------------------------------------------- signals

# Says what it gets; prints "ready" when it would notice.
TRAPPER='trap "echo got INT" INT; trap "echo got TERM; exit 0" TERM; trap "echo got HUP" HUP; trap "echo got USR1" USR1
  echo ready; while :; do sleep 0.05; done'

@test "run forwards signals to the child, and stays" {
  local pid signal

  background run --follow -- sh -c "$TRAPPER" \
    >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" &
  pid=$!
  wait_until grep -q ready "$BATS_TEST_TMPDIR/out"
  for signal in INT HUP USR1 TERM; do
    kill -s "$signal" "$pid"
    wait_until grep -q "got $signal" "$BATS_TEST_TMPDIR/out"
  done
  wait "$pid"
}

@test "a Ctrl-C that is typed ends what a shell waits for, too, as without us" {
  run env -u CRECHE_TOKEN -u CRECHE_URL "$BATS_TEST_DIRNAME/keys.py" 24x80 see:ready 'type:\x03' end \
    -- "$BUILD/creche" run --follow --shell 'echo ready; sleep 1000; echo after'
  assert_match "$output" 'status 130'
  [[ $output != *after* ]]
}

@test "a child that a forwarded signal kills makes 128 and its number" {
  local pid status=0

  background run --wait --name victim -- sleep 1000 >"$BATS_TEST_TMPDIR/id" &
  pid=$!
  wait_until test -s "$BATS_TEST_TMPDIR/id"
  kill -TERM "$pid"
  wait "$pid" || status=$?
  assert_equal "$status" 143
}

@test "a join that is interrupted leaves the child alone" {
  local id pid status=0

  id=$(creche run -- sleep 1000)
  background join "$id" &
  pid=$!
  sleep 0.3
  kill -INT "$pid"
  wait "$pid" || status=$?
  assert_equal "$status $(field "$id" .state)" '130 started'
  creche kill "$id"
}
