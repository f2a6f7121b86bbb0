#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a command on a terminal of its own and prints what that was given to show.

    terminal.py WIDTH COMMAND...

Exits as the command does.
"""

import fcntl
import os
import pty
import struct
import sys
import termios


def main():
    width, command = int(sys.argv[1]), sys.argv[2:]
    pid, fd = pty.fork()
    if pid == 0:
        size = struct.pack("HHHH", 24, width, 0, 0)
        fcntl.ioctl(1, termios.TIOCSWINSZ, size)
        os.environ["TERM"] = "xterm"
        os.execvp(command[0], command)
    while True:
        try:
            data = os.read(fd, 65536)
        except OSError:
            break
        if not data:
            break
        sys.stdout.buffer.write(data.replace(b"\r\n", b"\n"))
    sys.stdout.flush()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


sys.exit(main())
