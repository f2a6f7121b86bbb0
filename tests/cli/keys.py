#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a command on a terminal, types, and looks at what that terminal would show.

    keys.py ROWSxCOLUMNS STEP... -- COMMAND...

A step is one of
    see:REGEX     wait until the screen matches; else fail, with the screen
    unsee:REGEX   wait until it does not
    type:TEXT     type it (Python's escapes are known)
    size:RxC      resize the terminal
    kill:SIGNAL   send it
    obey          fail if a control sequence came that is not one of ours
    given back    wait until the modes of the terminal are as before
    end           wait until the command has ended

At the end prints the screen; then "status N", and "modes same" or "modes changed": those of the terminal.
"""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

PATIENCE = float(os.environ.get("PATIENCE_S", "20"))
# What the program may say to a terminal: places, colours, and what it takes and gives back.
OURS = re.compile(r"\x1b\[(?:H|K|J|[0-9;]*m|\?25[lh]|\?1049[lh])")


class Screen:
    """As much of a terminal as is needed: lines from the top, over what was there."""

    def __init__(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.raw, self.lines, self.at, self.column = "", {}, 0, 0

    def feed(self, text):
        self.raw += text
        for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|[^\x1b]|\x1b", text):
            if part in ("\x1b[H", "\x1b[?1049h", "\x1b[?1049l"):
                self.at = self.column = 0
                if part != "\x1b[H":
                    self.lines = {}
            elif part == "\x1b[J":
                self.lines = {k: v for k, v in self.lines.items() if k <= self.at}
            elif part == "\x1b[K":
                self.lines[self.at] = self.lines.get(self.at, "")[: self.column]
            elif part == "\n":
                self.at += 1
            elif part == "\r":
                self.column = 0
            elif not part.startswith("\x1b"):
                line = self.lines.get(self.at, "").ljust(self.column)
                self.lines[self.at] = line[: self.column] + part + line[self.column + 1 :]
                self.column += 1

    def text(self):
        return "\n".join(self.lines.get(i, "") for i in range(max(self.lines, default=-1) + 1))


class Terminal:
    def __init__(self, size, command):
        self.screen = Screen(*size)
        self.master, slave = pty.openpty()
        self.slave = slave
        self.resize(*size)
        self.before = termios.tcgetattr(slave)
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
            for fd in range(3):
                os.dup2(slave, fd)
            os.environ["TERM"] = "xterm"
            for signo in (signal.SIGINT, signal.SIGQUIT):
                signal.signal(signo, signal.SIG_DFL)
            os.execvp(command[0], command)
        self.status = None
        self.pending = b""

    def resize(self, rows, columns):
        self.screen.rows, self.screen.columns = rows, columns
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def pump(self, seconds):
        if select.select([self.master], [], [], seconds)[0]:
            self.pending += os.read(self.master, 65536)
            # A character may come in two parts.
            text = self.pending.decode("utf-8", "ignore")
            cut = len(self.pending) if self.pending[-1] < 128 else len(text.encode())
            self.screen.feed(self.pending[:cut].decode("utf-8", "replace"))
            self.pending = self.pending[cut:]
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)

    def wait(self, what, condition):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                sys.exit(f"not so after {PATIENCE} s: {what}; the screen is:\n{self.screen.text()}")
            self.pump(0.05)

    def is_as_before(self):
        return termios.tcgetattr(self.slave) == self.before

    def step(self, step):
        verb, _, rest = step.partition(":")
        if verb == "see":
            self.wait(step, lambda: re.search(rest, self.screen.text()))
        elif verb == "unsee":
            self.wait(step, lambda: not re.search(rest, self.screen.text()))
        elif verb == "type":
            os.write(self.master, rest.encode().decode("unicode_escape").encode())
        elif verb == "size":
            self.resize(*map(int, rest.split("x")))
        elif verb == "kill":
            os.kill(self.pid, getattr(signal, rest))
        elif verb == "obey":
            left = re.sub(OURS, "", self.screen.raw)
            if "\x1b" in left or "\x07" in left:
                sys.exit(f"it is not one of ours: {left!r}")
            if max(map(len, self.screen.lines.values())) > self.screen.columns or max(self.screen.lines) >= self.screen.rows:
                sys.exit(f"it does not fit:\n{self.screen.text()}")
        elif verb == "given back":
            self.wait(step, self.is_as_before)
        elif verb == "end":
            self.wait(step, lambda: self.status is not None)
            self.pump(0)
        else:
            sys.exit(f"unknown step {step}")


def main():
    split = sys.argv.index("--")
    size = tuple(map(int, sys.argv[1].split("x")))
    terminal = Terminal(size, sys.argv[split + 1 :])
    try:
        for step in sys.argv[2:split]:
            terminal.step(step)
        print(terminal.screen.text())
        print("status", terminal.status)
        print("modes", "same" if terminal.is_as_before() else "changed")
        print("cursor", "shown" if terminal.screen.raw.rfind("\x1b[?25h") >= terminal.screen.raw.rfind("\x1b[?25l") else "hidden")
    finally:
        if terminal.status is None:
            os.kill(terminal.pid, signal.SIGKILL)
            os.waitpid(terminal.pid, 0)


main()
