#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# up and export: what shall run, and what does, as a file.

load cli

setup() {
  # A name of its own is the project, and the names of the processes begin with it.
  P=p$BATS_TEST_NUMBER
  APP=$BATS_TEST_TMPDIR/$P
  mkdir -p "$APP"
}

teardown() {
  local left

  left=$(creche ps -q -l "creche.up=$P" --state started,starting)
  # shellcheck disable=SC2086
  [[ -z $left ]] || creche kill --wait $left
  creche_teardown
}

file() { # JSON OF PROCESSES
  printf '{"processes": %s}' "$1" >"$APP/app.json"
}

# The ids of those that run for this test, on a line.
running() { creche ps -q -l "creche.up=$P" --state started --sort id | tr '\n' ' '; }

# "ACTION NAME" of each step of the plan.
planned() { creche up -f "$APP/app.json" --dry-run -o json | jq -r '.plan[] | "\(.action) \(.name)"' | tr '\n' ' '; }

@test "a Procfile is started, each line by a shell in the directory of the file; a second time nothing is changed" {
  local ids

  printf '# what there is\n\nweb: echo $((1 + 1)) $PWD; exec sleep 1000\nworker: exec sleep 1000\n' >"$APP/Procfile"
  creche_status up -f "$APP/Procfile" --yes
  assert_equal "$STATUS $OUT" "0 "$'+ start  web\n+ start  worker'
  ids=$(running)
  assert_equal "$(wc -w <<<"$ids")" 2
  wait_until logged "${ids%% *}" "2 $APP"
  creche_status up -f "$APP/Procfile"
  assert_equal "$STATUS" 0
  assert_match "$ERR" 'nothing to do: 2 processes are as the file says'
  assert_equal "$(running)" "$ids"
  (cd "$APP" && creche up)
  assert_equal "$(running)" "$ids"
}

logged() { # ID TEXT
  [[ $(creche logs "$1") == *"$2"* ]]
}

@test "JSON is started as the API's requests; what has changed is ended and started anew, the rest is kept" {
  local before after

  file '[{"name": "a", "argv": ["sleep", "1000"], "env": {"X": "1"}, "timeout": 900, "labels": {"own": "y"}},
         {"name": "b", "argv": ["sleep", "1000"]}, {"name": "c", "argv": ["sleep", "1000"]}]'
  creche up -f "$APP/app.json" --yes
  before=$(running)
  assert_equal "$(creche ps -l own=y -l "creche.up=$P" -o jsonl | jq -c .env)" '["X"]'
  assert_equal "$(planned)" 'keep a keep b keep c '
  # What can be seen, what cannot, and a value of env.
  file '[{"name": "a", "argv": ["sleep", "1000"], "env": {"X": "2"}, "timeout": 900, "labels": {"own": "y"}},
         {"name": "b", "argv": ["sleep", "2000"]}, {"name": "c", "argv": ["sleep", "1000"]}]'
  assert_equal "$(planned)" 'change a change b keep c '
  creche_status up -f "$APP/app.json" --yes
  assert_match "$OUT" 'change b .*argv'
  after=$(running)
  assert_equal "$(wc -w <<<"$after") ${after%% *}" "3 $(awk '{ print $3 }' <<<"$before")"
  assert_equal "$(creche show "${before%% *}" -o json | jq .exitcode)" -15
  file '[{"name": "a", "argv": ["sleep", "1000"], "env": {"X": "2"}, "timeout": 901, "labels": {"own": "y"}},
         {"name": "b", "argv": ["sleep", "2000"]}, {"name": "c", "argv": ["sleep", "1000"]}]'
  assert_equal "$(planned)" 'change a keep b keep c '
}

@test "what the file no longer has is left, and ended with --remove-orphans only" {
  local ids

  file '[{"name": "stays", "argv": ["sleep", "1000"]}, {"name": "goes", "argv": ["sleep", "1000"]}]'
  creche up -f "$APP/app.json" --yes
  ids=$(running)
  file '[{"name": "stays", "argv": ["sleep", "1000"]}]'
  creche_status up -f "$APP/app.json" --yes
  assert_match "$OUT" 'leave  goes .*--remove-orphans'
  assert_equal "$(running)" "$ids"
  creche up -f "$APP/app.json" --yes --remove-orphans
  assert_equal "$(running)" "${ids%% *} "
}

