#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What others do that do the same: CPython's own multiprocessing.

usage: peers.py fork|forkserver SECONDS

Starts 64 processes that do nothing, joins them, and again. Prints {"per_s": N}.
"""
import json
import multiprocessing
import sys
import time

AT_ONCE = 64


def nothing():
    pass


def main():
    context, seconds = multiprocessing.get_context(sys.argv[1]), float(sys.argv[2])
    done, began = 0, time.monotonic()
    while time.monotonic() < began + seconds:
        processes = [context.Process(target=nothing) for _ in range(AT_ONCE)]
        for p in processes:
            p.start()
        for p in processes:
            p.join()
        if any(p.exitcode for p in processes):
            sys.exit("one of them has failed")
        done += AT_ONCE
    print(json.dumps({"per_s": done / (time.monotonic() - began)}))


if __name__ == "__main__":
    main()
