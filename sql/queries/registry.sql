-- SPDX-License-Identifier: MIT
-- Transactions, and what is not a process.

-- name: begin
BEGIN IMMEDIATE;

-- name: begin_reading
-- What is read until the commit is of one moment.
BEGIN;

-- name: commit
COMMIT;

-- name: rollback
ROLLBACK;

-- name: savepoint
SAVEPOINT job;

-- name: release
RELEASE job;

-- name: rollback_to
ROLLBACK TO job;

-- name: backup
VACUUM INTO :path;

-- name: tally_add
INSERT INTO tally (state, n) VALUES (:state, :n) ON CONFLICT (state) DO UPDATE SET n = n + :n;

-- name: tally_get
SELECT state, n FROM tally;

-- name: main_get
SELECT instance, children FROM main_process;

-- name: main_children
UPDATE main_process SET children = :children;

-- name: last_id
-- The highest id ever given: AUTOINCREMENT remembers it although rows go.
SELECT max(ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'process'), 0),
           ifnull((SELECT max(id) FROM process), 0));

-- name: boot_insert
INSERT INTO boot (boot_id, pid_ns) VALUES (:boot_id, :pid_ns) ON CONFLICT DO NOTHING;

-- name: boot_get
SELECT id FROM boot WHERE boot_id = :boot_id AND pid_ns = :pid_ns;