@test "orphans are those of the project: others are never touched" {
  local other

  other=$(creche run -n other -l creche.up=another -- sleep 1000)
  file '[]'
  creche up -f "$APP/app.json" --yes --remove-orphans
  assert_equal "$(creche show "$other" -o json | jq -r .state)" started
  creche kill "$other"
}

@test "without a terminal it does nothing unless --yes says so: 2, with the next step; --dry-run looks only" {
  file '[{"name": "never", "argv": ["true"]}]'
  creche_status up -f "$APP/app.json"
  assert_equal "$STATUS" 2
  assert_hint '--yes.*--dry-run'
  creche_status up -f "$APP/app.json" --dry-run
  assert_equal "$STATUS $OUT" '0 + start  never'
  assert_equal "$(creche ps -a -q --name never)" ''
}

@test "on a terminal it asks, and takes no for an answer" {
  file '[{"name": "asked", "argv": ["sleep", "1000"]}]'
  keys 'see:start  asked' 'see:\[y/N\]' 'type:n\n' see:nothing end
  assert_equal "$(creche ps -a -q --name asked)" ''
  keys 'see:\[y/N\]' 'type:y\n' end
  assert_equal "$(running | wc -w)" 1
}

keys() { # STEP...
  env -u CRECHE_TOKEN -u CRECHE_URL "$BATS_TEST_DIRNAME/keys.py" 24x80 "$@" -- "$BUILD/creche" up -f "$APP/app.json"
}

@test "nothing is touched when the daemon refuses any of it, and nothing stays behind" {
  local ids

  file '[{"name": "ok", "argv": ["sleep", "1000"]}]'
  creche up -f "$APP/app.json" --yes
  ids=$(running)
  file '[{"name": "ok", "argv": ["sleep", "2000"]}, {"name": "new", "argv": ["true"]}, {"name": "bad", "argv": ["true"], "nice": 99}]'
  creche_status up -f "$APP/app.json" --yes
  ((STATUS)) || fail 'it is accepted'
  assert_match "$ERR" 'bad: nice'
  assert_hint 'man creche-api'
  assert_equal "$(running)" "$ids"
  assert_equal "$(creche ps -a -q -l "creche.up=$P" | tr '\n' ' ')" "$ids"
}

@test "one that cannot be executed keeps none of the others from being started: 127" {
  file '[{"name": "missing", "argv": ["no-such-program"]}, {"name": "there", "argv": ["sleep", "1000"]}]'
  creche_status up -f "$APP/app.json" --yes
  assert_equal "$STATUS" 127
  assert_hint 'check the name'
  assert_equal "$(creche ps -l "creche.up=$P" --state started -o name)" there
}

@test "who does not end of SIGTERM is killed after the grace" {
  local id

  file '[{"name": "deaf", "argv": ["sh", "-c", "trap \"\" TERM; echo ready; while :; do sleep 0.05; done"]}]'
  creche up -f "$APP/app.json" --yes
  id=$(running)
  wait_until logged "${id% }" ready
  file '[]'
  creche up -f "$APP/app.json" --yes --remove-orphans --grace 0.2
  assert_equal "$(creche show "${id% }" -o json | jq .exitcode)" -9
}

@test "what the shell of a Procfile has started ends with it" {
  local id child

  printf 'web: sleep 1000; true\n' >"$APP/Procfile"
  creche up -f "$APP/Procfile" --yes
  id=$(running)
  wait_until has_child "$(creche show "${id% }" -o json | jq .pid)"
  child=$(pgrep -P "$(creche show "${id% }" -o json | jq .pid)")
  printf 'web: exec sleep 2000\n' >"$APP/Procfile"
  creche up -f "$APP/Procfile" --yes
  wait_until is_zombie_or_gone "$child"
}

has_child() { # PID
  pgrep -P "$1" >/dev/null
}

@test "a file with nothing in it ends nobody: what should have written it has failed" {
  local ids file

  file '[{"name": "a", "argv": ["sleep", "1000"]}]'
  creche up -f "$APP/app.json" --yes
  ids=$(running)
  : >"$APP/Procfile"
  printf '# nothing\n\n' >"$APP/comments"
  for file in Procfile comments; do
    creche_status up -f "$APP/$file" --yes --remove-orphans
    assert_equal "$STATUS" 2
    assert_hint 'NAME: COMMAND'
  done
  assert_equal "$(running)" "$ids"
}

