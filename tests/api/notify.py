#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Stands for the service manager: notify.py ADDRESS FILE

Listens on NOTIFY_SOCKET's ADDRESS, where '@' begins an abstract name, and writes one line for each datagram to FILE:
its lines, with a space between them. Says "listening" on stdout, and ends when its stdin does.
"""
import select
import socket
import sys

address, path = sys.argv[1:]
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind("\0" + address[1:] if address[0] == "@" else address)
print("listening", flush=True)
with open(path, "w", buffering=1, encoding="utf-8") as heard:
    while sys.stdin not in (ready := select.select([listener, sys.stdin], [], [])[0]):
        heard.write(" ".join(ready[0].recv(4096).decode().split("\n")) + "\n")
