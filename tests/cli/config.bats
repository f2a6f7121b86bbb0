#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# creche.ini: what it sets, of creche and of creched, and what is said when it is wrong.

load cli

setup() {
  export XDG_CONFIG_HOME=$BATS_TEST_TMPDIR/config
  INI=$XDG_CONFIG_HOME/creche/creche.ini
  mkdir -p "${INI%/*}"
}

# What `creche config` says of a KEY: "VALUE ORIGIN".
set_to() { # KEY [OPTION...]
  local key=$1
  shift
  creche "$@" config -o json | jq -r --arg key "$key" '.settings[] | select(.key == $key) | "\(.value) \(.origin)"'
}

# In a mount namespace of its own, where /etc is one that may be written to; $1 and so on are ARGUMENTS.
with_own_etc() { # SCRIPT [ARGUMENT...]
  [[ $(id -u) == 0 ]] && unshare --mount true 2>/dev/null || skip 'needs root, and mount namespaces'
  # shellcheck disable=SC2016
  unshare --mount bash -euc 'mkdir "$0/etc" && mount -t tmpfs none "$0/etc"
    cp /etc/passwd /etc/group /etc/nsswitch.conf "$0/etc/" && mount --move "$0/etc" /etc && mkdir /etc/creche
    eval "$1"' "$BATS_TEST_TMPDIR" "$@"
}

@test "an option goes before a variable, that before the file, that before the default; each origin is told" {
  assert_equal "$(set_to creche.color)" 'auto default'
  printf '[creche]\n\ncolor = never\n' >"$INI"
  assert_equal "$(set_to creche.color)" "never $INI:3"
  export CRECHE_COLOR=always
  assert_equal "$(set_to creche.color)" 'always CRECHE_COLOR'
  assert_equal "$(set_to creche.color --color auto)" 'auto --color'
}

