#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Clients that hold on, push in or let go: tests/api/siege.py NAME [ARGUMENT...]

Each checks what it is answered, and fails with a message.
"""

import json
import os
import socket
import ssl
import struct
import sys
import threading
import time

from raw import TIMEOUT, VIAS, Broken, Client, authorization, head, host, post

GOOD = b'GET /healthz HTTP/1.1\r\nHost: %s\r\n\r\n'
OTHER_UID = 5
TELL = b'POST /v1/processes HTTP/1.1\r\n'


def good():
    return GOOD % host().encode()


def must(condition, text):
    if not condition:
        raise Broken(text)


def trickle(client, start, drop):
    """Sends @start, then one byte every 50 ms until an answer is there; returns it."""
    client.send(start)
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        if not client.is_quiet(0.05):
            return client.answer()
        client.send(drop)
    raise Broken('still taken after a long while')


def late(answer):
    must(answer.status == 408, f'{answer.status} {answer.body!r}')
    must(answer.problem() == 'request_timeout', answer.body)


def slow_heads():
    """With --header-timeout of a second at most."""
    for via in VIAS:
        for start, drop in ((b'G', b'E'), (b'GET /healthz HTTP/1.1\r\nX: ', b'y'), (good() + b'GET', b'T')):
            with Client(via) as client:
                if start.startswith(good()):
                    client.send(good())
                    must(client.answer().status == 200, 'the first request')
                    start = start.removeprefix(good())
                late(trickle(client, start, drop))
                must(client.is_closed(), 'it goes on')
        with Client(via) as client:
            client.send(b'GET /healthz HTT')
            late(client.answer())
        with Client(via) as client:
            must(client.is_closed(), 'something was said to who said nothing')


def slow_bodies():
    """With --body-timeout of a second at most."""
    for via in VIAS:
        for start, drop in ((post(b'{', 'Content-Length: 200000'), b' '),
                            (post(b'', 'Transfer-Encoding: chunked'), b'1\r\n \r\n'),
                            (post(b'30000\r\n', 'Transfer-Encoding: chunked'), b' '),
                            (post(b'2\r\n{}', 'Transfer-Encoding: chunked'), b''),
                            (head('POST /nowhere HTTP/1.1', 'Content-Length: 200000'), b' '),
                            (head('GET /v1/info HTTP/1.1', 'Content-Length: 200000'), b' ')):
            with Client(via) as client:
                answer = trickle(client, start, drop)
                if b'/nowhere' in start:
                    must(answer.status in (404, 408), answer.status)
                else:
                    late(answer)
                must(client.is_closed(), 'it goes on')


def slow_stream(process):
    """With --stream-timeout of a second at most. @process reads."""
    for via in VIAS:
        with Client(via) as client:
            client.send(head(f'PUT /v1/processes/{process}/stdin HTTP/1.1', 'Transfer-Encoding: chunked'))
            for _ in range(30):
                must(client.send(b'1\r\nx\r\n'), 'cut off while it sent')
                time.sleep(0.1)
            client.send(b'0\r\n\r\n')
            must(client.answer().status == 204, 'a stream that goes on was cut off')
        with Client(via) as client:
            client.send(head(f'PUT /v1/processes/{process}/stdin?eof=1 HTTP/1.1', 'Transfer-Encoding: chunked') + b'1\r\nx\r\n')
            late(client.answer())


def halves(process):
    """Clients that send no more, and would read the answer."""
    for via in VIAS:
        for data, status in ((good(), 200), (good()[:-2], 400), (good()[:10], 400), (post(b'{', 'Content-Length: 20'), 400),
                             (post(b'5\r\n{}', 'Transfer-Encoding: chunked'), 400),
                             (head(f'PUT /v1/processes/{process}/stdin?eof=1 HTTP/1.1', 'Content-Length: 20') + b'half', 400),
                             (head(f'PUT /v1/processes/{process}/stdin?eof=1 HTTP/1.1', 'Transfer-Encoding: chunked') + b'9\r\nhalf', 400)):
            with Client(via) as client:
                client.send(data)
                client.end()
                answer = client.answer()
                must(answer.status == status, f'{data!r}: {answer.status} {answer.body!r}')
                must(client.is_closed(), f'{data!r}: it goes on')


def resets(process):
    """Clients that break off, at any byte."""
    asked = (head(), post(b'{"argv": ["tr', 'Content-Length: 18'), post(b'9\r\n{"ar', 'Transfer-Encoding: chunked'),
             head(f'POST /v1/processes/{process}/join HTTP/1.1', 'Content-Length: 0'), head('GET /openapi.json HTTP/1.1'),
             head(f'GET /v1/processes/{process}/logs?follow=1 HTTP/1.1'),
             head(f'PUT /v1/processes/{process}/stdin HTTP/1.1', 'Content-Length: 1000000') + b'x' * 200)
    for via in VIAS:
        for data in asked:
            for n in list(range(0, len(data), 9)) + [len(data)]:
                with Client(via) as client:
                    client.send(data[:n])
                    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))


def pipelines():
    """A thousand requests at once are answered in their order, and the last, a bad one, too."""
    for via in VIAS:
        with Client(via) as client:
            asked = b''.join(head(f'GET /v1/processes/{i} HTTP/1.1') for i in range(700001, 701001))
            thread = threading.Thread(target=client.send, args=(asked + b'GET / HTTP/3.0\r\n\r\n' + TELL,))
            thread.start()
            for i in range(700001, 701001):
                answer = client.answer()
                must(answer.status == 404 and str(i).encode() in answer.body, f'{i}: {answer.status} {answer.body!r}')
            must(client.answer().status == 505, 'the last')
            must(client.is_closed(), 'it goes on')
            thread.join()


def heads(process):
    """Behind an answer to HEAD comes the next answer, or the end."""
    for via in VIAS:
        for path, accept in (('/v1/info', '*/*'), ('/v1/events', 'text/event-stream'), ('/openapi.json', '*/*'),
                             (f'/v1/processes/{process}/logs', '*/*'), (f'/v1/processes/{process}/logs?follow=1', '*/*')):
            with Client(via) as client:
                client.send(head(f'HEAD {path} HTTP/1.1', f'Accept: {accept}') + good())
                answer = client.answer('HEAD')
                must(answer.status == 200, f'{path}: {answer.status}')
                if answer.header('connection') == 'close':
                    must(client.is_closed(), f'{path}: something comes behind it: {client.pending[:200]!r}')
                else:
                    must(client.answer().status == 200, f'{path}: the next')


def deaf():
    """A hundred clients that ask for much and read nothing."""
    clients = [Client(VIAS[i % len(VIAS)]) for i in range(100)]
    for client in clients:
        client.socket.setblocking(False)
        try:
            client.socket.send(head('GET /openapi.json HTTP/1.1') * 200)
        except (BlockingIOError, ssl.SSLWantWriteError):
            pass
    with Client('unix') as operator:
        operator.send(head())
        must(operator.answer().status == 200, 'the operator is not served')
    for client in clients:
        client.socket.close()


def too_many_of_one(n):
    """With --max-peer-connections @n, which nobody else uses. On the unix socket as another user."""
    for via in ('tcp', 'unix') if os.geteuid() == 0 else ('tcp',):
        if via == 'unix':
            os.seteuid(OTHER_UID)
        clients = [Client(via) for _ in range(int(n))]
        with Client(via) as client:
            client.send(good())
            answer = client.answer()
            must(answer.status == 429 and answer.problem() == 'too_many', f'{answer.status} {answer.body!r}')
            must(client.is_closed(), 'it goes on')
        for client in clients:
            client.send(head())
            must(client.answer().status == 200, 'who was there before is not served')
        clients.pop().socket.close()
        deadline = time.monotonic() + TIMEOUT
        while True:
            with Client(via) as client:
                client.send(head())
                if client.answer().status == 200:
                    break
            must(time.monotonic() < deadline, 'the place of who left stays taken')
        for client in clients:
            client.socket.close()


def join(process, via='tcp'):
    client = Client(via)
    asked = head(f'POST /v1/processes/{process}/join HTTP/1.1', 'Content-Length: 0')
    client.send(asked)
    return client


def is_parked(client):
    return client.is_quiet(0.3)


def wait_for_place(process, via):
    """Joins, again and again until it is let in; who left a moment ago may still be counted."""
    deadline = time.monotonic() + TIMEOUT
    while True:
        client = join(process, via)
        if is_parked(client):
            return client
        client.socket.close()
        must(time.monotonic() < deadline, 'the place of who left stays taken')


def too_many_waiting(process, n, status):
    """After @n that wait for @process the next one is refused with @status, until one leaves."""
    for via in VIAS:
        waiting = [wait_for_place(process, via) for _ in range(int(n))]
        for path in (f'POST /v1/processes/{process}/join', f'GET /v1/processes/{process}/logs?follow=1',
                     f'GET /v1/processes/{process}?wait=60'):
            with Client(via) as client:
                client.send(head(f'{path} HTTP/1.1', 'Content-Length: 0'))
                answer = client.answer()
                must(answer.status == int(status), f'{path}: {answer.status} {answer.body!r}')
                answer.problem()
        waiting.pop().socket.close()
        waiting.append(wait_for_place(process, via))
        operator_is_served()
        for client in waiting:
            client.socket.close()


def too_many_bodies(n):
    """With --max-bodies @n."""
    clients = [Client() for _ in range(20)]
    for client in clients:
        client.send(post(b' ' * (int(n) // 10), f'Content-Length: {int(n) // 10 + 1}'))
    refused = 0
    for client in clients:
        if not is_parked(client):
            refused += 1
            answer = client.answer()
            must(answer.status == 503 and answer.problem() == 'try_again', f'{answer.status} {answer.body!r}')
    # Refusals wait for the end of the body.
    for client in clients:
        client.send(b' ')
    statuses = sorted(client.answer().status for client in clients)
    must(statuses == [400] * 7 + [503] * 13, f'{statuses}')
    with Client('unix') as operator:
        operator.send(post(b'{}', 'Content-Length: 2'))
        must(operator.answer().status == 422, 'what was refused is still counted')


def crowd_in(via, n):
    """@n that connect and say nothing, whether they get in or not."""
    clients = []
    for _ in range(n):
        clients.append(socket.socket(socket.AF_UNIX if via == 'unix' else socket.AF_INET))
        clients[-1].setblocking(False)
        try:
            clients[-1].connect(Client.address(via))
        except BlockingIOError:
            pass
    return clients


def operator_is_served():
    for _ in range(5):
        with Client('unix') as operator:
            operator.send(head())
            must(operator.answer().status == 200, 'the operator is not served')


def operator_first(crowd, process):
    """Whoever crowds in by TCP and by the unix socket, an operator is served."""
    joiners = [join(process, via) for via in VIAS for _ in range(10)]
    clients = crowd_in('tcp', int(crowd)) + crowd_in('unix', int(crowd))
    operator_is_served()
    must(all(is_parked(client) for client in joiners), 'one who waits was cut off')
    for client in clients + [joiner.socket for joiner in joiners]:
        client.close()


def tcp_crowd(crowd, process):
    """As many as there is room for, and more, wait for @process and do not go away."""
    joiners = [join(process) for _ in range(int(crowd))]
    operator_is_served()
    for client in joiners:
        client.socket.close()


def operator_beside(n, process, kind):
    """With --max-connections @n. Operators' clients of one @kind hold all connections of the unix socket that they get."""
    asked = {
        'stdins': head(f'PUT /v1/processes/{process}/stdin HTTP/1.1', 'Transfer-Encoding: chunked') + b'1\r\nx\r\n',
        'events': head('GET /v1/events HTTP/1.1', 'Accept: text/event-stream'),
        'bodies': post(b'{', 'Content-Length: 1000'),
        'unread': head('GET /openapi.json HTTP/1.1') * 100,
    }[kind]
    clients = crowd_in('unix', int(n))
    for client in clients:
        try:
            client.send(asked)
        except OSError:
            pass
    operator_is_served()
    for client in clients:
        client.close()


