# SPDX-License-Identifier: MIT
"""Every kill point in turn, each so many times, under load.

The names are read from the source, so that a new one is in the storm from the beginning. Most are passed by any
load; TRIGGERS tells what else has to happen for the others.
"""
import glob
import os
import re
import resource
import signal
import time

from arena import Arena
from client import Broken, Client, Stuck
from powercut import private_mounts, run, why_not
from server import is_dead, kill, reap_orphans, wait_for

PATIENCE_S = 60
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")


def names():
    found = set()
    for path in glob.glob(f"{ROOT}/src/**/*.c", recursive=True) + glob.glob(f"{ROOT}/tests/crash/*.c"):
        with open(path, encoding="utf-8") as f:
            found |= set(re.findall(r'KILLPOINT\("([a-z_.]+)"\)', f.read()))
    return sorted(found)


class FullArena(Arena):
    """The state is on a small disk, which is filled and freed again."""

    BYTES = 40 << 20

    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        private_mounts()
        disk = os.path.join(self.directory, "disk")
        os.mkdir(disk)
        run("mount", "-t", "tmpfs", "-o", f"size={self.BYTES}", "tmpfs", disk)
        self.filler = os.path.join(disk, "filler")
        self.server.state = os.path.join(disk, "state")
        self.server.database = os.path.join(self.server.state, "registry.db")

    def __exit__(self, *args):
        self.server.kill_all()
        self.server.remove_control_groups()
        run("umount", os.path.dirname(self.filler))
        return super().__exit__(*args)


def fill_and_free(arena):
    at, size = 0, arena.BYTES
    with open(arena.filler, "wb", buffering=0) as f:
        while size >= 4096:
            try:
                os.posix_fallocate(f.fileno(), at, size)
                at += size
            except OSError:
                size //= 2
        time.sleep(0.05)
    os.unlink(arena.filler)


def nothing(_arena):
    pass


def kill_daemon(arena):
    """One that serves: those that die while they recover make creche-init wait longer and longer. Nobody will
    serve when creche-init has died of it meanwhile."""
    server = arena.server
    pid = wait_for(lambda: server.serving_pid() or server.main_is_dead(), "creched serves")
    if not server.main_is_dead():
        kill(pid)


def kill_forkserver(arena):
    kill(wait_for(arena.server.forkserver, "there is a forkserver to kill"))


def hang_up(arena):
    arena.server.main.send_signal(signal.SIGHUP)


def terminate(arena):
    arena.server.main.send_signal(signal.SIGTERM)


def run_out_of_files(arena):
    """clone3() cannot make a pidfd for a moment, and starts are undone."""
    pid = wait_for(arena.server.serving_pid, "creched serves")
    try:
        n = len(os.listdir(f"/proc/{pid}/fd"))
        _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (min(n, hard), hard))
        time.sleep(0.1)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))
    except (ProcessLookupError, FileNotFoundError):
        pass


def mint_and_revoke(arena):
    client = Client(arena.server.socket)
    try:
        _, token = client.call("POST", "/v1/tokens", body={"name": "storm", "scopes": ["read"]})
        client.call("DELETE", f"/v1/tokens/{token['id']}")
    except (Broken, Stuck, KeyError):
        pass  # who answers has died of it
    finally:
        client.close()


def first(name, then=nothing):
    """Something dies at another point before."""

    def trigger(arena):
        arena.points.arm(name, 1, place=1)
        then(arena)

    return trigger


