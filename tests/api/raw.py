# SPDX-License-Identifier: MIT
"""A client that sends whatever bytes it is told to, and reads answers strictly."""

import json
import os
import socket
import ssl

TIMEOUT = float(os.environ.get('PATIENCE_S', '20'))


# 'tcp' is by TLS where CRECHE_URL says so, and then must be the only one: the unix socket is tried without.
VIAS = tuple(os.environ.get('CRECHE_VIA', 'tcp unix').split())


class Broken(Exception):
    """The answer is none, or not a good one."""


def host():
    return os.environ['CRECHE_URL'].split('://')[1]


def scheme():
    return os.environ['CRECHE_URL'].split('://')[0]


def tls():
    """A client's context, which asks for the certificate of CRECHE_CA and for an end of what is sent that is signed."""
    return ssl.create_default_context(cafile=os.environ['CRECHE_CA'])


def authorization():
    return f"Authorization: Bearer {os.environ['CRECHE_TOKEN']}\r\n"


def head(line='GET /v1/info HTTP/1.1', *headers):
    """The head of a request that is all right but for what is given."""
    lines = ''.join(f'{h}\r\n' for h in headers)
    return f'{line}\r\nHost: {host()}\r\n{authorization()}{lines}\r\n'.encode('latin-1')


def post(body, *headers, path='/v1/processes'):
    return head(f'POST {path} HTTP/1.1', 'Content-Type: application/json', *headers) + body


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def problem(self):
        """Checks that it is a problem document; returns its code."""
        if self.header('content-type') != 'application/problem+json':
            raise Broken(f"{self.status} is {self.header('content-type')}: {self.body[:200]!r}")
        document = json.loads(self.body)
        if document['status'] != self.status:
            raise Broken(f'{self.status} says {document}')
        return document['code']

    def header(self, name):
        return dict(self.headers).get(name)

    def check(self):
        """What is true of every answer."""
        names = [name for name, _ in self.headers]
        if any(name.startswith('access-control-') for name in names):
            raise Broken(f'CORS: {names}')
        if self.header('x-content-type-options') != 'nosniff' or not self.header('cache-control'):
            raise Broken(f'security headers: {names}')
        if 'html' in (self.header('content-type') or ''):
            raise Broken(f'HTML: {self.body[:200]!r}')
        if self.status in (429, 503) and not self.header('retry-after'):
            raise Broken(f'{self.status} without Retry-After')


class Client:
    """One connection, by 'tcp' or by 'unix'."""

    def __init__(self, via='tcp'):
        self.socket = socket.socket(socket.AF_UNIX if via == 'unix' else socket.AF_INET)
        self.socket.settimeout(TIMEOUT)
        self.socket.connect(self.address(via))
        if via != 'unix':
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if via == 'tcp' and scheme() == 'https':
            self.socket = tls().wrap_socket(self.socket, server_hostname='localhost', suppress_ragged_eofs=False)
        self.pending = b''

    @staticmethod
    def address(via):
        if via == 'unix':
            return os.environ['CRECHE_SOCKET']
        name, port = host().rsplit(':', 1)
        return name, int(port)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        """Returns whether all of it went."""
        try:
            self.socket.sendall(data)
            return True
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            return False

    def end(self):
        # An SSLSocket would forget its session.
        socket.socket.shutdown(self.socket, socket.SHUT_WR)

    def is_quiet(self, seconds):
        """Whether nothing comes for so long."""
        self.socket.settimeout(seconds)
        try:
            if not self._receive():
                raise Broken('closed without an answer')
            return False
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(TIMEOUT)

    def _receive(self):
        data = self.socket.recv(65536)
        self.pending += data
        return bool(data)

    def _more(self):
        try:
            return self._receive()
        except TimeoutError:
            raise Broken(f'nothing came; before: {self.pending[:200]!r}') from None
        except ConnectionResetError:
            raise Broken(f'reset; before: {self.pending[:200]!r}') from None
        except ssl.SSLError as e:
            raise Broken(f'{e}; before: {self.pending[:200]!r}') from None

    def _until(self, mark):
        while mark not in self.pending:
            if not self._more():
                raise Broken(f'the answer ended early: {self.pending[:200]!r}')
        found, self.pending = self.pending.split(mark, 1)
        return found

    def _take(self, n):
        while len(self.pending) < n:
            if not self._more():
                raise Broken(f'the body ended early: {self.pending[:200]!r}')
        found, self.pending = self.pending[:n], self.pending[n:]
        return found

    def _chunks(self):
        body = b''
        while size := int(self._until(b'\r\n'), 16):
            body += self._take(size)
            self._take(2)
        self._until(b'\r\n')
        return body

    def answer(self, method='GET'):
        """The next answer that is not 100 Continue."""
        first, *lines = self._until(b'\r\n\r\n').decode('latin-1').split('\r\n')
        version, status, _ = first.split(' ', 2)
        if version not in ('HTTP/1.1', 'HTTP/1.0'):
            raise Broken(first)
        if status == '100':
            return self.answer(method)
        headers = [(name.lower(), value.strip()) for name, value in (line.split(':', 1) for line in lines)]
        names = dict(headers)
        if method == 'HEAD' or status in ('204', '304'):
            body = b''
        elif 'chunked' in names.get('transfer-encoding', ''):
            body = self._chunks()
        else:
            body = self._take(int(names['content-length']))
        answer = Answer(int(status), headers, body)
        answer.check()
        return answer

    def is_closed(self):
        """Whether the server closes, without another byte."""
        try:
            return not self.pending and not self._more()
        except Broken as e:
            return 'reset' in str(e)
