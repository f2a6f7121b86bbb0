# SPDX-License-Identifier: MIT
"""The history checker. It knows what clients saw, what the children did, and what the database says in the
end; it does not know how Creche works.

What the children did is in the witness file (witness.c), one line for each beginning and each end, which is
written before the end. What clients saw is a Run for each process that they asked for.
"""
import collections
import dataclasses
import signal
import sqlite3

ENDED = ("stopped", "failed", "lost")


@dataclasses.dataclass
class Run:
    """One process as its client knows it. @mark is unique, and the name of the process."""

    mark: str
    code: int  # what the child was told to end with
    key: bool = True  # asked for under an Idempotency-Key, which is the mark
    runs: bool = True  # False: there is no such program
    asked_to_end: bool = False  # a client sent SIGTERM
    daemon: bool = False  # it is terminated when the server stops
    row_key: str = None  # what its row has for a key, if that is not the mark: one of a batch
    stays: bool = False  # one of a batch of all: where it could not be cloned, it is failed, in no stage
    ids: set = dataclasses.field(default_factory=set)  # in all answers
    acknowledged: bool = False  # there was a 201 or a 200
    refused: bool = False  # 422: it could not be started
    codes: list = dataclasses.field(default_factory=list)  # (state, exitcode) in all answers to joins
    deleted: str = "no"  # or "asked", "yes"
    closed: bool = False  # the client was told so
    began: float = 0.0  # when it was asked for first, and when it was known to have ended: monotonic
    over: float = float("inf")


@dataclasses.dataclass
class Children:
    """What the witness file says of one mark."""

    begun: list = dataclasses.field(default_factory=list)  # process ids of Creche, one for each time
    ended: list = dataclasses.field(default_factory=list)  # codes


def read_witness(path):
    seen = collections.defaultdict(Children)
    with open(path, encoding="ascii") as f:
        for line in f:
            mark, pid, what, n = line.split()
            if what == "begin":
                seen[mark].begun.append(int(pid))
            else:
                seen[mark].ended.append(int(n))
    return seen


@dataclasses.dataclass
class Row:
    id: int
    name: str
    state: str
    exitcode: int
    stage: str
    key: str


def read_rows(database):
    """(rows by name, the set of ids that were deleted, events by id)"""
    db = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    rows = collections.defaultdict(list)
    for row in db.execute("SELECT id, name, state, exitcode, exit_stage, idempotency_key FROM process"):
        rows[row[1]].append(Row(*row))
    events = collections.defaultdict(list)
    for process, kind in db.execute("SELECT process, type FROM event ORDER BY id"):
        events[process].append(kind)
    if db.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
        raise AssertionError("the database is corrupt")
    db.close()
    return rows, {p for p, kinds in events.items() if "deleted" in kinds}, events


