#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Clients that shake hands badly: tests/api/tls.py NAME [ARGUMENT...]"""

import random
import socket
import ssl
import struct
import sys
import time

from raw import TIMEOUT, Broken, Client, head, tls


def connect():
    s = socket.create_connection(Client.address('tcp'), TIMEOUT)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def hello():
    """What a client says first."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        tls().wrap_bio(incoming, outgoing, server_hostname='localhost').do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise Broken('no handshake')


def vanish(n):
    """@n clients that break off in the middle of a handshake, or just behind it, politely or not."""
    first = hello()
    for i in range(int(n)):
        s = connect()
        if i % 5 == 0:
            s = tls().wrap_socket(s, server_hostname='localhost')
            if i % 2:
                s.send(head()[:random.randrange(1, 40)])
        else:
            s.send(first[:random.randrange(len(first) + 1)])
        if i % 3 == 0:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        s.close()


def ends():
    """Client() fails when an end is not signed."""
    for request in (head('GET /v1/info HTTP/1.1', 'Connection: close'), b'GET / HTTP/3.0\r\n\r\n', b'nonsense\r\n\r\n'):
        with Client() as client:
            client.send(request)
            client.answer()
            if not client.is_closed():
                raise Broken(f'{request!r}: it goes on')


def slow_handshakes():
    """With --header-timeout of a second."""
    first = hello()
    for said in (b'', first[:1], first[:-1], first):
        began = time.monotonic()
        with connect() as s:
            s.sendall(said)
            while s.recv(65536):
                pass
        took = time.monotonic() - began
        if not 0.9 < took < TIMEOUT:
            raise Broken(f'{len(said)} bytes of a handshake: closed after {took:.2f} s')
    # However many bytes come.
    began = time.monotonic()
    with connect() as s:
        s.settimeout(0.05)
        for byte in first:
            try:
                s.send(bytes([byte]))
                if not s.recv(65536):
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        else:
            raise Broken('a handshake may take for ever')
    # What the handshake took is not given again.
    began = time.monotonic()
    with connect() as s:
        time.sleep(0.7)
        with tls().wrap_socket(s, server_hostname='localhost', suppress_ragged_eofs=False) as wrapped:
            wrapped.send(b'GET ')
            if b' 408 ' not in wrapped.recv(65536):
                raise Broken('no 408')
    if time.monotonic() - began > 1.6:
        raise Broken('the time of the head began behind the handshake')


def too_many(n):
    """With --max-peer-connections @n: those who shake hands are connections, until they leave."""
    silent = [connect() for _ in range(int(n))]
    with connect() as s:
        if s.recv(1):
            raise Broken('something was said to one too many')
    for s in silent:
        s.close()
    deadline = time.monotonic() + TIMEOUT
    while True:
        try:
            with Client() as client:
                client.send(head())
                if client.answer().status == 200:
                    return
        except (Broken, OSError):
            if time.monotonic() > deadline:
                raise


if __name__ == '__main__':
    try:
        globals()[sys.argv[1]](*sys.argv[2:])
    except (Broken, OSError) as e:
        sys.exit(f'{sys.argv[1]}: {type(e).__name__}: {e}')