TRIGGERS = {
    "recover": kill_daemon,
    "recover.row": kill_daemon,
    "recover.adopt": kill_daemon,
    "recover.adopted": kill_daemon,
    "recover.concluded": kill_daemon,
    "recover.durable": kill_daemon,
    "recover.done": kill_daemon,
    "recover.unstarted": first("start.taken"),
    "recover.failed": first("start.taken"),
    "store.opened": kill_daemon,
    "serve.ready": kill_daemon,
    "serve.told_ready": kill_daemon,
    "peer.exit_heard": kill_daemon,
    "peer.send": kill_daemon,
    "peer.sent": kill_daemon,
    "peer.greet": kill_daemon,
    "peer.greeted": kill_daemon,
    "peer.kept_heard": kill_daemon,
    "ballast.give": fill_and_free,
    "ballast.given": fill_and_free,
    "ballast.taken": fill_and_free,
    "create.repeat": nothing,
    "forkserver.begun": kill_forkserver,
    "forkserver.launched": kill_forkserver,
    "forkserver.bury": kill_forkserver,
    "forkserver.buried": kill_forkserver,
    "forkserver.rescue": first("forkserver.started"),
    "restart.exit": hang_up,
    "restart.exec": hang_up,
    "batch.stay": run_out_of_files,
    "start.undo": run_out_of_files,
    "start.undone": run_out_of_files,
    "token.minted": mint_and_revoke,
    "token.revoked": mint_and_revoke,
    "init.fork": kill_daemon,
    "init.forked": kill_daemon,
    "init.exec": kill_daemon,
    "init.backoff": kill_daemon,
    "init.bury": kill_daemon,
    "init.buried": kill_daemon,
    "init.give_kept": kill_daemon,
    "init.gave_kept": kill_daemon,
    "init.pass_signal": hang_up,
    "init.passed_signal": hang_up,
}


def fire(arena, name, passes, patience_s=PATIENCE_S):
    """Arm @name and see somebody die of it; the trigger is repeated, because it may come at a moment at which it
    means nothing. True: it has fired."""
    fired = arena.points.arm(name, passes)
    deadline = time.monotonic() + patience_s
    trigger = TRIGGERS.get(name, nothing)
    while time.monotonic() < deadline:
        trigger(arena)
        again = time.monotonic() + 0.2
        while time.monotonic() < again:
            if arena.points.fired() > fired:
                arena.points.disarm()
                return True
            time.sleep(0.001)
    arena.points.disarm()
    return False


def missed(arena, name):
    arena.load.wrong.append(f"{name}: nobody has passed it in {PATIENCE_S} s")
    print(f"  {arena.load.wrong[-1]}", flush=True)


def storm_children(options, totals, group):
    """A child that dies before it has become its program has failed to start."""
    storm_daemon(options, totals, group, children_die=True)


def storm_daemon(options, totals, group, children_die=False):
    """Points of creched and the forkserver: creche-init lives, and nothing may be lost."""
    with Arena(options, totals, with_points=True, seed="points") as arena:
        arena.children_die = children_die
        for name in group:
            for n in range(options.times):
                # One death after the other before it serves would make creche-init wait longer and longer.
                if name in TRIGGERS:
                    wait_for(arena.server.serving_pid, "creched serves")
                if options.is_over() or not fire(arena, name, 1 + n % 4 if name not in TRIGGERS else 1):
                    missed(arena, name)
                    break
                totals.kills += 1
        wait_for(arena.server.daemon, "creched runs again")
        arena.judge()


def start_again(arena):
    """creche-init is dead. What is left of it is stopped, and a new one started over the same state."""
    server = arena.server
    wait_for(server.main_is_dead, "creche-init is dead")
    daemon = server.serving_pid()
    if daemon:
        kill(daemon, signal.SIGTERM)
        # Its children are ours by now, and creched may want to hear how they ended.
        wait_for(lambda: reap_orphans(server.main.pid) or is_dead(daemon), "creched has stopped")
    arena.stops += 1
    server.start()


def storm_init(options, totals, group):
    """Points of creche-init, or of its child that becomes creched. What lived when creched died before, and
    came to creche-init so, may be lost."""
    daemon_died = 0.0
    with Arena(options, totals, with_points=True, seed="init", longest_ms=40) as arena:
        arena.load.both_die = True
        for name in group:
            for _ in range(options.times):
                if TRIGGERS.get(name) is kill_daemon and not daemon_died:
                    daemon_died = time.monotonic()
                if options.is_over() or not fire(arena, name, 1):
                    missed(arena, name)
                    break
                totals.kills += 1
                if name == "init.exec":
                    wait_for(arena.server.serving_pid, "creche-init tries again")
                    continue  # what it has inherited may be lost with it later: see daemon_died
                start_again(arena)
                if daemon_died:
                    arena.outages.append((daemon_died, time.monotonic()))
                daemon_died = 0.0
        arena.judge()


