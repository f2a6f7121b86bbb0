#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# runs alone
#
# The Debian package: `make test-package` builds it, and boots a machine of its own (systemd-nspawn) with it installed,
# in which tests/package/inside looks at it.

ROOT=$BATS_TEST_DIRNAME/../..

setup_file() {
  local at=$BUILD/package/machine deb

  [[ -e $BUILD/package/base.tar ]] || return 0
  deb=$(echo "$BUILD"/deb/creche_[0-9]*.deb)
  rm -rf "$at"
  mkdir -p "$at"
  tar -C "$at" -xf "$BUILD/package/base.tar" --exclude='./dev/*'
  mkdir "$at/repo"
  cp "$deb" "$at/creche.deb"
  install -m 0755 "$BATS_TEST_DIRNAME/inside" "$at/inside"
  # Its own dependencies, and nothing that they only recommend: what is missing then, the package has forgotten.
  machine "$at" sh -ec 'apt-get update -qq; apt-get install -qq -y --no-install-recommends systemd-sysv jq
    apt-get install -qq -y --no-install-recommends /creche.deb' >"$BATS_FILE_TMPDIR/install" 2>&1
  printf '%s\n' '[Unit]' 'SuccessAction=exit' 'FailureAction=exit' '[Service]' 'Type=oneshot' 'ExecStart=/inside' \
    StandardOutput=file:/said StandardError=inherit TimeoutStartSec=300 >"$at/etc/systemd/system/inside.service"
  ln -s ../inside.service "$at/etc/systemd/system/multi-user.target.wants/inside.service"
  SECONDS_MAX=300 machine "$at" --boot >"$BATS_FILE_TMPDIR/boot" 2>&1 </dev/null || :
}

teardown_file() { rm -rf "$BUILD/package/machine"; }

machine() { # DIRECTORY ARGUMENT...
  timeout "${SECONDS_MAX:-120}" systemd-nspawn --quiet --register=no --keep-unit --private-network --private-users=no \
    --machine="creche-$$" --bind-ro="$BUILD/package/repo:/repo" --directory="$1" "${@:2}"
}

# What the machine has said of the check that has the name of this test.
inside_it_is_so() {
  local said=$BUILD/package/machine/said

  [[ -e $BUILD/package/base.tar ]] || skip 'only root can make a machine'
  grep -qxF "ok $BATS_TEST_DESCRIPTION" "$said" && return
  # What was said since the check before, or of what was in the way of all of them.
  if [[ -e $said ]]; then
    awk -v name="ok $BATS_TEST_DESCRIPTION" '/^(not )?ok / && !index($0, name) { text = ""; next } { text = text $0 "\n" } $0 == "not " name { printf "%s", text }' "$said"
  else
    tail -n 20 "$BATS_FILE_TMPDIR"/{install,boot}
  fi
  return 1
}

# By the name that what is there was built under: by another, all would be built again.
make_here() { make -s -C "$ROOT" BUILD="$(realpath --relative-to="$ROOT" "$BUILD")" "$@"; }

@test "the package has the version of the program" {
  [[ $(echo "$BUILD"/deb/creche_[0-9]*.deb) == *"/creche_$("$BUILD/creche" --version | grep -oE '[0-9]+(\.[0-9]+)+')"_* ]]
}

@test "lintian finds nothing in the package" {
  # Until there is a manual, that there is none is no news.
  local options=()
  [[ -e $ROOT/src/man ]] || options=(--suppress-tags no-manual-page)
  run lintian --allow-root --fail-on error,warning "${options[@]}" "$BUILD"/deb/creche_[0-9]*.deb
  echo "$output"
  ((status == 0))
}

@test "systemd-analyze finds nothing in the unit, with and without the stricter drop-in" {
  local to=$BATS_TEST_TMPDIR unit

  make_here install PREFIX="$to" >/dev/null
  unit=$to/lib/systemd/system/creche.service
  assert_silent systemd-analyze verify --man=no "$unit"
  install -D -m 0644 "$to/share/doc/creche/hardened.conf" "$unit.d/hardened.conf"
  assert_silent systemd-analyze verify --man=no "$unit"
}

assert_silent() {
  run "$@"
  echo "$output"
  ((status == 0)) && [[ -z $output ]]
}

@test "make uninstall removes what make install has installed, and nothing else" {
  local to=$BATS_TEST_TMPDIR/root

  mkdir -p "$to/usr/local/bin"
  touch "$to/usr/local/bin/other"
  make_here install DESTDIR="$to" >/dev/null
  [[ -x $to/usr/local/bin/creched && -e $to/usr/local/lib/systemd/system/creche.service ]]
  grep -q '^ExecStart=/usr/local/bin/creched$' "$to/usr/local/lib/systemd/system/creche.service"
  make_here uninstall DESTDIR="$to" >/dev/null
  [[ $(find "$to" -type f) == "$to/usr/local/bin/other" && ! -e $to/usr/local/share/doc/creche ]]
}

@test "make uninstall finds what was installed beneath a relative DESTDIR" {
  local to

  to=$(realpath --relative-to="$ROOT" "$BATS_TEST_TMPDIR")/root
  make_here install DESTDIR="$to" >/dev/null
  [[ -x $BATS_TEST_TMPDIR/root/usr/local/bin/creched ]]
  make_here uninstall DESTDIR="$to" >/dev/null
  [[ -z $(find "$BATS_TEST_TMPDIR/root" -type f) ]]
}

@test "installed, the service runs as a user of its own, and systemd knows that it is ready" { inside_it_is_so; }
@test "processes of the service run as its user, in groups of their own" { inside_it_is_so; }
@test "that creched is killed is no restart of the service" { inside_it_is_so; }
@test "systemctl reload keeps all processes" { inside_it_is_so; }
@test "an upgrade of the package keeps all processes" { inside_it_is_so; }
@test "systemctl restart ends all processes and records how" { inside_it_is_so; }
@test "a stop that takes as long as it may is not cut short" { inside_it_is_so; }
@test "the stricter drop-in serves, and its processes are held by it" { inside_it_is_so; }
@test "a creched that stands still is started again by the watchdog" { inside_it_is_so; }
@test "a purge leaves the user only" { inside_it_is_so; }
@test "a package that was purged can be installed again" { inside_it_is_so; }
