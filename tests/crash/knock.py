#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Connects as fast as it is served, and every millisecond while it is not, until there is a file: knock.py FILE unix|tcp

Prints, for each time: "served", by one that is about to end, too; "cut", when it was taken by a creched that then ended:
ask again; or "failed: WHY", when nobody listened. curl does not tell the last two apart: who is cut at once has not
been connected, to curl.
"""
import errno
import os
import select
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../api'))
from raw import TIMEOUT, Broken, Client, head  # noqa: E402

# That wait at a time. One that waits for the next creched would see nothing of what comes between the two.
MOST = 200
STEP_MS = 1


def answer_of(client):
    with client:
        try:
            if client.is_closed():
                return 'cut'
            status = client.answer().status
        except (Broken, OSError) as e:
            return f'failed: {e}'
        return 'served' if status in (200, 503) else f'failed: {status}'


class Knocker:
    def __init__(self, via):
        self.via = via
        self.waiting = {}
        self.poll = select.poll()

    def knock(self):
        try:
            client = Client(self.via)
        except OSError as e:
            print(f'failed: {errno.errorcode.get(e.errno, e)}')
            return
        if client.send(head('GET /healthz HTTP/1.1')):
            self.waiting[client.socket.fileno()] = client
            self.poll.register(client.socket, select.POLLIN)
        else:
            client.socket.close()
            print('cut')

    def hear(self, ms):
        """Whether anybody was answered."""
        ready = self.poll.poll(ms)
        for fd, _ in ready:
            self.poll.unregister(fd)
            print(answer_of(self.waiting.pop(fd)))
        return bool(ready)

    def hear_all(self):
        while self.waiting:
            if not self.hear(TIMEOUT * 1000):
                print(f'failed: {len(self.waiting)} never heard anything')
                return


def main():
    knocker = Knocker(sys.argv[2])
    while not os.path.exists(sys.argv[1]):
        if len(knocker.waiting) < MOST:
            knocker.knock()
        knocker.hear(STEP_MS)
    knocker.hear_all()


if __name__ == '__main__':
    main()
