#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A socket in front of a server that loses one answer.

    lossy.py LISTEN SERVER N

The request of the N-th connection reaches the server, and is answered by the end of the connection.
"""

import socket
import sys
import threading


def relay(source, target, loses):
    try:
        while data := source.recv(65536):
            if loses:
                break
            target.sendall(data)
    except OSError:
        pass
    for end in (source, target):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def main():
    listen, server, lost = sys.argv[1], sys.argv[2], int(sys.argv[3])
    door = socket.socket(socket.AF_UNIX)
    door.bind(listen)
    door.listen()
    n = 0
    while True:
        client, _ = door.accept()
        n += 1
        behind = socket.socket(socket.AF_UNIX)
        behind.connect(server)
        threading.Thread(target=relay, args=(client, behind, False), daemon=True).start()
        threading.Thread(target=relay, args=(behind, client, n == lost), daemon=True).start()


main()
