# SPDX-License-Identifier: MIT
"""What a figure is made of: rounds in which ours and the yardstick take turns, and the processors watched meanwhile."""
import json
import os
import resource
import statistics
import subprocess
import sys
import time

TICKS = os.sysconf("SC_CLK_TCK")
PROCESSORS = os.cpu_count()
DISTURBED = 0.15  # of all processors, taken by others
TRIES = 3


def stat_of(pid):
    """(user, system, waited-for user, waited-for system) seconds of a process and all of its threads; zeros of none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as f:
            fields = f.read().rpartition(b")")[2].split()
    except OSError:
        return 0, 0, 0, 0
    return tuple(int(n) / TICKS for n in fields[11:15])


def descendants(pid):
    found, at = [], 0
    todo = [pid]
    while at < len(todo):
        for task in os.listdir(f"/proc/{todo[at]}/task") if os.path.exists(f"/proc/{todo[at]}/task") else []:
            try:
                with open(f"/proc/{todo[at]}/task/{task}/children", encoding="ascii") as f:
                    children = [int(p) for p in f.read().split()]
            except OSError:
                continue
            found += children
            todo += children
        at += 1
    return found


def our_seconds():
    """Processor time of this program and of all below it, living or waited for. Of ten thousand children that sleep
    it is asked only once they have been waited for."""
    ours = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    below = descendants(os.getpid())
    return sum(u.ru_utime + u.ru_stime for u in ours) + sum(sum(stat_of(pid)) for pid in below[:64])


def all_seconds():
    """Processor time of everybody, with what was stolen by the host."""
    with open("/proc/stat", encoding="ascii") as f:
        fields = [int(n) / TICKS for n in f.readline().split()[1:9]]
    return sum(fields) - fields[3] - fields[4]  # without idle and waiting for a disk


class Others:
    """with Others() as others: ...; others.share is the part of all processors that they took."""

    def __enter__(self):
        self.began = time.monotonic(), all_seconds(), our_seconds()
        self.share = 0.0
        return self

    def __exit__(self, *args):
        began, everybody, ours = self.began
        taken = (all_seconds() - everybody) - (our_seconds() - ours)
        self.share = max(0.0, taken / ((time.monotonic() - began) * PROCESSORS))


def run(*command):
    """The JSON that a program prints."""
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, check=False)
    if done.returncode:
        sys.exit(f"bench: status {done.returncode} of {' '.join(map(str, command))}")
    return json.loads(done.stdout)


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def goals():
    """By the name of the figure: {"at_least": x} or {"at_most": x}, of its ratio or, without a yardstick, of its value; of its
    value, too, where the yardstick is only shown."""
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "goals.json"), encoding="utf-8") as f:
        return json.load(f)


class Figure:
    def __init__(self, name, what, unit, only_shown=False):
        ((kind, self.goal),) = goals()[name].items()
        self.name, self.what, self.unit, self.most = name, what, unit, kind == "at_most"
        self.only_shown = only_shown
        self.values, self.yardsticks, self.others = [], [], []
        self.disturbed = 0
        self.absent = None  # why there is nothing to measure

    def round(self, ours, yardstick=None):
        """Both in turn; again when others had the machine, and the last time however it was."""
        for left in range(TRIES - 1, -1, -1):
            with Others() as others:
                value, against = ours(), yardstick() if yardstick else None
            if others.share <= DISTURBED:
                break
            self.disturbed += bool(left)
        self.add(value, against, others.share)

    def add(self, value, against=None, others=0.0):
        self.values.append(value)
        if against is not None:
            self.yardsticks.append(against)
        self.others.append(others)

    def result(self):
        if self.absent:
            return {"name": self.name, "what": self.what, "unit": self.unit, "value": None, "yardstick": None, "ratio": None,
                    "goal": self.goal, "at_most": self.most, "met": False, "absent": self.absent}
        ratios = [v / y for v, y in zip(self.values, self.yardsticks)]
        judged = statistics.median(self.values if self.only_shown else ratios or self.values)
        return {"name": self.name, "what": self.what, "unit": self.unit, "value": spread(self.values),
                "yardstick": spread(self.yardsticks) if ratios else None, "ratio": spread(ratios) if ratios else None,
                "goal": self.goal, "at_most": self.most, "met": judged <= self.goal if self.most else judged >= self.goal,
                "absent": None, "rounds": len(self.values), "repeated": self.disturbed, "others": max(self.others)}


def line(r):
    """One line of the report."""
    if r["absent"]:
        return f"{r['name']:20} NOT MEASURED: {r['absent']}"
    ratio = r["ratio"] or r["value"]
    text = f"{r['name']:20} {r['value']['median']:11,.1f} {r['unit']:10}"
    text += f"{r['yardstick']['median']:11,.1f}" if r["yardstick"] else " " * 11
    text += f" {ratio['median']:9.2f} ({ratio['min']:.2f}..{ratio['max']:.2f})"
    text += f"  goal {'<=' if r['at_most'] else '>='} {r['goal']:g}: {'met' if r['met'] else 'MISSED'}"
    return text + (f"  [others took {r['others']:.0%}]" if r["others"] > DISTURBED else "")


HEADLINE = f"{'':20} {'value':>11} {'unit':10}{'yardstick':>11} {'ratio (min..max)':>20}"
