# SPDX-License-Identifier: MIT
"""usage: at_once.py SOCKET PID N

N clients that are connected send a request each while creched, PID, stands still; then it goes on. Prints how many were
answered within 10 seconds."""
import os
import select
import signal
import socket
import sys
import time

REQUEST = b"GET /v1/info HTTP/1.1\r\nHost: localhost\r\n\r\n"


def main():
    path, pid, n = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    clients = []
    for _ in range(n):
        s = socket.socket(socket.AF_UNIX)
        s.connect(path)
        clients.append(s)
    # Each has been served, so it is known to its thread, which sleeps.
    for s in clients:
        s.sendall(REQUEST)
        s.recv(65536)
    os.kill(pid, signal.SIGSTOP)
    for s in clients:
        s.sendall(REQUEST)
    os.kill(pid, signal.SIGCONT)
    deadline, waiting = time.monotonic() + 10, set(clients)
    while waiting and time.monotonic() < deadline:
        waiting -= set(select.select(list(waiting), [], [], 1)[0])
    print(n - len(waiting))


main()
