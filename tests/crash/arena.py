# SPDX-License-Identifier: MIT
"""Where a storm takes place: a directory, a server, clients, and the verdict in the end."""
import math
import os
import shutil
import sqlite3
import subprocess
import tempfile
import time

from history import Checker
from load import METHODS, Load
from server import Points, Server


class Totals:
    """What is printed in the end, over all the arenas of a run."""

    def __init__(self):
        self.kills = self.runs = self.starts = self.joins = self.broken = 0
        self.seconds = 0.0
        self.wrong = []

    def add(self, load, seconds, wrong):
        self.runs += len(load.runs)
        self.starts += load.starts
        self.joins += load.joins
        self.broken += load.broken
        self.seconds += seconds
        self.wrong += wrong

    def rate(self):
        return self.starts / self.seconds if self.seconds else 0

    def report(self, what):
        """The bound is that of no failure in N independent trials: 1 - 0.05 ** (1 / N)."""
        print(f"{what}: {self.kills} kills, {self.runs} processes ({self.rate():.0f} starts/s), {self.joins} joins, "
              f"{self.broken} connections broken, {len(self.wrong)} wrong")
        if not self.wrong and self.kills:
            print(f"  0 in {self.kills}: with 95 % confidence less than one kill in "
                  f"{math.floor(1 / (1 - 0.05 ** (1 / self.kills)))} does harm, and less than one process in "
                  f"{math.floor(1 / (1 - 0.05 ** (1 / max(self.runs, 1))))} is harmed")
        for sentence in self.wrong[:20]:
            print(f"  WRONG {sentence}")


class Arena:
    """with Arena(...) as arena: the server runs and clients use it; judge() ends both and looks.

    @outages: [(begin, end)] in which creche-init and creched were both dead: what lived then may be lost.
    """

    def __init__(self, options, totals, clients=8, methods=METHODS, with_points=False, seed=0, **load):
        self.options = options
        self.totals = totals
        self.directory = tempfile.mkdtemp(prefix="storm.")
        self.witness_file = os.path.join(self.directory, "witness")
        open(self.witness_file, "w", encoding="ascii").close()
        self.points = Points(os.path.join(self.directory, "points")) if with_points else None
        self.server = Server(options.build, self.directory, self.points)
        self.load = Load(self.server, os.path.join(options.witness_build, "tests/crash/witness"), self.witness_file,
                         clients, f"{options.seed}.{seed}", methods, **load)
        self.outages = []
        self.children_die = False
        self.retires = False  # rows may go although nobody has asked for it
        self.stops = 0
        self.began = 0.0

    def __enter__(self):
        self.server.start()
        self.began = time.monotonic()
        self.load.start()
        return self

    def __exit__(self, kind, value, traceback):
        """What takes too long is wrong, as much as a wrong answer."""
        stuck = isinstance(value, (TimeoutError, subprocess.TimeoutExpired))
        if stuck:
            self.load.wrong.append(f"stuck: {value}")
        self.server.kill_all()
        self.server.remove_control_groups()
        if kind or self.load.wrong or self.options.keep:
            print(f"  kept: {self.directory}")
        else:
            shutil.rmtree(self.directory)
        self.totals.add(self.load, time.monotonic() - self.began, self.load.wrong)
        return stuck

    def judge(self, stop=True):
        """All clients have got their answers; then the server stops, and all that was said is compared."""
        self.load.stop()
        if self.load.starts and not self.load.joins:
            self.load.wrong.append("nobody has seen a process end")
        self.seconds = time.monotonic() - self.began
        if stop:
            status = self.server.stop()
            if status:
                self.load.wrong.append(f"the server stopped with status {status}")
        self.load.wrong += Checker(self.load.runs, self.witness_file, self.server.database, self.may_be_lost,
                                   lambda run: self.children_die, lambda run: run.daemon and self.stops,
                                   self.retires).check()

    def orphaned_logs(self):
        """Of a server that has stopped: output of processes that have no row."""
        with sqlite3.connect(f"file:{self.server.database}?mode=ro", uri=True) as db:
            known = {str(id) for (id,) in db.execute("SELECT id FROM process")}
        names = [name for _, _, files in os.walk(os.path.join(self.server.state, "logs")) for name in files]
        return [f"{name}: output without a row" for name in names if name.split(".")[0] not in known]

    def may_be_lost(self, run):
        return any(run.began <= end and run.over >= begin for begin, end in self.outages)
