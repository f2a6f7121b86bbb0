-- SPDX-License-Identifier: MIT
-- The registry. Times are microseconds since the Unix epoch (UTC), sizes bytes.
--
-- The views processes, active_children and dangling at the end are a public interface: they keep their
-- columns. The tables may change with the next migration. Readers are welcome at any time; only creched writes.

PRAGMA application_id = 1129465160; -- "CRCH"

-- The main process: the parent of all top-level processes, that is Creche itself.
CREATE TABLE main_process (
    one       INTEGER PRIMARY KEY CHECK (one = 1),
    instance  TEXT NOT NULL,              -- names this database for ever
    children  INTEGER NOT NULL            -- how many it has created: the counter of their identities
) STRICT;

INSERT INTO main_process VALUES (1, lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4'
    || substr(hex(randomblob(2)), 2) || '-8' || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))), 0);

-- A pid means something only within one boot of one machine and one pid namespace.
CREATE TABLE boot (
    id       INTEGER PRIMARY KEY,
    boot_id  TEXT NOT NULL,               -- /proc/sys/kernel/random/boot_id
    pid_ns   INTEGER NOT NULL,            -- inode of /proc/self/ns/pid
    UNIQUE (boot_id, pid_ns)
) STRICT;

CREATE TABLE process (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    name            TEXT NOT NULL,
    identity        TEXT NOT NULL,        -- '1:2': second child of the first
    parent          INTEGER,              -- process.id; NULL: started by an operator
    lineage         TEXT NOT NULL,        -- ids of the ancestors, root first: '3/17/'
    state           TEXT NOT NULL CHECK (state IN
                        ('initial', 'starting', 'started', 'stopped', 'failed', 'lost', 'closed')),
    start_method    TEXT NOT NULL CHECK (start_method IN ('spawn', 'fork', 'forkserver')),
    daemon          INTEGER NOT NULL CHECK (daemon IN (0, 1)),
    argv            TEXT NOT NULL,        -- JSON array
    cwd             TEXT,
    run_as_user     TEXT,                 -- as it was asked for, or inherited; NULL: the daemon's
    run_as_group    TEXT,
    env             TEXT NOT NULL,        -- JSON array: names only
    labels          TEXT NOT NULL,        -- JSON object
    stdout          TEXT NOT NULL CHECK (stdout IN ('log', 'null')),
    stderr          TEXT NOT NULL CHECK (stderr IN ('log', 'null', 'stdout')),
    timeout_us      INTEGER,
    grace_us        INTEGER NOT NULL,
    on_parent_death INTEGER,              -- number of a signal
    created_at      INTEGER NOT NULL,
    started_at      INTEGER,
    stopped_at      INTEGER,
    joined_at       INTEGER,
    boot            INTEGER,              -- boot.id, with pid and start_ticks the identity of the process
    pid             INTEGER,
    start_ticks     INTEGER,              -- /proc/PID/stat, field 22
    exitcode        INTEGER CHECK (exitcode BETWEEN -64 AND 255), -- -N: killed by signal N
    exit_reason     TEXT CHECK (exit_reason IN ('exited', 'signaled', 'exec_failed', 'start_failed', 'lost')),
    exit_errno      TEXT,                 -- 'ENOENT'
    exit_stage      TEXT,                 -- which step before exec
    exit_detail     TEXT,
    core_dumped     INTEGER,
    oom             INTEGER,
    requested_by    TEXT,                 -- who last asked for its end
    user_us         INTEGER,
    system_us       INTEGER,
    maxrss_bytes    INTEGER,
    minflt          INTEGER,
    majflt          INTEGER,
    inblock         INTEGER,
    oublock         INTEGER,
    nvcsw           INTEGER,
    nivcsw          INTEGER,
    stdout_bytes    INTEGER,
    stderr_bytes    INTEGER,
    children        INTEGER NOT NULL DEFAULT 0, -- the counter of its children's identities
    request         TEXT,                 -- JSON, of a created process until it has started
    idempotency_key         TEXT,
    idempotency_fingerprint BLOB,

    -- An exit code is there if and only if somebody saw the process end; nothing is made up.
    CHECK ((exitcode IS NOT NULL) = (exit_reason IS NOT NULL AND exit_reason IN ('exited', 'signaled'))),
    CHECK ((exit_reason IS NOT NULL) <= (state IN ('stopped', 'failed', 'lost', 'closed'))),
    CHECK (state <> 'stopped' OR exitcode IS NOT NULL)
) STRICT;

-- Indexes that every start touches hold open rows only, so that a start costs the same whatever the history.
CREATE INDEX process_open ON process (id) WHERE state IN ('starting', 'started');
CREATE INDEX process_parent ON process (parent, id) WHERE parent IS NOT NULL;
CREATE INDEX process_lineage ON process (lineage, id) WHERE lineage <> '';
CREATE UNIQUE INDEX process_idempotency ON process (ifnull(parent, 0), idempotency_key)
    WHERE idempotency_key IS NOT NULL;

-- How many processes are in each state, kept in the same transactions: counting 10 million rows takes seconds.
CREATE TABLE tally (
    state  TEXT PRIMARY KEY,
    n      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What happened, in order; each row in the same transaction as the change that it tells of.
CREATE TABLE event (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    at       INTEGER NOT NULL,
    process  INTEGER NOT NULL,
    type     TEXT NOT NULL                -- the state that was entered, or 'deleted'
) STRICT;

-- Public views. Times are RFC 3339 text in UTC with microseconds; seconds are floating-point.

CREATE VIEW processes AS
SELECT p.id, p.name, p.identity, p.parent, p.state, p.daemon, p.start_method, p.pid, p.exitcode,
       p.exit_reason, p.exit_errno, p.exit_stage, p.exit_detail, p.core_dumped, p.oom, p.requested_by,
       p.argv, p.cwd, p.env, p.labels, p.run_as_user, p.run_as_group,
       strftime('%Y-%m-%dT%H:%M:%S', p.created_at / 1000000, 'unixepoch')
           || printf('.%06dZ', p.created_at % 1000000) AS created_at,
       strftime('%Y-%m-%dT%H:%M:%S', p.started_at / 1000000, 'unixepoch')
           || printf('.%06dZ', p.started_at % 1000000) AS started_at,
       strftime('%Y-%m-%dT%H:%M:%S', p.stopped_at / 1000000, 'unixepoch')
           || printf('.%06dZ', p.stopped_at % 1000000) AS stopped_at,
       strftime('%Y-%m-%dT%H:%M:%S', p.joined_at / 1000000, 'unixepoch')
           || printf('.%06dZ', p.joined_at % 1000000) AS joined_at,
       p.user_us / 1e6 AS user_s, p.system_us / 1e6 AS system_s, p.maxrss_bytes,
       p.stdout_bytes, p.stderr_bytes, b.boot_id, p.start_ticks
  FROM process AS p
  LEFT JOIN boot AS b ON b.id = p.boot;

-- The processes that run now, of whichever parent.
CREATE VIEW active_children AS
SELECT * FROM processes
 WHERE id IN (SELECT id FROM process WHERE state IN ('starting', 'started'));

-- Ended, never joined, not closed: nobody has looked at how they ended.
CREATE VIEW dangling AS
SELECT * FROM processes
 WHERE state IN ('stopped', 'failed', 'lost') AND joined_at IS NULL;