def joins_with_bodies(process, n):
    """With --max-bodies @n: joins that wait hold no memory of it."""
    body = b'{}'.ljust(int(n) // 2)
    asked = post(body, f'Content-Length: {len(body)}', path=f'/v1/processes/{process}/join')
    clients = [Client('unix') for _ in range(10)]
    for client in clients:
        client.send(asked)
        must(is_parked(client), 'a join was refused')
        client.socket.close()


def as_token(data, token):
    return data.replace(os.environ['CRECHE_TOKEN'].encode(), token.encode())


def modest_tokens(process, parked, bodies, token):
    """With --max-parked @parked and --max-bodies @bodies: on the unix socket, too, @token leaves a quarter of it to operators."""
    asked = head(f'POST /v1/processes/{process}/join HTTP/1.1', 'Content-Length: 0')
    waiting = []
    for number in range(int(parked)):
        client = Client('unix')
        if number < int(parked) * 3 // 4:
            client.send(as_token(asked, token))
            must(is_parked(client), f'the token waits {number} times only')
        else:
            with Client('unix') as refused:
                refused.send(as_token(asked, token))
                must(refused.answer().status == 503, 'the token takes what is kept for operators')
            client.send(asked.replace(authorization().encode(), b''))
            must(is_parked(client), 'there is no place for an operator')
        waiting.append(client)
    for size, status in ((int(bodies) * 3 // 4 + 1, 503), (int(bodies) * 3 // 4, 422)):
        with Client('unix') as client:
            client.send(as_token(post(b'{}'.ljust(size), f'Content-Length: {size}'), token))
            answer = client.answer()
            must(answer.status == status, f'{size}: {answer.status} {answer.body!r}')
    with Client('unix') as client:
        client.send(post(b'{}'.ljust(int(bodies)), f'Content-Length: {bodies}').replace(authorization().encode(), b''))
        must(client.answer().status == 422, 'there is no memory for an operator')
    for client in waiting:
        client.socket.close()


def unread_documents(n):
    """Strangers who ask for large documents, not gzipped, and read nothing: the daemon must not hold one for each."""
    clients = [Client() for _ in range(int(n))]
    for client in clients:
        client.send(f'GET /docs/swagger-ui.js HTTP/1.1\r\nHost: {host()}\r\n\r\n'.encode())
    for client in clients:
        client.socket.recv(1)
    print(open(f"/proc/{os.environ['DAEMON']}/status", encoding='ascii').read().split('VmRSS:')[1].split()[0])


def unread_lists(n):
    """With --max-bodies 1048576, and a process: a list has pages, and few are held for who reads nothing."""
    body = json.dumps({'argv': ['true', 'x' * 120000], 'start': False}).encode()
    with Client('unix') as client:
        for _ in range(50):
            client.send(post(body, f'Content-Length: {len(body)}'))
            must(client.answer().status == 201, 'creating')
    asked = head('GET /v1/processes?limit=1000 HTTP/1.1')
    with Client('unix') as client:
        client.send(asked)
        answer = client.answer()
        must(answer.status == 200 and 4 << 20 < len(answer.body) < 5 << 20, f'{answer.status}, {len(answer.body)} bytes')
        page = json.loads(answer.body)
        client.send(head(f"GET /v1/processes?limit=1000&cursor={page['next']} HTTP/1.1"))
        rest = json.loads(client.answer().body)
        must(rest['next'] is None, 'there is a third page')
        ids = [process['id'] for process in page['processes'] + rest['processes']]
        must(ids == list(range(len(ids), 0, -1)), f'{ids}')
    clients = [Client('unix') for _ in range(int(n))]
    for client in clients:
        client.send(asked)
    # Who comes later is refused: the first answers are read by nobody.
    statuses = []
    for client in clients:
        statuses.append(client.socket.recv(12, socket.MSG_PEEK | socket.MSG_WAITALL)[9:])
    must(statuses.count(b'503') == len(clients) - 1, f'{statuses}')
    with Client('unix') as client:
        client.send(post(body, f'Content-Length: {len(body)}'))
        must(client.answer().status == 503, 'there was room for the answer')
        client.send(head(f'GET /v1/processes/{len(ids) + 1} HTTP/1.1'))
        must(client.answer().status == 404, 'who was told to try again has a process')
        client.send(head(f'POST /v1/processes/{len(ids)}/start HTTP/1.1', 'Content-Length: 0'))
        must(client.answer().status == 503, 'there was room for the answer to a start')
        client.send(head(f'POST /v1/processes/{len(ids)}/kill HTTP/1.1', 'Content-Length: 0'))
        must(client.answer().status == 409, 'who was told to try again has started it')
    operator_is_served()
    for client in clients:
        client.socket.close()


def files_for_operator(process, crowd):
    """With few open files: clients by TCP, each with a file besides, leave some to an operator who starts something."""
    clients = crowd_in('tcp', int(crowd))
    for number, client in enumerate(clients):
        try:
            client.send(head(f'PUT /v1/processes/{process}/stdin HTTP/1.1', 'Transfer-Encoding: chunked') if number % 2 else
                        head(f'GET /v1/processes/{process}/logs?follow=1 HTTP/1.1'))
        except OSError:
            pass
    operator_is_served()
    beside = [Client('unix') for _ in range(20)]
    body = b'{"argv": ["true"]}'
    with Client('unix') as client:
        client.send(post(body, f'Content-Length: {len(body)}'))
        answer = client.answer()
        must(answer.status == 201, f'an operator can start nothing: {answer.status} {answer.body!r}')
    for client in clients + [operator.socket for operator in beside]:
        client.close()


def run(name, *arguments):
    globals()[name](*arguments)


if __name__ == '__main__':
    try:
        run(*sys.argv[1:])
    except (Broken, ValueError, KeyError, OSError) as e:
        sys.exit(f'{sys.argv[1]}: {type(e).__name__}: {e}')
