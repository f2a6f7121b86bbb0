# SPDX-License-Identifier: MIT
"""A database with a past: processes that were started, have ended and were joined."""
import sqlite3

# As a start and a join of the loader leave them.
PROCESSES = """
WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < :n)
INSERT INTO process (name, identity, lineage, state, start_method, daemon, argv, cwd, env, labels, stdout, stderr, grace_us,
                     created_at, started_at, stopped_at, joined_at, boot, pid, start_ticks, exitcode, exit_reason,
                     core_dumped, user_us, system_us, maxrss_bytes, minflt, majflt, inblock, oublock, nvcsw, nivcsw,
                     stdout_bytes, stderr_bytes)
SELECT 'Process-' || i, i, '', 'stopped', 'spawn', 0, '["/usr/lib/creche/nothing"]', '/root',
       '["HOME","LANG","LOGNAME","PATH","SHELL","USER"]', '{}', 'null', 'null', 10000000,
       1700000000000000 + i, 1700000000000200 + i, 1700000000000400 + i, 1700000000000500 + i, 1, 1000 + i % 30000, i, 0,
       'exited', 0, 100, 100, 500000, 20, 0, 0, 0, 1, 0, 0, 0
  FROM n"""


def fill(database, n):
    """@n of them, into the database of a server that has been stopped."""
    db = sqlite3.connect(database, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = OFF")
    db.execute("BEGIN")
    db.execute(PROCESSES, {"n": n})
    for state in ("stopped", "joined"):
        db.execute("INSERT INTO tally (state, n) VALUES (?, ?) ON CONFLICT (state) DO UPDATE SET n = n + excluded.n",
                   (state, n))
    db.execute("UPDATE main_process SET children = children + ?", (n,))
    db.execute("COMMIT")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
