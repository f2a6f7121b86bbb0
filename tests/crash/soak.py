# SPDX-License-Identifier: MIT
"""A long time of ordinary work. The memory and the files of creched and creche-init must stay where they are."""
import os
import random
import statistics
import threading
import time

from arena import Arena
from client import Client
from load import METHODS, SIGNALS
from server import wait_for

CLIENTS = 4
GROWTH_BYTES = 4 << 20  # what the allocator and SQLite's cache may still take after the warm-up


def resident_bytes(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def files(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class Worker(threading.Thread):
    """Starts, joins, closes and deletes, and keeps nothing but what is wrong."""

    def __init__(self, arena, number, stopping):
        super().__init__(daemon=True)
        self.arena = arena
        self.number = number
        self.stopping = stopping
        self.random = random.Random(number)
        self.client = Client(arena.server.socket)
        self.n = 0

    def run(self):
        while not self.stopping.is_set():
            try:
                self.story()
            except Exception as e:  # a client that dies sees nothing any more
                self.arena.load.wrong.append(f"soak {self.number}.{self.n}: {type(e).__name__} {e}")
            self.stopping.wait(self.random.uniform(0, 0.02))

    def story(self):
        self.n += 1
        code = int(self.random.choice((self.random.randrange(256), -self.random.choice(SIGNALS))))
        argv = [self.arena.load.witness, "/dev/null", f"{self.number}.{self.n}", str(code), "0"]
        status, body = self.client.insist("POST", "/v1/processes", key=argv[2],
                                          body={"argv": argv, "start_method": self.random.choice(METHODS)})
        assert status == 201, body
        status, joined = self.client.insist("POST", f"/v1/processes/{body['id']}/join")
        assert (status, joined["exitcode"]) == (200, code), joined
        if self.n % 4 == 0:
            self.client.insist("POST", f"/v1/processes/{body['id']}/close")
        if self.n % 4 > 1:
            self.client.insist("DELETE", f"/v1/processes/{body['id']}")


def sample(pids):
    return [(resident_bytes(pid), files(pid)) for pid in pids]


def storm_soak(options, totals):
    seconds = options.seconds if options.seconds != float("inf") else 8 * 3600
    stopping = threading.Event()
    with Arena(options, totals, clients=0) as arena:
        workers = [Worker(arena, n, stopping) for n in range(CLIENTS)]
        pids = [wait_for(arena.server.daemon, "creched runs"), arena.server.main.pid]
        for worker in workers:
            worker.start()
        time.sleep(seconds / 5)  # the warm-up: caches fill, the forkserver comes
        samples = []
        end = time.monotonic() + seconds * 4 / 5
        while time.monotonic() < end:
            samples.append(sample(pids))
            time.sleep(seconds / 400)
        stopping.set()
        for worker in workers:
            worker.join()
        totals.kills = arena.load.starts = arena.load.joins = sum(worker.n for worker in workers)
        judge(samples, arena.load.wrong)
        if arena.server.stop():
            arena.load.wrong.append("the server did not stop well")


def judge(samples, wrong):
    """The first quarter and the last: the medians of the memory, and the fewest files, because how many there are at a
    moment depends on how many children live just then, and that on what else the machine does."""
    quarter = max(len(samples) // 4, 1)
    for who, name in enumerate(("creched", "creche-init")):
        for what, of, unit, slack in ((0, statistics.median, "bytes", GROWTH_BYTES), (1, min, "files", 2)):
            first = of(s[who][what] for s in samples[:quarter])
            last = of(s[who][what] for s in samples[-quarter:])
            print(f"  {name}: {first:.0f} {unit} in the first quarter, {last:.0f} in the last")
            if last > first + slack:
                wrong.append(f"{name} has grown from {first:.0f} to {last:.0f} {unit}")