class Checker:
    """@may_be_lost(run): both creche-init and creched died while it lived. @may_fail(run): the child itself was
    killed before it had become its program. @may_be_stopped(run): the server stopped, and terminated it. @may_go: rows
    of processes that are over go by themselves."""

    def __init__(self, runs, witness, database, may_be_lost=lambda run: False, may_fail=lambda run: False,
                 may_be_stopped=lambda run: False, may_go=False):
        self.runs = runs
        self.children = read_witness(witness)
        self.rows, self.deleted, self.events = read_rows(database)
        self.may_be_lost = may_be_lost
        self.may_fail = may_fail
        self.may_be_stopped = may_be_stopped
        self.may_go = may_go
        self.wrong = []

    def check(self):
        """What is wrong: a list of sentences."""
        for run in self.runs:
            self._check_run(run)
        self._check_strangers()
        self._check_events()
        return self.wrong

    def _say(self, run, sentence):
        self.wrong.append(f"{run.mark}: {sentence}")

    def _check_run(self, run):
        rows, seen = self.rows.get(run.mark, []), self.children.get(run.mark, Children())
        if len(run.ids) > 1:
            self._say(run, f"its key named several processes: {sorted(run.ids)}")
        if len(rows) > 1:
            self._say(run, f"it has {len(rows)} rows")
        if len(seen.begun) > 1:
            self._say(run, f"it ran {len(seen.begun)} times")
        if not rows:
            self._check_without_row(run, seen)
            return
        row = rows[0]
        for id in run.ids | set(seen.begun):
            if id != row.id:
                self._say(run, f"it was process {id} for somebody, its row says {row.id}")
        if run.deleted == "yes":
            self._say(run, "it was deleted, and has a row")
        self._check_end(run, row, seen)
        self._check_joins(run, row)

    def _check_without_row(self, run, seen):
        if (run.deleted != "no" or self.may_go) and run.ids <= self.deleted and set(seen.begun) <= self.deleted:
            self._check_deleted(run, seen)
            return
        if run.acknowledged or run.refused:
            self._say(run, "it was acknowledged, and has no row")
        if seen.begun:
            self._say(run, "it ran, and has no row")

    def _check_end(self, run, row, seen):
        state = self._state_of(row)
        if state == "stopped":
            self._check_exitcode(run, row, seen)
        elif state == "failed":
            if seen.begun:
                self._say(run, "it ran, and its row says that it failed to start")
            may_fail = self.may_fail(run) or (run.stays and row.stage is None)
            if run.acknowledged and run.runs and not may_fail:
                self._say(run, f"its start was acknowledged, its row says failed ({row.stage})")
            elif run.refused and run.runs and not may_fail:
                self._say(run, f"there is such a program, and it was refused ({row.stage})")
        elif state == "lost":
            if not self.may_be_lost(run):
                self._say(run, "it is lost")
        elif state != "closed" and (run.acknowledged or seen.begun or state != "initial"):
            self._say(run, f"all is over, and its row says {state}")
        if state in ("failed", "lost") and row.exitcode is not None:
            self._say(run, f"its row says {state} and makes up the exit code {row.exitcode}")
        if row.key and row.key != (run.row_key or run.mark):
            self._say(run, f"its row has the key {row.key}")

    def _state_of(self, row):
        """How it ended, also when it was closed after that."""
        ends = [kind for kind in self.events[row.id] if kind in ENDED]
        return ends[0] if row.state == "closed" and ends else row.state

    def _check_exitcode(self, run, row, seen):
        if not run.runs:
            self._say(run, "there is no such program, and its row says that it ran")
        if seen.ended:
            if row.exitcode != seen.ended[0]:
                self._say(run, f"it ended with {seen.ended[0]}, its row says {row.exitcode}")
        elif not ((run.asked_to_end or self.may_be_stopped(run)) and row.exitcode == -signal.SIGTERM):
            if not (row.exitcode == -signal.SIGKILL and self.may_be_lost(run)):
                self._say(run, f"nobody saw it end, its row says {row.exitcode}")

    def _check_joins(self, run, row):
        for state, code in run.codes:
            if state not in (self._state_of(row), row.state) or code != row.exitcode:
                self._say(run, f"a join saw {state} {code}, its row says {row.state} {row.exitcode}")
        if run.closed and row.state != "closed":
            self._say(run, f"it was closed, its row says {row.state}")

    def _check_deleted(self, run, seen):
        for state, code in run.codes:
            if state == "lost" and code is None and self.may_be_lost(run):
                continue
            if seen.ended and code != seen.ended[0]:
                self._say(run, f"a join saw {state} {code}, it ended with {seen.ended[0]}")

    def _check_strangers(self):
        known = {run.mark for run in self.runs}
        for mark in self.children.keys() - known:
            self.wrong.append(f"{mark}: nobody asked for it, and it ran")
        for name in self.rows.keys() - known:
            self.wrong.append(f"{name}: nobody asked for it, and it has a row")

    def _check_events(self):
        for rows in self.rows.values():
            for row in rows:
                kinds = self.events[row.id]
                ends = [k for k in kinds if k in ENDED]
                if len(ends) > 1:
                    self.wrong.append(f"{row.name}: it ended more than once: {kinds}")
                if row.state in ENDED and ends != [row.state]:
                    self.wrong.append(f"{row.name}: its row says {row.state}, its events {kinds}")
