#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What others do that do the same: CPython's own multiprocessing, and supervisord.

usage: peers.py fork|forkserver SECONDS AT_ONCE
       peers.py supervisord SECONDS PROGRAM

multiprocessing starts AT_ONCE processes that do nothing, joins them, and again. supervisord, by one client on one
connection of its XML-RPC, starts PROGRAM and is asked for its state until that is EXITED, and again: it reaps when
something wakes it, so that its events come up to a second later than this. Prints {"per_s": N}.
"""
import json
import multiprocessing
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

SUPERVISORD = "supervisord"
PATIENCE_S = 30

# Nothing is logged, and a process that ends is one that has done what it should.
CONFIG = """
[unix_http_server]
file={directory}/socket

[supervisord]
nodaemon=true
logfile=/dev/null
logfile_maxbytes=0
loglevel=critical
pidfile={directory}/pid
childlogdir={directory}

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[program:nothing]
command={program}
autostart=false
autorestart=false
startsecs=0
stdout_logfile=NONE
stderr_logfile=NONE
"""


def has_supervisord():
    return shutil.which(SUPERVISORD) is not None


# ------------------------------------------------------------------------------------- multiprocessing


def nothing():
    pass


def start_and_join(context, at_once):
    processes = [context.Process(target=nothing) for _ in range(at_once)]
    for p in processes:
        p.start()
    for p in processes:
        p.join()
    if any(p.exitcode for p in processes):
        sys.exit("one of them has failed")
    return at_once


# ----------------------------------------------------------------------------------------- supervisord


def request(method, *params):
    """The bytes of one, made once: what a client may do beforehand is none of the server's business."""
    values = "".join(f"<param><value>{value}</value></param>" for value in params)
    body = f"<?xml version='1.0'?><methodCall><methodName>supervisor.{method}</methodName><params>{values}</params></methodCall>"
    return (f"POST /RPC2 HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\nConnection: keep-alive\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}").encode()


class Supervisord:
    END = b"</methodResponse>"

    def __init__(self, program):
        self.directory = tempfile.mkdtemp(prefix="bench.")
        config = os.path.join(self.directory, "config")
        with open(config, "w", encoding="utf-8") as f:
            f.write(CONFIG.format(directory=self.directory, program=program))
        # It complains on its output when root has started it.
        self.process = subprocess.Popen([SUPERVISORD, "--configuration", config], stdout=subprocess.DEVNULL)
        self.start = request("startProcess", "<string>nothing</string>", "<boolean>0</boolean>")
        self.state = request("getProcessInfo", "<string>nothing</string>")
        self.socket = None

    def __enter__(self):
        until = time.monotonic() + PATIENCE_S
        while self.socket is None:
            if self.process.poll() is not None or time.monotonic() > until:
                sys.exit("supervisord does not serve")
            client = socket.socket(socket.AF_UNIX)
            try:
                client.connect(os.path.join(self.directory, "socket"))
                self.socket = client
            except OSError:
                client.close()
                time.sleep(0.05)
        return self

    def __exit__(self, *args):
        self.socket.close()
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.directory)

    def call(self, asked):
        answer = b""
        self.socket.sendall(asked)
        while not answer.rstrip().endswith(self.END):
            more = self.socket.recv(65536)
            if not more:
                sys.exit(f"supervisord ends the connection: {answer!r}")
            answer += more
        return answer

    def start_and_see_exit(self):
        answer = self.call(self.start)
        if b"<boolean>1</boolean>" not in answer:
            sys.exit(f"supervisord starts nothing: {answer!r}")
        while b"<string>EXITED</string>" not in (answer := self.call(self.state)):
            if b"<string>RUNNING</string>" not in answer and b"<string>STARTING</string>" not in answer:
                sys.exit(f"supervisord says of it: {answer!r}")
        return 1


# ------------------------------------------------------------------------------------------------ both


def report(work, seconds):
    done, began = 0, time.monotonic()
    while time.monotonic() < began + seconds:
        done += work()
    print(json.dumps({"per_s": done / (time.monotonic() - began)}))


def main():
    peer, seconds = sys.argv[1], float(sys.argv[2])
    if peer == SUPERVISORD:
        with Supervisord(sys.argv[3]) as s:
            report(s.start_and_see_exit, seconds)
    else:
        context = multiprocessing.get_context(peer)
        report(lambda: start_and_join(context, int(sys.argv[3])), seconds)


if __name__ == "__main__":
    main()
