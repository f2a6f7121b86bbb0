#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Says where in the memory of a process a text stands: memory.py PID TEXT. Needs CAP_SYS_PTRACE."""
import re
import sys


def regions(pid):
    for line in open(f"/proc/{pid}/maps"):
        m = re.match(r"([0-9a-f]+)-([0-9a-f]+) r\S+ \S+ \S+ \S+\s*(.*)", line)
        if m and m[3] not in ("[vvar]", "[vsyscall]", "[vvar_vclock]"):
            yield int(m[1], 16), int(m[2], 16), m[3]


def main(pid, text):
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        read = 0
        for begin, end, name in regions(pid):
            memory.seek(begin)
            try:
                content = memory.read(end - begin)
            except OSError:
                continue
            read += len(content)
            for hit in re.finditer(re.escape(text.encode()), content):
                around = content[max(hit.start() - 40, 0):hit.end() + 40]
                print(f"{begin + hit.start():x} {name or 'anonymous'}: {around!r}")
        assert read > 1 << 20, "the memory of a process is more than that"


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
