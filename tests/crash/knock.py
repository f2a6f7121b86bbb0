#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Connects as fast as it can until there is a file: knock.py FILE unix|tcp

Prints, for each time: "served", by one that is about to end, too; "cut", when it was taken by a creched that then ended:
ask again; or "failed: WHY", when nobody listened. curl does not tell the last two apart: who is cut at once has not
been connected, to curl.
"""
import errno
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../api'))
from raw import Broken, Client, head  # noqa: E402


def knock(via):
    try:
        client = Client(via)
    except OSError as e:
        return f'failed: {errno.errorcode.get(e.errno, e)}'
    with client:
        try:
            if not client.send(head('GET /healthz HTTP/1.1')) or client.is_closed():
                return 'cut'
            status = client.answer().status
        except (Broken, OSError) as e:
            return f'failed: {e}'
        return 'served' if status in (200, 503) else f'failed: {status}'


if __name__ == '__main__':
    while not os.path.exists(sys.argv[1]):
        print(knock(sys.argv[2]))