@test "secrets reach the process and are nowhere in what is kept; ours where the file says null" {
  local id

  # shellcheck disable=SC2016
  file '[{"name": "told", "argv": ["sh", "-c", "echo $S $O; exec sleep 1000"], "secrets": {"S": "hush-hush", "O": null}}]'
  O=our-own creche up -f "$APP/app.json" --yes
  id=$(running)
  wait_until logged "${id% }" 'hush-hush our-own'
  [[ $(creche show "${id% }" -o json) != *hush* ]]
  # Nothing is kept of them, so nothing can be compared.
  O=other creche_status up -f "$APP/app.json"
  assert_match "$ERR" 'nothing to do'
  file '[{"name": "told", "argv": ["true"], "env": {"NOT_IN_OUR_ENVIRONMENT": null}}]'
  creche_status up -f "$APP/app.json" --yes
  assert_equal "$STATUS" 2
  assert_hint 'NOT_IN_OUR_ENVIRONMENT=... creche up'
  assert_equal "$(running)" "$id"
}

@test "export | up changes nothing, whoever has started it, env and all; and says what it cannot hold" {
  local id

  id=$(creche run -n 'by hand' -l "creche.up=$P" -e A=b -C / --daemon -- sleep 1000)
  file '[{"name": "by up", "argv": ["sleep", "1000"], "env": {"X": "1"}, "timeout": 900},
         {"name": "twin", "argv": ["sleep", "1000"]}, {"name": "twin", "argv": ["sleep", "1000"]}]'
  creche up -f "$APP/app.json" --yes
  creche_status export -l "creche.up=$P"
  assert_match "$ERR" 'values of env .*secrets'
  assert_equal "$(jq -c '.processes[0] | [.name, .env, .cwd, .daemon]' <<<"$OUT")" '["by hand",{"A":null},"/",true]'
  printf '%s' "$OUT" >"$BATS_TEST_TMPDIR/exported"
  creche_status up -f "$BATS_TEST_TMPDIR/exported" --remove-orphans
  assert_equal "$STATUS" 0
  assert_match "$ERR" 'nothing to do: 4 processes'
  assert_equal "$(creche show "$id" -o json | jq -r .state)" started
  # What was exported can be changed, also in what cannot be seen.
  jq '(.processes[] | select(.name == "by up")).timeout = 5000' "$BATS_TEST_TMPDIR/exported" >"$APP/app.json"
  assert_equal "$(X=1 planned)" 'keep by hand change by up keep twin keep twin '
}

@test "export of some: by name and label; up reads stdin" {
  file '[{"name": "one", "argv": ["sleep", "1000"]}, {"name": "two", "argv": ["sleep", "1000"]}]'
  creche up -f "$APP/app.json" --yes
  assert_equal "$(creche export two | jq -c '[.project, .processes[].name]')" "[\"$P\",\"two\"]"
  creche export -l "creche.up=$P" >"$BATS_TEST_TMPDIR/exported"
  creche up -f - <"$BATS_TEST_TMPDIR/exported"
}

@test "files that are wrong are refused, with the place and the next step: 2" {
  local text

  for text in '{' '{"processes": 1}' '{"nonsense": 1, "processes": []}' '{"processes": [{"argv": ["x"]}]}' '{"processes": [1]}' \
    '{"processes": [{"name": "x"}]}' '{"processes": [{"name": "x", "argv": ["x"], "start": false}]}' 'no colon here' 'x:' ': x'; do
    printf '%s' "$text" >"$APP/app.json"
    creche_status up -f "$APP/app.json" --yes
    assert_equal "$text: $STATUS" "$text: 2"
    assert_hint '.'
  done
  creche_status up -f /nowhere
  assert_equal "$STATUS" 2
  assert_hint 'creche export'
}

@test "control bytes of names are shown, never obeyed" {
  file '[{"name": "x\u001b[31m", "argv": ["true"]}]'
  creche_status up -f "$APP/app.json" --dry-run
  assert_equal "$OUT" '+ start  x\x1b[31m'
}
