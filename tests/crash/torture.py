#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""All the storms of `make check` a hundred times, and a soak of eight hours; or as much of that as fits into
--hours, in which each of them gets its share. Prints the totals, and the bound that they prove.

usage: torture.py [--hours H] [--build DIR]
"""
import argparse
import math
import os
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
# Scenario, kills in one round (as in make check), its share of the time when that is short.
STORMS = (("creched", 500, 0.25), ("forkserver", 100, 0.08), ("init", 100, 0.10), ("upgrade", 100, 0.05), ("powercut", 60, 0.12),
          ("points", 20, 0.30))
ROUNDS = 100
SOAK_HOURS, SOAK_SHARE = 8, 0.10
FIGURES = re.compile(r"^\w+: (\d+) kills, (\d+) processes .* (\d+) wrong$", re.M)


def run(scenario, build, *options):
    """(kills, processes, wrong)"""
    command = [sys.executable, os.path.join(HERE, "storm.py"), scenario, "--build", build, *options]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    sys.stdout.write(done.stdout)
    sys.stdout.flush()
    figures = FIGURES.search(done.stdout)
    if done.returncode == 77:
        return 0, 0, 0
    if not figures:
        return 0, 0, 1
    kills, processes, wrong = (int(n) for n in figures.groups())
    return kills, processes, wrong or done.returncode


def bound(n):
    return math.floor(1 / (1 - 0.05 ** (1 / n))) if n else 0


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--hours", type=float, default=None)
    p.add_argument("--build", default=os.environ.get("BUILD", os.path.join(HERE, "../../build")))
    options = p.parse_args()
    options.build = os.path.abspath(options.build)
    totals = {}
    for scenario, times, share in STORMS:
        end = time.monotonic() + (options.hours * 3600 * share if options.hours else float("inf"))
        sums = [0, 0, 0]
        for _ in range(ROUNDS):
            figures = run(scenario, options.build, "--times", str(times))
            sums = [a + b for a, b in zip(sums, figures)]
            if time.monotonic() > end:
                break
        totals[scenario] = sums
    soak_s = (options.hours * SOAK_SHARE if options.hours else SOAK_HOURS) * 3600
    totals["soak"] = list(run("soak", options.build, "--seconds", str(soak_s)))
    kills = sum(sums[0] for name, sums in totals.items() if name != "soak")
    processes = sum(sums[1] for sums in totals.values())
    wrong = sum(sums[2] for sums in totals.values())
    print("\n== torture")
    for name, sums in totals.items():
        print(f"{name:12} {sums[0]:9} {'starts' if name == 'soak' else 'kills'} {sums[1]:9} processes {sums[2]:5} wrong")
    print(f"{'all':12} {kills:9} kills {processes:9} processes {wrong:5} wrong")
    if not wrong:
        print(f"with 95 % confidence less than one kill in {bound(kills)} does harm, and less than one process in "
              f"{bound(processes)} is harmed")
    return 1 if wrong or not kills else 0


if __name__ == "__main__":
    sys.exit(main())