@test "the user's file goes before that of the system" {
  local out

  printf '[creched]\nlog-level = warn\n' >"$INI"
  # shellcheck disable=SC2016
  out=$(with_own_etc 'printf "[creched]\nlog-level = error\nlog-budget = 65537\n" >/etc/creche/creche.ini
    "$BUILD/creche" config -o csv --columns name,value,origin')
  assert_match "$out" "log-level,warn,$INI:2"
  assert_match "$out" 'log-budget,65537,/etc/creche/creche.ini:3'
}

@test "every setting is shown, and a token is not" {
  local out

  out=$(CRECHE_TOKEN=hush "$BUILD/creche" config -o json)
  assert_equal "$(jq '.settings | length' <<<"$out")" 34
  assert_equal "$(jq -r '.settings[] | select(.name == "token") | .value' <<<"$out")" ...
  assert_equal "$(jq -r '.settings[] | select(.key == "creched.listen") | [.value, .variable] | @csv' <<<"$out")" \
    '"127.0.0.1:7117","CRECHE_LISTEN"'
  assert_match "$(creche config)" 'SECTION +NAME +VALUE +ORIGIN'
}

@test "creched serves as the file says, and creche finds it there" {
  cat >"$INI" <<END
[creched]
state-dir = $BATS_TEST_TMPDIR/own
socket    = $BATS_TEST_TMPDIR/own.sock
listen    = none
max-body  = 2048
END
  (
    unset CRECHE_SOCKET
    creche serve -d --user none
    assert_equal "$(creche info -o json | jq -r '"\(.socket) \(.url) \(.limits.body_bytes)"')" \
      "$BATS_TEST_TMPDIR/own.sock null 2048"
    creche stop
  )
  [[ -e $BATS_TEST_TMPDIR/own.log && -e $BATS_TEST_TMPDIR/own/registry.db ]]
}

@test "settings are those of the start: neither a restart of creched nor an upgrade reads the file again" {
  local pid

  printf '[creched]\nmax-body = 2048\n' >"$INI"
  start_creche
  pid=$(daemon_pid)
  printf '[creched]\nmax-body = nonsense\n' >"$INI"
  kill_daemon
  [[ $(daemon_pid) != "$pid" ]]
  assert_equal "$(api GET /v1/info | jq .limits.body_bytes)" 2048
  rm "$INI"
  creche upgrade
  assert_equal "$(api GET /v1/info | jq .limits.body_bytes)" 2048
}

@test "a child does not see what the file says of creched" {
  printf '[creched]\nmax-body = 2048\n' >"$INI"
  start_creche
  assert_equal "$(creche run --follow -- env | grep -c MAX_BODY)" 0
}

@test "a mistake ends creched with 2, with its file and line" {
  printf '[creched]\n\nlisten = 7117\n' >"$INI"
  STATUS=0
  ERR=$("$BUILD/creched" 2>&1) || STATUS=$?
  assert_equal "$STATUS" 2
  assert_match "$ERR" "creched: $INI:3: listen: not a HOST:PORT|none: '7117'"
  # As on its command line.
  ERR=$("$BUILD/creched" --listen 7117 2>&1) || true
  assert_match "$ERR" "creched: --listen: not a HOST:PORT|none: '7117'"
  "$BUILD/creched" --help | grep -q listen
}

@test "a mistake ends creche with 2, with its file and line; help goes on" {
  printf '[creche]\ncolour = never\n' >"$INI"
  creche_status ps
  assert_equal "$STATUS" 2
  assert_match "$ERR" "creche: $INI:2: there is no 'colour' in \[creche\]"
  assert_hint 'creche config --check'
  creche help ps >/dev/null
  creche ps --help >/dev/null
  creche completion bash >/dev/null
  creche_status config
  assert_equal "$STATUS" 2
}

@test "config --check tells all that is wrong, of one file or of all" {
  printf '[creched]\nlisten = x\nlisten = none\nlisten = none\n[who]\n' >"$BATS_TEST_TMPDIR/x.ini"
  creche_status config --check "$BATS_TEST_TMPDIR/x.ini"
  assert_equal "$STATUS $OUT" '2 '
  assert_match "$ERR" "x.ini:2: listen: not a .*x.ini:4: listen: given twice, first in line 3.*x.ini:5: no section.*3 mistakes"
  cp "$BATS_TEST_TMPDIR/x.ini" "$INI"
  CRECHE_KEEP_ENDED=soon creche_status config --check
  assert_match "$ERR" "$INI:2: .*CRECHE_KEEP_ENDED: not a AGE.*4 mistakes"
  printf '[creched]\ntls-cert = /c\n' >"$INI"
  creche_status config --check
  assert_match "$ERR" 'no tls-key: tls-cert and tls-key go together'
  printf '[creched]\nlisten = none\n' >"$INI"
  creche_status config --check
  assert_equal "$STATUS $ERR" '0 '
  assert_match "$OUT" "$INI: good"
  creche_status config --check /nowhere/x.ini
  assert_equal "$STATUS" 2
  assert_hint 'creche config'
}

@test "the form of lists, colours, -v and where the daemon is come from the file" {
  printf '[creche]\noutput = csv\nverbose = yes\nsocket = %s\n' "$CRECHE_SOCKET" >"$INI"
  CRECHE_SOCKET='' creche_status ps --columns id,name
  assert_equal "$STATUS $OUT" '0 id,name'
  assert_match "$ERR" '^\+ curl .*--unix-socket'
  # What is no list is not changed by it.
  assert_match "$(creche run -- true 2>&1)" '[0-9]+$'
  creche_status ps -o nonsense
  assert_equal "$STATUS" 2
}

@test "the token is read from a file; a variable goes before it, an option before that" {
  printf '%s\n' "$CRECHE_TOKEN" >"$BATS_TEST_TMPDIR/token"
  printf '[creche]\nurl = %s\ntoken-file = %s\n' "$CRECHE_URL" "$BATS_TEST_TMPDIR/token" >"$INI"
  by_tcp() { env -u CRECHE_SOCKET -u CRECHE_URL -u CRECHE_TOKEN "$@" 2>&1; }
  assert_match "$(by_tcp "$BUILD/creche" info -v)" "Bearer \\\$\(cat $BATS_TEST_TMPDIR/token\).*creched "
  assert_match "$(by_tcp env CRECHE_TOKEN=no "$BUILD/creche" info)" 'give a token|token'
  assert_match "$(by_tcp env CRECHE_TOKEN=no "$BUILD/creche" info --token-file "$BATS_TEST_TMPDIR/token")" 'creched '
  assert_match "$(by_tcp "$BUILD/creche" info --token-file /nowhere)" 'cannot read the token in /nowhere: No such file'
}

@test "a process of Creche is that process, whatever the file says" {
  mkdir -p "$BATS_TEST_TMPDIR/its/creche"
  printf '[creche]\nurl = http://127.0.0.1:1\ntoken-file = /nowhere\n' >"$BATS_TEST_TMPDIR/its/creche/creche.ini"
  creche_status run --follow -e XDG_CONFIG_HOME="$BATS_TEST_TMPDIR/its" -- "$BUILD/creche" -v info
  assert_equal "$STATUS" 0
  assert_match "$ERR" 'unix-socket.*Bearer \$CRECHE_AUTHKEY'
}

@test "a socket that a variable says goes before an address in the file" {
  printf '[creche]\nurl = http://127.0.0.1:1\n' >"$INI"
  assert_match "$(creche info)" "$CRECHE_SOCKET"
  CRECHE_SOCKET='' creche_status info
  assert_equal "$STATUS" 3
  assert_match "$ERR" '127.0.0.1:1'
}

@test "root's creched refuses a file that others could have written" {
  [[ $(id -u) == 0 ]] || skip 'needs root'
  printf '[creched]\nlisten = none\n' >"$INI"
  refused() {
    local said status=0

    said=$("$BUILD/creched" --state-dir relative/none/such 2>&1) || status=$?
    assert_equal "$status" 2
    assert_match "$said" "$INI: others may write it"
    assert_match "$(creche config --check 2>&1 || true)" 'others may write it'
  }
  chmod 0664 "$INI" && refused
  chmod 0646 "$INI" && refused
  chmod 0644 "$INI" && chown 12345 "$INI" && refused
  chown 0 "$INI" && creche config --check
  # For creche they are a matter of taste.
  chmod 0666 "$INI" && creche ps
}

@test "a file in a folder that is closed to us is not for us; one that we may see and not read is told" {
  local out

  # shellcheck disable=SC2016
  out=$(with_own_etc 'as() { env -u XDG_CONFIG_HOME HOME=/ setpriv --reuid games --regid games --clear-groups \
      "$BUILD/creche" config --check 2>&1; }
    touch /etc/creche/creche.ini; chmod 0700 /etc/creche; as; chmod 0711 /etc/creche; chmod 0600 /etc/creche/creche.ini
    as || :')
  assert_match "$out" '/etc/creche/creche.ini: there is none, or its folder is closed to us'
  assert_match "$out" '/etc/creche/creche.ini: Permission denied'
}

@test "a file that cannot be read is told, not passed over" {
  mkdir "$INI"
  creche_status ps
  assert_equal "$STATUS" 2
  assert_match "$ERR" "$INI: not a file"
}
