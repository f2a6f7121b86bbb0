# SPDX-License-Identifier: MIT
"""A Creche under test: its processes, and the kill points that its build may have.

Processes are ended by pid, and only those that this file has started or that descend from them.
"""
import ctypes
import glob
import mmap
import os
import signal
import struct
import subprocess
import time

from client import Broken, Client, Refused

PATIENCE_S = 90


def parent_and_name(pid):
    """The parent's pid and the command name of a process; (0, "") when there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as f:
            stat = f.read()
    except OSError:
        return 0, ""
    name = stat[stat.index(b"(") + 1 : stat.rindex(b")")].decode()
    return int(stat[stat.rindex(b")") + 2 :].split()[1]), name


def is_dead(pid):
    try:
        with open(f"/proc/{pid}/stat", "rb") as f:
            stat = f.read()
    except OSError:
        return True
    return stat[stat.rindex(b")") + 2 : stat.rindex(b")") + 3] in b"ZX"


def thread_states(pid):
    """One letter for each."""
    for task in glob.glob(f"/proc/{pid}/task/*/stat"):
        try:
            with open(task, "rb") as f:
                stat = f.read()
        except OSError:
            continue
        yield stat[stat.rindex(b")") + 2]


def children(pid):
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
    found = []
    for task in tasks:
        try:
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as f:
                found += [int(p) for p in f.read().split()]
        except OSError:
            pass
    return found


def descendants(pid):
    found = []
    for child in children(pid):
        found += [child] + descendants(child)
    return found


def kill(pid, signo=signal.SIGKILL):
    try:
        os.kill(pid, signo)
    except ProcessLookupError:
        pass


def become_subreaper():
    """What creche-init leaves behind comes to us, and nobody else has to be relied on to reap it."""
    if ctypes.CDLL(None, use_errno=True).prctl(36, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "PR_SET_CHILD_SUBREAPER")


def reap_orphans(main):
    for pid in children(os.getpid()):
        if pid != main:
            os.waitpid(pid, os.WNOHANG)


def wait_for(condition, what, seconds=PATIENCE_S):
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"still not so after {seconds} s: {what}")
        time.sleep(0.002)


class Points:
    """The file through which kill points are armed: struct killpoint of base/killpoint.h."""

    FORMAT = "iI56s"
    SIZE = struct.calcsize(FORMAT)
    COUNT = 2

    def __init__(self, path):
        self.path = path
        with open(path, "wb") as f:
            f.write(bytes(self.SIZE * self.COUNT))
        self._file = open(path, "r+b")
        self._map = mmap.mmap(self._file.fileno(), self.SIZE * self.COUNT)

    def arm(self, name, passes=1, place=0):
        """Whoever passes the point as the @passes-th from now on dies."""
        _, fired, _ = self._read(place)
        at = self.SIZE * place
        self._left(place).value = 0
        self._map[at : at + self.SIZE] = struct.pack(self.FORMAT, 0, fired, name.encode())
        self._left(place).value = passes
        return fired

    def disarm(self):
        for place in range(self.COUNT):
            self._left(place).value = 0

    def fired(self, place=0):
        """How many have died of this place so far."""
        return self._read(place)[1]

    def _left(self, place):
        return ctypes.c_int32.from_buffer(self._map, self.SIZE * place)

    def _read(self, place):
        at = self.SIZE * place
        return struct.unpack(self.FORMAT, self._map[at : at + self.SIZE])


class Server:
    """One creche-init with what hangs below it, over one directory. @points: Points, or None."""

    def __init__(self, build, directory, points=None, database_directory=None):
        self.build = build
        self.options = []
        self.env = {}  # more of it
        self.directory = directory
        self.points = points
        self.state = os.path.join(database_directory or directory, "state")
        self.socket = os.path.join(directory, "s")
        self.database = os.path.join(self.state, "registry.db")
        self.main = None
        self._stderr = open(os.path.join(directory, "stderr"), "ab")

    def begin(self):
        """Start it, without waiting."""
        env = {"PATH": os.environ["PATH"], "HOME": self.directory, **self.env}
        if self.points:
            env["CRECHE_KILLPOINT"] = "@" + self.points.path
        self.main = subprocess.Popen(
            [os.path.join(self.build, "creched"), "--state-dir", self.state, "--socket", self.socket,
             "--listen", "none", "--log-level", "info", *self.options],
            env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._stderr)

    def start(self):
        """Start it and wait until it serves."""
        if self.main:
            self.main.wait()
            self.main.stdout.close()
        self.begin()
        line = self.main.stdout.readline()
        if not line.startswith(b"READY"):
            raise RuntimeError(f"creched did not start, exit status {self.main.wait()}: see {self._stderr.name}")

    def serving_pid(self):
        """Who serves on the socket, below creche-init or not; 0: nobody."""
        client = Client(self.socket)
        while True:
            try:
                status, body = client.call("GET", "/v1/info")
                if status == 200:
                    return body["pid"]
            except Refused:
                return 0
            except Broken:
                pass
            finally:
                client.close()
            time.sleep(0.002)

    def daemon(self):
        """The pid of the creched below creche-init, 0 while there is none."""
        for pid in children(self.main.pid):
            if parent_and_name(pid)[1] == "creched" and not is_dead(pid):
                return pid
        return 0

    def forkserver(self):
        for pid in children(self.daemon()):
            if parent_and_name(pid)[1].startswith("creche-forkserv") and not is_dead(pid):
                return pid
        return 0

    def kill_daemon(self):
        """SIGKILL to the creched there is; False when there was none just now."""
        pid = self.daemon()
        if pid:
            kill(pid)
        return bool(pid)

    def freeze(self):
        """SIGSTOP to creched. Returns when no thread of it can do more than end the system call that it is in."""
        pid = self.daemon()
        if pid:
            kill(pid, signal.SIGSTOP)
            wait_for(lambda: set(thread_states(pid)) <= set(b"TDZX"), "creched is stopped")

    def main_is_dead(self):
        return self.main.poll() is not None

    def stop(self):
        """SIGTERM, as an operator does; its exit status."""
        self.main.send_signal(signal.SIGTERM)
        try:
            return self.main.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            print("  still there:", [(p, *parent_and_name(p)) for p in descendants(self.main.pid)], flush=True)
            raise

    def remove_control_groups(self):
        """Those that nobody has removed who would have, had he been stopped."""
        try:
            with open(os.path.join(self.state, "cgroup"), encoding="utf-8") as f:
                directory = f.read().strip()
        except OSError:
            return
        if os.path.basename(directory).startswith("creche-"):
            for path, _, _ in os.walk(directory, topdown=False):
                os.rmdir(path)

    def kill_all(self):
        """Everything at once, as when the power fails: creche-init, creched and all of their children. They are all
        below us, also what creche-init has left behind: see become_subreaper()."""
        if self.main is None:
            return
        everybody = set()
        while set(descendants(os.getpid())) - everybody:
            everybody |= set(descendants(os.getpid()))
            for pid in everybody:
                kill(pid, signal.SIGSTOP)
        for pid in everybody:
            kill(pid)
        self.main.wait()
        wait_for(lambda: all(is_dead(p) for p in everybody), "all processes are dead")
        reap_orphans(self.main.pid)
