#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Kills processes of Creche under load, then lets the history checker look.

usage: storm.py SCENARIO [--times N] [--seconds S] [--build DIR] [--points-build DIR] [--seed N] [--keep]

  creched      SIGKILL at random moments, also while it recovers
  forkserver   the same for the forkserver
  init         the same for creche-init: creched must go on alone
  upgrade      SIGHUP to creche-init, with SIGKILLs of creched in between
  points       every kill point in turn
  soak         no kill at all, for --seconds (8 hours): memory and files must stay flat
  powercut     the file system loses what was not synced, and every process dies (root only)

Exit status: 0 nothing wrong, 1 something is, 2 usage, 77 it cannot be done here.
"""
import argparse
import os
import random
import signal
import sys
import time

from arena import Arena, Totals
from points import start_again, storm_points
from powercut import storm_powercut
from server import become_subreaper, kill, wait_for
from soak import storm_soak


STARTS_PER_S = 50  # at least, or the storm is none


def storm_creched(options, totals):
    rng = random.Random(options.seed)
    with Arena(options, totals) as arena:
        while totals.kills < options.times and not options.is_over():
            # One in four comes at once, when the next creched recovers.
            time.sleep(rng.choice((rng.uniform(0, 0.03), rng.uniform(0.03, 0.15), 0.1, 0.15)))
            totals.kills += arena.server.kill_daemon()
        arena.judge()
    if totals.rate() < STARTS_PER_S:
        totals.wrong.append(f"{totals.rate():.0f} starts/s are too few for a storm: {STARTS_PER_S}")


def storm_upgrade(options, totals):
    """SIGHUP, and SIGKILL in between: what recovers is its own parent in one case, and creche-init's heir in the other."""
    rng = random.Random(options.seed)
    with Arena(options, totals) as arena:
        while totals.kills < options.times and not options.is_over():
            time.sleep(rng.uniform(0, 0.15))
            if rng.random() < 0.6:
                arena.server.main.send_signal(signal.SIGHUP)
                totals.kills += 1
            else:
                totals.kills += arena.server.kill_daemon()
        arena.judge()


def storm_forkserver(options, totals):
    rng = random.Random(options.seed)
    with Arena(options, totals, methods=("forkserver", "forkserver", "spawn")) as arena:
        while totals.kills < options.times and not options.is_over():
            time.sleep(rng.uniform(0, 0.15))
            pid = arena.server.forkserver()
            if pid:
                kill(pid)
                totals.kills += 1
        arena.judge()


def live_without_init(arena, seconds):
    """creche-init is dead: creched serves on. Then it is stopped and all begins anew, as an operator does."""
    joins = arena.load.joins
    wait_for(lambda: arena.load.joins > joins + 5, "creched serves without creche-init")
    time.sleep(seconds)


def storm_init(options, totals):
    rng = random.Random(options.seed)
    with Arena(options, totals, longest_ms=60) as arena:
        while totals.kills < options.times and not options.is_over():
            time.sleep(rng.uniform(0, 0.1))
            kill(arena.server.main.pid)
            totals.kills += 1
            live_without_init(arena, rng.uniform(0, 0.1))
            start_again(arena)
        arena.judge()


SCENARIOS = {"creched": (storm_creched, 500), "forkserver": (storm_forkserver, 100), "init": (storm_init, 100), "upgrade": (storm_upgrade, 100),
             "points": (storm_points, 20), "powercut": (storm_powercut, 60), "soak": (storm_soak, 1)}


def parse():
    here = os.path.dirname(os.path.abspath(__file__))
    build = os.environ.get("BUILD", os.path.join(here, "../../build"))
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("scenario", choices=SCENARIOS)
    p.add_argument("--times", type=int)
    p.add_argument("--seconds", type=float, default=float("inf"), help="stop early")
    p.add_argument("--build", default=build)
    p.add_argument("--points-build", default=None, help="built with KILLPOINTS=1")
    p.add_argument("--only", help="points: those whose names begin so")
    p.add_argument("--seed", type=int, default=None)
    p.add_argument("--keep", action="store_true")
    options = p.parse_args()
    options.build = os.path.abspath(options.build)
    options.witness_build = options.build
    options.points_build = options.points_build or os.path.join(options.build, "killpoints")
    options.times = options.times or SCENARIOS[options.scenario][1]
    options.seed = options.seed if options.seed is not None else random.randrange(1 << 30)
    options.deadline = time.monotonic() + options.seconds
    options.is_over = lambda: time.monotonic() > options.deadline
    return options


def main():
    options, totals = parse(), Totals()
    become_subreaper()
    print(f"{options.scenario}: seed {options.seed}", flush=True)
    SCENARIOS[options.scenario][0](options, totals)
    totals.report(options.scenario)
    return 1 if totals.wrong or not totals.kills else 0


if __name__ == "__main__":
    sys.exit(main())
