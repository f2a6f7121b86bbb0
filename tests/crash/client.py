# SPDX-License-Identifier: MIT
"""An HTTP client on the unix socket that behaves as a good one should: it keeps its connection, knows whether
it has got an answer, and asks again when it has not."""
import json
import socket
import time

PATIENCE_S = 120
NO_ANSWER = (503, 507)  # later, perhaps


class Broken(Exception):
    """The connection broke before the answer was complete: whether the request was served is unknown."""


class Refused(Broken):
    """Nobody listens."""


class Stuck(Exception):
    """There was no answer for longer than anybody would wait."""


class Client:
    def __init__(self, path):
        self.path = path
        self.broken = 0
        self._socket = None
        self._buffer = b""

    def close(self):
        if self._socket:
            self._socket.close()
        self._socket = None
        self._buffer = b""

    def send(self, method, target, body=None, key=None, text=None):
        """Send a request; the answer is receive()'s."""
        head = [f"{method} {target} HTTP/1.1", "Host: localhost"]
        data = b""
        if body is not None:
            data = json.dumps(body).encode()
            head.append("Content-Type: application/json")
        elif text is not None:
            data = text
            head.append("Content-Type: text/plain")
        if key:
            head.append(f"Idempotency-Key: {key}")
        if method != "GET":
            head.append(f"Content-Length: {len(data)}")
        try:
            if not self._socket:
                self._connect()
            self._socket.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + data)
        except socket.timeout as e:
            self.close()
            raise Stuck(f"{method} {target}: cannot send") from e
        except (ConnectionRefusedError, FileNotFoundError) as e:
            self.close()
            raise Refused(str(e)) from e
        except OSError as e:
            self.close()
            raise Broken(str(e)) from e

    def receive(self):
        """(status, body)"""
        try:
            return self._receive()
        except socket.timeout as e:
            self.close()
            raise Stuck("no answer") from e
        except OSError as e:
            self.close()
            raise Broken(str(e)) from e

    def call(self, method, target, **request):
        self.send(method, target, **request)
        return self.receive()

    def insist(self, method, target, seconds=PATIENCE_S, **request):
        """Until there is an answer that is one: a broken connection, 503 and 507 (the disk is full) are none."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                status, body = self.call(method, target, **request)
                if status not in NO_ANSWER:
                    return status, body
            except Broken:
                self.broken += 1
            if time.monotonic() > deadline:
                raise Stuck(f"{method} {target}: no answer in {seconds} s")
            time.sleep(0.01)

    def _connect(self):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(PATIENCE_S)
        self._socket.connect(self.path)

    def _more(self):
        data = self._socket.recv(65536)
        if not data:
            raise OSError("end of file")
        self._buffer += data

    def _receive(self):
        while b"\r\n\r\n" not in self._buffer:
            self._more()
        head, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
        lines = head.split(b"\r\n")
        fields = dict(line.lower().split(b":", 1) for line in lines[1:])
        size = int(fields.get(b"content-length", b"0"))
        while len(self._buffer) < size:
            self._more()
        body, self._buffer = self._buffer[:size], self._buffer[size:]
        if fields.get(b"connection", b"").strip() == b"close":
            self.close()
        return int(lines[0].split()[1]), json.loads(body) if body else None
