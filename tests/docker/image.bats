#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# runs alone
#
# The container image: `make test-package` builds docker/Dockerfile, as it is, with buildah. There is no registry: what it
# says FROM is a Debian that was made here, and apt-get finds its packages in a folder. No engine runs the image, since
# not every machine lets one: its files, user, environment, command and health check are taken from it, and its
# command becomes process 1 of namespaces of its own.

ROOT=$BATS_TEST_DIRNAME/../..
# buildah looks for its settings there.
export XDG_CONFIG_HOME=$BATS_RUN_TMPDIR

engine() {
  buildah --root "$BUILD/package/images" --runroot "$BUILD/package/images.run" --storage-driver vfs "$@"
}

setup_file() {
  local at=$BUILD/package base name

  [[ -e $at/base.tar ]] || return 0
  base=$(engine from scratch)
  engine add --quiet "$base" "$at/base.tar" /
  engine commit --quiet --rm "$base" docker.io/library/debian:bookworm-slim >&2
  # There is no network in it, for sure.
  unshare --net buildah --root "$at/images" --runroot "$at/images.run" --storage-driver vfs \
    build-using-dockerfile --isolation chroot --pull-never --format docker --build-arg DOCS=0 \
    --volume "$at/repo:/repo:ro" --file "$ROOT/docker/Dockerfile" --tag creche "$ROOT" >"$BATS_FILE_TMPDIR/build" 2>&1 ||
    { tail -n 30 "$BATS_FILE_TMPDIR/build"; return 1; }
  engine inspect --type image creche | jq .Docker.config >"$BATS_FILE_TMPDIR/config"
  name=$(engine from --pull-never creche)
  engine mount "$name" >"$BATS_FILE_TMPDIR/root"
  # The volume, as an engine fills it: owned as in the image.
  cp -a "$(<"$BATS_FILE_TMPDIR/root")/var/lib/creche" "$BATS_FILE_TMPDIR/volume"
}

setup() {
  [[ -e $BUILD/package/base.tar ]] || skip 'only root can make what images are made of'
}

teardown_file() {
  [[ -e $BUILD/package/images ]] || return 0
  engine umount --all >&2 || :
  rm -rf "$BUILD/package/images" "$BUILD/package/images.run"
}

teardown() {
  [[ -z ${MAIN:-} || -z $OUTSIDE ]] || kill -KILL "$MAIN" || :
}

config() { jq -r "$1" "$BATS_FILE_TMPDIR/config"; } # FILTER

# A container: OUTSIDE is who waits for it, MAIN its process 1, as it is called out here.
start_container() {
  local root command variables
  root=$(<"$BATS_FILE_TMPDIR/root")
  mapfile -t command < <(config '.Entrypoint[], .Cmd[]?')
  mapfile -t variables < <(config '.Env[]')
  # shellcheck disable=SC2016
  unshare --pid --fork --kill-child --mount --net --ipc --uts sh -ec '
    root=$1 volume=$2; shift 2
    mount --bind "$volume" "$root/var/lib/creche"
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    exec chroot "$root" "$@"' sh "$root" "$BATS_FILE_TMPDIR/volume" \
    setpriv --reuid "$(uid)" --regid "$(gid)" --clear-groups --bounding-set=-all --no-new-privs \
    env -i "${variables[@]}" "${command[@]}" >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
  OUTSIDE=$!
  wait_until has_main
}

# Of the image's own /etc/passwd.
uid() { awk -F: -v user="$(config .User)" '$1 == user { print $3 }' "$(<"$BATS_FILE_TMPDIR/root")/etc/passwd"; }
gid() { awk -F: -v user="$(config .User)" '$1 == user { print $4 }' "$(<"$BATS_FILE_TMPDIR/root")/etc/passwd"; }

has_main() { MAIN=$(pgrep --parent "$OUTSIDE") && [[ $(cat "/proc/$MAIN/comm") == creche-init ]]; }

# Runs COMMAND as an engine's exec does.
inside() { # COMMAND...
  local variables
  mapfile -t variables < <(config '.Env[]')
  nsenter --target "$MAIN" --mount --uts --ipc --net --pid --root --wd=/ setpriv --reuid "$(uid)" --regid "$(gid)" --clear-groups env -i "${variables[@]}" "$@"
}

is_healthy() {
  local command
  mapfile -t command < <(config '.Healthcheck.Test[1:][]')
  inside "${command[@]}" >/dev/null
}

wait_until() { # COMMAND...
  local deadline=$((SECONDS + ${PATIENCE_S:-20}))

  until "$@" 2>/dev/null; do
    ((SECONDS < deadline)) || { cat "$BATS_TEST_TMPDIR/out"; return 1; }
    sleep 0.1
  done
}

stop_container() {
  local status=0
  kill "-$(config .StopSignal | sed s/^SIG//)" "$MAIN"
  wait "$OUTSIDE" || status=$?
  OUTSIDE=
  [[ $status == 0 ]] || { cat "$BATS_TEST_TMPDIR/out"; return 1; }
}

@test "the image says who runs what, keeps what, and how it is" {
  [[ $(config '.User, .StopSignal, .Entrypoint[0], (.Volumes | keys[]), (.ExposedPorts | keys[]), .Healthcheck.Test[0]' |
    tr '\n' ' ') == 'creche SIGTERM creched /var/lib/creche 7117/tcp CMD ' ]]
  [[ $(uid) == 10001 ]]
}

@test "the image has no compiler, and what it needs at run time only" {
  [[ ! -e $(<"$BATS_FILE_TMPDIR/root")/usr/bin/gcc && ! -e $(<"$BATS_FILE_TMPDIR/root")/src ]]
}

@test "a container gets healthy, runs, records, and ends with 0; the next one with its volume has the history" {
  local status=0

  start_container
  wait_until is_healthy
  [[ $(stat -c %u "/proc/$MAIN") == 10001 ]]
  [[ $(awk '/^NSpid:/ { print $NF }' "/proc/$MAIN/status") == 1 ]]
  inside creche run --name hello -- sh -c 'id -u; exit 7'
  inside creche join hello || status=$?
  [[ "$status $(inside creche logs hello)" == '7 10001' ]]
  # An orphan is reaped by process 1.
  inside creche run --wait -- sh -c 'sh -c "sleep 0.1 &"'
  inside creche run --name stubborn -- sleep 1000
  inside creche run --name helper --daemon -- sleep 1000
  stop_container

  start_container
  wait_until is_healthy
  [[ $(inside creche ps -a --columns name,exitcode --sort id -o csv | grep -E 'hello|stubborn|helper' | tr '\n' ' ') == \
    'hello,7 stubborn,-9 helper,-15 ' ]]
  stop_container
}

@test "a container whose creched was killed gets healthy by itself" {
  start_container
  wait_until is_healthy
  inside sh -c "kill -KILL $(inside creche info -o json | jq .pid)"
  wait_until is_healthy
  [[ $(cat "/proc/$MAIN/comm") == creche-init ]]
  stop_container
}

@test "compose.yaml makes a service of the image, with all that it needs when nothing else can be written to" {
  # It only has to say what it would do.
  run podman-compose --podman-path /bin/true --dry-run --file "$ROOT/docker/compose.yaml" up --no-build
  echo "$output"
  ((status == 0))
  for option in '-p 127.0.0.1:7117:7117' --read-only '--cap-drop ALL' 'no-new-privileges:true' \
    'docker_state:/var/lib/creche' '--tmpfs /run/creche:uid=10001' 'CRECHE_STOP_TIMEOUT=50'; do
    grep -qF -- "$option" <<<"$output" || { echo "missing: $option"; return 1; }
  done
}