def storm_stop(options, totals, group):
    """Points of an orderly stop: what is left of it is done by the next creched, and the server comes back."""
    with Arena(options, totals, with_points=True, seed="stop") as arena:
        for name in group:
            for _ in range(options.times):
                wait_for(arena.server.daemon, "creched runs")
                fired = arena.points.arm(name)
                terminate(arena)
                status = arena.server.main.wait(timeout=PATIENCE_S)
                if status or arena.points.fired() == fired:
                    arena.load.wrong.append(f"{name}: stopped with status {status}")
                    return
                totals.kills += 1
                arena.stops += 1
                arena.server.start()
        arena.judge()


def storm_full(options, totals, group):
    """Points on a full disk."""
    if why_not():
        print(f"  SKIPPED {group}: {why_not()}")
        return
    with FullArena(options, totals, with_points=True, seed="full") as arena:
        for name in group:
            for _ in range(options.times):
                if options.is_over() or not fire(arena, name, 1):
                    missed(arena, name)
                    break
                totals.kills += 1
        wait_for(arena.server.daemon, "creched runs again")
        arena.judge()


def storm_migration(options, totals, group):
    """A new database each time."""
    for name in group:
        for n in range(options.times):
            arena = Arena(options, totals, clients=1, with_points=True, seed=f"{name}.{n}")
            arena.points.arm(name)
            with arena:
                if arena.points.fired() != 1:
                    missed(arena, name)
                totals.kills += 1
                arena.judge()


def lose(arena, name):
    """All die, and the next creched dies at the point @name. True: it has. Nothing is lost when nothing ran just then,
    so it may take more than once."""
    fired = None
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        began = time.monotonic()
        time.sleep(0.1)
        arena.server.kill_all()
        fired = arena.points.arm(name) if fired is None else fired
        arena.server.start()
        arena.outages.append((began, time.monotonic()))
        if arena.points.fired() > fired:
            return True
    arena.points.disarm()
    return False


def storm_retention(options, totals, group):
    """Points of the thread that lets go what is over: it goes with its output, and each row was told of."""
    arena = Arena(options, totals, with_points=True, seed="retention")
    arena.server.options = ["--keep-ended-count", "1"]
    arena.retires = True
    arena.load.stdout = "log"
    with arena:
        for name in group:
            for _ in range(options.times):
                wait_for(arena.server.serving_pid, "creched serves")
                if options.is_over() or not fire(arena, name, 1, patience_s=3 * PATIENCE_S):
                    missed(arena, name)
                    break
                totals.kills += 1
        wait_for(arena.server.daemon, "creched runs again")
        arena.judge()
        arena.load.wrong += arena.orphaned_logs()


def storm_lost(options, totals, group):
    """Both creche-init and creched have died, and the creched that says what is lost dies too."""
    with Arena(options, totals, with_points=True, seed="lost") as arena:
        arena.load.both_die = True
        for name in group:
            for _ in range(options.times):
                if not lose(arena, name):
                    missed(arena, name)
                totals.kills += 1
        arena.judge()


def storm_points(options, totals):
    options.build = options.points_build
    chosen = [name for name in names() if name.startswith(options.only or "")]
    groups = {storm_init: [n for n in chosen if n.startswith("init.")],
              storm_stop: [n for n in chosen if n.startswith("stop.")],
              storm_children: [n for n in chosen if n.startswith("child.")],
              storm_full: [n for n in chosen if n.startswith("ballast.")],
              storm_migration: [n for n in chosen if n.startswith("migrat")],
              storm_retention: [n for n in chosen if n.startswith("retention.")],
              storm_lost: [n for n in chosen if n == "recover.lost"]}
    groups[storm_daemon] = [n for n in chosen if not any(n in group for group in groups.values())]
    for storm, group in groups.items():
        began, kills = time.monotonic(), totals.kills
        if group:
            storm(options, totals, group)
        print(f"  {storm.__name__}: {len(group)} points, {totals.kills - kills} kills, "
              f"{time.monotonic() - began:.0f} s", flush=True)
    print(f"{len(chosen)} kill points, {options.times} times each")
